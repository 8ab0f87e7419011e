// What the op files share: headers, and shape rules that several families follow.
#pragma once

#include "graph/emit.h"
#include "graph/gradient.h"
#include "graph/lowering.h"
#include "graph/op.h"

namespace falconet {

#define FALCONET_OP(name) extern const OpDef name##_op;
#include "ops/ops.inc"
#undef FALCONET_OP

// The broadcast shape of all inputs, in the dtype of the last.
void infer_broadcast(InferContext& c);
// The same, as bool.
void infer_compare(InferContext& c);

// For rows of unary and binary pointwise ops.
constexpr const char* kPiecewiseConstant = "piecewise constant: the gradient is zero wherever it exists";
constexpr const char* kNotDifferentiable = "the result is not a floating-point number";

inline OpDef unary(const char* name, Micro micro, Promote promote, GradientRule gradient, const char* doc) {
  OpDef op;
  op.name = name;
  op.inputs = {"x"};
  op.promote = promote;
  op.infer = infer_broadcast;
  op.gradient = gradient;
  op.no_gradient = gradient ? nullptr : kPiecewiseConstant;
  op.pointwise = true;
  op.micro = micro;
  op.doc = doc;
  return op;
}
inline OpDef binary(const char* name, Micro micro, Promote promote, GradientRule gradient, const char* doc) {
  OpDef op = unary(name, micro, promote, gradient, doc);
  op.inputs = {"x1", "x2"};
  return op;
}

// The operand seen as (outer, reduced, inner) contiguous: what kernels on one axis take.
struct AxisView {
  int64_t outer = 1, axis = 1, inner = 1;
};
AxisView view_axis(const Shape& shape, int axis);

}  // namespace falconet
