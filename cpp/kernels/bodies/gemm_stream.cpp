// Few rows times a matrix: C's block stays in L1, and B is read once, a few whole rows at a time, as sequential streams
// that the hardware prefetchers follow. A product with a single column and A transposed is the same with A and B
// exchanged.
#include "kernels/bodies/gemm_direct.h"

namespace falconet::FALCONET_ISA {
namespace {

// c[i, j] = fma(a[i, r], b[r, j], c[i, j]) for r = 0 .. kSteps - 1 in this order; c from 0 unless t.resume.
template <class T, int kRows, int kSteps>
FALCONET_INLINE void add_steps(const Tile<T>& t, int64_t cols) {
  using V = Vec<T>;
  constexpr int W = V::width;
  V av[kRows][kSteps];
  FALCONET_UNROLL
  for (int i = 0; i < kRows; ++i) {
    FALCONET_UNROLL
    for (int r = 0; r < kSteps; ++r) av[i][r] = V::broadcast(t.a[i * t.a_row + r * t.a_step]);
  }
  const T* b = t.b;
  T* c = t.c;
  const int64_t b_step = t.b_step, ldc = t.ldc;
  const bool resume = t.resume;
  int64_t j = 0;
  for (; j + W <= cols; j += W) {
    V acc[kRows];
    FALCONET_UNROLL
    for (int i = 0; i < kRows; ++i) acc[i] = resume ? V::load(c + i * ldc + j) : V::zero();
    FALCONET_UNROLL
    for (int r = 0; r < kSteps; ++r) {
      const V bv = V::load(b + r * b_step + j);
      FALCONET_UNROLL
      for (int i = 0; i < kRows; ++i) acc[i] = fma(av[i][r], bv, acc[i]);
    }
    FALCONET_UNROLL
    for (int i = 0; i < kRows; ++i) acc[i].store(c + i * ldc + j);
  }
  if (j == cols) return;
  const int n = static_cast<int>(cols - j);
  V acc[kRows];
  FALCONET_UNROLL
  for (int i = 0; i < kRows; ++i) acc[i] = resume ? V::load_partial(c + i * ldc + j, n) : V::zero();
  FALCONET_UNROLL
  for (int r = 0; r < kSteps; ++r) {
    const V bv = V::load_partial(b + r * b_step + j, n);
    FALCONET_UNROLL
    for (int i = 0; i < kRows; ++i) acc[i] = fma(av[i][r], bv, acc[i]);
  }
  FALCONET_UNROLL
  for (int i = 0; i < kRows; ++i) acc[i].store_partial(c + i * ldc + j, n);
}

template <class T, int kRows>
void add_all_steps(Tile<T> t, int64_t cols) {
  constexpr int kSteps = Blocking<T>::stream_steps(kRows);
  while (t.k > 0) {
    int steps = 1;
    if (t.k >= kSteps) {
      steps = kSteps;
      add_steps<T, kRows, kSteps>(t, cols);
    } else {
      add_steps<T, kRows, 1>(t, cols);
    }
    t.k -= steps;
    t.a += steps * t.a_step;
    t.b += steps * t.b_step;
    t.resume = true;
  }
}

// The same for any number of rows, in groups that meet the same few rows of B while these are in L1.
template <class T>
void add_all_rows(Tile<T> t, int rows, int64_t cols) {
  using Fn = void (*)(Tile<T>, int64_t);
  static_assert(Blocking<T>::kStreamGroup == 4);
  constexpr Fn kFns[] = {add_all_steps<T, 1>, add_all_steps<T, 2>, add_all_steps<T, 3>, add_all_steps<T, 4>};
  constexpr int64_t kTogether = 4;
  const Panels groups(rows, Blocking<T>::kStreamGroup);
  const int64_t together = groups.count == 1 ? t.k : kTogether;
  for (int64_t left = t.k; left > 0; left -= t.k) {
    t.k = least(together, left);
    Tile<T> group = t;
    for (int64_t i = 0; i < groups.count; ++i) {
      const int height = groups.height(i);
      kFns[height - 1](group, cols);
      group.a += height * t.a_row;
      group.c += height * t.ldc;
    }
    t.a += t.k * t.a_step;
    t.b += t.k * t.b_step;
    t.resume = true;
  }
}

// `rows` rows of C over `cols` columns, rows * cols <= kStreamBlock, in a copy of C on the stack: C itself may lie a
// little above B modulo 4096 bytes, and then each load of B waits for a store of C that only seems to be to its address
// (measured at 64 and 128 bytes above, 35 % and 13 % slower). The copy lies half a page from B.
template <class T>
void stream_rows(const Tile<T>& t, int rows, int64_t cols) {
  using V = Vec<T>;
  constexpr uintptr_t kPage = 4096, kLine = 64;
  alignas(64) T buffer[Blocking<T>::kStreamBlock + kPage / sizeof(T)];
  const uintptr_t from_b = reinterpret_cast<uintptr_t>(t.b) + kPage / 2 - reinterpret_cast<uintptr_t>(buffer);
  T* const y = buffer + from_b % kPage / kLine * kLine / sizeof(T);
  Tile<T> u = t;
  u.c = y;
  u.ldc = cols;
  if (t.resume) {
    for (int i = 0; i < rows; ++i) memcpy(y + i * cols, t.c + i * t.ldc, cols * sizeof(T));
  }
  add_all_rows(u, rows, cols);
  for (int i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; j += V::width) {
      const int n = static_cast<int>(least(V::width, cols - j));
      V v = V::load_partial(y + i * cols + j, n);
      if (t.bias) v = v + V::load_partial(t.bias + j, n);
      if (t.relu) v = relu_of(v);
      T* c = t.c + i * t.ldc + j;
      if (t.gate) v = gated(v, V::load_partial(t.gate + (c - t.gate_c), n));
      v.store_partial(c, n);
    }
  }
}

// The same for any number of rows; t holds everything but the extents.
template <class T>
void stream_block(const Tile<T>& t, int rows, int64_t cols) {
  const bool is_high = rows > Blocking<T>::kStreamRows;
  if (!is_high && cols > Blocking<T>::kStreamColumns) return stream_rows(t, rows, cols);
  Tile<T> u = t;
  const Panels panels(rows, Blocking<T>::kRows);
  for (int64_t i = 0; i < panels.count; ++i) {
    const int height = panels.height(i);
    if (is_high) {
      direct_rows<Stream::far>(u, height, cols);
    } else {
      direct_rows<Stream::plain>(u, height, cols);
    }
    u.a += height * t.a_row;
    u.c += height * t.ldc;
  }
}

// c[i, j] = y[j, i], then bias, relu and gate, for i < rows and j < cols.
template <class T>
void store_transposed(const T* y, int64_t ldy, int64_t rows, int64_t cols, const T* bias, bool relu, const T* gate,
                      T* c, int64_t ldc) {
  using V = Vec<T>;
  constexpr int W = V::width;
  for (int64_t i = 0; i < rows; i += W) {
    const int height = static_cast<int>(least(W, rows - i));
    for (int64_t j = 0; j < cols; j += W) {
      const int width = static_cast<int>(least(W, cols - j));
      V x[W];
      for (int v = 0; v < W; ++v) {
        x[v] = v < width ? V::load_partial(y + (j + v) * ldy + i, height) : V::zero();
        if (bias && v < width) x[v] = x[v] + V::broadcast(bias[j + v]);
        if (relu) x[v] = relu_of(x[v]);
      }
      transpose(x);
      for (int v = 0; v < height; ++v) {
        const int64_t at = (i + v) * ldc + j;
        if (gate) x[v] = gated(x[v], V::load_partial(gate + at, width));
        x[v].store_partial(c + at, width);
      }
    }
  }
}

// Rows [begin, end) of C with A and B exchanged: the transpose of C, few rows, is made on the stack.
template <class T>
void run_exchanged(const GemmArgs& args, const Product<T>& q, Tile<T> t, int64_t begin, int64_t end) {
  t.a = q.b, t.a_row = q.b_column, t.a_step = q.b_step;
  t.b_step = q.a_step;
  const int64_t step = Blocking<T>::kStreamBlock / q.n;
  if (q.n == 1 && q.ldc == 1 && !q.bias) {
    for (int64_t i = begin; i < end; i += step) {
      t.b = q.a + i;
      t.c = q.c + i;
      stream_block(t, 1, least(step, end - i));
    }
    return;
  }
  T y[Blocking<T>::kStreamBlock];
  t.c = y;
  t.ldc = step;
  t.relu = false;
  t.gate = nullptr;
  for (int64_t i = begin; i < end; i += step) {
    const int64_t rows = least(step, end - i);
    T* c = q.c + i * q.ldc;
    if (args.accumulate) {
      for (int64_t j = 0; j < q.n; ++j) {
        for (int64_t r = 0; r < rows; ++r) y[j * step + r] = c[r * q.ldc + j];
      }
    }
    t.b = q.a + i;
    stream_block(t, static_cast<int>(q.n), rows);
    store_transposed(y, step, rows, q.n, q.bias, args.relu, q.gate ? q.gate + (c - q.c) : nullptr, c, q.ldc);
  }
}

}  // namespace

template <class T>
void run_stream(const GemmArgs& args, int64_t begin, int64_t end) {
  const GemmProblem& problem = args.plan.problem;
  const bool exchanged = is_exchanged<T>(problem);
  const int64_t size = exchanged ? problem.m : problem.n;
  const int64_t blocks = ceil_div(size, args.plan.nc);
  for (int64_t unit = begin; unit < end; ++unit) {
    const Product<T> q(args, unit / blocks);
    const int64_t first = unit % blocks * args.plan.nc, last = least(first + args.plan.nc, size);
    Tile<T> t = {};
    t.k = q.k;
    t.resume = args.accumulate;
    t.finish = true;
    t.relu = args.relu;
    t.gate = q.gate, t.gate_c = q.c;
    if (exchanged) {
      run_exchanged(args, q, t, first, last);
      call_epilogue(args, q.batch, first, last - first, 0, q.n);
      continue;
    }
    t.a = q.a, t.a_row = q.a_row, t.a_step = q.a_step;
    t.b_step = q.b_step, t.ldc = q.ldc;
    const int64_t step = Blocking<T>::kStreamBlock / q.m;
    for (int64_t j = first; j < last; j += step) {
      t.b = q.b + j;
      t.c = q.c + j;
      t.bias = q.bias ? q.bias + j : nullptr;
      stream_block(t, static_cast<int>(q.m), least(step, last - j));
      call_epilogue(args, q.batch, 0, q.m, j, least(step, last - j));
    }
  }
}

template void run_stream<float>(const GemmArgs&, int64_t, int64_t);
template void run_stream<double>(const GemmArgs&, int64_t, int64_t);

}  // namespace falconet::FALCONET_ISA
