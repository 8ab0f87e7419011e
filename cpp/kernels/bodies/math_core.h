// What exponential and logarithmic functions are made of, in float32 and float64 alike: x = n log(2) + r and
// x = 2^e (1 + f). The two types differ in their constants and in how log(1 + f) is evaluated, and in nothing else.
#pragma once

#include <math.h>

#include "kernels/bodies/math_coefficients.h"
#include "kernels/bodies/vec.h"

namespace falconet::FALCONET_ISA {

// c[0] + c[1] t + ... by Horner's rule.
template <class T, int count>
FALCONET_INLINE Vec<T> polynomial(const T (&c)[count], Vec<T> t) {
  Vec<T> sum = Vec<T>::broadcast(c[count - 1]);
  for (int i = count - 2; i >= 0; --i) sum = fma(sum, t, Vec<T>::broadcast(c[i]));
  return sum;
}
// `x` with its sign turned where `s` is negative.
template <class T>
FALCONET_INLINE Vec<T> flip_sign(Vec<T> x, Vec<T> s) {
  return x ^ (s & Vec<T>::broadcast(T(-0.0)));
}

// Constants and polynomials of a type. Of log(2), and of log10(2), the upper part has so few bits that its product with
// an exponent is exact.
template <class T>
struct Of;
template <>
struct Of<float> {
  using Int = int32_t;
  static constexpr int kMantissa = 23, kBias = 127, kMaxExponent = 127;
  static constexpr float kLn2Hi = 0x1.62e4p-1f, kLn2Lo = 0x1.7f7d1cp-20f;
  static constexpr float kLog10Of2Hi = 0x1.344p-2f, kLog10Of2Lo = 0x1.3509f8p-18f;
  static constexpr float kSquareRangeEnd = 0x1p12f;  // beyond it 1 + x^2 rounds to x^2
  static constexpr float kTiny = 0x1p-27f;           // below it odd functions with slope 1 round to x
  static constexpr auto& kExp = kExp32;
  static constexpr auto& kAsin = kAsin32;
  static constexpr auto& kAtan = kAtan32;
  static constexpr auto& kCbrt = kCbrt32;
};
template <>
struct Of<double> {
  using Int = int64_t;
  static constexpr int kMantissa = 52, kBias = 1023, kMaxExponent = 1023;
  static constexpr double kLn2Hi = 0x1.62e42feep-1, kLn2Lo = 0x1.a39ef35793c76p-33;
  static constexpr double kLog10Of2Hi = 0x1.34413508p-2, kLog10Of2Lo = 0x1.f79fef311f12bp-34;
  static constexpr double kSquareRangeEnd = 0x1p28, kTiny = 0x1p-56;
  static constexpr auto& kExp = kExpFull64;
  static constexpr auto& kAsin = kAsin64;
  static constexpr auto& kAtan = kAtan64;
  static constexpr auto& kCbrt = kCbrt64;
};
// A number as a register of T.
template <class T>
FALCONET_INLINE Vec<T> number(double x) {
  return Vec<T>::broadcast(static_cast<T>(x));
}

// 2^n for integral n in the range of normal exponents. Adding 1.5 * 2^mantissa puts n into the lower bits, and is defined
// for NaN too.
template <class T>
FALCONET_INLINE Vec<T> power_of_two(Vec<T> n) {
  const Vec<T> magic = Vec<T>::broadcast(T(1.5) * static_cast<T>(int64_t{1} << Of<T>::kMantissa));
  const auto k = bits(n + magic) - bits(magic) + Vec<typename Of<T>::Int>::broadcast(Of<T>::kBias);
  return as_float(shift_left<Of<T>::kMantissa>(k));
}

// x = n log(2) + r, |r| <= log(2) / 2; `fraction` is exp(r) - 1.
template <class T>
struct Reduced {
  Vec<T> n, fraction;
};
template <class T>
FALCONET_INLINE Vec<T> exp_fraction(Vec<T> r) {
  return fma(polynomial(Of<T>::kExp, r) * r, r, r);
}
template <class T>
FALCONET_INLINE Reduced<T> reduce(Vec<T> x) {
  const Vec<T> n = round(x * number<T>(1.44269504088896341));
  Vec<T> r = fnma(n, number<T>(Of<T>::kLn2Hi), x);
  r = fnma(n, number<T>(Of<T>::kLn2Lo), r);
  return {n, exp_fraction(r)};
}

// x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)), so that f is exact. 0 and infinity have f = 0 and an infinite e;
// negative numbers and NaN have f NaN: so a logarithm of them comes out right without further care.
template <class T>
struct LogParts {
  Vec<T> e, f;
};
template <class T>
FALCONET_INLINE LogParts<T> log_parts(Vec<T> x) {
  const Vec<T> e = exponent(x), m = mantissa(x), one = number<T>(1);
  const auto upper = m > number<T>(1.41421356237309505);
  return {select(upper, e + one, e), select(upper, m * number<T>(0.5), m) - one};
}

// e log(2) + log(1 + f), within about an ulp.
FALCONET_INLINE VecF log_of(VecF e, VecF f) {
  const VecF square = f * f;
  const VecF y = fma(e, number<float>(Of<float>::kLn2Lo), square * f * polynomial(kLog32, f));
  return fma(e, number<float>(Of<float>::kLn2Hi), (y - number<float>(0.5) * square) + f);
}
// With s = f / (2 + f), log(1 + f) = 2 s + s^3 h(s^2) = f - s (f - s^2 h(s^2)): written so, f enters exactly.
FALCONET_INLINE VecD log_of(VecD e, VecD f) {
  const VecD s = f / (f + number<double>(2)), square = s * s;
  const VecD rest = fnma(s, f - square * polynomial(kLog64, square), e * number<double>(Of<double>::kLn2Lo));
  return fma(e, number<double>(Of<double>::kLn2Hi), f + rest);
}

}  // namespace falconet::FALCONET_ISA
