// Plans of strided copies and scatters, and index maps of padding.
#include "kernels/move.h"

#include <algorithm>
#include <cstdlib>

#include "kernels/copy_paths.h"

namespace falconet {
namespace {

// A unit moves about this many elements: enough to outweigh a task's start, few enough to share a large copy.
constexpr int64_t kUnitElements = 32768;
// Of a transposition: along x, in long streams; x and y then touch few hundred pages in a unit.
constexpr int64_t kTransposeRows = 512;

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Axis {
  int64_t dim, x, y;
};

}  // namespace

CopyArgs copy_plan(int rank, const int64_t* dims, const int64_t* x_stride, const int64_t* y_stride) {
  Axis axes[kCopyRank];
  int n = 0;
  for (int i = 0; i < rank; ++i) {
    if (dims[i] != 1) axes[n++] = {dims[i], x_stride[i], y_stride[i]};
  }
  // y is written in order of memory; where y does not decide, x is read so.
  std::stable_sort(axes, axes + n, [](const Axis& a, const Axis& b) {
    if (std::llabs(a.y) != std::llabs(b.y)) return std::llabs(a.y) > std::llabs(b.y);
    return std::llabs(a.x) > std::llabs(b.x);
  });
  int merged = 0;
  for (int i = 0; i < n; ++i) {
    if (merged > 0 && axes[merged - 1].x == axes[i].x * axes[i].dim && axes[merged - 1].y == axes[i].y * axes[i].dim) {
      axes[merged - 1] = {axes[merged - 1].dim * axes[i].dim, axes[i].x, axes[i].y};
    } else {
      axes[merged++] = axes[i];
    }
  }
  n = merged;

  CopyArgs a;
  const bool runs = n == 0 || (axes[n - 1].x == 1 && axes[n - 1].y == 1);
  a.path = runs ? kCopyRuns : kCopyStrided;
  if (!runs && axes[n - 1].y == 1) {
    // The axis along which x is contiguous goes next to the innermost one: the two are copied tile by tile.
    for (int i = n - 2; i >= 0; --i) {
      if (axes[i].x != 1) continue;
      std::rotate(axes + i, axes + i + 1, axes + n - 1);
      a.path = kCopyTranspose;
      break;
    }
  }
  a.rank = std::max(n, 2);
  for (int i = 0; i < a.rank; ++i) {
    const int from = i - (a.rank - n);
    const Axis axis = from < 0 ? Axis{1, 0, 0} : axes[from];
    a.dims[i] = axis.dim;
    a.x_stride[i] = axis.x;
    a.y_stride[i] = axis.y;
  }
  if (n == 0) a.dims[1] = a.x_stride[1] = a.y_stride[1] = 1;

  const int64_t rows = a.dims[a.rank - 2], columns = a.dims[a.rank - 1];
  if (a.path == kCopyTranspose) {
    a.row_chunk = std::min(rows, kTransposeRows);
    a.column_chunk = std::min(columns, ceil_div(kUnitElements, a.row_chunk * 16) * 16);
  } else {
    a.column_chunk = std::min(columns, kUnitElements);
    a.row_chunk = std::min(rows, std::max<int64_t>(1, kUnitElements / a.column_chunk));
  }
  a.units = ceil_div(rows, a.row_chunk) * ceil_div(columns, a.column_chunk);
  for (int i = 0; i < a.rank - 2; ++i) a.units *= a.dims[i];
  a.unit_elements = a.row_chunk * a.column_chunk;
  return a;
}

void scatter_plan(ScatterArgs* args) {
  // Every part reads all indices, so there are few of them, and only where rows are work enough.
  constexpr int64_t kMaxParts = 8;
  const int64_t elements = (args->m + (args->clear ? args->n : 0)) * args->inner;
  const int64_t wanted = args->outer >= kMaxParts ? 1 : elements / kUnitElements;
  args->parts = std::max<int64_t>(1, std::min({wanted, kMaxParts, args->n}));
  args->units = args->outer * args->parts;
}

void pad_index_map(PadMode mode, int64_t n, int64_t before, int64_t after, int64_t* index) {
  for (int64_t j = 0; j < before + n + after; ++j) {
    const int64_t i = j - before;
    const auto wrapped = [i](int64_t period) { return (i % period + period) % period; };
    switch (mode) {
      case PadMode::edge:
        index[j] = std::clamp<int64_t>(i, 0, n - 1);
        break;
      case PadMode::wrap:
        index[j] = wrapped(n);
        break;
      case PadMode::symmetric: {
        const int64_t p = wrapped(2 * n);
        index[j] = p < n ? p : 2 * n - 1 - p;
        break;
      }
      case PadMode::reflect: {
        const int64_t p = n == 1 ? 0 : wrapped(2 * n - 2);
        index[j] = p < n ? p : 2 * n - 2 - p;
        break;
      }
    }
  }
}

}  // namespace falconet
