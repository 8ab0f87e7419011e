// What the row kernels are made of: maps over a row, tile by tile, and sums in the lane order of reduce.h.
#pragma once

#include "kernels/bodies/reduce_ops.h"

namespace falconet::FALCONET_ISA {
namespace {

inline constexpr int64_t kRowTile = 512;  // divides kReduceBlock; a tile of doubles is 4 KiB of stack

template <class T>
FALCONET_INLINE Vec<T> take(const T* p, int64_t n) {
  return n >= Vec<T>::width ? Vec<T>::load(p) : Vec<T>::load_partial(p, static_cast<int>(n));
}
template <class T>
FALCONET_INLINE void put(T* p, int64_t n, Vec<T> v) {
  if (n >= Vec<T>::width) {
    v.store(p);
  } else {
    v.store_partial(p, static_cast<int>(n));
  }
}

template <class T>
FALCONET_INLINE typename Vec<T>::Mask lane_below(int64_t n) {
  if constexpr (sizeof(T) == 4) {
    return VecI::iota() < VecI::broadcast(static_cast<int>(n));
  } else {
    return VecL::iota() < VecL::broadcast(n);
  }
}

// The sum of a row that comes in tiles: kRowTile elements each, the last one shorter.
template <class T>
struct RowSum {
  Lanes<Sum<T>> lanes;
  int64_t blocks = 0, filled = 0;
  int depth = 0;
  T stack[48];

  FALCONET_INLINE RowSum() { lanes.start(); }
  FALCONET_INLINE void add(const T* tile, int64_t n) {
    if (filled == kReduceBlock) carry();
    lanes.add(tile, n);
    filled += n;
  }
  // The same for values that are cheap enough to be made twice in the code: map(i, left) gives vector i, of which
  // `left` lanes count.
  template <class Map>
  FALCONET_INLINE void add_map(int64_t n, const Map& map) {
    using V = Vec<T>;
    constexpr int W = V::width, regs = Lanes<Sum<T>>::regs;
    for (int64_t block = 0; block < n; block += kReduceBlock) {
      if (filled == kReduceBlock) carry();
      filled = n - block < kReduceBlock ? n - block : kReduceBlock;
      const int64_t end = block + filled;
      int64_t i = block;
      for (; i + regs * W <= end; i += regs * W) {
        for (int r = 0; r < regs; ++r) lanes.a[r] = lanes.a[r] + map(i + r * W, W);
      }
      for (int r = 0; r < regs && i < end; ++r, i += W) {
        const int64_t left = end - i;
        const V v = map(i, left);
        lanes.a[r] = lanes.a[r] + (left >= W ? v : select(lane_below<T>(left), v, V::zero()));
      }
    }
  }
  FALCONET_INLINE T total() {
    T value = lanes.fold();
    if (blocks == 0) return value;
    for (int64_t c = blocks; c & 1; c >>= 1) value = stack[--depth] + value;
    while (depth > 0) value = stack[--depth] + value;
    return value;
  }

 private:
  void carry() {
    T value = lanes.fold();
    for (int64_t c = blocks; c & 1; c >>= 1) value = stack[--depth] + value;
    stack[depth++] = value;
    ++blocks;
    filled = 0;
    lanes.start();
  }
};

// The maximum, NaN left out (-inf where there is nothing else): a NaN makes the sum of exponentials NaN by itself.
template <class T>
FALCONET_INLINE T row_max(const T* x, int64_t n) {
  using V = Vec<T>;
  constexpr int W = V::width;
  V a = V::broadcast(Limits<T>::lowest), b = a;
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    a = max(V::load(x + i), a);
    b = max(V::load(x + i + W), b);
  }
  if (i + W <= n) {
    a = max(V::load(x + i), a);
    i += W;
  }
  if (i < n) b = max(load_or<T>(x + i, static_cast<int>(n - i), Limits<T>::lowest), b);
  return reduce_max(max(a, b));
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
