// N == 1, A not transposed: y[i] = sum_p a[i, p] * b[p] in kDotLanes interleaved chains and their fixed tree.
//
// The chains of a row are the lanes of kDotLanes / width registers. The tree over the chains is taken for `width` rows
// at once.
#include "kernels/bodies/gemm_paths.h"

namespace falconet::FALCONET_ISA {
namespace {

// The chains of rows [0, kRows) over k, folded to one register a row. `tail` holds the last k % kDotLanes elements of b
// and then -0: a lane without an element adds 0 * -0 = -0, which changes no chain, not even one that is -0.
template <class T, int kRows>
FALCONET_INLINE void dot_rows(const T* const* row, const T* b, const T* tail, int64_t k, Vec<T>* sums) {
  using V = Vec<T>;
  constexpr int W = V::width, kVecs = kDotLanes / W;
  V acc[kRows][kVecs];
  FALCONET_UNROLL
  for (int i = 0; i < kRows; ++i) {
    FALCONET_UNROLL
    for (int v = 0; v < kVecs; ++v) acc[i][v] = V::zero();
  }
  int64_t p = 0;
  for (; p + kDotLanes <= k; p += kDotLanes) {
    FALCONET_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const V bv = V::load(b + p + v * W);
      FALCONET_UNROLL
      for (int i = 0; i < kRows; ++i) acc[i][v] = fma(V::load(row[i] + p + v * W), bv, acc[i][v]);
    }
  }
  if (p < k) {
    FALCONET_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const int64_t left = k - p - v * W;
      if (left <= 0) break;
      const V bv = V::load(tail + v * W);
      FALCONET_UNROLL
      for (int i = 0; i < kRows; ++i) {
        const V av = V::load_partial(row[i] + p + v * W, static_cast<int>(least(left, W)));
        acc[i][v] = fma(av, bv, acc[i][v]);
      }
    }
  }
  FALCONET_UNROLL
  for (int i = 0; i < kRows; ++i) {
    FALCONET_UNROLL
    for (int half = kVecs / 2; half > 0; half /= 2) {
      FALCONET_UNROLL
      for (int v = 0; v < half; ++v) acc[i][v] = acc[i][v] + acc[i][v + half];
    }
    sums[i] = acc[i][0];
  }
}

// Rows [begin, end) of a product.
template <class T>
void dot_block(const GemmArgs& args, const Product<T>& q, const T* b, int64_t begin, int64_t end) {
  using V = Vec<T>;
  constexpr int W = V::width;
  constexpr int kTogether = 4;  // 4 rows x kDotLanes / width chains cover the latency of an FMA on every ISA
  T tail[kDotLanes];
  const int64_t whole = q.k / kDotLanes * kDotLanes;
  for (int v = 0; v < kDotLanes; ++v) tail[v] = whole + v < q.k ? b[whole + v] : static_cast<T>(-0.0);
  for (int64_t r = begin; r < end; r += W) {
    const int rows = static_cast<int>(least(W, end - r));
    V x[W];
    for (int i = 0; i < W; ++i) x[i] = V::zero();
    int i = 0;
    for (; i + kTogether <= rows; i += kTogether) {
      const T* row[kTogether];
      for (int s = 0; s < kTogether; ++s) row[s] = q.a + (r + i + s) * q.a_row;
      dot_rows<T, kTogether>(row, b, tail, q.k, x + i);
    }
    for (; i < rows; ++i) {
      const T* row = q.a + (r + i) * q.a_row;
      dot_rows<T, 1>(&row, b, tail, q.k, x + i);
    }
    V y = reduce_add_rows(x);
    T* c = q.c + r * q.ldc;
    T held[W];
    if (args.accumulate) {
      for (int j = 0; j < rows; ++j) held[j] = c[j * q.ldc];
      y = V::load_partial(held, rows) + y;
    }
    if (q.bias) y = y + V::broadcast(*q.bias);
    if (args.relu) y = relu_of(y);
    if (q.gate) {
      for (int j = 0; j < rows; ++j) held[j] = q.gate[(r + j) * q.ldc];
      y = gated(y, V::load_partial(held, rows));
    }
    if (q.ldc == 1) {
      y.store_partial(c, rows);
    } else {
      y.store(held);
      for (int j = 0; j < rows; ++j) c[j * q.ldc] = held[j];
    }
  }
  call_epilogue(args, q.batch, begin, end - begin, 0, 1);
}

}  // namespace

template <class T>
void run_dot(const GemmArgs& args, int64_t begin, int64_t end) {
  const int64_t blocks = ceil_div(args.plan.problem.m, args.plan.mc);
  for (int64_t unit = begin; unit < end; ++unit) {
    const Product<T> q(args, unit / blocks);
    const int64_t row = unit % blocks * args.plan.mc;
    // A strided b was gathered by the pack phase.
    const T* b = args.plan.pack_units ? static_cast<const T*>(args.scratch) + q.batch * q.k : q.b;
    dot_block(args, q, b, row, least(row + args.plan.mc, q.m));
  }
}

template <class T>
void pack_dot(const GemmArgs& args, int64_t begin, int64_t end) {
  for (int64_t unit = begin; unit < end; ++unit) {
    const Product<T> q(args, unit);
    T* out = static_cast<T*>(args.scratch) + unit * q.k;
    for (int64_t p = 0; p < q.k; ++p) out[p] = q.b[p * q.b_step];
  }
}

template void run_dot<float>(const GemmArgs&, int64_t, int64_t);
template void run_dot<double>(const GemmArgs&, int64_t, int64_t);
template void pack_dot<float>(const GemmArgs&, int64_t, int64_t);
template void pack_dot<double>(const GemmArgs&, int64_t, int64_t);

}  // namespace falconet::FALCONET_ISA
