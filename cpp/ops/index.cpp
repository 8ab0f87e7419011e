// Reading and writing by index along one axis, x being seen as (outer, n, inner).
//
//   take             y[o, j, i] = x[o, index[j], i]
//   take_along_axis  y[o, j, i] = x[o, index[o, j, i], i]
//   put_along_axis   y = base, then y[o, index[o, j, i], i] = or += updates[o, j, i] for j ascending
//
// A negative index counts from the end; one that is still out of range is an error. What users call brings dtypes and
// shapes into one form; gather, gather_along and put_along are the primitives. Gradients:
//   gather_grad        zeros of x's size, with dy[o, j, i] added at [o, index[j], i]
//   gather_along_grad  zeros of x's size, with dy[o, j, i] added at [o, index[o, j, i], i]
#include "ops/tools.h"

namespace falconet {

namespace {

// --- whole slices ---

// x.shape with the axis replaced by the shape of the indices.
Shape taken_shape(const Shape& x, const Shape& index, int axis) {
  Shape out(x.begin(), x.begin() + axis);
  for (int64_t d : index) out.push_back(d);
  for (int d = axis + 1; d < x.rank(); ++d) out.push_back(x[d]);
  return out;
}

void infer_take(InferContext& c) {
  need_integers(c, 1, "indices");
  const int axis = optional_axis(c, 0, c.in(0).shape.rank());
  const Shape x = axis < 0 ? Shape{c.in(0).size()} : c.in(0).shape, &index = c.in(1).shape;
  c.check(x[std::max(axis, 0)] > 0 || index.size() == 0, "an input of shape ", c.in(0).shape,
          " has nothing to take along ", axis < 0 ? std::string("its elements") : join_text("axis ", axis));
  c.set_out(c.in(0).dtype, taken_shape(x, index, std::max(axis, 0)));
}

std::vector<ValueId> compose_take(Emitter& e, const Attrs& attrs, const std::vector<ValueId>& inputs) {
  ValueId x = inputs[0];
  const int64_t axis = flatten_or_axis(e, attrs[0], x);
  return {e("gather", {x, as_index(e, inputs[1])}, {axis})};
}

void infer_gather(InferContext& c) {
  need_index(c, 1);
  const int axis = c.axis(0, c.in(0).shape.rank());
  c.set_attr(0, int64_t{axis});
  c.set_out(c.in(0).dtype, taken_shape(c.in(0).shape, c.in(1).shape, axis));
}

void gather_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const int64_t axis = c.node.attr<int64_t>(0), size = e.shape(c.x())[static_cast<int>(axis)];
  c.set(0, e("gather_grad", {e.cast(c.dy(), kernel_dtype(e.dtype(c.x()))), c.x(1)}, {axis, size}));
}

void lower_gather(Lowering& l) {
  const Spec& x = l.in_spec(0);
  const AxisView v = view_axis(x.shape, static_cast<int>(l.node().attr<int64_t>(0)));
  GatherArgs args;
  args.outer = v.outer;
  args.n = v.axis;
  args.m = l.in_spec(1).size();
  args.run_bytes = v.inner * size_of(x.dtype);
  args.index64 = l.in_spec(1).dtype == DType::int64;
  args.error = l.index_error();
  auto& a = l.emit<GatherArgs>(l.kernels.move.gather, args.outer * args.m, args.run_bytes / 2 + 4, args);
  l.bind(a.x, l.in(0));
  l.bind(a.index, l.in(1));
  l.bind(a.y, l.out());
}

void infer_gather_grad(InferContext& c) {
  need_kernel_dtype(c, 0);
  need_index(c, 1);
  const Shape &dy = c.in(0).shape, &index = c.in(1).shape;
  const int64_t axis = c.attr<int64_t>(0);
  c.check(axis >= 0 && axis <= dy.rank() - index.rank() && c.attr<int64_t>(1) >= 0 &&
              std::equal(index.begin(), index.end(), dy.begin() + axis),
          "dy has shape ", dy, " and `index` ", index, "; they do not belong together along axis ", axis);
  Shape out(dy.begin(), dy.begin() + axis);
  out.push_back(c.attr<int64_t>(1));
  for (int d = static_cast<int>(axis) + index.rank(); d < dy.rank(); ++d) out.push_back(dy[d]);
  c.set_out(c.in(0).dtype, out);
}

void lower_gather_grad(Lowering& l) {
  const Spec& out = l.out_spec();
  if (l.in_spec(1).size() == 0) return emit_fill(l, l.out(), out, 0);
  const AxisView v = view_axis(out.shape, static_cast<int>(l.node().attr<int64_t>(0)));
  ScatterArgs args;
  args.outer = v.outer;
  args.n = v.axis;
  args.m = l.in_spec(1).size();
  args.inner = v.inner;
  args.index64 = l.in_spec(1).dtype == DType::int64;
  args.clear = true;
  args.error = l.index_error();
  scatter_plan(&args);
  const TaskFn task = l.kernels.move.scatter[static_cast<int>(ScatterOp::add)][static_cast<int>(lane_of(out.dtype))];
  auto& a = l.emit<ScatterArgs>(task, args.units, (args.m + args.n) * args.inner * 2 / args.parts, args);
  l.bind(a.x, l.in(0));
  l.bind(a.index, l.in(1));
  l.bind(a.y, l.out());
}

// --- element by element ---

// The shape two arrays share on all axes but `axis`, with `size` there.
Shape aligned_shape(InferContext& c, const Shape& x, const Shape& index, int axis, int64_t size) {
  Shape out = x;
  for (int d = 0; d < x.rank(); ++d) {
    if (d == axis) continue;
    c.check(x[d] == index[d] || x[d] == 1 || index[d] == 1, "the input has shape ", x, " and `indices` ", index,
            "; on all axes but axis ", axis, " sizes must be equal or 1");
    if (out[d] == 1) out[d] = index[d];
  }
  out[axis] = size;
  return out;
}

void check_along(InferContext& c) {
  need_integers(c, 1, "indices");
  const int rank = c.in(0).shape.rank(), index_rank = c.in(1).shape.rank();
  if (!c.has_attr(0)) return;
  c.check(rank == index_rank, "`indices` has shape ", c.in(1).shape, "; it needs as many axes as the input of shape ",
          c.in(0).shape);
}

void infer_take_along(InferContext& c) {
  check_along(c);
  const int axis = optional_axis(c, 0, c.in(0).shape.rank());
  if (axis < 0) return c.set_out(c.in(0).dtype, Shape{c.in(1).size()});
  const Shape& index = c.in(1).shape;
  const Shape out = aligned_shape(c, c.in(0).shape, index, axis, index[axis]);
  c.check(c.in(0).shape[axis] > 0 || out.size() == 0, "an input of shape ", c.in(0).shape,
          " has nothing to take along axis ", axis);
  c.set_out(c.in(0).dtype, out);
}

std::vector<ValueId> compose_take_along(Emitter& e, const Attrs& attrs, const std::vector<ValueId>& inputs) {
  ValueId x = inputs[0], index = as_index(e, inputs[1]);
  const int axis = flatten_or_axis(e, attrs[0], x);
  flatten_or_axis(e, attrs[0], index);
  Shape common = e.shape(x), at = e.shape(index);
  for (int d = 0; d < common.rank(); ++d) {
    if (d == axis) continue;
    if (common[d] == 1) common[d] = at[d];
    at[d] = common[d];
  }
  return {e("gather_along", {e.broadcast_to(x, common), e.broadcast_to(index, at)}, {int64_t{axis}})};
}

void infer_gather_along(InferContext& c) {
  need_index(c, 1);
  const int axis = c.axis(0, c.in(0).shape.rank());
  const Shape& index = c.in(1).shape;
  Shape out = c.in(0).shape;
  c.check(index.rank() == out.rank(), "x has shape ", out, " and `index` ", index);
  out[axis] = index[axis];
  c.check(index == out, "x has shape ", c.in(0).shape, " and `index` ", index, "; they may differ on axis ", axis,
          " only");
  c.set_attr(0, int64_t{axis});
  c.set_out(c.in(0).dtype, out);
}

AlongArgs along_args(Lowering& l, const Shape& x, int axis, const Spec& index) {
  const AxisView v = view_axis(x, axis);
  AlongArgs args;
  args.outer = v.outer;
  args.n = v.axis;
  args.m = index.shape[axis];
  args.inner = v.inner;
  args.index64 = index.dtype == DType::int64;
  args.error = l.index_error();
  return args;
}

void lower_gather_along(Lowering& l) {
  const Spec& x = l.in_spec(0);
  const AlongArgs args = along_args(l, x.shape, static_cast<int>(l.node().attr<int64_t>(0)), l.in_spec(1));
  auto& a = l.emit<AlongArgs>(l.kernels.move.take_along[element_size_log2(size_of(x.dtype))], args.outer * args.m,
                              args.inner * 4, args);
  l.bind(a.x, l.in(0));
  l.bind(a.index, l.in(1));
  l.bind(a.y, l.out());
}

void infer_gather_along_grad(InferContext& c) {
  need_kernel_dtype(c, 0);
  need_index(c, 1);
  Shape out = c.in(0).shape;
  const int axis = c.axis(0, out.rank());
  c.check(c.in(1).shape == out && c.attr<int64_t>(1) >= 0, "dy has shape ", out, " and `index` ", c.in(1).shape,
          "; they must be equal");
  out[axis] = c.attr<int64_t>(1);
  c.set_attr(0, int64_t{axis});
  c.set_out(c.in(0).dtype, out);
}

// y = zeros (clear) or what is there, with input `from` put or added along `axis` by input 1.
void emit_put(Lowering& l, bool add, bool clear, int axis, int from) {
  const Spec& out = l.out_spec();
  AlongArgs args = along_args(l, out.shape, axis, l.in_spec(1));
  args.clear = clear;
  const TaskFn task = add ? l.kernels.move.put_along_add[static_cast<int>(lane_of(out.dtype))]
                          : l.kernels.move.put_along[element_size_log2(size_of(out.dtype))];
  auto& a = l.emit<AlongArgs>(task, args.outer, (args.m * 4 + args.n) * args.inner, args);
  l.bind(a.x, l.in(from));
  l.bind(a.index, l.in(1));
  l.bind(a.y, l.out());
}

void lower_gather_along_grad(Lowering& l) {
  if (l.in_spec(1).size() == 0) return emit_fill(l, l.out(), l.out_spec(), 0);
  emit_put(l, true, true, static_cast<int>(l.node().attr<int64_t>(0)), 0);
}

void check_mode(InferContext& c, const std::string& mode) {
  c.check(mode == "add" || mode == "set", "`mode` is \"", mode, "\"; it must be \"add\" or \"set\"");
}

void infer_put_along_axis(InferContext& c) {
  check_along(c);
  check_mode(c, c.attr<std::string>(1));
  const int axis = optional_axis(c, 0, c.in(0).shape.rank());
  const Shape& base = c.in(0).shape;
  Shape at{c.in(1).size()};
  if (axis >= 0) {
    at = aligned_shape(c, base, c.in(1).shape, axis, base[axis]);
    c.check(at == base, "`indices` of shape ", c.in(1).shape, " do not fit into a base of shape ", base);
    at[axis] = c.in(1).shape[axis];
  }
  const Shape& updates = c.in(2).shape;
  bool fits = updates.rank() <= at.rank();
  for (int k = 1; fits && k <= updates.rank(); ++k) fits = updates[-k] == at[-k] || updates[-k] == 1;
  c.check(fits, "`updates` has shape ", updates, "; it must broadcast to that of the indices, ", at);
  c.set_out(c.in(0).dtype, base);
}

std::vector<ValueId> compose_put_along_axis(Emitter& e, const Attrs& attrs, const std::vector<ValueId>& inputs) {
  const Shape shape = e.shape(inputs[0]);
  const DType dtype = e.dtype(inputs[0]);
  const bool add = std::get<std::string>(attrs[1]) == "add";
  const DType compute = add ? kernel_dtype(dtype) : dtype;
  ValueId base = e.cast(inputs[0], compute), index = as_index(e, inputs[1]);
  const int axis = flatten_or_axis(e, attrs[0], base);
  flatten_or_axis(e, attrs[0], index);
  Shape at = e.shape(base);
  at[axis] = e.shape(index)[axis];
  const ValueId updates = e.broadcast_to(e.cast(e.cast(inputs[2], dtype), compute), at);
  const ValueId y = e("put_along", {base, e.broadcast_to(index, at), updates}, {int64_t{axis}, add});
  return {e.cast(e.reshape(y, shape), dtype)};
}

void infer_put_along(InferContext& c) {
  if (c.attr<bool>(1)) need_kernel_dtype(c, 0);
  need_index(c, 1);
  const int axis = c.axis(0, c.in(0).shape.rank());
  c.set_attr(0, int64_t{axis});
  Shape at = c.in(0).shape;
  c.check(c.in(1).shape.rank() == at.rank(), "base has shape ", at, " and `index` ", c.in(1).shape);
  at[axis] = c.in(1).shape[axis];
  c.check(c.in(1).shape == at && c.in(2).shape == at && c.in(2).dtype == c.in(0).dtype, "base is ", c.in(0),
          ", `index` ", c.in(1), ", `updates` ", c.in(2), "; they may differ on axis ", axis, " only");
  c.set_out(c.in(0).dtype, c.in(0).shape);
}

// Where several updates go to one place, the last one is what y holds, and it alone has a gradient.
void put_along_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId dy = c.dy(), index = c.x(1);
  const Attr axis = c.node.attrs[0];
  if (c.node.attr<bool>(1)) {
    c.set(0, dy);
    if (c.wants(2)) c.set(2, e("gather_along", {dy, index}, {axis}));
    return;
  }
  const Shape at = e.shape(index), shape = e.shape(dy);
  if (c.wants(0)) c.set(0, e("put_along", {dy, index, e.broadcast_to(e.scalar(0, dy), at)}, {axis, false}));
  if (!c.wants(2)) return;
  const ValueId order = e("iota", {}, {Ints(at.begin(), at.end()), DType::int64});
  const ValueId none = e.broadcast_to(e.graph.add_scalar(DType::int64, -1), shape);
  const ValueId last = e("gather_along", {e("put_along", {none, index, order}, {axis, false}), index}, {axis});
  c.set(2, e.where(e("equal", {last, order}), e("gather_along", {dy, index}, {axis}), e.scalar(0, dy)));
}

}  // namespace

const OpDef take_op = {.name = "take",
                       .inputs = {"x", "indices"},
                       .attrs = {{"axis", AttrKind::integer}},
                       .infer = infer_take,
                       .compose = compose_take,
                       .doc =
                           "Slices of x along `axis` by their indices (None: elements of x seen flat). Negative "
                           "indices count from the end; "
                           "one out of range is an error."};

const OpDef gather_op = {.name = "gather",
                         .known_as = "take",
                         .inputs = {"x", "index"},
                         .attrs = {{"axis", AttrKind::integer, {}, true}},
                         .infer = infer_gather,
                         .gradient = gather_gradient,
                         .lower = lower_gather,
                         .doc = "Primitive of take."};

const OpDef gather_grad_op = {
    .name = "gather_grad",
    .known_as = "gradient of take",
    .inputs = {"dy", "index"},
    .attrs = {{"axis", AttrKind::integer, {}, true}, {"size", AttrKind::integer, {}, true}},
    .infer = infer_gather_grad,
    .gradient =
        [](GradientContext& c) {
          c.set(0, c.e("gather", {c.dy(), c.x(1)}, {c.node.attrs[0]}));
        },
    .lower = lower_gather_grad,
    .doc = "Zeros with `size` slices along `axis`, to which the slices of dy are added by index."};

const OpDef take_along_axis_op = {
    .name = "take_along_axis",
    .inputs = {"x", "indices"},
    .attrs = {{"axis", AttrKind::integer}},
    .infer = infer_take_along,
    .compose = compose_take_along,
    .doc = "Elements of x along `axis`, each by an index of its own; other axes broadcast (None: both seen flat)."};

const OpDef gather_along_op = {
    .name = "gather_along",
    .known_as = "take_along_axis",
    .inputs = {"x", "index"},
    .attrs = {{"axis", AttrKind::integer, {}, true}},
    .infer = infer_gather_along,
    .gradient =
        [](GradientContext& c) {
          const int64_t axis = c.node.attr<int64_t>(0), size = c.e.shape(c.x())[static_cast<int>(axis)];
          c.set(0, c.e("gather_along_grad", {c.e.cast(c.dy(), kernel_dtype(c.e.dtype(c.x()))), c.x(1)}, {axis, size}));
        },
    .lower = lower_gather_along,
    .doc = "Primitive of take_along_axis."};

const OpDef gather_along_grad_op = {
    .name = "gather_along_grad",
    .known_as = "gradient of take_along_axis",
    .inputs = {"dy", "index"},
    .attrs = {{"axis", AttrKind::integer, {}, true}, {"size", AttrKind::integer, {}, true}},
    .infer = infer_gather_along_grad,
    .gradient =
        [](GradientContext& c) {
          c.set(0, c.e("gather_along", {c.dy(), c.x(1)}, {c.node.attrs[0]}));
        },
    .lower = lower_gather_along_grad,
    .doc = "Zeros of `size` along `axis`, to which the elements of dy are added by index."};

const OpDef put_along_axis_op = {.name = "put_along_axis",
                                 .inputs = {"base", "indices", "updates"},
                                 .attrs = {{"axis", AttrKind::integer}, {"mode", AttrKind::text, std::string("set")}},
                                 .infer = infer_put_along_axis,
                                 .compose = compose_put_along_axis,
                                 .doc =
                                     "base with updates set (the last one wins) or added along `axis`, each at an "
                                     "index of its own (None: base seen flat)."};

const OpDef put_along_op = {.name = "put_along",
                            .known_as = "put_along_axis",
                            .inputs = {"base", "index", "updates"},
                            .attrs = {{"axis", AttrKind::integer, {}, true}, {"add", AttrKind::boolean, false}},
                            .infer = infer_put_along,
                            .gradient = put_along_gradient,
                            .lower =
                                [](Lowering& l) {
                                  emit_copy(l, l.in(0), l.out(), l.out_spec());
                                  if (l.in_spec(1).size() > 0)
                                    emit_put(l, l.node().attr<bool>(1), false,
                                             static_cast<int>(l.node().attr<int64_t>(0)), 2);
                                },
                            .doc = "Primitive of put_along_axis."};

}  // namespace falconet
