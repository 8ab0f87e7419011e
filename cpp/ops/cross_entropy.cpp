// Cross-entropy of softmax(logits) with targets, a loss for each row of the last axis, in one pass over the logits.
//
//   dense   loss = -sum_j t_j log softmax(x)_j          dx = dloss (softmax(x) sum(t) - t),   dt = -dloss log
//   softmax(x) sparse  loss = -log softmax(x)_label                dx = dloss (softmax(x) - onehot(label))
//
// The forward pass keeps the maximum and the reciprocal sum of each row, so that the backward pass needs one pass too.
// A label out of range gives NaN; the ignored class gives a loss and a gradient of 0.
#include "ops/tools.h"

namespace falconet {

namespace {

constexpr int64_t kCost = 16;  // flops an element, the exponential included

void check_logits(InferContext& c) {
  const Shape& x = c.in(0).shape;
  c.check(x.rank() >= 1 && x.back() >= 1, "`logits` has shape ", x, "; it needs a last axis of at least 1 class");
}

void check_labels(InferContext& c) {
  const Shape want = without_last(c.in(0).shape);
  c.check(c.in(1).shape == want, "`logits` has shape ", c.in(0).shape, " and `labels` ", c.in(1).shape,
          "; labels need one class for each row, ", want);
}

void check_targets(InferContext& c) {
  c.check(c.in(1).shape == c.in(0).shape, "`logits` has shape ", c.in(0).shape, " and `targets` ", c.in(1).shape,
          "; they must be equal. Class numbers go to sparse_softmax_cross_entropy");
}

// Inputs of the primitives, which are (x, labels or targets) and, of the gradients, (x, labels or targets, stats,
// dloss).
void check_rows(InferContext& c, bool sparse) {
  need_row_dtype(c, 0);
  check_logits(c);
  if (sparse) {
    need_index(c, 1);
    check_labels(c);
  } else {
    check_targets(c);
    if (c.in(1).dtype != c.in(0).dtype) c.refuse_type("`targets` is ", c.in(1), " and the logits ", c.in(0));
  }
}

template <bool sparse>
void infer_rows(InferContext& c) {
  check_rows(c, sparse);
  const Shape rows = without_last(c.in(0).shape);
  c.set_out(c.in(0).dtype, rows);
  c.set_out(c.in(0).dtype, {rows.size(), 2});
}

// dloss holds one number for each row, or one for all.
template <bool sparse>
void infer_rows_grad(InferContext& c) {
  check_rows(c, sparse);
  const Shape rows = without_last(c.in(0).shape);
  c.check(c.in(2) == Spec{c.in(0).dtype, {rows.size(), 2}}, "`stats` is ", c.in(2), " for logits ", c.in(0));
  c.check(c.in(3).dtype == c.in(0).dtype && (c.in(3).shape == rows || c.in(3).shape.empty()), "`dloss` is ", c.in(3),
          " for logits ", c.in(0));
  c.set_out(c.in(0).dtype, c.in(0).shape);
}

CrossEntropyArgs common_args(Lowering& l, bool sparse) {
  CrossEntropyArgs args;
  args.width = l.in_spec(0).shape.back();
  args.labels64 = l.in_spec(1).dtype == DType::int64;
  if (sparse && l.node().has_attr(0)) {
    args.has_ignore = true;
    args.ignore_class = l.node().attr<int64_t>(0);
  }
  return args;
}

template <bool sparse>
void lower_rows(Lowering& l) {
  const CrossEntropyArgs args = common_args(l, sparse);
  const int lane = static_cast<int>(lane_of(l.in_spec(0).dtype));
  const TaskFn task = sparse ? l.kernels.rows.label_loss[lane] : l.kernels.rows.dense_loss[lane];
  auto& a = l.emit<CrossEntropyArgs>(task, rows_of(l.in_spec(0).shape), kCost * args.width, args);
  l.bind(a.x, l.in(0));
  l.bind(sparse ? a.labels : a.targets, l.in(1));
  l.bind(a.loss, l.out(0));
  l.bind(a.stats, l.out(1));
}

template <bool sparse>
void lower_rows_grad(Lowering& l) {
  CrossEntropyArgs args = common_args(l, sparse);
  args.scale_step = l.in_spec(3).shape.empty() && !without_last(l.in_spec(0).shape).empty() ? 0 : 1;
  const int lane = static_cast<int>(lane_of(l.in_spec(0).dtype));
  const TaskFn task = sparse ? l.kernels.rows.label_loss_grad[lane] : l.kernels.rows.dense_loss_grad[lane];
  auto& a = l.emit<CrossEntropyArgs>(task, rows_of(l.in_spec(0).shape), kCost * args.width, args);
  l.bind(a.x, l.in(0));
  l.bind(sparse ? a.labels : a.targets, l.in(1));
  l.bind(const_cast<const void*&>(a.stats), l.in(2));  // only read here
  l.bind(a.scale, l.in(3));
  l.bind(a.dx, l.out());
}

// The mean of losses sends the same number to each row: then that number alone is passed on.
ValueId one_for_all(Emitter& e, ValueId v) {
  static const OpDef *broadcast = &op("broadcast_to"), *reshape = &op("reshape");
  for (ValueId at = v;;) {
    const Node& n = e.graph.producer(at);
    if (n.op == broadcast && e.spec(n.inputs[0]).size() == 1) return e.reshape(n.inputs[0], {});
    if (n.op != broadcast && n.op != reshape) return v;
    at = n.inputs[0];
  }
}

void sparse_gradient(GradientContext& c) {
  c.set(0, c.e("label_cross_entropy_grad", {c.x(0), c.x(1), c.y(1), one_for_all(c.e, c.dy())}, {c.node.attrs[0]}));
}

void dense_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId x = c.x(0), dy = c.dy();
  if (c.wants(0)) c.set(0, e("dense_cross_entropy_grad", {x, c.x(1), c.y(1), one_for_all(e, dy)}));
  if (c.wants(1)) c.set(1, e.neg(e.mul(e.reshape(dy, with_last(e.shape(dy), 1)), e("row_log_softmax", {x}))));
}

void sparse_grad_gradient(GradientContext& c) {
  differentiate_formula(c, {0}, 3, [](Emitter& e, const Node& node, const std::vector<ValueId>& x) {
    const ValueId log = e("row_log_softmax", {x[0]}), labels = node.inputs[1];
    const ValueId hit = e("one_hot", {labels}, {e.shape(log).back(), DType::boolean});
    const ValueId loss = e.neg(e.sum(e.where(hit, log, e.scalar(0, log)), {-1}, false));
    if (!std::holds_alternative<int64_t>(node.attrs[0])) return loss;
    const ValueId ignored = e.graph.add_scalar(e.dtype(labels), static_cast<double>(node.attr<int64_t>(0)));
    return e.where(e("equal", {labels, ignored}), e.scalar(0, loss), loss);
  });
}

void dense_grad_gradient(GradientContext& c) {
  differentiate_formula(c, {0, 1}, 3, [](Emitter& e, const Node&, const std::vector<ValueId>& x) {
    return e.neg(e.sum(e.mul(x[1], e("row_log_softmax", {x[0]})), {-1}, false));
  });
}

const std::vector<AttrDef>& label_attrs() {
  static const std::vector<AttrDef> attrs = {{"ignore_class", AttrKind::integer}};
  return attrs;
}

}  // namespace

const OpDef softmax_cross_entropy_op = {
    .name = "softmax_cross_entropy",
    .inputs = {"logits", "targets"},
    .promote = Promote::floating,
    .infer =
        [](InferContext& c) {
          check_logits(c);
          check_targets(c);
          c.set_out(c.in(0).dtype, without_last(c.in(0).shape));
        },
    .compose =
        [](Emitter& e, const Attrs&, const std::vector<ValueId>& x) {
          const DType dtype = e.dtype(x[0]), compute = row_dtype(dtype);
          return std::vector<ValueId>{
              e.cast(e("dense_cross_entropy", {e.cast(x[0], compute), e.cast(x[1], compute)}), dtype)};
        },
    .doc = "-sum(targets * log_softmax(logits)) over the last axis."};

const OpDef sparse_softmax_cross_entropy_op = {
    .name = "sparse_softmax_cross_entropy",
    .inputs = {"logits", "labels"},
    .attrs = label_attrs(),
    .infer =
        [](InferContext& c) {
          if (!is_float(c.in(0).dtype))
            c.refuse_type("`logits` must be floating-point numbers, got ", name_of(c.in(0).dtype));
          need_integers(c, 1, "labels");
          check_logits(c);
          check_labels(c);
          c.set_out(c.in(0).dtype, without_last(c.in(0).shape));
        },
    .compose =
        [](Emitter& e, const Attrs& attrs, const std::vector<ValueId>& x) {
          const DType dtype = e.dtype(x[0]);
          return std::vector<ValueId>{
              e.cast(e("label_cross_entropy", {e.cast(x[0], row_dtype(dtype)), as_index(e, x[1])}, {attrs[0]}), dtype)};
        },
    .doc = "-log_softmax(logits)[label] over the last axis. A label out of range gives NaN, `ignore_class` gives 0."};

const OpDef dense_cross_entropy_op = {
    .name = "dense_cross_entropy",
    .inputs = {"logits", "targets"},
    .num_outputs = 2,
    .infer = infer_rows<false>,
    .gradient = dense_gradient,
    .lower = lower_rows<false>,
    .doc = "Primitive of softmax_cross_entropy; also gives each row's maximum and reciprocal sum of exponentials."};

const OpDef dense_cross_entropy_grad_op = {.name = "dense_cross_entropy_grad",
                                           .inputs = {"logits", "targets", "stats", "dloss"},
                                           .infer = infer_rows_grad<false>,
                                           .gradient = dense_grad_gradient,
                                           .lower = lower_rows_grad<false>,
                                           .doc = "dloss (softmax(x) sum(t) - t)."};

const OpDef label_cross_entropy_op = {
    .name = "label_cross_entropy",
    .inputs = {"logits", "labels"},
    .attrs = label_attrs(),
    .num_outputs = 2,
    .infer = infer_rows<true>,
    .gradient = sparse_gradient,
    .lower = lower_rows<true>,
    .doc =
        "Primitive of sparse_softmax_cross_entropy; also gives each row's maximum and reciprocal sum of exponentials."};

const OpDef label_cross_entropy_grad_op = {.name = "label_cross_entropy_grad",
                                           .inputs = {"logits", "labels", "stats", "dloss"},
                                           .attrs = label_attrs(),
                                           .infer = infer_rows_grad<true>,
                                           .gradient = sparse_grad_gradient,
                                           .lower = lower_rows_grad<true>,
                                           .doc = "dloss (softmax(x) - onehot(label))."};

}  // namespace falconet
