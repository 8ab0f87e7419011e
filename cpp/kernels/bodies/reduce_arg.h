// argmin and argmax. The answer is unique (first occurrence; the first NaN wins), so no order is prescribed.
#pragma once

#include "kernels/bodies/reduce_columns.h"

namespace falconet::FALCONET_ISA {
namespace {

template <class T>
struct Found {
  int64_t index;
  T value;
};

// The first index of `value` in x[0, n), where it occurs; a NaN matches any NaN.
template <class T>
FALCONET_INLINE int64_t first_equal(const T* x, int64_t n, T value) {
  using V = Vec<T>;
  const V v = V::broadcast(value);
  int64_t i = 0;
  if (value == value) {
    while (i + V::width <= n && !any(V::load(x + i) == v)) i += V::width;
    while (i < n && x[i] != value) ++i;
  } else {
    while (i < n && x[i] == x[i]) ++i;
  }
  return i;
}

template <class Op>
Found<typename Op::T> arg_span(const typename Op::T* x, int64_t n) {
  Found<typename Op::T> best{0, x[0]};
  for (int64_t at = 0; at < n; at += kReduceBlock) {
    const int64_t size = n - at < kReduceBlock ? n - at : kReduceBlock;
    const auto value = reduce_block<Op>(x + at, size);
    if (at == 0 || Op::better(value, best.value)) best = {at + first_equal(x + at, size, value), value};
  }
  return best;
}

// Rows of at most this length are scanned element by element: the vector path has to look twice.
inline constexpr int64_t kArgScalar = 16;
template <class Op>
FALCONET_INLINE Found<typename Op::T> arg_short(const typename Op::T* x, int64_t n) {
  Found<typename Op::T> best{0, x[0]};
  for (int64_t i = 1; i < n; ++i) {
    if (Op::better(x[i], best.value)) best = {i, x[i]};
  }
  return best;
}

template <class T>
struct IndexOf {
  using type = int32_t;
};
template <>
struct IndexOf<double> {
  using type = int64_t;
};
template <>
struct IndexOf<int64_t> {
  using type = int64_t;
};

// N vectors of columns side by side; only the last of them may be partial (`left` columns in all).
template <class Op, int N>
FALCONET_INLINE void arg_column_vectors(const typename Op::T* x, int64_t rows, int64_t stride, int64_t left,
                                        typename Op::T* value, typename IndexOf<typename Op::T>::type* index) {
  using V = typename Op::V;
  using I = typename IndexOf<typename Op::T>::type;
  constexpr int W = V::width;
  const auto take = [left](const typename Op::T* p) {
    return N > 1 || left >= W ? V::load(p) : V::load_partial(p, static_cast<int>(left));
  };
  V best[N];
  Vec<I> at[N];
  for (int v = 0; v < N; ++v) {
    best[v] = take(x + v * W);
    at[v] = Vec<I>::zero();
  }
  for (int64_t r = 1; r < rows; ++r) {
    const Vec<I> here = Vec<I>::broadcast(static_cast<I>(r));
    for (int v = 0; v < N; ++v) {
      const V candidate = take(x + r * stride + v * W);
      const auto wins = Op::better(candidate, best[v]);
      best[v] = select(wins, candidate, best[v]);
      at[v] = select(wins, here, at[v]);
    }
  }
  for (int v = 0; v < N; ++v) {
    best[v].store(value + v * W);
    at[v].store(index + v * W);
  }
}

// value[j], index[j] of each column, in whole vectors; a group has fewer than 2^31 rows.
template <class Op>
void arg_columns(const typename Op::T* x, int64_t rows, int64_t stride, int64_t columns, typename Op::T* value,
                 typename IndexOf<typename Op::T>::type* index) {
  constexpr int W = Op::V::width;
  int64_t j = 0;
  for (; j + 4 * W <= columns; j += 4 * W) {
    arg_column_vectors<Op, 4>(x + j, rows, stride, 4 * W, value + j, index + j);
  }
  for (; j < columns; j += W) arg_column_vectors<Op, 1>(x + j, rows, stride, columns - j, value + j, index + j);
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
