"""Ops that work element by element. Cases are made from a domain; references are NumPy's or a formula.

The kernels' promise is 2 units in the last place for exp and log and 4 for the other transcendental functions
(tests/cpp/pointwise_math_test.cpp measures it); arithmetic, roots and rounding are exact to half a unit.
"""

from __future__ import annotations

import math

import numpy as np

from .base import SPECIAL, Row, U, booleans, case, exact, integers, normal, raises, shifted, strided, ulp, ulps, uniform

_vector = np.vectorize


def _function(f, otypes=("float64",)):
    """A function of Python numbers over arrays; outside of its domain NaN, poles as infinities."""

    def safe(x):
        if math.isnan(x):
            return math.nan
        try:
            return f(x)
        except (ValueError, OverflowError):
            return math.nan

    return lambda x: (
        _vector(safe, otypes=list(otypes))(np.asarray(x, "float64")) if np.size(x) else np.zeros(np.shape(x))
    )


def _gamma_log(x):
    if x == -math.inf or x == math.inf:
        return math.inf
    return math.inf if x <= 0 and x == int(x) else math.lgamma(x)


def _digamma(x):
    """By recurrence up to 20, then the asymptotic series (Abramowitz & Stegun 6.3.5, 6.3.18)."""
    if x == math.inf:
        return math.inf
    if x == -math.inf or (x <= 0 and x == int(x)):
        return math.nan
    if x < 0:
        return _digamma(1 - x) - math.pi / math.tan(math.pi * x)
    below = 0.0
    while x < 20:
        below, x = below + 1 / x, x + 1
    z = 1 / (x * x)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z / 132))))
    return math.log(x) - 0.5 / x - series - below


def _erfinv(y):
    """By bisection of erfc and erf, to the last bit of float64 that they resolve."""
    if abs(y) > 1:
        return math.nan
    if abs(y) == 1:
        return math.copysign(math.inf, y)
    a, low, high = abs(y), 0.0, 6.0
    for _ in range(80):
        middle = (low + high) / 2
        smaller = math.erf(middle) < a if a < 0.5 else math.erfc(middle) > 1 - a
        low, high = (middle, high) if smaller else (low, middle)
    # One Newton step removes what bisection of a nearly flat function leaves.
    x = (low + high) / 2
    error = math.erf(x) - a if a < 0.5 else (1 - a) - math.erfc(x)
    return math.copysign(x - error / (2 / math.sqrt(math.pi) * math.exp(-x * x)), y)


def _sinc(x):
    return np.sinc(x)


def _shapes(low, high):
    return [
        case(uniform(3, 7, low=low, high=high)),
        case(uniform(1, low=low, high=high, key=1)),
        case(uniform(low=low, high=high, key=2), note="scalar"),
        case(uniform(0, 3, low=low, high=high), note="empty"),
        case(strided(uniform(5, 3, low=low, high=high, key=3)), note="strided"),
        case(shifted(uniform(67, low=low, high=high, key=4)), note="unaligned"),
    ]


def _unary(name, reference, low, high, tolerance=None, gradient=True, special=True, **more):
    cases = _shapes(low, high)
    if special:
        cases.append(case(SPECIAL, note="special values", smooth=False))
    bench = [case(uniform(64, low=low, high=high)), case(uniform(1000, 1000, low=low, high=high))]
    return Row(name, reference, cases, tolerance or ulps(4), gradient, bench=bench, **more)


_FLAT = "piecewise constant: the gradient is 0 wherever there is one"
_TRUTH = "its result is bool"
_BITS = "it works on integers"
_ERRORS = [raises("str", "text")]

_HALF = ulps(0.5)

UNARY = [
    _unary("negative", np.negative, -5, 5, exact),
    _unary("abs", np.abs, 0.5, 5, exact),
    _unary("absolute", np.abs, -5, -0.5, exact),
    _unary("fabs", np.abs, -5, -0.5, exact),
    _unary("sign", np.sign, -5, 5, exact, _FLAT),
    _unary("square", np.square, -5, 5, _HALF),
    _unary("sqrt", np.sqrt, 0.1, 9, _HALF),
    _unary("rsqrt", lambda x: 1 / np.sqrt(x), 0.1, 9, ulps(1.5), special=False),
    _unary("reciprocal", lambda x: 1 / x, 0.2, 9, _HALF),
    _unary("cbrt", np.cbrt, 0.2, 9),
    _unary("floor", np.floor, 0.1, 0.9, exact, _FLAT),
    _unary("ceil", np.ceil, 0.1, 0.9, exact, _FLAT),
    _unary("trunc", np.trunc, -5, 5, exact, _FLAT),
    _unary("round", np.round, -5, 5, exact, _FLAT),
    _unary("exp", np.exp, -9, 9, ulps(2)),
    _unary("exp2", np.exp2, -9, 9),
    _unary("expm1", np.expm1, -3, 3),
    _unary("log", np.log, 0.01, 9, ulps(2)),
    _unary("log2", np.log2, 0.01, 9),
    _unary("log10", np.log10, 0.01, 9),
    _unary("log1p", np.log1p, -0.9, 9),
    _unary("sin", np.sin, -9, 9, special=False),
    _unary("cos", np.cos, -9, 9, special=False),
    _unary("tan", np.tan, -1.4, 1.4, special=False),
    _unary("arcsin", np.arcsin, -0.95, 0.95),
    _unary("arccos", np.arccos, -0.95, 0.95),
    _unary("arctan", np.arctan, -9, 9),
    _unary("sinh", np.sinh, -9, 9),
    _unary("cosh", np.cosh, -9, 9),
    _unary("tanh", np.tanh, -9, 9),
    _unary("arcsinh", np.arcsinh, -9, 9),
    _unary("arccosh", np.arccosh, 1.1, 9),
    _unary("arctanh", np.arctanh, -0.95, 0.95),
    _unary("erf", _function(math.erf), -3, 3),
    _unary("erfc", _function(math.erfc), -3, 3),
    _unary("erfinv", _function(_erfinv), -0.95, 0.95),
    _unary("lgamma", _function(_gamma_log), 2.5, 30, special=False, internal=True),
    _unary(
        "digamma",
        _function(_digamma),
        2,
        30,
        None,
        "its derivative, the trigamma function, is no op",
        False,
        internal=True,
    ),
    _unary("isnan", np.isnan, -5, 5, exact, _TRUTH),
    _unary("isinf", np.isinf, -5, 5, exact, _TRUTH),
    _unary("isfinite", np.isfinite, -5, 5, exact, _TRUTH),
    _unary("signbit", np.signbit, -5, 5, exact, _TRUTH),
    _unary("isposinf", np.isposinf, -5, 5, exact, _TRUTH),
    _unary("isneginf", np.isneginf, -5, 5, exact, _TRUTH),
    _unary("isreal", np.isreal, -5, 5, exact, _TRUTH),
    _unary("logical_not", np.logical_not, -5, 5, exact, _TRUTH),
    _unary("copy", np.array, -5, 5, exact),
    _unary("real", np.array, -5, 5, exact),
    _unary("conj", np.array, -5, 5, exact),
    _unary("conjugate", np.array, -5, 5, exact),
    _unary("imag", np.zeros_like, -5, 5, exact, "it does not depend on x", special=False),
    _unary("angle", np.angle, 0.5, 5, ulps(0.5), _FLAT, special=False),
    _unary("stop_gradient", np.array, -5, 5, exact, "that is its purpose"),
    # x times a constant rounded to float32 is one more rounding.
    _unary("deg2rad", np.deg2rad, -180, 180, ulps(1)),
    _unary("rad2deg", np.rad2deg, -3, 3, ulps(1)),
    # sin of pi x rounded twice: an error of |pi x| half-units in the angle, which cot(pi x) would magnify near zeros.
    _unary("sinc", _sinc, -0.7, 0.7, ulps(12), special=False),
    # Clenshaw's recurrence adds about 30 terms of magnitude below 1; exp doubles the error of its argument.
    _unary("i0", np.i0, -12, 12, lambda y, x: (40 + np.abs(x)) * ulp(y), special=False),
    Row(
        "nan_to_num",
        lambda x: np.nan_to_num(x, posinf=float(np.finfo("float32").max), neginf=float(np.finfo("float32").min)),
        [case(SPECIAL, smooth=False), case(normal(3, 5))],
        exact,
    ),
]


def _binary(name, reference, tolerance=_HALF, gradient=True, low=0.3, high=5.0, special=True, **more):
    def pair(a, b):
        return uniform(*a, low=low, high=high), uniform(*b, low=low, high=high, key=1)

    cases = [
        case(*pair((3, 7), (3, 7))),
        case(*pair((3, 7), (7,)), note="rows"),
        case(*pair((3, 1), (1, 5)), note="columns by rows"),
        case(*pair((), (4, 3)), note="scalar first"),
        case(*pair((2, 1, 3), (4, 1)), note="both"),
        case(*pair((0, 3), (1, 3)), note="empty"),
        case(strided(uniform(5, 3, low=low, high=high)), strided(uniform(3, low=low, high=high)), note="strided"),
        case(*pair((131,), (131,))),
    ]
    if special:
        grid = np.meshgrid(SPECIAL, SPECIAL)
        cases.append(case(grid[0], grid[1], note="special values", smooth=False))
    errors = [raises("(2, 3)", np.ones((2, 3), "float32"), np.ones((4,), "float32"))]
    bench = [case(*pair((64,), (64,))), case(*pair((1000, 1000), (1000,)))]
    return Row(name, reference, cases, tolerance, gradient, errors, bench, **more)


def _integer_binary(name, reference, low=-9, high=9, low2=None, high2=None):
    low2, high2 = low if low2 is None else low2, high if high2 is None else high2
    cases = [
        case(integers(3, 7, low=low, high=high), integers(3, 7, low=low2, high=high2, key=1)),
        case(integers(3, 1, low=low, high=high), integers(5, low=low2, high=high2, key=1)),
        case(integers(0, low=low, high=high), integers(0, low=low2, high=high2)),
        case(integers(67, low=low, high=high, dtype="int64"), integers(67, low=low2, high=high2, dtype="int64", key=1)),
        case(
            integers(5, low=0, high=9, dtype="uint8"), integers(5, low=max(low2, 0), high=high2, dtype="uint8", key=1)
        ),
    ]
    return Row(name, reference, cases, exact, _BITS)


def _logaddexp2(x1, x2):
    return np.logaddexp2(x1, x2)


def _of_the_larger(y, x1, x2):
    return 4 * ulp(np.maximum(np.abs(x1), np.abs(x2))) + 4 * ulp(y)


BINARY = [
    _binary("add", np.add),
    _binary("subtract", np.subtract),
    _binary("multiply", np.multiply),
    _binary("divide", np.divide),
    _binary("true_divide", np.divide, special=False),
    _binary("divide_no_nan", lambda x1, x2: np.where(x2 == 0, 0, x1 / np.where(x2 == 0, 1, x2)), special=False),
    _binary("floor_divide", np.floor_divide, exact, _FLAT, special=False),
    # The quotient's floor is exact here; x1 - floor * x2 rounds once, and is small beside x1.
    _binary("mod", np.mod, lambda y, x1, x2: ulp(y) + ulp(x2), special=False),
    _binary("fmod", np.fmod, lambda y, x1, x2: ulp(y), special=False),
    # x2 * log(x1) has an error of its size in half-units, which exp turns into relative error.
    _binary("power", np.power, lambda y, x1, x2: 4 * ulp(y), special=False),
    _binary("minimum", np.minimum, exact),
    _binary("maximum", np.maximum, exact),
    _binary("fmin", np.fmin, exact),
    _binary("fmax", np.fmax, exact),
    _binary("arctan2", np.arctan2, ulps(4)),
    _binary("hypot", np.hypot, ulps(4), special=False),
    _binary("copysign", np.copysign, exact, internal=True, special=False),
    _binary(
        "nextafter",
        lambda x1, x2: np.nextafter(x1.astype("float32"), x2.astype("float32")).astype("float64"),
        exact,
        "its steps are those of the float format",
        special=False,
    ),
    _binary("logaddexp", np.logaddexp, _of_the_larger),
    _binary("logaddexp2", _logaddexp2, _of_the_larger),
    _binary("heaviside", np.heaviside, exact, _FLAT),
    _binary("equal", np.equal, exact, _TRUTH),
    _binary("not_equal", np.not_equal, exact, _TRUTH),
    _binary("less", np.less, exact, _TRUTH),
    _binary("less_equal", np.less_equal, exact, _TRUTH),
    _binary("greater", np.greater, exact, _TRUTH),
    _binary("greater_equal", np.greater_equal, exact, _TRUTH),
    _binary("logical_and", np.logical_and, exact, _TRUTH),
    _binary("logical_or", np.logical_or, exact, _TRUTH),
    _binary("logical_xor", np.logical_xor, exact, _TRUTH),
    _binary("isclose", np.isclose, exact, _TRUTH),
    _integer_binary("bitwise_and", np.bitwise_and),
    _integer_binary("bitwise_or", np.bitwise_or),
    _integer_binary("bitwise_xor", np.bitwise_xor),
    _integer_binary("left_shift", np.left_shift, 0, 9, 0, 5),
    _integer_binary("right_shift", np.right_shift, -99, 99, 0, 5),
    _integer_binary("bitwise_left_shift", np.left_shift, 0, 9, 0, 5),
    _integer_binary("bitwise_right_shift", np.right_shift, -99, 99, 0, 5),
    _integer_binary("gcd", np.gcd, -60, 60),
    _integer_binary("lcm", np.lcm, -20, 20),
]

_INTEGERS = [case(integers(3, 7, low=-99, high=99)), case(integers(0)), case(integers(67, dtype="uint8"))]

OTHERS = [
    Row("bitwise_not", np.bitwise_not, _INTEGERS, exact, _BITS),
    Row("bitwise_invert", np.bitwise_not, _INTEGERS, exact, _BITS),
    Row("allclose", np.allclose, [case(normal(3), normal(3)), case(normal(3), normal(3) * (1 + 1e-7))], exact, _TRUTH),
    Row(
        "where",
        np.where,
        [
            case(booleans(3, 5), normal(3, 5), normal(3, 5, key=1)),
            case(booleans(3, 1), normal(5), normal(3, 5, key=1)),
            case(booleans(0, 2), normal(2), normal(0, 2)),
            case(strided(booleans(3, 5)), strided(normal(3, 5)), normal()),
        ],
        exact,
        bench=[case(booleans(1000, 1000), normal(1000, 1000), normal(1000))],
    ),
    Row(
        "clip",
        np.clip,
        [
            case(normal(3, 7, scale=3), -1.0, 2.0),
            case(SPECIAL, -1.0, 2.0, smooth=False),
            case(normal(0), 0.0, 1.0),
        ],
        exact,
    ),
    Row(
        "round",
        lambda x, decimals: np.round(x, decimals),
        [
            case(normal(3, 5, scale=100), decimals=-1),
            case(normal(3, 5), decimals=2),
        ],
        ulps(2),
        _FLAT,
    ),
    Row(
        "ldexp",
        lambda x1, x2: np.ldexp(x1, x2),
        [
            case(normal(3, 5), integers(3, 5, low=-9, high=9)),
            case(np.float32([1e-38, 1e38, 1.0]), np.int32([200, -200, 0]), smooth=False),
        ],
        exact,
        errors=[raises("integer", normal(2), normal(2))],
    ),
    Row(
        "cast",
        lambda x, dtype: x.astype(dtype),
        [
            case(normal(3, 5, scale=100), dtype="int32"),
            case(integers(3, 5), dtype="float32"),
            case(normal(3), dtype="bool"),
            case(normal(3, 5, scale=100), dtype="float64"),
            case(np.float32([-1.9, 1.9, -0.5]), dtype="int8"),
        ],
        exact,
        errors=[raises("float31", normal(2), dtype="float31")],
    ),
    Row(
        "saturate_cast",
        lambda x, dtype: np.nan_to_num(np.clip(x, *_limits(dtype))).astype(dtype),
        [
            case(np.float32([-1e20, -129, -128.5, 0.9, 127.5, 300, np.nan, np.inf]), dtype="int8"),
            case(np.float32([-1.0, 3e9, 5e9]), dtype="uint32"),
            case(integers(9, low=-999, high=999), dtype="uint8"),
        ],
        exact,
        "conversion to integers is piecewise constant",
    ),
    Row(
        "psnr",
        lambda x1, x2, max_val: 20 * np.log10(max_val) - 10 * np.log10(np.mean((x1 - x2) ** 2)),
        [
            case(uniform(3, 4), uniform(3, 4, key=1), max_val=1.0),
        ],
        lambda y, x1, x2, max_val: 20 * ulp(y) + 10 * x1.size * U,
    ),
]


def _limits(dtype):
    info = np.iinfo(dtype)
    return info.min, info.max


OPS = UNARY + BINARY + OTHERS
