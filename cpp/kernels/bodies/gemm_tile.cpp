// The micro-kernels of gemm_tile.h, for every height and width in use.
#include "kernels/bodies/gemm_tile.h"

namespace falconet::FALCONET_ISA {
namespace {

template <class T, int kRows, int kVecs, Stream kStream>
void tile(const Tile<T>& t) {
  using V = Vec<T>;
  constexpr int W = V::width;
  // Rows ahead to ask for: as many as take 256 cycles of 64-byte FMAs, the latency of L3, but not the whole of L1.
  constexpr int kTileBytes = kRows * kVecs * W * static_cast<int>(sizeof(T));
  constexpr int kAhead = 256 * 64 / kTileBytes < 32 ? 256 * 64 / kTileBytes : 32;
  constexpr int kLine = 64 / sizeof(T);
  // Steps of k from one request to the next: 14 rows of C and 27 lines of A need about 30 in a tile of k = 342.
  constexpr int kPrefetchEvery = 8;
  const int tail = t.cols - (kVecs - 1) * W;  // columns in the last vector
  const int64_t a_row = t.a_row, a_step = t.a_step, b_step = t.b_step, ldc = t.ldc;
  V acc[kRows][kVecs];
  if (t.resume) {
    FALCONET_UNROLL
    for (int i = 0; i < kRows; ++i) {
      FALCONET_UNROLL
      for (int j = 0; j < kVecs; ++j) {
        const T* c = t.c + i * ldc + j * W;
        acc[i][j] = j < kVecs - 1 || tail >= W ? V::load(c) : V::load_partial(c, tail);
      }
    }
  } else {
    FALCONET_UNROLL
    for (int i = 0; i < kRows; ++i) {
      FALCONET_UNROLL
      for (int j = 0; j < kVecs; ++j) acc[i][j] = V::zero();
    }
  }
  // Three rows to a pointer, the rest by index, leaves the compiler enough registers.
  const T* a[(kRows + 2) / 3];
  FALCONET_UNROLL
  for (int i = 0; i < (kRows + 2) / 3; ++i) a[i] = t.a + 3 * i * a_row;
  const T* b = t.b;
  T* b_packed = t.b_packed;
  T* c_next = t.c_next;
  int c_rows = c_next ? kRows : 0;
  const T* ahead = t.ahead;
  for (int64_t p = t.k; p > 0;) {
    const int64_t stop = p > kPrefetchEvery ? p - kPrefetchEvery : 0;
    if constexpr (kStream == Stream::plain && kVecs == 2) {
      if (c_rows > 0) {
        FALCONET_UNROLL
        for (int j = 0; j < kVecs * W; j += kLine) prefetch_write(c_next + j);
        c_next += ldc;
        --c_rows;
      }
      if (ahead < t.ahead_end) {
        prefetch(ahead);
        ahead += kLine;
      }
    }
    for (; p > stop; --p) {
      V bv[kVecs];
      FALCONET_UNROLL
      for (int j = 0; j < kVecs; ++j)
        bv[j] = kStream == Stream::partial ? V::load_partial(b, tail) : V::load(b + j * W);
      if constexpr (kStream == Stream::far) {
        FALCONET_UNROLL
        for (int j = 0; j < kVecs * W; j += kLine) prefetch(b + kAhead * b_step + j);
        if (b_packed) {
          FALCONET_UNROLL
          for (int j = 0; j < kVecs; ++j) bv[j].store(b_packed + j * W);
          b_packed += Blocking<T>::kNr;
        }
      }
      FALCONET_UNROLL
      for (int i = 0; i < kRows; ++i) {
        const V av = V::broadcast(a[i / 3][i % 3 * a_row]);
        FALCONET_UNROLL
        for (int j = 0; j < kVecs; ++j) acc[i][j] = fma(av, bv[j], acc[i][j]);
      }
      FALCONET_UNROLL
      for (int i = 0; i < (kRows + 2) / 3; ++i) a[i] += a_step;
      b += b_step;
    }
  }
  if (t.finish) {
    if (t.bias) {
      FALCONET_UNROLL
      for (int j = 0; j < kVecs; ++j) {
        const T* bias = t.bias + j * W;
        const V bv = j < kVecs - 1 || tail >= W ? V::load(bias) : V::load_partial(bias, tail);
        FALCONET_UNROLL
        for (int i = 0; i < kRows; ++i) acc[i][j] = acc[i][j] + bv;
      }
    }
    if (t.relu) {
      FALCONET_UNROLL
      for (int i = 0; i < kRows; ++i) {
        FALCONET_UNROLL
        for (int j = 0; j < kVecs; ++j) acc[i][j] = relu_of(acc[i][j]);
      }
    }
    if (t.gate) {
      const T* gate = t.gate + (t.c - t.gate_c);
      FALCONET_UNROLL
      for (int i = 0; i < kRows; ++i) {
        FALCONET_UNROLL
        for (int j = 0; j < kVecs; ++j) {
          const T* g = gate + i * ldc + j * W;
          acc[i][j] = gated(acc[i][j], j < kVecs - 1 || tail >= W ? V::load(g) : V::load_partial(g, tail));
        }
      }
    }
  }
  FALCONET_UNROLL
  for (int i = 0; i < kRows; ++i) {
    FALCONET_UNROLL
    for (int j = 0; j < kVecs; ++j) {
      T* c = t.c + i * ldc + j * W;
      if (j < kVecs - 1 || tail >= W) {
        acc[i][j].store(c);
      } else {
        acc[i][j].store_partial(c, tail);
      }
    }
  }
}

template <class T, int kVecs, Stream kStream, int kRows>
constexpr void fill(TileFn<T>* fns) {
  fns[kRows - 1] = tile<T, kRows, kVecs, kStream>;
  if constexpr (kRows > 1) fill<T, kVecs, kStream, kRows - 1>(fns);
}

template <class T>
constexpr Tiles<T> make_tiles() {
  using B = Blocking<T>;
  Tiles<T> tiles;
  fill<T, 1, Stream::plain, B::kRows>(tiles.plain[0]);
  fill<T, 2, Stream::plain, B::kRows>(tiles.plain[1]);
  fill<T, 1, Stream::partial, B::kRows>(tiles.partial);
  fill<T, 2, Stream::far, B::kRows>(tiles.far);
  fill<T, B::kWideVecs, Stream::plain, B::kWideRows>(tiles.wide);
  fill<T, B::kWideVecs, Stream::far, B::kWideRows>(tiles.wide_far);
  return tiles;
}

}  // namespace

template <>
constexpr Tiles<float> TileTable<float>::tiles = make_tiles<float>();
template <>
constexpr Tiles<double> TileTable<double>::tiles = make_tiles<double>();

}  // namespace falconet::FALCONET_ISA
