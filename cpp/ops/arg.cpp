// Where extrema are: int32 positions along one axis (or in x seen flat). The first of equals; NaN counts as the
// extremum.
#include "ops/tools.h"

namespace falconet {

namespace {

void infer_arg(InferContext& c) {
  const Shape& x = c.in(0).shape;
  const int axis = optional_axis(c, 0, x.rank());
  Shape out;
  for (int d = 0; d < x.rank(); ++d) {
    if (axis >= 0 && d != axis) {
      out.push_back(x[d]);
    } else if (c.attr<bool>(1)) {
      out.push_back(1);
    }
  }
  const int64_t n = axis < 0 ? x.size() : x[axis];
  c.check(n > 0 || out.size() == 0, "an input of shape ", x, " is empty and has no extremum");
  c.check(n <= INT32_MAX, "positions among ", n, " elements do not fit into int32");
  c.set_out(DType::int32, out);
}

std::vector<ValueId> compose_arg(Emitter& e, const Attrs& attrs, ValueId x, std::string_view primitive) {
  const Shape from = e.shape(x);
  x = e.cast(x, kernel_dtype(e.dtype(x)));
  const bool flat = std::holds_alternative<std::monostate>(attrs[0]);
  const int axis = flatten_or_axis(e, attrs[0], x);
  ValueId y = e(primitive, {x}, {int64_t{axis}});
  if (!std::get<bool>(attrs[1])) return {y};
  Shape kept = from;
  for (int d = 0; d < kept.rank(); ++d) {
    if (flat || d == axis) kept[d] = 1;
  }
  return {e.reshape(y, kept)};
}

void lower_arg(Lowering& l) {
  const Spec& x = l.in_spec(0);
  const bool largest = l.node().op == &reduce_argmax_op;
  const ReduceOp op = largest ? ReduceOp::argmax : ReduceOp::argmin;
  const Lane lane = lane_of(x.dtype);
  const AxisView v = view_axis(x.shape, static_cast<int>(l.node().attr<int64_t>(0)));
  ReduceArgs args;
  args.plan = reduce_plan(op, lane, v.outer, v.axis, v.inner);
  const Ref scratch = args.plan.scratch_bytes > 0 ? l.scratch(args.plan.scratch_bytes) : Ref{};
  const auto emit = [&](TaskFn task, int64_t units, int64_t cost) {
    auto& a = l.emit<ReduceArgs>(task, units, cost, args);
    l.bind(a.x, l.in(0));
    l.bind(a.y, l.out());
    if (scratch.id >= 0) l.bind(a.scratch, scratch);
  };
  emit(l.kernels.reduce.run[static_cast<int>(op)][static_cast<int>(lane)], args.plan.units, args.plan.unit_elements);
  if (args.plan.combine_units > 0) {
    emit(l.kernels.reduce.combine[static_cast<int>(op)][static_cast<int>(lane)], args.plan.combine_units,
         args.plan.groups);
  }
}

OpDef primitive(const char* name) {
  OpDef op;
  op.name = name;
  op.inputs = {"x"};
  op.attrs = {{"axis", AttrKind::integer, {}, true}};
  op.infer = [](InferContext& c) {
    need_kernel_dtype(c, 0);
    Shape out = c.in(0).shape;
    const int axis = c.axis(0, out.rank());
    c.set_attr(0, int64_t{axis});
    const bool empty = out[axis] == 0;
    out.erase(axis);
    c.check(!empty || out.size() == 0, "an input of shape ", c.in(0).shape, " is empty and has no extremum");
    c.set_out(DType::int32, out);
  };
  op.no_gradient = kNotDifferentiable;
  op.lower = lower_arg;
  op.doc = "Primitive of the op of the same name.";
  return op;
}

OpDef composite(const char* name, ComposeRule compose,
                const char* doc) {
  OpDef op;
  op.name = name;
  op.inputs = {"x"};
  op.attrs = {{"axis", AttrKind::integer}, {"keepdims", AttrKind::boolean, false}};
  op.infer = infer_arg;
  op.compose = compose;
  op.doc = doc;
  return op;
}

}  // namespace

const OpDef reduce_argmax_op = primitive("reduce_argmax");
const OpDef reduce_argmin_op = primitive("reduce_argmin");

const OpDef argmax_op = composite(
    "argmax",
    [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) { return compose_arg(e, a, x[0], "reduce_argmax"); },
    "The int32 position of the largest element along `axis` (None: of x seen flat), the first of equals; NaN counts as "
    "largest.");
const OpDef argmin_op = composite(
    "argmin",
    [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) { return compose_arg(e, a, x[0], "reduce_argmin"); },
    "The int32 position of the smallest element along `axis` (None: of x seen flat), the first of equals; NaN counts "
    "as smallest.");

}  // namespace falconet
