// The loops of the micro-operations. A family file specialises Op<m, T> for its rows by a static f on one register or
// one value, says with a base class which loop carries it, and instantiates micro<m, T>.
#pragma once

#include "kernels/bodies/pointwise_micro.h"
#include "kernels/bodies/vec.h"

namespace falconet::FALCONET_ISA {

template <Micro m, class T>
struct Op;

// The loops: f takes and gives
struct ByVector {};  // Vec<T>
struct ByMask {};    // Vec<T>; gives a mask
struct ByChoice {};  // a mask and two Vec<T>; gives Vec<T>
struct ByWide {};    // two Vec<double> for a Vec<float>, one after the other
struct ByValue {};   // T; gives T
struct ByTruth {};   // T; gives bool

template <class O, class Loop>
inline constexpr bool kLoop = __is_base_of(Loop, O);

template <int operands, class O, class V>
FALCONET_INLINE auto call(V a, V b, V c) {
  if constexpr (operands == 1) {
    return O::f(a);
  } else if constexpr (operands == 2) {
    return O::f(a, b);
  } else {
    return O::f(a, b, c);
  }
}

// Lanes [0, n) of p, or all where n is at least the width; zeros, reading nothing, where n <= 0.
template <class T>
FALCONET_INLINE Vec<T> load_some(const T* p, int64_t n) {
  if (n >= Vec<T>::width) return Vec<T>::load(p);
  return n > 0 ? Vec<T>::load_partial(p, static_cast<int>(n)) : Vec<T>::zero();
}
template <class T>
FALCONET_INLINE void store_some(Vec<T> v, T* p, int64_t n) {
  if (n >= Vec<T>::width) {
    v.store(p);
  } else if (n > 0) {
    v.store_partial(p, static_cast<int>(n));
  }
}

template <int operands, class O, class T>
FALCONET_INLINE void run_vector(T* y, const T* a, const T* b, const T* c, int64_t n) {
  constexpr int width = Vec<T>::width;
  int64_t i = 0;
  Vec<T> u = Vec<T>::zero(), v = u, w = u;
  for (; i + width <= n; i += width) {
    u = Vec<T>::load(a + i);
    if constexpr (operands > 1) v = Vec<T>::load(b + i);
    if constexpr (operands > 2) w = Vec<T>::load(c + i);
    call<operands, O>(u, v, w).store(y + i);
  }
  if (i == n) return;
  const int left = static_cast<int>(n - i);
  u = Vec<T>::load_partial(a + i, left);
  if constexpr (operands > 1) v = Vec<T>::load_partial(b + i, left);
  if constexpr (operands > 2) w = Vec<T>::load_partial(c + i, left);
  call<operands, O>(u, v, w).store_partial(y + i, left);
}

// One register of 32-bit results at a time: one or two registers of operands.
template <int operands, class O, class T>
FALCONET_INLINE void run_mask(int32_t* y, const T* a, const T* b, int64_t n) {
  constexpr int width = Vec<T>::width;
  for (int64_t i = 0; i < n; i += VecI::width) {
    const int64_t left = n - i;
    const Vec<T> u = load_some(a + i, left);
    Vec<T> v = u;
    if constexpr (operands > 1) v = load_some(b + i, left);
    const auto lo = call<operands, O>(u, v, v);
    if constexpr (sizeof(T) == 4) {
      store_some(lanes(lo), y + i, left);
    } else {
      const Vec<T> p = load_some(a + i + width, left - width);
      Vec<T> q = p;
      if constexpr (operands > 1) q = load_some(b + i + width, left - width);
      store_some(lanes(narrow(lo, call<operands, O>(p, q, q))), y + i, left);
    }
  }
}

template <class O, class T>
FALCONET_INLINE void run_choice(T* y, const int32_t* a, const T* b, const T* c, int64_t n) {
  constexpr int width = Vec<T>::width;
  for (int64_t i = 0; i < n; i += VecI::width) {
    const int64_t left = n - i;
    const Mask32 m = load_some(a + i, left) != VecI::zero();
    if constexpr (sizeof(T) == 4) {
      store_some(O::f(m, load_some(b + i, left), load_some(c + i, left)), y + i, left);
    } else {
      // Both halves are read before either is written.
      const Vec<T> lo = O::f(widen_lo(m), load_some(b + i, left), load_some(c + i, left));
      const T *p = b + i + width, *q = c + i + width;
      const Vec<T> hi = O::f(widen_hi(m), load_some(p, left - width), load_some(q, left - width));
      store_some(lo, y + i, left);
      store_some(hi, y + i + width, left - width);
    }
  }
}

template <int operands, class O>
FALCONET_INLINE void run_wide(float* y, const float* a, const float* b, int64_t n) {
  for (int64_t i = 0; i < n; i += VecF::width) {
    const VecF u = load_some(a + i, n - i);
    VecF v = u;
    if constexpr (operands > 1) v = load_some(b + i, n - i);
    const VecD x[2] = {widen_lo(u), widen_hi(u)}, z[2] = {widen_lo(v), widen_hi(v)};
    store_some(narrow(call<operands, O>(x[0], z[0], z[0]), call<operands, O>(x[1], z[1], z[1])), y + i, n - i);
  }
}

template <int operands, class O, class T, class R>
FALCONET_INLINE void run_values(R* y, const T* a, const T* b, const T* c, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    T v = a[i], w = v;
    if constexpr (operands > 1) v = b[i];
    if constexpr (operands > 2) w = c[i];
    if constexpr (kLoop<O, ByTruth>) {
      y[i] = -static_cast<int32_t>(call<operands, O>(a[i], v, w));
    } else {
      y[i] = call<operands, O>(a[i], v, w);
    }
  }
}

template <Micro m, class T>
void micro(void* y, const void* a, const void* b, const void* c, int64_t n, int64_t) {
  using O = Op<m, T>;
  constexpr int operands = info(m).operands;
  const T *p = static_cast<const T*>(a), *q = static_cast<const T*>(b), *r = static_cast<const T*>(c);
  if constexpr (kLoop<O, ByVector>) {
    run_vector<operands, O>(static_cast<T*>(y), p, q, r, n);
  } else if constexpr (kLoop<O, ByMask>) {
    run_mask<operands, O>(static_cast<int32_t*>(y), p, q, n);
  } else if constexpr (kLoop<O, ByChoice>) {
    run_choice<O>(static_cast<T*>(y), static_cast<const int32_t*>(a), q, r, n);
  } else if constexpr (kLoop<O, ByWide>) {
    run_wide<operands, O>(static_cast<T*>(y), p, q, n);
  } else if constexpr (kLoop<O, ByTruth>) {
    run_values<operands, O>(static_cast<int32_t*>(y), p, q, r, n);
  } else {
    run_values<operands, O>(static_cast<T*>(y), p, q, r, n);
  }
}

#define FALCONET_MICRO(name, type) \
  template void micro<Micro::name, type>(void*, const void*, const void*, const void*, int64_t, int64_t);
#define FALCONET_MICRO_F(name) FALCONET_MICRO(name, float) FALCONET_MICRO(name, double)
#define FALCONET_MICRO_S(name) FALCONET_MICRO(name, int32_t) FALCONET_MICRO(name, int64_t)
#define FALCONET_MICRO_I(name) FALCONET_MICRO_S(name) FALCONET_MICRO(name, uint64_t)
#define FALCONET_MICRO_FS(name) FALCONET_MICRO_F(name) FALCONET_MICRO_S(name)

}  // namespace falconet::FALCONET_ISA
