"""Ops that move elements, or make tensors from sizes: exact, compared with NumPy."""

from __future__ import annotations

import numpy as np

from .base import Row, booleans, case, exact, integers, normal, raises, strided


def _row(name, reference, cases, errors=(), bench=(), gradient=True):
    return Row(name, reference, cases, exact, gradient, list(errors), list(bench))


def _many(f):
    """A reference whose result is a list of arrays."""
    return lambda *x, **attrs: tuple(f(*x, **attrs))


def _pad(x, pad_width, mode="constant", constant_values=None):
    more = {} if constant_values is None else {"constant_values": constant_values}
    return np.pad(x, pad_width, mode=mode, **more)


def _space_to_depth(x, block_size):
    n, h, w, c = x.shape
    b = block_size
    y = [[x[:, i::b, j::b, :] for j in range(b)] for i in range(b)]
    return np.concatenate([np.concatenate(row, -1) for row in y], -1).reshape(n, h // b, w // b, b * b * c)


def _depth_to_space(x, block_size):
    n, h, w, c = x.shape
    b, d = block_size, c // block_size**2
    y = np.zeros((n, h * b, w * b, d), x.dtype)
    for i in range(b):
        for j in range(b):
            y[:, i::b, j::b, :] = x[..., (i * b + j) * d : (i * b + j + 1) * d]
    return y


X = normal(3, 4, 5)
_SIZES = "it does not depend on any tensor's values"

MOVES = [
    _row(
        "reshape",
        lambda x, newshape: np.reshape(x, newshape),
        [
            case(X, newshape=(5, -1)),
            case(X, newshape=60),
            case(normal(), newshape=(1, 1)),
            case(normal(0, 3), newshape=(3, 0)),
            case(strided(X), newshape=(4, 15)),
            case(integers(3, 4, dtype="int8"), newshape=(12,)),
        ],
        [raises("7, 2", normal(3, 4), newshape=(7, 2)), raises("-1", normal(3, 4), newshape=(-1, -1))],
    ),
    _row("ravel", np.ravel, [case(X), case(normal()), case(strided(X)), case(normal(0, 2))]),
    _row(
        "transpose",
        lambda x, axes=None: np.transpose(x, axes),
        [
            case(X),
            case(X, axes=(1, 0, 2)),
            case(X, axes=(0, 1, 2)),
            case(normal(4)),
            case(normal(0, 3)),
            case(strided(X)),
            case(normal(33, 65)),
            case(normal(2, 3, 4, 5), axes=(3, 1, 0, 2)),
            case(booleans(3, 5)),
            case(integers(9, 17, dtype="uint8")),
        ],
        [raises("axes", X, axes=(0, 1)), raises("axes", X, axes=(0, 0, 1))],
        [case(normal(1000, 1000)), case(normal(8, 128, 8, 64), axes=(0, 2, 1, 3))],
    ),
    _row(
        "moveaxis",
        np.moveaxis,
        [case(X, source=0, destination=-1), case(X, source=(0, 1), destination=(-1, 0))],
        [raises("axis", X, source=3, destination=0)],
    ),
    _row("swapaxes", np.swapaxes, [case(X, axis1=0, axis2=-1), case(X, axis1=1, axis2=1)]),
    _row(
        "expand_dims",
        np.expand_dims,
        [case(X, axis=0), case(X, axis=-1), case(X, axis=(0, 2)), case(normal(), axis=0)],
        [raises("axis", X, axis=5)],
    ),
    _row(
        "squeeze",
        lambda x, axis=None: np.squeeze(x, axis),
        [case(normal(1, 3, 1)), case(normal(1, 3, 1), axis=-1), case(normal(1))],
        [raises("size 3", normal(1, 3), axis=1)],
    ),
    _row(
        "broadcast_to",
        np.broadcast_to,
        [case(normal(3, 1), shape=(2, 3, 4)), case(normal(), shape=(2, 2)), case(normal(3), shape=(0, 3))],
        [raises("(2, 4)", normal(3), shape=(2, 4))],
    ),
    _row(
        "concatenate",
        lambda *xs, axis=0: np.concatenate(xs, axis),
        [
            case(normal(2, 3), normal(4, 3)),
            case(normal(2, 3), normal(2, 1, key=1), normal(2, 3, key=2), axis=-1),
            case(normal(0, 3), normal(2, 3)),
            case(normal(3), axis=0),
            case(strided(normal(4, 3)), strided(normal(4, 2)), axis=1),
            case(integers(3), integers(4)),
        ],
        [raises("(4, 4)", normal(2, 3), normal(4, 4))],
        [case(normal(1000, 500), normal(1000, 500), axis=1)],
    ),
    _row(
        "stack",
        lambda *xs, axis=0: np.stack(xs, axis),
        [case(normal(2, 3), normal(2, 3, key=1), axis=-1), case(normal(), normal()), case(X, X, axis=1)],
    ),
    _row("append", np.append, [case(normal(2, 3), normal(1, 3), axis=0), case(normal(2, 3), normal(2))]),
    _row("vstack", lambda *xs: np.vstack(xs), [case(normal(3), normal(3, key=1)), case(normal(2, 3), normal(1, 3))]),
    _row("hstack", lambda *xs: np.hstack(xs), [case(normal(3), normal(2)), case(normal(2, 3), normal(2, 1))]),
    _row(
        "dstack",
        lambda *xs: np.dstack(xs),
        [case(normal(3), normal(3, key=1)), case(normal(2, 3), normal(2, 3, key=1))],
    ),
    _row(
        "split",
        _many(lambda x, indices_or_sections, axis=0: np.split(x, indices_or_sections, axis)),
        [
            case(normal(6, 2), indices_or_sections=3),
            case(normal(2, 6), indices_or_sections=[1, 4], axis=-1),
            case(normal(4), indices_or_sections=[]),
            case(normal(4), indices_or_sections=[3, 1, 9]),
        ],
        [raises("does not divide", normal(5, 2), indices_or_sections=2)],
    ),
    _row(
        "array_split",
        _many(lambda x, indices_or_sections, axis=0: np.array_split(x, indices_or_sections, axis)),
        [case(normal(7, 2), indices_or_sections=3), case(normal(2), indices_or_sections=3)],
    ),
    _row("vsplit", _many(np.vsplit), [case(normal(4, 2), indices_or_sections=2)]),
    _row(
        "hsplit", _many(np.hsplit), [case(normal(2, 4), indices_or_sections=2), case(normal(4), indices_or_sections=2)]
    ),
    _row("dsplit", _many(np.dsplit), [case(normal(2, 3, 4), indices_or_sections=[1])]),
    _row(
        "unstack",
        _many(lambda x, axis=0: [np.take(x, i, axis) for i in range(x.shape[axis])]),
        [case(X), case(X, axis=-1)],
        [raises("num", X, num=2)],
    ),
    _row(
        "tile",
        lambda x, repeats: np.tile(x, repeats),
        [
            case(normal(2, 3), repeats=(2, 1)),
            case(normal(3), repeats=(2, 2)),
            case(X, repeats=2),
            case(normal(2), repeats=0),
        ],
    ),
    _row(
        "repeat",
        lambda x, repeats, axis=None: np.repeat(x, repeats, axis),
        [
            case(normal(2, 3), repeats=2),
            case(normal(2, 3), repeats=3, axis=-1),
            case(normal(2, 3), repeats=[2, 0, 1], axis=1),
            case(X, repeats=0, axis=1),
        ],
        [raises("repeats", normal(2, 3), repeats=[1, 2], axis=1)],
    ),
    _row(
        "flip",
        lambda x, axis=None: np.flip(x, axis),
        [case(X), case(X, axis=1), case(X, axis=(0, -1)), case(normal(0)), case(strided(X), axis=0)],
    ),
    _row("fliplr", np.fliplr, [case(normal(3, 4))]),
    _row("flipud", np.flipud, [case(normal(3, 4))]),
    _row(
        "rot90",
        lambda array, k=1, axes=(0, 1): np.rot90(array, k, axes),
        [case(normal(2, 3), k=k) for k in range(-1, 4)] + [case(X, k=1, axes=(2, 0))],
        [raises("differ", X, axes=(1, 1))],
    ),
    _row(
        "roll",
        lambda x, shift, axis=None: np.roll(x, shift, axis),
        [
            case(normal(2, 3), shift=2),
            case(X, shift=-1, axis=1),
            case(X, shift=(1, 2), axis=(0, 2)),
            case(normal(3), shift=7, axis=0),
            case(normal(0, 2), shift=1, axis=0),
        ],
    ),
    _row(
        "pad",
        _pad,
        [
            case(normal(2, 3), pad_width=((1, 2), (0, 1))),
            case(normal(2, 3), pad_width=1, constant_values=2.5),
            case(normal(3, 4), pad_width=((2, 1), (0, 3)), mode="reflect"),
            case(normal(3, 4), pad_width=((2, 1), (0, 3)), mode="symmetric"),
            case(normal(3, 4), pad_width=((2, 1), (0, 3)), mode="edge"),
            case(normal(0, 2), pad_width=((1, 0), (0, 0))),
            case(integers(3), pad_width=((1, 1),)),
            case(booleans(2, 2), pad_width=((1, 0), (0, 1))),
        ],
        [
            raises("constant_values", X, pad_width=1, mode="edge", constant_values=1.0),
            raises("pad_width", X, pad_width=((1, 1), (2, 2))),
        ],
    ),
    _row(
        "space_to_depth",
        _space_to_depth,
        [case(normal(2, 4, 6, 3), block_size=2)],
        [raises("multiples", normal(1, 3, 4, 1), block_size=2)],
    ),
    _row(
        "depth_to_space",
        _depth_to_space,
        [case(normal(2, 2, 3, 8), block_size=2)],
        [raises("multiple", normal(1, 2, 2, 3), block_size=2)],
    ),
    _row(
        "rearrange",
        lambda x, pattern, h: x.reshape(x.shape[0], h, -1).transpose(1, 0, 2),
        [case(normal(2, 6), pattern="b (h k) -> h b k", h=3)],
        [
            raises("same axes", normal(2, 3), pattern="a b -> a c"),
            raises("fit", normal(2, 5), pattern="a (h k) -> a h k", h=2),
        ],
    ),
]

MAKERS = [
    _row("zeros", np.zeros, [case(shape=(2, 3), dtype="float32"), case(shape=0), case(shape=())], gradient=_SIZES),
    _row("ones", np.ones, [case(shape=(2, 3), dtype="int8"), case(shape=(0, 2))], gradient=_SIZES),
    _row(
        "full",
        np.full,
        [case(shape=(2, 3), fill_value=1.5), case(shape=(2,), fill_value=-3, dtype="int64")],
        gradient=_SIZES,
    ),
    _row("empty", np.zeros, [case(shape=(2, 3))], gradient=_SIZES),
    _row(
        "eye",
        lambda N, M=None, k=0, dtype="float32": np.eye(N, M, k, dtype),
        [case(N=3), case(N=3, M=5, k=2), case(N=4, M=2, k=-1, dtype="bool"), case(N=0)],
        gradient=_SIZES,
    ),
    _row("identity", lambda n: np.identity(n), [case(n=3), case(n=0)], gradient=_SIZES),
    _row(
        "tri",
        lambda N, M=None, k=0: np.tri(N, M, k),
        [case(N=3), case(N=3, M=5, k=2), case(N=4, M=2, k=-1)],
        gradient=_SIZES,
    ),
    _row("zeros_like", np.zeros_like, [case(X), case(normal(0, 2))], gradient=_SIZES),
    _row("ones_like", np.ones_like, [case(X), case(integers(3))], gradient=_SIZES),
    _row("empty_like", np.zeros_like, [case(X)], gradient=_SIZES),
    _row(
        "full_like",
        lambda x, fill_value: np.full_like(x, fill_value),
        [case(X, fill_value=2.5), case(integers(3), fill_value=7)],
        gradient=_SIZES,
    ),
    _row(
        "arange",
        lambda start, stop=None, step=None, dtype="int32": (
            np.arange(start, stop, step or 1, dtype) if stop is not None else np.arange(0, start, 1, dtype)
        ),
        [
            case(start=5),
            case(start=2, stop=11, step=3),
            case(start=5, stop=0, step=-2),
            case(start=3, stop=3),
            case(start=0, stop=2, step=0.25, dtype="float32"),
        ],
        gradient=_SIZES,
    ),
    # Numbers that float32 holds exactly, so that its roundings do not count.
    _row(
        "linspace",
        lambda start, stop, num=50, endpoint=True: np.linspace(start, stop, num, endpoint),
        [
            case(start=0.0, stop=4.0, num=5),
            case(start=1.0, stop=-1.0, num=4, endpoint=False),
            case(start=2.0, stop=3.0, num=1),
            case(start=2.0, stop=3.0, num=0),
        ],
        gradient=_SIZES,
    ),
    _row(
        "meshgrid",
        _many(np.meshgrid),
        [case(normal(2), normal(3)), case(normal(2), normal(3), normal(4), indexing="ij"), case(normal(3))],
        [raises("indexing", normal(2), indexing="yx")],
    ),
    _row("tril", np.tril, [case(X), case(normal(3, 5), k=1), case(normal(5, 3), k=-2)], [raises("2 axes", normal(3))]),
    _row("triu", np.triu, [case(X), case(normal(3, 5), k=1), case(normal(5, 3), k=-2)]),
]

_WINDOWS = "its values are constants"


def _window(name, f, **attrs):
    """Made in float64 and rounded once."""
    return Row(
        name,
        lambda x, **a: f(x, **a),
        [case(x=n, **attrs) for n in (1, 2, 7, 16)],
        lambda y, **a: np.full(np.shape(y), 2.0**-23),
        _WINDOWS,
    )


WINDOWS = [
    _window("bartlett", np.bartlett),
    _window("blackman", np.blackman),
    _window("hamming", np.hamming),
    _window("hanning", np.hanning),
    _window("kaiser", np.kaiser, beta=3.5),
    # Powers: a few units, times the exponent's own rounding (|x log base| half-units).
    Row(
        "logspace",
        lambda start, stop, num, base=10.0: np.logspace(start, stop, num, base=base),
        [case(start=0.0, stop=3.0, num=7), case(start=-1.0, stop=1.0, num=5, base=2.0)],
        lambda y, **a: np.abs(y) * 2.0**-19,
        _SIZES,
    ),
    Row(
        "geomspace",
        lambda start, stop, num: np.geomspace(start, stop, num),
        [case(start=1.0, stop=1000.0, num=4), case(start=-8.0, stop=-1.0, num=4)],
        lambda y, **a: np.abs(y) * 2.0**-19,
        _SIZES,
    ),
    Row(
        "vander",
        lambda x, N=None, increasing=False: np.vander(x, N, increasing),
        [case(normal(4)), case(normal(3), N=5, increasing=True)],
        lambda y, x, **a: 16 * np.abs(y) * 2.0**-23 + 1e-30,
    ),
]

OPS = MOVES + MAKERS + WINDOWS
