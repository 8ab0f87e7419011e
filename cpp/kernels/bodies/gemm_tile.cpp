// The micro-kernels of gemm_tile.h, for every height and width in use.
#include "kernels/bodies/gemm_tile.h"

namespace falconet::FALCONET_ISA {
namespace {

// The tile's part of C.
template <class T, int kRows, int kVecs>
struct Accumulators {
  using V = Vec<T>;
  static constexpr int W = V::width;
  V at[kRows][kVecs];

  // The last vector of a row has `tail` columns.
  static FALCONET_INLINE V load(const T* row, int j, int tail) {
    return j < kVecs - 1 || tail >= W ? V::load(row + j * W) : V::load_partial(row + j * W, tail);
  }

  FALCONET_INLINE void start(const Tile<T>& t) {
    const int tail = t.cols - (kVecs - 1) * W;
    if (t.resume) {
      FALCONET_UNROLL
      for (int i = 0; i < kRows; ++i) {
        FALCONET_UNROLL
        for (int j = 0; j < kVecs; ++j) at[i][j] = load(t.c + i * t.ldc, j, tail);
      }
    } else {
      FALCONET_UNROLL
      for (int i = 0; i < kRows; ++i) {
        FALCONET_UNROLL
        for (int j = 0; j < kVecs; ++j) at[i][j] = V::zero();
      }
    }
  }

  FALCONET_INLINE void finish(const Tile<T>& t) {
    const int tail = t.cols - (kVecs - 1) * W;
    if (t.finish && t.bias) {
      FALCONET_UNROLL
      for (int j = 0; j < kVecs; ++j) {
        const V bias = load(t.bias, j, tail);
        FALCONET_UNROLL
        for (int i = 0; i < kRows; ++i) at[i][j] = at[i][j] + bias;
      }
    }
    if (t.finish && t.relu) {
      FALCONET_UNROLL
      for (int i = 0; i < kRows; ++i) {
        FALCONET_UNROLL
        for (int j = 0; j < kVecs; ++j) at[i][j] = relu_of(at[i][j]);
      }
    }
    if (t.finish && t.gate) {
      const T* gate = t.gate + (t.c - t.gate_c);
      FALCONET_UNROLL
      for (int i = 0; i < kRows; ++i) {
        FALCONET_UNROLL
        for (int j = 0; j < kVecs; ++j) at[i][j] = gated(at[i][j], load(gate + i * t.ldc, j, tail));
      }
    }
    FALCONET_UNROLL
    for (int i = 0; i < kRows; ++i) {
      FALCONET_UNROLL
      for (int j = 0; j < kVecs; ++j) {
        T* c = t.c + i * t.ldc + j * W;
        if (j < kVecs - 1 || tail >= W) {
          at[i][j].store(c);
        } else {
          at[i][j].store_partial(c, tail);
        }
      }
    }
  }
};

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
  // Where panels are packed, tiles that read A in place are small, and near all that they need.
  constexpr bool kAsks = kStream == Stream::plain && kVecs == 2 && !Blocking<T>::kPacksA;
  const int tail = t.cols - (kVecs - 1) * W;  // columns in the last vector
  const int64_t a_row = t.a_row, a_step = t.a_step, b_step = t.b_step, ldc = t.ldc;
  Accumulators<T, kRows, kVecs> acc;
  acc.start(t);
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
    const int64_t stop = kAsks && p > kPrefetchEvery ? p - kPrefetchEvery : 0;
    if constexpr (kAsks) {
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
        prefetch(b + kAhead * b_step + kVecs * W - 1);  // in a line of its own where b is not aligned
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
        for (int j = 0; j < kVecs; ++j) accumulate(acc.at[i][j], av, bv[j]);
      }
      FALCONET_UNROLL
      for (int i = 0; i < (kRows + 2) / 3; ++i) a[i] += a_step;
      b += b_step;
    }
  }
  acc.finish(t);
}

// `kSteps` steps of k on packed panels: every address is a pointer and a constant.
template <int kSteps, class T, int kRows, int kVecs>
FALCONET_INLINE void panel_steps(const T* a, const T* b, Accumulators<T, kRows, kVecs>& acc) {
  using V = Vec<T>;
  FALCONET_UNROLL
  for (int s = 0; s < kSteps; ++s) {
    V bv[kVecs];
    FALCONET_UNROLL
    for (int j = 0; j < kVecs; ++j) bv[j] = V::load(b + s * Blocking<T>::kNr + j * V::width);
    FALCONET_UNROLL
    for (int i = 0; i < kRows; ++i) {
      const V av = V::broadcast(a[s * kRows + i]);
      FALCONET_UNROLL
      for (int j = 0; j < kVecs; ++j) accumulate(acc.at[i][j], av, bv[j]);
    }
  }
}

// The tile where both A and B are packed.
template <class T, int kRows, int kVecs>
void panel_tile(const Tile<T>& t) {
  constexpr int kLine = 64 / sizeof(T), kNr = Blocking<T>::kNr;
  constexpr int kSteps = 4;
  Accumulators<T, kRows, kVecs> acc;
  acc.start(t);
  const T* a = t.a;
  const T* b = t.b;
  int64_t p = t.k;
  // One request of each kind every kSteps steps, until all are made or k is over.
  int64_t requests = (t.ahead_end - t.ahead) / kLine;
  if (t.c_next && requests < kRows) requests = kRows;
  const T* ahead = requests > 0 && t.ahead ? t.ahead : b;
  T* c_next = t.c_next ? t.c_next : t.c;
  for (; p >= kSteps && requests > 0; p -= kSteps, --requests) {
    FALCONET_UNROLL
    for (int j = 0; j < kVecs * Vec<T>::width; j += kLine) prefetch_write(c_next + j);
    prefetch(ahead);
    ahead += kLine;
    c_next += t.ldc;
    panel_steps<kSteps>(a, b, acc);
    a += kSteps * kRows;
    b += kSteps * kNr;
  }
  for (; p >= kSteps; p -= kSteps) {
    panel_steps<kSteps>(a, b, acc);
    a += kSteps * kRows;
    b += kSteps * kNr;
  }
  for (; p > 0; --p) {
    panel_steps<1>(a, b, acc);
    a += kRows;
    b += kNr;
  }
  acc.finish(t);
}

template <class T, int kVecs, Stream kStream, int kRows>
constexpr void fill(TileFn<T>* fns) {
  fns[kRows - 1] = tile<T, kRows, kVecs, kStream>;
  if constexpr (kRows > 1) fill<T, kVecs, kStream, kRows - 1>(fns);
}

template <class T, int kVecs, int kRows>
constexpr void fill_panel(TileFn<T>* fns) {
  fns[kRows - 1] = Blocking<T>::kPacksA ? panel_tile<T, kRows, kVecs> : tile<T, kRows, kVecs, Stream::plain>;
  if constexpr (kRows > 1) fill_panel<T, kVecs, kRows - 1>(fns);
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
  fill_panel<T, 1, B::kRows>(tiles.panel[0]);
  fill_panel<T, 2, B::kRows>(tiles.panel[1]);
  return tiles;
}

}  // namespace

template <>
constexpr Tiles<float> TileTable<float>::tiles = make_tiles<float>();
template <>
constexpr Tiles<double> TileTable<double>::tiles = make_tiles<double>();

}  // namespace falconet::FALCONET_ISA
