// How a reduction is cut: a function of the problem alone. Where the cuts lie changes no bit (see reduce.h).
#include "kernels/reduce.h"

namespace falconet {
namespace {

// A group of blocks is worth a task of its own: some tens of microseconds of memory traffic.
constexpr int64_t kGroupElements = 16 * kReduceBlock;
// For columns: a sum over the rows of a batch, which lie in the caches of the threads that made them. Were one thread to
// read them all, the others would wait for their lines when they write there next.
constexpr int64_t kColumnGroupElements = 2 * kReduceBlock;
// Rows of a group for columns: at most 64 blocks, whose tree the kernel keeps on its stack.
constexpr int64_t kGroupRows = 64 * kReduceRows;
// With this many rows of output there is enough to share among threads without splitting `reduced`.
constexpr int64_t kEnoughUnits = 64;

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

ReducePlan reduce_plan(ReduceOp op, Lane lane, int64_t outer, int64_t reduced, int64_t inner, bool index64) {
  ReducePlan p;
  p.op = op;
  p.lane = lane;
  p.outer = outer;
  p.reduced = reduced;
  p.inner = inner;
  p.index64 = index64;
  const int64_t element = lane == Lane::mask ? 1 : lane_bytes(lane), strip = kReduceStripBytes / element;
  p.strip_size = inner < strip ? inner : strip;
  p.strips = ceil_div(inner, p.strip_size);
  p.group_size = reduced;
  if (inner == 1) {
    if (outer < kEnoughUnits && reduced > kGroupElements) p.group_size = kGroupElements;
  } else {
    // Blocks are kReduceRows rows; a group is the power of two of them that makes about kColumnGroupElements.
    int64_t rows = kReduceRows;
    while (rows < kGroupRows && rows * p.strip_size < kColumnGroupElements) rows *= 2;
    if (outer * p.strips >= kEnoughUnits) rows = kGroupRows;
    if (reduced > rows) p.group_size = rows;
  }
  p.groups = ceil_div(reduced, p.group_size);
  p.units = outer * p.groups * p.strips;
  p.unit_elements = p.group_size * p.strip_size;
  if (p.groups > 1) {
    const bool arg = op == ReduceOp::argmin || op == ReduceOp::argmax;
    const int64_t bytes = arg ? 16 : element;
    p.combine_units = outer * p.strips;
    p.scratch_bytes = ceil_div(outer * p.groups * inner * bytes, 64) * 64;
  }
  return p;
}

}  // namespace falconet
