"""Sorting, searching, sets, quantiles, histograms, segments."""

from __future__ import annotations

import numpy as np

from .base import Row, booleans, case, distinct, exact, gamma, integers, normal, raises, strided, ulps, uniform

_INDEX = "its result is indices"
_BINS = np.float32([-1, 0, 0, 2])


def _top_k(x, k):
    order = np.argsort(-x, -1, kind="stable")[..., :k]
    return np.take_along_axis(x, order, -1), order


def _segment(combine, start):
    def reference(data, segment_ids, num_segments):
        y = np.full((num_segments, *data.shape[1:]), start, data.dtype)
        inside = (segment_ids >= 0) & (segment_ids < num_segments)
        combine.at(y, segment_ids[inside], data[inside])
        return y

    return reference


def _segments(smooth=True):
    return [
        case(normal(6, 3), segment_ids=np.int32([0, 2, 0, 1, 2, 2]), num_segments=4, smooth=smooth),
        case(normal(5), segment_ids=np.int32([0, 0, 5, -1, 1]), num_segments=2, note="outside: dropped"),
        case(distinct(5), segment_ids=np.int32([1, 1, 0, 0, 1]), num_segments=2),
    ]


def _quantiles(f):
    return lambda x, q, axis=None, method="linear", keepdims=False: f(x, q, axis=axis, method=method, keepdims=keepdims)


def _holes(*shape):
    x = distinct(*shape)
    x.reshape(-1)[::4] = np.nan
    return x


_QUANTILE_CASES = [
    case(distinct(3, 7), q=0.3),
    case(distinct(3, 7), q=0.3, axis=1),
    case(distinct(3, 7), q=[0.0, 0.5, 1.0], axis=0, keepdims=True),
    *(case(distinct(9), q=0.4, method=m) for m in ("lower", "higher", "nearest", "midpoint")),
    case(_holes(3, 4), q=0.5, axis=0, smooth=False),
]
_PERCENTILE_CASES = [case(distinct(3, 7), q=30.0), case(distinct(3, 7), q=[5.0, 95.0], axis=1)]
_MEDIAN_CASES = [
    case(distinct(3, 7)),
    case(distinct(4, 6), axis=1),
    case(distinct(2, 3, 4), axis=(0, 2), keepdims=True),
]


def _interpolation(y, x, *rest, **attrs):
    """Of two elements with weights that are rounded."""
    return np.full(np.shape(y), 8 * 2.0**-23 * np.nanmax(np.abs(x)))


_QUANTILE_ERRORS = [raises("method", normal(3), q=0.5, method="cubic"), raises("no elements", normal(0), q=0.5)]

OPS = [
    Row(
        "sort",
        lambda x, axis=-1: np.sort(x, axis),
        [
            case(distinct(3, 7)),
            case(distinct(5, 4), axis=0),
            case(distinct(20), axis=None),
            case(normal(0, 3), axis=0),
            case(strided(distinct(5, 4))),
            case(np.float32([3, np.nan, -np.inf, 1, np.inf, -0.5]), smooth=False),
            case(integers(300)),
            case(integers(99, dtype="uint8")),
        ],
        exact,
        bench=[case(normal(1000)), case(normal(1000, 100))],
    ),
    Row(
        "argsort",
        lambda x, axis=-1: np.argsort(x, axis, kind="stable"),
        [
            case(distinct(3, 7)),
            case(integers(50), note="stable"),
            case(distinct(5, 4), axis=0),
            case(distinct(6), axis=None),
        ],
        exact,
        _INDEX,
        bench=[case(normal(1000, 100))],
    ),
    Row(
        "top_k",
        _top_k,
        [case(distinct(3, 7), k=3), case(distinct(9), k=9), case(integers(30), k=4)],
        exact,
        bench=[case(normal(128, 1000), k=10)],
        errors=[raises("k", normal(3), k=4)],
    ),
    Row(
        "in_top_k",
        lambda targets, predictions, k: (
            np.sum(predictions > np.take_along_axis(predictions, targets[:, None], 1), 1) < k
        ),
        [case(integers(6, high=5), distinct(6, 5), k=2)],
        exact,
        _INDEX,
    ),
    Row(
        "searchsorted",
        lambda s, v, side="left": np.searchsorted(s, v, side),
        [
            case(np.sort(normal(9)), normal(3, 4)),
            case(_BINS, np.float32([0, -1, 2, 3, -2, np.nan]), side="right"),
            case(normal(0), normal(3)),
        ],
        exact,
        _INDEX,
        errors=[raises("side", normal(3), normal(2), side="middle"), raises("1 axis", normal(2, 3), normal(2))],
    ),
    Row("digitize", np.digitize, [case(normal(3, 4), np.sort(normal(5)))], exact, _INDEX),
    Row(
        "isin",
        lambda a, b, invert=False: np.isin(a, b, invert=invert),
        [
            case(integers(3, 5), integers(4, key=1)),
            case(integers(5), integers(0)),
            case(integers(5), integers(3, key=1), invert=True),
        ],
        exact,
        "its result is bool",
    ),
    Row(
        "unique",
        lambda x, **a: np.unique(x, return_index=True, return_inverse=True, return_counts=True) if a else np.unique(x),
        [
            case(integers(3, 9)),
            case(integers(30), return_index=True, return_inverse=True, return_counts=True),
            case(booleans(9)),
        ],
        exact,
        _INDEX,
    ),
    Row(
        "unique",
        lambda x, axis: np.unique(x, axis=axis),
        [case(integers(9, 2, high=2), axis=0), case(integers(2, 9, high=2), axis=1)],
        exact,
        _INDEX,
    ),
    Row("quantile", _quantiles(np.quantile), _QUANTILE_CASES, _interpolation, errors=_QUANTILE_ERRORS),
    Row("nanquantile", _quantiles(np.nanquantile), _QUANTILE_CASES, _interpolation),
    Row("percentile", _quantiles(np.percentile), _PERCENTILE_CASES, _interpolation),
    Row("nanpercentile", _quantiles(np.nanpercentile), _PERCENTILE_CASES, _interpolation),
    Row(
        "median",
        lambda x, axis=None, keepdims=False: np.median(x, axis=axis, keepdims=keepdims),
        _MEDIAN_CASES,
        ulps(1),
    ),
    Row(
        "nanmedian",
        lambda x, axis=None, keepdims=False: np.nanmedian(x, axis=axis, keepdims=keepdims),
        [*_MEDIAN_CASES, case(_holes(4, 5), axis=1, smooth=False)],
        ulps(1),
    ),
    Row(
        "histogram",
        lambda x, bins, range=None: np.histogram(x, bins, range),
        [case(integers(50), bins=4), case(uniform(99), bins=8, range=(0, 1)), case(integers(9, high=1), bins=3)],
        lambda y, x, **a: (np.zeros(y[0].shape), 4 * 2.0**-23 * np.abs(y[1]) + 1e-30),
        _INDEX,
    ),
    Row(
        "bincount",
        lambda x, weights=None, minlength=0: np.bincount(x, weights, minlength),
        [case(integers(30)), case(integers(9), minlength=20), case(integers(9), weights=normal(9))],
        lambda y, x, **a: np.full(y.shape, gamma(30) * 30 if a.get("weights") is not None else 0),
        _INDEX,
        errors=[raises("integers", normal(3))],
    ),
    Row("segment_sum", _segment(np.add, 0), _segments(), lambda y, *a, **k: np.full(y.shape, gamma(8) * 8)),
    Row("segment_prod", _segment(np.multiply, 1), _segments(), lambda y, *a, **k: gamma(8) * np.abs(y)),
    Row("segment_max", _segment(np.maximum, -np.inf), _segments(smooth=False), exact),
    Row("segment_min", _segment(np.minimum, np.inf), _segments(smooth=False), exact),
]
