// Tiles straight from A and B: what the direct path is, and the stream path where C is narrow.
#pragma once

#include "kernels/bodies/gemm_paths.h"

namespace falconet::FALCONET_ISA {

// The tiles of `rows` rows of A over `cols` columns of B in place, which comes from near (plain) or from beyond L1
// (far). t holds everything but the extents.
template <Stream kStream, class T>
FALCONET_INLINE void direct_rows(Tile<T> t, int rows, int64_t cols) {
  using B = Blocking<T>;
  constexpr int W = Vec<T>::width;
  constexpr bool kFar = kStream == Stream::far;
  const Tiles<T>& tiles = TileTable<T>::tiles;
  while (cols > 0) {
    TileFn<T> fn;
    if (rows <= B::kWideRows && cols >= B::kWideVecs * W) {
      fn = (kFar ? tiles.wide_far : tiles.wide)[rows - 1], t.cols = B::kWideVecs * W;
    } else if (cols >= 2 * W) {
      fn = (kFar ? tiles.far : tiles.plain[1])[rows - 1], t.cols = 2 * W;
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

}  // namespace falconet::FALCONET_ISA
