// Softmax, its logarithm, and the logarithm of its denominator.
//
//   softmax      y_i = exp(x_i - m) / sum_j exp(x_j - m), m = max_j x_j     dx = y (dy - sum_j dy_j y_j)
//   log_softmax  y_i = (x_i - m) - log sum_j exp(x_j - m)                   dx = dy - exp(y) sum_j dy_j
//   logsumexp    y = m + log sum_j exp(x_j - m)                             dx = dy softmax(x)
//
// What users call moves the axis last and casts; the primitives (`row_softmax`, ...) work on rows of float32 or
// float64. float16 and bfloat16 are computed in float32.
#include <algorithm>

#include "ops/tools.h"

namespace falconet {

namespace {

void infer_axis(InferContext& c) {
  const int rank = c.in(0).shape.rank();
  c.check(rank >= 1, "x must have at least 1 axis, got a scalar");
  if (!c.has_attr(0)) c.refuse_type("`axis` must be an integer, got None");
  c.set_attr(0, int64_t{c.axis(0, rank)});
  c.set_out(c.in(0).dtype, c.in(0).shape);
}

std::vector<ValueId> on_last_axis(Emitter& e, const Attrs& attrs, ValueId x, std::string_view primitive) {
  const int axis = static_cast<int>(std::get<int64_t>(attrs[0]));
  const DType dtype = e.dtype(x);
  const ValueId rows = move_axis_last(e, e.cast(x, row_dtype(dtype)), axis);
  return {e.cast(move_last_axis_to(e, e(primitive, {rows}), axis), dtype)};
}

void infer_rows(InferContext& c) {
  need_row_dtype(c, 0);
  c.check(c.in(0).shape.rank() >= 1, "x must have at least 1 axis, got a scalar");
  c.set_out(c.in(0).dtype, c.in(0).shape);
}

void infer_rows_grad(InferContext& c) {
  infer_rows(c);
  c.check(c.in(1) == c.in(0), "y is ", c.in(0), " and dy ", c.in(1), "; they must be equal");
}

constexpr int64_t kCost = 16;  // flops an element, the exponential included

template <TaskFn (RowKernels::*table)[kNumFloatLanes]>
void lower_rows(Lowering& l) {
  const Spec& x = l.in_spec(0);
  SoftmaxArgs args;
  args.width = x.shape.back();
  auto& a = l.emit<SoftmaxArgs>((l.kernels.rows.*table)[static_cast<int>(lane_of(x.dtype))], rows_of(x.shape),
                                kCost * args.width, args);
  l.bind(a.x, l.in(0));
  l.bind(a.y, l.out());
}

template <TaskFn (RowKernels::*table)[kNumFloatLanes]>
void lower_rows_grad(Lowering& l) {
  const Spec& y = l.in_spec(0);
  SoftmaxGradArgs args;
  args.width = y.shape.back();
  auto& a = l.emit<SoftmaxGradArgs>((l.kernels.rows.*table)[static_cast<int>(lane_of(y.dtype))], rows_of(y.shape),
                                    kCost / 2 * args.width, args);
  l.bind(a.y, l.in(0));
  l.bind(a.dy, l.in(1));
  l.bind(a.dx, l.out());
}

ValueId row_sum(Emitter& e, ValueId v) { return e.sum(v, {-1}, true); }

// out = y (dy - s), s = sum(dy y):   d/d(dy) = y (g - sum(g y)),   d/dy = g (dy - s) - dy sum(g y)
void softmax_grad_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId y = c.x(0), dy = c.x(1), g = c.dy();
  if (c.wants(1)) c.set(1, e("row_softmax_grad", {y, g}));
  if (!c.wants(0)) return;
  const ValueId through_y = e.mul(g, e.sub(dy, row_sum(e, e.mul(dy, y))));
  c.set(0, e.sub(through_y, e.mul(dy, row_sum(e, e.mul(g, y)))));
}

// out = dy - exp(y) sum(dy):   d/d(dy) = g - sum(g exp(y)),   d/dy = -g exp(y) sum(dy)
void log_softmax_grad_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId y = c.x(0), dy = c.x(1), g = c.dy();
  const ValueId weighted = e.mul(g, e("exp", {y}));
  if (c.wants(1)) c.set(1, e.sub(g, row_sum(e, weighted)));
  if (c.wants(0)) c.set(0, e.neg(e.mul(weighted, row_sum(e, dy))));
}

OpDef composite(const char* name, ComposeRule compose,
                const char* doc) {
  OpDef op;
  op.name = name;
  op.inputs = {"x"};
  op.attrs = {{"axis", AttrKind::integer, int64_t{-1}}};
  op.promote = Promote::floating;
  op.infer = infer_axis;
  op.compose = compose;
  op.doc = doc;
  return op;
}

OpDef primitive(const char* name, std::vector<const char*> inputs, void (*infer)(InferContext&), GradientRule gradient,
                void (*lower)(Lowering&), const char* doc) {
  OpDef op;
  op.name = name;
  op.inputs = std::move(inputs);
  op.infer = infer;
  op.gradient = gradient;
  op.lower = lower;
  op.doc = doc;
  return op;
}

// The axes to reduce, sorted; all of them where the attribute is None.
Ints reduced_axes(InferContext& c) {
  const int rank = c.in(0).shape.rank();
  Ints axes;
  for (int d = 0; !c.has_attr(0) && d < rank; ++d) axes.push_back(d);
  if (c.has_attr(0)) axes = c.attr<Ints>(0);
  for (int64_t& a : axes) {
    c.check(a >= -rank && a < rank, "`axis` is ", attr_text(axes), "; the input has ", rank,
            rank == 1 ? " axis" : " axes");
    if (a < 0) a += rank;
  }
  std::sort(axes.begin(), axes.end());
  c.check(std::adjacent_find(axes.begin(), axes.end()) == axes.end(), "`axis` names an axis twice");
  return axes;
}

void infer_logsumexp(InferContext& c) {
  const Ints axes = reduced_axes(c);
  const Shape& x = c.in(0).shape;
  Shape out;
  for (int d = 0; d < x.rank(); ++d) {
    const bool reduced = std::binary_search(axes.begin(), axes.end(), d);
    c.check(!reduced || x[d] > 0, "an input of shape ", x, " is empty along axis ", d);
    if (!reduced) out.push_back(x[d]);
    if (reduced && c.attr<bool>(1)) out.push_back(1);
  }
  c.set_attr(0, axes);
  c.set_out(c.in(0).dtype, out);
}

std::vector<ValueId> compose_logsumexp(Emitter& e, const Attrs& attrs, const std::vector<ValueId>& inputs) {
  const Ints& axes = std::get<Ints>(attrs[0]);
  const DType dtype = e.dtype(inputs[0]);
  const Shape from = e.shape(inputs[0]);
  Ints order;
  Shape rows, kept = from;
  int64_t width = 1;
  for (int d = 0; d < from.rank(); ++d) {
    if (std::binary_search(axes.begin(), axes.end(), d)) continue;
    order.push_back(d);
    rows.push_back(from[d]);
  }
  for (int64_t a : axes) {
    order.push_back(a);
    width *= from[static_cast<int>(a)];
    kept[static_cast<int>(a)] = 1;
  }
  const Shape out = std::get<bool>(attrs[1]) ? kept : rows;
  const ValueId x = e.reshape(e.transpose(e.cast(inputs[0], row_dtype(dtype)), order), {rows.size(), width});
  return {e.cast(e.reshape(e("row_logsumexp", {x}), out), dtype)};
}

}  // namespace

const OpDef softmax_op = composite(
    "softmax",
    [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) { return on_last_axis(e, a, x[0], "row_softmax"); },
    "exp(x) / sum(exp(x)) along `axis`.");
const OpDef log_softmax_op = composite(
    "log_softmax",
    [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
      return on_last_axis(e, a, x[0], "row_log_softmax");
    },
    "x - log(sum(exp(x))) along `axis`.");

const OpDef logsumexp_op = {.name = "logsumexp",
                            .inputs = {"x"},
                            .attrs = {{"axis", AttrKind::ints}, {"keepdims", AttrKind::boolean, false}},
                            .promote = Promote::floating,
                            .infer = infer_logsumexp,
                            .compose = compose_logsumexp,
                            .doc = "log(sum(exp(x))) over `axis` (None: all axes), without overflow."};

const OpDef row_softmax_op = primitive(
    "row_softmax", {"x"}, infer_rows,
    [](GradientContext& c) {
      c.set(0, c.e("row_softmax_grad", {c.y(), c.dy()}));
    },
    lower_rows<&RowKernels::softmax>, "softmax over the last axis.");
const OpDef row_softmax_grad_op = primitive("row_softmax_grad", {"y", "dy"}, infer_rows_grad, softmax_grad_gradient,
                                            lower_rows_grad<&RowKernels::softmax_grad>, "y (dy - sum(dy y)).");
const OpDef row_log_softmax_op = primitive(
    "row_log_softmax", {"x"}, infer_rows,
    [](GradientContext& c) {
      c.set(0, c.e("row_log_softmax_grad", {c.y(), c.dy()}));
    },
    lower_rows<&RowKernels::log_softmax>, "log_softmax over the last axis.");
const OpDef row_log_softmax_grad_op =
    primitive("row_log_softmax_grad", {"y", "dy"}, infer_rows_grad, log_softmax_grad_gradient,
              lower_rows_grad<&RowKernels::log_softmax_grad>, "dy - exp(y) sum(dy).");
const OpDef row_logsumexp_op = primitive(
    "row_logsumexp", {"x"},
    [](InferContext& c) {
      need_row_dtype(c, 0);
      c.check(c.in(0).shape.rank() >= 1 && c.in(0).shape.back() >= 1, "x has shape ", c.in(0).shape,
              "; rows must not be empty");
      c.set_out(c.in(0).dtype, without_last(c.in(0).shape));
    },
    [](GradientContext& c) {
      Emitter& e = c.e;
      c.set(0, e.mul(e("row_softmax", {c.x()}), e.reshape(c.dy(), with_last(e.shape(c.dy()), 1))));
    },
    lower_rows<&RowKernels::logsumexp>, "logsumexp over the last axis.");

}  // namespace falconet
