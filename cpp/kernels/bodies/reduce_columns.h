// Column reductions: y[j] = x[0, j] op x[1, j] op ..., one chain a column within a block of kReduceRows rows.
#pragma once

#include "kernels/bodies/reduce_ops.h"

namespace falconet::FALCONET_ISA {
namespace {

inline constexpr int kColumnLevels = 8;  // a group holds at most 2^(kColumnLevels - 1) blocks

// Columns of a unit at most: a page of each row, which hardware prefetches as one stream.
template <class T>
inline constexpr int64_t kMaxStrip = kReduceStripBytes / static_cast<int64_t>(sizeof(T));

// acc[j] = chain over `rows` rows of column j, from the identity. acc has room for whole vectors. x is read inside
// [x, x + (rows - 1) * stride + columns) only.
template <class Op>
FALCONET_INLINE void reduce_column_block(const typename Op::T* x, int64_t rows, int64_t stride, int64_t columns,
                                         typename Op::T* acc) {
  using T = typename Op::T;
  using V = typename Op::V;
  constexpr int W = V::width;
  // Rows this far apart lie in different pages: a few of them at a time, along their whole width.
  constexpr int64_t kFarBytes = 2048;
  constexpr int kRowsAtATime = 8;
  int64_t j = 0;
  if (stride * static_cast<int64_t>(sizeof(T)) > kFarBytes && columns >= 4 * W) {
    const int64_t whole = columns / W * W;
    for (; j < whole; j += W) V::broadcast(Op::identity).store(acc + j);
    int64_t r = 0;
    for (; r + kRowsAtATime <= rows; r += kRowsAtATime) {
      const T* p = x + r * stride;
      for (j = 0; j < whole; j += W) {
        V a = V::load(acc + j);
        for (int k = 0; k < kRowsAtATime; ++k) a = Op::apply(a, V::load(p + k * stride + j));
        a.store(acc + j);
      }
    }
    for (; r < rows; ++r) {
      for (j = 0; j < whole; j += W) Op::apply(V::load(acc + j), V::load(x + r * stride + j)).store(acc + j);
    }
    j = whole;
  }
  // Four vectors of columns at a time give the additions something to overlap with.
  for (; j + 4 * W <= columns; j += 4 * W) {
    V a0 = V::broadcast(Op::identity), a1 = a0, a2 = a0, a3 = a0;
    const T* p = x + j;
    for (int64_t r = 0; r < rows; ++r, p += stride) {
      a0 = Op::apply(a0, V::load(p));
      a1 = Op::apply(a1, V::load(p + W));
      a2 = Op::apply(a2, V::load(p + 2 * W));
      a3 = Op::apply(a3, V::load(p + 3 * W));
    }
    a0.store(acc + j);
    a1.store(acc + j + W);
    a2.store(acc + j + 2 * W);
    a3.store(acc + j + 3 * W);
  }
  for (; j < columns; j += W) {
    V a = V::broadcast(Op::identity);
    const T* p = x + j;
    const int64_t left = columns - j;
    // A whole vector may run into the next row, not past the last one; the lanes beyond `columns` are never used.
    int64_t whole = rows;
    if (left < W) {
      while (whole > 0 && (whole - 1) * stride + W > (rows - 1) * stride + left) --whole;
    }
    int64_t r = 0;
    for (; r < whole; ++r, p += stride) a = Op::apply(a, V::load(p));
    for (; r < rows; ++r, p += stride) a = Op::apply(a, V::load_partial(p, static_cast<int>(left)));
    a.store(acc + j);
  }
}

// The same for any number of rows that a group may have: blocks merged as a binary counter carries.
template <class Op>
void reduce_columns(const typename Op::T* x, int64_t rows, int64_t stride, int64_t columns, typename Op::T* y) {
  using T = typename Op::T;
  using V = typename Op::V;
  alignas(64) T stack[kColumnLevels][kMaxStrip<T>];
  int depth = 0;
  const auto merge = [&] {  // the two highest levels into the lower one
    T* a = stack[depth - 2];
    const T* b = stack[depth - 1];
    for (int64_t j = 0; j < columns; j += V::width) Op::apply(V::load(a + j), V::load(b + j)).store(a + j);
    --depth;
  };
  for (int64_t block = 0; block * kReduceRows < rows; ++block) {
    const int64_t at = block * kReduceRows;
    reduce_column_block<Op>(x + at * stride, rows - at < kReduceRows ? rows - at : kReduceRows, stride, columns,
                            stack[depth++]);
    for (int64_t carry = block; carry & 1; carry >>= 1) merge();
  }
  while (depth > 1) merge();
  memcpy(y, stack[0], static_cast<size_t>(columns) * sizeof(T));
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
