// Kernels on rows: softmax and its relatives, cross-entropy, layer and batch normalisation. float32 and float64.
//
// Every table is indexed by Lane (f32, f64 only). x is (rows, width), contiguous, width >= 1, any alignment of the
// element; unless said otherwise a unit is a row, and outputs may equal inputs of the same shape. Sums over a row
// follow the lane order of reduce.h, so a row's result depends on that row alone. exp and log are those of the
// micro-operations.
#pragma once

#include <cstdint>

#include "base/task.h"
#include "kernels/pointwise.h"

namespace falconet {

inline constexpr int kNumFloatLanes = 2;  // Lane::f32, Lane::f64

// softmax: y = exp(x - m) / sum exp(x - m), m = max of the row.   log_softmax: y = (x - m) - log(sum exp(x - m)).
// logsumexp: y[row] = m + log(sum exp(x - m)); -inf for a row of -inf, +inf where the row has +inf and no NaN.
struct SoftmaxArgs {
  int64_t width = 1;
  const void* x = nullptr;
  void* y = nullptr;  // (rows, width); logsumexp: (rows,)
};

// softmax:  dx = y * (dy - sum(dy * y)).   log_softmax:  dx = dy - exp(y) * sum(dy).
struct SoftmaxGradArgs {
  int64_t width = 1;
  const void* y = nullptr;  // what the forward kernel gave
  const void* dy = nullptr;
  void* dx = nullptr;  // may equal y or dy
};

// Cross-entropy of softmax(x) in one pass over x.
//   integer labels:  loss[r] = log(sum exp(x - m)) - (x[label] - m);   dx = (softmax(x) - onehot(label)) * scale[r]
//   dense targets:   loss[r] = sum_j t_j * (log(sum exp(x - m)) - (x_j - m)), a term being 0 where t_j is 0;
//                    dx_j = (softmax(x)_j * sum(t) - t_j) * scale[r]
// A label outside [0, width) gives a NaN loss and row of NaN gradients, unless it is the ignored class: then zeros.
struct CrossEntropyArgs {
  int64_t width = 1;
  const void* x = nullptr;
  const void* labels = nullptr;  // (rows,) int32 or int64, for the integer kernels
  bool labels64 = false;
  bool has_ignore = false;
  int64_t ignore_class = 0;
  const void* targets = nullptr;  // (rows, width), for the dense kernels
  void* loss = nullptr;           // (rows,): forward
  // (rows, 2): m and 1 / sum exp(x - m). Forward writes it unless null; backward reads it, or finds it anew where null.
  // Both give the same bits.
  void* stats = nullptr;
  const void* scale = nullptr;  // (rows,), or one value where scale_step == 0: backward
  int64_t scale_step = 1;       // 0 or 1
  void* dx = nullptr;           // (rows, width), may equal x or targets: backward
};

// Layer norm:  y = (x - mean) * rstd * gamma + beta, rstd = 1 / sqrt(var + epsilon), var about the mean (two passes).
// RMS norm (rms): y = x * rstd * gamma, rstd = 1 / sqrt(mean(x^2) + epsilon).
struct LayerNormArgs {
  int64_t width = 1;
  double epsilon = 1e-3;
  bool rms = false;
  const void* x = nullptr;
  const void* gamma = nullptr;  // (width,) or null
  const void* beta = nullptr;   // (width,) or null
  void* y = nullptr;
  void* mean = nullptr;  // (rows,) or null; left alone where rms
  void* rstd = nullptr;  // (rows,) or null
};

// With g = dy * gamma and n = (x - mean) * rstd:  dx = rstd * (g - mean(g) - n * mean(g * n))   (rms: without mean(g)),
// dgamma = sum over rows of dy * n,  dbeta = sum over rows of dy: chains over the rows of a block, blocks pairwise.
// grad: units = norm_blocks(rows). grad_combine, where dgamma or dbeta is wanted: units = norm_strips(width).
struct LayerNormGradArgs {
  int64_t rows = 1, width = 1;
  bool rms = false;
  const void* x = nullptr;
  const void* dy = nullptr;
  const void* gamma = nullptr;  // or null
  const void* mean = nullptr;   // as saved; not read where rms
  const void* rstd = nullptr;
  void* dx = nullptr;       // may equal x or dy; or null
  void* dgamma = nullptr;   // (width,) or null
  void* dbeta = nullptr;    // (width,) or null
  void* scratch = nullptr;  // norm_scratch_bytes; not needed where neither dgamma nor dbeta is wanted
};
inline constexpr int64_t kNormBlock = 128;  // rows
inline constexpr int64_t kNormStrip = 64;   // columns
constexpr int64_t norm_blocks(int64_t rows) { return (rows + kNormBlock - 1) / kNormBlock; }
constexpr int64_t norm_strips(int64_t width) { return (width + kNormStrip - 1) / kNormStrip; }
// Two sums for each block and column: for layer norm's backward and for everything of batch norm.
constexpr int64_t norm_scratch_bytes(Lane lane, int64_t rows, int64_t width) {
  return norm_blocks(rows) * 2 * width * lane_bytes(lane);
}

// Batch norm: statistics of each column of x (rows, width): mean and biased variance. A block's variance is taken about
// the block's own mean (two passes while it is in cache); blocks merge pairwise (Chan, Golub, LeVeque 1983).
// moments: units = norm_blocks(rows) * norm_strips(width).  moments_combine: units = norm_strips(width).
struct MomentsArgs {
  int64_t rows = 1, width = 1;
  const void* x = nullptr;
  void* mean = nullptr;      // (width,)
  void* variance = nullptr;  // (width,)
  void* scratch = nullptr;   // norm_scratch_bytes
};

// y = (x - mean) * (gamma / sqrt(variance + epsilon)) + beta, statistics and parameters by column. A unit is a row.
struct BatchNormArgs {
  int64_t width = 1;
  double epsilon = 1e-3;
  const void* x = nullptr;
  const void* mean = nullptr;
  const void* variance = nullptr;
  const void* gamma = nullptr;  // or null
  const void* beta = nullptr;   // or null
  void* y = nullptr;
};

// Backward through the batch's own statistics, with n = (x - mean) / sqrt(variance + epsilon):
//   dbeta = sum dy,  dgamma = sum dy * n,  dx = gamma / sqrt(variance + epsilon) * (dy - dbeta / rows - n * dgamma /
//   rows)
// sums: units = norm_blocks(rows) * norm_strips(width); sums_combine: units = norm_strips(width), writes dgamma and
// dbeta; dx: a unit is a row, reads dgamma and dbeta.
struct BatchNormGradArgs {
  int64_t rows = 1, width = 1;
  double epsilon = 1e-3;
  const void* x = nullptr;
  const void* dy = nullptr;
  const void* mean = nullptr;
  const void* variance = nullptr;
  const void* gamma = nullptr;  // or null
  void* dx = nullptr;           // may equal x or dy
  void* dgamma = nullptr;       // (width,), never null: dx needs it
  void* dbeta = nullptr;
  void* scratch = nullptr;  // norm_scratch_bytes
};

struct RowKernels {
  TaskFn softmax[kNumFloatLanes];  // SoftmaxArgs
  TaskFn log_softmax[kNumFloatLanes];
  TaskFn logsumexp[kNumFloatLanes];
  TaskFn softmax_grad[kNumFloatLanes];  // SoftmaxGradArgs
  TaskFn log_softmax_grad[kNumFloatLanes];
  TaskFn label_loss[kNumFloatLanes];  // CrossEntropyArgs, integer labels
  TaskFn label_loss_grad[kNumFloatLanes];
  TaskFn dense_loss[kNumFloatLanes];  // CrossEntropyArgs, dense targets
  TaskFn dense_loss_grad[kNumFloatLanes];
  TaskFn layer_norm[kNumFloatLanes];       // LayerNormArgs
  TaskFn layer_norm_grad[kNumFloatLanes];  // LayerNormGradArgs
  TaskFn layer_norm_grad_combine[kNumFloatLanes];
  TaskFn moments[kNumFloatLanes];  // MomentsArgs
  TaskFn moments_combine[kNumFloatLanes];
  TaskFn batch_norm[kNumFloatLanes];            // BatchNormArgs
  TaskFn batch_norm_grad_sums[kNumFloatLanes];  // BatchNormGradArgs
  TaskFn batch_norm_grad_sums_combine[kNumFloatLanes];
  TaskFn batch_norm_grad_dx[kNumFloatLanes];
};

}  // namespace falconet
