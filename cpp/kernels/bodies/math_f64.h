// float64 functions by vectors, with errors of a few units in the last place. NaN gives NaN; the other special values
// are those of C.
#pragma once

#include "kernels/bodies/math_f32.h"

namespace falconet::FALCONET_ISA::f64 {

FALCONET_INLINE VecD constant(double x) { return VecD::broadcast(x); }
// 2^n for integral n in the range of normal exponents.
FALCONET_INLINE VecD power_of_two(VecD n) { return as_float(shift_left<52>(round_to_int(n) + VecL::broadcast(1023))); }

// x = n log(2) + r; `fraction` is exp(r) - 1. The first part of log(2) has 32 bits, so its product with n is exact.
struct Reduced {
  VecD n, fraction;
};
FALCONET_INLINE Reduced reduce(VecD x) {
  const VecD n = round(x * constant(1.44269504088896341));
  VecD r = fnma(n, constant(0x1.62e42feep-1), x);
  r = fnma(n, constant(0x1.a39ef35793c76p-33), r);
  return {n, fma(polynomial(kExpFull64, r) * r, r, r)};
}
// In two steps, so that neither factor leaves the normal range. At the bounds the result is infinite or 0.
FALCONET_INLINE VecD exp(VecD x) {
  const Reduced e = reduce(min(constant(710.0), max(constant(-746.0), x)));
  const VecD half = floor(e.n * constant(0.5));
  return (e.fraction + constant(1.0)) * power_of_two(half) * power_of_two(e.n - half);
}

// log(x) = e log(2) + log(1 + f), 1 + f in [sqrt(1/2), sqrt(2)), and with s = f / (2 + f) the latter is
// 2 s + s^3 h(s^2) = f - s (f - s^2 h(s^2)): written so, f enters exactly.
FALCONET_INLINE VecD log(VecD x) {
  const VecD zero = VecD::zero(), infinity = constant(INFINITY);
  const Mask64 denormal = x < constant(2.2250738585072014e-308);
  const VecL root_half = VecL::broadcast(0x3FE6A09E667F3BCD);
  const VecL i = bits(select(denormal, x * constant(0x1p54), x)) - root_half;
  const VecD e = to_float(shift_right<52>(i)) - select(denormal, constant(54.0), zero);
  const VecD f = as_float((i & VecL::broadcast(0xFFFFFFFFFFFFF)) + root_half) - constant(1.0);
  const VecD s = f / (f + constant(2.0)), square = s * s;
  const VecD rest = fnma(s, f - square * polynomial(kLog64, square), e * constant(0x1.a39ef35793c76p-33));
  VecD y = fma(e, constant(0x1.62e42feep-1), f + rest);
  y = select(x == infinity, x, y);
  y = select(x == zero, -infinity, y);
  return select(x >= zero, y, constant(NAN));
}

FALCONET_INLINE VecD sigmoid(VecD x) {
  const VecD one = constant(1.0), e = exp(-abs(x));
  return select(x < VecD::zero(), e, one) / (one + e);
}

// u / (u + 2) with u = exp(2 |x|) - 1 = 2^n fraction + (2^n - 1): no cancellation near 0. At the bound the result is 1.
FALCONET_INLINE VecD tanh(VecD x) {
  const VecD a = min(constant(20.0), abs(x));
  const Reduced e = reduce(a + a);
  const VecD power = power_of_two(e.n), u = fma(power, e.fraction, power - constant(1.0));
  return flip_sign(u / (u + constant(2.0)), x);
}

}  // namespace falconet::FALCONET_ISA::f64
