// Triangles of matrices, axes turned round, and what is put together from shapes, copies and joins.
#include <algorithm>

#include "ops/tools.h"

namespace falconet {

namespace {

void lower_triangle(Lowering& l, bool lower) {
  const Spec& x = l.in_spec(0);
  TriangleArgs args;
  args.rows = x.shape[-2];
  args.columns = x.shape[-1];
  args.k = l.node().attr<int64_t>(0);
  args.lower = lower;
  const int64_t size = size_of(x.dtype);
  auto& a = l.emit<TriangleArgs>(l.kernels.move.triangle[element_size_log2(size)], rows_of(x.shape),
                                 args.columns * size / 2, args);
  l.bind(a.x, l.in(0));
  l.bind(a.y, l.out());
}

OpDef triangle(const char* name, GradientRule gradient, void (*lower)(Lowering&), const char* doc) {
  OpDef op;
  op.name = name;
  op.inputs = {"x"};
  op.attrs = {{"k", AttrKind::integer, int64_t{0}}};
  op.infer = [](InferContext& c) {
    const Shape& x = c.in(0).shape;
    c.check(x.rank() >= 2, "x has shape ", x, "; it needs at least 2 axes");
    c.set_attr(0, std::clamp(c.attr<int64_t>(0), -x[-2] - 1, x[-1] + 1));  // further away it makes no difference
    c.set_out(c.in(0).dtype, c.in(0).shape);
  };
  op.gradient = gradient;
  op.lower = lower;
  op.doc = doc;
  return op;
}

void infer_flip(InferContext& c) {
  const int rank = c.in(0).shape.rank();
  Ints axes;
  for (int d = 0; !c.has_attr(0) && d < rank; ++d) axes.push_back(d);
  if (c.has_attr(0)) axes = c.attr<Ints>(0);
  for (int64_t& a : axes) {
    c.check(a >= -rank && a < rank, "`axis` is ", attr_text(axes), "; the input has ", rank,
            rank == 1 ? " axis" : " axes");
    if (a < 0) a += rank;
  }
  c.set_attr(0, axes);
  c.set_out(c.in(0).dtype, c.in(0).shape);
}

using Values = std::vector<ValueId>;

void infer_stack(InferContext& c) {
  Shape shape = c.in(0).shape;
  const int axis = c.axis(0, shape.rank() + 1);
  for (int i = 1; i < c.num_inputs(); ++i) {
    c.check(c.in(i).shape == shape, "input 0 has shape ", shape, " and input ", i, " has ", c.in(i).shape,
            "; all must be equal");
  }
  Shape out;
  for (int d = 0; d <= shape.rank(); ++d) out.push_back(d == axis ? c.num_inputs() : shape[d < axis ? d : d - 1]);
  c.set_attr(0, int64_t{axis});
  c.set_out(c.in(0).dtype, out);
}
Values compose_stack(Emitter& e, const Attrs& attrs, const Values& xs) {
  const int axis = static_cast<int>(std::get<int64_t>(attrs[0]));
  Values apart;
  for (ValueId x : xs) {
    const Shape shape = e.shape(x);
    Shape wide;
    for (int d = 0; d <= shape.rank(); ++d) wide.push_back(d == axis ? 1 : shape[d < axis ? d : d - 1]);
    apart.push_back(e.reshape(x, wide));
  }
  return {e("concatenate", apart, {attrs[0]})};
}

void infer_repeat(InferContext& c) {
  Shape shape = c.in(0).shape;
  const int axis = c.axis(1, shape.rank());
  const int64_t times = c.attr<int64_t>(0);
  c.check(times >= 0, "`repeats` is ", times, "; it must not be negative");
  c.set_attr(1, int64_t{axis});
  shape[axis] *= times;
  c.set_out(c.in(0).dtype, shape);
}
Values compose_repeat(Emitter& e, const Attrs& attrs, const Values& x) {
  const int axis = static_cast<int>(std::get<int64_t>(attrs[1]));
  const int64_t times = std::get<int64_t>(attrs[0]);
  const Shape shape = e.shape(x[0]);
  Shape apart, out = shape;
  Ints wide;
  for (int d = 0; d < shape.rank(); ++d) {
    apart.push_back(shape[d]);
    wide.push_back(shape[d]);
    if (d != axis) continue;
    apart.push_back(1);
    wide.push_back(times);
  }
  out[axis] *= times;
  return {e.reshape(e("spread", {e.reshape(x[0], apart)}, {wide}), out)};
}

// The shape of x with as many axes as there are repeats at least, and these with as many as x has.
Shape tile_shapes(const Shape& x, Ints& times) {
  Shape shape;
  while (static_cast<int>(times.size()) < x.rank()) times.insert(times.begin(), 1);
  for (int d = 0; d < static_cast<int>(times.size()) - x.rank(); ++d) shape.push_back(1);
  for (int64_t n : x) shape.push_back(n);
  return shape;
}
void infer_tile(InferContext& c) {
  Ints times = c.attr<Ints>(0);
  Shape shape = tile_shapes(c.in(0).shape, times);
  for (int d = 0; d < shape.rank(); ++d) {
    c.check(times[d] >= 0, "`repeats` is ", attr_text(times), "; none must be negative");
    shape[d] *= times[d];
  }
  c.set_out(c.in(0).dtype, shape);
}
// Axes of which there is one element, or one copy, need no second axis.
Values compose_tile(Emitter& e, const Attrs& attrs, const Values& x) {
  Ints times = std::get<Ints>(attrs[0]), wide;
  const Shape shape = tile_shapes(e.shape(x[0]), times);
  Shape apart, out;
  for (int d = 0; d < shape.rank(); ++d) {
    out.push_back(shape[d] * times[d]);
    if (times[d] != 1) {
      apart.push_back(1);
      wide.push_back(times[d]);
    }
    if (times[d] == 1 || shape[d] != 1) {
      apart.push_back(shape[d]);
      wide.push_back(shape[d]);
    }
  }
  return {e.reshape(e("spread", {e.reshape(x[0], apart)}, {wide}), out)};
}

void infer_roll(InferContext& c) {
  const Shape& shape = c.in(0).shape;
  Ints axes = c.attr<Ints>(1);
  c.check(axes.size() == c.attr<Ints>(0).size(), "`shift` ", attr_text(c.attr<Ints>(0)), " and `axis` ",
          attr_text(axes), " must have as many entries");
  for (int64_t& a : axes) {
    c.check(a >= -shape.rank() && a < shape.rank(), "`axis` is ", attr_text(axes), "; x has shape ", shape);
    if (a < 0) a += shape.rank();
  }
  c.set_attr(1, axes);
  c.set_out(c.in(0).dtype, shape);
}
Values compose_roll(Emitter& e, const Attrs& attrs, const Values& inputs) {
  const Ints &shift = std::get<Ints>(attrs[0]), &axes = std::get<Ints>(attrs[1]);
  ValueId x = inputs[0];
  for (size_t i = 0; i < axes.size(); ++i) {
    const Shape shape = e.shape(x);
    const int axis = static_cast<int>(axes[i]);
    const int64_t n = shape[axis], cut = n == 0 ? 0 : ((-shift[i] % n) + n) % n;
    if (cut == 0) continue;
    const auto part = [&](int64_t first, int64_t last) {
      Ints start(shape.rank(), 0), stop(shape.begin(), shape.end());
      start[axis] = first;
      stop[axis] = last;
      return e("slice", {x}, {start, stop, Ints(shape.rank(), 1)});
    };
    x = e("concatenate", {part(cut, n), part(0, cut)}, {axes[i]});
  }
  return {x};
}

OpDef composite(const char* name, const char* input, std::vector<AttrDef> attrs, void (*infer)(InferContext&),
                ComposeRule compose, const char* doc) {
  OpDef op;
  op.name = name;
  op.inputs = {input};
  op.attrs = std::move(attrs);
  op.infer = infer;
  op.compose = compose;
  op.doc = doc;
  return op;
}

}  // namespace

const OpDef stack_op = [] {
  OpDef op = composite("stack", "xs...", {{"axis", AttrKind::integer, int64_t{0}}}, infer_stack, compose_stack,
                       "Inputs of one shape along a new axis.");
  op.promote = Promote::common;
  return op;
}();
const OpDef repeat_op = composite(
    "repeat", "x", {{"repeats", AttrKind::integer, {}, true}, {"axis", AttrKind::integer, {}, true}}, infer_repeat,
    compose_repeat, "Each element `repeats` times along an axis.");
const OpDef tile_op = composite("tile", "x", {{"repeats", AttrKind::ints, {}, true}}, infer_tile, compose_tile,
                                "x as a whole, repeats[a] times along axis a (counted from the last).");
const OpDef roll_op = composite(
    "roll", "x", {{"shift", AttrKind::ints, {}, true}, {"axis", AttrKind::ints, {}, true}}, infer_roll, compose_roll,
    "x shifted along axes, what leaves at one end coming back at the other.");

const OpDef tril_op = triangle(
    "tril", [](GradientContext& c) { c.set(0, c.e("tril", {c.dy()}, {c.node.attrs[0]})); },
    [](Lowering& l) { lower_triangle(l, true); },
    "x on and below the k-th diagonal of its last two axes (k > 0: above the main one), 0 elsewhere.");
const OpDef triu_op = triangle(
    "triu", [](GradientContext& c) { c.set(0, c.e("triu", {c.dy()}, {c.node.attrs[0]})); },
    [](Lowering& l) { lower_triangle(l, false); },
    "x on and above the k-th diagonal of its last two axes (k > 0: above the main one), 0 elsewhere.");

const OpDef flip_op = {
    .name = "flip",
    .inputs = {"x"},
    .attrs = {{"axis", AttrKind::ints}},
    .infer = infer_flip,
    .compose =
        [](Emitter& e, const Attrs& attrs, const std::vector<ValueId>& x) {
          const Shape shape = e.shape(x[0]);
          Ints start(shape.rank(), 0), stop(shape.begin(), shape.end()), step(shape.rank(), 1);
          for (int64_t a : std::get<Ints>(attrs[0])) {
            const int64_t n = shape[static_cast<int>(a)];
            start[a] = n - 1;
            stop[a] = -n - 1;  // before the first
            step[a] = -1;
          }
          return std::vector<ValueId>{shape.size() == 0 ? x[0] : e("slice", {x[0]}, {start, stop, step})};
        },
    .doc = "x with the order of elements turned round along `axis` (None: all axes)."};

}  // namespace falconet
