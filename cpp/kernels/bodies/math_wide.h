// float32 functions evaluated in double, with relative errors between 1e-9 and 1e-15, so that rounding the result to
// float32 is nearly correct (0.51 ulp or better) with or without FMA. Arguments are float32 values (or of their range);
// NaN gives NaN, and the other special values are those of C.
#pragma once

#include "kernels/bodies/math_f32.h"

namespace falconet::FALCONET_ISA::wide {

FALCONET_INLINE VecD constant(double x) { return VecD::broadcast(x); }
inline constexpr double kPi = 3.14159265358979324;

// exp(x) = power (1 + fraction), power = 2^n. Beyond the bounds a float32 result is infinite or 0 anyway.
struct ExpParts {
  VecD power, fraction;
};
FALCONET_INLINE ExpParts exp_parts(VecD x) {
  x = min(constant(700.0), max(constant(-700.0), x));
  const VecD n = round(x * constant(1.44269504088896341));
  // The first part of log(2) has 32 bits, so its product with n is exact.
  VecD r = fnma(n, constant(0x1.62e42feep-1), x);
  r = fnma(n, constant(0x1.a39ef35793c76p-33), r);
  const VecL exponent = shift_left<52>(round_to_int(n) + VecL::broadcast(1023));
  return {as_float(exponent), fma(polynomial(kExp64, r) * r, r, r)};
}
FALCONET_INLINE VecD exp(VecD x) {
  const ExpParts e = exp_parts(x);
  return fma(e.power, e.fraction, e.power);
}
// The sign is that of x, which the reduction loses where x is -0.
FALCONET_INLINE VecD expm1(VecD x) {
  const ExpParts e = exp_parts(x);
  return flip_sign(abs(fma(e.power, e.fraction, e.power - constant(1.0))), x);
}

// x = 2^e m, m in [sqrt(1/2), sqrt(2)); meaningful for normal positive x.
struct LogParts {
  VecD e, log_m;
};
FALCONET_INLINE LogParts log_parts(VecD x) {
  const VecL root_half = VecL::broadcast(0x3FE6A09E667F3BCD);
  const VecL i = bits(x) - root_half;
  const VecD m = as_float((i & VecL::broadcast(0xFFFFFFFFFFFFF)) + root_half), one = constant(1.0);
  const VecD s = (m - one) / (m + one), square = s * s;
  return {to_float(shift_right<52>(i)), fma(polynomial(kLog64, square) * square, s, s + s)};
}
// y = a logarithm of x by the formula, corrected where x is 0, infinite, negative or NaN.
FALCONET_INLINE VecD log_special(VecD x, VecD y) {
  const VecD infinity = constant(INFINITY), zero = VecD::zero();
  y = select(x == infinity, x, y);
  y = select(x == zero, -infinity, y);
  return select(x >= zero, y, constant(NAN));
}
FALCONET_INLINE VecD log(VecD x) {
  const LogParts p = log_parts(x);
  return log_special(x, fma(p.e, constant(0.693147180559945309), p.log_m));
}
FALCONET_INLINE VecD log2(VecD x) {
  const LogParts p = log_parts(x);
  return log_special(x, fma(p.log_m, constant(1.44269504088896341), p.e));
}
FALCONET_INLINE VecD log10(VecD x) {
  const LogParts p = log_parts(x);
  return log_special(x, fma(p.e, constant(0.301029995663981195), p.log_m * constant(0.434294481903251828)));
}
// Where |x| is small, rounding 1 + x would cost digits; the series then needs three terms.
FALCONET_INLINE VecD log1p(VecD x) {
  const VecD series = fma(fma(x, constant(1.0 / 3), constant(-0.5)), x * x, x);
  return select(abs(x) < constant(1e-4), series, log(x + constant(1.0)));
}

// sinh = (u + u / (u + 1)) / 2 with u = expm1(|x|): no cancellation near 0.
FALCONET_INLINE VecD sinh(VecD x) {
  const VecD u = expm1(abs(x));
  return flip_sign(constant(0.5) * (u + u / (u + constant(1.0))), x);
}
FALCONET_INLINE VecD cosh(VecD x) {
  const VecD e = exp(abs(x));
  return constant(0.5) * (e + constant(1.0) / e);
}
// asinh(a) = log1p(a + a^2 / (1 + sqrt(1 + a^2))): no cancellation near 0. Infinity / infinity is avoided by a bound
// that float32 arguments other than infinity respect.
FALCONET_INLINE VecD asinh(VecD x) {
  const VecD a = min(constant(1e40), abs(x)), one = constant(1.0), square = a * a;
  const VecD y = log1p(a + square / (one + sqrt(one + square)));
  return flip_sign(select(abs(x) == constant(INFINITY), constant(INFINITY), y), x);
}
// acosh(1 + t) = log1p(t + sqrt(2 t + t^2)).
FALCONET_INLINE VecD acosh(VecD x) {
  const VecD t = x - constant(1.0);
  return select(t < VecD::zero(), constant(NAN), log1p(t + sqrt(fma(t, t, t + t))));
}
FALCONET_INLINE VecD atanh(VecD x) {
  const VecD a = abs(x);
  return flip_sign(constant(0.5) * log1p((a + a) / (constant(1.0) - a)), x);
}

// Arguments from here on go through the C library, which reduces them with as many digits of pi as it takes.
inline constexpr double kLargeAngle = 1 << 20;

// x = n pi / 2 + r. Below kLargeAngle n has 20 bits, so its products with the first two parts of pi / 2 (33 bits each)
// are exact; lanes at or beyond it (or NaN) get n = 0.
struct Angle {
  VecD r, n;
};
FALCONET_INLINE Angle reduce_angle(VecD x) {
  const VecD n = select(abs(x) < constant(kLargeAngle), round(x * constant(2 / kPi)), VecD::zero());
  VecD r = fnma(n, constant(0x1.921fb544p+0), x);
  r = fnma(n, constant(0x1.0b4611a6p-34), r);
  return {fnma(n, constant(0x1.3198a2e037073p-69), r), n};
}
// y, with the lanes of large, infinite and NaN x replaced by f(x).
template <class T, class F>
FALCONET_INLINE Vec<T> large_angles(Vec<T> x, Vec<T> y, F f) {
  const Vec<T> large = Vec<T>::broadcast(T(kLargeAngle));
  if (all(abs(x) < large)) return y;
  T xs[Vec<T>::width], ys[Vec<T>::width];
  x.store(xs);
  y.store(ys);
  for (int i = 0; i < Vec<T>::width; ++i) {
    if (!(xs[i] < T(kLargeAngle) && xs[i] > -T(kLargeAngle))) ys[i] = static_cast<T>(f(static_cast<double>(xs[i])));
  }
  return Vec<T>::load(ys);
}
template <class V>
FALCONET_INLINE auto bit_set(V n, int bit) {
  return (n & V::broadcast(bit)) != V::zero();
}

// The reduction needs double; the polynomials do not. `shift` is 0 for sin and 1 for cos: the quarter to begin at.
FALCONET_INLINE VecF sin_or_cos(VecF x, int shift) {
  const Angle lo = reduce_angle(widen_lo(x)), hi = reduce_angle(widen_hi(x));
  const VecF r = narrow(lo.r, hi.r), square = r * r;
  const VecI n = narrow(round_to_int(lo.n), round_to_int(hi.n)) + VecI::broadcast(shift);
  const VecF sine = fma(polynomial(kSin32, square) * square, r, r);
  const VecF cosine =
      fma(polynomial(kCos32, square) * square, square, fnma(square, VecF::broadcast(0.5f), VecF::broadcast(1.0f)));
  const VecF y = select(bit_set(n, 1), cosine, sine);
  return select(bit_set(n, 2), -y, y);
}
// Odd functions work on |x|: reducing -0 gives +0.
FALCONET_INLINE VecF sin(VecF x) {
  const VecF y = flip_sign(sin_or_cos(abs(x), 0), x);
  return large_angles(x, y, [](double t) { return ::sin(t); });
}
FALCONET_INLINE VecF cos(VecF x) {
  return large_angles(x, sin_or_cos(x, 1), [](double t) { return ::cos(t); });
}
FALCONET_INLINE VecD tan(VecD x) {
  const Angle a = reduce_angle(abs(x));
  const VecD square = a.r * a.r, sine = fma(polynomial(kSin64, square) * square, a.r, a.r);
  const VecD cosine = fma(polynomial(kCos64, square) * square, square, fnma(square, constant(0.5), constant(1.0)));
  const Mask64 odd = bit_set(round_to_int(a.n), 1);
  const VecD y = select(odd, -cosine, sine) / select(odd, sine, cosine);
  return large_angles(x, flip_sign(y, x), [](double t) { return ::tan(t); });
}

// p = asin(s) by the polynomial, where s = |x| up to 1/2 and s = sqrt((1 - |x|) / 2) beyond: asin(x) = pi / 2 - 2 p.
struct ArcSine {
  VecD p;
  Mask64 beyond;
};
FALCONET_INLINE ArcSine arc_sine(VecD x) {
  const VecD a = abs(x), half = constant(0.5);
  const Mask64 beyond = a > half;
  const VecD square = select(beyond, half * (constant(1.0) - a), a * a), s = select(beyond, sqrt(square), a);
  return {fma(polynomial(kAsin64, square) * square, s, s), beyond};
}
FALCONET_INLINE VecD asin(VecD x) {
  const ArcSine a = arc_sine(x);
  return flip_sign(select(a.beyond, constant(kPi / 2) - (a.p + a.p), a.p), x);
}
FALCONET_INLINE VecD acos(VecD x) {
  const ArcSine a = arc_sine(x);
  const VecD twice = a.p + a.p, far = select(x < VecD::zero(), constant(kPi) - twice, twice);
  return select(a.beyond, far, constant(kPi / 2) - flip_sign(a.p, x));
}

// atan(num / den) for 0 <= num <= den, den > 0: beyond tan(pi / 8) as pi / 4 + atan((num - den) / (num + den)).
FALCONET_INLINE VecD atan_ratio(VecD num, VecD den) {
  const Mask64 beyond = num > den * constant(0.414213562373095049);
  const VecD q = select(beyond, num - den, num) / select(beyond, num + den, den), square = q * q;
  const VecD y = fma(polynomial(kAtan64, square) * square, q, q);
  return select(beyond, y + constant(kPi / 4), y);
}
FALCONET_INLINE VecD atan(VecD x) {
  const VecD a = abs(x), one = constant(1.0);
  const Mask64 beyond = a > one;
  const VecD y = atan_ratio(select(beyond, one, a), select(beyond, a, one));
  return flip_sign(select(beyond, constant(kPi / 2) - y, y), x);
}
FALCONET_INLINE VecD atan2(VecD y, VecD x) {
  const VecD ay = abs(y), ax = abs(x), zero = VecD::zero(), one = constant(1.0);
  const Mask64 steep = ay > ax;
  VecD num = select(steep, ax, ay), den = select(steep, ay, ax);
  // 0 / 0 counts as 0 / 1, and infinity / infinity as 1 / 1.
  const Mask64 infinite = num == constant(INFINITY);
  num = select(infinite, one, num);
  den = select(infinite | (den == zero), one, den);
  VecD angle = atan_ratio(num, den);
  angle = select(steep, constant(kPi / 2) - angle, angle);
  angle = select(bits(x) < VecL::zero(), constant(kPi) - angle, angle);
  return select((x != x) | (y != y), x + y, flip_sign(angle, y));
}

// erfc(a) for a >= 1; beyond the bound it rounds to 0 in float32.
FALCONET_INLINE VecD erfc_far(VecD a) {
  a = min(constant(10.25), max(constant(1.0), a));
  const VecD t = (a - constant(2.0)) / (a + constant(2.0));
  return exp(-(a * a)) * polynomial(kErfc64, t);
}
FALCONET_INLINE VecD erfc(VecD x) {
  const VecD a = abs(x), one = constant(1.0), near = one - x * polynomial(kErf64, a * a), far = erfc_far(a);
  return select(a < one, near, select(x < VecD::zero(), constant(2.0) - far, far));
}
// erfinv(x) where `complement` is 1 - |x|, which the caller may know to more digits than |x| tells. Both in [0, 1].
FALCONET_INLINE VecD erfinv_of(VecD x, VecD complement) {
  const VecD w = -log(complement * (constant(2.0) - complement));
  const VecD centre = polynomial(kErfinvCentre64, w - constant(3.125));
  const VecD tail = polynomial(kErfinvTail64, sqrt(w) - constant(4.625));
  const VecD y = x * select(w < constant(6.25), centre, tail);
  return select(complement == VecD::zero(), x * constant(INFINITY), y);
}
FALCONET_INLINE VecD erfinv(VecD x) { return erfinv_of(x, constant(1.0) - abs(x)); }

FALCONET_INLINE VecD cbrt(VecD x) { return flip_sign(exp(log(abs(x)) * constant(1.0 / 3)), x); }
FALCONET_INLINE VecD hypot(VecD x, VecD y) {
  const VecD infinity = constant(INFINITY);
  return select((abs(x) == infinity) | (abs(y) == infinity), infinity, sqrt(fma(x, x, y * y)));
}

// x^y = exp(y log |x|) with the sign of x where y is odd, and C's values where the product means nothing.
FALCONET_INLINE VecD pow(VecD x, VecD y) {
  const VecD a = abs(x), one = constant(1.0), zero = VecD::zero(), half = constant(0.5) * y;
  VecD r = exp(y * log(a));
  r = select((y == zero) | ((a == one) & (y == y)), one, r);
  const Mask64 integral = floor(y) == y, odd = integral & (floor(half) != half);
  const Mask64 imaginary = (x < zero) & (a != constant(INFINITY)) & ~integral;
  r = select(imaginary & (y == y), constant(NAN), r);
  return select(x == one, one, select(odd, flip_sign(r, x), r));
}

}  // namespace falconet::FALCONET_ISA::wide
