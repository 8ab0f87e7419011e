// Short rows sorted by their values, as many at a time as a register has lanes: lane l of vector i is element i of row l.
// Batcher's merge exchange (Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M) compares the same places
// whatever the data, so all lanes do the same; and a sorted row of keys is the same however it was sorted.
#pragma once

#include "kernels/bodies/sort_keys.h"

namespace falconet::FALCONET_ISA {
namespace {

// Types of T's size: F moves (transposes), I orders.
template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  using F = float;
  using I = int32_t;
};
template <>
struct Lanes<int32_t> : Lanes<float> {};
template <>
struct Lanes<double> {
  using F = double;
  using I = int64_t;
};
template <>
struct Lanes<int64_t> : Lanes<double> {};

// The order of T as that of a signed integer, NaN the greatest: key_of's order without its top bit turned.
template <class T>
FALCONET_INLINE Vec<typename Lanes<T>::I> lane_keys(Vec<typename Lanes<T>::F> x, bool descending) {
  using I = typename Lanes<T>::I;
  constexpr I kMost = static_cast<I>(~KeyType<T>{0} >> 1);
  Vec<I> k = bits(x);
  if constexpr (KeyOf<T>::is_float) k = k ^ (shift_right<sizeof(T) * 8 - 1>(k) & Vec<I>::broadcast(kMost));
  if (descending) k = ~k;
  if constexpr (KeyOf<T>::is_float) {
    // As bits: the largest exponent and a fraction.
    const Vec<I> magnitude = bits(x) & Vec<I>::broadcast(kMost);
    const T infinity = static_cast<T>(INFINITY);
    I limit;
    memcpy(&limit, &infinity, sizeof(limit));
    k = select(magnitude > Vec<I>::broadcast(limit), Vec<I>::broadcast(kMost), k);
  }
  return k;
}
template <class T>
FALCONET_INLINE Vec<typename Lanes<T>::F> lane_values(Vec<typename Lanes<T>::I> k, bool descending) {
  using I = typename Lanes<T>::I;
  using F = typename Lanes<T>::F;
  constexpr I kMost = static_cast<I>(~KeyType<T>{0} >> 1);
  Vec<I> v = descending ? ~k : k;
  if constexpr (!KeyOf<T>::is_float) {
    return as_float(v);
  } else {
    v = v ^ (shift_right<sizeof(T) * 8 - 1>(v) & Vec<I>::broadcast(kMost));
    return select(k == Vec<I>::broadcast(kMost), Vec<F>::broadcast(static_cast<F>(NAN)), as_float(v));
  }
}

// Puts places i and i + apart in order, for i in [first, last).
template <class I>
FALCONET_INLINE void exchange(I* keys, int64_t first, int64_t last, int64_t apart) {
  constexpr int W = Vec<I>::width;
  for (int64_t i = first; i < last; ++i) {
    const Vec<I> a = Vec<I>::load(keys + i * W), b = Vec<I>::load(keys + (i + apart) * W);
    min(a, b).store(keys + i * W);
    max(a, b).store(keys + (i + apart) * W);
  }
}
template <class I>
void merge_exchange(I* keys, int64_t n) {
  int64_t top = 1;
  while (2 * top < n) top *= 2;
  for (int64_t p = top; p > 0; p /= 2) {
    for (int64_t q = top, r = 0, apart = p;; apart = q - p, q /= 2, r = p) {
      // All i in [0, n - apart) whose bit p is as r has it: runs of p places.
      for (int64_t i = r; i < n - apart; i += 2 * p) exchange(keys, i, i + p < n - apart ? i + p : n - apart, apart);
      if (q == p) break;
    }
  }
}

// The width rows from x on, n elements each, into y, which may be x. keys: n vectors.
template <class T>
void sort_lanes(const T* x, T* y, int64_t n, bool descending, void* keys) {
  using F = typename Lanes<T>::F;
  using I = typename Lanes<T>::I;
  constexpr int W = Vec<F>::width;
  I* k = static_cast<I*>(keys);
  const F* from = reinterpret_cast<const F*>(x);
  F* to = reinterpret_cast<F*>(y);
  Vec<F> v[W];
  for (int64_t i = 0; i < n; i += W) {
    const int count = n - i < W ? static_cast<int>(n - i) : W;
    for (int l = 0; l < W; ++l) {
      v[l] = count == W ? Vec<F>::load(from + l * n + i) : Vec<F>::load_partial(from + l * n + i, count);
    }
    transpose(v);
    for (int j = 0; j < count; ++j) lane_keys<T>(v[j], descending).store(k + (i + j) * W);
  }
  if (n > 1) merge_exchange(k, n);
  for (int64_t i = 0; i < n; i += W) {
    const int count = n - i < W ? static_cast<int>(n - i) : W;
    for (int j = 0; j < W; ++j) v[j] = j < count ? lane_values<T>(Vec<I>::load(k + (i + j) * W), descending) : Vec<F>::zero();
    transpose(v);
    for (int l = 0; l < W; ++l) {
      count == W ? v[l].store(to + l * n + i) : v[l].store_partial(to + l * n + i, count);
    }
  }
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
