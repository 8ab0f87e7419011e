// Vec without intrinsics: 4 lanes of 32 bits, 2 of 64, which compilers put into the baseline's 16-byte registers. The
// contract is in vec.h. Integers go through their unsigned type, where wrapping is defined.
#pragma once

#include <math.h>

namespace falconet::FALCONET_ISA {

inline constexpr int kVectorRegisters = 16;  // of the x86-64 baseline

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  using Int = int32_t;
  using Unsigned = uint32_t;
};
template <>
struct Lanes<int32_t> : Lanes<float> {};
template <>
struct Lanes<uint32_t> : Lanes<float> {};
template <>
struct Lanes<double> {
  using Int = int64_t;
  using Unsigned = uint64_t;
};
template <>
struct Lanes<int64_t> : Lanes<double> {};
template <>
struct Lanes<uint64_t> : Lanes<double> {};

// 16 bytes of T with arithmetic lane by lane; comparisons give lanes of 0 or -1. GCC and Clang have this as a type of
// their language, which they compile far better than arrays; elsewhere it is a class.
#if (defined(__GNUC__) || defined(__clang__)) && !defined(FALCONET_PLAIN_PACK)
template <class T>
struct PackOf {
  typedef T Type __attribute__((vector_size(16)));
};
template <class T>
using Pack = typename PackOf<T>::Type;
#else
template <class T>
struct Pack {
  static constexpr int count = 16 / sizeof(T);
  using Int = Pack<typename Lanes<T>::Int>;
  T x[count];
  FALCONET_INLINE T& operator[](int i) { return x[i]; }
  FALCONET_INLINE const T& operator[](int i) const { return x[i]; }
  template <class R, class F>
  static FALCONET_INLINE R each(F f) {
    R r;
    for (int i = 0; i < count; ++i) r.x[i] = static_cast<decltype(r.x[0] + 0)>(f(i));
    return r;
  }
  friend FALCONET_INLINE Pack operator+(Pack a, Pack b) {
    return each<Pack>([&](int i) { return a[i] + b[i]; });
  }
  friend FALCONET_INLINE Pack operator-(Pack a, Pack b) {
    return each<Pack>([&](int i) { return a[i] - b[i]; });
  }
  friend FALCONET_INLINE Pack operator*(Pack a, Pack b) {
    return each<Pack>([&](int i) { return a[i] * b[i]; });
  }
  friend FALCONET_INLINE Pack operator/(Pack a, Pack b) {
    return each<Pack>([&](int i) { return a[i] / b[i]; });
  }
  friend FALCONET_INLINE Pack operator&(Pack a, Pack b) {
    return each<Pack>([&](int i) { return a[i] & b[i]; });
  }
  friend FALCONET_INLINE Pack operator|(Pack a, Pack b) {
    return each<Pack>([&](int i) { return a[i] | b[i]; });
  }
  friend FALCONET_INLINE Pack operator^(Pack a, Pack b) {
    return each<Pack>([&](int i) { return a[i] ^ b[i]; });
  }
  friend FALCONET_INLINE Pack operator~(Pack a) {
    return each<Pack>([&](int i) { return ~a[i]; });
  }
  friend FALCONET_INLINE Pack operator<<(Pack a, Pack b) {
    return each<Pack>([&](int i) { return a[i] << b[i]; });
  }
  friend FALCONET_INLINE Pack operator>>(Pack a, Pack b) {
    return each<Pack>([&](int i) { return a[i] >> b[i]; });
  }
  friend FALCONET_INLINE Int operator==(Pack a, Pack b) {
    return each<Int>([&](int i) { return -(a[i] == b[i]); });
  }
  friend FALCONET_INLINE Int operator!=(Pack a, Pack b) {
    return each<Int>([&](int i) { return -(a[i] != b[i]); });
  }
  friend FALCONET_INLINE Int operator<(Pack a, Pack b) {
    return each<Int>([&](int i) { return -(a[i] < b[i]); });
  }
  friend FALCONET_INLINE Int operator<=(Pack a, Pack b) {
    return each<Int>([&](int i) { return -(a[i] <= b[i]); });
  }
};
#endif

struct Mask32 {
  Pack<int32_t> m;  // 0 or -1
};
struct Mask64 {
  Pack<int64_t> m;
};
template <class T>
struct MaskOf {
  using Type = Mask32;
};
template <>
struct MaskOf<double> {
  using Type = Mask64;
};
template <>
struct MaskOf<int64_t> {
  using Type = Mask64;
};

template <class T>
struct Vec {
  using Mask = typename MaskOf<T>::Type;
  using Int = typename Lanes<T>::Int;
  using Unsigned = typename Lanes<T>::Unsigned;
  static constexpr int width = 16 / sizeof(T);
  Pack<T> v;
  static FALCONET_INLINE Vec load(const T* p) {
    Vec r;
    memcpy(&r.v, p, sizeof(r.v));
    return r;
  }
  static FALCONET_INLINE Vec load_partial(const T* p, int n) {
    T x[width] = {};
    for (int i = 0; i < n; ++i) x[i] = p[i];
    return load(x);
  }
  static FALCONET_INLINE Vec broadcast(T x) {
    if constexpr (width == 4) {
      return {Pack<T>{x, x, x, x}};
    } else {
      return {Pack<T>{x, x}};
    }
  }
  static FALCONET_INLINE Vec zero() { return broadcast(0); }
  static FALCONET_INLINE Vec iota() {
    if constexpr (width == 4) {
      return {Pack<T>{0, 1, 2, 3}};
    } else {
      return {Pack<T>{0, 1}};
    }
  }
  FALCONET_INLINE void store(T* p) const { memcpy(p, &v, sizeof(v)); }
  FALCONET_INLINE void store_partial(T* p, int n) const {
    T x[width];
    store(x);
    for (int i = 0; i < n; ++i) p[i] = x[i];
  }
};

// The same 16 bytes as another type.
template <class R, class A>
FALCONET_INLINE R recast(A a) {
  static_assert(sizeof(R) == sizeof(A));
  R r;
  memcpy(&r, &a, sizeof(r));
  return r;
}
FALCONET_INLINE Vec<int32_t> bits(Vec<float> a) { return recast<Vec<int32_t>>(a); }
FALCONET_INLINE Vec<int64_t> bits(Vec<double> a) { return recast<Vec<int64_t>>(a); }
FALCONET_INLINE Vec<float> as_float(Vec<int32_t> a) { return recast<Vec<float>>(a); }
FALCONET_INLINE Vec<double> as_float(Vec<int64_t> a) { return recast<Vec<double>>(a); }
FALCONET_INLINE Vec<int32_t> as_int32(Vec<int64_t> a) { return recast<Vec<int32_t>>(a); }
// The pack in which T's bits are operated on, and that in which T is added: floats as they are, integers unsigned.
template <class T>
FALCONET_INLINE Pack<typename Lanes<T>::Unsigned> raw(Vec<T> a) {
  return recast<Pack<typename Lanes<T>::Unsigned>>(a.v);
}
FALCONET_INLINE Pack<float> terms(Vec<float> a) { return a.v; }
FALCONET_INLINE Pack<double> terms(Vec<double> a) { return a.v; }
template <class T>
FALCONET_INLINE Pack<typename Lanes<T>::Unsigned> terms(Vec<T> a) {
  return raw(a);
}

// Masks.
FALCONET_INLINE Vec<int32_t> lanes(Mask32 a) { return {a.m}; }
FALCONET_INLINE Vec<int64_t> lanes(Mask64 a) { return {a.m}; }
FALCONET_INLINE Mask64 widen_lo(Mask32 a) { return {Pack<int64_t>{a.m[0], a.m[1]}}; }
FALCONET_INLINE Mask64 widen_hi(Mask32 a) { return {Pack<int64_t>{a.m[2], a.m[3]}}; }
FALCONET_INLINE Mask32 narrow(Mask64 lo, Mask64 hi) {
  return {Pack<int32_t>{static_cast<int32_t>(lo.m[0]), static_cast<int32_t>(lo.m[1]), static_cast<int32_t>(hi.m[0]),
                        static_cast<int32_t>(hi.m[1])}};
}
FALCONET_INLINE Mask32 operator&(Mask32 a, Mask32 b) { return {a.m & b.m}; }
FALCONET_INLINE Mask32 operator|(Mask32 a, Mask32 b) { return {a.m | b.m}; }
FALCONET_INLINE Mask32 operator^(Mask32 a, Mask32 b) { return {a.m ^ b.m}; }
FALCONET_INLINE Mask32 operator~(Mask32 a) { return {~a.m}; }
FALCONET_INLINE bool any(Mask64 a) { return (a.m[0] | a.m[1]) != 0; }
FALCONET_INLINE bool all(Mask64 a) { return (a.m[0] & a.m[1]) == -1; }
FALCONET_INLINE bool any(Mask32 a) { return any(recast<Mask64>(a)); }
FALCONET_INLINE bool all(Mask32 a) { return all(recast<Mask64>(a)); }
FALCONET_INLINE Mask64 operator&(Mask64 a, Mask64 b) { return {a.m & b.m}; }
FALCONET_INLINE Mask64 operator|(Mask64 a, Mask64 b) { return {a.m | b.m}; }
FALCONET_INLINE Mask64 operator^(Mask64 a, Mask64 b) { return {a.m ^ b.m}; }
FALCONET_INLINE Mask64 operator~(Mask64 a) { return {~a.m}; }

// Arithmetic and bits.
template <class T>
FALCONET_INLINE Vec<T> operator+(Vec<T> a, Vec<T> b) {
  return recast<Vec<T>>(terms(a) + terms(b));
}
template <class T>
FALCONET_INLINE Vec<T> operator-(Vec<T> a, Vec<T> b) {
  return recast<Vec<T>>(terms(a) - terms(b));
}
template <class T>
FALCONET_INLINE Vec<T> operator*(Vec<T> a, Vec<T> b) {
  return recast<Vec<T>>(terms(a) * terms(b));
}
FALCONET_INLINE Vec<float> operator/(Vec<float> a, Vec<float> b) { return {a.v / b.v}; }
FALCONET_INLINE Vec<double> operator/(Vec<double> a, Vec<double> b) { return {a.v / b.v}; }
template <class T>
FALCONET_INLINE Vec<T> operator&(Vec<T> a, Vec<T> b) {
  return recast<Vec<T>>(raw(a) & raw(b));
}
template <class T>
FALCONET_INLINE Vec<T> operator|(Vec<T> a, Vec<T> b) {
  return recast<Vec<T>>(raw(a) | raw(b));
}
template <class T>
FALCONET_INLINE Vec<T> operator^(Vec<T> a, Vec<T> b) {
  return recast<Vec<T>>(raw(a) ^ raw(b));
}
template <class T>
FALCONET_INLINE Vec<T> operator~(Vec<T> a) {
  return recast<Vec<T>>(~raw(a));
}
FALCONET_INLINE Vec<float> operator-(Vec<float> a) { return a ^ Vec<float>::broadcast(-0.0f); }
FALCONET_INLINE Vec<double> operator-(Vec<double> a) { return a ^ Vec<double>::broadcast(-0.0); }
FALCONET_INLINE Vec<int32_t> operator-(Vec<int32_t> a) { return Vec<int32_t>::zero() - a; }
FALCONET_INLINE Vec<int64_t> operator-(Vec<int64_t> a) { return Vec<int64_t>::zero() - a; }
template <class T>
FALCONET_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
  return a * b + c;
}
template <class T>
FALCONET_INLINE Vec<T> fnma(Vec<T> a, Vec<T> b, Vec<T> c) {
  return c - a * b;
}

// Comparison.
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator==(Vec<T> a, Vec<T> b) {
  return recast<typename Vec<T>::Mask>(a.v == b.v);
}
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator!=(Vec<T> a, Vec<T> b) {
  return recast<typename Vec<T>::Mask>(a.v != b.v);
}
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator<(Vec<T> a, Vec<T> b) {
  return recast<typename Vec<T>::Mask>(a.v < b.v);
}
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator<=(Vec<T> a, Vec<T> b) {
  return recast<typename Vec<T>::Mask>(a.v <= b.v);
}
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator>(Vec<T> a, Vec<T> b) {
  return b < a;
}
template <class T>
FALCONET_INLINE typename Vec<T>::Mask operator>=(Vec<T> a, Vec<T> b) {
  return b <= a;
}
template <class T>
FALCONET_INLINE Vec<T> select(typename Vec<T>::Mask m, Vec<T> a, Vec<T> b) {
  const auto k = raw(lanes(m));
  return recast<Vec<T>>((raw(a) & k) | (raw(b) & ~k));
}
template <class T>
FALCONET_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
  return select(a < b, a, b);
}
template <class T>
FALCONET_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
  return select(a > b, a, b);
}
FALCONET_INLINE Vec<float> abs(Vec<float> a) { return as_float(bits(a) & Vec<int32_t>::broadcast(INT32_MAX)); }
FALCONET_INLINE Vec<double> abs(Vec<double> a) { return as_float(bits(a) & Vec<int64_t>::broadcast(INT64_MAX)); }
template <class T>
FALCONET_INLINE Vec<T> abs(Vec<T> a) {
  return select(a < Vec<T>::zero(), -a, a);
}
FALCONET_INLINE Vec<float> sqrt(Vec<float> a) {
  float x[4];
  a.store(x);
  for (int i = 0; i < 4; ++i) x[i] = ::sqrtf(x[i]);
  return Vec<float>::load(x);
}
FALCONET_INLINE Vec<double> sqrt(Vec<double> a) {
  double x[2];
  a.store(x);
  for (int i = 0; i < 2; ++i) x[i] = ::sqrt(x[i]);
  return Vec<double>::load(x);
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
  float x[4];
  int32_t y[4];
  a.store(x);
  for (int i = 0; i < 4; ++i) y[i] = static_cast<int32_t>(x[i]);
  return Vec<int32_t>::load(y);
}
FALCONET_INLINE Vec<int32_t> round_to_int(Vec<float> a) { return to_int(round(a)); }
FALCONET_INLINE Vec<float> to_float(Vec<int32_t> a) {
  int32_t x[4];
  float y[4];
  a.store(x);
  for (int i = 0; i < 4; ++i) y[i] = static_cast<float>(x[i]);
  return Vec<float>::load(y);
}
// 1.5 * 2^52 added leaves the integer, as two's complement, in the lower bits of the sum.
FALCONET_INLINE Vec<int64_t> round_to_int(Vec<double> a) {
  const Vec<double> magic = Vec<double>::broadcast(6755399441055744.0);
  return bits(a + magic) - bits(magic);
}
FALCONET_INLINE Vec<int64_t> to_int(Vec<double> a) { return round_to_int(trunc(a)); }
// The halves are put into the fractions of doubles of known exponents, which are then taken off again: all exact but
// the last addition. The sign bit of the upper half is flipped, which adds 2^63.
FALCONET_INLINE Vec<double> to_float(Vec<int64_t> a) {
  using U = Pack<uint64_t>;
  const U shift = {32, 32}, low = {0xFFFFFFFF, 0xFFFFFFFF};
  const U hi = (raw(a) >> shift) ^ raw(Vec<double>::broadcast(0x1p84 + 0x1p63));
  const U lo = (raw(a) & low) | raw(Vec<double>::broadcast(0x1p52));
  return (recast<Vec<double>>(hi) - Vec<double>::broadcast(0x1p84 + 0x1p63 + 0x1p52)) + recast<Vec<double>>(lo);
}
FALCONET_INLINE Vec<double> widen_lo(Vec<float> a) { return {Pack<double>{a.v[0], a.v[1]}}; }
FALCONET_INLINE Vec<double> widen_hi(Vec<float> a) { return {Pack<double>{a.v[2], a.v[3]}}; }
FALCONET_INLINE Vec<int64_t> widen_lo(Vec<int32_t> a) { return {Pack<int64_t>{a.v[0], a.v[1]}}; }
FALCONET_INLINE Vec<int64_t> widen_hi(Vec<int32_t> a) { return {Pack<int64_t>{a.v[2], a.v[3]}}; }
FALCONET_INLINE Vec<float> narrow(Vec<double> lo, Vec<double> hi) {
  return {Pack<float>{static_cast<float>(lo.v[0]), static_cast<float>(lo.v[1]), static_cast<float>(hi.v[0]),
                      static_cast<float>(hi.v[1])}};
}
FALCONET_INLINE Vec<int32_t> narrow(Vec<int64_t> lo, Vec<int64_t> hi) {
  return {Pack<int32_t>{static_cast<int32_t>(lo.v[0]), static_cast<int32_t>(lo.v[1]), static_cast<int32_t>(hi.v[0]),
                        static_cast<int32_t>(hi.v[1])}};
}

// Shifts. The baseline shifts all lanes by one count well; counts per lane go one by one.
template <class T>
FALCONET_INLINE Vec<T> shift_left(Vec<T> a, Vec<T> k) {
  return recast<Vec<T>>(raw(a) << raw(k));
}
template <class T>
FALCONET_INLINE Vec<T> shift_right_logical(Vec<T> a, Vec<T> k) {
  return recast<Vec<T>>(raw(a) >> raw(k));
}
// Of ~a where a is negative, and complemented again.
template <class T>
FALCONET_INLINE Vec<T> shift_right(Vec<T> a, Vec<T> k) {
  const Vec<T> sign = lanes(a < Vec<T>::zero());
  return shift_right_logical(a ^ sign, k) ^ sign;
}
template <int k, class T>
FALCONET_INLINE Vec<T> shift_left(Vec<T> a) {
  return shift_left(a, Vec<T>::broadcast(k));
}
template <int k, class T>
FALCONET_INLINE Vec<T> shift_right_logical(Vec<T> a) {
  return shift_right_logical(a, Vec<T>::broadcast(k));
}
template <int k>
FALCONET_INLINE Vec<int32_t> shift_right(Vec<int32_t> a) {
  return {a.v >> Vec<int32_t>::broadcast(k).v};
}
// The baseline compares 64-bit lanes slowly; the sign comes from shifting.
template <int k>
FALCONET_INLINE Vec<int64_t> shift_right(Vec<int64_t> a) {
  const Vec<int64_t> sign = Vec<int64_t>::zero() - shift_right_logical<63>(a);
  return shift_right_logical<k>(a ^ sign) ^ sign;
}

FALCONET_INLINE Vec<int64_t> multiply_low32(Vec<int64_t> a, Vec<int64_t> b) {
  const Vec<int64_t> low = Vec<int64_t>::broadcast(0xFFFFFFFF);
  return (a & low) * (b & low);
}
FALCONET_INLINE Vec<int64_t> interleave_lo(Vec<int64_t> a, Vec<int64_t> b) { return {Pack<int64_t>{a.v[0], b.v[0]}}; }
FALCONET_INLINE Vec<int64_t> interleave_hi(Vec<int64_t> a, Vec<int64_t> b) { return {Pack<int64_t>{a.v[1], b.v[1]}}; }

// Storage of 16 bits.
FALCONET_INLINE Vec<int32_t> load_u16(const uint16_t* p) { return {Pack<int32_t>{p[0], p[1], p[2], p[3]}}; }
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

template <class T>
FALCONET_INLINE Vec<T> reduce_add_rows(const Vec<T>* x) {
  Vec<T> r;
  for (int i = 0; i < Vec<T>::width; ++i) r.v[i] = reduce_add(x[i]);
  return r;
}

}  // namespace falconet::FALCONET_ISA
