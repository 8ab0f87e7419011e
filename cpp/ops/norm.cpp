// Normalisation.
//
//   layer_norm        y = (x - mean) rstd gamma + beta, statistics of each row of the last axis (biased variance)
//   rms_norm          y = x rstd gamma, rstd = 1 / sqrt(mean(x^2) + epsilon)
//   batch_norm_train  y = (x - mean) / sqrt(variance + epsilon) gamma + beta, statistics of each element of the last
//   axis over
//                     all others; gives mean and variance too
//
// What users call casts (float16 and bfloat16 are computed in float32); the primitives keep what their gradients need.
// kernels/rows.h has the gradients' formulas. Batch norm by given statistics is plain arithmetic and fuses by itself.
#include "ops/tools.h"

namespace falconet {

namespace {

constexpr int64_t kCost = 8;  // flops an element

int64_t width_of(const Spec& x) { return x.shape.back(); }
int lane_number(const Spec& x) { return static_cast<int>(lane_of(x.dtype)); }

// x and the parameters behind it: vectors of the last axis.
void check_parameters(InferContext& c, std::initializer_list<const char*> names) {
  const Shape& x = c.in(0).shape;
  c.check(x.rank() >= 1 && x.back() >= 1, "x has shape ", x, "; it needs a last axis of at least 1 element");
  int i = 0;
  for (const char* name : names) {
    ++i;
    c.check(c.in(i).shape == Shape{x.back()}, "`", name, "` has shape ", c.in(i).shape, "; x of shape ", x, " needs (",
            x.back(), ",)");
  }
}

void check_floats(InferContext& c, double epsilon) {
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (!is_float(c.in(i).dtype))
      c.refuse_type("x and its parameters must be floating-point numbers, got ", name_of(c.in(i).dtype));
  }
  c.check(epsilon >= 0, "`epsilon` is ", epsilon, "; it must not be negative");
}

// Inputs of the primitives: one dtype, and x with rows to work on.
void check_rows(InferContext& c) {
  const Shape& x = c.in(0).shape;
  c.check(x.rank() >= 1 && x.back() >= 1, "x has shape ", x, "; it needs a last axis of at least 1 element");
  for (int i = 0; i < c.num_inputs(); ++i) {
    need_row_dtype(c, i);
    if (c.in(i).dtype != c.in(0).dtype) c.refuse_type("input ", i, " is ", c.in(i), " and x ", c.in(0));
  }
}

// --- by rows: layer norm (x, gamma, beta) -> y, mean, rstd and RMS norm (x, gamma) -> y, rstd ---

template <bool rms>
void infer_rows(InferContext& c) {
  check_rows(c);
  rms ? check_parameters(c, {"gamma"}) : check_parameters(c, {"gamma", "beta"});
  c.set_out(c.in(0).dtype, c.in(0).shape);
  for (int saved = 0; saved < (rms ? 1 : 2); ++saved) c.set_out(c.in(0).dtype, without_last(c.in(0).shape));
}

template <bool rms>
void lower_rows(Lowering& l) {
  const Spec& x = l.in_spec(0);
  LayerNormArgs args;
  args.width = width_of(x);
  args.epsilon = l.node().attr<double>(0);
  args.rms = rms;
  auto& a =
      l.emit<LayerNormArgs>(l.kernels.rows.layer_norm[lane_number(x)], rows_of(x.shape), kCost * args.width, args);
  l.bind(a.x, l.in(0));
  l.bind(a.gamma, l.in(1));
  l.bind(a.y, l.out(0));
  if (!rms) {
    l.bind(a.beta, l.in(2));
    l.bind(a.mean, l.out(1));
  }
  l.bind(a.rstd, l.out(rms ? 1 : 2));
}

// (x, dy, gamma, mean, rstd) -> dx, dgamma, dbeta; RMS norm has no mean and no dbeta.
template <bool rms>
void infer_rows_grad(InferContext& c) {
  check_rows(c);
  const Spec& x = c.in(0);
  const Shape rows = without_last(x.shape);
  bool fits = c.in(1) == x && c.in(2).shape == Shape{x.shape.back()};
  for (int i = 3; i < c.num_inputs(); ++i) fits &= c.in(i).shape == rows;
  c.check(fits, "dy is ", c.in(1), " and gamma ", c.in(2), " for x ", x);
  c.set_out(x.dtype, x.shape);
  for (int parameter = 0; parameter < (rms ? 1 : 2); ++parameter) c.set_out(x.dtype, c.in(2).shape);
}

template <bool rms>
void lower_rows_grad(Lowering& l) {
  const Spec& x = l.in_spec(0);
  LayerNormGradArgs args;
  args.rows = rows_of(x.shape);
  args.width = width_of(x);
  args.rms = rms;
  if (args.rows == 0) {
    for (int i = 1; i < l.node().num_outputs; ++i) emit_fill(l, l.out(i), l.out_spec(i), 0);
    return;
  }
  const Ref scratch = l.scratch(norm_scratch_bytes(lane_of(x.dtype), args.rows, args.width));
  const auto emit = [&](TaskFn task, int64_t units, int64_t cost) {
    auto& a = l.emit<LayerNormGradArgs>(task, units, cost, args);
    l.bind(a.x, l.in(0));
    l.bind(a.dy, l.in(1));
    l.bind(a.gamma, l.in(2));
    if (!rms) l.bind(a.mean, l.in(3));
    l.bind(a.rstd, l.in(rms ? 3 : 4));
    l.bind(a.dx, l.out(0));
    l.bind(a.dgamma, l.out(1));
    if (!rms) l.bind(a.dbeta, l.out(2));
    l.bind(a.scratch, scratch);
  };
  const int64_t blocks = norm_blocks(args.rows), strips = norm_strips(args.width);
  emit(l.kernels.rows.layer_norm_grad[lane_number(x)], blocks, args.rows * args.width * 2 * kCost / blocks);
  emit(l.kernels.rows.layer_norm_grad_combine[lane_number(x)], strips, blocks * args.width * 2 / strips);
}

// y in plain arithmetic, of variables (x, gamma[, beta]); the grad ops differentiate it where they are differentiated.
ValueId normalised(Emitter& e, ValueId x, const Ints& axes, bool centre, double epsilon) {
  const ValueId d = centre ? e.sub(x, e("mean", {x}, {axes, true})) : x;
  const ValueId variance = e("mean", {e("square", {d})}, {axes, true});
  return e.mul(d, e("rsqrt", {e.add(variance, e.scalar(epsilon, variance))}));
}

template <bool rms>
ValueId rows_formula(Emitter& e, const Node& node, const std::vector<ValueId>& v) {
  return e.mul(normalised(e, v[0], {-1}, !rms, node.attr<double>(0)), v[1]);
}

// Adding beta changes no gradient of the others, and dbeta = sum(dy).
void sum_to_beta(GradientContext& c, int output, int dy) {
  if (!c.has_dy(output)) return;
  const ValueId spread = c.e.broadcast_to(c.dy(output), c.e.shape(c.x(dy)));
  c.set(dy, c.results()[dy] == kNoValue ? spread : c.e.add(c.results()[dy], spread));
}

// --- by columns: batch norm (x, gamma, beta) -> y, mean, variance ---

Ints leading_axes(const Shape& x) {
  Ints axes;
  for (int d = 0; d < x.rank() - 1; ++d) axes.push_back(d);
  return axes;
}

void infer_columns(InferContext& c) {
  check_rows(c);
  check_parameters(c, {"gamma", "beta"});
  c.check(rows_of(c.in(0).shape) > 0, "x has shape ", c.in(0).shape, "; statistics need at least 1 row");
  c.set_out(c.in(0).dtype, c.in(0).shape);
  c.set_out(c.in(0).dtype, c.in(1).shape);
  c.set_out(c.in(0).dtype, c.in(1).shape);
}

void lower_columns(Lowering& l) {
  const Spec& x = l.in_spec(0);
  MomentsArgs moments;
  moments.rows = rows_of(x.shape);
  moments.width = width_of(x);
  const int64_t blocks = norm_blocks(moments.rows), strips = norm_strips(moments.width);
  const Ref scratch = l.scratch(norm_scratch_bytes(lane_of(x.dtype), moments.rows, moments.width));
  const auto emit = [&](TaskFn task, int64_t units, int64_t cost) {
    auto& a = l.emit<MomentsArgs>(task, units, cost, moments);
    l.bind(a.x, l.in(0));
    l.bind(a.mean, l.out(1));
    l.bind(a.variance, l.out(2));
    l.bind(a.scratch, scratch);
  };
  emit(l.kernels.rows.moments[lane_number(x)], blocks * strips,
       moments.rows * moments.width * 4 / (blocks * strips) + 1);
  emit(l.kernels.rows.moments_combine[lane_number(x)], strips, blocks * moments.width * 4 / strips + 1);
  BatchNormArgs args;
  args.width = moments.width;
  args.epsilon = l.node().attr<double>(0);
  auto& a = l.emit<BatchNormArgs>(l.kernels.rows.batch_norm[lane_number(x)], moments.rows, args.width * 4, args);
  l.bind(a.x, l.in(0));
  l.bind(a.mean, l.out(1));
  l.bind(a.variance, l.out(2));
  l.bind(a.gamma, l.in(1));
  l.bind(a.beta, l.in(2));
  l.bind(a.y, l.out(0));
}

void infer_columns_grad(InferContext& c) {
  check_rows(c);
  const Spec& x = c.in(0);
  bool fits = c.in(1) == x;
  for (int i = 2; i < c.num_inputs(); ++i) fits &= c.in(i).shape == Shape{x.shape.back()};
  c.check(fits && rows_of(x.shape) > 0, "dy is ", c.in(1), " and gamma ", c.in(2), " for x ", x);
  c.set_out(x.dtype, x.shape);
  c.set_out(x.dtype, c.in(2).shape);
  c.set_out(x.dtype, c.in(2).shape);
}

void lower_columns_grad(Lowering& l) {
  const Spec& x = l.in_spec(0);
  BatchNormGradArgs args;
  args.rows = rows_of(x.shape);
  args.width = width_of(x);
  args.epsilon = l.node().attr<double>(0);
  const int64_t blocks = norm_blocks(args.rows), strips = norm_strips(args.width);
  const Ref scratch = l.scratch(norm_scratch_bytes(lane_of(x.dtype), args.rows, args.width));
  const auto emit = [&](TaskFn task, int64_t units, int64_t cost) {
    auto& a = l.emit<BatchNormGradArgs>(task, units, cost, args);
    l.bind(a.x, l.in(0));
    l.bind(a.dy, l.in(1));
    l.bind(a.gamma, l.in(2));
    l.bind(a.mean, l.in(3));
    l.bind(a.variance, l.in(4));
    l.bind(a.dx, l.out(0));
    l.bind(a.dgamma, l.out(1));
    l.bind(a.dbeta, l.out(2));
    l.bind(a.scratch, scratch);
  };
  emit(l.kernels.rows.batch_norm_grad_sums[lane_number(x)], blocks * strips,
       args.rows * args.width * 4 / (blocks * strips) + 1);
  emit(l.kernels.rows.batch_norm_grad_sums_combine[lane_number(x)], strips, blocks * args.width * 2 / strips + 1);
  emit(l.kernels.rows.batch_norm_grad_dx[lane_number(x)], args.rows, args.width * kCost);
}

void columns_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId x = c.x(0), mean = c.y(1);
  if (c.has_dy(0)) {
    const std::vector<ValueId> d =
        e.apply(batch_norm_rows_grad_op, {c.node.attrs[0]}, {x, c.dy(0), c.x(1), mean, c.y(2)});
    for (int i = 0; i < 3; ++i) c.set(i, d[i]);
  }
  const ValueId rows = e.scalar(static_cast<double>(rows_of(e.shape(x))), x);
  const auto add = [&](ValueId more) { c.set(0, c.results()[0] == kNoValue ? more : e.add(c.results()[0], more)); };
  if (c.has_dy(1)) add(e.broadcast_to(e.div(c.dy(1), rows), e.shape(x)));
  if (c.has_dy(2)) add(e.mul(e.sub(x, mean), e.mul(e.div(c.dy(2), rows), e.scalar(2, x))));
}

// A composite that casts all operands to one dtype, and its first result back to x's.
std::vector<ValueId> compose_cast(Emitter& e, const OpDef& primitive, const Attrs& attrs,
                                  const std::vector<ValueId>& x) {
  const DType dtype = e.dtype(x[0]), compute = row_dtype(dtype);
  std::vector<ValueId> inputs;
  for (ValueId v : x) inputs.push_back(e.cast(v, compute));
  std::vector<ValueId> outputs = e.apply(primitive, attrs, inputs);
  outputs[0] = e.cast(outputs[0], dtype);
  return outputs;
}

const std::vector<AttrDef>& epsilon_attr() {
  static const std::vector<AttrDef> attrs = {{"epsilon", AttrKind::real, 1e-3}};
  return attrs;
}

}  // namespace

const OpDef layer_norm_op = {
    .name = "layer_norm",
    .inputs = {"x", "gamma", "beta"},
    .attrs = epsilon_attr(),
    .infer =
        [](InferContext& c) {
          check_floats(c, c.attr<double>(0));
          check_parameters(c, {"gamma", "beta"});
          c.set_out(c.in(0).dtype, c.in(0).shape);
        },
    .compose =
        [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
          return std::vector<ValueId>{compose_cast(e, layer_norm_rows_op, a, x)[0]};
        },
    .doc = "(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the statistics of each row of the last axis."};

const OpDef rms_norm_op = {.name = "rms_norm",
                           .inputs = {"x", "gamma"},
                           .attrs = epsilon_attr(),
                           .infer =
                               [](InferContext& c) {
                                 check_floats(c, c.attr<double>(0));
                                 check_parameters(c, {"gamma"});
                                 c.set_out(c.in(0).dtype, c.in(0).shape);
                               },
                           .compose =
                               [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
                                 return std::vector<ValueId>{compose_cast(e, rms_norm_rows_op, a, x)[0]};
                               },
                           .doc = "x / sqrt(mean(x^2) + epsilon) * gamma, with the mean of each row of the last axis."};

const OpDef batch_norm_train_op = {
    .name = "batch_norm_train",
    .inputs = {"x", "gamma", "beta"},
    .attrs = epsilon_attr(),
    .num_outputs = 3,
    .infer =
        [](InferContext& c) {
          check_floats(c, c.attr<double>(0));
          check_parameters(c, {"gamma", "beta"});
          c.check(rows_of(c.in(0).shape) > 0, "x has shape ", c.in(0).shape, "; statistics need at least 1 row");
          const DType compute = row_dtype(c.in(0).dtype);
          c.set_out(c.in(0).dtype, c.in(0).shape);
          c.set_out(compute, c.in(1).shape);
          c.set_out(compute, c.in(1).shape);
        },
    .compose = [](Emitter& e, const Attrs& a,
                  const std::vector<ValueId>& x) { return compose_cast(e, batch_norm_rows_op, a, x); },
    .doc =
        "x normalised by the mean and biased variance of each element of the last axis over all others, times gamma "
        "plus "
        "beta; gives (y, mean, variance)."};

const OpDef layer_norm_rows_op = {
    .name = "layer_norm_rows",
    .inputs = {"x", "gamma", "beta"},
    .attrs = epsilon_attr(),
    .num_outputs = 3,
    .infer = infer_rows<false>,
    .gradient =
        [](GradientContext& c) {
          const std::vector<ValueId> d =
              c.e.apply(layer_norm_rows_grad_op, {c.node.attrs[0]}, {c.x(0), c.dy(0), c.x(1), c.y(1), c.y(2)});
          for (int i = 0; i < 3; ++i) c.set(i, d[i]);
        },
    .lower = lower_rows<false>,
    .doc = "Primitive of layer_norm; gives y and each row's mean and 1 / sqrt(variance + epsilon)."};

const OpDef layer_norm_rows_grad_op = {.name = "layer_norm_rows_grad",
                                       .inputs = {"x", "dy", "gamma", "mean", "rstd"},
                                       .attrs = epsilon_attr(),
                                       .num_outputs = 3,
                                       .infer = infer_rows_grad<false>,
                                       .gradient =
                                           [](GradientContext& c) {
                                             differentiate_formula(c, {0, 2}, 1, rows_formula<false>);
                                             sum_to_beta(c, 2, 1);
                                           },
                                       .lower = lower_rows_grad<false>,
                                       .doc = "dx, dgamma, dbeta of layer_norm."};

const OpDef rms_norm_rows_op = {.name = "rms_norm_rows",
                                .inputs = {"x", "gamma"},
                                .attrs = epsilon_attr(),
                                .num_outputs = 2,
                                .infer = infer_rows<true>,
                                .gradient =
                                    [](GradientContext& c) {
                                      const std::vector<ValueId> d = c.e.apply(rms_norm_rows_grad_op, {c.node.attrs[0]},
                                                                               {c.x(0), c.dy(0), c.x(1), c.y(1)});
                                      for (int i = 0; i < 2; ++i) c.set(i, d[i]);
                                    },
                                .lower = lower_rows<true>,
                                .doc = "Primitive of rms_norm; gives y and each row's 1 / sqrt(mean(x^2) + epsilon)."};

const OpDef rms_norm_rows_grad_op = {.name = "rms_norm_rows_grad",
                                     .inputs = {"x", "dy", "gamma", "rstd"},
                                     .attrs = epsilon_attr(),
                                     .num_outputs = 2,
                                     .infer = infer_rows_grad<true>,
                                     .gradient =
                                         [](GradientContext& c) {
                                           differentiate_formula(c, {0, 2}, 1, rows_formula<true>);
                                         },
                                     .lower = lower_rows_grad<true>,
                                     .doc = "dx, dgamma of rms_norm."};

const OpDef batch_norm_rows_op = {.name = "batch_norm_rows",
                                  .inputs = {"x", "gamma", "beta"},
                                  .attrs = epsilon_attr(),
                                  .num_outputs = 3,
                                  .infer = infer_columns,
                                  .gradient = columns_gradient,
                                  .lower = lower_columns,
                                  .doc = "Primitive of batch_norm_train."};

const OpDef batch_norm_rows_grad_op = {
    .name = "batch_norm_rows_grad",
    .inputs = {"x", "dy", "gamma", "mean", "variance"},
    .attrs = epsilon_attr(),
    .num_outputs = 3,
    .infer = infer_columns_grad,
    .gradient =
        [](GradientContext& c) {
          differentiate_formula(c, {0, 2}, 1, [](Emitter& e, const Node& node, const std::vector<ValueId>& v) {
            return e.mul(normalised(e, v[0], leading_axes(e.shape(v[0])), true, node.attr<double>(0)), v[1]);
          });
          sum_to_beta(c, 2, 1);
        },
    .lower = lower_columns_grad,
    .doc = "dx, dgamma, dbeta of batch_norm_train."};

}  // namespace falconet
