"""Ops that read or write by index."""

from __future__ import annotations

import numpy as np

from .base import Row, booleans, case, exact, gamma, integers, normal, raises, strided


def _row(name, reference, cases, errors=(), bench=(), gradient=True, tolerance=exact, **more):
    return Row(name, reference, cases, tolerance, gradient, list(errors), list(bench), **more)


def _scatter_add(y, indices, values):
    np.add.at(y, tuple(np.moveaxis(indices, -1, 0)), values)
    return y


def _scatter_update(inputs, indices, updates, reduction=None):
    y = inputs.copy()
    at = tuple(np.moveaxis(np.asarray(indices), -1, 0))
    if reduction is None:
        y[at] = updates
    else:
        {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}[reduction].at(y, at, updates)
    return y


def _slice(inputs, start_indices, shape):
    return inputs[tuple(slice(a, a + n) for a, n in zip(start_indices, shape, strict=True))]


def _slice_update(inputs, start_indices, updates):
    y = inputs.copy()
    y[tuple(slice(a, a + n) for a, n in zip(start_indices, updates.shape, strict=True))] = updates
    return y


def _one_hot(x, num_classes, axis=-1):
    return np.moveaxis((np.asarray(x)[..., None] == np.arange(num_classes)).astype("float64"), -1, axis)


def _unfold(x, kernel_size, dilation=(1, 1), padding=(0, 0), stride=(1, 1)):
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = kernel_size, dilation, padding, stride
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    n, c, h, w = x.shape
    rows, columns = range(0, h - dh * (kh - 1), sh), range(0, w - dw * (kw - 1), sw)
    windows = [
        x[:, :, i : i + dh * kh : dh, j : j + dw * kw : dw][:, :, :kh, :kw].reshape(n, -1)
        for i in rows
        for j in columns
    ]
    return np.stack(windows, -1)


def _sum_bound(y, *x, **attrs):
    """Here sums have at most 32 terms, together below 32."""
    return np.full(np.shape(y), gamma(32) * 32)


X = normal(4, 5, 3)
_VALUES = "its result is indices"

OPS = [
    _row(
        "take",
        lambda x, indices, axis=None: np.take(x, indices, axis),
        [
            case(X, np.int32([0, 2, 2, -1])),
            case(X, np.int32([[0, 3], [-4, 1]]), axis=0),
            case(X, np.int64([1]), axis=1),
            case(X, 2, axis=-1),
            case(X, np.zeros((0,), "int32"), axis=1),
            case(strided(X), np.int32([1, 0]), axis=1),
            case(integers(9), integers(5, high=9), axis=0),
        ],
        [raises("out of", X, np.int32([4]), axis=0), raises("axis", X, np.int32([0]), axis=3)],
        [case(normal(10000, 64), integers(4096, high=10000), axis=0)],
    ),
    _row(
        "take_along_axis",
        np.take_along_axis,
        [
            case(X, integers(4, 2, 3, high=5), axis=1),
            case(X, integers(6, 5, 3, high=4), axis=0),
            case(X, integers(4, 5, 1, low=-3, high=3), axis=-1),
        ],
    ),
    _row(
        "get_item",
        lambda x, key: x[key],
        [
            case(X, key=k)
            for k in [
                0,
                -1,
                slice(1, 3),
                (slice(None), 2),
                (Ellipsis, slice(None, None, -1)),
                (None, 1, Ellipsis, None),
                (slice(3, None, -2), slice(1, 1)),
                (np.array([0, -1, 2]),),
                (slice(None), np.array([[0], [4]])),
                (np.array([0, 1]), slice(None), np.array([2, 0])),
                (np.array([0, 1]), np.array([2, 0])),
                (1, slice(None), np.array([2, 0])),
                X[:, 0, 0] > 0,
                (),
            ]
        ],
        [
            raises("out of range", X, key=4),
            raises("at most 3", X, key=(0, 0, 0, 0)),
            raises("float32", X, key=np.float32([1])),
        ],
    ),
    _row(
        "slice",
        _slice,
        [
            case(X, start_indices=(1, 0, 2), shape=(2, 5, 1)),
            case(X, start_indices=(0, 0, 0), shape=(0, 5, 3)),
            case(normal(4), start_indices=np.int32([1]), shape=(2,)),
        ],
        [
            raises("axis 0", X, start_indices=(3, 0, 0), shape=(2, 5, 3)),
            raises("entries", X, start_indices=(0,), shape=(1,)),
        ],
    ),
    _row(
        "slice_update",
        lambda inputs, updates, start_indices: _slice_update(inputs, start_indices, updates),
        [
            case(X, normal(2, 5, 1, key=1), start_indices=(1, 0, 2)),
            case(normal(4), normal(2, key=1), start_indices=np.int32([1])),
        ],
    ),
    _row(
        "scatter",
        lambda values, indices, shape: _scatter_add(np.zeros(shape), indices, values),
        [
            case(normal(3), indices=np.int32([[1], [4], [1]]), shape=(6,)),
            case(normal(2, 3), indices=np.int32([[0, 1], [1, 0]]), shape=(2, 2, 3)),
            case(normal(0, 2), indices=np.zeros((0, 1), "int32"), shape=(3, 2)),
        ],
        tolerance=_sum_bound,
    ),
    _row(
        "scatter_update",
        lambda inputs, updates, indices, reduction=None: _scatter_update(inputs, indices, updates, reduction),
        [
            case(normal(5, 3), normal(2, 3, key=1), indices=np.int32([[4], [0]])),
            case(normal(5, 3), normal(2, key=1), indices=np.int32([[4, 1], [0, 2]])),
            *(
                case(normal(5, 3), normal(3, 3, key=1), indices=np.int32([[4], [0], [4]]), reduction=r)
                for r in ("add", "max", "min", "mul")
            ),
        ],
        [raises("reduction", normal(3), normal(1), indices=np.int32([[0]]), reduction="mean")],
        tolerance=_sum_bound,
    ),
    _row(
        "where",
        lambda condition: np.nonzero(condition),
        [case(booleans(3, 5)), case(booleans(0, 2)), case(integers(20, high=2))],
        gradient=_VALUES,
    ),
    _row(
        "nonzero",
        np.nonzero,
        [case(booleans(3, 5)), case(np.zeros((2, 2), "float32")), case(normal(3))],
        gradient=_VALUES,
    ),
    _row(
        "unravel_index",
        lambda indices, shape: np.unravel_index(indices, shape),
        [case(integers(9, high=24), shape=(2, 3, 4))],
        gradient=_VALUES,
    ),
    _row(
        "select",
        lambda condition, other, x, y: np.select([condition, other], [x, y], 0),
        [case(booleans(3, 5), booleans(3, 5, key=1), normal(3, 5), normal(3, 5, key=1))],
    ),
    _row(
        "one_hot",
        _one_hot,
        [
            case(integers(2, 3, high=4), num_classes=4),
            case(integers(5, low=-1, high=6), num_classes=4, axis=0),
            case(np.int32(2), num_classes=3),
        ],
        gradient="it takes integers",
    ),
    _row(
        "multi_hot",
        lambda x, num_classes: _one_hot(x, num_classes).max(-2),
        [case(integers(3, 4, high=9), num_classes=9), case(integers(3, high=9), num_classes=9)],
        gradient="it takes integers",
    ),
    _row(
        "diagonal",
        lambda x, offset=0, axis1=0, axis2=1: np.diagonal(x, offset, axis1, axis2),
        [case(X), case(X, offset=1, axis1=2, axis2=0), case(normal(3, 5), offset=-2), case(normal(3, 3), offset=5)],
        [raises("2 axes", normal(3)), raises("differ", X, axis1=1, axis2=1)],
    ),
    _row(
        "diag",
        np.diag,
        [case(normal(3)), case(normal(3), k=2), case(normal(3), k=-1), case(normal(3, 4), k=1), case(normal(0))],
    ),
    _row("diagflat", np.diagflat, [case(normal(2, 2), k=1)]),
    _row(
        "trace",
        lambda x, offset=0, axis1=0, axis2=1: np.trace(x, offset, axis1, axis2),
        [case(X), case(normal(4, 4), offset=1)],
        tolerance=_sum_bound,
    ),
    _row(
        "unfold",
        _unfold,
        [
            case(normal(2, 3, 5, 6), kernel_size=(2, 3)),
            case(normal(1, 2, 7, 7), kernel_size=(3, 2), dilation=(1, 2), padding=(1, 0), stride=(2, 2)),
        ],
        [raises("fit", normal(1, 1, 2, 2), kernel_size=3)],
    ),
    _row(
        "extract_sequences",
        lambda x, sequence_length, sequence_stride: np.stack(
            [x[..., i : i + sequence_length] for i in range(0, x.shape[-1] - sequence_length + 1, sequence_stride)], -2
        ),
        [case(normal(2, 9), sequence_length=4, sequence_stride=2)],
        [raises("fit", normal(3), sequence_length=4, sequence_stride=1)],
    ),
]
