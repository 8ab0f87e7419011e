// k in parts: adds the parts' products, which lie one after the other in the scratch, in the fixed tree of halves.
#include "kernels/bodies/gemm_paths.h"

namespace falconet::FALCONET_ISA {

template <class T>
void run_split(const GemmArgs& args, int64_t begin, int64_t end) {
  using V = Vec<T>;
  constexpr int W = V::width, kMostSplits = 8;
  const GemmPlan& plan = args.plan;
  const int64_t m = plan.problem.m, n = plan.problem.n, splits = plan.splits;
  const T* parts = static_cast<const T*>(args.scratch);
  const T* bias = static_cast<const T*>(args.bias);
  T* const product = Product<T>(args, 0).c;
  const T* const gate = Product<T>(args, 0).gate;
  const int64_t rows = ceil_div(m, plan.units);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t first = unit * rows, last = least(m, first + rows);
    if (first >= last) continue;
    for (int64_t i = first; i < last; ++i) {
      T* c = product + i * plan.problem.ldc;
      for (int64_t j = 0; j < n; j += W) {
        const int cols = static_cast<int>(least(W, n - j));
        V sum[kMostSplits];
        for (int64_t s = 0; s < splits; ++s) sum[s] = V::load_partial(parts + (s * m + i) * n + j, cols);
        for (int64_t half = splits / 2; half > 0; half /= 2) {
          for (int64_t s = 0; s < half; ++s) sum[s] = sum[s] + sum[s + half];
        }
        V y = sum[0];
        if (args.accumulate) y = V::load_partial(c + j, cols) + y;
        if (bias) y = y + V::load_partial(bias + j, cols);
        if (args.relu) y = relu_of(y);
        if (gate) y = gated(y, V::load_partial(gate + (c + j - product), cols));
        y.store_partial(c + j, cols);
      }
    }
    call_epilogue(args, 0, first, last - first, 0, n);
  }
}

template void run_split<float>(const GemmArgs&, int64_t, int64_t);
template void run_split<double>(const GemmArgs&, int64_t, int64_t);

}  // namespace falconet::FALCONET_ISA
