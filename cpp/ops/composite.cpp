// Pointwise functions written as other ops. Recorded as these, so that they fuse with what is around them and have
// their gradients; a call outside a trace is one plan, and one pass over memory.
#include <cmath>

#include "ops/rules.h"

namespace falconet {

namespace {

constexpr double kLn2 = 0.693147180559945309417, kPi = 3.14159265358979323846;

using Values = std::vector<ValueId>;

OpDef composite(const char* name, std::vector<const char*> inputs, Promote promote,
                ComposeRule compose, const char* doc) {
  OpDef op;
  op.name = name;
  op.inputs = std::move(inputs);
  op.promote = promote;
  op.infer = infer_broadcast;
  op.compose = compose;
  op.doc = doc;
  return op;
}

// max + log(1 + exp(-|x1 - x2|)), in units of `unit`. Equal infinities have no difference; and choosing between two
// softplus, not adding one to max(x1, x2), gives the gradient (1/2, 1/2) where x1 = x2.
Values log_of_sum(Emitter& e, const Values& x, double unit) {
  const ValueId a = x[0], b = x[1], zero = e.scalar(0, a), factor = e.scalar(unit, a);
  const auto softplus = [&](ValueId v) {
    if (unit == 1) return e("softplus", {v});
    return e.div(e("softplus", {e.mul(v, factor)}), factor);
  };
  const ValueId same = e("logical_and", {e("equal", {a, b}), e("isinf", {a})});
  const ValueId gap = e.where(same, zero, e.sub(b, a));
  return {e.where(e("less_equal", {gap, zero}), e.add(a, softplus(gap)), e.add(b, softplus(e.neg(gap))))};
}

// 0, x2 or 1; NaN where x1 is.
Values compose_heaviside(Emitter& e, const Attrs&, const Values& x) {
  const ValueId zero = e.scalar(0, x[0]), one = e.scalar(1, x[0]);
  const ValueId beyond = e.where(e("equal", {x[0], zero}), x[1], one);
  return {e.where(e("isnan", {x[0]}), x[0], e.where(e("less", {x[0], zero}), zero, beyond))};
}

Values compose_clip(Emitter& e, const Attrs&, const Values& x) {
  return {e("minimum", {e("maximum", {x[0], x[1]}), x[2]})};
}

// |x1 - x2| <= atol + rtol |x2|, infinities apart.
Values compose_isclose(Emitter& e, const Attrs& attrs, const Values& x) {
  const ValueId rtol = e.scalar(std::get<double>(attrs[0]), x[1]), atol = e.scalar(std::get<double>(attrs[1]), x[1]);
  const ValueId bound = e.add(atol, e.mul(rtol, e("abs", {x[1]})));
  const ValueId near = e("less_equal", {e("abs", {e.sub(x[0], x[1])}), bound});
  const ValueId close = e("logical_or", {e("equal", {x[0], x[1]}), e("logical_and", {near, e("isfinite", {x[1]})})});
  if (!std::get<bool>(attrs[2])) return {close};
  return {e("logical_or", {close, e("logical_and", {e("isnan", {x[0]}), e("isnan", {x[1]})})})};
}

Values compose_divide_no_nan(Emitter& e, const Attrs&, const Values& x) {
  const ValueId zero = e.scalar(0, x[1]), one = e.scalar(1, x[1]), none = e("equal", {x[1], zero});
  return {e.where(none, zero, e.div(x[0], e.where(none, one, x[1])))};
}

Values compose_nan_to_num(Emitter& e, const Attrs& attrs, const Values& x) {
  const ValueId infinity = e.scalar(INFINITY, x[0]);
  const auto put = [&](int i) { return e.scalar(std::get<double>(attrs[i]), x[0]); };
  ValueId y = e.where(e("isnan", {x[0]}), put(0), x[0]);
  y = e.where(e("equal", {y, infinity}), put(1), y);
  return {e.where(e("equal", {y, e.neg(infinity)}), put(2), y)};
}

Values compose_sinc(Emitter& e, const Attrs&, const Values& x) {
  const ValueId zero = e.scalar(0, x[0]), one = e.scalar(1, x[0]), none = e("equal", {x[0], zero});
  const ValueId angle = e.mul(e.scalar(kPi, x[0]), e.where(none, one, x[0]));
  return {e.where(none, one, e.div(e("sin", {angle}), angle))};
}

Values compose_angle(Emitter& e, const Attrs&, const Values& x) {
  const ValueId zero = e.scalar(0, x[0]);
  return {e.where(e("isnan", {x[0]}), x[0], e.where(e("less", {x[0], zero}), e.scalar(kPi, x[0]), zero))};
}

OpDef with_attrs(OpDef op, std::vector<AttrDef> attrs) {
  op.attrs = std::move(attrs);
  return op;
}
OpDef truth(OpDef op) {
  op.infer = infer_compare;
  return op;
}

}  // namespace

const OpDef logaddexp_op = composite("logaddexp", {"x1", "x2"}, Promote::floating,
    [](Emitter& e, const Attrs&, const Values& x) { return log_of_sum(e, x, 1); },
    "log(exp(x1) + exp(x2)) = max + log(1 + exp(-|x1 - x2|)).");
const OpDef logaddexp2_op = composite("logaddexp2", {"x1", "x2"}, Promote::floating,
    [](Emitter& e, const Attrs&, const Values& x) { return log_of_sum(e, x, kLn2); }, "log2(2^x1 + 2^x2).");
const OpDef heaviside_op = composite("heaviside", {"x1", "x2"}, Promote::floating, compose_heaviside,
    "0 where x1 < 0, x2 where x1 = 0, 1 where x1 > 0, NaN where x1 is NaN.");
const OpDef clip_op = composite("clip", {"x", "x_min", "x_max"}, Promote::numeric, compose_clip,
    "min(max(x, x_min), x_max); NaN stays NaN.");
const OpDef isclose_op = truth(with_attrs(
    composite("isclose", {"x1", "x2"}, Promote::floating, compose_isclose,
              "|x1 - x2| <= atol + rtol |x2|; an infinity is close to itself alone, NaN to NaN where `equal_nan`."),
    {{"rtol", AttrKind::real, 1e-5}, {"atol", AttrKind::real, 1e-8}, {"equal_nan", AttrKind::boolean, false}}));
const OpDef divide_no_nan_op = composite("divide_no_nan", {"x1", "x2"}, Promote::floating, compose_divide_no_nan,
    "x1 / x2, and 0 where x2 = 0.");
const OpDef nan_to_num_op = with_attrs(
    composite("nan_to_num", {"x"}, Promote::floating, compose_nan_to_num,
              "x with NaN and the infinities replaced by the given numbers."),
    {{"nan", AttrKind::real, {}, true}, {"posinf", AttrKind::real, {}, true}, {"neginf", AttrKind::real, {}, true}});
const OpDef sinc_op = composite("sinc", {"x"}, Promote::floating, compose_sinc, "sin(pi x) / (pi x), 1 at 0.");
const OpDef angle_op = composite("angle", {"x"}, Promote::floating, compose_angle,
    "0 where x >= 0, pi where x < 0, NaN where x is NaN: the angle of x in the complex plane.");

}  // namespace falconet
