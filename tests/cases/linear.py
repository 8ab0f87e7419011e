"""Products. The bound |error| <= gamma(K) (|A| |B|) holds for every order of summation (Higham 2002, section 3.5)."""

from __future__ import annotations

import numpy as np

from .base import Row, case, gamma, integers, normal, raises, strided, ulp, ulps


def _product(f):
    """The bound of a sum of products of K terms: f on magnitudes, K from the first operand's size at most."""

    def bound(y, *x, **attrs):
        k = max(np.size(v) for v in x) if x else 1
        longest = min(k, max((max(np.shape(v), default=1) for v in x), default=1) ** 2)
        return gamma(longest + len(x)) * f(*(np.abs(v) for v in x), **attrs) + ulp(y)

    return bound


def _matmul_bound(y, x1, x2):
    return gamma(x1.shape[-1] + 1) * np.matmul(np.abs(x1), np.abs(x2)) + ulp(y)


def _row(name, f, cases, **more):
    return Row(name, f, cases, _product(f), **more)


def _dot(x1, x2):
    return np.dot(x1, x2)


def _einsum(*operands, subscripts):
    return np.einsum(subscripts, *operands)


def _cdist(x, y):
    return np.sqrt(np.sum((x[..., :, None, :] - y[..., None, :, :]) ** 2, -1))


_SIZES = [(1, 1, 1), (1, 7, 5), (5, 7, 1), (3, 1, 4), (4, 4, 4), (17, 33, 9), (31, 5, 66), (64, 300, 48), (1, 513, 1)]
_MATMUL = [
    *(case(normal(m, k), normal(k, n, key=1), note=f"{m} x {k} x {n}") for m, k, n in _SIZES),
    case(normal(5), normal(5, key=1), note="vectors"),
    case(normal(5), normal(5, 3), note="vector by matrix"),
    case(normal(3, 5), normal(5), note="matrix by vector"),
    case(normal(4, 3, 5), normal(5, 2), note="batch by matrix"),
    case(normal(4, 3, 5), normal(4, 5, 2), note="batches"),
    case(normal(2, 1, 3, 5), normal(4, 5, 2), note="broadcast batches"),
    case(normal(0, 5), normal(5, 3), note="no rows"),
    case(normal(3, 0), normal(0, 2), note="no terms"),
    case(normal(6, 5).T, normal(6, 7), note="transposed view"),
    case(strided(normal(5, 6)), strided(normal(6, 7)), note="strided"),
    case(np.float32([[np.inf, 1], [np.nan, 0]]), np.float32([[0, 1], [1, 0]]), smooth=False, note="special values"),
]
_MATMUL_ERRORS = [
    raises("(32, 128)", normal(32, 128), normal(64, 10)),
    raises("(2, 3, 4)", normal(2, 3, 4), normal(5, 4, 3)),
    raises("1 axis", normal(), normal(2, 2)),
]
_EINSUMS = [
    ("ij,jk->ik", (3, 4), (4, 5)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("...i,ij->...j", (2, 3, 4), (4, 5)),
    ("ii->i", (4, 4)),
    ("ii", (4, 4)),
    ("ij->ji", (3, 4)),
    ("ij->", (3, 4)),
    ("i,j->ij", (3,), (4,)),
    ("i,i->", (5,), (5,)),
    ("abc,cd,def->abef", (2, 3, 4), (4, 5), (5, 2, 3)),
    ("btnh,bsnh->bnts", (2, 3, 2, 4), (2, 5, 2, 4)),
    ("bnts,bsnh->btnh", (2, 2, 3, 5), (2, 5, 2, 4)),
    ("i...,j...->ij...", (2, 3), (4, 3)),
    ("iij,jk->ik", (3, 3, 4), (4, 2)),
    ("ij,kj", (2, 3), (4, 3)),
    ("ab,ab,ab->a", (2, 3), (2, 3), (2, 3)),
    ("a,b,c->cab", (2,), (3,), (4,)),
    ("...ij,...jk->...ik", (5, 1, 2, 3), (4, 3, 2)),
]

OPS = [
    Row(
        "matmul",
        np.matmul,
        _MATMUL,
        _matmul_bound,
        errors=_MATMUL_ERRORS,
        bench=[
            case(normal(64, 64), normal(64, 64)),
            case(normal(256, 784), normal(784, 512)),
            case(normal(1, 1024), normal(1024, 1024)),
            case(normal(1024, 1024), normal(1024, 1024)),
        ],
        flops=lambda x1, x2: 2.0 * x1.size * x2.shape[-1],
    ),
    _row(
        "dot",
        _dot,
        [
            case(normal(5), normal(5, key=1)),
            case(normal(2, 3), normal(3)),
            case(normal(2, 3), normal(4, 3, 5)),
            case(normal(), normal(3)),
        ],
    ),
    _row(
        "inner",
        np.inner,
        [case(normal(5), normal(5, key=1)), case(normal(2, 3), normal(4, 3)), case(normal(2), normal())],
    ),
    _row("vdot", np.vdot, [case(normal(2, 3), normal(2, 3, key=1)), case(normal(0), normal(0))]),
    _row("outer", np.outer, [case(normal(3), normal(4)), case(normal(2, 3), normal(2))]),
    _row(
        "tensordot",
        np.tensordot,
        [
            case(normal(2, 3, 4), normal(3, 4, 5)),
            case(normal(2, 3, 4), normal(4, 2), axes=((0, 2), (1, 0))),
            case(normal(2), normal(3), axes=0),
            case(normal(2, 3), normal(3, 4), axes=1),
        ],
        errors=[raises("sizes differ", normal(2, 3), normal(4, 5), axes=1)],
    ),
    _row(
        "kron",
        np.kron,
        [case(normal(2, 3), normal(2, 2)), case(normal(3), normal(2, 2)), case(normal(2, 2), normal(3))],
    ),
    Row(
        "cross",
        lambda a, b, axis=-1: np.cross(a, b, axis=axis),
        [
            case(normal(4, 3), normal(4, 3, key=1)),
            case(normal(3, 4), normal(3, 4, key=1), axis=0),
            case(normal(3), normal(4, 3)),
        ],
        lambda y, a, b, axis=-1: np.full(np.shape(y), 4 * gamma(2) * np.max(np.abs(a)) * np.max(np.abs(b))),
        errors=[raises("2 or 3", normal(4), normal(4))],
    ),
    Row(
        "einsum",
        _einsum,
        [case(*(normal(*s, key=i) for i, s in enumerate(shapes)), subscripts=text) for text, *shapes in _EINSUMS],
        _product(_einsum),
        errors=[
            raises("operands", normal(2), subscripts="i,j"),
            raises("size", normal(2, 3), normal(4, 5), subscripts="ij,jk"),
            raises("result", normal(2), subscripts="i->j"),
            raises("axes", normal(2), subscripts="ij->i"),
        ],
        bench=[case(normal(8, 128, 8, 64), normal(8, 128, 8, 64), subscripts="btnh,bsnh->bnts")],
    ),
    # Differences of coordinates are rounded before they are squared.
    Row(
        "cdist",
        _cdist,
        [case(normal(4, 3), normal(5, 3, key=1)), case(normal(2, 4, 3), normal(2, 5, 3, key=1))],
        lambda y, a, b: 16 * ulp(y) + 8 * ulp(np.full(y.shape, np.max(np.abs(a)))),
    ),
    Row(
        "corrcoef",
        np.corrcoef,
        [case(normal(3, 20)), case(normal(9))],
        lambda y, x: np.full(np.shape(y), 4 * gamma(32)),
    ),
    _row(
        "correlate",
        lambda x1, x2, mode="valid": np.correlate(x1, x2, mode),
        [case(normal(7), normal(3), mode=m) for m in ("valid", "same", "full")]
        + [case(normal(2), normal(6), mode=m) for m in ("valid", "same", "full")],
        errors=[raises("mode", normal(3), normal(2), mode="half")],
    ),
    Row(
        "matmul",
        np.matmul,
        [case(integers(3, 4), integers(4, 2)), case(integers(2, 3, 4, dtype="int64"), integers(4, dtype="int64"))],
        ulps(0),
        "it takes integers",
    ),
]
