// float64 functions that have formulas of their own. Errors, NaN and special values as in math_functions.h.
#pragma once

#include "kernels/bodies/math_functions.h"

namespace falconet::FALCONET_ISA::f64 {

FALCONET_INLINE VecD constant(double x) { return VecD::broadcast(x); }

FALCONET_INLINE VecD sigmoid(VecD x) {
  const VecD one = constant(1.0), e = functions::exp(-abs(x));
  return select(x < VecD::zero(), e, one) / (one + e);
}

// u / (u + 2) with u = exp(2 |x|) - 1 = 2^n fraction + (2^n - 1): no cancellation near 0. At the bound the result is 1.
FALCONET_INLINE VecD tanh(VecD x) {
  const VecD a = min(constant(20.0), abs(x));
  const Reduced<double> e = reduce(a + a);
  const VecD power = power_of_two(e.n), u = fma(power, e.fraction, power - constant(1.0));
  return flip_sign(u / (u + constant(2.0)), x);
}

}  // namespace falconet::FALCONET_ISA::f64
