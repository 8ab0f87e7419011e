// The modified Bessel function I0, as other ops.
#include <iterator>

#include "ops/rules.h"

namespace falconet {

namespace {

// exp(-|x|) I0(x) as Chebyshev series, in y = |x| / 4 - 1 for |x| <= 8, and (times sqrt |x|) in y = 16 / |x| - 1 beyond.
// Coefficients: the discrete cosine transform of the function at 64 Chebyshev nodes in 40-digit arithmetic.
constexpr double kNear[] = {
    0.33839763720473803, -0.3046826723431984, 0.17162090152220877, -0.09490109704804764, 0.04930528423967071,
    -0.02373741480589947, 0.010546460394594998, -0.004324309995050576, 0.0016394756169413357, -0.0005763755745385824,
    0.00018850288509584165, -5.754195010082104e-05, 1.6448448070728896e-05, -4.4167383584587505e-06,
    1.1173875391201037e-06, -2.670793853940612e-07, 6.046995022541919e-08, -1.300025009986248e-08,
    2.6598237246823866e-09, -5.189795601635263e-10, 9.675809035373237e-11, -1.726826291441556e-11,
    2.95505266312964e-12, -4.856446783111929e-13, 7.676185498604936e-14, -1.1685332877993451e-14,
    1.715391285555133e-15, -2.431279846547955e-16, 3.3307945188222384e-17, -4.4153416464793395e-18,
};
constexpr double kFar[] = {
    0.4022452055070544, 0.0033691164782556943, 6.889758346916825e-05, 2.8913705208347567e-06, 2.0489185894690638e-07,
    2.266668990498178e-08, 3.3962320257083865e-09, 4.94060238822497e-10, 1.1889147107846439e-11,
    -3.1499165279632416e-11, -1.3215811840447713e-11, -1.7941785315068062e-12, 7.180124451383666e-13,
    3.8527783827421426e-13, 1.54008621752141e-14, -4.150569347287222e-14, -9.554846698828307e-15,
    3.8116806693526224e-15, 1.7725601330565263e-15, -3.425485619677219e-16, -2.8276239805165836e-16,
    3.461222867697461e-17, 4.46562142029676e-17, -4.830504485944182e-18, -7.233180487874754e-18,
    9.921475412173699e-19, 1.193650890845982e-18,
};

// The sum of c[k] T_k(y), by Clenshaw's recurrence.
template <size_t count>
ValueId chebyshev(Emitter& e, const double (&c)[count], ValueId y) {
  const ValueId twice = e.mul(e.scalar(2, y), y);
  ValueId last = e.scalar(0, y), before = last;
  for (size_t k = count - 1; k > 0; --k) {
    const ValueId next = e.add(e.sub(e.mul(twice, last), before), e.scalar(c[k], y));
    before = last;
    last = next;
  }
  return e.add(e.sub(e.mul(y, last), before), e.scalar(c[0], y));
}

std::vector<ValueId> compose_i0(Emitter& e, const Attrs&, const std::vector<ValueId>& inputs) {
  const DType kind = e.dtype(inputs[0]);
  const ValueId x = e("abs", {e.cast(inputs[0], kind == DType::float64 ? kind : DType::float32)});
  const auto number = [&](double v) { return e.scalar(v, x); };
  const ValueId near = e("less_equal", {x, number(8)});
  const ValueId low = e.where(near, x, number(8));
  // exp(6e4) is infinite, its quotient by sqrt(6e4) too.
  const ValueId high = e.where(near, number(8), e("minimum", {x, number(6e4)}));
  const ValueId inside = e.mul(e("exp", {low}), chebyshev(e, kNear, e.sub(e.div(low, number(4)), number(1))));
  const ValueId series = chebyshev(e, kFar, e.sub(e.div(number(16), high), number(1)));
  const ValueId beyond = e.div(e.mul(e("exp", {high}), series), e("sqrt", {high}));
  return {e.cast(e.where(near, inside, beyond), kind)};
}

}  // namespace

const OpDef i0_op = [] {
  OpDef op;
  op.name = "i0";
  op.inputs = {"x"};
  op.promote = Promote::floating;
  op.infer = infer_broadcast;
  op.compose = compose_i0;
  op.doc = "The modified Bessel function of the first kind and order 0.";
  return op;
}();

}  // namespace falconet
