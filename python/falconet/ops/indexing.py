"""Ops that read or write elements by index: gathers, scatters, slices, choices and diagonals."""

from __future__ import annotations

import builtins
from typing import Any

from ..dtypes import INTEGERS, standardize_dtype
from ..tracing import symbolic
from .basic import canonical_axis, common, core, number_of, refuse_sparse, size_of, tensor
from .creation import eye
from .shaping import moveaxis, ravel

take_along_axis = core.take_along_axis


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """x at `indices` along an axis (of x flattened if None); negative indices count from the end."""
    return core.take(x, tensor(indices), axis=axis)


@symbolic
def get_item(x: Any, key: Any) -> Any:
    """x[key] with NumPy's meaning: integers, slices, None, Ellipsis, arrays of indices, masks.

    A mask gives as many elements as it has True, so neither it nor x may be symbolic or traced.
    """
    x = tensor(x)
    if type(key) is int:
        return _basic(x, (key,))
    return _indexed(x, _whole_key(x, key if isinstance(key, tuple) else (key,)))


def _whole_key(x: Any, key: tuple[Any, ...]) -> tuple[Any, ...]:
    """The key with masks as arrays of indices, lists as tensors, and an entry for every axis in place of Ellipsis."""
    entries: list[Any] = []
    for k in key:
        if k is None or k is Ellipsis or isinstance(k, (int, builtins.slice)) and not isinstance(k, bool):
            entries.append(k)
            continue
        k = tensor(k)
        if k.dtype == "bool":
            entries.extend(nonzero(k))
        elif k.dtype in INTEGERS:
            entries.append(k)
        else:
            raise TypeError(f"[get_item] an index is {k.dtype}; indices are integers, slices, None, Ellipsis or masks.")
    rank, used = len(x.shape), builtins.sum(k is not None and k is not Ellipsis for k in entries)
    dots = [i for i, k in enumerate(entries) if k is Ellipsis]
    if used > rank or len(dots) > 1:
        raise IndexError(
            f"[get_item] the key has {used} indices and {len(dots)} Ellipsis for a tensor of shape {tuple(x.shape)}; at"
            f" most {rank} and 1 fit."
        )
    at = dots[0] if dots else len(entries)
    return (*entries[:at], *[_ALL] * (rank - used), *entries[at + len(dots) :])


_ALL = builtins.slice(None)


def _basic(x: Any, key: tuple[Any, ...]) -> Any:
    """x by integers, slices and None alone; axes without an entry are taken whole."""
    start, stop, step, shape = [], [], [], []
    axis = 0
    for k in key:
        if k is None:
            shape.append(1)
            continue
        n = x.shape[axis] if axis < len(x.shape) else 0
        if isinstance(k, int):
            if not -n <= k < n:
                raise IndexError(f"[get_item] index {k} is out of range on axis {axis} of a tensor {tuple(x.shape)}.")
            k %= n
            bounds = k, k + 1, 1
        else:
            bounds = k.indices(n)
            count = len(range(*bounds))
            shape.append(count)
            if not count:
                bounds = 0, 0, 1
            elif bounds[1] < 0:
                bounds = bounds[0], -n - 1, bounds[2]  # backwards past the first element
        start.append(bounds[0])
        stop.append(bounds[1])
        step.append(bounds[2])
        axis += 1
    for n in x.shape[axis:]:
        start.append(0)
        stop.append(n)
        step.append(1)
        shape.append(n)
    if step and (any(start) or stop != list(x.shape) or set(step) != {1}):
        x = core.slice(x, start=start, stop=stop, step=step)
    return x if tuple(shape) == tuple(x.shape) else core.reshape(x, shape=tuple(shape))


def _indexed(x: Any, key: tuple[Any, ...]) -> Any:
    """x by a whole key. Beside arrays of indices, integers are such arrays too; they are read together."""
    if all(k is None or isinstance(k, (int, builtins.slice)) for k in key):
        return _basic(x, key)
    by_array = [k is not None and not isinstance(k, builtins.slice) for k in key]
    x = _basic(x, tuple(_ALL if array else k for k, array in zip(key, by_array, strict=True)))
    axes = [i for i, array in enumerate(by_array) if array]
    if len(axes) == 1:
        return core.take(x, key[axes[0]], axis=axes[0])
    # Their axes go first and become one; what is out of range on one of them is out of range of the whole.
    rest = [i for i in range(len(key)) if i not in axes]
    sizes = [x.shape[i] for i in axes]
    flat = core.reshape(core.transpose(x, axes=(*axes, *rest)), shape=(size_of(sizes), *(x.shape[i] for i in rest)))
    place, valid = tensor(0, "int32"), tensor(True)
    for i, n in zip(axes, sizes, strict=True):
        index = tensor(key[i], "int32")
        valid = core.logical_and(valid, core.logical_and(core.greater_equal(index, -n), core.less(index, n)))
        place = place * n + core.where(core.less(index, 0), index + n, index)
    found = core.take(flat, core.where(valid, place, size_of(sizes)), axis=0)
    if axes != list(range(axes[0], axes[-1] + 1)):
        return found
    # Neighbouring arrays leave their result in their place.
    ahead, new = axes[0], len(place.shape)
    order = (*range(new, new + ahead), *range(new), *range(new + ahead, len(found.shape)))
    return core.transpose(found, axes=order)


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, x2 elsewhere; with the condition alone, where it holds (see nonzero)."""
    if x1 is None and x2 is None:
        return nonzero(condition)
    if x1 is None or x2 is None:
        raise ValueError("[where] one of `x1` and `x2` is None; give both, or neither for the indices.")
    return core.where(condition, x1, x2)


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """From the first of the choices whose condition holds; `default` where none does."""
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(
            f"[select] there are {len(condlist)} conditions and {len(choicelist)} choices; as many are needed, not 0."
        )
    *choices, chosen = common(*choicelist, default)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        chosen = core.where(condition, choice, chosen)
    return chosen


def nonzero(x: Any) -> tuple[Any, ...]:
    """The indices of the elements that are not 0, an array for each axis, in row-major order.

    How many there are depends on the values, so x cannot be a symbolic or traced tensor.
    """
    x = tensor(x)
    places, count = core.nonzero_with_size(x)
    count = number_of("nonzero", count)
    return tuple(
        core.reshape(core.slice(places, start=[a, 0], stop=[a + 1, count], step=[1, 1]), shape=(count,))
        for a in range(len(x.shape))
    )


def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """The index along each axis of the elements that have these places in row-major order."""
    rest, along = tensor(indices), []
    whole = size_of(shape)
    rest = core.where(core.less(rest, 0), rest + whole, rest)
    for n in reversed(tuple(shape)):
        along.append(core.mod(rest, n))
        rest = core.floor_divide(rest, n)
    return tuple(reversed(along))


def _start(op: str, start_indices: Any, rank: int) -> Any:
    start = start_indices if isinstance(start_indices, (tuple, list)) else tensor(start_indices)
    count = len(start) if isinstance(start, (tuple, list)) else start.shape[0]
    if count != rank:
        raise ValueError(f"[{op}] `start_indices` has {count} entries; x has {rank} axes.")
    if isinstance(start, (tuple, list)) and all(isinstance(i, int) for i in start):
        return list(start)
    return tensor(start, "int32")


@symbolic
def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """The block of `shape` that starts at `start_indices`: numbers, or a tensor of them (moved back where too far)."""
    x = tensor(inputs)
    sizes = [int(n) for n in shape]
    start = _start("slice", start_indices, len(x.shape))
    if not isinstance(start, list):
        return core.dynamic_slice(x, start, shape=tuple(sizes))
    sizes = [n - a if s == -1 else s for s, a, n in zip(sizes, start, x.shape, strict=True)]
    for axis, (a, s, n) in enumerate(zip(start, sizes, x.shape, strict=True)):
        if a < 0 or s < 0 or a + s > n:
            raise ValueError(
                f"[slice] axis {axis} of inputs {tuple(x.shape)} has no elements {a} to {a + s}; start + size must be"
                f" at most {n}."
            )
    stop = [a + s for a, s in zip(start, sizes, strict=True)]
    return core.slice(x, start=start, stop=stop, step=[1] * len(stop))


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """inputs with the block that starts at `start_indices` replaced by `updates`."""
    x = tensor(inputs)
    return core.dynamic_update_slice(
        x, tensor(updates, x.dtype), tensor(_start("slice_update", start_indices, len(x.shape)), "int32")
    )


def scatter(indices: Any, values: Any, shape: Any) -> Any:
    """Zeros of `shape` with the values added at the indices (..., r) of its first r axes."""
    values = tensor(values)
    zeros = core.broadcast_to(tensor(0, values.dtype), shape=tuple(shape))
    return core.scatter(zeros, indices, values, mode="add")


_REDUCTIONS = {None: "set", "add": "add", "max": "max", "min": "min", "mul": "mul"}


def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """inputs with updates at the indices (..., r) of its first r axes, in place of what is there, or combined."""
    if reduction not in _REDUCTIONS:
        raise ValueError(f"[scatter_update] `reduction` is {reduction!r}; it must be one of {tuple(_REDUCTIONS)}.")
    x = tensor(inputs)
    return core.scatter(x, indices, tensor(updates, x.dtype), mode=_REDUCTIONS[reduction])


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """Each integer as a row of `num_classes` numbers: 1 at its place, 0 elsewhere (and everywhere if out of range)."""
    refuse_sparse("one_hot", sparse)
    x = tensor(x)
    if x.dtype not in INTEGERS:
        x = core.cast(x, dtype="int32")
    hot = core.one_hot(x, num_classes=int(num_classes), dtype=standardize_dtype(dtype))
    return hot if axis == -1 else moveaxis(hot, -1, axis)


def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False, **kwargs: Any
) -> Any:
    """The classes of each row (..., k) of integers as one vector: 1 where a class occurs in the row, 0 elsewhere."""
    num_classes = kwargs.pop("num_tokens", num_classes)  # its name in Keras 2
    if kwargs or num_classes is None:
        raise ValueError(f"[multi_hot] `num_classes` is {num_classes}, unknown arguments: {sorted(kwargs)}.")
    refuse_sparse("multi_hot", sparse)
    x = tensor(inputs)
    return core.max(one_hot(x, num_classes, axis, dtype), axis=1 if len(x.shape) > 1 else 0)


@symbolic
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The elements (i, i + offset) of two axes, along a new last axis."""
    x = tensor(x)
    rank = len(x.shape)
    if rank < 2:
        raise ValueError(f"[diagonal] x has shape {tuple(x.shape)}; it needs at least 2 axes.")
    a, b = canonical_axis("diagonal", axis1, rank), canonical_axis("diagonal", axis2, rank)
    if a == b:
        raise ValueError(f"[diagonal] `axis1` and `axis2` are both axis {a}; they must differ.")
    x = core.transpose(x, axes=(*(i for i in range(rank) if i not in (a, b)), a, b))
    *outer, n, m = x.shape
    first = max(-offset, 0) * m + max(offset, 0)
    count = max(0, min(n - max(-offset, 0), m - max(offset, 0)))
    # In row-major order a diagonal is every (m + 1)-th element.
    places = core.iota(shape=(count,), dtype="int32") * (m + 1) + first
    return core.take(core.reshape(x, shape=(*outer, n * m)), places, axis=len(outer))


@symbolic
def diag(x: Any, k: int = 0) -> Any:
    """The square matrix with the vector x on its k-th diagonal; or the k-th diagonal of the matrix x."""
    x = tensor(x)
    if len(x.shape) == 2:
        return diagonal(x, k)
    if len(x.shape) != 1:
        raise ValueError(f"[diag] x has shape {tuple(x.shape)}; it must have 1 or 2 axes.")
    n, shift = x.shape[0], abs(k)
    column = core.pad(x, low=[max(-k, 0)], high=[max(k, 0)])
    on = core.cast(eye(n + shift, k=k, dtype="int32"), dtype="bool")
    return core.where(on, core.reshape(column, shape=(n + shift, 1)), tensor(0, x.dtype))


def diagflat(x: Any, k: int = 0) -> Any:
    """The square matrix with x, flattened, on its k-th diagonal."""
    return diag(ravel(x), k)


@symbolic
def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of images (N, C, H, W) as columns (N, C kh kw, number of windows)."""
    x = tensor(x)
    places, padded, count = _windows("unfold", x.shape[2:], kernel_size, dilation, padding, stride)
    n, c = x.shape[:2]
    pad = [0, 0, *padded[1]]
    x = core.reshape(core.pad(x, low=pad, high=pad), shape=(n, c, size_of(padded[0])))
    return core.reshape(core.take(x, places, axis=2), shape=(n, c * places.shape[0] * places.shape[1], count))


@symbolic
def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Columns (N, C kh kw, number of windows) added up into images (N, C, H, W): the transpose of unfold."""
    x = tensor(x)
    sizes = _pair(output_size)
    places, (padded, (ph, pw)), count = _windows("fold", sizes, kernel_size, dilation, padding, stride)
    kernel = places.shape[0] * places.shape[1]
    n, channels, windows = x.shape
    if channels % kernel or windows != count:
        raise ValueError(
            f"[fold] x has shape {tuple(x.shape)}; for images {sizes} axis 1 must be a multiple of {kernel} and axis 2"
            f" be {count}."
        )
    c = channels // kernel
    columns = core.transpose(core.reshape(x, shape=(n, c, kernel * count)), axes=(2, 0, 1))
    canvas = core.broadcast_to(tensor(0, x.dtype), shape=(size_of(padded), n, c))
    image = core.scatter(canvas, core.reshape(places, shape=(kernel * count, 1)), columns, mode="add")
    image = core.reshape(core.transpose(image, axes=(1, 2, 0)), shape=(n, c, *padded))
    return core.slice(image, start=[0, 0, ph, pw], stop=[n, c, ph + sizes[0], pw + sizes[1]], step=[1, 1, 1, 1])


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def _windows(op: str, sizes: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Any, Any, int]:
    """Places (kh, kw, windows) in the flattened padded image, ((H, W) padded, paddings), the number of windows."""
    padding = _pair(padding)
    padded, along = [], []
    for n, k, d, p, s in zip(sizes, _pair(kernel), _pair(dilation), padding, _pair(stride), strict=True):
        full = n + 2 * p
        count = (full - d * (k - 1) - 1) // s + 1
        if count < 1:
            raise ValueError(f"[{op}] a window of {d * (k - 1) + 1} does not fit into {n} pixels padded to {full}.")
        offsets = core.reshape(core.iota(shape=(k,), dtype="int32") * d, shape=(k, 1))
        along.append(offsets + core.iota(shape=(count,), dtype="int32") * s)
        padded.append(full)
    (kh, oh), (kw, ow) = along[0].shape, along[1].shape
    rows = core.reshape(along[0] * padded[1], shape=(kh, 1, oh, 1))
    places = rows + core.reshape(along[1], shape=(1, kw, 1, ow))
    return core.reshape(places, shape=(kh, kw, oh * ow)), (tuple(padded), padding), oh * ow


@symbolic
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """The windows of x (..., n) that start every `sequence_stride` elements: (..., windows, sequence_length)."""
    x = tensor(x)
    n = x.shape[-1]
    count = (n - sequence_length) // sequence_stride + 1
    if count < 1:
        raise ValueError(f"[extract_sequences] sequences of {sequence_length} do not fit into the last axis of {n}.")
    first = core.reshape(core.iota(shape=(count,), dtype="int32") * sequence_stride, shape=(count, 1))
    return core.take(x, first + core.iota(shape=(sequence_length,), dtype="int32"), axis=len(x.shape) - 1)
