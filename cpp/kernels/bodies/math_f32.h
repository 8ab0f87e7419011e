// float32 functions evaluated in float32: those that networks call most. Errors are the largest seen over all float32
// by tests/cpp/pointwise_test.cpp. NaN gives NaN; the other special values are those of C.
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

// log(x) = e log(2) + log(m), m in [sqrt(1/2), sqrt(2)): subtracting the bits of sqrt(1/2) leaves e in the exponent.
// log(2) in two parts whose first times e is exact.
FALCONET_INLINE VecF log(VecF x) {
  const VecF one = VecF::broadcast(1.0f), zero = VecF::zero(), infinity = VecF::broadcast(INFINITY);
  const Mask32 denormal = x < VecF::broadcast(1.17549435e-38f);
  const VecI i = bits(select(denormal, x * VecF::broadcast(8388608.0f), x)) - VecI::broadcast(0x3F3504F3);
  const VecF e = to_float(shift_right<23>(i)) - select(denormal, VecF::broadcast(23.0f), zero);
  const VecF f = as_float((i & VecI::broadcast(0x7FFFFF)) + VecI::broadcast(0x3F3504F3)) - one;
  const VecF square = f * f;
  VecF y = fma(e, VecF::broadcast(-2.12194440e-4f), square * f * polynomial(kLog32, f));
  y = fma(e, VecF::broadcast(0.693359375f), (y - VecF::broadcast(0.5f) * square) + f);
  y = select(x == infinity, x, y);
  y = select(x == zero, -infinity, y);
  return select(x >= zero, y, VecF::broadcast(NAN));
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
