// Small products: tiles straight from A and B, nothing packed.
#include "kernels/bodies/gemm_direct.h"

namespace falconet::FALCONET_ISA {

template <class T>
void run_direct(const GemmArgs& args, int64_t begin, int64_t end) {
  const int64_t blocks = ceil_div(args.plan.problem.m, args.plan.mc);
  for (int64_t unit = begin; unit < end; ++unit) {
    const Product<T> q(args, unit / blocks);
    const int64_t first = unit % blocks * args.plan.mc, rows = least(args.plan.mc, q.m - first);
    Tile<T> t = {};
    t.k = q.k;
    t.a = q.a + first * q.a_row, t.a_row = q.a_row, t.a_step = q.a_step;
    t.b = q.b, t.b_step = q.b_step;
    t.c = q.c + first * q.ldc, t.ldc = q.ldc;
    t.resume = args.accumulate;
    t.finish = true;
    t.bias = q.bias;
    t.relu = args.relu;
    t.gate = q.gate, t.gate_c = q.c;
    const Panels panels(rows, Blocking<T>::kRows);
    for (int64_t i = 0; i < panels.count; ++i) {
      const int height = panels.height(i);
      direct_rows<Stream::plain>(t, height, q.n);
      t.a += height * t.a_row;
      t.c += height * t.ldc;
    }
    call_epilogue(args, q.batch, first, rows, 0, q.n);
  }
}

template void run_direct<float>(const GemmArgs&, int64_t, int64_t);
template void run_direct<double>(const GemmArgs&, int64_t, int64_t);

}  // namespace falconet::FALCONET_ISA
