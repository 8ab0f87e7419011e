#include "ops/tools.h"

namespace falconet {

DType kernel_dtype(DType d) {
  switch (d) {
    case DType::float16:
    case DType::bfloat16:
      return DType::float32;
    case DType::boolean:
    case DType::int8:
    case DType::uint8:
    case DType::int16:
    case DType::uint16:
      return DType::int32;
    case DType::uint32:
      return DType::int64;
    default:
      return d;
  }
}

void need_integers(InferContext& c, int input, const char* what) {
  const DType d = c.in(input).dtype;
  if (!is_integer(d)) c.refuse_type("`", what, "` must be integers, got ", name_of(d));
}

void need_index(InferContext& c, int input) {
  const DType d = c.in(input).dtype;
  if (d != DType::int32 && d != DType::int64)
    c.refuse_type("input ", input, " must be int32 or int64, got ", name_of(d));
}

void need_kernel_dtype(InferContext& c, int input) {
  const DType d = c.in(input).dtype;
  if (kernel_dtype(d) != d) {
    c.refuse_type("input ", input, " must be float32, float64, int32, int64 or uint64, got ", name_of(d));
  }
}

void need_row_dtype(InferContext& c, int input) {
  const DType d = c.in(input).dtype;
  if (row_dtype(d) != d) c.refuse_type("input ", input, " must be float32 or float64, got ", name_of(d));
}

int optional_axis(InferContext& c, int attr_index, int rank) {
  if (!c.has_attr(attr_index)) return -1;
  const int axis = c.axis(attr_index, rank);
  c.set_attr(attr_index, int64_t{axis});
  return axis;
}

int flatten_or_axis(Emitter& e, const Attr& axis, ValueId& x) {
  if (const int64_t* given = std::get_if<int64_t>(&axis)) return static_cast<int>(*given);
  x = e.reshape(x, Shape{e.spec(x).size()});
  return 0;
}

ValueId as_index(Emitter& e, ValueId v) {
  const DType d = e.dtype(v);
  const bool wide = d == DType::int64 || d == DType::uint64 || d == DType::uint32;
  return e.cast(v, wide ? DType::int64 : DType::int32);
}

ValueId iota_along(Emitter& e, int64_t count, int axis, int rank, DType dtype) {
  Shape shape;
  for (int d = 0; d < rank; ++d) shape.push_back(d == axis ? count : 1);
  return e("iota", {}, {Ints(shape.begin(), shape.end()), dtype});
}

ValueId move_axis_last(Emitter& e, ValueId x, int axis) {
  Ints axes;
  for (int d = 0; d < e.shape(x).rank(); ++d) {
    if (d != axis) axes.push_back(d);
  }
  axes.push_back(axis);
  return e.transpose(x, axes);
}

ValueId move_last_axis_to(Emitter& e, ValueId x, int axis) {
  const int rank = e.shape(x).rank();
  Ints axes;
  for (int d = 0; d < rank - 1; ++d) axes.push_back(d);
  axes.insert(axes.begin() + axis, rank - 1);
  return e.transpose(x, axes);
}

Shape without_last(const Shape& shape) { return Shape(shape.begin(), shape.end() - 1); }

Shape with_last(Shape shape, int64_t size) {
  shape.push_back(size);
  return shape;
}

void emit_fill(Lowering& l, Ref y, const Spec& spec, double value) {
  if (spec.size() == 0) return;
  auto& a = l.emit<FillArgs>(l.kernels.move.fill[element_size_log2(size_of(spec.dtype))], fill_units(spec.size()),
                             kFillBlock * size_of(spec.dtype) / 4);
  a.count = spec.size();
  write_scalar(&a.value, spec.dtype, value);
  l.bind(a.y, y);
}

void emit_copy(Lowering& l, Ref x, Ref y, const Spec& spec) {
  emit_strided_copy(l, spec.dtype, x, y, Shape{spec.size()}, Shape{1}, Shape{1});
}

void emit_strided_copy(Lowering& l, DType dtype, Ref x, Ref y, const Shape& dims, const Shape& x_strides,
                       const Shape& y_strides) {
  if (dims.size() == 0) return;
  const int64_t size = size_of(dtype);
  const CopyArgs args = copy_plan(dims.rank(), dims.begin(), x_strides.begin(), y_strides.begin());
  auto& a =
      l.emit<CopyArgs>(l.kernels.move.copy[element_size_log2(size)], args.units, args.unit_elements * size / 2, args);
  l.bind(a.x, x);
  l.bind(a.y, y);
}

void differentiate_formula(GradientContext& c, const std::vector<int>& variables, int dy, Formula formula) {
  Emitter& e = c.e;
  // Values of their own, so that how inputs depend on each other does not enter here.
  const auto own = [&](int i) {
    const Shape shape = e.shape(c.x(i));
    return e("reshape", {c.x(i)}, {Ints(shape.begin(), shape.end())});
  };
  std::vector<ValueId> xs;
  for (int i : variables) xs.push_back(own(i));
  const ValueId weight = own(dy);
  const ValueId y = formula(e, c.node, xs);
  const std::vector<ValueId> first = gradients(e, {y}, xs, {e.broadcast_to(weight, e.shape(y))});
  std::vector<ValueId> ys, dys;
  for (int k = 0; k < std::min(c.node.num_outputs, static_cast<int>(first.size())); ++k) {
    if (!c.has_dy(k) || first[k] == kNoValue) continue;
    ys.push_back(first[k]);
    dys.push_back(c.dy(k));
  }
  xs.push_back(weight);
  const std::vector<ValueId> second = gradients(e, ys, xs, dys);
  for (size_t k = 0; k < variables.size(); ++k) c.set(variables[k], second[k]);
  c.set(dy, second.back());
}

}  // namespace falconet
