// The table of the matrix product, and the choice of its path.
#include "kernels/bodies/gemm_paths.h"

namespace falconet::FALCONET_ISA {
namespace {

// Parts to cut `count` pieces of about `flops` each into: enough to share out, a multiple of the threads.
template <class T>
int64_t parts_of(int64_t count, int64_t flops, int threads) {
  using B = Blocking<T>;
  if (threads == 1) return 1;
  const int64_t worthwhile = ceil_div(count * flops, B::kUnitFlops);
  return least(count, worthwhile < threads ? worthwhile : round_up(least(worthwhile, threads * B::kUnitsPerThread), threads));
}

// How unevenly `units` fall to the threads: the share of the busiest over the average, in 1/64.
int64_t imbalance(int64_t units, int threads) { return 64 * ceil_div(units, threads) * threads / units; }

// The packed path's units: groups of batch elements, and of each element parts of columns, which pack B each for
// itself, and where these are too few, parts of A's panels (plan.mc counts panels).
template <class T>
void plan_panels(GemmPlan& plan, int threads) {
  using B = Blocking<T>;
  const GemmProblem& q = plan.problem;
  const int64_t panels = ceil_div(q.m, B::kRows);
  plan.path = kPanelPath;
  plan.mc = panels;
  plan.nc = q.n;
  plan.kc = ceil_div(q.k, ceil_div(q.k, B::kKc));
  int64_t groups = 1;
  if (threads > 1) {
    const int64_t wanted = parts_of<T>(q.batch * q.m, 2 * q.n * q.k, threads);
    groups = least(q.batch, wanted);
    const int64_t parts = ceil_div(wanted, groups);
    int64_t best = INT64_MAX;
    // Fewest columns parts first; more where they fall more evenly to the threads by an eighth or better.
    for (int64_t cuts = least(parts, ceil_div(q.n, B::kUnitColumns)); cuts <= least(parts, ceil_div(q.n, B::kNr)); ++cuts) {
      const int64_t nc = round_up(ceil_div(q.n, cuts), B::kNr), col_parts = ceil_div(q.n, nc);
      const int64_t mc = ceil_div(panels, least(ceil_div(parts, col_parts), panels));
      const int64_t uneven = imbalance(groups * col_parts * ceil_div(panels, mc), threads);
      if (uneven + 8 > best) continue;
      best = uneven;
      plan.nc = nc;
      plan.mc = mc;
    }
  }
  const int64_t row_parts = ceil_div(panels, plan.mc), col_parts = ceil_div(q.n, plan.nc);
  plan.units = groups * row_parts * col_parts;
  // Where A has to be packed, a panel is packed as it is used, into L1, unless several blocks of columns would each do
  // it again.
  const bool packs_a_first = packs_a<T>(q) && q.batch == 1 && col_parts * ceil_div(plan.nc, B::kNc) > 1;
  const int64_t b_bytes = packed_b_bytes<T>(q.k, q.n);
  plan.packs_b = !packs_a_first && q.trans_b && !q.prepacked_b && q.batch == 1 && row_parts > 1 && b_bytes <= B::kSharedBytes;
  if (plan.packs_b) {
    plan.pack_units = packed_b_units<T>(q.n);
    plan.pack_elements = q.k * q.n;
    plan.scratch_bytes = b_bytes;
    return;
  }
  if (!q.prepacked_b) {
    plan.scratch_bytes = plan.units * plan.kc * round_up(least(B::kNc, plan.nc), B::kNr) * sizeof(T);
  }
  if (packs_a_first) {
    plan.pack_units = panels;
    plan.pack_elements = q.m * q.k;
    plan.scratch_bytes += packed_a_bytes<T>(q);
  }
}

template <class T>
void run_typed(const GemmArgs& args, int64_t begin, int64_t end) {
  if (args.plan.splits > 1) return run_split<T>(args, begin, end);
  switch (args.plan.path) {
    case kDotPath:
      return run_dot<T>(args, begin, end);
    case kStreamPath:
      return run_stream<T>(args, begin, end);
    case kDirectPath:
      return run_direct<T>(args, begin, end);
    default:
      return run_panels<T>(args, begin, end);
  }
}

template <class T>
GemmPlan make_plan(DType dtype, const GemmProblem& q, int threads);

// k in parts: a batch of products, and then their sum.
template <class T>
GemmPlan split_plan(DType dtype, const GemmProblem& q, int threads, int64_t splits) {
  GemmProblem part = q;
  part.k = q.k / splits;
  part.ldc = q.n;
  part.batch = splits;
  GemmPlan plan = make_plan<T>(dtype, part, threads);
  plan.splits = splits;
  plan.problem.ldc = q.ldc;
  plan.pack_units = plan.part_units = plan.units;
  plan.part_scratch_bytes = plan.scratch_bytes;
  plan.scratch_bytes += round_up(splits * q.m * q.n * sizeof(T), 64);
  plan.units = parts_of<T>(q.m, splits * q.n * sizeof(T) * Blocking<T>::kFlopsPerByte, threads);
  plan.unit_flops = ceil_div(splits * q.m * q.n, plan.units);
  return plan;
}

// The parts' products, into the front of the scratch.
template <class T>
void run_parts(const GemmArgs& args, int64_t begin, int64_t end) {
  const Product<T> whole(args, 0);
  GemmArgs part = args;
  part.a = whole.a;
  part.b = whole.b;
  const GemmProblem& q = args.plan.problem;
  const int64_t splits = args.plan.splits, product_bytes = round_up(splits * q.m * q.n * sizeof(T), 64);
  part.plan.splits = 1;
  part.plan.pack_units = 0;
  part.plan.units = args.plan.part_units;
  part.plan.scratch_bytes = args.plan.part_scratch_bytes;
  part.plan.problem.ldc = q.n;
  part.c = args.scratch;
  part.scratch = static_cast<char*>(args.scratch) + product_bytes;
  part.bias = part.gate = nullptr;
  part.relu = part.accumulate = false;
  part.epilogue = nullptr;
  int64_t offsets[3][8];
  for (int64_t s = 0; s < splits; ++s) {
    offsets[0][s] = s * q.k * q.lda;
    offsets[1][s] = s * q.k * q.ldb;
    offsets[2][s] = s * q.m * q.n;
  }
  part.a_offset = offsets[0];
  part.b_offset = offsets[1];
  part.c_offset = offsets[2];
  run_typed<T>(part, begin, end);
}

template <class T>
GemmPlan make_plan(DType dtype, const GemmProblem& q, int threads) {
  using B = Blocking<T>;
  if (const int64_t splits = gemm_splits(q); splits > 1) return split_plan<T>(dtype, q, threads, splits);
  GemmPlan plan;
  plan.problem = q;
  plan.dtype = dtype;
  const int64_t flops = 2 * q.m * q.n * q.k;
  // The canonical sum demands it (gemm.h); no other path may take such a product.
  const bool is_dot = q.n == 1 && !q.trans_a;
  const bool exchanged = is_exchanged<T>(q);
  // B in place costs nothing while it stays near: above kDirectBytes rows of B evict one another.
  const bool has_rows = b_has_rows(q) && !q.prepacked_b;
  const bool is_direct = !exchanged && has_rows && q.k * q.n * static_cast<int64_t>(sizeof(T)) <= B::kDirectBytes;
  // Too few rows to pay for packing: B streams past once. A packed B streams as well in the packed path.
  const bool is_stream = exchanged || (!is_direct && has_rows && q.m <= B::kStreamRows);
  // Rows (columns of a stream) that make a unit, whole tiles of them.
  const int64_t across = is_stream && !exchanged ? q.n : q.m;
  const int64_t bytes = across == q.m ? (q.k + 2 * q.n) * sizeof(T) : (q.k + 2 * q.m) * sizeof(T);
  const int64_t parts = parts_of<T>(across, greatest(flops / across, B::kFlopsPerByte * bytes), threads);
  const auto cut = [&](int64_t step) { return least(across, round_up(ceil_div(across, parts), step)); };
  if (is_dot) {
    plan.path = kDotPath;
    plan.mc = cut(Vec<T>::width);
    plan.units = q.batch * ceil_div(q.m, plan.mc);
    if (!q.prepacked_b && !q.trans_b && q.ldb != 1 && q.k > 1) {
      plan.pack_units = q.batch;
      plan.pack_elements = q.batch * q.k;
      plan.scratch_bytes = q.batch * q.k * sizeof(T);
    }
  } else if (is_stream) {
    plan.path = kStreamPath;
    plan.nc = cut(across >= threads * B::kStreamUnitColumns ? B::kStreamUnitColumns : B::kFewestStreamColumns);
    plan.units = q.batch * ceil_div(across, plan.nc);
  } else if (is_direct) {
    plan.path = kDirectPath;
    plan.mc = cut(B::kRows);
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

template <class T>
void pack_typed(const GemmArgs& args, int64_t begin, int64_t end) {
  if (args.plan.splits > 1) {
    run_parts<T>(args, begin, end);
  } else if (args.plan.path == kDotPath) {
    pack_dot<T>(args, begin, end);
  } else if (args.plan.packs_b) {
    const GemmProblem& q = args.plan.problem;
    pack_b_panels<T>({args.plan.dtype, q.k, q.n, q.ldb, q.trans_b, Product<T>(args, 0).b, args.scratch}, begin, end);
  } else {
    pack_a_panels<T>(args, begin, end);
  }
}

void pack(const void* untyped, int64_t begin, int64_t end) {
  const GemmArgs& args = *static_cast<const GemmArgs*>(untyped);
  if (args.plan.dtype == DType::float64) {
    pack_typed<double>(args, begin, end);
  } else {
    pack_typed<float>(args, begin, end);
  }
}

int64_t pack_b_units(DType dtype, int64_t, int64_t n) {
  return dtype == DType::float64 ? packed_b_units<double>(n) : packed_b_units<float>(n);
}

int64_t pack_b_bytes(DType dtype, int64_t k, int64_t n) {
  return dtype == DType::float64 ? packed_b_bytes<double>(k, n) : packed_b_bytes<float>(k, n);
}

}  // namespace

extern const GemmKernels gemm_kernels;
const GemmKernels gemm_kernels = {plan, pack, run, pack_b_bytes, pack_b_units, pack_b};

}  // namespace falconet::FALCONET_ISA
