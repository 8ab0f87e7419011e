// Reductions and cumulative scans over the middle axis of x (outer, reduced, inner), contiguous, row-major.
//
// The fixed tree, independent of threads, units and ISA:
// * inner == 1: `reduced` is cut into blocks of kReduceBlock elements. Inside a block element i goes to lane i mod L,
//   L = reduce_lanes(lane); each lane is a chain in ascending order that starts at the identity (0, 1, +inf, -inf);
//   lanes are then folded (j, j + L/2), (j, j + L/4), ... (lane 0 last).
// * inner > 1: `reduced` is cut into blocks of kReduceRows rows; each column of a block is one chain in ascending order
//   that starts at the identity.
// * blocks are combined pairwise, level by level: (0, 1), (2, 3), ...; an odd last one moves up unchanged.
// Integers wrap. min, max: NaN wins. argmin, argmax: first occurrence, the first NaN wins.
#pragma once

#include <cstdint>

#include "base/task.h"
#include "kernels/pointwise.h"

namespace falconet {

enum class ReduceOp : uint8_t { sum, prod, min, max, argmin, argmax, any, all };
inline constexpr int kNumReduceOps = 8;

inline constexpr int64_t kReduceBlock = 4096;       // elements of a block where inner == 1
inline constexpr int64_t kReduceRows = 128;         // rows of a block where inner > 1: as long as a lane's chain
inline constexpr int64_t kReduceLaneBytes = 128;    // two AVX-512 registers hide the latency of an addition
inline constexpr int64_t kReduceStripBytes = 4096;  // columns of a unit at most, in bytes of one row
constexpr int64_t reduce_lanes(Lane l) { return kReduceLaneBytes / lane_bytes(l); }

// Made once from the problem alone. units == 0 never occurs: outer, reduced, inner >= 1.
struct ReducePlan {
  ReduceOp op = ReduceOp::sum;
  Lane lane = Lane::f32;  // Lane::mask: x and y are bool bytes (any, all)
  int64_t outer = 1, reduced = 1, inner = 1;
  bool index64 = false;    // argmin, argmax: y holds int64, else int32
  int64_t groups = 1;      // parts of `reduced`, one partial result each; 1: `run` writes y itself
  int64_t group_size = 0;  // elements of `reduced` in a group: a power of two times the block
  int64_t strips = 1;      // parts of `inner`
  int64_t strip_size = 0;
  int64_t units = 1;          // of `run`: outer * groups * strips
  int64_t combine_units = 0;  // of `combine`, to be run after all of `run`; 0: not needed
  int64_t scratch_bytes = 0;  // 64-byte aligned, shared by run and combine
  int64_t unit_elements = 0;  // elements of x that a unit reads, for the choice of grain
};
// any, all take Lane::mask; the others f32, f64, i32, i64, u64.
ReducePlan reduce_plan(ReduceOp op, Lane lane, int64_t outer, int64_t reduced, int64_t inner, bool index64 = false);

struct ReduceArgs {
  ReducePlan plan;
  const void* x = nullptr;  // outer * reduced * inner, any alignment of the element
  void* y = nullptr;        // outer * inner; does not overlap x
  void* scratch = nullptr;  // plan.scratch_bytes
};

enum class ScanOp : uint8_t { sum, prod, max, min };
inline constexpr int kNumScanOps = 4;

// y[o, j, i] = x[o, 0, i] op ... op x[o, j, i], one chain in ascending order (descending where `reverse`).
struct ScanArgs {
  int64_t outer = 1, n = 1, inner = 1;
  bool reverse = false;    // from the last element to the first
  bool exclusive = false;  // y leaves its own element out and starts with the identity
  const void* x = nullptr;
  void* y = nullptr;  // may equal x
};
inline constexpr int64_t kScanStrip = 64;  // columns of a unit
constexpr int64_t scan_units(int64_t outer, int64_t inner) { return outer * ((inner + kScanStrip - 1) / kScanStrip); }

// The fixed tree in pieces, for reductions that end a tile program. `acc` is kReduceLaneBytes, 64-byte aligned.
//   each block:  start(acc); accumulate(acc, x, n) over its tiles in order; finish(acc, &partial[block])
//   at the end:  combine(partial, blocks) leaves the result in partial[0]
// n is a multiple of reduce_lanes(lane), except in the last call of a block. x holds lanes (a mask for any, all, where
// partial is a 32-bit mask too). Column reductions (inner > 1) need no piece of their own: fill a row with the identity
// and apply the micro-operation (add, mul, minimum, maximum, bit_or, bit_and) row by row; combine_rows does the rest.
struct ReducePieces {
  void (*start)(void* acc);
  void (*accumulate)(void* acc, const void* x, int64_t n);
  void (*finish)(const void* acc, void* y);                           // y: one lane value
  void (*combine)(void* partial, int64_t count);                      // count >= 1; destroys partial
  void (*combine_rows)(void* partial, int64_t count, int64_t width);  // partial (count, width); result in its first row
};

struct ReduceKernels {
  TaskFn run[kNumReduceOps][kNumLanes];  // const ReduceArgs*; null where the class has no such operation
  TaskFn combine[kNumReduceOps][kNumLanes];
  TaskFn scan[kNumScanOps][kNumLanes];            // const ScanArgs*; units: scan_units; f32, f64, i32, i64, u64
  ReducePieces pieces[kNumReduceOps][kNumLanes];  // null members for argmin and argmax
};

}  // namespace falconet
