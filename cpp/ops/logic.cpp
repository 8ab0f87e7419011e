// Comparison, logic, bits, selection and casts.
#include "ops/rules.h"

namespace falconet {

namespace {

OpDef compare(const char* name, Micro micro, const char* doc, bool swapped = false) {
  OpDef op = binary(name, micro, Promote::common, nullptr, doc);
  op.infer = infer_compare;
  op.no_gradient = kNotDifferentiable;
  if (swapped) {
    op.tile = [](TileEmitter& t) {
      const Lane lane = lane_of(t.in_dtype(0));
      return t.emit(t.node.op->micro, lane, t.in(1), t.in(0));
    };
  }
  return op;
}

OpDef test(const char* name, Micro micro, const char* doc) {
  OpDef op = unary(name, micro, Promote::floating, nullptr, doc);
  op.infer = infer_compare;
  op.no_gradient = kNotDifferentiable;
  return op;
}

void infer_bits(InferContext& c) {
  if (is_float(c.in(0).dtype)) c.refuse_type("needs integers or booleans, got ", name_of(c.in(0).dtype));
  infer_broadcast(c);
}

void infer_shift(InferContext& c) {
  if (!is_integer(c.in(0).dtype)) c.refuse_type("needs integers, got ", name_of(c.in(0).dtype));
  infer_broadcast(c);
}

OpDef bits(const char* name, Micro micro, Promote promote, const char* doc) {
  OpDef op = binary(name, micro, promote, nullptr, doc);
  op.infer = infer_bits;
  op.no_gradient = kNotDifferentiable;
  return op;
}

OpDef one_operand(OpDef op) {
  op.inputs = {"x"};
  return op;
}

OpDef shift(const char* name, Micro micro, const char* doc) {
  OpDef op = bits(name, micro, Promote::common, doc);
  op.infer = infer_shift;
  return op;
}

}  // namespace

const OpDef equal_op = compare("equal", Micro::equal, "x1 == x2.");
const OpDef not_equal_op = compare("not_equal", Micro::not_equal, "x1 != x2.");
const OpDef less_op = compare("less", Micro::less, "x1 < x2.");
const OpDef less_equal_op = compare("less_equal", Micro::less_equal, "x1 <= x2.");
const OpDef greater_op = compare("greater", Micro::less, "x1 > x2.", true);
const OpDef greater_equal_op = compare("greater_equal", Micro::less_equal, "x1 >= x2.", true);

const OpDef logical_and_op = bits("logical_and", Micro::bit_and, Promote::logical, "Both are non-zero.");
const OpDef logical_or_op = bits("logical_or", Micro::bit_or, Promote::logical, "Either is non-zero.");
const OpDef logical_xor_op = bits("logical_xor", Micro::bit_xor, Promote::logical, "One of the two is non-zero.");
const OpDef logical_not_op = one_operand(bits("logical_not", Micro::bit_not, Promote::logical, "x is zero."));
const OpDef bitwise_and_op = bits("bitwise_and", Micro::bit_and, Promote::common, "Bits set in both.");
const OpDef bitwise_or_op = bits("bitwise_or", Micro::bit_or, Promote::common, "Bits set in either.");
const OpDef bitwise_xor_op = bits("bitwise_xor", Micro::bit_xor, Promote::common, "Bits set in one of the two.");
const OpDef bitwise_not_op = one_operand(bits("bitwise_not", Micro::bit_not, Promote::common, "Every bit turned."));
const OpDef left_shift_op = shift("left_shift", Micro::shift_left, "x1 * 2^x2, without the bits that leave the type.");
const OpDef right_shift_op = shift("right_shift", Micro::shift_right, "floor(x1 / 2^x2).");

const OpDef isnan_op = test("isnan", Micro::is_nan, "x is not a number.");
const OpDef isinf_op = test("isinf", Micro::is_inf, "x is infinite.");
const OpDef isfinite_op = test("isfinite", Micro::is_finite, "x is neither infinite nor NaN.");
const OpDef signbit_op = test("signbit", Micro::sign_bit, "The sign bit of x is set (-0 and negative NaN too).");

const OpDef where_op = [] {
  OpDef op = binary("where", Micro::select, Promote::last_two,
      [](GradientContext& c) {
        Emitter& e = c.e;
        const ValueId dy = c.dy(), zero = e.scalar(0, dy);
        if (c.wants(1)) c.set(1, e.where(c.x(0), dy, zero));
        if (c.wants(2)) c.set(2, e.where(c.x(0), zero, dy));
      }, "x1 where the condition holds, else x2.");
  op.inputs = {"condition", "x1", "x2"};
  return op;
}();

const OpDef cast_op = [] {
  OpDef op = unary("cast", Micro::copy, Promote::none, [](GradientContext& c) { c.set(0, c.e.cast(c.dy(), c.e.dtype(c.x()))); },
                   "x in another dtype. Floats to integers are truncated; NaN gives 0; what is out of range, the nearest end.");
  op.attrs = {{"dtype", AttrKind::dtype, {}, true}};
  op.infer = [](InferContext& c) { c.set_out(c.attr<DType>(0), c.in(0).shape); };
  op.tile = [](TileEmitter& t) { return t.convert(t.in(0), t.in_dtype(0), t.out_dtype()); };
  return op;
}();

const OpDef copy_op = unary("copy", Micro::copy, Promote::none, [](GradientContext& c) { c.set(0, c.dy()); }, "The same elements in memory of their own.");

const OpDef stop_gradient_op = [] {
  OpDef op;
  op.name = "stop_gradient";
  op.inputs = {"x"};
  op.infer = infer_broadcast;
  op.no_gradient = "it stops here";
  op.view = [](const Graph&, const Node&) { return int64_t{0}; };
  op.doc = "x, as a constant in the eyes of gradients.";
  return op;
}();

}  // namespace falconet
