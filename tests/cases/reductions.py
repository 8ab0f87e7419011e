"""Ops that combine elements along axes.

A sum of n terms in any order is within gamma(n) sum|x| of the exact one (Higham 2002, section 4.2), a product within
gamma(n) of itself: bounds that no order of summation can break.
"""

from __future__ import annotations

import numpy as np

from .base import Row, booleans, case, distinct, exact, gamma, integers, normal, raises, strided, ulp, ulps, uniform

_AXES = [dict(axis=None), dict(axis=0), dict(axis=-1, keepdims=True), dict(axis=(0, 2)), dict(axis=[1], keepdims=True)]


def _cases(make, nothing=True):
    cases = [case(make(3, 4, 5), **attrs) for attrs in _AXES]
    cases += [
        case(make(1)),
        case(strided(make(5, 3)), axis=0),
        case(make(7, 131), axis=0, note="columns"),
        case(make(7, 131), axis=1, note="rows"),
        case(make(5000), note="more than a block"),
    ]
    if nothing:
        cases += [case(np.zeros((0, 3), "float32"), axis=0), case(np.zeros((0, 3), "float32"), axis=1)]
    return cases


_BENCH = [
    case(normal(64)),
    case(normal(1000, 1000), axis=0),
    case(normal(1000, 1000), axis=1),
    case(normal(1000, 1000)),
]


def _axis(axis):
    return tuple(axis) if isinstance(axis, list) else axis


def _of(f):
    return lambda x, axis=None, keepdims=False: f(x, axis=_axis(axis), keepdims=keepdims)


def _count(x, axis):
    """How many elements a result is made of."""
    return np.size(x) if axis is None else int(np.prod([x.shape[a] for a in np.atleast_1d(axis)], initial=1))


def _of_sum(y, x, axis=None, keepdims=False):
    return gamma(_count(x, axis) + 1) * np.sum(np.abs(x), axis=_axis(axis), keepdims=keepdims) + ulp(y)


def _of_mean(y, x, axis=None, keepdims=False):
    n = max(_count(x, axis), 1)
    return gamma(n + 2) * np.sum(np.abs(x), axis=_axis(axis), keepdims=keepdims) / n + ulp(y)


def _of_variance(y, x, axis=None, keepdims=False):
    """Of the squares' sum, of the mean's error squared, and of x - mean rounded to units of the largest |x|."""
    n = max(_count(x, axis), 1)
    unit = gamma(n + 4)
    return 2 * unit * y + (unit * np.max(np.abs(x))) ** 2 + 4 * np.sqrt(y) * unit * np.max(np.abs(x))


def _of_deviation(y, x, axis=None, keepdims=False):
    return _of_variance(y * y, x, axis, keepdims) / np.maximum(2 * y, 1e-30) + ulp(y)


def _logsumexp(x, axis=None, keepdims=False):
    m = np.max(x, axis=_axis(axis), keepdims=True)
    found = m + np.log(np.sum(np.exp(x - m), axis=_axis(axis), keepdims=True))
    return found if keepdims else found.sum(axis=_axis(axis))


def _with_nan(*shape):
    x = distinct(*shape)
    x.reshape(-1)[::3] = np.nan
    return x


_NAN_CASES = [
    case(_with_nan(3, 4, 5), smooth=False),
    case(_with_nan(3, 4, 5), axis=1, smooth=False),
    case(_with_nan(4, 5), axis=-1, keepdims=True, smooth=False),
    case(normal(3, 5), axis=0),
]


def _nan_sum_bound(y, x, axis=None, keepdims=False):
    return _of_sum(y, np.nan_to_num(x), axis, keepdims)


def _scan(f):
    def reference(x, axis=None):
        return f(x, axis=axis)

    return reference


def _argument(f):
    return lambda x, axis=None, keepdims=False: f(x, axis=axis, keepdims=keepdims)


_ARGUMENT_CASES = [
    case(distinct(3, 4, 5)),
    case(distinct(3, 4, 5), axis=1),
    case(distinct(4, 5), axis=-1, keepdims=True),
    case(integers(50), note="ties: the first"),
    case(np.float32([1, np.nan, 3, np.nan]), note="NaN: the first"),
    case(integers(7, 33, dtype="int64"), axis=1),
]

_VECTOR_NORMS = [None, 1, 2, 3, 0, np.inf, -np.inf]
_INDEX = "its result is an index"


def _norm(x, ord=None, axis=None, keepdims=False):
    return np.linalg.norm(x, ord=ord, axis=axis, keepdims=keepdims)


def _of_norm(y, x, ord=None, axis=None, keepdims=False):
    return gamma(np.size(x) + 8) * np.max(np.abs(x)) * np.size(x) ** 0.5 + 16 * ulp(y)


_EXTREMES = [
    *_cases(distinct, nothing=False),
    case(np.zeros((2, 0, 3), "float32"), axis=0),
    case(np.float32([1, np.nan, 3]), smooth=False),
    case(integers(5, 6), axis=1),
]
_NO_ELEMENTS = [raises("empty", np.zeros((0, 3), "float32"), axis=0)]
_BAD_AXIS = [raises("axis", normal(2, 3), axis=2), raises("axis", normal(2, 3), axis=(0, 0))]

OPS = [
    Row(
        "sum",
        _of(np.sum),
        [*_cases(normal), case(integers(3, 5), axis=1), case(booleans(9))],
        _of_sum,
        errors=_BAD_AXIS,
        bench=_BENCH,
    ),
    Row(
        "mean",
        _of(np.mean),
        [*_cases(normal, nothing=False), case(integers(3, 5), axis=1)],
        _of_mean,
        errors=_BAD_AXIS,
        bench=_BENCH,
    ),
    Row(
        "prod",
        _of(np.prod),
        [case(uniform(3, 4, 2, low=0.5, high=1.5), **a) for a in _AXES]
        + [
            case(np.float32([[2, 0, 3], [0, 0, 1], [1, 2, 3]]), axis=1, note="zeros"),
            case(np.zeros((0, 3), "float32"), axis=0),
        ],
        lambda y, x, axis=None, keepdims=False: gamma(_count(x, axis) + 1) * np.abs(y) + ulp(y),
        bench=_BENCH,
    ),
    Row("max", _of(np.max), _EXTREMES, exact, errors=_NO_ELEMENTS + _BAD_AXIS, bench=_BENCH),
    Row("min", _of(np.min), _EXTREMES, exact, errors=_NO_ELEMENTS + _BAD_AXIS, bench=_BENCH),
    Row(
        "max",
        lambda x, axis=None, initial=None: np.max(x, axis=axis, initial=initial),
        [
            case(distinct(3, 4), initial=1.1),
            case(np.zeros((0, 3), "float32"), axis=0, initial=2.0, smooth=False),
        ],
        exact,
    ),
    Row("amax", _of(np.max), _EXTREMES, exact),
    Row("amin", _of(np.min), _EXTREMES, exact),
    Row("ptp", _of(np.ptp), _cases(distinct, nothing=False), ulps(0.5)),
    Row("any", _of(np.any), [*_cases(booleans), case(normal(3, 5), axis=1)], exact, "its result is bool"),
    Row("all", _of(np.all), [*_cases(booleans), case(normal(3, 5), axis=1)], exact, "its result is bool"),
    Row("argmax", _argument(np.argmax), _ARGUMENT_CASES, exact, _INDEX, errors=_BAD_AXIS[:1], bench=_BENCH[1:3]),
    Row("argmin", _argument(np.argmin), _ARGUMENT_CASES, exact, _INDEX, bench=_BENCH[1:3]),
    Row("var", _of(np.var), _cases(normal, nothing=False), _of_variance, bench=_BENCH[1:3]),
    Row("std", _of(np.std), [c for c in _cases(normal, nothing=False) if np.size(c.inputs[0]) > 1], _of_deviation),
    Row(
        "moments",
        lambda x, axes, keepdims=False: (
            np.mean(x, tuple(axes), keepdims=keepdims),
            np.var(x, tuple(axes), keepdims=keepdims),
        ),
        [case(normal(6, 5), axes=[0]), case(normal(2, 3, 4), axes=[0, 2], keepdims=True)],
        lambda y, x, axes, keepdims=False: (
            np.full(y[0].shape, gamma(np.size(x)) * np.max(np.abs(x))),
            _of_variance(y[1], x),
        ),
    ),
    Row(
        "count_nonzero",
        lambda x, axis=None: np.count_nonzero(x, axis=axis),
        [case(booleans(3, 5)), case(integers(3, 5, high=2), axis=1)],
        exact,
        "it counts",
    ),
    # exp of x - max rounded, log of their sum: units of 1, and one rounding of the result.
    Row(
        "logsumexp",
        _logsumexp,
        [c for c in _cases(normal, nothing=False)],
        lambda y, x, axis=None, keepdims=False: (
            (16 + gamma(_count(x, axis)) / ulp(1.0)) * ulp(np.ones_like(y)) + 2 * ulp(y)
        ),
        bench=_BENCH[1:3],
    ),
    # Terms along an axis only: of the whole row's sum at most.
    Row(
        "cumsum",
        _scan(np.cumsum),
        [
            case(normal(3, 5)),
            case(normal(3, 5), axis=0),
            case(normal(4, 131), axis=1),
            case(integers(3, 5), axis=-1),
            case(normal(0, 3), axis=0),
            case(strided(normal(5, 3)), axis=0),
        ],
        lambda y, x, axis=None: gamma(np.size(x) + 1) * np.sum(np.abs(x)) + ulp(y),
        bench=[case(normal(1000, 1000), axis=1)],
    ),
    Row(
        "cumprod",
        _scan(np.cumprod),
        [
            case(uniform(3, 5, low=0.5, high=1.5)),
            case(uniform(3, 5, low=0.5, high=1.5), axis=0),
            case(integers(3, 5, high=4), axis=-1),
            case(np.float32([2, 0, 3, 0, 4]), axis=0),
        ],
        lambda y, x, axis=None: gamma(np.size(x) + 1) * np.abs(y) + ulp(y),
    ),
    Row(
        "cummax",
        _scan(np.maximum.accumulate),
        [case(distinct(3, 5), axis=1), case(distinct(4, 65), axis=0), case(integers(9), axis=0)],
        exact,
        internal=True,
    ),
    Row(
        "cummin",
        _scan(np.minimum.accumulate),
        [case(distinct(3, 5), axis=1), case(distinct(4, 65), axis=0), case(integers(9), axis=0)],
        exact,
        internal=True,
    ),
    Row(
        "average",
        lambda x, axis=None, weights=None: np.average(x, axis=axis, weights=weights),
        [
            case(normal(3, 4)),
            case(normal(3, 4), axis=1),
            case(normal(3, 4), axis=1, weights=uniform(4, low=0.5)),
            case(normal(3, 4), axis=0, weights=uniform(3, 4, low=0.5)),
        ],
        lambda y, x, axis=None, weights=None: np.full(np.shape(y), 4 * gamma(np.size(x)) * np.max(np.abs(x))),
        errors=[raises("weights", normal(3, 4), axis=1, weights=normal(3))],
    ),
    Row(
        "norm",
        _norm,
        [case(normal(6), ord=o) for o in _VECTOR_NORMS]
        + [case(normal(3, 4), ord=o, axis=1, keepdims=True) for o in _VECTOR_NORMS[:4]]
        + [
            case(normal(3, 4)),
            case(normal(3, 4), ord="fro"),
            case(normal(2, 3, 4), ord=1, axis=(0, 2)),
            case(normal(3, 4), ord=np.inf),
            case(normal(3, 4), ord=-1),
            case(normal(3, 4), ord=-np.inf, keepdims=True),
            case(normal(2, 3, 4)),
        ],
        _of_norm,
        errors=[raises("ord", normal(3, 4), ord="nuclear"), raises("axes", normal(2, 3, 4), ord=1)],
    ),
    Row("nansum", _of(np.nansum), _NAN_CASES, _nan_sum_bound),
    Row("nanmean", _of(np.nanmean), _NAN_CASES, _nan_sum_bound),
    Row("nanprod", _of(np.nanprod), [case(np.float32([[2, np.nan], [3, 4]]), axis=1, smooth=False)], ulps(2)),
    Row("nanmax", _of(np.nanmax), _NAN_CASES, exact),
    Row("nanmin", _of(np.nanmin), _NAN_CASES, exact),
    Row("nanvar", _of(np.nanvar), _NAN_CASES, lambda y, x, **a: _of_variance(y, np.nan_to_num(x))),
    Row("nanstd", _of(np.nanstd), _NAN_CASES, lambda y, x, **a: _of_deviation(y, np.nan_to_num(x))),
    Row("nanargmax", _argument(np.nanargmax), [case(_with_nan(4, 5), axis=1), case(_with_nan(20))], exact, _INDEX),
    Row("nanargmin", _argument(np.nanargmin), [case(_with_nan(4, 5), axis=1), case(_with_nan(20))], exact, _INDEX),
    Row(
        "nancumsum",
        _scan(np.nancumsum),
        [case(_with_nan(4, 5), axis=1, smooth=False)],
        lambda y, x, axis: np.full(y.shape, gamma(np.size(x)) * np.nansum(np.abs(x))),
    ),
    Row("nancumprod", _scan(np.nancumprod), [case(_with_nan(4, 3), axis=1, smooth=False)], ulps(4)),
    Row(
        "diff",
        lambda a, n=1, axis=-1: np.diff(a, n=n, axis=axis),
        [case(normal(3, 6)), case(normal(5, 2), n=2, axis=0), case(normal(1, 1)), case(booleans(9))],
        lambda y, x, **a: 4 * ulp(np.full(np.shape(y), np.max(np.abs(x)))),
    ),
    Row(
        "trapezoid",
        lambda y, x=None, dx=1.0, axis=-1: np.trapezoid(y, x, dx, axis),
        [case(normal(3, 6)), case(normal(5, 2), dx=0.5, axis=0), case(normal(3, 6), np.sort(normal(6)))],
        lambda y, *x, **a: np.full(np.shape(y), 4 * gamma(np.size(x[0])) * np.sum(np.abs(x[0])) * 4),
    ),
]
