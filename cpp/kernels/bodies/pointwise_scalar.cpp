// Micro-operations that call the C library (or math_scalar.h) value by value: rarely called ones.
#include "kernels/bodies/math_scalar.h"
#include "kernels/bodies/math_wide.h"
#include "kernels/bodies/pointwise_body.h"

namespace falconet::FALCONET_ISA {

template <>
struct Op<Micro::sin, double> : ByValue {
  static FALCONET_INLINE double f(double x) { return ::sin(x); }
};
template <>
struct Op<Micro::cos, double> : ByValue {
  static FALCONET_INLINE double f(double x) { return ::cos(x); }
};
template <>
struct Op<Micro::tan, double> : ByValue {
  static FALCONET_INLINE double f(double x) { return ::tan(x); }
};
template <>
struct Op<Micro::erf, double> : ByValue {
  static FALCONET_INLINE double f(double x) { return ::erf(x); }
};
template <>
struct Op<Micro::erfc, double> : ByValue {
  static FALCONET_INLINE double f(double x) { return ::erfc(x); }
};
template <>
struct Op<Micro::pow, double> : ByValue {
  static FALCONET_INLINE double f(double a, double b) { return ::pow(a, b); }
};
template <>
struct Op<Micro::hypot, double> : ByValue {
  static FALCONET_INLINE double f(double a, double b) { return ::hypot(a, b); }
};
template <>
struct Op<Micro::softplus, double> : ByValue {
  static FALCONET_INLINE double f(double x) { return scalar::softplus(x); }
};
template <>
struct Op<Micro::erfinv, double> : ByVector {
  static FALCONET_INLINE VecD f(VecD x) {
    double xs[VecD::width], ys[VecD::width];
    x.store(xs);
    wide::erfinv(x).store(ys);
    for (int i = 0; i < VecD::width; ++i) ys[i] = scalar::refined_erfinv(xs[i], ys[i]);
    return VecD::load(ys);
  }
};
template <class T>
struct Op<Micro::lgamma, T> : ByValue {
  static FALCONET_INLINE T f(T x) { return static_cast<T>(scalar::lgamma(x)); }
};
template <class T>
struct Op<Micro::digamma, T> : ByValue {
  static FALCONET_INLINE T f(T x) { return static_cast<T>(scalar::digamma(x)); }
};
template <>
struct Op<Micro::floor_div, float> : ByValue {
  static FALCONET_INLINE float f(float a, float b) { return scalar::floor_div(a, b); }
};
template <>
struct Op<Micro::floor_div, double> : ByValue {
  static FALCONET_INLINE double f(double a, double b) { return scalar::floor_div(a, b); }
};
template <>
struct Op<Micro::mod, float> : ByValue {
  static FALCONET_INLINE float f(float a, float b) { return scalar::mod(a, b); }
};
template <>
struct Op<Micro::mod, double> : ByValue {
  static FALCONET_INLINE double f(double a, double b) { return scalar::mod(a, b); }
};
template <>
struct Op<Micro::fmod, float> : ByValue {
  static FALCONET_INLINE float f(float a, float b) { return scalar::fmod_of(a, b); }
};
template <>
struct Op<Micro::fmod, double> : ByValue {
  static FALCONET_INLINE double f(double a, double b) { return scalar::fmod_of(a, b); }
};
template <>
struct Op<Micro::nextafter, double> : ByValue {
  static FALCONET_INLINE double f(double a, double b) { return ::nextafter(a, b); }
};
template <>
struct Op<Micro::nextafter, float> : ByValue {
  static FALCONET_INLINE float f(float a, float b) { return ::nextafterf(a, b); }
};

FALCONET_MICRO(sin, double)
FALCONET_MICRO(cos, double)
FALCONET_MICRO(tan, double)
FALCONET_MICRO(erf, double)
FALCONET_MICRO(erfc, double)
FALCONET_MICRO(pow, double)
FALCONET_MICRO(hypot, double)
FALCONET_MICRO(softplus, double)
FALCONET_MICRO(erfinv, double)
FALCONET_MICRO_F(lgamma)
FALCONET_MICRO_F(digamma)
FALCONET_MICRO_F(floor_div)
FALCONET_MICRO_F(mod)
FALCONET_MICRO_F(fmod)
FALCONET_MICRO_F(nextafter)

}  // namespace falconet::FALCONET_ISA
