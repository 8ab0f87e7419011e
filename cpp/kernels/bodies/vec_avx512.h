// Vec for AVX-512 F, BW, CD, DQ, VL: 16 lanes of 32 bits, 8 of 64. The contract is in vec.h.
#pragma once

// GCC 11 and 12 take their own headers' deliberately undefined operands for mistakes.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif

namespace falconet::FALCONET_ISA {

inline constexpr int kVectorRegisters = 32;

struct Mask32 {
  __mmask16 m;
};
struct Mask64 {
  __mmask8 m;
};

template <>
struct Vec<float> {
  using Mask = Mask32;
  static constexpr int width = 16;
  __m512 v;
  static FALCONET_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static FALCONET_INLINE Vec load_partial(const float* p, int n) {
    return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p)};
  }
  static FALCONET_INLINE Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static FALCONET_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
  static FALCONET_INLINE Vec iota() { return {_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)}; }
  FALCONET_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  FALCONET_INLINE void store_partial(float* p, int n) const {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
  }
};

template <>
struct Vec<double> {
  using Mask = Mask64;
  static constexpr int width = 8;
  __m512d v;
  static FALCONET_INLINE Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static FALCONET_INLINE Vec load_partial(const double* p, int n) {
    return {_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p)};
  }
  static FALCONET_INLINE Vec broadcast(double x) { return {_mm512_set1_pd(x)}; }
  static FALCONET_INLINE Vec zero() { return {_mm512_setzero_pd()}; }
  static FALCONET_INLINE Vec iota() { return {_mm512_setr_pd(0, 1, 2, 3, 4, 5, 6, 7)}; }
  FALCONET_INLINE void store(double* p) const { _mm512_storeu_pd(p, v); }
  FALCONET_INLINE void store_partial(double* p, int n) const {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v);
  }
};

template <>
struct Vec<int32_t> {
  using Mask = Mask32;
  static constexpr int width = 16;
  __m512i v;
  static FALCONET_INLINE Vec load(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
  static FALCONET_INLINE Vec load_partial(const int32_t* p, int n) {
    return {_mm512_maskz_loadu_epi32(static_cast<__mmask16>((1u << n) - 1), p)};
  }
  static FALCONET_INLINE Vec broadcast(int32_t x) { return {_mm512_set1_epi32(x)}; }
  static FALCONET_INLINE Vec zero() { return {_mm512_setzero_si512()}; }
  static FALCONET_INLINE Vec iota() {
    return {_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)};
  }
  FALCONET_INLINE void store(int32_t* p) const { _mm512_storeu_si512(p, v); }
  FALCONET_INLINE void store_partial(int32_t* p, int n) const {
    _mm512_mask_storeu_epi32(p, static_cast<__mmask16>((1u << n) - 1), v);
  }
};

template <>
struct Vec<int64_t> {
  using Mask = Mask64;
  static constexpr int width = 8;
  __m512i v;
  static FALCONET_INLINE Vec load(const int64_t* p) { return {_mm512_loadu_si512(p)}; }
  static FALCONET_INLINE Vec load_partial(const int64_t* p, int n) {
    return {_mm512_maskz_loadu_epi64(static_cast<__mmask8>((1u << n) - 1), p)};
  }
  static FALCONET_INLINE Vec broadcast(int64_t x) { return {_mm512_set1_epi64(x)}; }
  static FALCONET_INLINE Vec zero() { return {_mm512_setzero_si512()}; }
  static FALCONET_INLINE Vec iota() { return {_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7)}; }
  FALCONET_INLINE void store(int64_t* p) const { _mm512_storeu_si512(p, v); }
  FALCONET_INLINE void store_partial(int64_t* p, int n) const {
    _mm512_mask_storeu_epi64(p, static_cast<__mmask8>((1u << n) - 1), v);
  }
};

// Masks.
FALCONET_INLINE Mask32 operator&(Mask32 a, Mask32 b) { return {static_cast<__mmask16>(a.m & b.m)}; }
FALCONET_INLINE Mask32 operator|(Mask32 a, Mask32 b) { return {static_cast<__mmask16>(a.m | b.m)}; }
FALCONET_INLINE Mask32 operator^(Mask32 a, Mask32 b) { return {static_cast<__mmask16>(a.m ^ b.m)}; }
FALCONET_INLINE Mask32 operator~(Mask32 a) { return {static_cast<__mmask16>(~a.m)}; }
FALCONET_INLINE bool any(Mask32 a) { return a.m != 0; }
FALCONET_INLINE bool all(Mask32 a) { return a.m == 0xFFFF; }
FALCONET_INLINE Mask64 operator&(Mask64 a, Mask64 b) { return {static_cast<__mmask8>(a.m & b.m)}; }
FALCONET_INLINE Mask64 operator|(Mask64 a, Mask64 b) { return {static_cast<__mmask8>(a.m | b.m)}; }
FALCONET_INLINE Mask64 operator^(Mask64 a, Mask64 b) { return {static_cast<__mmask8>(a.m ^ b.m)}; }
FALCONET_INLINE Mask64 operator~(Mask64 a) { return {static_cast<__mmask8>(~a.m)}; }
FALCONET_INLINE bool any(Mask64 a) { return a.m != 0; }
FALCONET_INLINE bool all(Mask64 a) { return a.m == 0xFF; }
FALCONET_INLINE Vec<int32_t> lanes(Mask32 a) { return {_mm512_movm_epi32(a.m)}; }
FALCONET_INLINE Vec<int64_t> lanes(Mask64 a) { return {_mm512_movm_epi64(a.m)}; }
FALCONET_INLINE Mask64 widen_lo(Mask32 a) { return {static_cast<__mmask8>(a.m)}; }
FALCONET_INLINE Mask64 widen_hi(Mask32 a) { return {static_cast<__mmask8>(a.m >> 8)}; }
FALCONET_INLINE Mask32 narrow(Mask64 lo, Mask64 hi) { return {static_cast<__mmask16>(lo.m | (hi.m << 8))}; }

// float.
FALCONET_INLINE Vec<float> operator+(Vec<float> a, Vec<float> b) { return {_mm512_add_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator-(Vec<float> a, Vec<float> b) { return {_mm512_sub_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator*(Vec<float> a, Vec<float> b) { return {_mm512_mul_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator/(Vec<float> a, Vec<float> b) { return {_mm512_div_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator&(Vec<float> a, Vec<float> b) { return {_mm512_and_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator|(Vec<float> a, Vec<float> b) { return {_mm512_or_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator^(Vec<float> a, Vec<float> b) { return {_mm512_xor_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator~(Vec<float> a) {
  return {_mm512_xor_ps(a.v, _mm512_castsi512_ps(_mm512_set1_epi32(-1)))};
}
FALCONET_INLINE Vec<float> operator-(Vec<float> a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
FALCONET_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
FALCONET_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
FALCONET_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return {_mm512_min_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return {_mm512_max_ps(a.v, b.v)}; }
FALCONET_INLINE Vec<float> sqrt(Vec<float> a) { return {_mm512_sqrt_ps(a.v)}; }
FALCONET_INLINE Vec<float> abs(Vec<float> a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
FALCONET_INLINE Vec<float> round(Vec<float> a) { return {_mm512_roundscale_ps(a.v, 8)}; }
FALCONET_INLINE Vec<float> floor(Vec<float> a) { return {_mm512_roundscale_ps(a.v, 9)}; }
FALCONET_INLINE Vec<float> ceil(Vec<float> a) { return {_mm512_roundscale_ps(a.v, 10)}; }
FALCONET_INLINE Vec<float> trunc(Vec<float> a) { return {_mm512_roundscale_ps(a.v, 11)}; }
FALCONET_INLINE Mask32 operator==(Vec<float> a, Vec<float> b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
FALCONET_INLINE Mask32 operator!=(Vec<float> a, Vec<float> b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
FALCONET_INLINE Mask32 operator<(Vec<float> a, Vec<float> b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
FALCONET_INLINE Mask32 operator<=(Vec<float> a, Vec<float> b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
FALCONET_INLINE Mask32 operator>(Vec<float> a, Vec<float> b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
FALCONET_INLINE Mask32 operator>=(Vec<float> a, Vec<float> b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
FALCONET_INLINE Vec<float> select(Mask32 m, Vec<float> a, Vec<float> b) {
  return {_mm512_mask_blend_ps(m.m, b.v, a.v)};
}
FALCONET_INLINE Vec<int32_t> bits(Vec<float> a) { return {_mm512_castps_si512(a.v)}; }
FALCONET_INLINE Vec<float> as_float(Vec<int32_t> a) { return {_mm512_castsi512_ps(a.v)}; }
FALCONET_INLINE Vec<int32_t> to_int(Vec<float> a) { return {_mm512_cvttps_epi32(a.v)}; }
FALCONET_INLINE Vec<int32_t> round_to_int(Vec<float> a) { return {_mm512_cvtps_epi32(a.v)}; }
FALCONET_INLINE Vec<float> to_float(Vec<int32_t> a) { return {_mm512_cvtepi32_ps(a.v)}; }
FALCONET_INLINE Vec<float> scale(Vec<float> a, Vec<float> n) { return {_mm512_scalef_ps(a.v, n.v)}; }
FALCONET_INLINE Vec<float> exponent(Vec<float> a) { return {_mm512_getexp_ps(a.v)}; }
FALCONET_INLINE Vec<float> mantissa(Vec<float> a) {
  return {_mm512_getmant_ps(a.v, _MM_MANT_NORM_1_2, static_cast<_MM_MANTISSA_SIGN_ENUM>(_MM_MANT_SIGN_nan | _MM_MANT_SIGN_zero))};
}
FALCONET_INLINE Vec<double> exponent(Vec<double> a) { return {_mm512_getexp_pd(a.v)}; }
FALCONET_INLINE Vec<double> mantissa(Vec<double> a) {
  return {_mm512_getmant_pd(a.v, _MM_MANT_NORM_1_2, static_cast<_MM_MANTISSA_SIGN_ENUM>(_MM_MANT_SIGN_nan | _MM_MANT_SIGN_zero))};
}

// double.
FALCONET_INLINE Vec<double> operator+(Vec<double> a, Vec<double> b) { return {_mm512_add_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator-(Vec<double> a, Vec<double> b) { return {_mm512_sub_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator*(Vec<double> a, Vec<double> b) { return {_mm512_mul_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator/(Vec<double> a, Vec<double> b) { return {_mm512_div_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator&(Vec<double> a, Vec<double> b) { return {_mm512_and_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator|(Vec<double> a, Vec<double> b) { return {_mm512_or_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator^(Vec<double> a, Vec<double> b) { return {_mm512_xor_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator~(Vec<double> a) {
  return {_mm512_xor_pd(a.v, _mm512_castsi512_pd(_mm512_set1_epi32(-1)))};
}
FALCONET_INLINE Vec<double> operator-(Vec<double> a) { return {_mm512_xor_pd(a.v, _mm512_set1_pd(-0.0))}; }
FALCONET_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm512_fmadd_pd(a.v, b.v, c.v)};
}
FALCONET_INLINE Vec<double> fnma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return {_mm512_fnmadd_pd(a.v, b.v, c.v)};
}
FALCONET_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return {_mm512_min_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return {_mm512_max_pd(a.v, b.v)}; }
FALCONET_INLINE Vec<double> sqrt(Vec<double> a) { return {_mm512_sqrt_pd(a.v)}; }
FALCONET_INLINE Vec<double> abs(Vec<double> a) { return {_mm512_andnot_pd(_mm512_set1_pd(-0.0), a.v)}; }
FALCONET_INLINE Vec<double> round(Vec<double> a) { return {_mm512_roundscale_pd(a.v, 8)}; }
FALCONET_INLINE Vec<double> floor(Vec<double> a) { return {_mm512_roundscale_pd(a.v, 9)}; }
FALCONET_INLINE Vec<double> ceil(Vec<double> a) { return {_mm512_roundscale_pd(a.v, 10)}; }
FALCONET_INLINE Vec<double> trunc(Vec<double> a) { return {_mm512_roundscale_pd(a.v, 11)}; }
FALCONET_INLINE Mask64 operator==(Vec<double> a, Vec<double> b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ)}; }
FALCONET_INLINE Mask64 operator!=(Vec<double> a, Vec<double> b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
FALCONET_INLINE Mask64 operator<(Vec<double> a, Vec<double> b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)}; }
FALCONET_INLINE Mask64 operator<=(Vec<double> a, Vec<double> b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LE_OQ)}; }
FALCONET_INLINE Mask64 operator>(Vec<double> a, Vec<double> b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ)}; }
FALCONET_INLINE Mask64 operator>=(Vec<double> a, Vec<double> b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GE_OQ)}; }
FALCONET_INLINE Vec<double> select(Mask64 m, Vec<double> a, Vec<double> b) {
  return {_mm512_mask_blend_pd(m.m, b.v, a.v)};
}
FALCONET_INLINE Vec<int64_t> bits(Vec<double> a) { return {_mm512_castpd_si512(a.v)}; }
FALCONET_INLINE Vec<double> as_float(Vec<int64_t> a) { return {_mm512_castsi512_pd(a.v)}; }
FALCONET_INLINE Vec<int64_t> to_int(Vec<double> a) { return {_mm512_cvttpd_epi64(a.v)}; }
FALCONET_INLINE Vec<int64_t> round_to_int(Vec<double> a) { return {_mm512_cvtpd_epi64(a.v)}; }
FALCONET_INLINE Vec<double> to_float(Vec<int64_t> a) { return {_mm512_cvtepi64_pd(a.v)}; }
FALCONET_INLINE Vec<double> widen_lo(Vec<float> a) { return {_mm512_cvtps_pd(_mm512_castps512_ps256(a.v))}; }
FALCONET_INLINE Vec<double> widen_hi(Vec<float> a) { return {_mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1))}; }
FALCONET_INLINE Vec<float> narrow(Vec<double> lo, Vec<double> hi) {
  return {_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(lo.v)), _mm512_cvtpd_ps(hi.v), 1)};
}

// int32.
FALCONET_INLINE Vec<int32_t> operator+(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_add_epi32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator-(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_sub_epi32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator*(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator&(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_and_si512(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator|(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_or_si512(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator^(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_xor_si512(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator~(Vec<int32_t> a) { return {_mm512_xor_si512(a.v, _mm512_set1_epi32(-1))}; }
FALCONET_INLINE Vec<int32_t> operator-(Vec<int32_t> a) { return {_mm512_sub_epi32(_mm512_setzero_si512(), a.v)}; }
FALCONET_INLINE Vec<int32_t> min(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_min_epi32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> max(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_max_epi32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> abs(Vec<int32_t> a) { return {_mm512_abs_epi32(a.v)}; }
FALCONET_INLINE Mask32 operator==(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator!=(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_cmpneq_epi32_mask(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator<(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_cmplt_epi32_mask(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator<=(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_cmple_epi32_mask(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator>(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_cmplt_epi32_mask(b.v, a.v)}; }
FALCONET_INLINE Mask32 operator>=(Vec<int32_t> a, Vec<int32_t> b) { return {_mm512_cmple_epi32_mask(b.v, a.v)}; }
FALCONET_INLINE Vec<int32_t> select(Mask32 m, Vec<int32_t> a, Vec<int32_t> b) {
  return {_mm512_mask_blend_epi32(m.m, b.v, a.v)};
}
template <int k>
FALCONET_INLINE Vec<int32_t> shift_left(Vec<int32_t> a) {
  return {_mm512_slli_epi32(a.v, k)};
}
template <int k>
FALCONET_INLINE Vec<int32_t> shift_right(Vec<int32_t> a) {
  return {_mm512_srai_epi32(a.v, k)};
}
template <int k>
FALCONET_INLINE Vec<int32_t> shift_right_logical(Vec<int32_t> a) {
  return {_mm512_srli_epi32(a.v, k)};
}
FALCONET_INLINE Vec<int32_t> shift_left(Vec<int32_t> a, Vec<int32_t> k) { return {_mm512_sllv_epi32(a.v, k.v)}; }
FALCONET_INLINE Vec<int32_t> shift_right(Vec<int32_t> a, Vec<int32_t> k) { return {_mm512_srav_epi32(a.v, k.v)}; }
FALCONET_INLINE Vec<int32_t> shift_right_logical(Vec<int32_t> a, Vec<int32_t> k) {
  return {_mm512_srlv_epi32(a.v, k.v)};
}

// int64.
FALCONET_INLINE Vec<int64_t> operator+(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_add_epi64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator-(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_sub_epi64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator*(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_mullo_epi64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator&(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_and_si512(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator|(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_or_si512(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator^(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_xor_si512(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator~(Vec<int64_t> a) { return {_mm512_xor_si512(a.v, _mm512_set1_epi32(-1))}; }
FALCONET_INLINE Vec<int64_t> operator-(Vec<int64_t> a) { return {_mm512_sub_epi64(_mm512_setzero_si512(), a.v)}; }
FALCONET_INLINE Vec<int64_t> min(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_min_epi64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> max(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_max_epi64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> abs(Vec<int64_t> a) { return {_mm512_abs_epi64(a.v)}; }
FALCONET_INLINE Mask64 operator==(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_cmpeq_epi64_mask(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator!=(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_cmpneq_epi64_mask(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator<(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_cmplt_epi64_mask(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator<=(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_cmple_epi64_mask(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator>(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_cmplt_epi64_mask(b.v, a.v)}; }
FALCONET_INLINE Mask64 operator>=(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_cmple_epi64_mask(b.v, a.v)}; }
FALCONET_INLINE Vec<int64_t> select(Mask64 m, Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_mask_blend_epi64(m.m, b.v, a.v)};
}
template <int k>
FALCONET_INLINE Vec<int64_t> shift_left(Vec<int64_t> a) {
  return {_mm512_slli_epi64(a.v, k)};
}
template <int k>
FALCONET_INLINE Vec<int64_t> shift_right(Vec<int64_t> a) {
  return {_mm512_srai_epi64(a.v, k)};
}
template <int k>
FALCONET_INLINE Vec<int64_t> shift_right_logical(Vec<int64_t> a) {
  return {_mm512_srli_epi64(a.v, k)};
}
FALCONET_INLINE Vec<int64_t> shift_left(Vec<int64_t> a, Vec<int64_t> k) { return {_mm512_sllv_epi64(a.v, k.v)}; }
FALCONET_INLINE Vec<int64_t> shift_right(Vec<int64_t> a, Vec<int64_t> k) { return {_mm512_srav_epi64(a.v, k.v)}; }
FALCONET_INLINE Vec<int64_t> shift_right_logical(Vec<int64_t> a, Vec<int64_t> k) {
  return {_mm512_srlv_epi64(a.v, k.v)};
}
FALCONET_INLINE Vec<int64_t> widen_lo(Vec<int32_t> a) { return {_mm512_cvtepi32_epi64(_mm512_castsi512_si256(a.v))}; }
FALCONET_INLINE Vec<int64_t> widen_hi(Vec<int32_t> a) {
  return {_mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(a.v, 1))};
}
FALCONET_INLINE Vec<int32_t> narrow(Vec<int64_t> lo, Vec<int64_t> hi) {
  return {_mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(lo.v)), _mm512_cvtepi64_epi32(hi.v), 1)};
}
FALCONET_INLINE Vec<int64_t> multiply_low32(Vec<int64_t> a, Vec<int64_t> b) { return {_mm512_mul_epu32(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> interleave_lo(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_permutex2var_epi64(a.v, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b.v)};
}
FALCONET_INLINE Vec<int64_t> interleave_hi(Vec<int64_t> a, Vec<int64_t> b) {
  return {_mm512_permutex2var_epi64(a.v, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b.v)};
}
FALCONET_INLINE Vec<int32_t> as_int32(Vec<int64_t> a) { return {a.v}; }

// Storage of 16 bits.
FALCONET_INLINE Vec<int32_t> load_u16(const uint16_t* p) {
  return {_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
FALCONET_INLINE void store_u16(uint16_t* p, Vec<int32_t> a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(a.v));
}
FALCONET_INLINE Vec<float> half_to_float(Vec<int32_t> a) { return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(a.v))}; }
FALCONET_INLINE Vec<int32_t> float_to_half(Vec<float> a) {
  return {_mm512_cvtepu16_epi32(_mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT))};
}

// Reductions: halves, then quarters, and so on.
FALCONET_INLINE float reduce_add(Vec<float> a) {
  const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
FALCONET_INLINE float reduce_min(Vec<float> a) {
  const __m256 h = _mm256_min_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 q = _mm_min_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_min_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_min_ss(q, _mm_movehdup_ps(q)));
}
FALCONET_INLINE float reduce_max(Vec<float> a) {
  const __m256 h = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}
FALCONET_INLINE double reduce_add(Vec<double> a) {
  const __m256d h = _mm256_add_pd(_mm512_castpd512_pd256(a.v), _mm512_extractf64x4_pd(a.v, 1));
  const __m128d q = _mm_add_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
  return _mm_cvtsd_f64(_mm_add_sd(q, _mm_unpackhi_pd(q, q)));
}
FALCONET_INLINE double reduce_min(Vec<double> a) {
  const __m256d h = _mm256_min_pd(_mm512_castpd512_pd256(a.v), _mm512_extractf64x4_pd(a.v, 1));
  const __m128d q = _mm_min_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
  return _mm_cvtsd_f64(_mm_min_sd(q, _mm_unpackhi_pd(q, q)));
}
FALCONET_INLINE double reduce_max(Vec<double> a) {
  const __m256d h = _mm256_max_pd(_mm512_castpd512_pd256(a.v), _mm512_extractf64x4_pd(a.v, 1));
  const __m128d q = _mm_max_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
  return _mm_cvtsd_f64(_mm_max_sd(q, _mm_unpackhi_pd(q, q)));
}
// Integers: any order gives the same bits.
FALCONET_INLINE int32_t reduce_add(Vec<int32_t> a) { return _mm512_reduce_add_epi32(a.v); }
FALCONET_INLINE int32_t reduce_min(Vec<int32_t> a) { return _mm512_reduce_min_epi32(a.v); }
FALCONET_INLINE int32_t reduce_max(Vec<int32_t> a) { return _mm512_reduce_max_epi32(a.v); }
FALCONET_INLINE int64_t reduce_add(Vec<int64_t> a) { return _mm512_reduce_add_epi64(a.v); }
FALCONET_INLINE int64_t reduce_min(Vec<int64_t> a) { return _mm512_reduce_min_epi64(a.v); }
FALCONET_INLINE int64_t reduce_max(Vec<int64_t> a) { return _mm512_reduce_max_epi64(a.v); }

// Transposes: 2 x 2 blocks, then 4 x 4, then whole 128-bit lanes.
FALCONET_INLINE void transpose(Vec<float>* x) {
  __m512 s[16], t[16];
  FALCONET_UNROLL
  for (int i = 0; i < 16; i += 2) {
    s[i] = _mm512_unpacklo_ps(x[i].v, x[i + 1].v);
    s[i + 1] = _mm512_unpackhi_ps(x[i].v, x[i + 1].v);
  }
  FALCONET_UNROLL
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; ++j) {
      const __m512d a = _mm512_castps_pd(s[i + j]), b = _mm512_castps_pd(s[i + j + 2]);
      t[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      t[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  }
  FALCONET_UNROLL
  for (int j = 0; j < 4; ++j) {
    const __m512 even_lo = _mm512_shuffle_f32x4(t[j], t[4 + j], 0x88);
    const __m512 odd_lo = _mm512_shuffle_f32x4(t[j], t[4 + j], 0xDD);
    const __m512 even_hi = _mm512_shuffle_f32x4(t[8 + j], t[12 + j], 0x88);
    const __m512 odd_hi = _mm512_shuffle_f32x4(t[8 + j], t[12 + j], 0xDD);
    x[j].v = _mm512_shuffle_f32x4(even_lo, even_hi, 0x88);
    x[4 + j].v = _mm512_shuffle_f32x4(odd_lo, odd_hi, 0x88);
    x[8 + j].v = _mm512_shuffle_f32x4(even_lo, even_hi, 0xDD);
    x[12 + j].v = _mm512_shuffle_f32x4(odd_lo, odd_hi, 0xDD);
  }
}
FALCONET_INLINE void transpose(Vec<double>* x) {
  __m512d t[8];
  FALCONET_UNROLL
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_pd(x[i].v, x[i + 1].v);
    t[i + 1] = _mm512_unpackhi_pd(x[i].v, x[i + 1].v);
  }
  FALCONET_UNROLL
  for (int j = 0; j < 2; ++j) {
    const __m512d even_lo = _mm512_shuffle_f64x2(t[j], t[2 + j], 0x88);
    const __m512d odd_lo = _mm512_shuffle_f64x2(t[j], t[2 + j], 0xDD);
    const __m512d even_hi = _mm512_shuffle_f64x2(t[4 + j], t[6 + j], 0x88);
    const __m512d odd_hi = _mm512_shuffle_f64x2(t[4 + j], t[6 + j], 0xDD);
    x[j].v = _mm512_shuffle_f64x2(even_lo, even_hi, 0x88);
    x[2 + j].v = _mm512_shuffle_f64x2(odd_lo, odd_hi, 0x88);
    x[4 + j].v = _mm512_shuffle_f64x2(even_lo, even_hi, 0xDD);
    x[6 + j].v = _mm512_shuffle_f64x2(odd_lo, odd_hi, 0xDD);
  }
}

// Each step halves two registers at once; the pairs are chosen so that the rows come out in order.
FALCONET_INLINE Vec<float> reduce_add_rows(const Vec<float>* x) {
  const auto eighths = [](__m512 u, __m512 v) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(u, v, 0x44), _mm512_shuffle_f32x4(u, v, 0xEE));
  };
  const auto quarters = [](__m512 u, __m512 v) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(u, v, 0x88), _mm512_shuffle_f32x4(u, v, 0xDD));
  };
  const auto pairs = [](__m512 u, __m512 v) {
    const __m512d a = _mm512_castps_pd(u), b = _mm512_castps_pd(v);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  };
  __m512 s[4];
  FALCONET_UNROLL
  for (int i = 0; i < 4; ++i) s[i] = quarters(eighths(x[i].v, x[i + 4].v), eighths(x[i + 8].v, x[i + 12].v));
  const __m512 a = pairs(s[0], s[1]), b = pairs(s[2], s[3]);
  return {_mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD))};
}
FALCONET_INLINE Vec<double> reduce_add_rows(const Vec<double>* x) {
  const auto quarters = [](__m512d u, __m512d v) {
    return _mm512_add_pd(_mm512_shuffle_f64x2(u, v, 0x44), _mm512_shuffle_f64x2(u, v, 0xEE));
  };
  const auto pairs = [](__m512d u, __m512d v) {
    return _mm512_add_pd(_mm512_shuffle_f64x2(u, v, 0x88), _mm512_shuffle_f64x2(u, v, 0xDD));
  };
  const __m512d a = pairs(quarters(x[0].v, x[2].v), quarters(x[4].v, x[6].v));
  const __m512d b = pairs(quarters(x[1].v, x[3].v), quarters(x[5].v, x[7].v));
  return {_mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b))};
}

}  // namespace falconet::FALCONET_ISA
