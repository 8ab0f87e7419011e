// The operations of reductions on one element and on a vector, and the fixed tree of a block (see kernels/reduce.h).
//
// apply(acc, x) takes the accumulator first. min, max: NaN wins.
#pragma once

#include <math.h>

#include "kernels/bodies/vec.h"
#include "kernels/reduce.h"

namespace falconet::FALCONET_ISA {
namespace {

template <class T>
struct Limits;
template <>
struct Limits<float> {
  static constexpr float highest = INFINITY, lowest = -INFINITY;
};
template <>
struct Limits<double> {
  static constexpr double highest = INFINITY, lowest = -INFINITY;
};
template <>
struct Limits<int32_t> {
  static constexpr int32_t highest = INT32_MAX, lowest = INT32_MIN;
};
template <>
struct Limits<int64_t> {
  static constexpr int64_t highest = INT64_MAX, lowest = INT64_MIN;
};

// Integers wrap: signed overflow is avoided by going through the unsigned type.
FALCONET_INLINE float wrap_add(float a, float b) { return a + b; }
FALCONET_INLINE double wrap_add(double a, double b) { return a + b; }
FALCONET_INLINE int32_t wrap_add(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
FALCONET_INLINE int64_t wrap_add(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
FALCONET_INLINE float wrap_mul(float a, float b) { return a * b; }
FALCONET_INLINE double wrap_mul(double a, double b) { return a * b; }
FALCONET_INLINE int32_t wrap_mul(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}
FALCONET_INLINE int64_t wrap_mul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

template <class T>
inline constexpr bool kIsFloat = false;
template <>
inline constexpr bool kIsFloat<float> = true;
template <>
inline constexpr bool kIsFloat<double> = true;

template <class T_>
struct Sum {
  using T = T_;
  using V = Vec<T>;
  static constexpr T identity = 0;
  static FALCONET_INLINE T apply(T acc, T x) { return wrap_add(acc, x); }
  static FALCONET_INLINE V apply(V acc, V x) { return acc + x; }
};
template <class T_>
struct Prod {
  using T = T_;
  using V = Vec<T>;
  static constexpr T identity = 1;
  static FALCONET_INLINE T apply(T acc, T x) { return wrap_mul(acc, x); }
  static FALCONET_INLINE V apply(V acc, V x) { return acc * x; }
};
template <class T_>
struct Min {
  using T = T_;
  using V = Vec<T>;
  static constexpr T identity = Limits<T>::highest;
  static FALCONET_INLINE T apply(T acc, T x) { return x < acc || x != x ? x : acc; }
  static FALCONET_INLINE V apply(V acc, V x) {
    if constexpr (kIsFloat<T>)
      return select(x != x, x, min(x, acc));
    else
      return min(x, acc);
  }
  static FALCONET_INLINE bool better(T x, T best) { return x < best || (x != x && best == best); }
  static FALCONET_INLINE typename V::Mask better(V x, V best) {
    if constexpr (kIsFloat<T>)
      return (x < best) | ((x != x) & (best == best));
    else
      return x < best;
  }
};
template <class T_>
struct Max {
  using T = T_;
  using V = Vec<T>;
  static constexpr T identity = Limits<T>::lowest;
  static FALCONET_INLINE T apply(T acc, T x) { return x > acc || x != x ? x : acc; }
  static FALCONET_INLINE V apply(V acc, V x) {
    if constexpr (kIsFloat<T>)
      return select(x != x, x, max(x, acc));
    else
      return max(x, acc);
  }
  static FALCONET_INLINE bool better(T x, T best) { return x > best || (x != x && best == best); }
  static FALCONET_INLINE typename V::Mask better(V x, V best) {
    if constexpr (kIsFloat<T>)
      return (x > best) | ((x != x) & (best == best));
    else
      return x > best;
  }
};

// uint64 as int64: flipping the top bit maps unsigned order to signed order.
FALCONET_INLINE int64_t flip_top(int64_t x) { return x ^ INT64_MIN; }
FALCONET_INLINE VecL flip_top(VecL x) { return x ^ VecL::broadcast(INT64_MIN); }
struct UMin {
  using T = int64_t;
  using V = VecL;
  static constexpr T identity = -1;
  static FALCONET_INLINE T apply(T acc, T x) { return better(x, acc) ? x : acc; }
  static FALCONET_INLINE V apply(V acc, V x) { return select(better(x, acc), x, acc); }
  static FALCONET_INLINE bool better(T x, T best) { return flip_top(x) < flip_top(best); }
  static FALCONET_INLINE Mask64 better(V x, V best) { return flip_top(x) < flip_top(best); }
};
struct UMax {
  using T = int64_t;
  using V = VecL;
  static constexpr T identity = 0;
  static FALCONET_INLINE T apply(T acc, T x) { return better(x, acc) ? x : acc; }
  static FALCONET_INLINE V apply(V acc, V x) { return select(better(x, acc), x, acc); }
  static FALCONET_INLINE bool better(T x, T best) { return flip_top(x) > flip_top(best); }
  static FALCONET_INLINE Mask64 better(V x, V best) { return flip_top(x) > flip_top(best); }
};
// Masks of a tile program, 0 or -1.
struct Any {
  using T = int32_t;
  using V = VecI;
  static constexpr T identity = 0;
  static FALCONET_INLINE T apply(T acc, T x) { return acc | x; }
  static FALCONET_INLINE V apply(V acc, V x) { return acc | x; }
};
struct All {
  using T = int32_t;
  using V = VecI;
  static constexpr T identity = -1;
  static FALCONET_INLINE T apply(T acc, T x) { return acc & x; }
  static FALCONET_INLINE V apply(V acc, V x) { return acc & x; }
};

template <class T>
FALCONET_INLINE Vec<T> load_or(const T* p, int n, T other) {
  if constexpr (sizeof(T) == 4) {
    return select(VecI::iota() < VecI::broadcast(n), Vec<T>::load_partial(p, n), Vec<T>::broadcast(other));
  } else {
    return select(VecL::iota() < VecL::broadcast(n), Vec<T>::load_partial(p, n), Vec<T>::broadcast(other));
  }
}

// The lanes of one vector: (j, j + W/2), (j, j + W/4), ...
template <class Op>
struct Fold {
  static FALCONET_INLINE typename Op::T run(typename Op::V v) {
    constexpr int W = Op::V::width;
    typename Op::T lane[W];
    v.store(lane);
    for (int h = W / 2; h > 0; h /= 2) {
      for (int j = 0; j < h; ++j) lane[j] = Op::apply(lane[j], lane[j + h]);
    }
    return lane[0];
  }
};
template <>
struct Fold<Sum<float>> {
  static FALCONET_INLINE float run(VecF v) { return reduce_add(v); }
};
template <>
struct Fold<Sum<double>> {
  static FALCONET_INLINE double run(VecD v) { return reduce_add(v); }
};
template <class T>
struct Fold<Min<T>> {
  static FALCONET_INLINE T run(Vec<T> v) {
    if constexpr (kIsFloat<T>) {
      if (any(v != v)) return static_cast<T>(NAN);
    }
    return reduce_min(v);
  }
};
template <class T>
struct Fold<Max<T>> {
  static FALCONET_INLINE T run(Vec<T> v) {
    if constexpr (kIsFloat<T>) {
      if (any(v != v)) return static_cast<T>(NAN);
    }
    return reduce_max(v);
  }
};

// The lanes of a block, in registers.
template <class Op>
struct Lanes {
  using T = typename Op::T;
  using V = typename Op::V;
  static constexpr int count = kReduceLaneBytes / sizeof(T), regs = count / V::width;
  V a[regs];

  FALCONET_INLINE void start() {
    for (int r = 0; r < regs; ++r) a[r] = V::broadcast(Op::identity);
  }
  FALCONET_INLINE void load(const void* acc) {
    for (int r = 0; r < regs; ++r) a[r] = V::load(static_cast<const T*>(acc) + r * V::width);
  }
  FALCONET_INLINE void store(void* acc) const {
    for (int r = 0; r < regs; ++r) a[r].store(static_cast<T*>(acc) + r * V::width);
  }
  FALCONET_INLINE void add(const T* x, int64_t n) {
    for (; n >= count; n -= count, x += count) {
      for (int r = 0; r < regs; ++r) a[r] = Op::apply(a[r], V::load(x + r * V::width));
    }
    if (n == 0) return;
    for (int r = 0; r < regs; ++r, n -= V::width) {
      if (n >= V::width) {
        a[r] = Op::apply(a[r], V::load(x + r * V::width));
      } else if (n > 0) {
        a[r] = Op::apply(a[r], load_or<T>(x + r * V::width, static_cast<int>(n), Op::identity));
      }
    }
  }
  FALCONET_INLINE T fold() const { return Fold<Op>::run(folded<0, 1>()); }

 private:
  // Register r after the registers from h on have been folded away: (r, r + regs/2) first, then (r, r + regs/4), ...
  // A recursion, because compilers leave the array of a loop in memory.
  template <int r, int h>
  FALCONET_INLINE V folded() const {
    if constexpr (h == regs) {
      return a[r];
    } else {
      return Op::apply(folded<r, 2 * h>(), folded<r + h, 2 * h>());
    }
  }
};

template <class Op>
FALCONET_INLINE typename Op::T reduce_block(const typename Op::T* x, int64_t n) {
  Lanes<Op> lanes;
  lanes.start();
  lanes.add(x, n);
  return lanes.fold();
}

// Any n >= 1: blocks in order, merged as a binary counter carries; the same pairs as level by level.
template <class Op>
typename Op::T reduce_span(const typename Op::T* x, int64_t n) {
  using T = typename Op::T;
  if (n <= kReduceBlock) return reduce_block<Op>(x, n);
  T stack[64];
  int depth = 0;
  for (int64_t block = 0; block * kReduceBlock < n; ++block) {
    const int64_t at = block * kReduceBlock;
    T value = reduce_block<Op>(x + at, n - at < kReduceBlock ? n - at : kReduceBlock);
    for (int64_t carry = block; carry & 1; carry >>= 1) value = Op::apply(stack[--depth], value);
    stack[depth++] = value;
  }
  T value = stack[--depth];
  while (depth > 0) value = Op::apply(stack[--depth], value);
  return value;
}

// Level by level, in place: row 0 of partial (count, width), rows `stride` apart, becomes the result.
template <class Op>
void combine_rows(typename Op::T* partial, int64_t count, int64_t width, int64_t stride) {
  using V = typename Op::V;
  for (int64_t step = 1; step < count; step *= 2) {
    for (int64_t i = 0; i + step < count; i += 2 * step) {
      typename Op::T* a = partial + i * stride;
      const typename Op::T* b = a + step * stride;
      int64_t j = 0;
      for (; j + V::width <= width; j += V::width) Op::apply(V::load(a + j), V::load(b + j)).store(a + j);
      for (; j < width; ++j) a[j] = Op::apply(a[j], b[j]);
    }
  }
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
