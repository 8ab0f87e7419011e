// Layer norm and RMS norm, forward and backward (see kernels/rows.h).
#pragma once

#include <math.h>

#include "kernels/bodies/rows_sums.h"
#include "kernels/rows.h"

namespace falconet::FALCONET_ISA {
namespace {

FALCONET_INLINE float root(float x) { return sqrtf(x); }
FALCONET_INLINE double root(double x) { return ::sqrt(x); }

// sum (x - mean)^2
template <class T>
FALCONET_INLINE T square_sum(const T* x, int64_t n, T mean) {
  using V = Vec<T>;
  const V center = V::broadcast(mean);
  RowSum<T> sum;
  sum.add_map(n, [&](int64_t i, int64_t left) {
    const V d = take(x + i, left) - center;
    return d * d;
  });
  return sum.total();
}

template <class T>
void layer_norm(const void* args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  const LayerNormArgs& a = *static_cast<const LayerNormArgs*>(args);
  const int64_t n = a.width;
  const T* gamma = static_cast<const T*>(a.gamma);
  const T* beta = static_cast<const T*>(a.beta);
  const T size = static_cast<T>(n);
  for (int64_t r = begin; r < end; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * n;
    T* y = static_cast<T*>(a.y) + r * n;
    const T mean = a.rms ? T{0} : reduce_span<Sum<T>>(x, n) / size;
    const T rstd = T{1} / root(square_sum(x, n, mean) / size + static_cast<T>(a.epsilon));
    if (a.mean != nullptr && !a.rms) static_cast<T*>(a.mean)[r] = mean;
    if (a.rstd != nullptr) static_cast<T*>(a.rstd)[r] = rstd;
    const V center = V::broadcast(mean), scale = V::broadcast(rstd);
    for (int64_t i = 0; i < n; i += V::width) {
      V v = (take(x + i, n - i) - center) * scale;
      if (gamma != nullptr) v = v * take(gamma + i, n - i);
      if (beta != nullptr) v = v + take(beta + i, n - i);
      put(y + i, n - i, v);
    }
  }
}

// One row of the backward pass: dx, and the row's terms of dgamma and dbeta added to the block's (null: not wanted).
template <class T>
FALCONET_INLINE void layer_norm_grad_row(const LayerNormGradArgs& a, int64_t r, T* dgamma, T* dbeta) {
  using V = Vec<T>;
  const int64_t n = a.width;
  const T* x = static_cast<const T*>(a.x) + r * n;
  const T* dy = static_cast<const T*>(a.dy) + r * n;
  const T* gamma = static_cast<const T*>(a.gamma);
  const T mean = a.rms ? T{0} : static_cast<const T*>(a.mean)[r], rstd = static_cast<const T*>(a.rstd)[r];
  const V center = V::broadcast(mean), scale = V::broadcast(rstd);
  RowSum<T> g_sum, gn_sum;
  if (!a.rms) {
    g_sum.add_map(n, [&](int64_t i, int64_t left) {
      return gamma != nullptr ? take(dy + i, left) * take(gamma + i, left) : take(dy + i, left);
    });
  }
  gn_sum.add_map(n, [&](int64_t i, int64_t left) {
    const V d = take(dy + i, left), norm = (take(x + i, left) - center) * scale;
    if (dgamma != nullptr) put(dgamma + i, left, take(dgamma + i, left) + d * norm);
    if (dbeta != nullptr) put(dbeta + i, left, take(dbeta + i, left) + d);
    return (gamma != nullptr ? d * take(gamma + i, left) : d) * norm;
  });
  if (a.dx == nullptr) return;
  T* dx = static_cast<T*>(a.dx) + r * n;
  const V mean_g = V::broadcast(a.rms ? T{0} : g_sum.total() / static_cast<T>(n));
  const V mean_gn = V::broadcast(gn_sum.total() / static_cast<T>(n));
  for (int64_t i = 0; i < n; i += V::width) {
    const int64_t left = n - i;
    const V norm = (take(x + i, left) - center) * scale;
    V g = take(dy + i, left);
    if (gamma != nullptr) g = g * take(gamma + i, left);
    put(dx + i, left, scale * (g - mean_g - norm * mean_gn));
  }
}

template <class T>
void layer_norm_grad(const void* args, int64_t begin, int64_t end) {
  const LayerNormGradArgs& a = *static_cast<const LayerNormGradArgs*>(args);
  for (int64_t block = begin; block < end; ++block) {
    T* scratch = static_cast<T*>(a.scratch) + block * 2 * a.width;
    T* dgamma = a.dgamma != nullptr ? scratch : nullptr;
    T* dbeta = a.dbeta != nullptr ? scratch + a.width : nullptr;
    if (dgamma != nullptr) memset(dgamma, 0, static_cast<size_t>(a.width) * sizeof(T));
    if (dbeta != nullptr) memset(dbeta, 0, static_cast<size_t>(a.width) * sizeof(T));
    const int64_t stop = (block + 1) * kNormBlock < a.rows ? (block + 1) * kNormBlock : a.rows;
    for (int64_t r = block * kNormBlock; r < stop; ++r) layer_norm_grad_row(a, r, dgamma, dbeta);
  }
}

// Columns of strip `strip`: the two sums of each block, merged pairwise, to their places (null: not wanted).
template <class T>
FALCONET_INLINE void combine_strip(void* scratch, int64_t rows, int64_t width, int64_t strip, void* first,
                                   void* second) {
  const int64_t column = strip * kNormStrip, columns = width - column < kNormStrip ? width - column : kNormStrip;
  const int64_t blocks = (rows + kNormBlock - 1) / kNormBlock;
  void* const outputs[2] = {first, second};
  for (int k = 0; k < 2; ++k) {
    if (outputs[k] == nullptr) continue;
    T* partial = static_cast<T*>(scratch) + k * width + column;
    combine_rows<Sum<T>>(partial, blocks, columns, 2 * width);
    memcpy(static_cast<T*>(outputs[k]) + column, partial, static_cast<size_t>(columns) * sizeof(T));
  }
}

template <class T>
void layer_norm_grad_combine(const void* args, int64_t begin, int64_t end) {
  const LayerNormGradArgs& a = *static_cast<const LayerNormGradArgs*>(args);
  for (int64_t strip = begin; strip < end; ++strip) {
    combine_strip<T>(a.scratch, a.rows, a.width, strip, a.dgamma, a.dbeta);
  }
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
