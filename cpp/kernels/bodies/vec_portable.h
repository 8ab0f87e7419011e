// Vec in plain C++: 4 lanes of 32 bits, 2 of 64, in loops that compilers turn into the baseline's 16-byte registers. The
// contract is in vec.h. Integers go through their unsigned type, where wrapping is defined.
#pragma once

#include <math.h>

namespace falconet::FALCONET_ISA {

inline constexpr int kVectorRegisters = 16;  // of the x86-64 baseline

struct Mask32 {
  int32_t m[4];  // 0 or -1
};
struct Mask64 {
  int64_t m[2];
};

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  using Mask = Mask32;
  using Int = int32_t;
  using Unsigned = uint32_t;
};
template <>
struct Lanes<int32_t> : Lanes<float> {};
template <>
struct Lanes<double> {
  using Mask = Mask64;
  using Int = int64_t;
  using Unsigned = uint64_t;
};
template <>
struct Lanes<int64_t> : Lanes<double> {};

template <class T>
struct Vec {
  using Mask = typename Lanes<T>::Mask;
  using Int = typename Lanes<T>::Int;
  using Unsigned = typename Lanes<T>::Unsigned;
  static constexpr int width = 16 / sizeof(T);
  T v[width];
  static FALCONET_INLINE Vec load(const T* p) {
    Vec r;
    memcpy(r.v, p, sizeof(r.v));
    return r;
  }
  static FALCONET_INLINE Vec load_partial(const T* p, int n) {
    Vec r = zero();
    for (int i = 0; i < n; ++i) r.v[i] = p[i];
    return r;
  }
  static FALCONET_INLINE Vec broadcast(T x) {
    Vec r;
    for (int i = 0; i < width; ++i) r.v[i] = x;
    return r;
  }
  static FALCONET_INLINE Vec zero() { return broadcast(0); }
  static FALCONET_INLINE Vec iota() {
    Vec r;
    for (int i = 0; i < width; ++i) r.v[i] = static_cast<T>(i);
    return r;
  }
  FALCONET_INLINE void store(T* p) const { memcpy(p, v, sizeof(v)); }
  FALCONET_INLINE void store_partial(T* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = v[i];
  }
};

// r.v[i] = f(i) for every lane, f inlined.
template <class R, class F>
FALCONET_INLINE R each_lane(F f) {
  R r;
  for (int i = 0; i < static_cast<int>(sizeof(r) / sizeof(r.v[0])); ++i) r.v[i] = f(i);
  return r;
}
template <class M, class F>
FALCONET_INLINE M each_mask(F f) {
  M r;
  for (int i = 0; i < static_cast<int>(sizeof(r) / sizeof(r.m[0])); ++i) {
    r.m[i] = -static_cast<decltype(r.m[0] + 0)>(f(i));
  }
  return r;
}

FALCONET_INLINE Vec<int32_t> bits(Vec<float> a) {
  Vec<int32_t> r;
  memcpy(&r, &a, sizeof(r));
  return r;
}
FALCONET_INLINE Vec<int64_t> bits(Vec<double> a) {
  Vec<int64_t> r;
  memcpy(&r, &a, sizeof(r));
  return r;
}
FALCONET_INLINE Vec<int32_t> bits(Vec<int32_t> a) { return a; }
FALCONET_INLINE Vec<int64_t> bits(Vec<int64_t> a) { return a; }
FALCONET_INLINE Vec<float> as_float(Vec<int32_t> a) {
  Vec<float> r;
  memcpy(&r, &a, sizeof(r));
  return r;
}
FALCONET_INLINE Vec<double> as_float(Vec<int64_t> a) {
  Vec<double> r;
  memcpy(&r, &a, sizeof(r));
  return r;
}
template <class T, class I>
FALCONET_INLINE Vec<T> from_bits(Vec<I> a) {
  Vec<T> r;
  memcpy(&r, &a, sizeof(r));
  return r;
}

// Masks.
FALCONET_INLINE Vec<int32_t> lanes(Mask32 a) {
  return each_lane<Vec<int32_t>>([&](int i) { return a.m[i]; });
}
FALCONET_INLINE Vec<int64_t> lanes(Mask64 a) {
  return each_lane<Vec<int64_t>>([&](int i) { return a.m[i]; });
}
FALCONET_INLINE Mask64 widen_lo(Mask32 a) { return {{a.m[0], a.m[1]}}; }
FALCONET_INLINE Mask64 widen_hi(Mask32 a) { return {{a.m[2], a.m[3]}}; }
FALCONET_INLINE Mask32 narrow(Mask64 lo, Mask64 hi) {
  return {{static_cast<int32_t>(lo.m[0]), static_cast<int32_t>(lo.m[1]), static_cast<int32_t>(hi.m[0]),
           static_cast<int32_t>(hi.m[1])}};
}
FALCONET_INLINE Mask32 operator&(Mask32 a, Mask32 b) {
  return each_mask<Mask32>([&](int i) { return (a.m[i] & b.m[i]) != 0; });
}
FALCONET_INLINE Mask32 operator|(Mask32 a, Mask32 b) {
  return each_mask<Mask32>([&](int i) { return (a.m[i] | b.m[i]) != 0; });
}
FALCONET_INLINE Mask32 operator^(Mask32 a, Mask32 b) {
  return each_mask<Mask32>([&](int i) { return a.m[i] != b.m[i]; });
}
FALCONET_INLINE Mask32 operator~(Mask32 a) {
  return each_mask<Mask32>([&](int i) { return a.m[i] == 0; });
}
FALCONET_INLINE bool any(Mask32 a) { return (a.m[0] | a.m[1] | a.m[2] | a.m[3]) != 0; }
FALCONET_INLINE bool all(Mask32 a) { return (a.m[0] & a.m[1] & a.m[2] & a.m[3]) != 0; }
FALCONET_INLINE Mask64 operator&(Mask64 a, Mask64 b) { return {{a.m[0] & b.m[0], a.m[1] & b.m[1]}}; }
FALCONET_INLINE Mask64 operator|(Mask64 a, Mask64 b) { return {{a.m[0] | b.m[0], a.m[1] | b.m[1]}}; }
FALCONET_INLINE Mask64 operator^(Mask64 a, Mask64 b) { return {{a.m[0] ^ b.m[0], a.m[1] ^ b.m[1]}}; }
FALCONET_INLINE Mask64 operator~(Mask64 a) { return {{~a.m[0], ~a.m[1]}}; }
FALCONET_INLINE bool any(Mask64 a) { return (a.m[0] | a.m[1]) != 0; }
FALCONET_INLINE bool all(Mask64 a) { return (a.m[0] & a.m[1]) != 0; }

// Arithmetic of floats as it stands, of integers by their unsigned type.
template <class T>
struct Arithmetic {
  using Type = typename Lanes<T>::Unsigned;
};
template <>
struct Arithmetic<float> {
  using Type = float;
};
template <>
struct Arithmetic<double> {
  using Type = double;
};
template <class T>
FALCONET_INLINE Vec<T> operator+(Vec<T> a, Vec<T> b) {
  using U = typename Arithmetic<T>::Type;
  return each_lane<Vec<T>>([&](int i) { return static_cast<T>(static_cast<U>(a.v[i]) + static_cast<U>(b.v[i])); });
}
template <class T>
FALCONET_INLINE Vec<T> operator-(Vec<T> a, Vec<T> b) {
  using U = typename Arithmetic<T>::Type;
  return each_lane<Vec<T>>([&](int i) { return static_cast<T>(static_cast<U>(a.v[i]) - static_cast<U>(b.v[i])); });
}
template <class T>
FALCONET_INLINE Vec<T> operator*(Vec<T> a, Vec<T> b) {
  using U = typename Arithmetic<T>::Type;
  return each_lane<Vec<T>>([&](int i) { return static_cast<T>(static_cast<U>(a.v[i]) * static_cast<U>(b.v[i])); });
}
FALCONET_INLINE Vec<float> operator/(Vec<float> a, Vec<float> b) {
  return each_lane<Vec<float>>([&](int i) { return a.v[i] / b.v[i]; });
}
FALCONET_INLINE Vec<double> operator/(Vec<double> a, Vec<double> b) {
  return each_lane<Vec<double>>([&](int i) { return a.v[i] / b.v[i]; });
}
template <class T>
FALCONET_INLINE Vec<T> operator&(Vec<T> a, Vec<T> b) {
  const auto x = bits(a), y = bits(b);
  return from_bits<T>(each_lane<decltype(bits(a))>([&](int i) { return x.v[i] & y.v[i]; }));
}
template <class T>
FALCONET_INLINE Vec<T> operator|(Vec<T> a, Vec<T> b) {
  const auto x = bits(a), y = bits(b);
  return from_bits<T>(each_lane<decltype(bits(a))>([&](int i) { return x.v[i] | y.v[i]; }));
}
template <class T>
FALCONET_INLINE Vec<T> operator^(Vec<T> a, Vec<T> b) {
  const auto x = bits(a), y = bits(b);
  return from_bits<T>(each_lane<decltype(bits(a))>([&](int i) { return x.v[i] ^ y.v[i]; }));
}
template <class T>
FALCONET_INLINE Vec<T> operator~(Vec<T> a) {
  const auto x = bits(a);
  return from_bits<T>(each_lane<decltype(bits(a))>([&](int i) { return ~x.v[i]; }));
}
FALCONET_INLINE Vec<float> operator-(Vec<float> a) { return a ^ Vec<float>::broadcast(-0.0f); }
FALCONET_INLINE Vec<double> operator-(Vec<double> a) { return a ^ Vec<double>::broadcast(-0.0); }
FALCONET_INLINE Vec<int32_t> operator-(Vec<int32_t> a) { return Vec<int32_t>::zero() - a; }
FALCONET_INLINE Vec<int64_t> operator-(Vec<int64_t> a) { return Vec<int64_t>::zero() - a; }
template <class T>
FALCONET_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) { return a * b + c; }
template <class T>
FALCONET_INLINE Vec<T> fnma(Vec<T> a, Vec<T> b, Vec<T> c) { return c - a * b; }
template <class T>
FALCONET_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
  return each_lane<Vec<T>>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
template <class T>
FALCONET_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
  return each_lane<Vec<T>>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}

// Comparison.
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator==(Vec<T> a, Vec<T> b) {
  return each_mask<typename Vec<T>::Mask>([&](int i) { return a.v[i] == b.v[i]; });
}
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator!=(Vec<T> a, Vec<T> b) {
  return each_mask<typename Vec<T>::Mask>([&](int i) { return a.v[i] != b.v[i]; });
}
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator<(Vec<T> a, Vec<T> b) {
  return each_mask<typename Vec<T>::Mask>([&](int i) { return a.v[i] < b.v[i]; });
}
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator<=(Vec<T> a, Vec<T> b) {
  return each_mask<typename Vec<T>::Mask>([&](int i) { return a.v[i] <= b.v[i]; });
}
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator>(Vec<T> a, Vec<T> b) { return b < a; }
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator>=(Vec<T> a, Vec<T> b) { return b <= a; }
template <class T>
FALCONET_INLINE Vec<T> select(typename Vec<T>::Mask m, Vec<T> a, Vec<T> b) {
  const auto x = bits(a), y = bits(b), k = lanes(m);
  return from_bits<T>((x & k) | (y & ~k));
}
FALCONET_INLINE Vec<float> abs(Vec<float> a) { return as_float(bits(a) & Vec<int32_t>::broadcast(INT32_MAX)); }
FALCONET_INLINE Vec<double> abs(Vec<double> a) { return as_float(bits(a) & Vec<int64_t>::broadcast(INT64_MAX)); }
template <class T>
FALCONET_INLINE Vec<T> abs(Vec<T> a) { return select(a < Vec<T>::zero(), -a, a); }
FALCONET_INLINE Vec<float> sqrt(Vec<float> a) {
  return each_lane<Vec<float>>([&](int i) { return ::sqrtf(a.v[i]); });
}
FALCONET_INLINE Vec<double> sqrt(Vec<double> a) {
  return each_lane<Vec<double>>([&](int i) { return ::sqrt(a.v[i]); });
}

// Rounding: adding 2^(digits) leaves no fraction bits; larger values have none.
template <class T>
FALCONET_INLINE Vec<T> round(Vec<T> a) {
  const Vec<T> big = Vec<T>::broadcast(sizeof(T) == 4 ? T(8388608) : T(4503599627370496));
  const Vec<T> magnitude = abs(a), sign = a & Vec<T>::broadcast(T(-0.0));
  return select(magnitude < big, ((magnitude + big) - big) | sign, a);
}
template <class T>
FALCONET_INLINE Vec<T> floor(Vec<T> a) {
  const Vec<T> r = round(a), sign = a & Vec<T>::broadcast(T(-0.0));
  return select(r > a, r - Vec<T>::broadcast(1), r) | sign;
}
template <class T>
FALCONET_INLINE Vec<T> ceil(Vec<T> a) {
  const Vec<T> r = round(a), sign = a & Vec<T>::broadcast(T(-0.0));
  return abs(select(r < a, r + Vec<T>::broadcast(1), r)) | sign;
}
template <class T>
FALCONET_INLINE Vec<T> trunc(Vec<T> a) {
  const Vec<T> magnitude = abs(a), r = round(magnitude), sign = a & Vec<T>::broadcast(T(-0.0));
  return select(r > magnitude, r - Vec<T>::broadcast(1), r) | sign;
}

// Conversion.
FALCONET_INLINE Vec<int32_t> to_int(Vec<float> a) {
  return each_lane<Vec<int32_t>>([&](int i) { return static_cast<int32_t>(a.v[i]); });
}
FALCONET_INLINE Vec<int32_t> round_to_int(Vec<float> a) { return to_int(round(a)); }
// 1.5 * 2^52 added leaves the integer, as two's complement, in the lower bits of the sum.
FALCONET_INLINE Vec<int64_t> round_to_int(Vec<double> a) {
  const Vec<double> magic = Vec<double>::broadcast(6755399441055744.0);
  return bits(a + magic) - bits(magic);
}
FALCONET_INLINE Vec<int64_t> to_int(Vec<double> a) { return round_to_int(trunc(a)); }
FALCONET_INLINE Vec<float> to_float(Vec<int32_t> a) {
  return each_lane<Vec<float>>([&](int i) { return static_cast<float>(a.v[i]); });
}
FALCONET_INLINE Vec<double> to_float(Vec<int64_t> a) {
  return each_lane<Vec<double>>([&](int i) { return static_cast<double>(a.v[i]); });
}
FALCONET_INLINE Vec<double> widen_lo(Vec<float> a) { return {{a.v[0], a.v[1]}}; }
FALCONET_INLINE Vec<double> widen_hi(Vec<float> a) { return {{a.v[2], a.v[3]}}; }
FALCONET_INLINE Vec<int64_t> widen_lo(Vec<int32_t> a) { return {{a.v[0], a.v[1]}}; }
FALCONET_INLINE Vec<int64_t> widen_hi(Vec<int32_t> a) { return {{a.v[2], a.v[3]}}; }
FALCONET_INLINE Vec<float> narrow(Vec<double> lo, Vec<double> hi) {
  return {{static_cast<float>(lo.v[0]), static_cast<float>(lo.v[1]), static_cast<float>(hi.v[0]),
           static_cast<float>(hi.v[1])}};
}
FALCONET_INLINE Vec<int32_t> narrow(Vec<int64_t> lo, Vec<int64_t> hi) {
  return {{static_cast<int32_t>(lo.v[0]), static_cast<int32_t>(lo.v[1]), static_cast<int32_t>(hi.v[0]),
           static_cast<int32_t>(hi.v[1])}};
}

// Shifts.
template <class T>
FALCONET_INLINE Vec<T> shift_left(Vec<T> a, Vec<T> k) {
  using U = typename Vec<T>::Unsigned;
  return each_lane<Vec<T>>([&](int i) { return static_cast<T>(static_cast<U>(a.v[i]) << k.v[i]); });
}
template <class T>
FALCONET_INLINE Vec<T> shift_right(Vec<T> a, Vec<T> k) {
  return each_lane<Vec<T>>([&](int i) { return static_cast<T>(a.v[i] >> k.v[i]); });
}
template <class T>
FALCONET_INLINE Vec<T> shift_right_logical(Vec<T> a, Vec<T> k) {
  using U = typename Vec<T>::Unsigned;
  return each_lane<Vec<T>>([&](int i) { return static_cast<T>(static_cast<U>(a.v[i]) >> k.v[i]); });
}
template <int k, class T>
FALCONET_INLINE Vec<T> shift_left(Vec<T> a) { return shift_left(a, Vec<T>::broadcast(k)); }
template <int k, class T>
FALCONET_INLINE Vec<T> shift_right(Vec<T> a) { return shift_right(a, Vec<T>::broadcast(k)); }
template <int k, class T>
FALCONET_INLINE Vec<T> shift_right_logical(Vec<T> a) { return shift_right_logical(a, Vec<T>::broadcast(k)); }

FALCONET_INLINE Vec<int64_t> multiply_low32(Vec<int64_t> a, Vec<int64_t> b) {
  return each_lane<Vec<int64_t>>([&](int i) {
    return static_cast<int64_t>(uint64_t{static_cast<uint32_t>(a.v[i])} * static_cast<uint32_t>(b.v[i]));
  });
}
FALCONET_INLINE Vec<int64_t> interleave_lo(Vec<int64_t> a, Vec<int64_t> b) { return {{a.v[0], b.v[0]}}; }
FALCONET_INLINE Vec<int64_t> interleave_hi(Vec<int64_t> a, Vec<int64_t> b) { return {{a.v[1], b.v[1]}}; }

FALCONET_INLINE Vec<int32_t> as_int32(Vec<int64_t> a) { return from_bits<int32_t>(a); }

// Storage of 16 bits.
FALCONET_INLINE Vec<int32_t> load_u16(const uint16_t* p) { return {{p[0], p[1], p[2], p[3]}}; }
FALCONET_INLINE void store_u16(uint16_t* p, Vec<int32_t> a) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<uint16_t>(a.v[i]);
}
// Exponent and fraction moved into place, then the exponent corrected by an exact multiplication by 2^112, which also
// normalises denormal halves; Inf and NaN get their all-ones exponent back.
FALCONET_INLINE Vec<float> half_to_float(Vec<int32_t> a) {
  using I = Vec<int32_t>;
  const I magnitude = shift_left<13>(a & I::broadcast(0x7FFF));
  const Vec<float> scaled = as_float(magnitude) * as_float(I::broadcast((127 + 112) << 23));
  const I special = lanes(magnitude >= I::broadcast(0x7C00 << 13)) & I::broadcast(0x7F800000);
  // A NaN comes out quiet, as from the hardware conversion.
  const I quiet = lanes(magnitude > I::broadcast(0x7C00 << 13)) & I::broadcast(1 << 22);
  return as_float(bits(scaled) | special | quiet | shift_left<16>(a & I::broadcast(0x8000)));
}
// Normal results: add half of the last place (ties to even) to the bits and shift. Denormal results: adding 0.5 moves
// the value so that the sum's last place is the half's, and the addition rounds.
FALCONET_INLINE Vec<int32_t> float_to_half(Vec<float> a) {
  using I = Vec<int32_t>;
  const I sign = shift_right_logical<16>(bits(a)) & I::broadcast(0x8000), magnitude = bits(abs(a));
  const I odd = shift_right<13>(magnitude) & I::broadcast(1);
  const I normal = shift_right<13>(magnitude + (I::broadcast(0xFFF - (112 << 23)) + odd));
  const Vec<float> half = Vec<float>::broadcast(0.5f);
  const I denormal = bits(as_float(magnitude) + half) - bits(half);
  I r = select(magnitude < I::broadcast(113 << 23), denormal, normal);
  r = select(magnitude >= I::broadcast(143 << 23), I::broadcast(0x7C00), r);
  const I payload = I::broadcast(0x7E00) | (shift_right<13>(magnitude) & I::broadcast(0x1FF));
  return select(magnitude > I::broadcast(0x7F800000), payload, r) | sign;
}

// Reductions: halves, then quarters.
FALCONET_INLINE float reduce_add(Vec<float> a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
FALCONET_INLINE double reduce_add(Vec<double> a) { return a.v[0] + a.v[1]; }
FALCONET_INLINE int32_t reduce_add(Vec<int32_t> a) {
  uint32_t sum = 0;
  for (int i = 0; i < 4; ++i) sum += static_cast<uint32_t>(a.v[i]);
  return static_cast<int32_t>(sum);
}
FALCONET_INLINE int64_t reduce_add(Vec<int64_t> a) {
  return static_cast<int64_t>(static_cast<uint64_t>(a.v[0]) + static_cast<uint64_t>(a.v[1]));
}
template <class T>
FALCONET_INLINE T reduce_min(Vec<T> a) {
  for (int w = Vec<T>::width / 2; w >= 1; w /= 2) {
    for (int i = 0; i < w; ++i) a.v[i] = a.v[i] < a.v[i + w] ? a.v[i] : a.v[i + w];
  }
  return a.v[0];
}
template <class T>
FALCONET_INLINE T reduce_max(Vec<T> a) {
  for (int w = Vec<T>::width / 2; w >= 1; w /= 2) {
    for (int i = 0; i < w; ++i) a.v[i] = a.v[i] > a.v[i + w] ? a.v[i] : a.v[i + w];
  }
  return a.v[0];
}

template <class T>
FALCONET_INLINE void transpose(Vec<T>* x) {
  for (int i = 0; i < Vec<T>::width; ++i) {
    for (int j = 0; j < i; ++j) {
      const T held = x[i].v[j];
      x[i].v[j] = x[j].v[i];
      x[j].v[i] = held;
    }
  }
}

}  // namespace falconet::FALCONET_ISA
