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
fmin = core.fmin
fmax = core.fmax
logaddexp = core.logaddexp
logaddexp2 = core.logaddexp2
heaviside = core.heaviside
clip = core.clip
isclose = core.isclose
divide_no_nan = core.divide_no_nan
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
sinc = core.sinc
angle = core.angle
i0 = core.i0
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


def fabs(x: Any) -> Any:
    """|x|, in a float dtype."""
    return core.abs(floating(x))


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


def allclose(x1: Any, x2: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Whether all elements are close (see isclose)."""
    return core.all(isclose(x1, x2, rtol, atol, equal_nan))


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
    return core.nan_to_num(
        x, nan=nan, posinf=high if posinf is None else posinf, neginf=low if neginf is None else neginf
    )


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


def psnr(x1: Any, x2: Any, max_val: float) -> Any:
    """The peak signal-to-noise ratio in decibels: 10 log10(max_val^2 / mean((x1 - x2)^2))."""
    return 20 * math.log10(max_val) - 10 * core.log10(core.mean(core.square(core.subtract(x1, x2))))
