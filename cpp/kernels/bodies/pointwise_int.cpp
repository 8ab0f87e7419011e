// Micro-operations of integers that have no vector instruction: division and powers, value by value; and the order of
// unsigned lanes. Nothing overflows: products wrap in unsigned arithmetic, and division by -1 is a negation.
#include "kernels/bodies/pointwise_body.h"

namespace falconet::FALCONET_ISA {
namespace {

template <class T>
struct UnsignedOf {
  using Type = uint64_t;
};
template <>
struct UnsignedOf<int32_t> {
  using Type = uint32_t;
};
template <class T>
using Unsigned = typename UnsignedOf<T>::Type;
template <class T>
inline constexpr bool kSigned = T(-1) < T(0);

template <class T>
FALCONET_INLINE T negated(T a) {
  return static_cast<T>(Unsigned<T>{0} - static_cast<Unsigned<T>>(a));
}
// b is neither 0 nor -1 where these divide.
template <class T>
FALCONET_INLINE bool divides_trivially(T b) {
  return b == 0 || (kSigned<T> && b == static_cast<T>(-1));
}

}  // namespace

template <class T>
struct Op<Micro::floor_div, T> : ByValue {
  static FALCONET_INLINE T f(T a, T b) {
    if (divides_trivially(b)) return b == 0 ? 0 : negated(a);
    const T q = a / b;
    return static_cast<T>(q - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0));
  }
};
template <class T>
struct Op<Micro::mod, T> : ByValue {
  static FALCONET_INLINE T f(T a, T b) {
    if (divides_trivially(b)) return 0;
    const T r = a % b;
    return static_cast<T>(r + (r != 0 && (r < 0) != (b < 0) ? b : 0));
  }
};
template <class T>
struct Op<Micro::fmod, T> : ByValue {
  static FALCONET_INLINE T f(T a, T b) { return divides_trivially(b) ? 0 : a % b; }
};
// By squaring: one multiplication per bit of the exponent and one per bit that is set.
template <class T>
struct Op<Micro::pow, T> : ByValue {
  static FALCONET_INLINE T f(T a, T b) {
    if (b < 0) return a == 1 ? 1 : a == static_cast<T>(-1) ? (b & 1 ? a : 1) : 0;
    using U = Unsigned<T>;
    U base = static_cast<U>(a), y = 1;
    for (U e = static_cast<U>(b); e != 0; e >>= 1) {
      if (e & 1) y *= base;
      base *= base;
    }
    return static_cast<T>(y);
  }
};

template <>
struct Op<Micro::abs, uint64_t> : ByValue {
  static FALCONET_INLINE uint64_t f(uint64_t a) { return a; }
};
template <>
struct Op<Micro::sign, uint64_t> : ByValue {
  static FALCONET_INLINE uint64_t f(uint64_t a) { return a != 0; }
};
template <>
struct Op<Micro::minimum, uint64_t> : ByValue {
  static FALCONET_INLINE uint64_t f(uint64_t a, uint64_t b) { return a < b ? a : b; }
};
template <>
struct Op<Micro::maximum, uint64_t> : ByValue {
  static FALCONET_INLINE uint64_t f(uint64_t a, uint64_t b) { return a > b ? a : b; }
};

FALCONET_MICRO_I(floor_div)
FALCONET_MICRO_I(mod)
FALCONET_MICRO_I(fmod)
FALCONET_MICRO_I(pow)
FALCONET_MICRO(abs, uint64_t)
FALCONET_MICRO(sign, uint64_t)
FALCONET_MICRO(minimum, uint64_t)
FALCONET_MICRO(maximum, uint64_t)

}  // namespace falconet::FALCONET_ISA
