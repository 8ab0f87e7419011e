// Batch norm over the columns of (rows, width): moments, the map itself, and backward (see kernels/rows.h).
#pragma once

#include "kernels/bodies/rows_norm.h"

namespace falconet::FALCONET_ISA {
namespace {

// A block of rows and a strip of columns.
struct Patch {
  int64_t block, row, rows, column, columns;
};
FALCONET_INLINE Patch patch_of(int64_t unit, int64_t rows, int64_t width) {
  const int64_t strips = (width + kNormStrip - 1) / kNormStrip;
  Patch p;
  p.block = unit / strips;
  p.row = p.block * kNormBlock;
  p.rows = rows - p.row < kNormBlock ? rows - p.row : kNormBlock;
  p.column = unit % strips * kNormStrip;
  p.columns = width - p.column < kNormStrip ? width - p.column : kNormStrip;
  return p;
}

// N vectors of columns side by side give the additions something to overlap with; only N == 1 may be partial.
template <class T, int N>
FALCONET_INLINE void moments_columns(const T* x, int64_t rows, int64_t stride, int64_t left, T* mean, T* squares) {
  using V = Vec<T>;
  constexpr int W = V::width;
  const auto load = [left](const T* p) { return N > 1 ? V::load(p) : take(p, left); };
  const V count = V::broadcast(static_cast<T>(rows));
  V center[N], square[N];
  for (int k = 0; k < N; ++k) center[k] = square[k] = V::zero();
  for (int64_t r = 0; r < rows; ++r) {
    for (int k = 0; k < N; ++k) center[k] = center[k] + load(x + r * stride + k * W);
  }
  for (int k = 0; k < N; ++k) center[k] = center[k] / count;
  for (int64_t r = 0; r < rows; ++r) {
    for (int k = 0; k < N; ++k) {
      const V d = load(x + r * stride + k * W) - center[k];
      square[k] = square[k] + d * d;
    }
  }
  for (int k = 0; k < N; ++k) {
    put(mean + k * W, left - k * W, center[k]);
    put(squares + k * W, left - k * W, square[k]);
  }
}

template <class T>
void moments(const void* args, int64_t begin, int64_t end) {
  constexpr int W = Vec<T>::width;
  const MomentsArgs& a = *static_cast<const MomentsArgs*>(args);
  for (int64_t unit = begin; unit < end; ++unit) {
    const Patch p = patch_of(unit, a.rows, a.width);
    const T* x = static_cast<const T*>(a.x) + p.row * a.width + p.column;
    T* mean = static_cast<T*>(a.scratch) + p.block * 2 * a.width + p.column;
    T* squares = mean + a.width;
    int64_t j = 0;
    for (; j + 4 * W <= p.columns; j += 4 * W) {
      moments_columns<T, 4>(x + j, p.rows, a.width, 4 * W, mean + j, squares + j);
    }
    for (; j < p.columns; j += W) {
      moments_columns<T, 1>(x + j, p.rows, a.width, p.columns - j, mean + j, squares + j);
    }
  }
}

template <class T>
void moments_combine(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const MomentsArgs& a = *static_cast<const MomentsArgs*>(args);
  const int64_t blocks = (a.rows + kNormBlock - 1) / kNormBlock;
  const auto rows_before = [&a](int64_t block) { return block * kNormBlock < a.rows ? block * kNormBlock : a.rows; };
  for (int64_t strip = begin; strip < end; ++strip) {
    const Patch p = patch_of(strip, a.rows, a.width);
    T* partial = static_cast<T*>(a.scratch) + p.column;
    for (int64_t step = 1; step < blocks; step *= 2) {
      for (int64_t i = 0; i + step < blocks; i += 2 * step) {
        // Of two sets with n_a and n_b elements, means apart by d:
        //   mean = mean_a + d * n_b / n,   squares = squares_a + squares_b + d^2 * n_a * n_b / n
        const int64_t middle = rows_before(i + step);
        const T n_a = static_cast<T>(middle - rows_before(i)), n_b = static_cast<T>(rows_before(i + 2 * step) - middle);
        const V share = V::broadcast(n_b / (n_a + n_b)), weight = V::broadcast(n_a * (n_b / (n_a + n_b)));
        T* first = partial + i * 2 * a.width;
        const T* second = first + step * 2 * a.width;
        for (int64_t j = 0; j < p.columns; j += V::width) {
          const int64_t left = p.columns - j;
          const V mean = take(first + j, left), d = take(second + j, left) - mean;
          const V squares = take(first + a.width + j, left) + take(second + a.width + j, left);
          put(first + j, left, mean + d * share);
          put(first + a.width + j, left, squares + d * d * weight);
        }
      }
    }
    const V rows = V::broadcast(static_cast<T>(a.rows));
    for (int64_t j = 0; j < p.columns; j += V::width) {
      const int64_t left = p.columns - j;
      put(static_cast<T*>(a.mean) + p.column + j, left, take(partial + j, left));
      put(static_cast<T*>(a.variance) + p.column + j, left, take(partial + a.width + j, left) / rows);
    }
  }
}

// Coefficients by column for a stretch of columns, laid out as the elements of x are. Where a row is shorter than a
// vector, the pattern holds as many rows as a vector has lanes, so that any stretch of whole vectors fits it.
template <class T>
struct ColumnPattern {
  static constexpr int64_t kSize = 256;
  alignas(64) T coefficient[4][kSize];
};

// f(pattern offset, element offset, elements left) for every vector of rows [begin, end); fill(pattern offset, column)
// sets the coefficients of a column.
template <class T, class Fill, class Each>
FALCONET_INLINE void for_columns(int64_t width, int64_t begin, int64_t end, const Fill& fill, const Each& each) {
  constexpr int64_t W = Vec<T>::width;
  if (width < W) {
    const int64_t period = width * W;
    for (int64_t i = 0; i < period; ++i) fill(i, i % width);
    for (int64_t at = begin * width; at < end * width; at += period) {
      const int64_t size = end * width - at < period ? end * width - at : period;
      for (int64_t i = 0; i < size; i += W) each(i, at + i, size - i);
    }
    return;
  }
  for (int64_t column = 0; column < width; column += ColumnPattern<T>::kSize) {
    const int64_t size = width - column < ColumnPattern<T>::kSize ? width - column : ColumnPattern<T>::kSize;
    for (int64_t i = 0; i < size; ++i) fill(i, column + i);
    for (int64_t r = begin; r < end; ++r) {
      for (int64_t i = 0; i < size; i += W) each(i, r * width + column + i, size - i);
    }
  }
}

template <class T>
void batch_norm(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const BatchNormArgs& a = *static_cast<const BatchNormArgs*>(args);
  const T* mean = static_cast<const T*>(a.mean);
  const T* variance = static_cast<const T*>(a.variance);
  const T* gamma = static_cast<const T*>(a.gamma);
  const T* beta = static_cast<const T*>(a.beta);
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  ColumnPattern<T> p;
  const auto fill = [&](int64_t i, int64_t j) {
    const T rstd = T{1} / root(variance[j] + static_cast<T>(a.epsilon));
    p.coefficient[0][i] = mean[j];
    p.coefficient[1][i] = gamma != nullptr ? gamma[j] * rstd : rstd;
    p.coefficient[2][i] = beta != nullptr ? beta[j] : T{0};
  };
  for_columns<T>(a.width, begin, end, fill, [&](int64_t i, int64_t at, int64_t left) {
    const V center = take(p.coefficient[0] + i, left), scale = take(p.coefficient[1] + i, left);
    put(y + at, left, (take(x + at, left) - center) * scale + take(p.coefficient[2] + i, left));
  });
}

// As moments_columns: N vectors of columns, `column` the first.
template <class T, int N>
FALCONET_INLINE void grad_sums_columns(const BatchNormGradArgs& a, const Patch& p, int64_t column, int64_t left,
                                       T* dgamma, T* dbeta) {
  using V = Vec<T>;
  constexpr int W = V::width;
  const auto load = [left](const T* from) { return N > 1 ? V::load(from) : take(from, left); };
  const T* x = static_cast<const T*>(a.x) + p.row * a.width + column;
  const T* dy = static_cast<const T*>(a.dy) + p.row * a.width + column;
  const V epsilon = V::broadcast(static_cast<T>(a.epsilon)), one = V::broadcast(T{1});
  V center[N], rstd[N], product[N], sum[N];
  for (int k = 0; k < N; ++k) {
    center[k] = load(static_cast<const T*>(a.mean) + column + k * W);
    rstd[k] = one / sqrt(load(static_cast<const T*>(a.variance) + column + k * W) + epsilon);
    product[k] = sum[k] = V::zero();
  }
  for (int64_t r = 0; r < p.rows; ++r) {
    for (int k = 0; k < N; ++k) {
      const V d = load(dy + r * a.width + k * W);
      product[k] = product[k] + d * ((load(x + r * a.width + k * W) - center[k]) * rstd[k]);
      sum[k] = sum[k] + d;
    }
  }
  for (int k = 0; k < N; ++k) {
    put(dgamma + k * W, left - k * W, product[k]);
    put(dbeta + k * W, left - k * W, sum[k]);
  }
}

template <class T>
void batch_norm_grad_sums(const void* args, int64_t begin, int64_t end) {
  constexpr int W = Vec<T>::width;
  const BatchNormGradArgs& a = *static_cast<const BatchNormGradArgs*>(args);
  for (int64_t unit = begin; unit < end; ++unit) {
    const Patch p = patch_of(unit, a.rows, a.width);
    T* dgamma = static_cast<T*>(a.scratch) + p.block * 2 * a.width + p.column;
    T* dbeta = dgamma + a.width;
    int64_t j = 0;
    for (; j + 2 * W <= p.columns; j += 2 * W) {
      grad_sums_columns<T, 2>(a, p, p.column + j, 2 * W, dgamma + j, dbeta + j);
    }
    for (; j < p.columns; j += W) {
      grad_sums_columns<T, 1>(a, p, p.column + j, p.columns - j, dgamma + j, dbeta + j);
    }
  }
}

template <class T>
void batch_norm_grad_sums_combine(const void* args, int64_t begin, int64_t end) {
  const BatchNormGradArgs& a = *static_cast<const BatchNormGradArgs*>(args);
  for (int64_t strip = begin; strip < end; ++strip) {
    combine_strip<T>(a.scratch, a.rows, a.width, strip, a.dgamma, a.dbeta);
  }
}

template <class T>
void batch_norm_grad_dx(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const BatchNormGradArgs& a = *static_cast<const BatchNormGradArgs*>(args);
  const T* mean = static_cast<const T*>(a.mean);
  const T* variance = static_cast<const T*>(a.variance);
  const T* gamma = static_cast<const T*>(a.gamma);
  const T* dgamma = static_cast<const T*>(a.dgamma);
  const T* dbeta = static_cast<const T*>(a.dbeta);
  const T* x = static_cast<const T*>(a.x);
  const T* dy = static_cast<const T*>(a.dy);
  T* dx = static_cast<T*>(a.dx);
  const T rows = static_cast<T>(a.rows);
  ColumnPattern<T> p;
  // dx = scale * ((dy - dbeta / rows) - (x - mean) * (rstd * dgamma / rows))
  const auto fill = [&](int64_t i, int64_t j) {
    const T rstd = T{1} / root(variance[j] + static_cast<T>(a.epsilon));
    p.coefficient[0][i] = mean[j];
    p.coefficient[1][i] = rstd * (dgamma[j] / rows);
    p.coefficient[2][i] = dbeta[j] / rows;
    p.coefficient[3][i] = gamma != nullptr ? gamma[j] * rstd : rstd;
  };
  for_columns<T>(a.width, begin, end, fill, [&](int64_t i, int64_t at, int64_t left) {
    const V slope = take(p.coefficient[1] + i, left), shift = take(p.coefficient[2] + i, left);
    const V centered = take(x + at, left) - take(p.coefficient[0] + i, left);
    put(dx + at, left, take(p.coefficient[3] + i, left) * (take(dy + at, left) - shift - centered * slope));
  });
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
