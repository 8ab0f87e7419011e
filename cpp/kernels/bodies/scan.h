// Cumulative sums, products, maxima and minima (see ScanArgs in kernels/reduce.h).
#pragma once

#include "kernels/bodies/reduce_ops.h"

namespace falconet::FALCONET_ISA {
namespace {

template <class Op>
void scan(const void* args, int64_t begin, int64_t end) {
  using T = typename Op::T;
  using V = typename Op::V;
  const ScanArgs& a = *static_cast<const ScanArgs*>(args);
  const int64_t strips = (a.inner + kScanStrip - 1) / kScanStrip;
  const int64_t step = a.reverse ? -a.inner : a.inner, first = a.reverse ? (a.n - 1) * a.inner : 0;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t column = unit % strips * kScanStrip;
    const int64_t columns = a.inner - column < kScanStrip ? a.inner - column : kScanStrip;
    const int64_t at = unit / strips * a.n * a.inner + first + column;
    const T* x = static_cast<const T*>(a.x) + at;
    T* y = static_cast<T*>(a.y) + at;
    for (int64_t j = 0; j < columns;) {
      if (j + V::width <= columns) {
        V acc = V::broadcast(Op::identity);
        for (int64_t i = 0; i < a.n; ++i) {
          const V next = Op::apply(acc, V::load(x + i * step + j));
          (a.exclusive ? acc : next).store(y + i * step + j);
          acc = next;
        }
        j += V::width;
      } else {
        T acc = Op::identity;
        for (int64_t i = 0; i < a.n; ++i) {
          const T next = Op::apply(acc, x[i * step + j]);
          y[i * step + j] = a.exclusive ? acc : next;
          acc = next;
        }
        ++j;
      }
    }
  }
}

}  // namespace
}  // namespace falconet::FALCONET_ISA
