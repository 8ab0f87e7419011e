// Functions of one double that neither the C library has nor vectors speed up. NaN gives NaN.
#pragma once

#include <math.h>
#include <stdint.h>

#include "kernels/bodies/vec.h"

namespace falconet::FALCONET_ISA::scalar {

FALCONET_INLINE double fmod_of(double a, double b) { return ::fmod(a, b); }
FALCONET_INLINE float fmod_of(float a, float b) { return ::fmodf(a, b); }
FALCONET_INLINE double copysign_of(double a, double b) { return ::copysign(a, b); }
FALCONET_INLINE float copysign_of(float a, float b) { return ::copysignf(a, b); }
FALCONET_INLINE double floor_of(double a) { return ::floor(a); }
FALCONET_INLINE float floor_of(float a) { return ::floorf(a); }

// Python's and NumPy's pair: mod has the sign of b, and a = floor_div b + mod up to rounding. b = 0 gives a / b and
// NaN.
template <class T>
FALCONET_INLINE T mod(T a, T b) {
  const T r = fmod_of(a, b);
  if (b == 0) return r;
  if (r == 0) return copysign_of(T(0), b);
  return (b < 0) != (r < 0) ? r + b : r;
}
template <class T>
FALCONET_INLINE T floor_div(T a, T b) {
  if (b == 0) return a / b;
  const T r = fmod_of(a, b);
  // Exactly the quotient that goes with r, but for rounding; so the nearest integer below, or just above, is meant.
  T q = (a - r) / b;
  if (r != 0 && (b < 0) != (r < 0)) q -= 1;
  if (q == 0) return copysign_of(T(0), a / b);
  const T whole = floor_of(q);
  return q - whole > T(0.5) ? whole + 1 : whole;
}

FALCONET_INLINE double softplus(double x) { return (x > 0 ? x : 0.0) + ::log1p(::exp(-::fabs(x))); }

// The reentrant form where there is one: lgamma itself writes a global variable of the process.
FALCONET_INLINE double lgamma(double x) {
#if defined(__GLIBC__) || defined(__APPLE__)
  int sign;
  return ::lgamma_r(x, &sign);
#else
  return ::lgamma(x);
#endif
}

// Reflection for x < 0, the recurrence psi(x) = psi(x + 1) - 1 / x up to 10, and there the asymptotic series with the
// Bernoulli numbers B_2 / 2, B_4 / 4, ... (Abramowitz and Stegun 6.3.5, 6.3.7, 6.3.18); the first term left out is
// below 1e-17. Errors are a few 1e-16 of the largest term, so relative errors grow next to the zeros.
FALCONET_INLINE double digamma(double x) {
  if (x == 0) return ::copysign(INFINITY, -x);
  double y = 0;
  if (x < 0) {
    const double from_pole = x - ::nearbyint(x);  // exact
    if (!(from_pole != 0)) return NAN;            // a pole, or -infinity
    y = -3.14159265358979324 / ::tan(3.14159265358979324 * from_pole);
    x = 1 - x;
  }
  for (; x < 10; x += 1) y -= 1 / x;
  const double c[] = {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12};
  const double inverse = 1 / x, square = inverse * inverse;
  double sum = 0;
  for (int i = 6; i >= 0; --i) sum = (sum + c[i]) * square;
  return y + ::log(x) - 0.5 * inverse - sum;
}

// One step of Halley's method on erf(y) = x, or on the complement where that has more digits. `y` is within 1e-8 of it.
FALCONET_INLINE double refined_erfinv(double x, double y) {
  if (!(::fabs(x) < 1)) return y;
  const double a = ::fabs(x), z = ::fabs(y);
  const double excess = a < 0.5 ? ::erf(z) - a : (1 - a) - ::erfc(z);
  const double step = excess * 0.886226925452758014 * ::exp(z * z);
  return ::copysign(z - step / (1 + z * step), x);
}

}  // namespace falconet::FALCONET_ISA::scalar
