"""Ops that work element by element, with NumPy's broadcasting and Keras's promotion."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes import FLOATS, INTEGERS, result_type
from ..tracing import symbolic
from .basic import cast, common, core, dtype_range, floating, tensor

# Whose signature and meaning are Keras's as they stand: the native callables themselves.
add = core.add
subtract = core.subtract
multiply = core.multiply
divide = true_divide = core.divide
floor_divide = core.floor_divide
mod = core.mod
fmod = core.fmod
power = core.power
minimum = core.minimum
maximum = core.maximum
arctan2 = core.arctan2
hypot = core.hypot
nextafter = core.nextafter
equal = core.equal
not_equal = core.not_equal
less = core.less
less_equal = core.less_equal
greater = core.greater
greater_equal = core.greater_equal
logical_and = core.logical_and
logical_or = core.logical_or
logical_xor = core.logical_xor
logical_not = core.logical_not
bitwise_not = bitwise_invert = core.bitwise_not
negative = core.negative
abs = absolute = core.abs
sign = core.sign
square = core.square
sqrt = core.sqrt
rsqrt = core.rsqrt
reciprocal = core.reciprocal
cbrt = core.cbrt
floor = core.floor
ceil = core.ceil
exp = core.exp
exp2 = core.exp2
expm1 = core.expm1
log = core.log
log2 = core.log2
log10 = core.log10
log1p = core.log1p
sin = core.sin
cos = core.cos
tan = core.tan
arcsin = core.arcsin
arccos = core.arccos
arctan = core.arctan
sinh = core.sinh
cosh = core.cosh
tanh = core.tanh
arcsinh = core.arcsinh
arccosh = core.arccosh
arctanh = core.arctanh
erf = core.erf
erfc = core.erfc
erfinv = core.erfinv
isnan = core.isnan
isinf = core.isinf
isfinite = core.isfinite
signbit = core.signbit


def bitwise_and(x: Any, y: Any) -> Any:
    """The bits set in both."""
    return core.bitwise_and(x, y)


def bitwise_or(x: Any, y: Any) -> Any:
    """The bits set in either."""
    return core.bitwise_or(x, y)


def bitwise_xor(x: Any, y: Any) -> Any:
    """The bits set in one of the two."""
    return core.bitwise_xor(x, y)


def left_shift(x: Any, y: Any) -> Any:
    """x with its bits moved y places up, zeros entering: x 2^y."""
    return core.left_shift(x, y)


def right_shift(x: Any, y: Any) -> Any:
    """x with its bits moved y places down, copies of the sign entering: floor(x / 2^y)."""
    return core.right_shift(x, y)


bitwise_left_shift = left_shift
bitwise_right_shift = right_shift


def stop_gradient(variable: Any) -> Any:
    """The same value, through which no gradient flows."""
    return core.stop_gradient(variable)


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """min(max(x, x_min), x_max); NaN stays NaN."""
    x = tensor(x)
    if x.dtype == "bool":
        x = core.cast(x, dtype="int32")
    return core.minimum(core.maximum(x, x_min), x_max)


def fabs(x: Any) -> Any:
    """|x|, in a float dtype."""
    return core.abs(floating(x))


def fmin(x1: Any, x2: Any) -> Any:
    """The smaller; the other one where one is NaN."""
    x1, x2 = common(x1, x2)
    return (core.fmin if x1.dtype in FLOATS else core.minimum)(x1, x2)


def fmax(x1: Any, x2: Any) -> Any:
    """The larger; the other one where one is NaN."""
    x1, x2 = common(x1, x2)
    return (core.fmax if x1.dtype in FLOATS else core.maximum)(x1, x2)


def trunc(x: Any) -> Any:
    """x without its fraction; integers as they are."""
    x = tensor(x)
    return core.trunc(x) if x.dtype in FLOATS else x


def round(x: Any, decimals: int = 0) -> Any:
    """x rounded to `decimals` places, halves to even; a negative number of places rounds to tens, hundreds, ..."""
    x = tensor(x)
    if decimals == 0 and x.dtype in FLOATS:
        return core.round(x)
    if x.dtype not in FLOATS:
        if x.dtype == "bool":
            x = floating(x)
        if decimals >= 0:
            return x
        unit = 10.0**-decimals
        return cast(core.round(floating(x) / unit) * unit, x.dtype)
    if decimals > 0:
        return core.round(x * 10.0**decimals) / 10.0**decimals
    return core.round(x / 10.0**-decimals) * 10.0**-decimals


def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 = 0."""
    zero = core.equal(x2, 0)
    return core.where(zero, 0, core.divide(x1, core.where(zero, 1, x2)))


def isclose(x1: Any, x2: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """|x1 - x2| <= atol + rtol |x2|; an infinity is close to itself alone, NaN to NaN where `equal_nan`."""
    x1, x2 = common(x1, x2)
    if x1.dtype not in FLOATS:
        x1, x2 = floating(x1), floating(x2)
    near = core.less_equal(core.abs(x1 - x2), atol + rtol * core.abs(x2))
    close = core.logical_or(core.equal(x1, x2), core.logical_and(near, core.isfinite(x2)))
    return core.logical_or(close, core.logical_and(core.isnan(x1), core.isnan(x2))) if equal_nan else close


def allclose(x1: Any, x2: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Whether all elements are close (see isclose)."""
    return core.all(isclose(x1, x2, rtol, atol, equal_nan))


def logaddexp(x1: Any, x2: Any) -> Any:
    """log(exp(x1) + exp(x2)) = max + log(1 + exp(-|x1 - x2|))."""
    x1, x2 = floating(x1), floating(x2)
    # Equal infinities have no difference; and choosing between two softplus, not adding one to max(x1, x2), gives
    # the gradient (1/2, 1/2) where x1 = x2.
    gap = core.where(core.logical_and(core.equal(x1, x2), core.isinf(x1)), 0, x2 - x1)
    return core.where(core.less_equal(gap, 0), x1 + core.softplus(gap), x2 + core.softplus(-gap))


def logaddexp2(x1: Any, x2: Any) -> Any:
    """log2(2^x1 + 2^x2)."""
    x1, x2 = floating(x1), floating(x2)
    gap = core.where(core.logical_and(core.equal(x1, x2), core.isinf(x1)), 0, x2 - x1)
    ln2 = math.log(2)
    return core.where(
        core.less_equal(gap, 0), x1 + core.softplus(gap * ln2) / ln2, x2 + core.softplus(-gap * ln2) / ln2
    )


def heaviside(x1: Any, x2: Any) -> Any:
    """0 where x1 < 0, x2 where x1 = 0, 1 where x1 > 0, NaN where x1 is NaN."""
    x1, x2 = common(x1, x2)
    if x1.dtype not in FLOATS:
        x1, x2 = floating(x1), floating(x2)
    step = core.where(core.less(x1, 0), 0, core.where(core.equal(x1, 0), x2, 1))
    return core.where(core.isnan(x1), x1, step)


def sinc(x: Any) -> Any:
    """sin(pi x) / (pi x), 1 at 0."""
    x = floating(x)
    zero = core.equal(x, 0)
    angle = math.pi * core.where(zero, 1, x)
    return core.where(zero, 1, core.sin(angle) / angle)


def deg2rad(x: Any) -> Any:
    """Degrees as radians: x pi / 180."""
    return core.multiply(x, math.pi / 180)


def rad2deg(x: Any) -> Any:
    """Radians as degrees: x 180 / pi."""
    return core.multiply(x, 180 / math.pi)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with NaN and the infinities replaced; an infinity by the largest finite number where nothing is given."""
    x = tensor(x)
    if x.dtype not in FLOATS:
        return x
    low, high = dtype_range(x.dtype)
    x = core.where(core.isnan(x), nan, x)
    x = core.where(core.equal(x, math.inf), high if posinf is None else posinf, x)
    return core.where(core.equal(x, -math.inf), low if neginf is None else neginf, x)


def isposinf(x: Any) -> Any:
    """Whether each element is +infinity."""
    return core.equal(x, math.inf)


def isneginf(x: Any) -> Any:
    """Whether each element is -infinity."""
    return core.equal(x, -math.inf)


def real(x: Any) -> Any:
    """x: tensors hold real numbers."""
    return tensor(x)


@symbolic
def imag(x: Any) -> Any:
    """Zeros: tensors hold real numbers."""
    x = tensor(x)
    return core.broadcast_to(tensor(0, x.dtype), shape=tuple(x.shape))


def conjugate(x: Any) -> Any:
    """x: tensors hold real numbers."""
    return tensor(x)


conj = conjugate


@symbolic
def isreal(x: Any) -> Any:
    """True everywhere: tensors hold real numbers."""
    return core.broadcast_to(tensor(True), shape=tuple(tensor(x).shape))


def angle(x: Any) -> Any:
    """0 where x >= 0, pi where x < 0, NaN where x is NaN: the angle of x in the complex plane."""
    x = floating(x)
    return core.where(core.isnan(x), x, core.where(core.less(x, 0), math.pi, tensor(0, x.dtype)))


def ldexp(x1: Any, x2: Any) -> Any:
    """x1 * 2^x2, x2 of an integer dtype."""
    x1, x2 = floating(x1), tensor(x2)
    if x2.dtype not in INTEGERS:
        raise TypeError(f"[ldexp] `x2` is {x2.dtype}; the exponent must be of an integer dtype.")
    # Thirds, so that a power beyond the range of floats still scales a number of the other extreme.
    x2 = core.cast(x2, dtype=result_type(x1.dtype, "float32"))
    third = core.trunc(x2 / 3)
    power_of_third = core.exp2(third)
    scaled = x1 * power_of_third * core.exp2(x2 - third - third) * power_of_third
    return core.cast(scaled, dtype=x1.dtype)


def gcd(x1: Any, x2: Any) -> Any:
    """The greatest common divisor (Euclid), of the magnitudes; gcd(0, 0) = 0."""
    from ..control_flow import while_loop

    x1, x2 = _integers("gcd", x1, x2)
    x1, x2 = x1 + x2 * 0, x2 + x1 * 0  # both of the broadcast shape, which a loop's variables keep

    def step(a: Any, b: Any) -> tuple[Any, Any]:
        zero = core.equal(b, 0)
        return core.where(zero, a, b), core.where(zero, b, core.mod(a, core.where(zero, 1, b)))

    return while_loop(lambda a, b: core.any(core.not_equal(b, 0)), step, (core.abs(x1), core.abs(x2)))[0]


def lcm(x1: Any, x2: Any) -> Any:
    """The least common multiple, of the magnitudes; 0 where either is 0."""
    x1, x2 = _integers("lcm", x1, x2)
    divisor = gcd(x1, x2)
    return core.multiply(core.floor_divide(core.abs(x1), core.maximum(divisor, 1)), core.abs(x2))


def _integers(op: str, *xs: Any) -> list[Any]:
    operands = common(*xs)
    if operands[0].dtype not in INTEGERS:
        raise TypeError(f"[{op}] the operands are {operands[0].dtype}; they must be of an integer dtype.")
    return operands


# exp(-|x|) I0(x) as Chebyshev series, in y = |x| / 4 - 1 for |x| <= 8, and (times sqrt |x|) in y = 16 / |x| - 1 beyond.
# Coefficients: the discrete cosine transform of the function at 64 Chebyshev nodes in 40-digit arithmetic.
_I0_NEAR = (
    0.33839763720473803,
    -0.3046826723431984,
    0.17162090152220877,
    -0.09490109704804764,
    0.04930528423967071,
    -0.02373741480589947,
    0.010546460394594998,
    -0.004324309995050576,
    0.0016394756169413357,
    -0.0005763755745385824,
    0.00018850288509584165,
    -5.754195010082104e-05,
    1.6448448070728896e-05,
    -4.4167383584587505e-06,
    1.1173875391201037e-06,
    -2.670793853940612e-07,
    6.046995022541919e-08,
    -1.300025009986248e-08,
    2.6598237246823866e-09,
    -5.189795601635263e-10,
    9.675809035373237e-11,
    -1.726826291441556e-11,
    2.95505266312964e-12,
    -4.856446783111929e-13,
    7.676185498604936e-14,
    -1.1685332877993451e-14,
    1.715391285555133e-15,
    -2.431279846547955e-16,
    3.3307945188222384e-17,
    -4.4153416464793395e-18,
)
_I0_FAR = (
    0.4022452055070544,
    0.0033691164782556943,
    6.889758346916825e-05,
    2.8913705208347567e-06,
    2.0489185894690638e-07,
    2.266668990498178e-08,
    3.3962320257083865e-09,
    4.94060238822497e-10,
    1.1889147107846439e-11,
    -3.1499165279632416e-11,
    -1.3215811840447713e-11,
    -1.7941785315068062e-12,
    7.180124451383666e-13,
    3.8527783827421426e-13,
    1.54008621752141e-14,
    -4.150569347287222e-14,
    -9.554846698828307e-15,
    3.8116806693526224e-15,
    1.7725601330565263e-15,
    -3.425485619677219e-16,
    -2.8276239805165836e-16,
    3.461222867697461e-17,
    4.46562142029676e-17,
    -4.830504485944182e-18,
    -7.233180487874754e-18,
    9.921475412173699e-19,
    1.193650890845982e-18,
)


def i0(x: Any) -> Any:
    """The modified Bessel function of the first kind and order 0."""
    x = floating(x)
    kind = x.dtype
    x = core.abs(tensor(x, result_type(kind, "float32")))
    near = core.less_equal(x, 8)
    low = core.where(near, x, 8)
    high = core.where(near, 8, core.minimum(x, 6e4))  # exp(6e4) is infinite, its quotient by sqrt(6e4) too
    inside = core.exp(low) * _chebyshev(_I0_NEAR, low / 4 - 1)
    beyond = core.exp(high) * _chebyshev(_I0_FAR, 16 / high - 1) / core.sqrt(high)
    return tensor(core.where(near, inside, beyond), kind)


def _chebyshev(coefficients: tuple[float, ...], y: Any) -> Any:
    """The sum of c_k T_k(y), by Clenshaw's recurrence."""
    last, before = 0.0, 0.0
    for c in coefficients[:0:-1]:
        last, before = 2 * y * last - before + c, last
    return y * last - before + coefficients[0]


def psnr(x1: Any, x2: Any, max_val: float) -> Any:
    """The peak signal-to-noise ratio in decibels: 10 log10(max_val^2 / mean((x1 - x2)^2))."""
    return 20 * math.log10(max_val) - 10 * core.log10(core.mean(core.square(core.subtract(x1, x2))))
