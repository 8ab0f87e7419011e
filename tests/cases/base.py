"""What a row of cases holds, and the arrays, references and tolerances rows are made of.

A reference is NumPy in float64, written for clarity. A tolerance is a bound on the absolute error of a float32 result,
derived in a comment where it is not simply a number of units in the last place; for another dtype it is scaled by that
dtype's unit. Results below the smallest normal number may be flushed to 0.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ULP = 2.0**-23  # spacing of float32 just above 1; half of it bounds the error of one rounding near 1
U = ULP / 2
TINY = 2.0**-126


@dataclass(frozen=True)
class Case:
    """One call: op(*inputs, **attrs)."""

    inputs: tuple[Any, ...]
    attrs: dict[str, Any]
    note: str = ""
    smooth: bool = True  # differentiable at these inputs, so that central differences say what the gradient is


@dataclass(frozen=True)
class Refusal:
    """A call that must raise an error whose text contains `text`."""

    text: str
    inputs: tuple[Any, ...]
    attrs: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """An op with its cases."""

    name: str
    reference: Callable[..., Any]
    cases: list[Case]
    tolerance: Callable[..., Any]  # (y, *inputs, **attrs) -> bound on |error|, y the reference's result
    gradient: bool | str = True  # True, or the reason why none flows
    errors: list[Refusal] = field(default_factory=list)
    bench: list[Case] = field(default_factory=list)
    flops: Callable[..., float] = lambda *x, **attrs: float(np.size(x[0]))
    bytes: Callable[..., float] | None = None  # None: inputs and result once each
    internal: bool = False  # of falconet._core.ops alone, not of falconet.ops


def case(*inputs, note="", smooth=True, **attrs):
    return Case(inputs, attrs, note, smooth)


def raises(text, *inputs, **attrs):
    return Refusal(text, inputs, attrs)


# How an op is called with a case's inputs and attributes, where that is not op(*inputs, **attrs).
_CALLS = {
    **{
        name: lambda op, *xs, **attrs: op(list(xs), **attrs)
        for name in ("concatenate", "stack", "vstack", "hstack", "dstack")
    },
    "batch_normalization": lambda op, x, mean, variance, offset=None, scale=None, axis=-1: op(
        x, mean, variance, axis, offset, scale
    ),
    "einsum": lambda op, *xs, subscripts: op(subscripts, *xs),
    "scatter": lambda op, values, indices, shape: op(indices, values, shape),
    "scatter_update": lambda op, x, updates, indices, reduction=None: op(x, indices, updates, reduction),
    "select": lambda op, condition, other, x, y: op([condition, other], [x, y]),
    "slice_update": lambda op, x, updates, start_indices: op(x, start_indices, updates),
    "sparse_categorical_crossentropy": lambda op, output, target, **attrs: op(target, output, **attrs),
}


def apply(name, op, inputs, attrs):
    """The op called with a case's inputs and attributes."""
    call = _CALLS.get(name)
    return op(*inputs, **attrs) if call is None else call(op, *inputs, **attrs)


# Tolerances.


def ulp(y):
    """A unit in the last place of each element, for float32."""
    y = np.abs(np.where(np.isfinite(y), y, 0))
    return np.maximum(y * ULP, TINY)


def ulps(k):
    """k units in the last place of the result."""
    return lambda y, *x, **attrs: k * ulp(y)


def exact(y, *x, **attrs):
    """No error: the op moves or compares values."""
    return tuple(np.zeros(np.shape(part)) for part in y) if isinstance(y, (tuple, list)) else np.zeros(np.shape(y))


def gamma(k):
    """The bound of k roundings in a row, in any order: k u / (1 - k u) (Higham 2002, lemma 3.1)."""
    return k * U / (1 - k * U)


# Arrays. Each is the same at every call: its generator is seeded by what it looks like.


def _generator(*key):
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def normal(*shape, scale=1.0, shift=0.0, key=0):
    return (_generator("normal", shape, key).normal(size=shape) * scale + shift).astype("float32")


def uniform(*shape, low=0.0, high=1.0, key=0):
    x = _generator("uniform", shape, key).uniform(low, high, size=shape)
    return np.clip(x, low, high).astype("float32")


def integers(*shape, low=0, high=10, dtype="int32", key=0):
    return _generator("integers", shape, key).integers(low, high, size=shape).astype(dtype)


def booleans(*shape, key=0):
    return _generator("booleans", shape, key).integers(0, 2, size=shape).astype(bool)


def distinct(*shape, key=0):
    """A permutation of well-separated numbers: no ties, so that extremes and orders are differentiable."""
    count = int(np.prod(shape))
    return (
        (_generator("distinct", shape, key).permutation(count) / 4.0 - count / 8.0 + 0.1)
        .reshape(shape)
        .astype("float32")
    )


def strided(x):
    """x as a view that is not contiguous: every second element of a wider array, axes stored in reverse order."""
    wide = np.zeros((*x.shape[::-1], 2), x.dtype)
    view = wide[..., 0].T
    view[...] = x
    return view


def shifted(x):
    """x at an address that no vector load likes: one element past the start of an allocation."""
    memory = np.zeros(x.size + 1, x.dtype)
    view = memory[1:].reshape(x.shape)
    view[...] = x
    return view


SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 3.4e38, -3.4e38, 1.2e-38, -1.2e-38, 0.5, 2.0], "float32"
)
