// Micro-operations of float32 and float64 that are functions by one formula for both types.
#include "kernels/bodies/math_functions.h"
#include "kernels/bodies/pointwise_body.h"

namespace falconet::FALCONET_ISA {

template <class T>
struct Op<Micro::expm1, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::expm1(x); }
};
template <class T>
struct Op<Micro::log, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::log(x); }
};
template <class T>
struct Op<Micro::log2, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::log2(x); }
};
template <class T>
struct Op<Micro::log10, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::log10(x); }
};
template <class T>
struct Op<Micro::log1p, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::log1p(x); }
};
template <class T>
struct Op<Micro::sinh, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::sinh(x); }
};
template <class T>
struct Op<Micro::cosh, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::cosh(x); }
};
template <class T>
struct Op<Micro::asinh, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::asinh(x); }
};
template <class T>
struct Op<Micro::acosh, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::acosh(x); }
};
template <class T>
struct Op<Micro::atanh, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::atanh(x); }
};
template <class T>
struct Op<Micro::asin, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::asin(x); }
};
template <class T>
struct Op<Micro::acos, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::acos(x); }
};
template <class T>
struct Op<Micro::atan, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::atan(x); }
};
template <class T>
struct Op<Micro::cbrt, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> x) { return functions::cbrt(x); }
};
template <class T>
struct Op<Micro::atan2, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> y, Vec<T> x) { return functions::atan2(y, x); }
};
template <>
struct Op<Micro::exp, double> : ByVector {
  static FALCONET_INLINE VecD f(VecD x) { return functions::exp(x); }
};
template <>
struct Op<Micro::exp2, double> : ByVector {
  static FALCONET_INLINE VecD f(VecD x) { return functions::exp2(x); }
};

FALCONET_MICRO_F(expm1)
FALCONET_MICRO_F(log)
FALCONET_MICRO_F(log2)
FALCONET_MICRO_F(log10)
FALCONET_MICRO_F(log1p)
FALCONET_MICRO_F(sinh)
FALCONET_MICRO_F(cosh)
FALCONET_MICRO_F(asinh)
FALCONET_MICRO_F(acosh)
FALCONET_MICRO_F(atanh)
FALCONET_MICRO_F(asin)
FALCONET_MICRO_F(acos)
FALCONET_MICRO_F(atan)
FALCONET_MICRO_F(cbrt)
FALCONET_MICRO_F(atan2)
FALCONET_MICRO(exp, double)
FALCONET_MICRO(exp2, double)

}  // namespace falconet::FALCONET_ISA
