// Triangles of matrices, and axes turned round.
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

}  // namespace

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
