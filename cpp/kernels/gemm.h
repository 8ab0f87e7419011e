// Matrix product C = op(A) op(B) [+ C] [+ bias] [relu] [gated], row-major, float32 and float64.
//
// The canonical sum. Every element of C is one chain over k in ascending order, c = fma(a[m,k], b[k,n], c), starting at
// 0 (or at the old C where `accumulate`). Blocking over K reloads C as the start of the chain, so blocks, paths, threads
// and ISAs with FMA all give the same bits. One exception, chosen by N and the transposition alone and so the same for
// every M: where N == 1 and A is not transposed, k is dealt to kDotLanes interleaved chains (chain j takes k = j mod
// kDotLanes), added at the end in the fixed tree (j, j + kDotLanes/2), (j, j + kDotLanes/4), ...
// and only then to the old C.
//
// A second exception, chosen by the problem alone too (gemm_splits): where A is transposed, so that k runs over the rows
// of a batch, and C is small, k is cut into equal parts, each a chain, added in the fixed tree of halves and only then
// to the old C. So the threads keep to their rows where a weight's gradient is made.
// Then bias[n] is added, then max(x, 0) taken, then 0 put where the gate is not positive: the same bits as separate
// operations.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/task.h"

namespace falconet {

inline constexpr int kDotLanes = 16;

struct GemmProblem {
  int64_t m = 0, n = 0, k = 0;          // all >= 1 (the executor settles empty products)
  bool trans_a = false, trans_b = false;  // op(A) is (m, k): A is stored (m, k), or (k, m) where trans_a
  int64_t lda = 0, ldb = 0, ldc = 0;    // elements from one stored row to the next
  bool prepacked_b = false;             // b points at what pack_b made; not where gemm_splits is above 1
  // Batched: element [i] of a batch starts at a + a_offset[i] (elements) and so on; null where batch == 1.
  int64_t batch = 1;
};

// Parts of k that are summed apart.
inline int64_t gemm_splits(const GemmProblem& q) {
  constexpr int64_t kLeastSteps = 256, kMostElements = 64 << 10;  // of a part; of the parts' results together
  if (!q.trans_a || q.trans_b || q.batch != 1) return 1;
  int64_t splits = 8;
  while (splits > 1 && (q.k % splits != 0 || q.k / splits < kLeastSteps || splits * q.m * q.n > kMostElements)) splits /= 2;
  return splits;
}

// How a problem is run: made once, at plan time. Depends on the problem, the ISA's table and the threads; only speed does.
struct GemmPlan {
  GemmProblem problem;
  DType dtype = DType::float32;
  int path = 0;                 // private to the kernel
  int64_t mc = 0, nc = 0, kc = 0;
  int64_t pack_units = 0;       // units of `pack` to run first (0: none)
  bool packs_b = false;         // what they pack: B, not A
  int64_t pack_elements = 0;    // that `pack` moves
  int64_t units = 0;            // units of `run`
  int64_t scratch_bytes = 0;    // 64-byte aligned scratch shared by pack and run
  int64_t unit_flops = 0;       // for the executor's choice of grain
  int64_t splits = 1;           // above 1: `pack` makes the products of the parts of k, `run` adds them up
  int64_t part_units = 0, part_scratch_bytes = 0;  // of the parts' own products
};

// Called by `run` for each finished block of C while it is hot: rows [row, row + rows), columns [col, col + cols) of
// batch element `batch`. Blocks do not overlap and cover C.
using GemmEpilogue = void (*)(const void* context, int64_t batch, int64_t row, int64_t rows, int64_t col, int64_t cols);

struct GemmArgs {
  GemmPlan plan;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  void* scratch = nullptr;
  const void* bias = nullptr;  // (n,) or null
  bool relu = false;
  const void* gate = nullptr;  // laid out as C: elements stay where it is above 0, and become 0 elsewhere; or null
  bool accumulate = false;     // false: C is never read before it is written
  const int64_t* a_offset = nullptr;
  const int64_t* b_offset = nullptr;
  const int64_t* c_offset = nullptr;
  GemmEpilogue epilogue = nullptr;
  const void* epilogue_context = nullptr;
};

struct GemmKernels {
  GemmPlan (*plan)(DType dtype, const GemmProblem& problem, int threads);
  TaskFn pack;  // const GemmArgs*: packs what `run` shares; units [0, plan.pack_units)
  TaskFn run;   // const GemmArgs*: units [0, plan.units)
  // Prepacking of a constant B (k, n): for PackBArgs below, units [0, pack_b_units).
  int64_t (*pack_b_bytes)(DType dtype, int64_t k, int64_t n);
  int64_t (*pack_b_units)(DType dtype, int64_t k, int64_t n);
  TaskFn pack_b;
};

struct PackBArgs {
  DType dtype = DType::float32;
  int64_t k = 0, n = 0, ldb = 0;
  bool trans_b = false;
  const void* b = nullptr;
  void* packed = nullptr;
};

}  // namespace falconet
