// What the paths of the matrix product share: one element of a batch as pointers and strides, and the paths' interface.
#pragma once

#include "kernels/bodies/gemm_pack.h"
#include "kernels/gemm.h"

namespace falconet::FALCONET_ISA {

// GemmPlan::path.
enum GemmPath {
  kDotPath,     // n == 1, A not transposed: interleaved chains
  kStreamPath,  // few rows of A, or few columns of B and A transposed: the other matrix is read once, in streams
  kDirectPath,  // B small and row-major: tiles straight from A and B
  kPanelPath,   // packed panels
};

// Batch element `batch` of a product.
template <class T>
struct Product {
  int64_t batch, m, n, k;
  const T* a;
  int64_t a_row, a_step;  // op(A)[i, p] is a[i * a_row + p * a_step]
  const T* b;
  int64_t b_step, b_column;  // op(B)[p, j] is b[p * b_step + j * b_column]
  T* c;
  int64_t ldc;
  const T* bias;
  const T* gate;  // laid out as c

  Product(const GemmArgs& args, int64_t index) {
    const GemmProblem& q = args.plan.problem;
    batch = index;
    m = q.m, n = q.n, k = q.k;
    a = static_cast<const T*>(args.a) + (args.a_offset ? args.a_offset[index] : 0);
    b = static_cast<const T*>(args.b) + (args.b_offset ? args.b_offset[index] : 0);
    const int64_t c_offset = args.c_offset ? args.c_offset[index] : 0;
    c = static_cast<T*>(args.c) + c_offset;
    gate = args.gate ? static_cast<const T*>(args.gate) + c_offset : nullptr;
    a_row = q.trans_a ? 1 : q.lda, a_step = q.trans_a ? q.lda : 1;
    b_step = q.trans_b ? 1 : q.ldb, b_column = q.trans_b ? q.ldb : 1;
    if (n == 1 && q.prepacked_b) b_step = 1;
    ldc = q.ldc;
    bias = static_cast<const T*>(args.bias);
  }
};

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }
inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t greatest(int64_t a, int64_t b) { return a > b ? a : b; }

inline void call_epilogue(const GemmArgs& args, int64_t batch, int64_t row, int64_t rows, int64_t col, int64_t cols) {
  if (args.epilogue) args.epilogue(args.epilogue_context, batch, row, rows, col, cols);
}

// The panels of m rows: `count` of them, the first `extra` one row higher than the rest, none above `limit`. Balanced,
// so that no thin panel with too few independent chains is left over.
struct Panels {
  int64_t count, base, extra;
  Panels(int64_t m, int64_t limit) : count(ceil_div(m, limit)), base(m / count), extra(m % count) {}
  int height(int64_t i) const { return static_cast<int>(base + (i < extra)); }
  int64_t row(int64_t i) const { return i * base + least(i, extra); }
};

// op(B)'s rows lie in memory as rows, with a step of 1 between columns.
inline bool b_has_rows(const GemmProblem& q) { return !q.trans_b || q.n == 1 || (q.k == 1 && q.ldb == 1); }

// The stream path with A and B exchanged: always for a single column, and for as many as a tile has rows where they
// would leave more than a quarter of their vectors' lanes empty, if there are enough rows to fill vectors instead.
template <class T>
bool is_exchanged(const GemmProblem& q) {
  constexpr int64_t W = Vec<T>::width;
  if (!q.trans_a || q.n == 1) return q.trans_a;
  return !q.prepacked_b && q.n <= Blocking<T>::kExchangedColumns && round_up(q.n, W) * 3 > q.n * 4 && q.m >= 2 * W;
}

// A is packed where the blocking says so and enough columns use it, or packing it is a copy without shuffles; never a
// row that lies as packed already. Else it is read in place, along its rows or columns, unless these lie a multiple
// of 4 KiB apart: then all that a tile reads falls into one set of L1 and evicts itself (256 x 1024 x 128: 91 GFLOP/s in
// place, 103 packed; elsewhere in place gains 2 to 10 %).
template <class T>
bool packs_a(const GemmProblem& q) {
  if (q.m == 1 && !q.trans_a) return false;
  return (Blocking<T>::kPacksA && (q.trans_a || q.n > Blocking<T>::kFewColumns)) ||
         (q.m > 1 && q.lda * static_cast<int64_t>(sizeof(T)) % 4096 == 0);
}

// Whether tiles read A as a packed panel.
template <class T>
bool has_panels_of_a(const GemmProblem& q) {
  return packs_a<T>(q) || (q.m == 1 && !q.trans_a);
}

// Scratch that the pack phase of the packed path fills: A's panels one after the other.
template <class T>
int64_t packed_a_bytes(const GemmProblem& q) {
  return round_up(q.m * q.k * static_cast<int64_t>(sizeof(T)), 64);
}

// The whole of B (k, n) in panels, and the units that packing it falls into; a single column is one.
template <class T>
int64_t packed_b_bytes(int64_t k, int64_t n) {
  return k * sizeof(T) * (n == 1 ? 1 : round_up(n, Blocking<T>::kNr));
}
template <class T>
int64_t packed_b_units(int64_t n) {
  return ceil_div(n, Blocking<T>::kNr);
}

// Units [begin, end) of each path and of its pack phase.
template <class T>
void run_dot(const GemmArgs& args, int64_t begin, int64_t end);
template <class T>
void pack_dot(const GemmArgs& args, int64_t begin, int64_t end);
template <class T>
void run_stream(const GemmArgs& args, int64_t begin, int64_t end);
template <class T>
void run_direct(const GemmArgs& args, int64_t begin, int64_t end);
template <class T>
void run_split(const GemmArgs& args, int64_t begin, int64_t end);
template <class T>
void run_panels(const GemmArgs& args, int64_t begin, int64_t end);
template <class T>
void pack_a_panels(const GemmArgs& args, int64_t begin, int64_t end);
template <class T>
void pack_b_panels(const PackBArgs& args, int64_t begin, int64_t end);

}  // namespace falconet::FALCONET_ISA
