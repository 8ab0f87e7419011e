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
// For normal positive x, 0 and infinity.
FALCONET_INLINE VecD log(VecD x) {
  const LogParts<double> p = normal_log_parts(x);
  const VecD s = p.f / (p.f + constant(2.0)), square = s * s;
  const VecD log_m = fma(polynomial(kLog64, square) * square, s, s + s);
  return log_special(x, fma(p.e, constant(0.693147180559945309), log_m));
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

// The reduction needs double; the polynomials do not. x = n pi / 2 + r, and n's lower bits tell the quarter.
struct Quarters {
  VecF sine, cosine;  // of r
  VecI n;
};
FALCONET_INLINE Quarters quarters(VecF x) {
  const Angle lo = reduce_angle(widen_lo(x)), hi = reduce_angle(widen_hi(x));
  const VecF r = narrow(lo.r, hi.r), square = r * r;
  return {fma(polynomial(kSin32, square) * square, r, r),
          fma(polynomial(kCos32, square) * square, square, fnma(square, VecF::broadcast(0.5f), VecF::broadcast(1.0f))),
          narrow(round_to_int(lo.n), round_to_int(hi.n))};
}
// `shift` is 0 for sin and 1 for cos: the quarter to begin at.
FALCONET_INLINE VecF sin_or_cos(VecF x, int shift) {
  const Quarters q = quarters(x);
  const VecI n = q.n + VecI::broadcast(shift);
  const VecF y = select(bit_set(n, 1), q.cosine, q.sine);
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
FALCONET_INLINE VecF tan(VecF x) {
  const Quarters q = quarters(abs(x));
  const Mask32 odd = bit_set(q.n, 1);
  const VecF y = select(odd, -q.cosine, q.sine) / select(odd, q.sine, q.cosine);
  return large_angles(x, flip_sign(y, x), [](double t) { return ::tan(t); });
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
