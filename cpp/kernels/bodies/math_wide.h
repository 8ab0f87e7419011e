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
FALCONET_INLINE VecD log(VecD x) {
  const LogParts<double> p = log_parts(x);
  const VecD s = p.f / (p.f + constant(2.0)), square = s * s;
  const VecD log_m = fma(polynomial(kLog64, square) * square, s, s + s);
  return fma(p.e, constant(0.693147180559945309), log_m);
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

// x = n pi / 2 + r; of `n` only the lower two bits count.
struct FloatAngle {
  VecF r;
  VecI n;
};
FALCONET_INLINE FloatAngle float_angle(VecF x) {
  const Angle lo = reduce_angle(widen_lo(x)), hi = reduce_angle(widen_hi(x));
  return {narrow(lo.r, hi.r), narrow(round_to_int(lo.n), round_to_int(hi.n))};
}
// The same without double where it suffices. Below the bound n has 9 bits, so that its products with the first three
// parts of pi / 2 (15 bits each) are exact. Adding 1.5 * 2^23 rounds to an integer, which the lower bits then hold.
inline constexpr float kNearAngle = 512;
FALCONET_INLINE FloatAngle near_angle(VecF x) {
  const VecF magic = VecF::broadcast(12582912.0f), shifted = fma(x, VecF::broadcast(0.636619772f), magic);
  const VecF n = shifted - magic;
  VecF r = fnma(n, VecF::broadcast(0x1.921cp+0f), x);
  r = fnma(n, VecF::broadcast(0x1.daap-15f), r);
  r = fnma(n, VecF::broadcast(0x1.10b4p-30f), r);
  return {fnma(n, VecF::broadcast(0x1.84698ap-48f), r), bits(shifted)};
}
FALCONET_INLINE VecF sine_of(VecF r, VecF square) { return fma(polynomial(kSin32, square) * square, r, r); }
FALCONET_INLINE VecF cosine_of(VecF square) {
  const VecF half = fnma(square, VecF::broadcast(0.5f), VecF::broadcast(1.0f));
  return fma(polynomial(kCos32, square) * square, square, half);
}
// `shift` is 0 for sin and 1 for cos: the quarter to begin at.
FALCONET_INLINE VecF sin_or_cos(VecF x, int shift) {
  FloatAngle a = near_angle(x);
  const Mask32 near = abs(x) < VecF::broadcast(kNearAngle);
  if (!all(near)) {
    const FloatAngle far = float_angle(x);
    a = {select(near, a.r, far.r), select(near, a.n, far.n)};
  }
  const VecI n = a.n + VecI::broadcast(shift);
  const VecF square = a.r * a.r, y = select(bit_set(n, 1), cosine_of(square), sine_of(a.r, square));
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
  const FloatAngle a = float_angle(abs(x));
  const VecF square = a.r * a.r, sine = sine_of(a.r, square), cosine = cosine_of(square);
  const Mask32 odd = bit_set(a.n, 1);
  const VecF y = select(odd, -cosine, sine) / select(odd, sine, cosine);
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
FALCONET_INLINE VecF pow(VecF x, VecF y) {
  const VecF a = abs(x), one = VecF::broadcast(1.0f), zero = VecF::zero(), half = VecF::broadcast(0.5f) * y;
  VecF r = narrow(exp(widen_lo(y) * log(widen_lo(a))), exp(widen_hi(y) * log(widen_hi(a))));
  r = select((y == zero) | ((a == one) & (y == y)), one, r);
  const Mask32 whole = floor(y) == y, odd = whole & (floor(half) != half);
  const Mask32 imaginary = (x < zero) & (a != VecF::broadcast(INFINITY)) & ~whole;
  r = select(imaginary & (y == y), VecF::broadcast(NAN), r);
  return select(x == one, one, select(odd, flip_sign(r, x), r));
}

}  // namespace falconet::FALCONET_ISA::wide
