// Functions of float32 and float64 by one formula each, evaluated in the type itself. Errors are at most 3 units in the
// last place (tests/cpp/pointwise_math_test.cpp measures them). NaN gives NaN; the other special values are those of C.
#pragma once

#include "kernels/bodies/math_core.h"

namespace falconet::FALCONET_ISA::functions {

template <class T>
FALCONET_INLINE Vec<T> log(Vec<T> x) {
  const LogParts<T> p = log_parts(x);
  return log_of(p.e, p.f);
}
template <class T>
FALCONET_INLINE Vec<T> log2(Vec<T> x) {
  const LogParts<T> p = log_parts(x);
  return fma(log_of(Vec<T>::zero(), p.f), number<T>(1.44269504088896341), p.e);
}
template <class T>
FALCONET_INLINE Vec<T> log10(Vec<T> x) {
  const LogParts<T> p = log_parts(x);
  const Vec<T> low =
      fma(log_of(Vec<T>::zero(), p.f), number<T>(0.434294481903251828), p.e * number<T>(Of<T>::kLog10Of2Lo));
  return fma(p.e, number<T>(Of<T>::kLog10Of2Hi), low);
}

// log(1 + x), and `more` times log(2), for x >= 0 or x > -1 alike: what 1 + x loses to rounding is added to f, which is
// x itself where x is small. Infinite x gives NaN.
template <class T>
FALCONET_INLINE Vec<T> log_of_one_plus(Vec<T> x, Vec<T> more) {
  const Vec<T> one = number<T>(1), sum = one + x, back = sum - one;
  const Vec<T> lost = (one - (sum - back)) + (x - back);
  const LogParts<T> p = log_parts(sum);
  // Beyond the bounds of e nothing is lost that matters.
  const Vec<T> bound = number<T>(Of<T>::kMaxExponent - 1), down = power_of_two(-min(bound, max(-bound, p.e)));
  return log_of(p.e + more, fma(lost, down, p.f));
}
template <class T>
FALCONET_INLINE Vec<T> log1p(Vec<T> x) {
  const Vec<T> zero = Vec<T>::zero();
  return select((x == zero) | (x == number<T>(INFINITY)), x, log_of_one_plus(x, zero));  // -0 keeps its sign
}

// In two steps, so that neither factor leaves the normal range.
template <class T>
FALCONET_INLINE Vec<T> scaled(Vec<T> x, Vec<T> n) {
  const Vec<T> half = floor(n * number<T>(0.5));
  return x * power_of_two(half) * power_of_two(n - half);
}
// At the bounds the result is infinite or 0.
template <class T>
FALCONET_INLINE Vec<T> exp(Vec<T> x) {
  constexpr bool kIsFloat = sizeof(T) == 4;
  const Reduced<T> e = reduce(min(number<T>(kIsFloat ? 89 : 710), max(number<T>(kIsFloat ? -104 : -746), x)));
  return scaled(e.fraction + number<T>(1), e.n);
}
template <class T>
FALCONET_INLINE Vec<T> exp2(Vec<T> x) {
  constexpr bool kIsFloat = sizeof(T) == 4;
  x = min(number<T>(kIsFloat ? 129 : 1025), max(number<T>(kIsFloat ? -151 : -1076), x));
  const Vec<T> n = round(x);
  return scaled(exp_fraction((x - n) * number<T>(0.693147180559945309)) + number<T>(1), n);
}

// exp(a) / 4 = scale + fraction, a >= some negative number of two digits. A quarter, so that hyperbolic functions do not
// overflow before their time: the bound of a is where they do.
template <class T>
struct Quarter {
  Vec<T> scale, fraction, n;
};
template <class T>
FALCONET_INLINE Quarter<T> quarter_exp(Vec<T> a) {
  const Reduced<T> e = reduce(min(number<T>(sizeof(T) == 4 ? 89.7 : 710.7), a));
  const Vec<T> scale = power_of_two(e.n - number<T>(2));
  return {scale, scale * e.fraction, e.n};
}
// The sign is that of x, which the reduction loses where x is -0. From the bound down the result rounds to -1.
template <class T>
FALCONET_INLINE Vec<T> expm1(Vec<T> x) {
  const Quarter<T> q = quarter_exp(max(number<T>(-40), x));
  const Vec<T> quarter = (q.scale - number<T>(0.25)) + q.fraction;
  const Vec<T> y = select(abs(x) < number<T>(Of<T>::kTiny), x, number<T>(4) * quarter);  // a quarter may be denormal
  return flip_sign(abs(y), x);
}
// (u + u / (u + 1)) / 2 with u = expm1(|x|): no cancellation near 0.
template <class T>
FALCONET_INLINE Vec<T> sinh(Vec<T> x) {
  const Quarter<T> q = quarter_exp(abs(x));
  const Vec<T> quarter = (q.scale - number<T>(0.25)) + q.fraction, half = quarter + quarter;
  // Where it overflows, half must still be the larger one.
  const Vec<T> next = min(number<T>(sizeof(T) == 4 ? 1e38 : 1e308), fma(quarter, number<T>(4), number<T>(1)));
  const Vec<T> y = half + half / next;
  return select(abs(x) < number<T>(Of<T>::kTiny), x, flip_sign(y, x));
}
template <class T>
FALCONET_INLINE Vec<T> cosh(Vec<T> x) {
  const Quarter<T> q = quarter_exp(abs(x));
  const Vec<T> quarter = q.scale + q.fraction;
  return fma(quarter, number<T>(2), number<T>(0.125) / quarter);
}

// asinh(a) = log1p(a + a^2 / (1 + sqrt(1 + a^2))): no cancellation near 0. For large a, log(2 a).
template <class T>
FALCONET_INLINE Vec<T> asinh(Vec<T> x) {
  const Vec<T> a = abs(x), one = number<T>(1), zero = Vec<T>::zero(), end = number<T>(Of<T>::kSquareRangeEnd);
  const auto large = a > end;
  const Vec<T> b = min(end, a), square = b * b;
  const Vec<T> t = select(large, a - one, b + square / (one + sqrt(one + square)));
  const Vec<T> y = log_of_one_plus(t, select(large, one, zero));
  return select(a < number<T>(INFINITY), select(a < number<T>(Of<T>::kTiny), x, flip_sign(y, x)), x);
}
// acosh(1 + t) = log1p(t + sqrt(2 t + t^2)), and log(2 x) for large x.
template <class T>
FALCONET_INLINE Vec<T> acosh(Vec<T> x) {
  const Vec<T> one = number<T>(1), zero = Vec<T>::zero(), end = number<T>(Of<T>::kSquareRangeEnd);
  const auto large = x > end;
  const Vec<T> t = min(end, x) - one;
  const Vec<T> y = log_of_one_plus(select(large, x - one, t + sqrt(fma(t, t, t + t))), select(large, one, zero));
  return select(x == number<T>(INFINITY), x, select(x >= one, y, number<T>(NAN)));
}
template <class T>
FALCONET_INLINE Vec<T> atanh(Vec<T> x) {
  const Vec<T> a = abs(x), one = number<T>(1), zero = Vec<T>::zero();
  const Vec<T> y = number<T>(0.5) * log_of_one_plus((a + a) / (one - a), zero);
  const Vec<T> edge = select(a == one, number<T>(INFINITY), number<T>(NAN));
  return flip_sign(select(a < number<T>(Of<T>::kTiny), a, select(a < one, y, edge)), x);
}

inline constexpr double kPi = 3.14159265358979324;

// p = asin(s) by the polynomial, where s = |x| up to 1/2 and s = sqrt((1 - |x|) / 2) beyond: asin(x) = pi / 2 - 2 p.
template <class T>
FALCONET_INLINE Vec<T> arc_sine(Vec<T> a) {
  const Vec<T> half = number<T>(0.5);
  const auto beyond = a > half;
  const Vec<T> square = select(beyond, half * (number<T>(1) - a), a * a), s = select(beyond, sqrt(square), a);
  return fma(polynomial(Of<T>::kAsin, square) * square, s, s);
}
template <class T>
FALCONET_INLINE Vec<T> asin(Vec<T> x) {
  const Vec<T> a = abs(x), p = arc_sine(a);
  return flip_sign(select(a > number<T>(0.5), number<T>(kPi / 2) - (p + p), p), x);
}
template <class T>
FALCONET_INLINE Vec<T> acos(Vec<T> x) {
  const Vec<T> a = abs(x), p = arc_sine(a), twice = p + p;
  const Vec<T> far = select(x < Vec<T>::zero(), number<T>(kPi) - twice, twice);
  return select(a > number<T>(0.5), far, number<T>(kPi / 2) - flip_sign(p, x));
}

// atan(num / den) for 0 <= num <= den, den > 0, num + den finite: beyond tan(pi / 8) as
// pi / 4 + atan((num - den) / (num + den)).
template <class T>
FALCONET_INLINE Vec<T> atan_ratio(Vec<T> num, Vec<T> den) {
  const auto beyond = num > den * number<T>(0.414213562373095049);
  const Vec<T> q = select(beyond, num - den, num) / select(beyond, num + den, den), square = q * q;
  const Vec<T> y = fma(polynomial(Of<T>::kAtan, square) * square, q, q);
  return select(beyond, y + number<T>(kPi / 4), y);
}
template <class T>
FALCONET_INLINE Vec<T> atan(Vec<T> x) {
  const Vec<T> a = abs(x), one = number<T>(1);
  const auto beyond = a > one;
  const Vec<T> y = atan_ratio(select(beyond, one, a), select(beyond, a, one));
  return flip_sign(select(beyond, number<T>(kPi / 2) - y, y), x);
}
template <class T>
FALCONET_INLINE Vec<T> atan2(Vec<T> y, Vec<T> x) {
  const Vec<T> ay = abs(y), ax = abs(x), zero = Vec<T>::zero(), one = number<T>(1);
  const auto steep = ay > ax;
  Vec<T> num = select(steep, ax, ay), den = select(steep, ay, ax);
  // 0 / 0 counts as 0 / 1, and infinity / infinity as 1 / 1; large ones are made smaller, so that their sum is finite.
  const auto infinite = num == number<T>(INFINITY);
  num = select(infinite, one, num);
  den = select(infinite | (den == zero), one, den);
  const Vec<T> down = select(den > number<T>(1e30), number<T>(0.25), one);
  Vec<T> angle = atan_ratio(num * down, den * down);
  angle = select(steep, number<T>(kPi / 2) - angle, angle);
  // By its bits: -0 counts as negative.
  using I = Vec<typename Of<T>::Int>;
  angle = select(bits(x) < I::zero(), number<T>(kPi) - angle, angle);
  return select((x != x) | (y != y), x + y, flip_sign(angle, y));
}

// x = 2^(3 k) m, m in [sqrt(1/2) / 2, 2 sqrt(2)); of m by a polynomial and Halley's method, which triples the digits. The
// step is written as a small correction, whose own errors do not count.
template <class T>
FALCONET_INLINE Vec<T> cbrt(Vec<T> x) {
  const Vec<T> a = abs(x), one = number<T>(1);
  const LogParts<T> p = log_parts(a);
  const Vec<T> k = round(p.e * number<T>(1.0 / 3)), m = (p.f + one) * power_of_two(p.e - number<T>(3) * k);
  Vec<T> y = polynomial(Of<T>::kCbrt, m);
  for (int i = 0; i < (sizeof(T) == 4 ? 1 : 2); ++i) {
    const Vec<T> square = y * y, excess = fma(square, y, -m), cube = excess + m;
    y = fnma(y, excess / (cube + cube + m), y);
  }
  y = flip_sign(y * power_of_two(k), x);
  return select((a > Vec<T>::zero()) & (a < number<T>(INFINITY)), y, x);
}

}  // namespace falconet::FALCONET_ISA::functions
