"""Products of vectors, matrices and tensors."""

from __future__ import annotations

from typing import Any

from ..dtypes import result_type
from ..tracing import symbolic
from .basic import canonical_axis, common, core, floating, size_of, tensor
from .indexing import diagonal
from .shaping import flip, moveaxis, part, ravel

matmul = core.matmul


@symbolic
def dot(x1: Any, x2: Any) -> Any:
    """Sum over the last axis of x1 and the last but one (or only) axis of x2; a plain product where one is a scalar."""
    x1, x2 = common(x1, x2)
    if not x1.shape or not x2.shape:
        return core.multiply(x1, x2)
    if len(x2.shape) <= 2 and x1.shape[-1] == x2.shape[0]:
        return tensor(core.matmul(x1, x2), x1.dtype)
    return tensordot(x1, x2, ([-1], [-1 if len(x2.shape) == 1 else -2]))


@symbolic
def inner(x1: Any, x2: Any) -> Any:
    """Sum over the last axes of both; a plain product where one is a scalar."""
    x1, x2 = common(x1, x2)
    if not x1.shape or not x2.shape:
        return core.multiply(x1, x2)
    if len(x2.shape) == 1 and x1.shape[-1] == x2.shape[0]:
        return tensor(core.matmul(x1, x2), x1.dtype)
    return tensordot(x1, x2, ([-1], [-1]))


def vdot(x1: Any, x2: Any) -> Any:
    """The sum of the products of all elements, both operands flattened."""
    x1, x2 = common(x1, x2)
    return tensor(core.matmul(ravel(x1), ravel(x2)), x1.dtype)


def outer(x1: Any, x2: Any) -> Any:
    """y[i, j] = x1[i] x2[j], both operands flattened."""
    return core.multiply(core.reshape(x1, shape=(-1, 1)), core.reshape(x2, shape=(1, -1)))


@symbolic
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sum of products over axes: the last `axes` of x1 with the first of x2, or two lists of axes, pair by pair."""
    x1, x2 = common(x1, x2)
    r1, r2 = len(x1.shape), len(x2.shape)
    if isinstance(axes, int):
        a1, a2 = list(range(r1 - axes, r1)), list(range(axes))
    else:
        a1, a2 = (list(a) if isinstance(a, (tuple, list)) else [a] for a in axes)
    if len(a1) != len(a2) or len(a1) > min(r1, r2):
        raise ValueError(
            f"[tensordot] `axes` {axes} does not pair axes of x1 {tuple(x1.shape)} with axes of x2 {tuple(x2.shape)}."
        )
    a1 = [canonical_axis("tensordot", a, r1) for a in a1]
    a2 = [canonical_axis("tensordot", a, r2) for a in a2]
    if [x1.shape[a] for a in a1] != [x2.shape[a] for a in a2]:
        raise ValueError(
            f"[tensordot] sizes differ: axes {a1} of x1 {tuple(x1.shape)}, axes {a2} of x2 {tuple(x2.shape)};"
            " summed axes must have equal sizes."
        )
    f1, f2 = [a for a in range(r1) if a not in a1], [a for a in range(r2) if a not in a2]
    n1, k, n2 = (size_of(s) for s in ([x1.shape[a] for a in f1], [x1.shape[a] for a in a1], [x2.shape[a] for a in f2]))
    left = core.reshape(core.transpose(x1, axes=(*f1, *a1)), shape=(n1, k))
    right = core.reshape(core.transpose(x2, axes=(*a2, *f2)), shape=(k, n2))
    made = tensor(core.matmul(left, right), x1.dtype)
    return core.reshape(made, shape=(*(x1.shape[a] for a in f1), *(x2.shape[a] for a in f2)))


@symbolic
def kron(x1: Any, x2: Any) -> Any:
    """The Kronecker product: every element of x1 times a copy of x2, blocks laid out as x1 is."""
    x1, x2 = common(x1, x2)
    rank = max(len(x1.shape), len(x2.shape))
    s1, s2 = ((1,) * (rank - len(x.shape)) + tuple(x.shape) for x in (x1, x2))
    left = core.reshape(x1, shape=tuple(v for n in s1 for v in (n, 1)))
    right = core.reshape(x2, shape=tuple(v for n in s2 for v in (1, n)))
    return core.reshape(core.multiply(left, right), shape=tuple(a * b for a, b in zip(s1, s2, strict=True)))


@symbolic
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The vector product along axes of size 3 or 2 (a 2-vector has z = 0); of two 2-vectors z alone."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x1, x2 = common(x1, x2)
    x1, x2 = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    n1, n2 = x1.shape[-1], x2.shape[-1]
    if n1 not in (2, 3) or n2 not in (2, 3):
        raise ValueError(
            f"[cross] the vectors have {n1} and {n2} elements (x1 {tuple(x1.shape)}, x2 {tuple(x2.shape)}, vectors"
            " last); 2 or 3 are needed."
        )

    def elements(x: Any) -> list[Any]:
        rest = tuple(x.shape[:-1])
        return [core.reshape(part(x, len(rest), i, i + 1), shape=rest) for i in range(x.shape[-1])]

    a, b = elements(x1), elements(x2)
    z = a[0] * b[1] - a[1] * b[0]
    if n1 == n2 == 2:
        return z
    if n2 == 2:
        x, y = -(a[2] * b[1]), a[2] * b[0]
    elif n1 == 2:
        x, y = a[1] * b[2], -(a[0] * b[2])
    else:
        x, y = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2]
    made = core.concatenate(*(core.reshape(v, shape=(*v.shape, 1)) for v in (x, y, z)), axis=len(z.shape))
    return moveaxis(made, -1, axisc)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the elements (i, i + offset) of two axes."""
    return core.sum(diagonal(x, offset, axis1, axis2), axis=-1)


@symbolic
def cdist(x: Any, y: Any) -> Any:
    """Euclidean distances of the rows of x (..., n, d) and y (..., m, d): (..., n, m)."""
    x, y = common(floating(x), floating(y))
    if len(x.shape) < 2 or len(y.shape) < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(f"[cdist] x is {tuple(x.shape)}, y {tuple(y.shape)}; (..., n, d) and (..., m, d) are needed.")
    left = core.reshape(x, shape=(*x.shape[:-1], 1, x.shape[-1]))
    right = core.reshape(y, shape=(*y.shape[:-2], 1, *y.shape[-2:]))
    return core.sqrt(core.sum(core.square(left - right), axis=-1))


@symbolic
def corrcoef(x: Any) -> Any:
    """The correlation coefficients of the rows of x (n, observations): (n, n), each within [-1, 1]."""
    x = floating(x)
    kind = x.dtype
    x = tensor(x, result_type(kind, "float32"))
    rows = core.reshape(x, shape=(1, -1)) if len(x.shape) == 1 else x
    centred = rows - core.mean(rows, axis=-1, keepdims=True)
    n = rows.shape[0]
    spread = core.sqrt(core.sum(core.square(centred), axis=-1))
    products = core.matmul(centred, core.transpose(centred, axes=(1, 0)))
    made = products / core.reshape(spread, shape=(n, 1)) / spread
    made = core.minimum(core.maximum(made, -1.0), 1.0)
    return tensor(core.reshape(made, shape=()) if len(x.shape) == 1 else made, kind)


@symbolic
def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """y[k] = sum_n x1[n + k] x2[n] of two vectors: where both overlap wholly, as long as the longer, or anywhere."""
    x1, x2 = common(floating(x1), floating(x2))
    if len(x1.shape) != 1 or len(x2.shape) != 1:
        raise ValueError(f"[correlate] x1 is {tuple(x1.shape)}, x2 {tuple(x2.shape)}; both must have 1 axis.")
    n, m = x1.shape[0], x2.shape[0]
    swapped = n < m
    if swapped:
        x1, x2, n, m = x2, x1, m, n
    left = {"valid": 0, "same": m // 2, "full": m - 1}
    if mode not in left:
        raise ValueError(f'[correlate] `mode` is {mode!r}; it must be "valid", "same" or "full".')
    before = left[mode]
    count = {"valid": n - m + 1, "same": n, "full": n + m - 1}[mode]
    padded = core.pad(x1, low=[before], high=[count + m - 1 - n - before])
    places = core.reshape(core.iota(shape=(count,), dtype="int32"), shape=(count, 1)) + core.iota(
        shape=(m,), dtype="int32"
    )
    found = core.matmul(core.take(padded, places, axis=0), x2)
    return flip(found) if swapped else found
