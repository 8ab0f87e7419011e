// Micro-operations of float32 that are functions with formulas of their own: exponentials, powers, error functions.
#include "kernels/bodies/math_f32.h"
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
struct Op<Micro::tanh, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return f32::tanh(x); }
};
template <>
struct Op<Micro::sigmoid, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x) { return f32::sigmoid(x); }
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
struct Op<Micro::pow, float> : ByVector {
  static FALCONET_INLINE VecF f(VecF x, VecF y) { return wide::pow(x, y); }
};
template <>
struct Op<Micro::hypot, float> : ByWide {
  static FALCONET_INLINE VecD f(VecD x, VecD y) { return wide::hypot(x, y); }
};

FALCONET_MICRO(exp, float)
FALCONET_MICRO(exp2, float)
FALCONET_MICRO(tanh, float)
FALCONET_MICRO(sigmoid, float)
FALCONET_MICRO(softplus, float)
FALCONET_MICRO(erf, float)
FALCONET_MICRO(erfc, float)
FALCONET_MICRO(erfinv, float)
FALCONET_MICRO(pow, float)
FALCONET_MICRO(hypot, float)

}  // namespace falconet::FALCONET_ISA
