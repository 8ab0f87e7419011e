// Micro-operations that give or take masks, and those on bits.
#include <math.h>

#include "kernels/bodies/pointwise_body.h"

namespace falconet::FALCONET_ISA {

template <class T>
struct Op<Micro::equal, T> : ByMask {
  static FALCONET_INLINE auto f(Vec<T> a, Vec<T> b) { return a == b; }
};
template <class T>
struct Op<Micro::not_equal, T> : ByMask {
  static FALCONET_INLINE auto f(Vec<T> a, Vec<T> b) { return a != b; }
};
template <class T>
struct Op<Micro::less, T> : ByMask {
  static FALCONET_INLINE auto f(Vec<T> a, Vec<T> b) { return a < b; }
};
template <class T>
struct Op<Micro::less_equal, T> : ByMask {
  static FALCONET_INLINE auto f(Vec<T> a, Vec<T> b) { return a <= b; }
};
template <>
struct Op<Micro::less, uint64_t> : ByTruth {
  static FALCONET_INLINE bool f(uint64_t a, uint64_t b) { return a < b; }
};
template <>
struct Op<Micro::less_equal, uint64_t> : ByTruth {
  static FALCONET_INLINE bool f(uint64_t a, uint64_t b) { return a <= b; }
};
template <class T>
struct Op<Micro::is_nan, T> : ByMask {
  static FALCONET_INLINE auto f(Vec<T> a) { return a != a; }
};
template <class T>
struct Op<Micro::is_inf, T> : ByMask {
  static FALCONET_INLINE auto f(Vec<T> a) { return abs(a) == Vec<T>::broadcast(T(INFINITY)); }
};
template <class T>
struct Op<Micro::is_finite, T> : ByMask {
  static FALCONET_INLINE auto f(Vec<T> a) { return abs(a) < Vec<T>::broadcast(T(INFINITY)); }
};
template <class T>
struct Op<Micro::sign_bit, T> : ByMask {
  static FALCONET_INLINE auto f(Vec<T> a) { return bits(a) < decltype(bits(a))::zero(); }
};

template <class T>
struct Op<Micro::bit_and, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return a & b; }
};
template <class T>
struct Op<Micro::bit_or, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return a | b; }
};
template <class T>
struct Op<Micro::bit_xor, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> b) { return a ^ b; }
};
template <class T>
struct Op<Micro::bit_not, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a) { return ~a; }
};
// A count outside [0, width) is replaced by one inside before shifting, where the result is not used.
template <class T>
struct Op<Micro::shift_left, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> k) {
    const Vec<T> kept = k & Vec<T>::broadcast(8 * sizeof(T) - 1);
    return select(k == kept, shift_left(a, kept), Vec<T>::zero());
  }
};
template <class T>
struct Op<Micro::shift_right, T> : ByVector {
  static FALCONET_INLINE Vec<T> f(Vec<T> a, Vec<T> k) {
    const Vec<T> most = Vec<T>::broadcast(8 * sizeof(T) - 1), kept = k & most;
    return shift_right(a, select(k == kept, k, most));
  }
};
template <>
struct Op<Micro::shift_right, uint64_t> : ByValue {
  static FALCONET_INLINE uint64_t f(uint64_t a, uint64_t k) { return k < 64 ? a >> k : 0; }
};

template <class T>
struct Op<Micro::select, T> : ByChoice {
  static FALCONET_INLINE Vec<T> f(typename Vec<T>::Mask m, Vec<T> b, Vec<T> c) { return select(m, b, c); }
};

FALCONET_MICRO_FS(equal)
FALCONET_MICRO_FS(not_equal)
FALCONET_MICRO_F(less)
FALCONET_MICRO_I(less)
FALCONET_MICRO_F(less_equal)
FALCONET_MICRO_I(less_equal)
FALCONET_MICRO_F(is_nan)
FALCONET_MICRO_F(is_inf)
FALCONET_MICRO_F(is_finite)
FALCONET_MICRO_F(sign_bit)
FALCONET_MICRO_S(bit_and)
FALCONET_MICRO_S(bit_or)
FALCONET_MICRO_S(bit_xor)
FALCONET_MICRO_S(bit_not)
FALCONET_MICRO_S(shift_left)
FALCONET_MICRO_I(shift_right)
FALCONET_MICRO_FS(select)

}  // namespace falconet::FALCONET_ISA
