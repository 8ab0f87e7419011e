"""Ops that combine elements along axes: sums, extremes, moments, norms."""

from __future__ import annotations

import math
from typing import Any

from .. import config
from ..dtypes import FLOATS, result_type, standardize_dtype
from ..tracing import symbolic
from .basic import canonical_axes, canonical_axis, core, floating, tensor
from .shaping import moveaxis, part

sum = core.sum
mean = core.mean
any = core.any
all = core.all
argmax = core.argmax
argmin = core.argmin
logsumexp = core.logsumexp


def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The largest along the axes (all if None), at least `initial` where given; NaN where one is."""
    return _extreme(core.max, core.maximum, x, axis, keepdims, initial)


def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The smallest along the axes (all if None), at most `initial` where given; NaN where one is."""
    return _extreme(core.min, core.minimum, x, axis, keepdims, initial)


def _extreme(reduce: Any, combine: Any, x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
    if initial is None:
        return reduce(x, axis=axis, keepdims=keepdims)
    x = tensor(x)
    initial = tensor(initial, x.dtype)
    # What is given for the case of no elements also serves where there are some.
    axes = canonical_axes("max" if reduce is core.max else "min", axis, len(x.shape))
    if 0 in (x.shape[a] for a in axes):
        rest = [1 if a in axes else n for a, n in enumerate(x.shape) if keepdims or a not in axes]
        return core.broadcast_to(initial, shape=tuple(rest))
    return combine(reduce(x, axis=axis, keepdims=keepdims), initial)


def amax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest along the axes."""
    return core.max(x, axis=axis, keepdims=keepdims)


def amin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest along the axes."""
    return core.min(x, axis=axis, keepdims=keepdims)


def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest less the smallest."""
    x = tensor(x)
    return core.subtract(core.max(x, axis=axis, keepdims=keepdims), core.min(x, axis=axis, keepdims=keepdims))


def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The product along the axes, computed in `dtype` where given."""
    if dtype is not None:
        x = core.cast(x, dtype=standardize_dtype(dtype))
    return core.prod(x, axis=axis, keepdims=keepdims)


def _cumulative(reduce: Any, x: Any, axis: int | None, dtype: Any) -> Any:
    x = tensor(x)
    if dtype is not None:
        x = tensor(x, standardize_dtype(dtype))
    elif x.dtype == "bool":
        x = core.cast(x, dtype="int32")
    if axis is None:
        x, axis = core.reshape(x, shape=(-1,)), 0
    return reduce(x, axis=axis)


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The sums of the first 1, 2, ... elements along an axis (of x flattened if None)."""
    return _cumulative(core.cumsum, x, axis, dtype)


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The products of the first 1, 2, ... elements along an axis (of x flattened if None)."""
    return _cumulative(core.cumprod, x, axis, dtype)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean of (x - mean(x))^2; 16-bit floats are computed in float32."""
    x = tensor(x)
    if x.dtype in FLOATS:
        return core.var(x, axis=axis, keepdims=keepdims)
    return core.var(core.cast(x, dtype=config.floatx()), axis=axis, keepdims=keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The square root of the variance."""
    x = tensor(x)
    if x.dtype == "int64":
        x = core.cast(x, dtype=config.floatx())
    return core.sqrt(var(x, axis, keepdims))


def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """(mean, variance) along the axes; 16-bit floats are computed in float32 and held within float16's range."""
    if synchronized:
        raise ValueError("[moments] `synchronized` is True; moments are those of this process alone.")
    x = floating(x)
    kind = x.dtype
    x = tensor(x, result_type(kind, "float32"))
    middle = core.mean(x, axis=axes, keepdims=True)
    variance = core.mean(core.square(x - middle), axis=axes, keepdims=keepdims)
    middle = middle if keepdims else core.sum(middle, axis=axes)  # of one element each: drops the axes
    if kind in ("float16", "bfloat16"):
        middle, variance = (core.minimum(core.maximum(v, -65504.0), 65504.0) for v in (middle, variance))
    return tensor(middle, kind), tensor(variance, kind)


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many elements are not 0."""
    return core.sum(core.cast(core.not_equal(x, 0), dtype="int32"), axis=axis)


@symbolic
def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """sum(x * weights) / sum(weights) along the axes; the mean where no weights are given."""
    x = tensor(x)
    if weights is None:
        return core.mean(tensor(x, result_type(x.dtype, float)), axis=axis)
    weights = tensor(weights)
    kind = result_type(x.dtype, weights.dtype, float)
    x, weights = tensor(x, kind), tensor(weights, kind)
    if tuple(weights.shape) != tuple(x.shape):
        axes = canonical_axes("average", axis, len(x.shape))
        if axis is None or [x.shape[a] for a in axes] != list(weights.shape):
            raise ValueError(
                f"[average] `weights` has shape {tuple(weights.shape)}, x {tuple(x.shape)}, `axis` is {axis}; weights"
                " must have x's shape, or the sizes of x's axes `axis`."
            )
        weights = core.reshape(weights, shape=tuple(n if a in axes else 1 for a, n in enumerate(x.shape)))
        weights = core.broadcast_to(weights, shape=tuple(x.shape))
    return core.divide(core.sum(x * weights, axis=axis), core.sum(weights, axis=axis))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """A norm of vectors (one axis) or matrices (two axes); of all elements as one vector if neither is given.

    Vectors: (sum |x|^ord)^(1/ord), 2 if None; inf the largest, -inf the smallest |x|, 0 how many are not 0.
    Matrices: "fro" (None) the root of the sum of squares; 1 and inf the largest sum of |x| over a column and a row,
    -1 and -inf the smallest.
    """
    x = floating(x)
    rank = len(x.shape)
    if ord is None:
        return _vector_norm(x, 2, axis, keepdims)
    axes = (
        canonical_axes("norm", axis, rank)
        if axis is None
        else list(axis if isinstance(axis, (tuple, list)) else [axis])
    )
    if len(axes) == 1:
        if isinstance(ord, str):
            raise ValueError(f"[norm] `ord` is {ord!r}; a vector norm needs a number.")
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError(f"[norm] x has {rank} axes and `axis` is {axis}; with `ord`, 1 or 2 axes are needed.")
    if ord == "fro":
        return _vector_norm(x, 2, axes, keepdims)
    if ord in (1, -1, math.inf, -math.inf):
        row, column = (a % rank for a in axes)
        summed, left = (row, column) if ord in (1, -1) else (column, row)
        sums = core.sum(core.abs(x), axis=summed, keepdims=True)
        found = (core.max if ord > 0 else core.min)(sums, axis=left, keepdims=True)
        return found if keepdims else core.sum(found, axis=[row, column], keepdims=False)
    raise ValueError(f'[norm] `ord` is {ord!r}; matrix norms are "fro", 1, -1, inf and -inf.')


def _vector_norm(x: Any, ord: Any, axis: Any, keepdims: bool) -> Any:
    if ord == 2:
        return core.sqrt(core.sum(core.square(x), axis=axis, keepdims=keepdims))
    if ord == 0:
        return core.sum(core.cast(core.not_equal(x, 0), dtype=x.dtype), axis=axis, keepdims=keepdims)
    size = core.abs(x)
    if ord == math.inf:
        return core.max(size, axis=axis, keepdims=keepdims)
    if ord == -math.inf:
        return core.min(size, axis=axis, keepdims=keepdims)
    if ord == 1:
        return core.sum(size, axis=axis, keepdims=keepdims)
    return core.power(core.sum(core.power(size, float(ord)), axis=axis, keepdims=keepdims), 1.0 / ord)


# The nan- family: NaN counts as what the reduction ignores.


def _without_nan(x: Any, value: Any) -> Any:
    x = tensor(x)
    return core.where(core.isnan(x), tensor(value, x.dtype), x) if x.dtype in FLOATS else x


def nansum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum, NaN as 0."""
    return core.sum(_without_nan(x, 0), axis=axis, keepdims=keepdims)


def nanprod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The product, NaN as 1."""
    return core.prod(_without_nan(x, 1), axis=axis, keepdims=keepdims)


def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running sum, NaN as 0."""
    return cumsum(_without_nan(x, 0), axis, dtype)


def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running product, NaN as 1."""
    return cumprod(_without_nan(x, 1), axis, dtype)


def _nan_extreme(reduce: Any, worst: float, x: Any, axis: Any, keepdims: bool) -> Any:
    x = tensor(x)
    if x.dtype not in FLOATS:
        return reduce(x, axis=axis, keepdims=keepdims)
    nothing = core.all(core.isnan(x), axis=axis, keepdims=keepdims)
    found = reduce(_without_nan(x, worst), axis=axis, keepdims=keepdims)
    return core.where(nothing, math.nan, found)


def nanmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest that is not NaN; NaN where all are."""
    return _nan_extreme(core.max, -math.inf, x, axis, keepdims)


def nanmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest that is not NaN; NaN where all are."""
    return _nan_extreme(core.min, math.inf, x, axis, keepdims)


def _nan_argument(reduce: Any, worst: float, x: Any, axis: int | None, keepdims: bool) -> Any:
    x = tensor(x)
    found = reduce(_without_nan(x, worst), axis=axis, keepdims=keepdims)
    if x.dtype not in FLOATS:
        return found
    return core.where(core.all(core.isnan(x), axis=axis, keepdims=keepdims), -1, found)


def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where the largest that is not NaN is; -1 where all are."""
    return _nan_argument(core.argmax, -math.inf, x, axis, keepdims)


def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where the smallest that is not NaN is; -1 where all are."""
    return _nan_argument(core.argmin, math.inf, x, axis, keepdims)


def _numbers(x: Any, axis: Any) -> Any:
    """How many elements along the axes are not NaN, the axes kept."""
    return core.sum(core.cast(core.logical_not(core.isnan(x)), dtype=x.dtype), axis=axis, keepdims=True)


def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean of what is not NaN; NaN where all are."""
    x = floating(x)
    found = core.divide(core.sum(_without_nan(x, 0), axis=axis, keepdims=True), _numbers(x, axis))
    return found if keepdims else core.sum(found, axis=axis)


def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The variance of what is not NaN; NaN where all are."""
    x = floating(x)
    kind = x.dtype
    x = tensor(x, result_type(kind, "float32"))
    squares = core.square(x - nanmean(x, axis, True))
    found = core.divide(core.sum(_without_nan(squares, 0), axis=axis, keepdims=True), _numbers(x, axis))
    return tensor(found if keepdims else core.sum(found, axis=axis), kind)


def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The standard deviation of what is not NaN; NaN where all are."""
    return core.sqrt(nanvar(x, axis, keepdims))


@symbolic
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of y by the trapezoidal rule, over points x or points dx apart."""
    y = floating(y)
    y = moveaxis(y, axis, -1)
    last, n = len(y.shape) - 1, y.shape[-1]
    pairs = (part(y, last, 1, n) + part(y, last, 0, n - 1)) * 0.5
    if x is None:
        return core.sum(pairs * dx, axis=-1)
    x = floating(x)
    x = x if len(x.shape) == 1 else moveaxis(x, axis, -1)
    rank, m = len(x.shape) - 1, x.shape[-1]
    return core.sum(pairs * (part(x, rank, 1, m) - part(x, rank, 0, m - 1)), axis=-1)


@symbolic
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """a[i + 1] - a[i] along an axis, n times over; for bool, whether they differ."""
    x = tensor(a)
    axis = canonical_axis("diff", axis, len(x.shape))
    for _ in range(n):
        size = x.shape[axis]
        after = part(x, axis, 1 if size else 0, size)
        before = part(x, axis, 0, size - 1 if size else 0)
        x = core.not_equal(after, before) if x.dtype == "bool" else after - before
    return x
