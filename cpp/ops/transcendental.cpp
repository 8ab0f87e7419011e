// Exponential, trigonometric, hyperbolic and special functions. Each rule quotes the derivative it multiplies dy with.
#include "ops/rules.h"

namespace falconet {

namespace {

constexpr double kLn2 = 0.693147180559945309417, kLn10 = 2.302585092994045684018;
constexpr double kTwoOverSqrtPi = 1.128379167095512573896, kHalfSqrtPi = 0.886226925452758013649;

// dx = dy * slope
void scaled(GradientContext& c, ValueId slope) { c.set(0, c.e.mul(c.dy(), slope)); }

}  // namespace

const OpDef exp_op = unary("exp", Micro::exp, Promote::floating, [](GradientContext& c) { scaled(c, c.y()); }, "e^x.");
const OpDef exp2_op = unary("exp2", Micro::exp2, Promote::floating,
    [](GradientContext& c) { scaled(c, c.e.mul(c.y(), c.e.scalar(kLn2, c.y()))); }, "2^x.");
const OpDef expm1_op = unary("expm1", Micro::expm1, Promote::floating,
    [](GradientContext& c) { scaled(c, c.e.add(c.y(), c.e.scalar(1, c.y()))); }, "e^x - 1, exact near 0.");
const OpDef log_op = unary("log", Micro::log, Promote::floating,
    [](GradientContext& c) { c.set(0, c.e.div(c.dy(), c.x())); }, "Natural logarithm.");
const OpDef log2_op = unary("log2", Micro::log2, Promote::floating,
    [](GradientContext& c) { c.set(0, c.e.div(c.dy(), c.e.mul(c.x(), c.e.scalar(kLn2, c.x())))); }, "Logarithm to base 2.");
const OpDef log10_op = unary("log10", Micro::log10, Promote::floating,
    [](GradientContext& c) { c.set(0, c.e.div(c.dy(), c.e.mul(c.x(), c.e.scalar(kLn10, c.x())))); }, "Logarithm to base 10.");
const OpDef log1p_op = unary("log1p", Micro::log1p, Promote::floating,
    [](GradientContext& c) { c.set(0, c.e.div(c.dy(), c.e.add(c.x(), c.e.scalar(1, c.x())))); }, "log(1 + x), exact near 0.");

const OpDef sin_op = unary("sin", Micro::sin, Promote::floating, [](GradientContext& c) { scaled(c, c.e("cos", {c.x()})); }, "Sine.");
const OpDef cos_op = unary("cos", Micro::cos, Promote::floating,
    [](GradientContext& c) { c.set(0, c.e.neg(c.e.mul(c.dy(), c.e("sin", {c.x()})))); }, "Cosine.");
const OpDef tan_op = unary("tan", Micro::tan, Promote::floating,
    [](GradientContext& c) { scaled(c, c.e.add(c.e.mul(c.y(), c.y()), c.e.scalar(1, c.y()))); }, "Tangent.");
// 1 / sqrt(1 - x^2), written (1 - x)(1 + x) to keep its digits near +-1.
const OpDef arcsin_op = unary("arcsin", Micro::asin, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      const ValueId one = e.scalar(1, c.x());
      scaled(c, e("rsqrt", {e.mul(e.sub(one, c.x()), e.add(one, c.x()))}));
    }, "Inverse sine, in [-pi/2, pi/2].");
const OpDef arccos_op = unary("arccos", Micro::acos, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      const ValueId one = e.scalar(1, c.x());
      scaled(c, e.neg(e("rsqrt", {e.mul(e.sub(one, c.x()), e.add(one, c.x()))})));
    }, "Inverse cosine, in [0, pi].");
const OpDef arctan_op = unary("arctan", Micro::atan, Promote::floating,
    [](GradientContext& c) { c.set(0, c.e.div(c.dy(), c.e.add(c.e.mul(c.x(), c.x()), c.e.scalar(1, c.x())))); },
    "Inverse tangent, in [-pi/2, pi/2].");
const OpDef sinh_op = unary("sinh", Micro::sinh, Promote::floating, [](GradientContext& c) { scaled(c, c.e("cosh", {c.x()})); }, "Hyperbolic sine.");
const OpDef cosh_op = unary("cosh", Micro::cosh, Promote::floating, [](GradientContext& c) { scaled(c, c.e("sinh", {c.x()})); }, "Hyperbolic cosine.");
const OpDef tanh_op = unary("tanh", Micro::tanh, Promote::floating,
    [](GradientContext& c) { scaled(c, c.e.sub(c.e.scalar(1, c.y()), c.e.mul(c.y(), c.y()))); }, "Hyperbolic tangent.");
const OpDef arcsinh_op = unary("arcsinh", Micro::asinh, Promote::floating,
    [](GradientContext& c) { scaled(c, c.e("rsqrt", {c.e.add(c.e.mul(c.x(), c.x()), c.e.scalar(1, c.x()))})); }, "Inverse hyperbolic sine.");
const OpDef arccosh_op = unary("arccosh", Micro::acosh, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      const ValueId one = e.scalar(1, c.x());
      scaled(c, e("rsqrt", {e.mul(e.sub(c.x(), one), e.add(c.x(), one))}));
    }, "Inverse hyperbolic cosine; x >= 1.");
const OpDef arctanh_op = unary("arctanh", Micro::atanh, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      const ValueId one = e.scalar(1, c.x());
      c.set(0, e.div(c.dy(), e.mul(e.sub(one, c.x()), e.add(one, c.x()))));
    }, "Inverse hyperbolic tangent; |x| <= 1.");

const OpDef erf_op = unary("erf", Micro::erf, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      scaled(c, e.mul(e("exp", {e.neg(e.mul(c.x(), c.x()))}), e.scalar(kTwoOverSqrtPi, c.x())));
    }, "Error function.");
const OpDef erfc_op = unary("erfc", Micro::erfc, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      scaled(c, e.mul(e("exp", {e.neg(e.mul(c.x(), c.x()))}), e.scalar(-kTwoOverSqrtPi, c.x())));
    }, "1 - erf(x), exact for large x.");
const OpDef erfinv_op = unary("erfinv", Micro::erfinv, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      scaled(c, e.mul(e("exp", {e.mul(c.y(), c.y())}), e.scalar(kHalfSqrtPi, c.y())));
    }, "Inverse of erf; |x| <= 1.");
const OpDef lgamma_op = unary("lgamma", Micro::lgamma, Promote::floating,
    [](GradientContext& c) { scaled(c, c.e("digamma", {c.x()})); }, "log |Gamma(x)|.");
const OpDef digamma_op = unary("digamma", Micro::digamma, Promote::floating,
    [](GradientContext&) { fail("[digamma] has no gradient: the trigamma function is not offered"); },
    "The derivative of lgamma.");
const OpDef sigmoid_op = unary("sigmoid", Micro::sigmoid, Promote::floating,
    [](GradientContext& c) {
      Emitter& e = c.e;
      scaled(c, e.mul(c.y(), e.sub(e.scalar(1, c.y()), c.y())));
    }, "1 / (1 + e^-x).");
const OpDef softplus_op = unary("softplus", Micro::softplus, Promote::floating,
    [](GradientContext& c) { scaled(c, c.e("sigmoid", {c.x()})); }, "log(1 + e^x).");
const OpDef relu_op = [] {
  OpDef op = unary("relu", Micro::maximum, Promote::common,
      // y > 0 exactly where x > 0, so x need not be kept.
      [](GradientContext& c) { c.set(0, c.e("relu_grad", {c.dy(), c.y()})); }, "max(x, 0).");
  op.tile = [](TileEmitter& t) {
    const Lane lane = lane_of(t.in_dtype(0));
    return t.emit(Micro::maximum, lane, t.in(0), t.constant(0, lane));
  };
  return op;
}();

const OpDef relu_grad_op = [] {
  OpDef op = binary("relu_grad", Micro::gate, Promote::floating,
      // Of y no more than its sign counts, so no gradient flows to it.
      [](GradientContext& c) { c.set(0, c.e("relu_grad", {c.dy(), c.x(1)})); }, "dy where y > 0, else 0.");
  op.inputs = {"dy", "y"};
  return op;
}();

}  // namespace falconet
