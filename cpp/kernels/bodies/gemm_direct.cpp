// The paths without packing: one vector times a matrix, and small products straight from A and B.
#include "kernels/bodies/gemm_paths.h"

namespace falconet::FALCONET_ISA {
namespace {

// The tiles of `rows` rows of A over `cols` columns of B; t holds everything but the extents.
template <class T>
void direct_rows(Tile<T> t, int rows, int64_t cols) {
  using B = Blocking<T>;
  constexpr int W = Vec<T>::width;
  const Tiles<T>& tiles = TileTable<T>::tiles;
  while (cols > 0) {
    TileFn<T> fn;
    if (rows <= B::kWideRows && cols >= B::kWideVecs * W) {
      fn = tiles.wide[rows - 1], t.cols = B::kWideVecs * W;
    } else if (cols >= 2 * W) {
      fn = tiles.plain[1][rows - 1], t.cols = 2 * W;
    } else if (cols >= W) {
      fn = tiles.plain[0][rows - 1], t.cols = W;
    } else {
      fn = tiles.partial[rows - 1], t.cols = static_cast<int>(cols);
    }
    fn(t);
    t.b += t.cols;
    t.c += t.cols;
    if (t.bias) t.bias += t.cols;
    cols -= t.cols;
  }
}

// y[j] = fma(x[r * x_step], b[r, j], y[j]) for r = 0 .. kRows - 1 in this order; y from 0 unless `resume`.
template <class T, int kRows>
FALCONET_INLINE void add_rows(const T* x, int64_t x_step, const T* b, int64_t ldb, int64_t cols, T* y, bool resume) {
  using V = Vec<T>;
  constexpr int W = V::width;
  V xv[kRows];
  FALCONET_UNROLL
  for (int r = 0; r < kRows; ++r) xv[r] = V::broadcast(x[r * x_step]);
  int64_t j = 0;
  for (; j + W <= cols; j += W) {
    V acc = resume ? V::load(y + j) : V::zero();
    FALCONET_UNROLL
    for (int r = 0; r < kRows; ++r) acc = fma(xv[r], V::load(b + r * ldb + j), acc);
    acc.store(y + j);
  }
  if (j < cols) {
    const int n = static_cast<int>(cols - j);
    V acc = resume ? V::load_partial(y + j, n) : V::zero();
    FALCONET_UNROLL
    for (int r = 0; r < kRows; ++r) acc = fma(xv[r], V::load_partial(b + r * ldb + j, n), acc);
    acc.store_partial(y + j, n);
  }
}

// y[j] (+)= sum_p x[p] b[p, j]: B row by row, in the order of memory where ldb == cols, with y in L1.
template <class T>
void stream_rows(const T* x, int64_t x_step, const T* b, int64_t ldb, int64_t k, int64_t cols, T* y, bool resume) {
  constexpr int kTogether = 8;  // loads and stores of y are a quarter of the loads of B
  int64_t p = 0;
  for (; p + kTogether <= k; p += kTogether) {
    add_rows<T, kTogether>(x + p * x_step, x_step, b + p * ldb, ldb, cols, y, resume || p > 0);
  }
  for (; p + 2 <= k; p += 2) add_rows<T, 2>(x + p * x_step, x_step, b + p * ldb, ldb, cols, y, resume || p > 0);
  if (p < k) add_rows<T, 1>(x + p * x_step, x_step, b + p * ldb, ldb, cols, y, resume || p > 0);
}

template <class T>
void finish_in_place(T* y, int64_t cols, const T* bias, bool relu) {
  using V = Vec<T>;
  for (int64_t j = 0; j < cols; j += V::width) {
    const int n = static_cast<int>(least(V::width, cols - j));
    V v = V::load_partial(y + j, n);
    if (bias) v = v + V::load_partial(bias + j, n);
    if (relu) v = relu_of(v);
    v.store_partial(y + j, n);
  }
}

// Columns [begin, end) of the vector times matrix, contiguous in y.
template <class T>
void vector_block(const Tile<T>& whole, int64_t begin, int64_t end) {
  Tile<T> t = whole;
  t.b += begin;
  if (t.bias) t.bias += begin;
  const int64_t cols = end - begin;
  if (cols <= Blocking<T>::kStreamColumns) {
    direct_rows(t, 1, cols);
    return;
  }
  stream_rows(t.a, t.a_step, t.b, t.b_step, t.k, cols, t.c, t.resume);
  if (t.bias || t.relu) finish_in_place(t.c, cols, t.bias, t.relu);
}

}  // namespace

template <class T>
void run_vector(const GemmArgs& args, int64_t begin, int64_t end) {
  const GemmProblem& problem = args.plan.problem;
  // Either A is the vector, or B is and the product is that of the transposes: the same chains.
  const bool a_is_vector = is_row_times_matrix(problem);
  const int64_t size = a_is_vector ? problem.n : problem.m;
  const int64_t blocks = ceil_div(size, args.plan.nc);
  for (int64_t unit = begin; unit < end; ++unit) {
    const Product<T> q(args, unit / blocks);
    const int64_t first = unit % blocks * args.plan.nc, last = least(first + args.plan.nc, size);
    Tile<T> t = {};
    t.k = q.k;
    t.resume = args.accumulate;
    t.finish = true;
    t.relu = args.relu;
    if (a_is_vector) {
      t.a = q.a, t.a_step = q.a_step, t.b = q.b, t.b_step = q.b_step, t.bias = q.bias;
      t.c = q.c + first;
      vector_block(t, first, last);
      call_epilogue(args, q.batch, 0, 1, first, last - first);
      continue;
    }
    t.a = q.b, t.a_step = q.b_step, t.b = q.a, t.b_step = q.a_step;
    if (q.ldc == 1 && !q.bias) {
      t.c = q.c + first;
      vector_block(t, first, last);
    } else {
      constexpr int64_t kChunk = 512;  // of a column of C, gathered on the stack
      T y[kChunk], bias[kChunk];
      if (q.bias) {
        for (T& each : bias) each = *q.bias;
        t.bias = bias;
      }
      t.c = y;
      for (int64_t i = first; i < last; i += kChunk) {
        const int64_t count = least(kChunk, last - i);
        T* c = q.c + i * q.ldc;
        if (args.accumulate) {
          for (int64_t j = 0; j < count; ++j) y[j] = c[j * q.ldc];
        }
        t.b = q.a + i;
        vector_block(t, 0, count);
        for (int64_t j = 0; j < count; ++j) c[j * q.ldc] = y[j];
      }
    }
    call_epilogue(args, q.batch, first, last - first, 0, 1);
  }
}

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
    const Heights heights(rows, Blocking<T>::kRows);
    for (int64_t i = 0; i < heights.count; ++i) {
      direct_rows(t, heights[i], q.n);
      t.a += heights[i] * t.a_row;
      t.c += heights[i] * t.ldc;
    }
    call_epilogue(args, q.batch, first, rows, 0, q.n);
  }
}

template void run_vector<float>(const GemmArgs&, int64_t, int64_t);
template void run_vector<double>(const GemmArgs&, int64_t, int64_t);
template void run_direct<float>(const GemmArgs&, int64_t, int64_t);
template void run_direct<double>(const GemmArgs&, int64_t, int64_t);

}  // namespace falconet::FALCONET_ISA
