// The micro-kernel: a tile of C (at most kRows x kVecs vectors) held in registers over a stretch of k,
//
//   c[i, j] = fma(a[i, p], b[p, j], c[i, j])      p = 0, 1, ..., k - 1 in this order
//
// A and B are read through strides, so that packed panels and plain matrices, transposed or not, are one kernel.
#pragma once

#include "kernels/bodies/vec.h"
#include "kernels/gemm_blocking.h"

namespace falconet::FALCONET_ISA {

template <class T>
using Blocking = GemmBlocking<sizeof(T), Vec<T>::width, kVectorRegisters>;

template <class T>
struct Tile {
  int64_t k;
  const T* a;  // a[i, p] is a[i * a_row + p * a_step]
  int64_t a_row, a_step;
  const T* b;  // b[p, j] is b[p * b_step + j]
  int64_t b_step;
  T* b_packed;  // streaming tiles: where b goes as it passes, kNr columns a row; null: nowhere
  T* c;
  // Asked for while this tile is at work, a line at a time: a burst would fill the miss buffers and stall the tile.
  T* c_next;                   // C of the next tile, or null
  const T *ahead, *ahead_end;  // what is needed later, as far as k lasts
  int64_t ldc;
  int cols;       // of c that are written
  bool resume;    // the chains go on from c; else they start at 0 and c is not read
  bool finish;    // after the last k: add bias, then relu, then the gate
  const T* bias;  // of column 0 of the tile, or null
  bool relu;
  const T *gate, *gate_c;  // of c[i] it is gate[c + i - gate_c]; or null
};

template <class T>
using TileFn = void (*)(const Tile<T>&);

// How a tile reads B.
enum class Stream {
  plain,    // whole vectors
  partial,  // one vector, of which `cols` lanes exist
  far,      // whole vectors from beyond L2: asks for rows ahead, and packs them where b_packed says
};

// tiles.plain[vecs - 1][rows - 1] and so on: every height has a kernel, so that heights can be balanced.
template <class T>
struct Tiles {
  TileFn<T> plain[2][Blocking<T>::kRows] = {};
  TileFn<T> partial[Blocking<T>::kRows] = {};
  TileFn<T> far[Blocking<T>::kRows] = {};
  TileFn<T> wide[Blocking<T>::kWideRows] = {};
  TileFn<T> wide_far[Blocking<T>::kWideRows] = {};
  TileFn<T> panel[2][Blocking<T>::kRows] = {};  // as plain; A is packed where the blocking says so
};

template <class T>
struct TileTable {
  static const Tiles<T> tiles;
};
template <>
const Tiles<float> TileTable<float>::tiles;
template <>
const Tiles<double> TileTable<double>::tiles;

// NaN stays NaN and -0 becomes 0, as maximum(x, 0) of the pointwise family.
template <class V>
FALCONET_INLINE V relu_of(V x) {
  return select(x != x, x, max(x, V::zero()));
}

// relu's derivative: x where the gate is above 0, and 0 elsewhere, also where it is NaN.
template <class V>
FALCONET_INLINE V gated(V x, V gate) {
  return select(gate > V::zero(), x, V::zero());
}

}  // namespace falconet::FALCONET_ISA
