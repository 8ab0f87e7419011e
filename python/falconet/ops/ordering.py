"""Ops about order: sorting, searching, sets, quantiles, histograms and segments."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes import FLOATS, INTEGERS, result_type
from ..tracing import symbolic
from .basic import (
    canonical_axes,
    common,
    core,
    dtype_range,
    floating,
    number_of,
    refuse_sparse,
    tensor,
)
from .shaping import concatenate, moveaxis, part, ravel

sort = core.sort
argsort = core.argsort


def argpartition(x: Any, kth: int, axis: int | None = -1) -> Any:
    """Indices that put the kth smallest at place kth, the smaller ones before and the larger ones after it."""
    return argsort(x, axis)  # type: ignore[arg-type]  # None: x seen flat


def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Any, Any]:
    """(values, indices) of the k largest along the last axis, the largest first (which also serves unsorted)."""
    return tuple(core.top_k(x, k=int(k)))


def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether fewer than k predictions of each row exceed that of its target; a NaN target never counts."""
    scores = core.take_along_axis(predictions, core.reshape(targets, shape=(-1, 1)), axis=-1)
    scores = core.where(core.isnan(scores), -math.inf, scores)
    better = core.sum(core.cast(core.greater(predictions, scores), dtype="int32"), axis=-1)
    return core.less(better, k)


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Where each value would go into an ascending 1-D sequence: before its equals ("left") or after ("right")."""
    if side not in ("left", "right"):
        raise ValueError(f'[searchsorted] `side` is {side!r}; it must be "left" or "right".')
    sequence, values = common(sorted_sequence, values)
    if len(sequence.shape) != 1:
        raise ValueError(f"[searchsorted] `sorted_sequence` has shape {tuple(sequence.shape)}; it must have 1 axis.")
    return core.searchsorted(sequence, values, side=side)


def digitize(x: Any, bins: Any) -> Any:
    """The index i of the bin of each element: bins[i - 1] <= x < bins[i]; bins ascending."""
    return searchsorted(bins, x, side="right")


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element of x1 occurs in x2 (does not, where `invert`); `assume_unique` changes nothing."""
    x1, x2 = common(x1, x2)
    x2 = ravel(x2)
    if x2.shape[0] == 0:
        return core.not_equal(x1, x1) if not invert else core.equal(x1, x1)
    ordered = core.sort(x2, axis=0)
    place = core.searchsorted(ordered, x1, side="left")
    place = core.minimum(place, x2.shape[0] - 1)
    found = core.equal(core.take(ordered, place, axis=0), x1)
    return core.logical_not(found) if invert else found


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The distinct elements in ascending order (which also serves unsorted), or distinct slices along an axis.

    Also, where asked: the index of the first of each, for each element which of them it is, and how many there are.
    With `size` the result has that many entries, missing ones being `fill_value` (the smallest if None) with count 0;
    without, their number depends on the values, so x cannot be a symbolic or traced tensor.
    """
    x = tensor(x)
    if 0 in x.shape:
        raise ValueError(f"[unique] x has shape {tuple(x.shape)}; it needs at least one element.")
    if axis is None:
        values, index, inverse, counts = _unique_elements(x, size, fill_value)
    else:
        values, index, inverse, counts = _unique_slices(x, axis, size, fill_value)
    asked = ((True, values), (return_index, index), (return_inverse, inverse), (return_counts, counts))
    found = tuple(result for wanted, result in asked if wanted)
    return found[0] if len(found) == 1 else found


def _unique_elements(x: Any, size: int | None, fill_value: Any) -> tuple[Any, Any, Any, Any]:
    values, index, inverse, counts, known = core.unique_with_size(x, size=size, fill_value=fill_value)
    if size is None:
        known = number_of("unique", known)
        values, index, counts = (part(v, 0, 0, known) for v in (values, index, counts))
    return values, index, core.reshape(inverse, shape=tuple(x.shape)), counts


def _unique_slices(x: Any, axis: int, size: int | None, fill_value: Any) -> tuple[Any, Any, Any, Any]:
    """Slices sorted by the last element first, each sort keeping the order of equals: as words in a dictionary."""
    rows = moveaxis(x, axis, 0)
    slices = tuple(rows.shape[1:])
    rows = core.reshape(rows, shape=(rows.shape[0], -1))
    n = rows.shape[0]
    order = core.iota(shape=(n,), dtype="int32")
    for column in reversed(range(rows.shape[1])):
        keys = core.take(part(rows, 1, column, column + 1), order, axis=0)
        order = core.take(order, core.argsort(core.reshape(keys, shape=(n,)), axis=0), axis=0)
    ordered = core.take(rows, order, axis=0)
    new = core.any(core.not_equal(part(ordered, 0, 1, n), part(ordered, 0, 0, n - 1)), axis=1)
    first = concatenate([tensor([1], "int32"), core.cast(new, dtype="int32")])
    rank = core.cumsum(first, axis=0)  # of each slice in order, counted from 1
    count = number_of("unique", core.reshape(part(rank, 0, n - 1, n), shape=())) if size is None else int(size)
    start = core.searchsorted(rank, core.iota(shape=(count,), dtype="int32") + 1, side="left")
    known = core.less(start, n)
    index = core.take(order, core.minimum(start, n - 1), axis=0)
    index = core.where(known, index, part(order, 0, 0, 1))
    values = core.take(rows, index, axis=0)
    if fill_value is not None:
        values = core.where(core.reshape(known, shape=(count, 1)), values, tensor(fill_value, x.dtype))
    values = moveaxis(core.reshape(values, shape=(count, *slices)), 0, axis)
    inverse = core.scatter(
        core.iota(shape=(n,), dtype="int32"), core.reshape(order, shape=(n, 1)), rank - 1, mode="set"
    )
    ends = concatenate([part(start, 0, 1, count), tensor([n], "int32")]) if count else start
    return values, index, inverse, core.minimum(ends, n) - core.minimum(start, n)


# Quantiles.

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def _ordered(op: str, x: Any, axis: Any) -> tuple[Any, list[int], int]:
    """x in ascending order along one last axis that holds the given ones, those axes, and x's rank."""
    x = floating(x)
    rank = len(x.shape)
    axes = canonical_axes(op, axis, rank)
    rest = [a for a in range(rank) if a not in axes]
    flat = core.transpose(x, axes=(*rest, *axes))
    flat = core.reshape(flat, shape=(*(x.shape[a] for a in rest), -1))
    if flat.shape[-1] == 0:
        raise ValueError(f"[{op}] x has shape {tuple(x.shape)}: there are no elements along axes {axes}.")
    return core.sort(flat, axis=len(rest)), axes, rank


def _at(ordered: Any, places: Any) -> Any:
    """ordered (..., n) at places (..., 1), held within it."""
    last = len(ordered.shape) - 1
    places = core.minimum(core.maximum(core.cast(places, dtype="int32"), 0), ordered.shape[-1] - 1)
    return core.take_along_axis(ordered, core.broadcast_to(places, shape=(*ordered.shape[:-1], 1)), axis=last)


def _quantile(op: str, x: Any, q: Any, axis: Any, method: str, keepdims: bool, skip_nan: bool, whole: int = 1) -> Any:
    """The quantiles at shares q / whole."""
    if method not in _METHODS:
        raise ValueError(f"[{op}] `method` is {method!r}; it must be one of {_METHODS}.")
    ordered, axes, rank = _ordered(op, x, axis)
    kind = result_type(ordered.dtype, float)
    work = result_type(kind, "float32")
    q = tensor(q, work) / whole
    q_shape = tuple(q.shape)
    missing = core.sum(core.cast(core.isnan(ordered), dtype="int32"), axis=-1, keepdims=True)
    # NaN are sorted to the end, so ignoring them is counting fewer.
    n = core.cast(ordered.shape[-1] - missing, dtype=work) if skip_nan else float(ordered.shape[-1])
    void = core.equal(missing, ordered.shape[-1]) if skip_nan else core.greater(missing, 0)
    found = []
    for i in range(max(1, math.prod(q_shape))):
        level = core.reshape(part(core.reshape(q, shape=(-1,)), 0, i, i + 1), shape=(1,) * len(ordered.shape))
        place = core.broadcast_to(level * (n - 1.0), shape=(*ordered.shape[:-1], 1))
        below = core.floor(place)
        fraction = place - below
        low, high = _at(ordered, below), _at(ordered, core.ceil(place))
        if method == "lower":
            value = low
        elif method == "higher":
            value = high
        elif method == "nearest":
            value = _at(ordered, core.round(place))
        elif method == "midpoint":
            value = core.where(core.equal(fraction, 0), low, low * 0.5 + high * 0.5)
        else:
            value = core.cast(tensor(low, work) * (1 - fraction) + tensor(high, work) * fraction, dtype=kind)
        found.append(core.where(void, math.nan, value))
    rest = iter(ordered.shape[:-1])
    kept = [1 if a in axes else next(rest) for a in range(rank)]
    sizes = tuple(kept) if keepdims else tuple(ordered.shape[:-1])
    found = [core.reshape(v, shape=(1, *sizes)) for v in found]
    return core.reshape(concatenate(found), shape=(*q_shape, *sizes))


@symbolic
def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The value below which a share q in [0, 1] of the elements lies; q of shape s gives results of shape s + ...

    Between two elements: "linear", "lower", "higher", "midpoint" or "nearest". NaN where one element is.
    """
    return _quantile("quantile", x, q, axis, method, keepdims, skip_nan=False)


@symbolic
def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The quantile of the elements that are not NaN."""
    return _quantile("nanquantile", x, q, axis, method, keepdims, skip_nan=True)


@symbolic
def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The quantile at q / 100."""
    return _quantile("percentile", x, q, axis, method, keepdims, skip_nan=False, whole=100)


@symbolic
def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The quantile at q / 100 of the elements that are not NaN."""
    return _quantile("nanpercentile", x, q, axis, method, keepdims, skip_nan=True, whole=100)


@symbolic
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle element in order, or the mean of the two middle ones; NaN where one element is."""
    return _quantile("median", x, 0.5, axis, "midpoint", keepdims, skip_nan=False)


@symbolic
def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The median of the elements that are not NaN."""
    return _quantile("nanmedian", x, 0.5, axis, "midpoint", keepdims, skip_nan=True)


# Counting.


def histogram(x: Any, bins: int = 10, range: Any = None) -> tuple[Any, Any]:
    """(counts, edges) of `bins` equal bins over a range (x's if None); a bin holds its left edge, the last both."""
    if not isinstance(bins, int) or bins < 1:
        raise ValueError(f"[histogram] `bins` is {bins!r}; it must be an integer of at least 1.")
    x = ravel(tensor(x))
    kind = result_type(x.dtype, float)
    values = tensor(x, kind)
    if range is not None:
        if len(range) != 2 or range[0] > range[1]:
            raise ValueError(f"[histogram] `range` is {range}; it must be (low, high) with low <= high.")
        low, high = tensor(float(range[0]), kind), tensor(float(range[1]), kind)
    elif x.shape[0] == 0:
        low, high = tensor(0.0, kind), tensor(1.0, kind)
    else:
        low, high = core.min(values), core.max(values)
    flat = core.equal(low, high)
    low, high = core.where(flat, low - 0.5, low), core.where(flat, high + 0.5, high)
    share = core.cast(core.iota(shape=(bins + 1,), dtype="int32"), dtype=kind) / bins
    edges = low * (1 - share) + high * share
    place = core.searchsorted(edges, values, side="right") - 1
    place = core.where(core.equal(values, high), bins - 1, place)
    inside = core.logical_and(core.greater_equal(values, low), core.less_equal(values, high))
    counts = core.broadcast_to(tensor(0, "int32"), shape=(bins + 1,))
    place = core.reshape(core.where(inside, place, bins), shape=(-1, 1))
    counts = core.scatter(counts, place, core.cast(inside, dtype="int32"), mode="add")
    return part(core.cast(counts, dtype=kind), 0, 0, bins), edges


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often (or with what summed weight) 0, 1, 2, ... occur in x (n,), or in each row of x (m, n).

    There are max(x) + 1 entries, at least `minlength`; as that depends on the values, x is no symbolic tensor.
    """
    refuse_sparse("bincount", sparse)
    x = tensor(x)
    if x.dtype not in INTEGERS or len(x.shape) not in (1, 2):
        raise ValueError(f"[bincount] x is {x.dtype} of shape {tuple(x.shape)}; integers with 1 or 2 axes are needed.")
    count = max(int(minlength), number_of("bincount", core.max(x)) + 1 if 0 not in x.shape else 0)
    ones = core.broadcast_to(tensor(1, "int32"), shape=tuple(x.shape)) if weights is None else tensor(weights)
    if len(x.shape) == 1:
        if weights is None:
            return core.bincount(x, depth=count)
        zeros = core.broadcast_to(tensor(0, ones.dtype), shape=(count,))
        return core.scatter(zeros, core.reshape(x, shape=(-1, 1)), ones, mode="add")
    rows, n = x.shape
    # Rows are counted side by side in one vector.
    places = core.cast(x, dtype="int64") + core.reshape(
        core.iota(shape=(rows,), dtype="int64") * count, shape=(rows, 1)
    )
    zeros = core.broadcast_to(tensor(0, ones.dtype), shape=(rows * count,))
    counts = core.scatter(zeros, core.reshape(places, shape=(rows * n, 1)), core.reshape(ones, shape=(rows * n,)))
    return core.reshape(counts, shape=(rows, count))


def _segment(op: str, mode: str, start: Any, data: Any, segment_ids: Any, num_segments: int | None) -> Any:
    data, ids = tensor(data), tensor(segment_ids)
    if len(ids.shape) != 1:
        raise ValueError(
            f"[{op}] `segment_ids` has shape {tuple(ids.shape)}; it must have 1 axis, that of data's rows."
        )
    if num_segments is None:
        num_segments = number_of(op, core.max(ids)) + 1
    # One row more takes what belongs to no segment.
    ids = core.cast(ids, dtype="int32")
    outside = core.logical_or(core.less(ids, 0), core.greater_equal(ids, num_segments))
    ids = core.reshape(core.where(outside, num_segments, ids), shape=(-1, 1))
    base = core.broadcast_to(tensor(start(data.dtype), data.dtype), shape=(num_segments + 1, *data.shape[1:]))
    return part(core.scatter(base, ids, data, mode=mode), 0, 0, num_segments)


def _lowest(kind: str) -> Any:
    return -math.inf if kind in FLOATS else dtype_range(kind)[0]


def _highest(kind: str) -> Any:
    return math.inf if kind in FLOATS else dtype_range(kind)[1]


@symbolic
def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The sums of the rows of data (n, ...) that have the same id (n,): (num_segments, ...), in any order of ids."""
    return _segment("segment_sum", "add", lambda kind: 0, data, segment_ids, num_segments)


@symbolic
def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The products of the rows that have the same id; 1 where there are none."""
    return _segment("segment_prod", "mul", lambda kind: 1, data, segment_ids, num_segments)


@symbolic
def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The largest of the rows that have the same id; the dtype's lowest value where there are none."""
    return _segment("segment_max", "max", _lowest, data, segment_ids, num_segments)


@symbolic
def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The smallest of the rows that have the same id; the dtype's highest value where there are none."""
    return _segment("segment_min", "min", _highest, data, segment_ids, num_segments)
