// The table of the matrix product, and the choice of its path.
#include "kernels/bodies/gemm_paths.h"

namespace falconet::FALCONET_ISA {
namespace {

// The packed path's units. One thread: one unit, so that a block of B is packed in the same L2-sized scratch throughout.
// Threads: columns first, because each unit then packs its own part of B and nothing is shared; rows too where there
// are too few columns for that, and then B is packed once, by the pack phase, for all of them.
template <class T>
void plan_panels(GemmPlan& plan, int threads) {
  using B = Blocking<T>;
  const GemmProblem& q = plan.problem;
  const int64_t flops = 2 * q.m * q.n * q.k;
  plan.path = kPanelPath;
  plan.mc = q.m;
  plan.nc = q.n;
  plan.kc = ceil_div(q.k, ceil_div(q.k, B::kKc));
  int64_t groups = 1;
  if (threads > 1) {
    const int64_t wanted = least(threads * B::kUnitsPerThread, ceil_div(q.batch * flops, B::kUnitFlops));
    groups = least(q.batch, wanted);
    int64_t parts = ceil_div(wanted, groups);  // of each batch element
    const int64_t most_columns = ceil_div(q.n, B::kUnitColumns);
    plan.nc = round_up(ceil_div(q.n, least(parts, most_columns)), B::kNr);
    parts = ceil_div(parts, ceil_div(q.n, plan.nc));
    if (q.batch == 1 && parts > 1) plan.mc = round_up(ceil_div(q.m, parts), B::kRows);
  }
  const int64_t row_parts = ceil_div(q.m, plan.mc);
  plan.units = groups * row_parts * ceil_div(q.n, plan.nc);
  if (q.prepacked_b) return;
  if (row_parts > 1) {
    plan.pack_units = ceil_div(q.n, B::kNr);
    plan.scratch_bytes = round_up(q.n, B::kNr) * q.k * sizeof(T);
  } else {
    const int64_t block = plan.kc * round_up(least(B::kNc, plan.nc), B::kNr) * sizeof(T);
    plan.scratch_bytes = plan.units * round_up(block, 64);
  }
}

template <class T>
GemmPlan make_plan(DType dtype, const GemmProblem& q, int threads) {
  using B = Blocking<T>;
  GemmPlan plan;
  plan.problem = q;
  plan.dtype = dtype;
  const int64_t flops = 2 * q.m * q.n * q.k;
  // The canonical sum demands it (gemm.h); no other path may take such a product.
  const bool is_dot = q.n == 1 && !q.trans_a;
  // One vector and a matrix whose rows lie in memory as the path reads them: the matrix is read once, so there is
  // nothing to pack for. A packed B is already in a better order.
  const bool is_vector = !is_dot && (q.n == 1 || (is_row_times_matrix(q) && !q.prepacked_b));
  // B in place costs nothing while it stays near: above kDirectBytes rows of B evict one another.
  const bool is_direct = b_has_rows(q) && !q.prepacked_b && q.k * q.n * static_cast<int64_t>(sizeof(T)) <= B::kDirectBytes;
  // Rows (columns of a vector product) that make a unit worth handing over.
  const int64_t grain = ceil_div(B::kUnitFlops, flops / (is_vector ? q.m * q.n : q.m));
  if (is_dot) {
    plan.path = kDotPath;
    plan.mc = threads > 1 ? least(q.m, round_up(grain, B::kRows * 8)) : q.m;
    plan.units = q.batch * ceil_div(q.m, plan.mc);
    if (!q.prepacked_b && !q.trans_b && q.ldb != 1 && q.k > 1) {
      plan.pack_units = q.batch;
      plan.scratch_bytes = q.batch * q.k * sizeof(T);
    }
  } else if (is_vector) {
    plan.path = kVectorPath;
    const int64_t size = q.m * q.n;
    plan.nc = threads > 1 ? least(size, round_up(grain, B::kStreamColumns)) : size;
    plan.units = q.batch * ceil_div(size, plan.nc);
  } else if (is_direct) {
    plan.path = kDirectPath;
    plan.mc = threads > 1 ? least(q.m, round_up(grain, B::kRows)) : q.m;
    plan.units = q.batch * ceil_div(q.m, plan.mc);
  } else {
    plan_panels<T>(plan, threads);
  }
  plan.unit_flops = ceil_div(q.batch * flops, plan.units);
  return plan;
}

GemmPlan plan(DType dtype, const GemmProblem& problem, int threads) {
  return dtype == DType::float64 ? make_plan<double>(dtype, problem, threads)
                                 : make_plan<float>(dtype, problem, threads);
}

template <class T>
void run_typed(const GemmArgs& args, int64_t begin, int64_t end) {
  switch (args.plan.path) {
    case kDotPath:
      return run_dot<T>(args, begin, end);
    case kVectorPath:
      return run_vector<T>(args, begin, end);
    case kDirectPath:
      return run_direct<T>(args, begin, end);
    default:
      return run_panels<T>(args, begin, end);
  }
}

void run(const void* untyped, int64_t begin, int64_t end) {
  const GemmArgs& args = *static_cast<const GemmArgs*>(untyped);
  if (args.plan.dtype == DType::float64) {
    run_typed<double>(args, begin, end);
  } else {
    run_typed<float>(args, begin, end);
  }
}

void pack_b(const void* untyped, int64_t begin, int64_t end) {
  const PackBArgs& args = *static_cast<const PackBArgs*>(untyped);
  if (args.dtype == DType::float64) {
    pack_b_panels<double>(args, begin, end);
  } else {
    pack_b_panels<float>(args, begin, end);
  }
}

void pack(const void* untyped, int64_t begin, int64_t end) {
  const GemmArgs& args = *static_cast<const GemmArgs*>(untyped);
  const GemmProblem& q = args.plan.problem;
  if (args.plan.path == kPanelPath) {  // batch == 1
    const int64_t offset = args.b_offset ? args.b_offset[0] : 0;
    const void* b = args.plan.dtype == DType::float64 ? static_cast<const void*>(static_cast<const double*>(args.b) + offset)
                                                      : static_cast<const float*>(args.b) + offset;
    const PackBArgs panels = {args.plan.dtype, q.k, q.n, q.ldb, q.trans_b, b, args.scratch};
    pack_b(&panels, begin, end);
  } else if (args.plan.dtype == DType::float64) {
    pack_dot<double>(args, begin, end);
  } else {
    pack_dot<float>(args, begin, end);
  }
}

int64_t pack_b_units(DType dtype, int64_t, int64_t n) {
  return ceil_div(n, dtype == DType::float64 ? Blocking<double>::kNr : Blocking<float>::kNr);
}

template <class T>
int64_t packed_bytes(int64_t k, int64_t n) {
  return k * sizeof(T) * (n == 1 ? 1 : round_up(n, Blocking<T>::kNr));
}

int64_t pack_b_bytes(DType dtype, int64_t k, int64_t n) {
  return dtype == DType::float64 ? packed_bytes<double>(k, n) : packed_bytes<float>(k, n);
}

}  // namespace

extern const GemmKernels gemm_kernels;
const GemmKernels gemm_kernels = {plan, pack, run, pack_b_bytes, pack_b_units, pack_b};

}  // namespace falconet::FALCONET_ISA
