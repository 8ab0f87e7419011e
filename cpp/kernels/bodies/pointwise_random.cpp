// Generators: element i is a function of its index in the whole array and, for the random ones, of the key.
//
// The words of the stream of a key are those of base/philox.h, here for a register of blocks at a time. 32-bit lanes
// take word i, 64-bit lanes words 2 i (lower half) and 2 i + 1.
#include "base/philox.h"
#include "kernels/bodies/math_functions.h"
#include "kernels/bodies/math_wide.h"
#include "kernels/bodies/pointwise_body.h"

namespace falconet::FALCONET_ISA {
namespace {

// The words of blocks [block, block + VecL::width), in order: 4 a block, so two registers.
struct Words {
  VecL lo, hi;
};
FALCONET_INLINE Words random_words(uint64_t key, uint64_t block) {
  const VecL low = VecL::broadcast(0xFFFFFFFF), m0 = VecL::broadcast(0xD2511F53), m1 = VecL::broadcast(0xCD9E8D57);
  // Each lane holds a 32-bit word; what gathers above it is never used, since products take lower halves only.
  VecL c0 = VecL::broadcast(static_cast<int64_t>(block)) + VecL::iota(), c1 = shift_right_logical<32>(c0);
  VecL c2 = VecL::zero(), c3 = c2;
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const VecL p0 = multiply_low32(m0, c0), p1 = multiply_low32(m1, c2);
    c0 = shift_right_logical<32>(p1) ^ c1 ^ VecL::broadcast(k0);
    c2 = shift_right_logical<32>(p0) ^ c3 ^ VecL::broadcast(k1);
    c1 = p1;
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const VecL even = (c0 & low) | shift_left<32>(c1), odd = (c2 & low) | shift_left<32>(c3);
  return {interleave_lo(even, odd), interleave_hi(even, odd)};
}

// y[i] = O::f(bits of element index + i). Whole groups of blocks are stored at once; the ends go through a buffer.
template <class O, class T>
FALCONET_INLINE void generate(T* y, const void* a, int64_t n, int64_t index) {
  constexpr int64_t per_block = 16 / sizeof(T), group = 2 * Vec<T>::width;
  uint64_t key;
  memcpy(&key, a, sizeof(key));
  uint64_t block = static_cast<uint64_t>(index) / per_block;
  int64_t skip = index % per_block;
  for (int64_t i = 0; i < n; block += VecL::width) {
    const Words words = random_words(key, block);
    const Vec<T> lo = O::f(words.lo), hi = O::f(words.hi);
    if (skip == 0 && n - i >= group) {
      lo.store(y + i);
      hi.store(y + i + Vec<T>::width);
      i += group;
    } else {
      T made[group];
      lo.store(made);
      hi.store(made + Vec<T>::width);
      const int64_t count = group - skip < n - i ? group - skip : n - i;
      memcpy(y + i, made + skip, count * sizeof(T));
      i += count;
      skip = 0;
    }
  }
}

// sqrt(2) erfinv(x): the sign is the word's upper bit, and k, the other 31, gives |x| = 1 - c with c = (k + 1/2) /
// 2^31. Both x and c are made from k, so that each has all its digits where it is small; hence tails up to 6.2
// deviations.
FALCONET_INLINE VecF normal_of(VecI word) {
  const VecF half = VecF::broadcast(0.5f), unit = VecF::broadcast(0x1p-31f);
  const VecI most = VecI::broadcast(INT32_MAX), k = word & most;
  const VecF c = (to_float(k) + half) * unit, x = (to_float(k ^ most) + half) * unit;
  const VecF w = -functions::log(c * (VecF::broadcast(1.0f) + x));
  VecF factor = polynomial(kNormalCentre32, w - VecF::broadcast(2.5f));
  const Mask32 tail = w >= VecF::broadcast(5.0f);
  if (any(tail)) factor = select(tail, polynomial(kNormalTail32, sqrt(w) - VecF::broadcast(3.5f)), factor);
  return flip_sign(x * factor, as_float(word));
}
FALCONET_INLINE VecD normal_of(VecL word) {
  const VecD half = VecD::broadcast(0.5), unit = VecD::broadcast(0x1p-63);
  const VecL most = VecL::broadcast(INT64_MAX), k = word & most;
  const VecD c = (to_float(k) + half) * unit, x = (to_float(k ^ most) + half) * unit;
  return flip_sign(wide::erfinv_of(x, c) * VecD::broadcast(1.41421356237309505), as_float(word));
}

struct Uniform32 {
  static FALCONET_INLINE VecF f(VecL w) {
    return to_float(shift_right_logical<8>(as_int32(w))) * VecF::broadcast(0x1p-24f);
  }
};
struct Uniform64 {
  static FALCONET_INLINE VecD f(VecL w) { return to_float(shift_right_logical<11>(w)) * VecD::broadcast(0x1p-53); }
};
struct Normal32 {
  static FALCONET_INLINE VecF f(VecL w) { return normal_of(as_int32(w)); }
};
struct Normal64 {
  static FALCONET_INLINE VecD f(VecL w) { return normal_of(w); }
};
struct Bits32 {
  static FALCONET_INLINE VecI f(VecL w) { return as_int32(w); }
};
struct Bits64 {
  static FALCONET_INLINE VecL f(VecL w) { return w; }
};

template <class T>
FALCONET_INLINE void count_up(T* y, int64_t n, int64_t index) {
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(index + i);
}

}  // namespace

template <>
void micro<Micro::random_uniform, float>(void* y, const void* a, const void*, const void*, int64_t n, int64_t index) {
  generate<Uniform32>(static_cast<float*>(y), a, n, index);
}
template <>
void micro<Micro::random_uniform, double>(void* y, const void* a, const void*, const void*, int64_t n, int64_t index) {
  generate<Uniform64>(static_cast<double*>(y), a, n, index);
}
template <>
void micro<Micro::random_normal, float>(void* y, const void* a, const void*, const void*, int64_t n, int64_t index) {
  generate<Normal32>(static_cast<float*>(y), a, n, index);
}
template <>
void micro<Micro::random_normal, double>(void* y, const void* a, const void*, const void*, int64_t n, int64_t index) {
  generate<Normal64>(static_cast<double*>(y), a, n, index);
}
template <>
void micro<Micro::random_bits, int32_t>(void* y, const void* a, const void*, const void*, int64_t n, int64_t index) {
  generate<Bits32>(static_cast<int32_t*>(y), a, n, index);
}
template <>
void micro<Micro::random_bits, int64_t>(void* y, const void* a, const void*, const void*, int64_t n, int64_t index) {
  generate<Bits64>(static_cast<int64_t*>(y), a, n, index);
}
template <>
void micro<Micro::iota, float>(void* y, const void*, const void*, const void*, int64_t n, int64_t index) {
  count_up(static_cast<float*>(y), n, index);
}
template <>
void micro<Micro::iota, double>(void* y, const void*, const void*, const void*, int64_t n, int64_t index) {
  count_up(static_cast<double*>(y), n, index);
}
template <>
void micro<Micro::iota, int32_t>(void* y, const void*, const void*, const void*, int64_t n, int64_t index) {
  count_up(static_cast<int32_t*>(y), n, index);
}
template <>
void micro<Micro::iota, int64_t>(void* y, const void*, const void*, const void*, int64_t n, int64_t index) {
  count_up(static_cast<int64_t*>(y), n, index);
}

}  // namespace falconet::FALCONET_ISA
