// Moving data: strided copies, fills, gathers and scatters, one-hot, triangles, bin counts.
//
// Kernels that only move bytes are indexed by log2 of the element size (0..3: 1, 2, 4, 8 bytes), arithmetic ones by
// Lane. Indices are int32 or int64 (index64). A negative index counts from the end; one that is still out of range
// touches nothing outside the arrays: *error becomes 1 (relaxed store; never set back), a gather writes zeros and a
// scatter skips. Inputs and outputs do not overlap unless said otherwise. All sizes >= 1.
#pragma once

#include <cstdint>

#include "base/task.h"
#include "kernels/pointwise.h"

namespace falconet {

inline constexpr int kNumElementSizes = 4;
constexpr int element_size_log2(int64_t bytes) { return bytes == 8 ? 3 : bytes == 4 ? 2 : bytes == 2 ? 1 : 0; }

// y[i . y_stride] = x[i . x_stride] for every multi-index i of `dims`, strides in elements: negative to flip, 0 to
// repeat x. No two i may write the same element of y. Transposition, slicing, padding, concatenation, splitting,
// tiling, repetition, flipping, rolling and diagonals are such copies.
inline constexpr int kCopyRank = 8;
struct CopyArgs {
  const void* x = nullptr;  // the element at multi-index 0
  void* y = nullptr;
  // Filled by copy_plan: axes merged and put in an order that suits the memory. Outermost first.
  int rank = 0;  // at least 2
  int64_t dims[kCopyRank] = {}, x_stride[kCopyRank] = {}, y_stride[kCopyRank] = {};
  int path = 0;  // private to the kernel, as the two chunks: what a unit copies of the two innermost axes
  int64_t row_chunk = 0, column_chunk = 0;
  int64_t units = 0;
  int64_t unit_elements = 0;  // elements that a unit copies, for the choice of grain
};
// x and y are set by the caller afterwards. rank <= kCopyRank.
CopyArgs copy_plan(int rank, const int64_t* dims, const int64_t* x_stride, const int64_t* y_stride);

// y[i] = value for `count` elements. A unit is kFillBlock elements.
inline constexpr int64_t kFillBlock = 8192;
struct FillArgs {
  int64_t count = 0;
  uint64_t value = 0;  // the element's bits, in the low bytes
  void* y = nullptr;
};
constexpr int64_t fill_units(int64_t count) { return (count + kFillBlock - 1) / kFillBlock; }

// y[o, j, :] = x[o, index[j], :] with x (outer, n, run), y (outer, m, run). A unit is one (o, j), o outermost.
// The epoch runner's batch gather is the case outer == 1.
struct GatherArgs {
  int64_t outer = 1, n = 1, m = 1;
  int64_t run_bytes = 0;
  bool index64 = false;
  const void* x = nullptr;
  const void* index = nullptr;  // (m,)
  void* y = nullptr;
  int32_t* error = nullptr;
};

// y[o, index[j], :] = y[o, index[j], :] op x[o, j, :] for j ascending, with y (outer, n, inner), x (outer, m, inner).
// A unit owns a range of destinations, so the result does not depend on the number of units. scatter_plan fills parts
// and units. scatter_set: = in place of op=, the last j wins.
enum class ScatterOp : uint8_t { add, mul, min, max };
inline constexpr int kNumScatterOps = 4;
struct ScatterArgs {
  int64_t outer = 1, n = 1, m = 1, inner = 1;
  bool index64 = false;
  bool clear = false;  // y is zero-filled first, by the units themselves
  const void* x = nullptr;
  const void* index = nullptr;  // (m,)
  void* y = nullptr;
  int32_t* error = nullptr;
  int64_t parts = 1;  // ranges of n
  int64_t units = 1;  // outer * parts
};
void scatter_plan(ScatterArgs* args);  // reads the sizes and `clear`

// take: y[o, j, i] = x[o, index[o, j, i], i] with x (outer, n, inner), index and y (outer, m, inner). A unit is one (o,
// j). put_add (its gradient): y[o, index[o, j, i], i] += x[o, j, i] for j ascending, y (outer, n, inner). A unit is one
// o. put (by element size): the same with =; the last j wins.
struct AlongArgs {
  int64_t outer = 1, n = 1, m = 1, inner = 1;
  bool index64 = false;
  bool clear = false;           // put_add and put: y is zero-filled first
  const void* x = nullptr;      // take: (outer, n, inner); put: (outer, m, inner)
  const void* index = nullptr;  // (outer, m, inner)
  void* y = nullptr;
  int32_t* error = nullptr;
};

// y[r, :] = off, except y[r, index[r]] = on. An index outside [0, depth), negative ones too, leaves a row of off
// (Keras). A unit is a row.
struct OneHotArgs {
  int64_t depth = 1;
  bool index64 = false;
  uint64_t on = 1, off = 0;  // the element's bits
  const void* index = nullptr;
  void* y = nullptr;
};

// y[b, r, c] = x[b, r, c] where c - r <= k (lower) or c - r >= k (upper), else 0. A unit is one (b, r). y may equal x.
struct TriangleArgs {
  int64_t rows = 1, columns = 1;
  int64_t k = 0;
  bool lower = true;
  const void* x = nullptr;
  void* y = nullptr;
};

// y[r, v] += 1 for each v = x[r, i] in [0, depth), over zeros; others are left out. A unit is a row.
struct BincountArgs {
  int64_t n = 1, depth = 1;
  bool index64 = false;
  const void* x = nullptr;
  int32_t* y = nullptr;  // (rows, depth)
};

// The multi-indices of the true elements of x, in row-major order: y (rank, size), filled up with `fill`; further ones
// are left out. *found (unless null) is how many there are in all. One unit.
struct NonzeroArgs {
  int rank = 1;
  int64_t dims[kCopyRank] = {};
  int64_t size = 0;  // >= 0
  bool index64 = true;
  int64_t fill = 0;
  const uint8_t* x = nullptr;  // bool bytes
  void* y = nullptr;
  int64_t* found = nullptr;
};

// index[j], j in [0, before + n + after): where element j of a padded axis comes from; for a gather made at plan time.
// reflect needs n >= 2 where it pads.
enum class PadMode : uint8_t { reflect, symmetric, edge, wrap };
void pad_index_map(PadMode mode, int64_t n, int64_t before, int64_t after, int64_t* index);

struct MoveKernels {
  TaskFn copy[kNumElementSizes];              // CopyArgs; units: args.units
  TaskFn fill[kNumElementSizes];              // FillArgs; fill_units
  TaskFn gather;                              // GatherArgs; outer * m
  TaskFn scatter[kNumScatterOps][kNumLanes];  // ScatterArgs; units: args.units; null for masks
  TaskFn scatter_set[kNumElementSizes];       // ScatterArgs
  TaskFn take_along[kNumElementSizes];        // AlongArgs; outer * m
  TaskFn put_along[kNumElementSizes];         // AlongArgs; outer
  TaskFn put_along_add[kNumLanes];            // AlongArgs; outer; null for masks
  TaskFn one_hot[kNumElementSizes];           // OneHotArgs; rows
  TaskFn triangle[kNumElementSizes];          // TriangleArgs; batch * rows
  TaskFn bincount;                            // BincountArgs; rows
  TaskFn nonzero;                             // NonzeroArgs; 1
};

}  // namespace falconet
