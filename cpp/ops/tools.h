// What ops on one axis, on rows and on indices share: dtypes that kernels take, axes moved into place, plain copies.
#pragma once

#include "ops/rules.h"

namespace falconet {

// The dtype that arithmetic kernels take in place of `d`; every value of `d` is one of it.
DType kernel_dtype(DType d);
// The same for kernels on rows of floats: float64 stays, all else is float32.
inline DType row_dtype(DType d) { return d == DType::float64 ? DType::float64 : DType::float32; }

// Refuse an input of another dtype. `what` is the input's name.
void need_integers(InferContext& c, int input, const char* what);
void need_index(InferContext& c, int input);         // int32, int64: what kernels read
void need_kernel_dtype(InferContext& c, int input);  // what kernel_dtype gives
void need_row_dtype(InferContext& c, int input);     // float32, float64

// An axis attribute that may be None, which stands for the input seen flat: its place, or -1. Written back in canonical
// form.
int optional_axis(InferContext& c, int attr_index, int rank);
// What a compose step takes for such an attribute: flattens x where it is None, and returns the axis.
int flatten_or_axis(Emitter& e, const Attr& axis, ValueId& x);

// Integers of any dtype as int32, or int64 where that is needed to hold them.
ValueId as_index(Emitter& e, ValueId v);
// 0, 1, 2, ... along `axis`, in a shape that broadcasts against `rank` axes.
ValueId iota_along(Emitter& e, int64_t count, int axis, int rank, DType dtype);
ValueId move_axis_last(Emitter& e, ValueId x, int axis);
ValueId move_last_axis_to(Emitter& e, ValueId x, int axis);

Shape without_last(const Shape& shape);
Shape with_last(Shape shape, int64_t size);
inline int64_t rows_of(const Shape& shape) { return without_last(shape).size(); }

// Instructions. `cost` in flops, or bytes / 4.
void emit_fill(Lowering& l, Ref y, const Spec& spec, double value);
void emit_copy(Lowering& l, Ref x, Ref y, const Spec& spec);
void emit_strided_copy(Lowering& l, DType dtype, Ref x, Ref y, const Shape& dims, const Shape& x_strides,
                       const Shape& y_strides);

// The gradient rule of a fused gradient op, from the plain formula of the op it belongs to: the formula is
// differentiated once for what the fused op gives, and once more for the rule. Output k of the node is the gradient of
// input variables[k]; `dy` is the input that holds the gradient of the formula's value. Inputs that the forward op
// saved are functions of the variables, so nothing flows into them.
using Formula = ValueId (*)(Emitter& e, const Node& node, const std::vector<ValueId>& variables);
void differentiate_formula(GradientContext& c, const std::vector<int>& variables, int dy, Formula formula);

}  // namespace falconet
