// Packing: panels of A and B in the order in which the micro-kernel reads them, transposing on the way where needed.
//
//   A panel, h rows:       out[p * h + i]   = op(A)[i, p]
//   B panel, kNr columns:  out[p * kNr + j] = op(B)[p, j], zero for columns that B lacks
#pragma once

#include "kernels/bodies/gemm_tile.h"

namespace falconet::FALCONET_ISA {

// b (k, cols), rows ldb apart; 1 <= cols <= kNr.
template <class T>
void pack_b_rows(const T* b, int64_t ldb, int64_t k, int cols, T* out) {
  using V = Vec<T>;
  constexpr int W = V::width, kNr = Blocking<T>::kNr;
  for (int64_t p = 0; p < k; ++p, b += ldb, out += kNr) {
    for (int j = 0; j < kNr; j += W) {
      const int n = cols - j;
      (n >= W ? V::load(b + j) : n > 0 ? V::load_partial(b + j, n) : V::zero()).store(out + j);
    }
  }
}

// A block of B, b (k, cols), rows ldb apart, as panels of kc * kNr elements each; row by row, so that what lies beyond
// the caches is read in long pieces.
template <class T>
void pack_b_block(const T* b, int64_t ldb, int64_t k, int64_t cols, int64_t kc, T* out) {
  using V = Vec<T>;
  constexpr int W = V::width, kNr = Blocking<T>::kNr;
  const int64_t whole = cols / kNr * kNr;
  for (int64_t p = 0; p < k; ++p) {
    const T* row = b + p * ldb;
    T* to = out + p * kNr;
    for (int64_t j = 0; j < whole; j += kNr, to += kc * kNr) {
      FALCONET_UNROLL
      for (int v = 0; v < kNr; v += W) V::load(row + j + v).store(to + v);
    }
  }
  if (whole < cols) pack_b_rows(b + whole, ldb, k, static_cast<int>(cols - whole), out + whole * kc);
}

// b (cols, k), rows ldb apart; 1 <= cols <= kNr.
template <class T>
void pack_b_columns(const T* b, int64_t ldb, int64_t k, int cols, T* out) {
  using V = Vec<T>;
  constexpr int W = V::width, kNr = Blocking<T>::kNr;
  for (int j = 0; j < kNr; j += W) {
    const int n = cols - j < W ? cols - j : W;
    for (int64_t p = 0; p < k; p += W) {
      const int rows = k - p < W ? static_cast<int>(k - p) : W;
      V x[W];
      if (n == W && rows == W) {
        FALCONET_UNROLL
        for (int i = 0; i < W; ++i) x[i] = V::load(b + (j + i) * ldb + p);
        transpose(x);
        FALCONET_UNROLL
        for (int i = 0; i < W; ++i) x[i].store(out + (p + i) * kNr + j);
      } else {
        for (int i = 0; i < W; ++i) x[i] = i < n ? V::load_partial(b + (j + i) * ldb + p, rows) : V::zero();
        transpose(x);
        for (int i = 0; i < rows; ++i) x[i].store(out + (p + i) * kNr + j);
      }
    }
  }
}

// a (h, k), rows lda apart; 1 <= h <= kRows. Rows of the panel are stored as whole vectors, the next row overwriting
// the excess of the one before, except at the end.
template <class T>
void pack_a_rows(const T* a, int64_t lda, int64_t k, int h, T* out) {
  using V = Vec<T>;
  constexpr int W = V::width, kGroups = (Blocking<T>::kRows + W - 1) / W;
  const T* row[kGroups * W];
  for (int i = 0; i < kGroups * W; ++i) row[i] = a + (i < h ? i : h - 1) * lda;  // beyond h: any row, overwritten
  const int groups = (h + W - 1) / W;
  for (int64_t p = 0; p < k; p += W) {
    const int n = k - p < W ? static_cast<int>(k - p) : W;
    V x[kGroups][W];
    FALCONET_UNROLL
    for (int g = 0; g < kGroups; ++g) {
      if (g >= groups) break;
      if (n == W) {
        FALCONET_UNROLL
        for (int i = 0; i < W; ++i) x[g][i] = V::load(row[g * W + i] + p);
      } else {
        for (int i = 0; i < W; ++i) x[g][i] = V::load_partial(row[g * W + i] + p, n);
      }
      transpose(x[g]);
    }
    if (p + W < k) {
      FALCONET_UNROLL
      for (int i = 0; i < W; ++i) {
        FALCONET_UNROLL
        for (int g = 0; g < kGroups; ++g) {
          if (g >= groups) break;
          x[g][i].store(out + g * W);
        }
        out += h;
      }
    } else {
      for (int i = 0; i < n; ++i) {
        for (int g = 0; g < groups; ++g) x[g][i].store_partial(out + g * W, h - g * W < W ? h - g * W : W);
        out += h;
      }
    }
  }
}

// a (k, h), rows lda apart; 1 <= h <= kRows. The height is a constant, for pieces of whole instructions.
template <class T, int kHeight = Blocking<T>::kRows>
void pack_a_columns(const T* a, int64_t lda, int64_t k, int h, T* out) {
  if constexpr (kHeight > 1) {
    if (h < kHeight) return pack_a_columns<T, kHeight - 1>(a, lda, k, h, out);
  }
  for (int64_t p = 0; p < k; ++p, a += lda, out += kHeight) memcpy(out, a, kHeight * sizeof(T));
}

}  // namespace falconet::FALCONET_ISA
