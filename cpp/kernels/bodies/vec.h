// Vec<T>: one register of T (float, double, int32_t, int64_t) of the ISA that this file is compiled for, and Mask32 /
// Mask64: one truth value per lane. Kernels are written once against this; only the vec_<isa>.h files know intrinsics.
//
// What every ISA offers (T any of the four, F float or double with I the integer of the same size):
//   Vec<T>::width                       lanes; Vec<int32_t> has as many as Vec<float>, Vec<int64_t> as Vec<double>,
//                                       which has half of them
//   Vec<T>::load(p), v.store(p)         any alignment
//   Vec<T>::load_partial(p, n)          lanes [0, n), 0 <= n <= width; reads nothing else; the other lanes are 0
//   v.store_partial(p, n)               writes lanes [0, n) and nothing else
//   Vec<T>::broadcast(x), Vec<T>::zero(), Vec<T>::iota()   iota: lane j is j
//   a + b, a - b, a * b, -a             integers wrap
//   a / b, sqrt(a)                      F, correctly rounded
//   fma(a, b, c)                        F: a * b + c rounded once; on portable rounded twice. fnma: c - a * b
//   accumulate(c, a, b)                 F: c = fma(a, b, c) in the register that c is in
//   min(a, b) = a < b ? a : b, max(a, b) = a > b ? a : b      so the second operand where either is NaN or both are 0
//   abs(a)                              integers: the least one stays
//   a & b, a | b, a ^ b, ~a, and_not(a, b) = a & ~b           on the bits, F too
//   a == b, !=, <, <=, >, >=            Mask; F: != is true and the rest false where either is NaN
//   select(m, a, b)                     m ? a : b per lane; both sides are evaluated
//   round(a), floor(a), ceil(a), trunc(a)                     F; round: half to even. All keep the sign of zero
//   bits(F) -> I, as_float(I) -> F      the same bits
//   to_int(F) -> I                      truncates; defined for |x| < 2^31 (float) and |x| < 2^51 (double)
//   round_to_int(F) -> I                half to even; the same ranges
//   to_float(I) -> F                    rounded to nearest even
//   scale(a, n)                         Vec<float>: a * 2^n, rounded once, for integral n in [-250, 250]
//   shift_left<k>(I), shift_right<k>(I), shift_right_logical<k>(I), and the same names with a Vec of counts in
//                                       [0, bits of I)
//   reduce_add(v)                       lanes j and j + width / 2 are added, then j and j + width / 4, and so on
//   reduce_min(v), reduce_max(v)        the same tree
//   reduce_add_rows(v)                  F: v[0 .. width): lane i is reduce_add(v[i])
//   m & n, m | n, m ^ n, ~m, any(m), all(m)                   masks
//   lanes(Mask32) -> Vec<int32_t> of 0 / -1, lanes(Mask64) -> Vec<int64_t>
//   transpose(v)                        F: v[0 .. width), in place: lane j of v[i] becomes lane i of v[j]
//   widen_lo(v), widen_hi(v)            lower / upper half: Vec<float> -> Vec<double>, Vec<int32_t> -> Vec<int64_t>
//                                       (sign), Mask32 -> Mask64
//   narrow(lo, hi)                      two of twice the width: Vec<double> -> Vec<float> (rounded), Vec<int64_t> ->
//                                       Vec<int32_t> (wraps), Mask64 -> Mask32
//   as_int32(v)                         Vec<int64_t>: the same bits as lanes of 32, the lower half of each first
//   multiply_low32(a, b)                Vec<int64_t>: the product of the lower, unsigned 32 bits of each lane
//   interleave_lo(a, b), interleave_hi(a, b)                  Vec<int64_t>: a0 b0 a1 b1 ..., lower / upper halves
//   load_u16(p) -> Vec<int32_t>, store_u16(p, v)              width values of 16 bits; store keeps the lower bits
//   exponent(a), mantissa(a)            F: |a| = 2^exponent * mantissa, mantissa in [1, 2), denormals too. 0 has exponent
//                                       -infinity, infinity has infinity, both mantissa 1; a < 0 and NaN: mantissa NaN
//   kVectorRegisters                    how many there are
//   prefetch(p), prefetch_write(p)      asks for the cache line of p; any address is allowed
//   half_to_float(Vec<int32_t>), float_to_half(Vec<float>)    IEEE binary16 in the lower 16 bits; to nearest even
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER)
#define FALCONET_INLINE __forceinline
#else
#define FALCONET_INLINE inline __attribute__((always_inline))
#endif

// Before a loop over registers, whose count is a constant: an array of Vec stays in registers only where it is
// unrolled.
#if defined(__clang__)
#define FALCONET_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define FALCONET_UNROLL _Pragma("GCC unroll 32")
#else
#define FALCONET_UNROLL
#endif

namespace falconet::FALCONET_ISA {
template <class T>
struct Vec;
}

#if defined(FALCONET_ISA_avx512)
#include "kernels/bodies/vec_avx512.h"
#elif defined(FALCONET_ISA_avx2)
#include "kernels/bodies/vec_avx2.h"
#elif defined(FALCONET_ISA_neon)
#include "kernels/bodies/vec_neon.h"
#else
#include "kernels/bodies/vec_portable.h"
#endif

namespace falconet::FALCONET_ISA {

using VecF = Vec<float>;
using VecD = Vec<double>;
using VecI = Vec<int32_t>;
using VecL = Vec<int64_t>;

#if defined(_MSC_VER)
FALCONET_INLINE void prefetch(const void*) {}
FALCONET_INLINE void prefetch_write(void*) {}
#else
FALCONET_INLINE void prefetch(const void* p) { __builtin_prefetch(p); }
FALCONET_INLINE void prefetch_write(void* p) { __builtin_prefetch(p, 1); }
#endif

// What is the same everywhere, from the above.
template <class T>
FALCONET_INLINE Vec<T> and_not(Vec<T> a, Vec<T> b) {
  return a & ~b;
}
#if !defined(FALCONET_ISA_avx512)
template <class T>
struct Format;
template <>
struct Format<float> {
  using Int = int32_t;
  static constexpr int kMantissa = 23, kBias = 127;
  static constexpr float kSmallestNormal = 0x1p-126f, kUp = 0x1p24f;
};
template <>
struct Format<double> {
  using Int = int64_t;
  static constexpr int kMantissa = 52, kBias = 1023;
  static constexpr double kSmallestNormal = 0x1p-1022, kUp = 0x1p53;
};
template <class T>
FALCONET_INLINE Vec<T> exponent(Vec<T> a) {
  using F = Format<T>;
  a = abs(a);
  const auto denormal = a < Vec<T>::broadcast(F::kSmallestNormal);
  const auto up = select(denormal, Vec<T>::broadcast(T(F::kMantissa + 1)), Vec<T>::zero());
  const auto k = shift_right<F::kMantissa>(bits(select(denormal, a * Vec<T>::broadcast(F::kUp), a)));
  Vec<T> e = to_float(k - Vec<typename F::Int>::broadcast(F::kBias)) - up;
  e = select(a < Vec<T>::broadcast(T(INFINITY)), e, a);
  return select(a == Vec<T>::zero(), Vec<T>::broadcast(-T(INFINITY)), e);
}
template <class T>
FALCONET_INLINE Vec<T> mantissa(Vec<T> a) {
  using F = Format<T>;
  using I = Vec<typename F::Int>;
  const auto denormal = a < Vec<T>::broadcast(F::kSmallestNormal);
  const I lower = bits(select(denormal, a * Vec<T>::broadcast(F::kUp), a)) &
                  I::broadcast((typename F::Int{1} << F::kMantissa) - 1);
  const Vec<T> m = as_float(lower | bits(Vec<T>::broadcast(T(1))));
  return select(a >= Vec<T>::zero(), m, Vec<T>::broadcast(T(NAN)));
}
// In two steps, so that neither factor leaves the normal range. Adding 1.5 * 2^23 puts n into the lower bits.
FALCONET_INLINE VecF scale(VecF a, VecF n) {
  const VecF magic = VecF::broadcast(12582912.0f);
  const VecI k = bits(n + magic) - bits(magic), half = shift_right<1>(k), bias = VecI::broadcast(127);
  return a * as_float(shift_left<23>(half + bias)) * as_float(shift_left<23>(k - half + bias));
}
#endif
template <class T>
FALCONET_INLINE void accumulate(Vec<T>& c, Vec<T> a, Vec<T> b) {
  c = fma(a, b, c);
}
template <class T>
FALCONET_INLINE Vec<T>& operator+=(Vec<T>& a, Vec<T> b) {
  return a = a + b;
}

}  // namespace falconet::FALCONET_ISA
