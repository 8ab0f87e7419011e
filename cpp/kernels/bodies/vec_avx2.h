// Vec for AVX2, FMA and F16C: 8 lanes of 32 bits, 4 of 64. The contract is in vec.h. AVX2 lacks several operations on
// 64-bit integers; they are composed here.
#pragma once

#include <immintrin.h>

namespace falconet::FALCONET_ISA {

inline constexpr int kVectorRegisters = 16;

struct Mask32 {
  __m256i m;  // lanes of 0 or -1
};
struct Mask64 {
  __m256i m;
};
// Lanes [0, n) all ones: what masked loads take.
FALCONET_INLINE __m256i first_lanes32(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
FALCONET_INLINE __m256i first_lanes64(int n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

// Lanes [0, n), 0 <= n <= width, in pieces of halving size: a masked store takes 40 steps of microcode on AMD's Zen.
FALCONET_INLINE void store_first(float* p, __m256 v, int n) {
  if (n == 8) {
    _mm256_storeu_ps(p, v);
    return;
  }
  __m128 left = _mm256_castps256_ps128(v);
  if (n & 4) {
    _mm_storeu_ps(p, left);
    left = _mm256_extractf128_ps(v, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), left);
    left = _mm_movehl_ps(left, left);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, left);
}
FALCONET_INLINE void store_first(double* p, __m256d v, int n) {
  if (n == 4) {
    _mm256_storeu_pd(p, v);
    return;
  }
  __m128d left = _mm256_castpd256_pd128(v);
  if (n & 2) {
    _mm_storeu_pd(p, left);
    left = _mm256_extractf128_pd(v, 1);
    p += 2;
  }
  if (n & 1) _mm_store_sd(p, left);
}

template <>
struct Vec<float> {
  using Mask = Mask32;
  static constexpr int width = 8;
  __m256 v;
  static FALCONET_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static FALCONET_INLINE Vec load_partial(const float* p, int n) { return {_mm256_maskload_ps(p, first_lanes32(n))}; }
  static FALCONET_INLINE Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static FALCONET_INLINE Vec zero() { return {_mm256_setzero_ps()}; }
  static FALCONET_INLINE Vec iota() { return {_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7)}; }
  FALCONET_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  FALCONET_INLINE void store_partial(float* p, int n) const { store_first(p, v, n); }
};

template <>
struct Vec<double> {
  using Mask = Mask64;
  static constexpr int width = 4;
  __m256d v;
  static FALCONET_INLINE Vec load(const double* p) { return {_mm256_loadu_pd(p)}; }
  static FALCONET_INLINE Vec load_partial(const double* p, int n) { return {_mm256_maskload_pd(p, first_lanes64(n))}; }
  static FALCONET_INLINE Vec broadcast(double x) { return {_mm256_set1_pd(x)}; }
  static FALCONET_INLINE Vec zero() { return {_mm256_setzero_pd()}; }
  static FALCONET_INLINE Vec iota() { return {_mm256_setr_pd(0, 1, 2, 3)}; }
  FALCONET_INLINE void store(double* p) const { _mm256_storeu_pd(p, v); }
  FALCONET_INLINE void store_partial(double* p, int n) const { store_first(p, v, n); }
};

template <>
struct Vec<int32_t> {
  using Mask = Mask32;
  static constexpr int width = 8;
  __m256i v;
  static FALCONET_INLINE Vec load(const int32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  static FALCONET_INLINE Vec load_partial(const int32_t* p, int n) {
    return {_mm256_maskload_epi32(reinterpret_cast<const int*>(p), first_lanes32(n))};
  }
  static FALCONET_INLINE Vec broadcast(int32_t x) { return {_mm256_set1_epi32(x)}; }
  static FALCONET_INLINE Vec zero() { return {_mm256_setzero_si256()}; }
  static FALCONET_INLINE Vec iota() { return {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)}; }
  FALCONET_INLINE void store(int32_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  FALCONET_INLINE void store_partial(int32_t* p, int n) const {
    store_first(reinterpret_cast<float*>(p), _mm256_castsi256_ps(v), n);
  }
};

template <>
struct Vec<int64_t> {
  using Mask = Mask64;
  static constexpr int width = 4;
  __m256i v;
  static FALCONET_INLINE Vec load(const int64_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  static FALCONET_INLINE Vec load_partial(const int64_t* p, int n) {
    return {_mm256_maskload_epi64(reinterpret_cast<const long long*>(p), first_lanes64(n))};
  }
  static FALCONET_INLINE Vec broadcast(int64_t x) { return {_mm256_set1_epi64x(x)}; }
  static FALCONET_INLINE Vec zero() { return {_mm256_setzero_si256()}; }
  static FALCONET_INLINE Vec iota() { return {_mm256_setr_epi64x(0, 1, 2, 3)}; }
  FALCONET_INLINE void store(int64_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  FALCONET_INLINE void store_partial(int64_t* p, int n) const {
    store_first(reinterpret_cast<double*>(p), _mm256_castsi256_pd(v), n);
  }
};

// Masks.
FALCONET_INLINE __m256i all_ones() { return _mm256_set1_epi32(-1); }
FALCONET_INLINE Mask32 operator&(Mask32 a, Mask32 b) { return {_mm256_and_si256(a.m, b.m)}; }
FALCONET_INLINE Mask32 operator|(Mask32 a, Mask32 b) { return {_mm256_or_si256(a.m, b.m)}; }
FALCONET_INLINE Mask32 operator^(Mask32 a, Mask32 b) { return {_mm256_xor_si256(a.m, b.m)}; }
FALCONET_INLINE Mask32 operator~(Mask32 a) { return {_mm256_xor_si256(a.m, all_ones())}; }
FALCONET_INLINE bool any(Mask32 a) { return _mm256_movemask_epi8(a.m) != 0; }
FALCONET_INLINE bool all(Mask32 a) { return _mm256_movemask_epi8(a.m) == -1; }
FALCONET_INLINE Mask64 operator&(Mask64 a, Mask64 b) { return {_mm256_and_si256(a.m, b.m)}; }
FALCONET_INLINE Mask64 operator|(Mask64 a, Mask64 b) { return {_mm256_or_si256(a.m, b.m)}; }
FALCONET_INLINE Mask64 operator^(Mask64 a, Mask64 b) { return {_mm256_xor_si256(a.m, b.m)}; }
FALCONET_INLINE Mask64 operator~(Mask64 a) { return {_mm256_xor_si256(a.m, all_ones())}; }
FALCONET_INLINE bool any(Mask64 a) { return _mm256_movemask_epi8(a.m) != 0; }
FALCONET_INLINE bool all(Mask64 a) { return _mm256_movemask_epi8(a.m) == -1; }
FALCONET_INLINE Vec<int32_t> lanes(Mask32 a) { return {a.m}; }
FALCONET_INLINE Vec<int64_t> lanes(Mask64 a) { return {a.m}; }

// float.
FALCONET_INLINE Vec<float> operator+(Vec<float> a, Vec<float> b) { return {_mm256_add_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator-(Vec<float> a, Vec<float> b) { return {_mm256_sub_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator*(Vec<float> a, Vec<float> b) { return {_mm256_mul_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator/(Vec<float> a, Vec<float> b) { return {_mm256_div_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator&(Vec<float> a, Vec<float> b) { return {_mm256_and_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator|(Vec<float> a, Vec<float> b) { return {_mm256_or_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator^(Vec<float> a, Vec<float> b) { return {_mm256_xor_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator~(Vec<float> a) { return {_mm256_xor_ps(a.v, _mm256_castsi256_ps(all_ones()))}; }
FALCONET_INLINE Vec<float> operator-(Vec<float> a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }
FALCONET_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
FALCONET_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
FALCONET_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return {_mm256_min_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return {_mm256_max_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> sqrt(Vec<float> a) { return {_mm256_sqrt_ps(a.v)}; }
FALCONET_INLINE Vec<float> abs(Vec<float> a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
FALCONET_INLINE Vec<float> round(Vec<float> a) { return {_mm256_round_ps(a.v, 8)}; }
FALCONET_INLINE Vec<float> floor(Vec<float> a) { return {_mm256_round_ps(a.v, 9)}; }
FALCONET_INLINE Vec<float> ceil(Vec<float> a) { return {_mm256_round_ps(a.v, 10)}; }
FALCONET_INLINE Vec<float> trunc(Vec<float> a) { return {_mm256_round_ps(a.v, 11)}; }
template <int predicate>
FALCONET_INLINE Mask32 compare(Vec<float> a, Vec<float> b) {
  return {_mm256_castps_si256(_mm256_cmp_ps(a.v, b.v, predicate))};
}
FALCONET_INLINE Mask32 operator==(Vec<float> a, Vec<float> b) { return compare<_CMP_EQ_OQ>(a, b); }
FALCONET_INLINE Mask32 operator!=(Vec<float> a, Vec<float> b) { return compare<_CMP_NEQ_UQ>(a, b); }
FALCONET_INLINE Mask32 operator<(Vec<float> a, Vec<float> b) { return compare<_CMP_LT_OQ>(a, b); }
FALCONET_INLINE Mask32 operator<=(Vec<float> a, Vec<float> b) { return compare<_CMP_LE_OQ>(a, b); }
FALCONET_INLINE Mask32 operator>(Vec<float> a, Vec<float> b) { return compare<_CMP_GT_OQ>(a, b); }
FALCONET_INLINE Mask32 operator>=(Vec<float> a, Vec<float> b) { return compare<_CMP_GE_OQ>(a, b); }
FALCONET_INLINE Vec<float> select(Mask32 m, Vec<float> a, Vec<float> b) {
  return {_mm256_blendv_ps(b.v, a.v, _mm256_castsi256_ps(m.m))};
}
FALCONET_INLINE Vec<int32_t> bits(Vec<float> a) { return {_mm256_castps_si256(a.v)}; }
FALCONET_INLINE Vec<float> as_float(Vec<int32_t> a) { return {_mm256_castsi256_ps(a.v)}; }
FALCONET_INLINE Vec<int32_t> to_int(Vec<float> a) { return {_mm256_cvttps_epi32(a.v)}; }
FALCONET_INLINE Vec<int32_t> round_to_int(Vec<float> a) { return {_mm256_cvtps_epi32(a.v)}; }
FALCONET_INLINE Vec<float> to_float(Vec<int32_t> a) { return {_mm256_cvtepi32_ps(a.v)}; }

// double.
FALCONET_INLINE Vec<double> operator+(Vec<double> a, Vec<double> b) { return {_mm256_add_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator-(Vec<double> a, Vec<double> b) { return {_mm256_sub_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator*(Vec<double> a, Vec<double> b) { return {_mm256_mul_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator/(Vec<double> a, Vec<double> b) { return {_mm256_div_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator&(Vec<double> a, Vec<double> b) { return {_mm256_and_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator|(Vec<double> a, Vec<double> b) { return {_mm256_or_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator^(Vec<double> a, Vec<double> b) { return {_mm256_xor_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator~(Vec<double> a) { return {_mm256_xor_pd(a.v, _mm256_castsi256_pd(all_ones()))}; }
FALCONET_INLINE Vec<double> operator-(Vec<double> a) { return {_mm256_xor_pd(a.v, _mm256_set1_pd(-0.0))}; }
FALCONET_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm256_fmadd_pd(a.v, b.v, c.v)};
}
#if defined(__GNUC__) && !defined(__clang__)
// By name, so that c keeps its register: where 12 of 16 are accumulators, GCC moves them about through the stack.
FALCONET_INLINE void accumulate(Vec<float>& c, Vec<float> a, Vec<float> b) {
  __asm__("vfmadd231ps %2, %1, %0" : "+x"(c.v) : "x"(a.v), "x"(b.v));
}
FALCONET_INLINE void accumulate(Vec<double>& c, Vec<double> a, Vec<double> b) {
  __asm__("vfmadd231pd %2, %1, %0" : "+x"(c.v) : "x"(a.v), "x"(b.v));
}
#endif
FALCONET_INLINE Vec<double> fnma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm256_fnmadd_pd(a.v, b.v, c.v)};
}
FALCONET_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return {_mm256_min_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return {_mm256_max_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> sqrt(Vec<double> a) { return {_mm256_sqrt_pd(a.v)}; }
FALCONET_INLINE Vec<double> abs(Vec<double> a) { return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)}; }
FALCONET_INLINE Vec<double> round(Vec<double> a) { return {_mm256_round_pd(a.v, 8)}; }
FALCONET_INLINE Vec<double> floor(Vec<double> a) { return {_mm256_round_pd(a.v, 9)}; }
FALCONET_INLINE Vec<double> ceil(Vec<double> a) { return {_mm256_round_pd(a.v, 10)}; }
FALCONET_INLINE Vec<double> trunc(Vec<double> a) { return {_mm256_round_pd(a.v, 11)}; }
template <int predicate>
FALCONET_INLINE Mask64 compare(Vec<double> a, Vec<double> b) {
  return {_mm256_castpd_si256(_mm256_cmp_pd(a.v, b.v, predicate))};
}
FALCONET_INLINE Mask64 operator==(Vec<double> a, Vec<double> b) { return compare<_CMP_EQ_OQ>(a, b); }
FALCONET_INLINE Mask64 operator!=(Vec<double> a, Vec<double> b) { return compare<_CMP_NEQ_UQ>(a, b); }
FALCONET_INLINE Mask64 operator<(Vec<double> a, Vec<double> b) { return compare<_CMP_LT_OQ>(a, b); }
FALCONET_INLINE Mask64 operator<=(Vec<double> a, Vec<double> b) { return compare<_CMP_LE_OQ>(a, b); }
FALCONET_INLINE Mask64 operator>(Vec<double> a, Vec<double> b) { return compare<_CMP_GT_OQ>(a, b); }
FALCONET_INLINE Mask64 operator>=(Vec<double> a, Vec<double> b) { return compare<_CMP_GE_OQ>(a, b); }
FALCONET_INLINE Vec<double> select(Mask64 m, Vec<double> a, Vec<double> b) {
  return {_mm256_blendv_pd(b.v, a.v, _mm256_castsi256_pd(m.m))};
}
FALCONET_INLINE Vec<int64_t> bits(Vec<double> a) { return {_mm256_castpd_si256(a.v)}; }
FALCONET_INLINE Vec<double> as_float(Vec<int64_t> a) { return {_mm256_castsi256_pd(a.v)}; }
// 1.5 * 2^52 added leaves the integer, as two's complement, in the lower bits of the sum.
FALCONET_INLINE Vec<int64_t> round_to_int(Vec<double> a) {
  const __m256d magic = _mm256_set1_pd(6755399441055744.0);
  return {_mm256_sub_epi64(_mm256_castpd_si256(_mm256_add_pd(a.v, magic)), _mm256_castpd_si256(magic))};
}
FALCONET_INLINE Vec<int64_t> to_int(Vec<double> a) { return round_to_int(trunc(a)); }
// The halves are put into the fractions of doubles of known exponents, which are then taken off again: all exact but
// the last addition. The sign bit of the upper half is flipped, which adds 2^63.
FALCONET_INLINE Vec<double> to_float(Vec<int64_t> a) {
  const __m256i hi = _mm256_xor_si256(_mm256_srli_epi64(a.v, 32), _mm256_castpd_si256(_mm256_set1_pd(0x1p84 + 0x1p63)));
  const __m256i lo = _mm256_blend_epi32(a.v, _mm256_castpd_si256(_mm256_set1_pd(0x1p52)), 0xAA);
  const __m256d upper = _mm256_sub_pd(_mm256_castsi256_pd(hi), _mm256_set1_pd(0x1p84 + 0x1p63 + 0x1p52));
  return {_mm256_add_pd(upper, _mm256_castsi256_pd(lo))};
}
FALCONET_INLINE Vec<double> widen_lo(Vec<float> a) { return {_mm256_cvtps_pd(_mm256_castps256_ps128(a.v))}; }
FALCONET_INLINE Vec<double> widen_hi(Vec<float> a) { return {_mm256_cvtps_pd(_mm256_extractf128_ps(a.v, 1))}; }
FALCONET_INLINE Vec<float> narrow(Vec<double> lo, Vec<double> hi) {
  return {_mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(lo.v)), _mm256_cvtpd_ps(hi.v), 1)};
}

// int32.
FALCONET_INLINE Vec<int32_t> operator+(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_add_epi32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator-(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_sub_epi32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator*(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator&(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_and_si256(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator|(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_or_si256(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator^(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_xor_si256(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator~(Vec<int32_t> a) { return {_mm256_xor_si256(a.v, all_ones())}; }
FALCONET_INLINE Vec<int32_t> operator-(Vec<int32_t> a) { return {_mm256_sub_epi32(_mm256_setzero_si256(), a.v)}; }
FALCONET_INLINE Vec<int32_t> min(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_min_epi32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> max(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_max_epi32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> abs(Vec<int32_t> a) { return {_mm256_abs_epi32(a.v)}; }
FALCONET_INLINE Mask32 operator==(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_cmpeq_epi32(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator!=(Vec<int32_t> a, Vec<int32_t> b) { return ~(a == b); }
FALCONET_INLINE Mask32 operator>(Vec<int32_t> a, Vec<int32_t> b) { return {_mm256_cmpgt_epi32(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator<(Vec<int32_t> a, Vec<int32_t> b) { return b > a; }
FALCONET_INLINE Mask32 operator<=(Vec<int32_t> a, Vec<int32_t> b) { return ~(a > b); }
FALCONET_INLINE Mask32 operator>=(Vec<int32_t> a, Vec<int32_t> b) { return ~(b > a); }
FALCONET_INLINE Vec<int32_t> select(Mask32 m, Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm256_blendv_epi8(b.v, a.v, m.m)};
}
template <int k>
FALCONET_INLINE Vec<int32_t> shift_left(Vec<int32_t> a) {
  return {_mm256_slli_epi32(a.v, k)};
}
template <int k>
FALCONET_INLINE Vec<int32_t> shift_right(Vec<int32_t> a) {
  return {_mm256_srai_epi32(a.v, k)};
}
template <int k>
FALCONET_INLINE Vec<int32_t> shift_right_logical(Vec<int32_t> a) {
  return {_mm256_srli_epi32(a.v, k)};
}
FALCONET_INLINE Vec<int32_t> shift_left(Vec<int32_t> a, Vec<int32_t> k) { return {_mm256_sllv_epi32(a.v, k.v)}; }
FALCONET_INLINE Vec<int32_t> shift_right(Vec<int32_t> a, Vec<int32_t> k) { return {_mm256_srav_epi32(a.v, k.v)}; }
FALCONET_INLINE Vec<int32_t> shift_right_logical(Vec<int32_t> a, Vec<int32_t> k) {
  return {_mm256_srlv_epi32(a.v, k.v)};
}

// int64.
FALCONET_INLINE Vec<int64_t> operator+(Vec<int64_t> a, Vec<int64_t> b) { return {_mm256_add_epi64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator-(Vec<int64_t> a, Vec<int64_t> b) { return {_mm256_sub_epi64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator*(Vec<int64_t> a, Vec<int64_t> b) {
  const __m256i crossed = _mm256_mullo_epi32(a.v, _mm256_shuffle_epi32(b.v, 0xB1));
  const __m256i upper = _mm256_slli_epi64(_mm256_add_epi32(crossed, _mm256_srli_epi64(crossed, 32)), 32);
  return {_mm256_add_epi64(upper, _mm256_mul_epu32(a.v, b.v))};
}
FALCONET_INLINE Vec<int64_t> operator&(Vec<int64_t> a, Vec<int64_t> b) { return {_mm256_and_si256(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator|(Vec<int64_t> a, Vec<int64_t> b) { return {_mm256_or_si256(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator^(Vec<int64_t> a, Vec<int64_t> b) { return {_mm256_xor_si256(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator~(Vec<int64_t> a) { return {_mm256_xor_si256(a.v, all_ones())}; }
FALCONET_INLINE Vec<int64_t> operator-(Vec<int64_t> a) { return {_mm256_sub_epi64(_mm256_setzero_si256(), a.v)}; }
FALCONET_INLINE Mask64 operator==(Vec<int64_t> a, Vec<int64_t> b) { return {_mm256_cmpeq_epi64(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator!=(Vec<int64_t> a, Vec<int64_t> b) { return ~(a == b); }
FALCONET_INLINE Mask64 operator>(Vec<int64_t> a, Vec<int64_t> b) { return {_mm256_cmpgt_epi64(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator<(Vec<int64_t> a, Vec<int64_t> b) { return b > a; }
FALCONET_INLINE Mask64 operator<=(Vec<int64_t> a, Vec<int64_t> b) { return ~(a > b); }
FALCONET_INLINE Mask64 operator>=(Vec<int64_t> a, Vec<int64_t> b) { return ~(b > a); }
FALCONET_INLINE Vec<int64_t> select(Mask64 m, Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_blendv_epi8(b.v, a.v, m.m)};
}
FALCONET_INLINE Vec<int64_t> min(Vec<int64_t> a, Vec<int64_t> b) { return select(a < b, a, b); }
FALCONET_INLINE Vec<int64_t> max(Vec<int64_t> a, Vec<int64_t> b) { return select(a > b, a, b); }
FALCONET_INLINE Vec<int64_t> abs(Vec<int64_t> a) { return select(a < Vec<int64_t>::zero(), -a, a); }
template <int k>
FALCONET_INLINE Vec<int64_t> shift_left(Vec<int64_t> a) {
  return {_mm256_slli_epi64(a.v, k)};
}
template <int k>
FALCONET_INLINE Vec<int64_t> shift_right_logical(Vec<int64_t> a) {
  return {_mm256_srli_epi64(a.v, k)};
}
// Arithmetic shifts: of ~a where a is negative, and complemented again.
template <int k>
FALCONET_INLINE Vec<int64_t> shift_right(Vec<int64_t> a) {
  const Vec<int64_t> sign = lanes(a < Vec<int64_t>::zero());
  return shift_right_logical<k>(a ^ sign) ^ sign;
}
FALCONET_INLINE Vec<int64_t> shift_left(Vec<int64_t> a, Vec<int64_t> k) { return {_mm256_sllv_epi64(a.v, k.v)}; }
FALCONET_INLINE Vec<int64_t> shift_right_logical(Vec<int64_t> a, Vec<int64_t> k) {
  return {_mm256_srlv_epi64(a.v, k.v)};
}
FALCONET_INLINE Vec<int64_t> shift_right(Vec<int64_t> a, Vec<int64_t> k) {
  const Vec<int64_t> sign = lanes(a < Vec<int64_t>::zero());
  return shift_right_logical(a ^ sign, k) ^ sign;
}
FALCONET_INLINE Vec<int64_t> widen_lo(Vec<int32_t> a) { return {_mm256_cvtepi32_epi64(_mm256_castsi256_si128(a.v))}; }
FALCONET_INLINE Vec<int64_t> widen_hi(Vec<int32_t> a) {
  return {_mm256_cvtepi32_epi64(_mm256_extracti128_si256(a.v, 1))};
}
FALCONET_INLINE Vec<int32_t> narrow(Vec<int64_t> lo, Vec<int64_t> hi) {
  const __m256 even = _mm256_shuffle_ps(_mm256_castsi256_ps(lo.v), _mm256_castsi256_ps(hi.v), 0x88);
  return {_mm256_permute4x64_epi64(_mm256_castps_si256(even), 0xD8)};
}
FALCONET_INLINE Mask64 widen_lo(Mask32 a) { return {widen_lo(lanes(a)).v}; }
FALCONET_INLINE Mask64 widen_hi(Mask32 a) { return {widen_hi(lanes(a)).v}; }
FALCONET_INLINE Mask32 narrow(Mask64 lo, Mask64 hi) { return {narrow(lanes(lo), lanes(hi)).v}; }
FALCONET_INLINE Vec<int64_t> multiply_low32(Vec<int64_t> a, Vec<int64_t> b) { return {_mm256_mul_epu32(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> interleave_lo(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_permute2x128_si256(_mm256_unpacklo_epi64(a.v, b.v), _mm256_unpackhi_epi64(a.v, b.v), 0x20)};
}
FALCONET_INLINE Vec<int64_t> interleave_hi(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm256_permute2x128_si256(_mm256_unpacklo_epi64(a.v, b.v), _mm256_unpackhi_epi64(a.v, b.v), 0x31)};
}
FALCONET_INLINE Vec<int32_t> as_int32(Vec<int64_t> a) { return {a.v}; }

// Storage of 16 bits.
FALCONET_INLINE __m128i lower16(Vec<int32_t> a) {
  const __m256i kept = _mm256_and_si256(a.v, _mm256_set1_epi32(0xFFFF));
  return _mm_packus_epi32(_mm256_castsi256_si128(kept), _mm256_extracti128_si256(kept, 1));
}
FALCONET_INLINE Vec<int32_t> load_u16(const uint16_t* p) {
  return {_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
FALCONET_INLINE void store_u16(uint16_t* p, Vec<int32_t> a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), lower16(a));
}
FALCONET_INLINE Vec<float> half_to_float(Vec<int32_t> a) { return {_mm256_cvtph_ps(lower16(a))}; }
FALCONET_INLINE Vec<int32_t> float_to_half(Vec<float> a) {
  return {_mm256_cvtepu16_epi32(_mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT))};
}

// Reductions: halves, then quarters, and so on.
FALCONET_INLINE float reduce_add(Vec<float> a) {
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
FALCONET_INLINE float reduce_min(Vec<float> a) {
  __m128 q = _mm_min_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  q = _mm_min_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_min_ss(q, _mm_movehdup_ps(q)));
}
FALCONET_INLINE float reduce_max(Vec<float> a) {
  __m128 q = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  q = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}
FALCONET_INLINE double reduce_add(Vec<double> a) {
  const __m128d q = _mm_add_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(q, _mm_unpackhi_pd(q, q)));
}
FALCONET_INLINE double reduce_min(Vec<double> a) {
  const __m128d q = _mm_min_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_min_sd(q, _mm_unpackhi_pd(q, q)));
}
FALCONET_INLINE double reduce_max(Vec<double> a) {
  const __m128d q = _mm_max_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_max_sd(q, _mm_unpackhi_pd(q, q)));
}
FALCONET_INLINE int32_t reduce_add(Vec<int32_t> a) {
  __m128i q = _mm_add_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  q = _mm_add_epi32(q, _mm_shuffle_epi32(q, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(q, _mm_shuffle_epi32(q, 0xB1)));
}
FALCONET_INLINE int32_t reduce_min(Vec<int32_t> a) {
  __m128i q = _mm_min_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  q = _mm_min_epi32(q, _mm_shuffle_epi32(q, 0x4E));
  return _mm_cvtsi128_si32(_mm_min_epi32(q, _mm_shuffle_epi32(q, 0xB1)));
}
FALCONET_INLINE int32_t reduce_max(Vec<int32_t> a) {
  __m128i q = _mm_max_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  q = _mm_max_epi32(q, _mm_shuffle_epi32(q, 0x4E));
  return _mm_cvtsi128_si32(_mm_max_epi32(q, _mm_shuffle_epi32(q, 0xB1)));
}
// Integers of 64 bits leave through memory: rare, and any order gives the same bits.
FALCONET_INLINE int64_t reduce_add(Vec<int64_t> a) {
  int64_t x[4];
  a.store(x);
  return static_cast<int64_t>((static_cast<uint64_t>(x[0]) + static_cast<uint64_t>(x[2])) +
                              (static_cast<uint64_t>(x[1]) + static_cast<uint64_t>(x[3])));
}
FALCONET_INLINE int64_t reduce_min(Vec<int64_t> a) {
  int64_t x[4];
  a.store(x);
  const int64_t p = x[0] < x[2] ? x[0] : x[2], q = x[1] < x[3] ? x[1] : x[3];
  return p < q ? p : q;
}
FALCONET_INLINE int64_t reduce_max(Vec<int64_t> a) {
  int64_t x[4];
  a.store(x);
  const int64_t p = x[0] > x[2] ? x[0] : x[2], q = x[1] > x[3] ? x[1] : x[3];
  return p > q ? p : q;
}

// Transposes: 2 x 2 blocks, then 4 x 4, then whole 128-bit lanes.
FALCONET_INLINE void transpose(Vec<float>* x) {
  __m256 s[8], t[8];
  FALCONET_UNROLL
  for (int i = 0; i < 8; i += 2) {
    s[i] = _mm256_unpacklo_ps(x[i].v, x[i + 1].v);
    s[i + 1] = _mm256_unpackhi_ps(x[i].v, x[i + 1].v);
  }
  FALCONET_UNROLL
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; ++j) {
      const __m256d a = _mm256_castps_pd(s[i + j]), b = _mm256_castps_pd(s[i + j + 2]);
      t[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
      t[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    }
  }
  FALCONET_UNROLL
  for (int j = 0; j < 4; ++j) {
    x[j].v = _mm256_permute2f128_ps(t[j], t[4 + j], 0x20);
    x[4 + j].v = _mm256_permute2f128_ps(t[j], t[4 + j], 0x31);
  }
}
FALCONET_INLINE void transpose(Vec<double>* x) {
  const __m256d a = _mm256_unpacklo_pd(x[0].v, x[1].v), b = _mm256_unpackhi_pd(x[0].v, x[1].v);
  const __m256d c = _mm256_unpacklo_pd(x[2].v, x[3].v), d = _mm256_unpackhi_pd(x[2].v, x[3].v);
  x[0].v = _mm256_permute2f128_pd(a, c, 0x20);
  x[1].v = _mm256_permute2f128_pd(b, d, 0x20);
  x[2].v = _mm256_permute2f128_pd(a, c, 0x31);
  x[3].v = _mm256_permute2f128_pd(b, d, 0x31);
}

// Each step halves two registers at once; the pairs are chosen so that the rows come out in order.
FALCONET_INLINE Vec<float> reduce_add_rows(const Vec<float>* x) {
  const auto quarters = [](__m256 u, __m256 v) {
    return _mm256_add_ps(_mm256_permute2f128_ps(u, v, 0x20), _mm256_permute2f128_ps(u, v, 0x31));
  };
  const auto pairs = [](__m256 u, __m256 v) {
    const __m256d a = _mm256_castps_pd(u), b = _mm256_castps_pd(v);
    return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(a, b)), _mm256_castpd_ps(_mm256_unpackhi_pd(a, b)));
  };
  const __m256 a = pairs(quarters(x[0].v, x[4].v), quarters(x[1].v, x[5].v));
  const __m256 b = pairs(quarters(x[2].v, x[6].v), quarters(x[3].v, x[7].v));
  return {_mm256_add_ps(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xDD))};
}
FALCONET_INLINE Vec<double> reduce_add_rows(const Vec<double>* x) {
  const auto pairs = [](__m256d u, __m256d v) {
    return _mm256_add_pd(_mm256_permute2f128_pd(u, v, 0x20), _mm256_permute2f128_pd(u, v, 0x31));
  };
  const __m256d a = pairs(x[0].v, x[2].v), b = pairs(x[1].v, x[3].v);
  return {_mm256_add_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b))};
}

}  // namespace falconet::FALCONET_ISA
