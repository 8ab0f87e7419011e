// Vec for AArch64 NEON: 4 lanes of 32 bits, 2 of 64. The contract is in vec.h. Half of NEON's operations are what every
// program needs; the rest (64-bit multiplication, partial loads) go lane by lane through memory.
#pragma once

#include <arm_neon.h>

namespace falconet::FALCONET_ISA {

inline constexpr int kVectorRegisters = 32;

struct Mask32 {
  uint32x4_t m;  // lanes of 0 or all ones
};
struct Mask64 {
  uint64x2_t m;
};

// Partial access copies the n elements through a full-size array on the stack.
template <class V, class T>
FALCONET_INLINE V load_lanes(const T* p, int n) {
  T x[16 / sizeof(T)] = {};
  for (int i = 0; i < n; ++i) x[i] = p[i];
  return V::load(x);
}
template <class V, class T>
FALCONET_INLINE void store_lanes(V v, T* p, int n) {
  T x[16 / sizeof(T)];
  v.store(x);
  for (int i = 0; i < n; ++i) p[i] = x[i];
}

template <>
struct Vec<float> {
  using Mask = Mask32;
  static constexpr int width = 4;
  float32x4_t v;
  static FALCONET_INLINE Vec load(const float* p) { return {vld1q_f32(p)}; }
  static FALCONET_INLINE Vec load_partial(const float* p, int n) { return load_lanes<Vec>(p, n); }
  static FALCONET_INLINE Vec broadcast(float x) { return {vdupq_n_f32(x)}; }
  static FALCONET_INLINE Vec zero() { return {vdupq_n_f32(0)}; }
  static FALCONET_INLINE Vec iota() {
    const float x[4] = {0, 1, 2, 3};
    return load(x);
  }
  FALCONET_INLINE void store(float* p) const { vst1q_f32(p, v); }
  FALCONET_INLINE void store_partial(float* p, int n) const { store_lanes(*this, p, n); }
};

template <>
struct Vec<double> {
  using Mask = Mask64;
  static constexpr int width = 2;
  float64x2_t v;
  static FALCONET_INLINE Vec load(const double* p) { return {vld1q_f64(p)}; }
  static FALCONET_INLINE Vec load_partial(const double* p, int n) { return load_lanes<Vec>(p, n); }
  static FALCONET_INLINE Vec broadcast(double x) { return {vdupq_n_f64(x)}; }
  static FALCONET_INLINE Vec zero() { return {vdupq_n_f64(0)}; }
  static FALCONET_INLINE Vec iota() {
    const double x[2] = {0, 1};
    return load(x);
  }
  FALCONET_INLINE void store(double* p) const { vst1q_f64(p, v); }
  FALCONET_INLINE void store_partial(double* p, int n) const { store_lanes(*this, p, n); }
};

template <>
struct Vec<int32_t> {
  using Mask = Mask32;
  static constexpr int width = 4;
  int32x4_t v;
  static FALCONET_INLINE Vec load(const int32_t* p) { return {vld1q_s32(p)}; }
  static FALCONET_INLINE Vec load_partial(const int32_t* p, int n) { return load_lanes<Vec>(p, n); }
  static FALCONET_INLINE Vec broadcast(int32_t x) { return {vdupq_n_s32(x)}; }
  static FALCONET_INLINE Vec zero() { return {vdupq_n_s32(0)}; }
  static FALCONET_INLINE Vec iota() {
    const int32_t x[4] = {0, 1, 2, 3};
    return load(x);
  }
  FALCONET_INLINE void store(int32_t* p) const { vst1q_s32(p, v); }
  FALCONET_INLINE void store_partial(int32_t* p, int n) const { store_lanes(*this, p, n); }
};

template <>
struct Vec<int64_t> {
  using Mask = Mask64;
  static constexpr int width = 2;
  int64x2_t v;
  static FALCONET_INLINE Vec load(const int64_t* p) { return {vld1q_s64(p)}; }
  static FALCONET_INLINE Vec load_partial(const int64_t* p, int n) { return load_lanes<Vec>(p, n); }
  static FALCONET_INLINE Vec broadcast(int64_t x) { return {vdupq_n_s64(x)}; }
  static FALCONET_INLINE Vec zero() { return {vdupq_n_s64(0)}; }
  static FALCONET_INLINE Vec iota() {
    const int64_t x[2] = {0, 1};
    return load(x);
  }
  FALCONET_INLINE void store(int64_t* p) const { vst1q_s64(p, v); }
  FALCONET_INLINE void store_partial(int64_t* p, int n) const { store_lanes(*this, p, n); }
};

// Masks.
FALCONET_INLINE uint64x2_t not_u64(uint64x2_t a) { return vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(a))); }
FALCONET_INLINE Mask32 operator&(Mask32 a, Mask32 b) { return {vandq_u32(a.m, b.m)}; }
FALCONET_INLINE Mask32 operator|(Mask32 a, Mask32 b) { return {vorrq_u32(a.m, b.m)}; }
FALCONET_INLINE Mask32 operator^(Mask32 a, Mask32 b) { return {veorq_u32(a.m, b.m)}; }
FALCONET_INLINE Mask32 operator~(Mask32 a) { return {vmvnq_u32(a.m)}; }
FALCONET_INLINE bool any(Mask32 a) { return vmaxvq_u32(a.m) != 0; }
FALCONET_INLINE bool all(Mask32 a) { return vminvq_u32(a.m) != 0; }
FALCONET_INLINE Mask64 operator&(Mask64 a, Mask64 b) { return {vandq_u64(a.m, b.m)}; }
FALCONET_INLINE Mask64 operator|(Mask64 a, Mask64 b) { return {vorrq_u64(a.m, b.m)}; }
FALCONET_INLINE Mask64 operator^(Mask64 a, Mask64 b) { return {veorq_u64(a.m, b.m)}; }
FALCONET_INLINE Mask64 operator~(Mask64 a) { return {not_u64(a.m)}; }
FALCONET_INLINE bool any(Mask64 a) { return vmaxvq_u32(vreinterpretq_u32_u64(a.m)) != 0; }
FALCONET_INLINE bool all(Mask64 a) { return vminvq_u32(vreinterpretq_u32_u64(a.m)) != 0; }
FALCONET_INLINE Vec<int32_t> lanes(Mask32 a) { return {vreinterpretq_s32_u32(a.m)}; }
FALCONET_INLINE Vec<int64_t> lanes(Mask64 a) { return {vreinterpretq_s64_u64(a.m)}; }
FALCONET_INLINE Mask32 narrow(Mask64 lo, Mask64 hi) { return {vmovn_high_u64(vmovn_u64(lo.m), hi.m)}; }

FALCONET_INLINE Vec<int32_t> bits(Vec<float> a) { return {vreinterpretq_s32_f32(a.v)}; }
FALCONET_INLINE Vec<float> as_float(Vec<int32_t> a) { return {vreinterpretq_f32_s32(a.v)}; }
FALCONET_INLINE Vec<int64_t> bits(Vec<double> a) { return {vreinterpretq_s64_f64(a.v)}; }
FALCONET_INLINE Vec<double> as_float(Vec<int64_t> a) { return {vreinterpretq_f64_s64(a.v)}; }

// int32.
FALCONET_INLINE Vec<int32_t> operator+(Vec<int32_t> a, Vec<int32_t> b) { return {vaddq_s32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator-(Vec<int32_t> a, Vec<int32_t> b) { return {vsubq_s32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator*(Vec<int32_t> a, Vec<int32_t> b) { return {vmulq_s32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator&(Vec<int32_t> a, Vec<int32_t> b) { return {vandq_s32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator|(Vec<int32_t> a, Vec<int32_t> b) { return {vorrq_s32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator^(Vec<int32_t> a, Vec<int32_t> b) { return {veorq_s32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> operator~(Vec<int32_t> a) { return {vmvnq_s32(a.v)}; }
FALCONET_INLINE Vec<int32_t> operator-(Vec<int32_t> a) { return {vnegq_s32(a.v)}; }
FALCONET_INLINE Vec<int32_t> min(Vec<int32_t> a, Vec<int32_t> b) { return {vminq_s32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> max(Vec<int32_t> a, Vec<int32_t> b) { return {vmaxq_s32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> abs(Vec<int32_t> a) { return {vabsq_s32(a.v)}; }
FALCONET_INLINE Mask32 operator==(Vec<int32_t> a, Vec<int32_t> b) { return {vceqq_s32(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator!=(Vec<int32_t> a, Vec<int32_t> b) { return {vmvnq_u32(vceqq_s32(a.v, b.v))}; }
FALCONET_INLINE Mask32 operator<(Vec<int32_t> a, Vec<int32_t> b) { return {vcltq_s32(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator<=(Vec<int32_t> a, Vec<int32_t> b) { return {vcleq_s32(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator>(Vec<int32_t> a, Vec<int32_t> b) { return {vcgtq_s32(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator>=(Vec<int32_t> a, Vec<int32_t> b) { return {vcgeq_s32(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> select(Mask32 m, Vec<int32_t> a, Vec<int32_t> b) { return {vbslq_s32(m.m, a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> shift_left(Vec<int32_t> a, Vec<int32_t> k) { return {vshlq_s32(a.v, k.v)}; }
FALCONET_INLINE Vec<int32_t> shift_right(Vec<int32_t> a, Vec<int32_t> k) { return {vshlq_s32(a.v, vnegq_s32(k.v))}; }
FALCONET_INLINE Vec<int32_t> shift_right_logical(Vec<int32_t> a, Vec<int32_t> k) {
  return {vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a.v), vnegq_s32(k.v)))};
}

// int64.
FALCONET_INLINE Vec<int64_t> operator+(Vec<int64_t> a, Vec<int64_t> b) { return {vaddq_s64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator-(Vec<int64_t> a, Vec<int64_t> b) { return {vsubq_s64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator*(Vec<int64_t> a, Vec<int64_t> b) {
  int64_t x[2], y[2];
  a.store(x);
  b.store(y);
  for (int i = 0; i < 2; ++i) x[i] = static_cast<int64_t>(static_cast<uint64_t>(x[i]) * static_cast<uint64_t>(y[i]));
  return Vec<int64_t>::load(x);
}
FALCONET_INLINE Vec<int64_t> operator&(Vec<int64_t> a, Vec<int64_t> b) { return {vandq_s64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator|(Vec<int64_t> a, Vec<int64_t> b) { return {vorrq_s64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator^(Vec<int64_t> a, Vec<int64_t> b) { return {veorq_s64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> operator~(Vec<int64_t> a) { return {veorq_s64(a.v, vdupq_n_s64(-1))}; }
FALCONET_INLINE Vec<int64_t> operator-(Vec<int64_t> a) { return {vnegq_s64(a.v)}; }
FALCONET_INLINE Vec<int64_t> abs(Vec<int64_t> a) { return {vabsq_s64(a.v)}; }
FALCONET_INLINE Mask64 operator==(Vec<int64_t> a, Vec<int64_t> b) { return {vceqq_s64(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator!=(Vec<int64_t> a, Vec<int64_t> b) { return {not_u64(vceqq_s64(a.v, b.v))}; }
FALCONET_INLINE Mask64 operator<(Vec<int64_t> a, Vec<int64_t> b) { return {vcltq_s64(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator<=(Vec<int64_t> a, Vec<int64_t> b) { return {vcleq_s64(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator>(Vec<int64_t> a, Vec<int64_t> b) { return {vcgtq_s64(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator>=(Vec<int64_t> a, Vec<int64_t> b) { return {vcgeq_s64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> select(Mask64 m, Vec<int64_t> a, Vec<int64_t> b) { return {vbslq_s64(m.m, a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> min(Vec<int64_t> a, Vec<int64_t> b) { return select(a < b, a, b); }
FALCONET_INLINE Vec<int64_t> max(Vec<int64_t> a, Vec<int64_t> b) { return select(a > b, a, b); }
FALCONET_INLINE Vec<int64_t> shift_left(Vec<int64_t> a, Vec<int64_t> k) { return {vshlq_s64(a.v, k.v)}; }
FALCONET_INLINE Vec<int64_t> shift_right(Vec<int64_t> a, Vec<int64_t> k) { return {vshlq_s64(a.v, vnegq_s64(k.v))}; }
FALCONET_INLINE Vec<int64_t> shift_right_logical(Vec<int64_t> a, Vec<int64_t> k) {
  return {vreinterpretq_s64_u64(vshlq_u64(vreinterpretq_u64_s64(a.v), vnegq_s64(k.v)))};
}
template <int k, class T>
FALCONET_INLINE Vec<T> shift_left(Vec<T> a) {
  return shift_left(a, Vec<T>::broadcast(k));
}
template <int k, class T>
FALCONET_INLINE Vec<T> shift_right(Vec<T> a) {
  return shift_right(a, Vec<T>::broadcast(k));
}
template <int k, class T>
FALCONET_INLINE Vec<T> shift_right_logical(Vec<T> a) {
  return shift_right_logical(a, Vec<T>::broadcast(k));
}

// float.
FALCONET_INLINE Vec<float> operator+(Vec<float> a, Vec<float> b) { return {vaddq_f32(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator-(Vec<float> a, Vec<float> b) { return {vsubq_f32(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator*(Vec<float> a, Vec<float> b) { return {vmulq_f32(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator/(Vec<float> a, Vec<float> b) { return {vdivq_f32(a.v, b.v)}; }
FALCONET_INLINE Vec<float> operator&(Vec<float> a, Vec<float> b) { return as_float(bits(a) & bits(b)); }
FALCONET_INLINE Vec<float> operator|(Vec<float> a, Vec<float> b) { return as_float(bits(a) | bits(b)); }
FALCONET_INLINE Vec<float> operator^(Vec<float> a, Vec<float> b) { return as_float(bits(a) ^ bits(b)); }
FALCONET_INLINE Vec<float> operator~(Vec<float> a) { return as_float(~bits(a)); }
FALCONET_INLINE Vec<float> operator-(Vec<float> a) { return {vnegq_f32(a.v)}; }
FALCONET_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
FALCONET_INLINE Vec<float> fnma(Vec<float> a, Vec<float> b, Vec<float> c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
FALCONET_INLINE Vec<float> sqrt(Vec<float> a) { return {vsqrtq_f32(a.v)}; }
FALCONET_INLINE Vec<float> abs(Vec<float> a) { return {vabsq_f32(a.v)}; }
FALCONET_INLINE Vec<float> round(Vec<float> a) { return {vrndnq_f32(a.v)}; }
FALCONET_INLINE Vec<float> floor(Vec<float> a) { return {vrndmq_f32(a.v)}; }
FALCONET_INLINE Vec<float> ceil(Vec<float> a) { return {vrndpq_f32(a.v)}; }
FALCONET_INLINE Vec<float> trunc(Vec<float> a) { return {vrndq_f32(a.v)}; }
FALCONET_INLINE Mask32 operator==(Vec<float> a, Vec<float> b) { return {vceqq_f32(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator!=(Vec<float> a, Vec<float> b) { return {vmvnq_u32(vceqq_f32(a.v, b.v))}; }
FALCONET_INLINE Mask32 operator<(Vec<float> a, Vec<float> b) { return {vcltq_f32(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator<=(Vec<float> a, Vec<float> b) { return {vcleq_f32(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator>(Vec<float> a, Vec<float> b) { return {vcgtq_f32(a.v, b.v)}; }
FALCONET_INLINE Mask32 operator>=(Vec<float> a, Vec<float> b) { return {vcgeq_f32(a.v, b.v)}; }
FALCONET_INLINE Vec<float> select(Mask32 m, Vec<float> a, Vec<float> b) { return {vbslq_f32(m.m, a.v, b.v)}; }
// NEON's own minimum treats NaN and zeros otherwise than the contract.
FALCONET_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return select(a < b, a, b); }
FALCONET_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return select(a > b, a, b); }
FALCONET_INLINE Vec<int32_t> to_int(Vec<float> a) { return {vcvtq_s32_f32(a.v)}; }
FALCONET_INLINE Vec<int32_t> round_to_int(Vec<float> a) { return {vcvtnq_s32_f32(a.v)}; }
FALCONET_INLINE Vec<float> to_float(Vec<int32_t> a) { return {vcvtq_f32_s32(a.v)}; }

// double.
FALCONET_INLINE Vec<double> operator+(Vec<double> a, Vec<double> b) { return {vaddq_f64(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator-(Vec<double> a, Vec<double> b) { return {vsubq_f64(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator*(Vec<double> a, Vec<double> b) { return {vmulq_f64(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator/(Vec<double> a, Vec<double> b) { return {vdivq_f64(a.v, b.v)}; }
FALCONET_INLINE Vec<double> operator&(Vec<double> a, Vec<double> b) { return as_float(bits(a) & bits(b)); }
FALCONET_INLINE Vec<double> operator|(Vec<double> a, Vec<double> b) { return as_float(bits(a) | bits(b)); }
FALCONET_INLINE Vec<double> operator^(Vec<double> a, Vec<double> b) { return as_float(bits(a) ^ bits(b)); }
FALCONET_INLINE Vec<double> operator~(Vec<double> a) { return as_float(~bits(a)); }
FALCONET_INLINE Vec<double> operator-(Vec<double> a) { return {vnegq_f64(a.v)}; }
FALCONET_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
FALCONET_INLINE Vec<double> fnma(Vec<double> a, Vec<double> b, Vec<double> c) { return {vfmsq_f64(c.v, a.v, b.v)}; }
FALCONET_INLINE Vec<double> sqrt(Vec<double> a) { return {vsqrtq_f64(a.v)}; }
FALCONET_INLINE Vec<double> abs(Vec<double> a) { return {vabsq_f64(a.v)}; }
FALCONET_INLINE Vec<double> round(Vec<double> a) { return {vrndnq_f64(a.v)}; }
FALCONET_INLINE Vec<double> floor(Vec<double> a) { return {vrndmq_f64(a.v)}; }
FALCONET_INLINE Vec<double> ceil(Vec<double> a) { return {vrndpq_f64(a.v)}; }
FALCONET_INLINE Vec<double> trunc(Vec<double> a) { return {vrndq_f64(a.v)}; }
FALCONET_INLINE Mask64 operator==(Vec<double> a, Vec<double> b) { return {vceqq_f64(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator!=(Vec<double> a, Vec<double> b) { return {not_u64(vceqq_f64(a.v, b.v))}; }
FALCONET_INLINE Mask64 operator<(Vec<double> a, Vec<double> b) { return {vcltq_f64(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator<=(Vec<double> a, Vec<double> b) { return {vcleq_f64(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator>(Vec<double> a, Vec<double> b) { return {vcgtq_f64(a.v, b.v)}; }
FALCONET_INLINE Mask64 operator>=(Vec<double> a, Vec<double> b) { return {vcgeq_f64(a.v, b.v)}; }
FALCONET_INLINE Vec<double> select(Mask64 m, Vec<double> a, Vec<double> b) { return {vbslq_f64(m.m, a.v, b.v)}; }
FALCONET_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return select(a < b, a, b); }
FALCONET_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return select(a > b, a, b); }
FALCONET_INLINE Vec<int64_t> to_int(Vec<double> a) { return {vcvtq_s64_f64(a.v)}; }
FALCONET_INLINE Vec<int64_t> round_to_int(Vec<double> a) { return {vcvtnq_s64_f64(a.v)}; }
FALCONET_INLINE Vec<double> to_float(Vec<int64_t> a) { return {vcvtq_f64_s64(a.v)}; }

// Between the widths.
FALCONET_INLINE Vec<double> widen_lo(Vec<float> a) { return {vcvt_f64_f32(vget_low_f32(a.v))}; }
FALCONET_INLINE Vec<double> widen_hi(Vec<float> a) { return {vcvt_high_f64_f32(a.v)}; }
FALCONET_INLINE Vec<int64_t> widen_lo(Vec<int32_t> a) { return {vmovl_s32(vget_low_s32(a.v))}; }
FALCONET_INLINE Vec<int64_t> widen_hi(Vec<int32_t> a) { return {vmovl_high_s32(a.v)}; }
FALCONET_INLINE Mask64 widen_lo(Mask32 a) { return {vreinterpretq_u64_s64(widen_lo(lanes(a)).v)}; }
FALCONET_INLINE Mask64 widen_hi(Mask32 a) { return {vreinterpretq_u64_s64(widen_hi(lanes(a)).v)}; }
FALCONET_INLINE Vec<float> narrow(Vec<double> lo, Vec<double> hi) {
  return {vcvt_high_f32_f64(vcvt_f32_f64(lo.v), hi.v)};
}
FALCONET_INLINE Vec<int32_t> narrow(Vec<int64_t> lo, Vec<int64_t> hi) {
  return {vmovn_high_s64(vmovn_s64(lo.v), hi.v)};
}
FALCONET_INLINE Vec<int64_t> multiply_low32(Vec<int64_t> a, Vec<int64_t> b) {
  const uint64x2_t p = vmull_u32(vmovn_u64(vreinterpretq_u64_s64(a.v)), vmovn_u64(vreinterpretq_u64_s64(b.v)));
  return {vreinterpretq_s64_u64(p)};
}
FALCONET_INLINE Vec<int64_t> interleave_lo(Vec<int64_t> a, Vec<int64_t> b) { return {vzip1q_s64(a.v, b.v)}; }
FALCONET_INLINE Vec<int64_t> interleave_hi(Vec<int64_t> a, Vec<int64_t> b) { return {vzip2q_s64(a.v, b.v)}; }
FALCONET_INLINE Vec<int32_t> as_int32(Vec<int64_t> a) { return {vreinterpretq_s32_s64(a.v)}; }

// Storage of 16 bits.
FALCONET_INLINE Vec<int32_t> load_u16(const uint16_t* p) { return {vreinterpretq_s32_u32(vmovl_u16(vld1_u16(p)))}; }
FALCONET_INLINE void store_u16(uint16_t* p, Vec<int32_t> a) { vst1_u16(p, vmovn_u32(vreinterpretq_u32_s32(a.v))); }
FALCONET_INLINE Vec<float> half_to_float(Vec<int32_t> a) {
  return {vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(vreinterpretq_u32_s32(a.v))))};
}
FALCONET_INLINE Vec<int32_t> float_to_half(Vec<float> a) {
  return {vreinterpretq_s32_u32(vmovl_u16(vreinterpret_u16_f16(vcvt_f16_f32(a.v))))};
}

// Reductions: halves, then quarters.
FALCONET_INLINE float reduce_add(Vec<float> a) {
  const float32x2_t h = vadd_f32(vget_low_f32(a.v), vget_high_f32(a.v));
  return vget_lane_f32(h, 0) + vget_lane_f32(h, 1);
}
FALCONET_INLINE double reduce_add(Vec<double> a) { return vgetq_lane_f64(a.v, 0) + vgetq_lane_f64(a.v, 1); }
FALCONET_INLINE int32_t reduce_add(Vec<int32_t> a) { return vaddvq_s32(a.v); }
FALCONET_INLINE int64_t reduce_add(Vec<int64_t> a) { return vaddvq_s64(a.v); }
template <class T>
FALCONET_INLINE T reduce_min(Vec<T> a) {
  T x[Vec<T>::width];
  a.store(x);
  for (int w = Vec<T>::width / 2; w >= 1; w /= 2) {
    for (int i = 0; i < w; ++i) x[i] = x[i] < x[i + w] ? x[i] : x[i + w];
  }
  return x[0];
}
template <class T>
FALCONET_INLINE T reduce_max(Vec<T> a) {
  T x[Vec<T>::width];
  a.store(x);
  for (int w = Vec<T>::width / 2; w >= 1; w /= 2) {
    for (int i = 0; i < w; ++i) x[i] = x[i] > x[i + w] ? x[i] : x[i + w];
  }
  return x[0];
}

FALCONET_INLINE void transpose(Vec<float>* x) {
  const float32x4x2_t p = vtrnq_f32(x[0].v, x[1].v), q = vtrnq_f32(x[2].v, x[3].v);
  x[0].v = vcombine_f32(vget_low_f32(p.val[0]), vget_low_f32(q.val[0]));
  x[1].v = vcombine_f32(vget_low_f32(p.val[1]), vget_low_f32(q.val[1]));
  x[2].v = vcombine_f32(vget_high_f32(p.val[0]), vget_high_f32(q.val[0]));
  x[3].v = vcombine_f32(vget_high_f32(p.val[1]), vget_high_f32(q.val[1]));
}
FALCONET_INLINE void transpose(Vec<double>* x) {
  const float64x2_t a = vtrn1q_f64(x[0].v, x[1].v), b = vtrn2q_f64(x[0].v, x[1].v);
  x[0].v = a;
  x[1].v = b;
}

FALCONET_INLINE Vec<float> reduce_add_rows(const Vec<float>* x) {
  const auto pairs = [](float32x4_t u, float32x4_t v) {
    return vaddq_f32(vcombine_f32(vget_low_f32(u), vget_low_f32(v)), vcombine_f32(vget_high_f32(u), vget_high_f32(v)));
  };
  return {vpaddq_f32(pairs(x[0].v, x[1].v), pairs(x[2].v, x[3].v))};
}
FALCONET_INLINE Vec<double> reduce_add_rows(const Vec<double>* x) { return {vpaddq_f64(x[0].v, x[1].v)}; }

}  // namespace falconet::FALCONET_ISA
