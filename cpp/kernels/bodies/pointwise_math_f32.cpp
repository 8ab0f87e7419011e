// Micro-operations of float32 that are functions: exponential and logarithmic ones, powers, error functions.
#include "kernels/bodies/math_wide.h"
#include "kernels/bodies/pointwise_body.h"

namespace falconet::FALCONET_ISA {

template <>
struct Op<Micro::exp, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return f32::exp(x); }
};
template <>
struct Op<Micro::exp2, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return f32::exp2(x); }
};
template <>
struct Op<Micro::log, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return f32::log(x); }
};
template <>
struct Op<Micro::tanh, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return f32::tanh(x); }
};
template <>
struct Op<Micro::sigmoid, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return f32::sigmoid(x); }
};
template <>
struct Op<Micro::expm1, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::expm1(x); }
};
template <>
struct Op<Micro::log2, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::log2(x); }
};
template <>
struct Op<Micro::log10, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::log10(x); }
};
template <>
struct Op<Micro::log1p, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::log1p(x); }
};
template <>
struct Op<Micro::sinh, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::sinh(x); }
};
template <>
struct Op<Micro::cosh, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::cosh(x); }
};
template <>
struct Op<Micro::asinh, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::asinh(x); }
};
template <>
struct Op<Micro::acosh, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::acosh(x); }
};
template <>
struct Op<Micro::atanh, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::atanh(x); }
};
template <>
struct Op<Micro::softplus, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return f32::softplus(x); }
};
template <>
struct Op<Micro::erf, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return f32::erf(x); }
};
template <>
struct Op<Micro::erfc, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::erfc(x); }
};
template <>
struct Op<Micro::erfinv, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::erfinv(x); }
};
template <>
struct Op<Micro::cbrt, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x) { return wide::cbrt(x); }
};
template <>
struct Op<Micro::pow, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x, VecD y) { return wide::pow(x, y); }
};
template <>
struct Op<Micro::hypot, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x, VecD y) { return wide::hypot(x, y); }
};

FALCONET_MICRO(exp, float)
FALCONET_MICRO(exp2, float)
FALCONET_MICRO(log, float)
FALCONET_MICRO(tanh, float)
FALCONET_MICRO(sigmoid, float)
FALCONET_MICRO(expm1, float)
FALCONET_MICRO(log2, float)
FALCONET_MICRO(log10, float)
FALCONET_MICRO(log1p, float)
FALCONET_MICRO(sinh, float)
FALCONET_MICRO(cosh, float)
FALCONET_MICRO(asinh, float)
FALCONET_MICRO(acosh, float)
FALCONET_MICRO(atanh, float)
FALCONET_MICRO(softplus, float)
FALCONET_MICRO(erf, float)
FALCONET_MICRO(erfc, float)
FALCONET_MICRO(erfinv, float)
FALCONET_MICRO(cbrt, float)
FALCONET_MICRO(pow, float)
FALCONET_MICRO(hypot, float)

}  // namespace falconet::FALCONET_ISA
