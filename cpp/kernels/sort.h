// Sorting along the last axis of x (rows, n), contiguous; f32, f64, i32, i64 (others are cast). n >= 1, n < 2^31.
//
// Every order is stable: -0 and +0 are equal (where values alone are sorted, -0 goes below +0), NaN comes last,
// ascending or descending. Unless said otherwise a unit is a row, and each row has a scratch of its own:
// sort_scratch_bytes(lane, n, with_index) for each of the rows.
#pragma once

#include <cstdint>

#include "base/task.h"
#include "kernels/pointwise.h"

namespace falconet {

// Of one row; a multiple of 64. with_index: for argsort, top_k and unique, or sort where `index` is given.
int64_t sort_scratch_bytes(Lane lane, int64_t n, bool with_index);

// sort: y = the sorted row, index (unless null) its permutation; both, or one of them.
struct SortArgs {
  int64_t n = 1;
  bool descending = false;
  bool index64 = false;
  const void* x = nullptr;
  void* y = nullptr;      // (rows, n), may equal x where index is null; null: index only
  void* index = nullptr;  // (rows, n) int32 or int64; null: values only
  void* scratch = nullptr;
};

// The k largest of each row, largest first, the lower index first among equals; NaN last. 1 <= k <= n.
struct TopKArgs {
  int64_t n = 1, k = 1;
  const void* x = nullptr;
  void* y = nullptr;         // (rows, k) or null
  int32_t* index = nullptr;  // (rows, k) or null
  void* scratch = nullptr;
};

// y[i] = the number of elements of the ascending `sorted` (n,) that are < v[i] (left) or <= v[i] (right). A NaN counts
// as above everything and equal to itself. A unit is one v.
struct SearchSortedArgs {
  int64_t n = 1;
  bool right = false;
  bool index64 = false;
  const void* sorted = nullptr;
  const void* v = nullptr;
  void* y = nullptr;
};

// The distinct elements of x (n,), ascending; NaNs count as one. Outputs of `size` elements hold the first `size` and
// are filled up: values with `fill` (one element; null: the smallest value), first and counts with 0. One unit.
struct UniqueArgs {
  int64_t n = 1, size = 1;
  bool index64 = false;  // of first, inverse, counts
  const void* x = nullptr;
  const void* fill = nullptr;
  void* values = nullptr;    // (size,) or null
  void* first = nullptr;     // (size,) index of the first occurrence, or null
  void* inverse = nullptr;   // (n,) where each x went (may be >= size), or null
  void* counts = nullptr;    // (size,) or null
  int64_t* found = nullptr;  // how many there are in all, or null
  void* scratch = nullptr;   // sort_scratch_bytes(lane, n, true)
};

struct SortKernels {
  TaskFn sort[kNumLanes];           // SortArgs; null for u64 and mask, as all below
  TaskFn top_k[kNumLanes];          // TopKArgs
  TaskFn search_sorted[kNumLanes];  // SearchSortedArgs
  TaskFn unique[kNumLanes];         // UniqueArgs
};

}  // namespace falconet
