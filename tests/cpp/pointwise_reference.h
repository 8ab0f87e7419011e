// What each micro-operation means, value by value and as plainly as possible: the reference of the pointwise tests.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/philox.h"
#include "kernels/pointwise.h"

namespace reference {

using falconet::Micro;
using real = long double;  // double where the compiler has nothing longer

template <class Real>
Real digamma(Real x) {
  if (x == 0) return std::copysign(std::numeric_limits<Real>::infinity(), -x);
  if (x < 0 && x == std::floor(x)) return NAN;
  const Real pi = Real(3.14159265358979323846264338327950288L);
  if (x < 0) return digamma(1 - x) - pi / std::tan(pi * (x - std::nearbyint(x)));
  Real y = 0;
  for (; x < 40; x += 1) y -= 1 / x;
  const Real s = 1 / (x * x);
  const Real series = 1 / Real(12) - s * (1 / Real(120) - s * (1 / Real(252) - s * (1 / Real(240) - s / 132)));
  return y + std::log(x) - 1 / (2 * x) - s * series;
}

// Bisection and then Newton's method on erf or, towards the ends, erfc.
template <class Real>
Real erfinv(Real x) {
  const Real a = std::fabs(x), c = 1 - a;
  if (!(a < 1)) return a == 1 ? x * std::numeric_limits<Real>::infinity() : NAN;
  if (a < Real(1e-10L)) return x * Real(0.886226925452758013649083741670572591L);  // to 1e-21 of it
  Real low = 0, high = 8;
  for (int i = 0; i < 20; ++i) {
    const Real middle = (low + high) / 2;
    (std::erfc(middle) > c ? low : high) = middle;
  }
  Real y = (low + high) / 2;
  for (int i = 0; i < 6; ++i) {
    const Real excess = a < Real(0.5L) ? std::erf(y) - a : c - std::erfc(y);
    y -= excess * Real(0.886226925452758013649083741670572591L) * std::exp(y * y);
  }
  return std::copysign(y, x);
}

// Functions of one real variable; `known` is cleared where m is not one of them.
template <class Real>
Real function(Micro m, Real x, bool& known) {
  switch (m) {
    case Micro::cbrt:
      return std::cbrt(x);
    case Micro::exp:
      return std::exp(x);
    case Micro::exp2:
      return std::exp2(x);
    case Micro::expm1:
      return std::expm1(x);
    case Micro::log:
      return std::log(x);
    case Micro::log2:
      return std::log2(x);
    case Micro::log10:
      return std::log10(x);
    case Micro::log1p:
      return std::log1p(x);
    case Micro::sin:
      return std::sin(x);
    case Micro::cos:
      return std::cos(x);
    case Micro::tan:
      return std::tan(x);
    case Micro::asin:
      return std::asin(x);
    case Micro::acos:
      return std::acos(x);
    case Micro::atan:
      return std::atan(x);
    case Micro::sinh:
      return std::sinh(x);
    case Micro::cosh:
      return std::cosh(x);
    case Micro::tanh:
      return std::tanh(x);
    case Micro::asinh:
      return std::asinh(x);
    case Micro::acosh:
      return x < 1 ? Real(NAN) : std::acosh(x);
    case Micro::atanh:
      return std::atanh(x);
    case Micro::erf:
      return std::erf(x);
    case Micro::erfc:
      return std::erfc(x);
    case Micro::erfinv:
      return erfinv(x);
    case Micro::lgamma:
      return std::lgamma(x);
    case Micro::digamma:
      return digamma(x);
    case Micro::sigmoid:
      return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
    case Micro::softplus:
      return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x)));
    default:
      known = false;
      return 0;
  }
}
template <class Real>
Real function(Micro m, Real a, Real b, bool& known) {
  switch (m) {
    case Micro::pow:
      return std::pow(a, b);
    case Micro::hypot:
      return std::hypot(a, b);
    case Micro::atan2:
      return std::atan2(a, b);
    default:
      known = false;
      return 0;
  }
}

// `got` - `want` in units in the last place of T at `want`; 0 for two NaNs and where want rounds to got.
template <class T>
double ulps(T got, real want) {
  if (std::isnan(got) || std::isnan(want)) return std::isnan(got) && std::isnan(want) ? 0 : 1e30;
  if (got == static_cast<T>(want)) return 0;
  if (std::isinf(want)) return 1e30;
  int exponent;
  std::frexp(want, &exponent);
  const int digits = std::numeric_limits<T>::digits, least = std::numeric_limits<T>::min_exponent;
  const real unit = std::ldexp(real{1}, (exponent < least ? least : exponent) - digits);
  // An overflow counts from where it begins.
  const real limit = std::ldexp(real{1}, std::numeric_limits<T>::max_exponent);
  const real value = std::isinf(got) ? std::copysign(limit, static_cast<real>(got)) : static_cast<real>(got);
  return static_cast<double>(std::fabs(value - want) / unit);
}

template <class T>
T wrapped(std::make_unsigned_t<T> x) {
  return static_cast<T>(x);
}

template <class T>
T integer(Micro m, T a, T b, T c, bool& known) {
  using U = std::make_unsigned_t<T>;
  const U p = static_cast<U>(a), q = static_cast<U>(b), r = static_cast<U>(c);
  const int width = 8 * sizeof(T);
  const bool minus_one = std::is_signed_v<T> && b == static_cast<T>(-1), counts = q < static_cast<U>(width);
  switch (m) {
    case Micro::copy:
      return a;
    case Micro::add:
      return wrapped<T>(p + q);
    case Micro::sub:
      return wrapped<T>(p - q);
    case Micro::mul:
      return wrapped<T>(p * q);
    case Micro::muladd:
      return wrapped<T>(p * q + r);
    case Micro::mulsub:
      return wrapped<T>(p * q - r);
    case Micro::submul:
      return wrapped<T>(r - p * q);
    case Micro::addmul:
      return wrapped<T>((p + q) * r);
    case Micro::subsquare:
      return wrapped<T>((p - q) * (p - q));
    case Micro::neg:
      return wrapped<T>(U{0} - p);
    case Micro::abs:
      return a < 0 ? wrapped<T>(U{0} - p) : a;
    case Micro::sign:
      return a > 0 ? 1 : a < 0 ? static_cast<T>(-1) : 0;
    case Micro::square:
      return wrapped<T>(p * p);
    case Micro::minimum:
      return b < a ? b : a;
    case Micro::maximum:
      return b > a ? b : a;
    case Micro::fmod:
      return b == 0 || minus_one ? 0 : a % b;
    case Micro::mod:
      if (b == 0 || minus_one) return 0;
      return a % b != 0 && (a % b < 0) != (b < 0) ? a % b + b : a % b;
    case Micro::floor_div:
      if (b == 0) return 0;
      if (minus_one) return wrapped<T>(U{0} - p);
      return a % b != 0 && (a % b < 0) != (b < 0) ? a / b - 1 : a / b;
    case Micro::pow: {
      if (b < 0) return a == 1 ? 1 : a == static_cast<T>(-1) ? (q % 2 ? a : 1) : 0;
      U y = 1;
      for (int i = width - 1; i >= 0; --i) y = y * y * ((q >> i) & 1 ? p : 1);
      return wrapped<T>(y);
    }
    case Micro::bit_and:
      return a & b;
    case Micro::bit_or:
      return a | b;
    case Micro::bit_xor:
      return a ^ b;
    case Micro::bit_not:
      return ~a;
    case Micro::shift_left:
      return counts ? wrapped<T>(p << q) : 0;
    case Micro::shift_right:
      return counts ? a >> b : a < 0 ? static_cast<T>(-1) : 0;
    default:
      known = false;
      return 0;
  }
}

// Operations on floats whose result is defined to the bit (NaN payloads and signs excepted).
template <class T>
T exact(Micro m, T a, T b, T c, bool& known) {
  const bool nan = std::isnan(a) || std::isnan(b);
  volatile T product = a * b, sum = a + b, difference = a - b;  // each rounded: no contraction
  switch (m) {
    case Micro::copy:
      return a;
    case Micro::add:
      return a + b;
    case Micro::sub:
      return a - b;
    case Micro::mul:
      return a * b;
    case Micro::div:
      return a / b;
    case Micro::muladd:
      return product + c;
    case Micro::mulsub:
      return product - c;
    case Micro::submul:
      return c - product;
    case Micro::addmul:
      return sum * c;
    case Micro::subsquare:
      return difference * difference;
    case Micro::neg:
      return -a;
    case Micro::abs:
      return std::fabs(a);
    case Micro::sign:
      return std::isnan(a) ? a : a > 0 ? T(1) : a < 0 ? T(-1) : T(0);
    case Micro::square:
      return a * a;
    case Micro::minimum:
      return nan ? T(NAN) : std::fmin(a, b);
    case Micro::maximum:
      return nan ? T(NAN) : std::fmax(a, b);
    case Micro::fmin:
      return std::isnan(a) ? b : std::isnan(b) || a < b ? a : b;
    case Micro::fmax:
      return std::isnan(a) ? b : std::isnan(b) || a > b ? a : b;
    case Micro::sqrt:
      return std::sqrt(a);
    case Micro::rsqrt:
      return T(1) / std::sqrt(a);
    case Micro::reciprocal:
      return T(1) / a;
    case Micro::floor:
      return std::floor(a);
    case Micro::ceil:
      return std::ceil(a);
    case Micro::round:
      return std::nearbyint(a);
    case Micro::trunc:
      return std::trunc(a);
    case Micro::copysign:
      return std::copysign(a, b);
    case Micro::nextafter:
      return std::nextafter(a, b);
    case Micro::fmod:
      return std::fmod(a, b);
    case Micro::mod: {
      const T r = std::fmod(a, b);
      if (b == 0 || std::isnan(r)) return r;
      return r == 0 ? std::copysign(T(0), b) : std::signbit(r) != std::signbit(b) ? r + b : r;
    }
    default:
      known = false;
      return 0;
  }
}

template <class T>
bool truth(Micro m, T a, T b, bool& known) {
  switch (m) {
    case Micro::equal:
      return a == b;
    case Micro::not_equal:
      return a != b;
    case Micro::less:
      return a < b;
    case Micro::less_equal:
      return a <= b;
    default:
      break;
  }
  if constexpr (std::is_floating_point_v<T>) {
    switch (m) {
      case Micro::is_nan:
        return std::isnan(a);
      case Micro::is_inf:
        return std::isinf(a);
      case Micro::is_finite:
        return std::isfinite(a);
      case Micro::sign_bit:
        return std::signbit(a);
      default:
        break;
    }
  }
  known = false;
  return false;
}

inline uint32_t random_word(uint64_t key, uint64_t i) { return falconet::philox(key, i / 4).w[i % 4]; }
inline uint64_t random_word64(uint64_t key, uint64_t i) {
  return random_word(key, 2 * i) | uint64_t{random_word(key, 2 * i + 1)} << 32;
}

}  // namespace reference
