// Reductions over any axes.
//
// What users call (`sum`, `max`, ...) brings the dtype to one the kernels accumulate in and casts back; the primitives
// behind (`reduce_sum`, ...) take float32, float64, int32, int64, uint64 (any, all: bool).
#include <algorithm>

#include "ops/tools.h"

namespace falconet {

namespace {

// Attribute 0 becomes the sorted list of axes, all of them where it was None.
Shape reduced_shape(InferContext& c) {
  const Shape& from = c.in(0).shape;
  Ints axes;
  if (c.has_attr(0)) {
    for (int64_t a : c.attr<Ints>(0)) {
      c.check(a >= -from.rank() && a < from.rank(), "`axis` is ", attr_text(c.attr<Ints>(0)), "; the input has ", from.rank(),
              from.rank() == 1 ? " axis" : " axes");
      axes.push_back(a < 0 ? a + from.rank() : a);
    }
    std::sort(axes.begin(), axes.end());
    c.check(std::adjacent_find(axes.begin(), axes.end()) == axes.end(), "`axis` names an axis twice");
  } else {
    for (int d = 0; d < from.rank(); ++d) axes.push_back(d);
  }
  const bool keepdims = c.attr<bool>(1);
  Shape shape;
  for (int d = 0; d < from.rank(); ++d) {
    if (!std::binary_search(axes.begin(), axes.end(), d)) {
      shape.push_back(from[d]);
    } else if (keepdims) {
      shape.push_back(1);
    }
  }
  c.set_attr(0, axes);
  return shape;
}

void infer_same(InferContext& c) {
  const Shape shape = reduced_shape(c);
  c.set_out(c.in(0).dtype, shape);
}

void infer_extremum(InferContext& c) {
  infer_same(c);
  c.check(c.in(0).size() > 0 || c.out()[0].size() == 0, "an input of shape ", c.in(0).shape, " is empty and has no extremum");
}

// Of the primitives, which take what their kernels do.
template <void (*infer)(InferContext&)>
void infer_numbers(InferContext& c) {
  need_kernel_dtype(c, 0);
  infer(c);
}
void infer_truth(InferContext& c) {
  if (c.in(0).dtype != DType::boolean) c.refuse_type("x must be bool, got ", name_of(c.in(0).dtype));
  infer_same(c);
}

// The shape with reduced axes kept as 1.
Shape kept_shape(const Shape& from, const Ints& axes) {
  Shape shape = from;
  for (int64_t a : axes) shape[static_cast<int>(a)] = 1;
  return shape;
}

double identity_of(ReduceOp op) { return op == ReduceOp::prod || op == ReduceOp::all ? 1 : 0; }

void lower_reduce(Lowering& l) {
  const auto op = static_cast<ReduceOp>(l.node().op->tail);
  const Spec &in = l.in_spec(0), &out = l.out_spec();
  const Lane lane = lane_of(in.dtype);
  if (in.size() == 0) {
    auto& fill = l.emit<FillArgs>(l.kernels.move.fill[element_size_log2(size_of(out.dtype))], fill_units(out.size()), kFillBlock);
    fill.count = out.size();
    write_scalar(&fill.value, out.dtype, identity_of(op));
    l.bind(fill.y, l.out());
    return;
  }
  // Neighbouring axes of one kind merge; what then is not (kept, reduced, kept) is transposed so that it is.
  const Ints& axes = l.node().attr<Ints>(0);
  std::vector<int64_t> sizes;
  std::vector<bool> reduced;
  for (int d = 0; d < in.shape.rank(); ++d) {
    if (in.shape[d] == 1) continue;
    const bool r = std::binary_search(axes.begin(), axes.end(), d);
    if (!sizes.empty() && reduced.back() == r) {
      sizes.back() *= in.shape[d];
    } else {
      sizes.push_back(in.shape[d]);
      reduced.push_back(r);
    }
  }
  int64_t outer = 1, middle = 1, inner = 1;
  Ref x = l.in(0);
  if (std::count(reduced.begin(), reduced.end(), true) <= 1) {
    bool behind = false;
    for (size_t i = 0; i < sizes.size(); ++i) {
      (reduced[i] ? middle : behind ? inner : outer) *= sizes[i];
      behind |= reduced[i];
    }
  } else {
    const Shape own = contiguous_strides(Shape(sizes.begin(), sizes.end()));
    Shape dims, strides;
    for (const bool r : {false, true}) {
      for (size_t i = 0; i < sizes.size(); ++i) {
        if (reduced[i] != r) continue;
        dims.push_back(sizes[i]);
        strides.push_back(own[static_cast<int>(i)]);
        (r ? middle : outer) *= sizes[i];
      }
    }
    const int64_t size = size_of(in.dtype);
    x = l.scratch(in.bytes());
    const Shape to = contiguous_strides(dims);
    const CopyArgs args = copy_plan(dims.rank(), dims.begin(), strides.begin(), to.begin());
    auto& copy = l.emit<CopyArgs>(l.kernels.move.copy[element_size_log2(size)], args.units, args.unit_elements * size / 2, args);
    l.bind(copy.x, l.in(0));
    l.bind(copy.y, x);
  }
  ReduceArgs args;
  args.plan = reduce_plan(op, lane, outer, middle, inner);
  const Ref scratch = args.plan.scratch_bytes > 0 ? l.scratch(args.plan.scratch_bytes) : Ref{};
  auto& run = l.emit<ReduceArgs>(l.kernels.reduce.run[static_cast<int>(op)][static_cast<int>(lane)], args.plan.units, args.plan.unit_elements, args);
  l.bind(run.x, x);
  l.bind(run.y, l.out());
  if (scratch.id >= 0) l.bind(run.scratch, scratch);
  if (args.plan.combine_units == 0) return;
  auto& combine = l.emit<ReduceArgs>(l.kernels.reduce.combine[static_cast<int>(op)][static_cast<int>(lane)], args.plan.combine_units, args.plan.groups, args);
  l.bind(combine.x, x);
  l.bind(combine.y, l.out());
  l.bind(combine.scratch, scratch);
}

// dy and y with the reduced axes kept, so that they broadcast against x.
ValueId kept(GradientContext& c, ValueId v) { return c.e.reshape(v, kept_shape(c.e.shape(c.x()), c.node.attr<Ints>(0))); }

void sum_gradient(GradientContext& c) { c.set(0, c.e.broadcast_to(kept(c, c.dy()), c.e.shape(c.x()))); }

// Elements that tie for the extremum share it equally.
void extremum_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId hit = e.cast(e("equal", {c.x(), kept(c, c.y())}), e.dtype(c.x()));
  const ValueId count = e.sum(hit, c.node.attr<Ints>(0), true);
  c.set(0, e.mul(hit, e.div(kept(c, c.dy()), count)));
}

// The product of the others: y / x where nothing is 0; where one element is, only it has a gradient.
void prod_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId x = c.x(), zero = e.scalar(0, x), one = e.scalar(1, x);
  const ValueId is_zero = e("equal", {x, zero});
  const ValueId zeros = e.sum(e.cast(is_zero, e.dtype(x)), c.node.attr<Ints>(0), true);
  const ValueId safe = e.where(is_zero, one, x);
  const ValueId others = e("reduce_prod", {safe}, {c.node.attrs[0], true});
  const ValueId at_zero = e.where(e("equal", {zeros, one}), others, zero);
  const ValueId elsewhere = e.where(e("equal", {zeros, zero}), e.div(others, safe), zero);
  c.set(0, e.mul(kept(c, c.dy()), e.where(is_zero, at_zero, elsewhere)));
}

const std::vector<AttrDef>& axis_attrs() {
  static const std::vector<AttrDef> attrs = {{"axis", AttrKind::ints}, {"keepdims", AttrKind::boolean, false}};
  return attrs;
}

OpDef primitive(const char* name, ReduceOp op, void (*infer)(InferContext&), GradientRule gradient) {
  OpDef d;
  d.name = name;
  d.inputs = {"x"};
  d.attrs = axis_attrs();
  d.infer = infer;
  d.gradient = gradient;
  d.no_gradient = gradient ? nullptr : kNotDifferentiable;
  d.lower = lower_reduce;
  d.tail = static_cast<int>(op);
  d.doc = "Primitive of the reduction of the same name.";
  return d;
}

// Sums of small integers are taken in 32 bits, as in Keras.
DType sum_dtype(DType d) {
  switch (d) {
    case DType::boolean: case DType::int8: case DType::int16: return DType::int32;
    case DType::uint8: case DType::uint16: return DType::uint32;
    default: return d;
  }
}
// A dtype that kernels reduce in.
DType native_dtype(DType d) {
  switch (d) {
    case DType::float16: case DType::bfloat16: return DType::float32;
    case DType::boolean: case DType::int8: case DType::uint8: case DType::int16: case DType::uint16: return DType::int32;
    case DType::uint32: return DType::int64;
    default: return d;
  }
}

ValueId reduce_as(Emitter& e, std::string_view primitive, ValueId x, const Attrs& attrs, DType result) {
  return e.cast(e(primitive, {e.cast(e.cast(x, result), native_dtype(result))}, attrs), result);
}

OpDef composite(const char* name, void (*infer)(InferContext&), ComposeRule compose, const char* doc) {
  OpDef d;
  d.name = name;
  d.inputs = {"x"};
  d.attrs = axis_attrs();
  d.infer = infer;
  d.compose = compose;
  d.doc = doc;
  return d;
}

DType float_dtype(DType d) { return is_float(d) ? d : DType::float32; }

// The mean over axes in canonical form, in the dtype of x, which kernels reduce in.
ValueId mean_of(Emitter& e, ValueId x, const Attrs& attrs) {
  int64_t count = 1;
  for (int64_t d : std::get<Ints>(attrs[0])) count *= e.shape(x)[static_cast<int>(d)];
  const ValueId sum = e("reduce_sum", {x}, attrs);
  return e.div(sum, e.scalar(static_cast<double>(count), sum));
}

void infer_sum(InferContext& c) {
  const Shape shape = reduced_shape(c);
  c.set_out(sum_dtype(c.in(0).dtype), shape);
}
void infer_logical(InferContext& c) {
  const Shape shape = reduced_shape(c);
  c.set_out(DType::boolean, shape);
}
void infer_mean(InferContext& c) {
  const Shape shape = reduced_shape(c);
  c.set_out(float_dtype(c.in(0).dtype), shape);
}

}  // namespace

const OpDef reduce_sum_op = primitive("reduce_sum", ReduceOp::sum, infer_numbers<infer_same>, sum_gradient);
const OpDef reduce_prod_op = primitive("reduce_prod", ReduceOp::prod, infer_numbers<infer_same>, prod_gradient);
const OpDef reduce_max_op = primitive("reduce_max", ReduceOp::max, infer_numbers<infer_extremum>, extremum_gradient);
const OpDef reduce_min_op = primitive("reduce_min", ReduceOp::min, infer_numbers<infer_extremum>, extremum_gradient);
const OpDef reduce_any_op = primitive("reduce_any", ReduceOp::any, infer_truth, nullptr);
const OpDef reduce_all_op = primitive("reduce_all", ReduceOp::all, infer_truth, nullptr);

const OpDef sum_op = composite("sum", infer_sum, [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
  return std::vector<ValueId>{reduce_as(e, "reduce_sum", x[0], a, sum_dtype(e.dtype(x[0])))};
}, "Sum over `axis` (None: all axes); small integers add up in 32 bits.");
const OpDef prod_op = composite("prod", infer_sum, [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
  return std::vector<ValueId>{reduce_as(e, "reduce_prod", x[0], a, sum_dtype(e.dtype(x[0])))};
}, "Product over `axis` (None: all axes); small integers multiply in 32 bits.");
const OpDef max_op = composite("max", infer_extremum, [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
  return std::vector<ValueId>{reduce_as(e, "reduce_max", x[0], a, e.dtype(x[0]))};
}, "The largest element over `axis`; NaN if there is one.");
const OpDef min_op = composite("min", infer_extremum, [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
  return std::vector<ValueId>{reduce_as(e, "reduce_min", x[0], a, e.dtype(x[0]))};
}, "The smallest element over `axis`; NaN if there is one.");
const OpDef any_op = composite("any", infer_logical, [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
  return std::vector<ValueId>{e("reduce_any", {e.cast(x[0], DType::boolean)}, a)};
}, "Whether any element over `axis` is non-zero.");
const OpDef all_op = composite("all", infer_logical, [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
  return std::vector<ValueId>{e("reduce_all", {e.cast(x[0], DType::boolean)}, a)};
}, "Whether all elements over `axis` are non-zero.");
const OpDef mean_op = composite("mean", infer_mean, [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
  const DType result = float_dtype(e.dtype(x[0]));
  return std::vector<ValueId>{e.cast(mean_of(e, e.cast(x[0], native_dtype(result)), a), result)};
}, "Mean over `axis` (None: all axes); integers give float32.");
const OpDef var_op = composite("var", infer_mean, [](Emitter& e, const Attrs& a, const std::vector<ValueId>& x) {
  const DType result = float_dtype(e.dtype(x[0]));
  const ValueId wide = e.cast(x[0], native_dtype(result)), centred = e.sub(wide, mean_of(e, wide, {a[0], true}));
  return std::vector<ValueId>{e.cast(mean_of(e, e("square", {centred}), a), result)};
}, "The mean of (x - mean(x))^2 over `axis` (None: all axes); 16-bit floats are computed in float32.");

}  // namespace falconet
