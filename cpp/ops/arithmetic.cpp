// Arithmetic, element by element, with NumPy's broadcasting.
//
// A gradient rule gives the gradient of each operand in the broadcast shape; it is summed back to the operand's own.
#include "ops/rules.h"

namespace falconet {

namespace {

// Where a and b tie, each gets half, as in JAX.
void extremum_gradient(GradientContext& c, std::string_view strictly) {
  Emitter& e = c.e;
  const ValueId dy = c.dy(), half = e.mul(dy, e.scalar(0.5, dy)), zero = e.scalar(0, dy);
  const ValueId tie = e("equal", {c.x(0), c.x(1)});
  const ValueId first = e(strictly, {c.x(0), c.x(1)});
  const auto share = [&](ValueId mine) { return e.where(tie, half, e.where(mine, dy, zero)); };
  if (c.wants(0)) c.set(0, share(first));
  if (c.wants(1)) c.set(1, share(e(strictly, {c.x(1), c.x(0)})));
}
void minimum_gradient(GradientContext& c) { extremum_gradient(c, "less"); }
void maximum_gradient(GradientContext& c) { extremum_gradient(c, "greater"); }

// y = a - b trunc(a / b) or a - b floor(a / b):  da = dy, db = -dy * quotient, the quotient being (a - y) / b.
void remainder_gradient(GradientContext& c) {
  Emitter& e = c.e;
  if (c.wants(0)) c.set(0, c.dy());
  if (c.wants(1)) c.set(1, e.mul(c.dy(), e.div(e.sub(c.y(), c.x(0)), c.x(1))));
}

void power_gradient(GradientContext& c) {
  Emitter& e = c.e;
  const ValueId a = c.x(0), b = c.x(1), dy = c.dy();
  // b a^(b-1), which is 0 where b is 0 whatever a is.
  if (c.wants(0)) {
    const ValueId zero = e.scalar(0, a), one = e.scalar(1, a);
    const ValueId slope = e.mul(b, e("power", {a, e.sub(b, one)}));
    c.set(0, e.mul(dy, e.where(e("equal", {b, zero}), zero, slope)));
  }
  // a^b log a, with 0 at a = 0 (b > 0) as the limit.
  if (c.wants(1)) {
    const ValueId zero = e.scalar(0, a), one = e.scalar(1, a);
    const ValueId positive = e("greater", {a, zero});
    const ValueId log = e("log", {e.where(positive, a, one)});
    c.set(1, e.mul(dy, e.mul(c.y(), log)));
  }
}

// Integers and bool have no NaN to pass over, and no such micro-operation.
int emit_ignoring_nan(TileEmitter& t, Micro on_integers, Micro on_bool) {
  const Lane lane = lane_of(t.in_dtype(0));
  const bool can_be_nan = lane == Lane::f32 || lane == Lane::f64;
  const Micro micro = can_be_nan ? t.node.op->micro : lane == Lane::mask ? on_bool : on_integers;
  return t.emit(micro, lane, t.in(0), t.in(1));
}

}  // namespace

const OpDef add_op = binary("add", Micro::add, Promote::common,
    [](GradientContext& c) { c.set(0, c.dy()); c.set(1, c.dy()); }, "x1 + x2.");
const OpDef subtract_op = binary("subtract", Micro::sub, Promote::common,
    [](GradientContext& c) { c.set(0, c.dy()); if (c.wants(1)) c.set(1, c.e.neg(c.dy())); }, "x1 - x2.");
const OpDef multiply_op = binary("multiply", Micro::mul, Promote::common,
    [](GradientContext& c) {
      if (c.wants(0)) c.set(0, c.e.mul(c.dy(), c.x(1)));
      if (c.wants(1)) c.set(1, c.e.mul(c.dy(), c.x(0)));
    }, "x1 * x2.");
const OpDef divide_op = binary("divide", Micro::div, Promote::floating,
    [](GradientContext& c) {
      const ValueId da = c.e.div(c.dy(), c.x(1));
      c.set(0, da);
      if (c.wants(1)) c.set(1, c.e.neg(c.e.mul(da, c.y())));
    }, "x1 / x2; integers are divided as floats.");
const OpDef floor_divide_op = binary("floor_divide", Micro::floor_div, Promote::numeric, nullptr,
    "floor(x1 / x2); integers divided by 0 give 0.");
const OpDef mod_op = binary("mod", Micro::mod, Promote::numeric, remainder_gradient,
    "Remainder with the sign of x2; integers modulo 0 give 0.");
const OpDef fmod_op = binary("fmod", Micro::fmod, Promote::numeric, remainder_gradient, "Remainder with the sign of x1.");
const OpDef power_op = binary("power", Micro::pow, Promote::numeric, power_gradient, "x1 ** x2.");
const OpDef minimum_op = binary("minimum", Micro::minimum, Promote::common, minimum_gradient,
    "The smaller of x1 and x2; NaN if either is.");
const OpDef maximum_op = binary("maximum", Micro::maximum, Promote::common, maximum_gradient,
    "The larger of x1 and x2; NaN if either is.");
const OpDef fmin_op = [] {
  OpDef op = binary("fmin", Micro::fmin, Promote::common, minimum_gradient,
                    "The smaller of x1 and x2; the other one where one is NaN.");
  op.tile = [](TileEmitter& t) { return emit_ignoring_nan(t, Micro::minimum, Micro::bit_and); };
  return op;
}();
const OpDef fmax_op = [] {
  OpDef op = binary("fmax", Micro::fmax, Promote::common, maximum_gradient,
                    "The larger of x1 and x2; the other one where one is NaN.");
  op.tile = [](TileEmitter& t) { return emit_ignoring_nan(t, Micro::maximum, Micro::bit_or); };
  return op;
}();
const OpDef arctan2_op = binary("arctan2", Micro::atan2, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      const ValueId a = c.x(0), b = c.x(1);
      const ValueId scale = e.div(c.dy(), e.add(e.mul(a, a), e.mul(b, b)));
      c.set(0, e.mul(scale, b));
      c.set(1, e.neg(e.mul(scale, a)));
    }, "The angle of the point (x2, x1), in [-pi, pi].");
const OpDef hypot_op = binary("hypot", Micro::hypot, Promote::floating,
    [](GradientContext& c) {
      const ValueId scale = c.e.div(c.dy(), c.y());
      c.set(0, c.e.mul(scale, c.x(0)));
      c.set(1, c.e.mul(scale, c.x(1)));
    }, "sqrt(x1^2 + x2^2) without overflow.");
const OpDef copysign_op = binary("copysign", Micro::copysign, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      c.set(0, e.where(e("equal", {e("signbit", {c.x(0)}), e("signbit", {c.x(1)})}), c.dy(), e.neg(c.dy())));
    }, "|x1| with the sign of x2.");
const OpDef nextafter_op = binary("nextafter", Micro::nextafter, Promote::floating, nullptr,
    "The floating-point number after x1 in the direction of x2.");

const OpDef negative_op = unary("negative", Micro::neg, Promote::common,
    [](GradientContext& c) { c.set(0, c.e.neg(c.dy())); }, "-x.");
const OpDef abs_op = unary("abs", Micro::abs, Promote::common,
    [](GradientContext& c) { c.set(0, c.e.mul(c.dy(), c.e("sign", {c.x()}))); }, "|x|.");
const OpDef sign_op = unary("sign", Micro::sign, Promote::common, nullptr, "-1, 0 or 1; NaN for NaN.");
const OpDef square_op = unary("square", Micro::square, Promote::numeric,
    [](GradientContext& c) { c.set(0, c.e.mul(c.dy(), c.e.mul(c.x(), c.e.scalar(2, c.x())))); }, "x * x.");
const OpDef sqrt_op = unary("sqrt", Micro::sqrt, Promote::floating,
    [](GradientContext& c) { c.set(0, c.e.div(c.dy(), c.e.mul(c.y(), c.e.scalar(2, c.y())))); }, "Square root.");
const OpDef rsqrt_op = unary("rsqrt", Micro::rsqrt, Promote::floating,
    [](GradientContext& c) {  // -1/2 x^(-3/2) = -1/2 y / x
      Emitter& e = c.e;
      c.set(0, e.mul(c.dy(), e.mul(e.div(c.y(), c.x()), e.scalar(-0.5, c.y()))));
    }, "1 / sqrt(x).");
const OpDef reciprocal_op = unary("reciprocal", Micro::reciprocal, Promote::floating,
    [](GradientContext& c) { c.set(0, c.e.neg(c.e.mul(c.dy(), c.e.mul(c.y(), c.y())))); }, "1 / x.");
const OpDef cbrt_op = unary("cbrt", Micro::cbrt, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      c.set(0, e.div(c.dy(), e.mul(e.mul(c.y(), c.y()), e.scalar(3, c.y()))));
    }, "Cube root.");
const OpDef floor_op = unary("floor", Micro::floor, Promote::floating, nullptr, "The largest whole number <= x.");
const OpDef ceil_op = unary("ceil", Micro::ceil, Promote::floating, nullptr, "The smallest whole number >= x.");
const OpDef round_op = unary("round", Micro::round, Promote::floating, nullptr, "The nearest whole number, halves to even.");
const OpDef trunc_op = unary("trunc", Micro::trunc, Promote::floating, nullptr, "x without its fraction.");

}  // namespace falconet
