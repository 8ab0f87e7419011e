// Strided copies: two innermost axes (rows, columns) by one of three loops, the others by an odometer.
#pragma once

#include "kernels/bodies/vec.h"
#include "kernels/copy_paths.h"
#include "kernels/move.h"

namespace falconet::FALCONET_ISA {
namespace {

// y[t * ys + j] = x[j * xs + t] for a square tile of size * size elements.
template <class T>
struct TransposeTile {
  static constexpr int size = 16;
  static FALCONET_INLINE void run(const T* x, int64_t xs, T* y, int64_t ys) {
    for (int t = 0; t < size; ++t) {
      for (int j = 0; j < size; ++j) y[t * ys + j] = x[j * xs + t];
    }
  }
};
// In registers; the lanes are moved, and never computed with.
template <class T, class Float>
struct TransposeRegisters {
  static constexpr int size = Vec<Float>::width;
  static FALCONET_INLINE void run(const T* x, int64_t xs, T* y, int64_t ys) {
    using V = Vec<Float>;
    V v[size];
    FALCONET_UNROLL
    for (int j = 0; j < size; ++j) v[j] = V::load(reinterpret_cast<const Float*>(x + j * xs));
    transpose(v);
    FALCONET_UNROLL
    for (int t = 0; t < size; ++t) v[t].store(reinterpret_cast<Float*>(y + t * ys));
  }
};
template <>
struct TransposeTile<uint32_t> : TransposeRegisters<uint32_t, float> {};
template <>
struct TransposeTile<uint64_t> : TransposeRegisters<uint64_t, double> {};

// rows: x contiguous, y by ys. columns: y contiguous, x by xs.
template <class T>
FALCONET_INLINE void copy_transpose(const T* x, int64_t xs, T* y, int64_t ys, int64_t rows, int64_t columns) {
  constexpr int kTile = TransposeTile<T>::size;
  const int64_t whole_rows = rows / kTile * kTile, whole_columns = columns / kTile * kTile;
  // Along x first: a unit's rows are few cache lines of x side by side, which the hardware fetches together. A line of y
  // is written at once: rows of y that lie a power of two apart evict one another before their other half would come.
  constexpr int64_t kLine = 64 / sizeof(T) > kTile ? 64 / sizeof(T) : kTile;
  for (int64_t line = 0; line < whole_columns; line += kLine) {
    const int64_t end = line + kLine < whole_columns ? line + kLine : whole_columns;
    for (int64_t t = 0; t < whole_rows; t += kTile) {
      for (int64_t j = line; j < end; j += kTile) TransposeTile<T>::run(x + j * xs + t, xs, y + t * ys + j, ys);
    }
  }
  for (int64_t j = whole_columns; j < columns; ++j) {
    for (int64_t t = 0; t < whole_rows; ++t) y[t * ys + j] = x[j * xs + t];
  }
  for (int64_t t = whole_rows; t < rows; ++t) {
    for (int64_t j = 0; j < columns; ++j) y[t * ys + j] = x[j * xs + t];
  }
}

template <class T>
FALCONET_INLINE void copy_runs(const T* x, int64_t xs, T* y, int64_t ys, int64_t rows, int64_t columns) {
  // Calling memcpy for a handful of elements costs more than they do.
  constexpr int64_t kShortRun = 16;
  if (columns <= kShortRun) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < columns; ++j) y[r * ys + j] = x[r * xs + j];
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r) memcpy(y + r * ys, x + r * xs, static_cast<size_t>(columns) * sizeof(T));
}

// Strides of the innermost axis that compilers have shuffles for are written out.
template <class T>
FALCONET_INLINE void copy_strided(const T* x, int64_t xs0, int64_t xs1, T* y, int64_t ys0, int64_t ys1, int64_t rows,
                                  int64_t columns) {
  for (int64_t r = 0; r < rows; ++r, x += xs0, y += ys0) {
    if (xs1 == 0 && ys1 == 1) {
      const T value = *x;
      for (int64_t j = 0; j < columns; ++j) y[j] = value;
    } else if (ys1 == 1 && xs1 == -1) {
      for (int64_t j = 0; j < columns; ++j) y[j] = x[-j];
    } else if (ys1 == 1 && xs1 == 2) {
      for (int64_t j = 0; j < columns; ++j) y[j] = x[2 * j];
    } else if (ys1 == 1) {
      for (int64_t j = 0; j < columns; ++j) y[j] = x[j * xs1];
    } else {
      for (int64_t j = 0; j < columns; ++j) y[j * ys1] = x[j * xs1];
    }
  }
}

template <class T>
void copy(const void* args, int64_t begin, int64_t end) {
  const CopyArgs& a = *static_cast<const CopyArgs*>(args);
  const int last = a.rank - 1, before = a.rank - 2;
  const int64_t row_chunks = (a.dims[before] + a.row_chunk - 1) / a.row_chunk;
  const int64_t column_chunks = (a.dims[last] + a.column_chunk - 1) / a.column_chunk;
  // The place of unit `begin`, then counted on.
  int64_t chunk_c = begin % column_chunks, chunk_r = begin / column_chunks % row_chunks;
  int64_t rest = begin / column_chunks / row_chunks;
  int64_t at[kCopyRank] = {}, x_at = 0, y_at = 0;
  for (int i = before - 1; i >= 0; --i) {
    at[i] = rest % a.dims[i];
    rest /= a.dims[i];
    x_at += at[i] * a.x_stride[i];
    y_at += at[i] * a.y_stride[i];
  }
  const int64_t xs0 = a.x_stride[before], xs1 = a.x_stride[last], ys0 = a.y_stride[before], ys1 = a.y_stride[last];
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t r = chunk_r * a.row_chunk, c = chunk_c * a.column_chunk;
    const int64_t rows = a.dims[before] - r < a.row_chunk ? a.dims[before] - r : a.row_chunk;
    const int64_t columns = a.dims[last] - c < a.column_chunk ? a.dims[last] - c : a.column_chunk;
    const T* x = static_cast<const T*>(a.x) + x_at + r * xs0 + c * xs1;
    T* y = static_cast<T*>(a.y) + y_at + r * ys0 + c * ys1;
    if (a.path == kCopyRuns) {
      copy_runs(x, xs0, y, ys0, rows, columns);
    } else if (a.path == kCopyTranspose) {
      copy_transpose(x, xs1, y, ys0, rows, columns);
    } else {
      copy_strided(x, xs0, xs1, y, ys0, ys1, rows, columns);
    }
    if (++chunk_c < column_chunks) continue;
    chunk_c = 0;
    if (++chunk_r < row_chunks) continue;
    chunk_r = 0;
    for (int i = before - 1; i >= 0; --i) {
      x_at += a.x_stride[i];
      y_at += a.y_stride[i];
      if (++at[i] < a.dims[i]) break;
      x_at -= a.dims[i] * a.x_stride[i];
      y_at -= a.dims[i] * a.y_stride[i];
      at[i] = 0;
    }
  }
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
