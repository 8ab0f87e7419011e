// float32 functions evaluated in float32: those that networks call most. Errors are the largest seen over all float32
// by tests/cpp/pointwise_test.cpp. NaN gives NaN; the other special values are those of C.
#pragma once

#include "kernels/bodies/math_core.h"

namespace falconet::FALCONET_ISA {

namespace f32 {

// exp(x) = 2^n exp(r), r = x - n log(2), log(2) in two parts whose first times n is exact. At the bounds the result is
// already infinite or 0; they keep n in the range of `scale`, and let NaN pass.
FALCONET_INLINE VecF exp(VecF x) {
  x = min(VecF::broadcast(89.0f), max(VecF::broadcast(-104.0f), x));
  const VecF n = round(x * VecF::broadcast(1.44269504f));
  VecF r = fnma(n, VecF::broadcast(0.693145752f), x);
  r = fnma(n, VecF::broadcast(1.42860677e-6f), r);
  const VecF one = VecF::broadcast(1.0f);
  return scale(fma(fma(polynomial(kExp32, r), r, one), r, one), n);
}

FALCONET_INLINE VecF exp2(VecF x) {
  x = min(VecF::broadcast(129.0f), max(VecF::broadcast(-151.0f), x));
  const VecF n = round(x), r = x - n;
  return scale(fma(polynomial(kExpTwo32, r), r, VecF::broadcast(1.0f)), n);
}

// e = exp(-|x|) never overflows and keeps its digits for very negative x, where sigmoid(x) is about e.
FALCONET_INLINE VecF sigmoid(VecF x) {
  const VecF one = VecF::broadcast(1.0f), e = exp(-abs(x));
  return select(x < VecF::zero(), e, one) / (one + e);
}

// Near 0 a polynomial, whose relative error stays small there; elsewhere 1 - 2 / (exp(2 |x|) + 1).
FALCONET_INLINE VecF tanh(VecF x) {
  const VecF a = abs(x), one = VecF::broadcast(1.0f), square = x * x;
  const VecF far = one - VecF::broadcast(2.0f) / (exp(a + a) + one);
  const VecF near = fma(polynomial(kTanh32, square) * square, a, a);
  return flip_sign(select(a < VecF::broadcast(0.625f), near, far), x);
}

// log1p(e) = e h(e) keeps its digits where e is small, that is where softplus(x) is about exp(x).
FALCONET_INLINE VecF softplus(VecF x) {
  const VecF e = exp(-abs(x));
  return fma(e, polynomial(kLog1p32, e), max(x, VecF::zero()));
}

// Beyond 1 the part taken from 1 is small, so float32 does for it; beyond 4 the result rounds to 1.
FALCONET_INLINE VecF erf(VecF x) {
  const VecF a = abs(x), one = VecF::broadcast(1.0f), b = min(VecF::broadcast(4.0f), max(one, a));
  const VecF near = a * polynomial(kErf32, a * a);
  const VecF far = fnma(exp(-(b * b)), polynomial(kErfc32, b - VecF::broadcast(2.5f)), one);
  return flip_sign(select(a < one, near, far), x);
}

}  // namespace f32
}  // namespace falconet::FALCONET_ISA
