"""Ops that move elements without changing them: shapes, axes, joining, splitting, repeating, padding."""

from __future__ import annotations

from typing import Any

from ..tracing import symbolic
from .basic import canonical_axes, canonical_axis, core, number_of, size_of, tensor

broadcast_to = core.broadcast_to
transpose = core.transpose
flip = core.flip


def reshape(x: Any, newshape: Any) -> Any:
    """x with another shape of as many elements, in row-major order; one size may be -1: what remains."""
    return core.reshape(x, shape=(newshape,) if isinstance(newshape, int) else tuple(newshape))


def ravel(x: Any) -> Any:
    """x as one axis, in row-major order."""
    return core.reshape(x, shape=(-1,))


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """x with axes `source` moved to `destination`, the others keeping their order."""
    x = tensor(x)
    rank = len(x.shape)
    from_, to = ([v] if isinstance(v, int) else list(v) for v in (source, destination))
    if len(from_) != len(to):
        raise ValueError(f"[moveaxis] `source` {source} and `destination` {destination} must name as many axes.")
    from_, to = ([canonical_axis("moveaxis", a, rank) for a in axes] for axes in (from_, to))
    order = [a for a in range(rank) if a not in from_]
    for at, axis in sorted(zip(to, from_, strict=True)):
        order.insert(at, axis)
    return core.transpose(x, axes=tuple(order))


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged."""
    x = tensor(x)
    order = list(range(len(x.shape)))
    a, b = canonical_axis("swapaxes", axis1, len(order)), canonical_axis("swapaxes", axis2, len(order))
    order[a], order[b] = order[b], order[a]
    return core.transpose(x, axes=tuple(order))


@symbolic
def expand_dims(x: Any, axis: Any) -> Any:
    """x with an axis (or several) of size 1 at place `axis` of the result."""
    x = tensor(x)
    new = axis if isinstance(axis, (tuple, list)) else (axis,)
    new = canonical_axes("expand_dims", new, len(x.shape) + len(new))
    sizes = list(x.shape)
    for a in new:
        sizes.insert(a, 1)
    return core.reshape(x, shape=tuple(sizes))


@symbolic
def squeeze(x: Any, axis: Any = None) -> Any:
    """x without axes of size 1: the given ones, or all of them."""
    x = tensor(x)
    if axis is None:
        return core.reshape(x, shape=tuple(n for n in x.shape if n != 1))
    gone = canonical_axes("squeeze", axis, len(x.shape))
    for a in gone:
        if x.shape[a] != 1:
            raise ValueError(f"[squeeze] axis {a} of x {tuple(x.shape)} has size {x.shape[a]}; only size 1 can go.")
    return core.reshape(x, shape=tuple(n for a, n in enumerate(x.shape) if a not in gone))


def concatenate(xs: Any, axis: int | None = 0) -> Any:
    """The arrays one after another along an existing axis (along one, flattened, if None)."""
    xs = list(xs) if isinstance(xs, (tuple, list)) else list(tensor(xs))
    if not xs:
        raise ValueError("[concatenate] `xs` is empty; it must hold at least one array.")
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    return core.concatenate(*xs, axis=axis)


def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """x2 after x1 along an axis; both flattened if None."""
    return concatenate([x1, x2], axis)


def stack(x: Any, axis: int = 0) -> Any:
    """Arrays of one shape along a new axis."""
    xs = list(x) if isinstance(x, (tuple, list)) else list(tensor(x))
    if not xs:
        raise ValueError("[stack] `x` is empty; it must hold at least one array.")
    return core.stack(*xs, axis=axis)


def _at_least(xs: Any, rank: int) -> list[Any]:
    """Each with axes of size 1 so that it has `rank`: (n,) is a row, and of 3 axes the last is added last."""
    made = []
    for x in xs if isinstance(xs, (tuple, list)) else list(tensor(xs)):
        x = tensor(x)
        while len(x.shape) < rank:
            x = expand_dims(x, 0 if len(x.shape) < 2 else 2)
        made.append(x)
    return made


def vstack(xs: Any) -> Any:
    """Arrays on top of each other (axis 0); those of one axis as rows."""
    return concatenate(_at_least(xs, 2), 0)


def hstack(xs: Any) -> Any:
    """Arrays side by side (axis 1; axis 0 where they have one)."""
    xs = _at_least(xs, 1)
    return concatenate(xs, 0 if len(xs[0].shape) == 1 else 1)


def dstack(xs: Any) -> Any:
    """Arrays behind each other (axis 2)."""
    return concatenate(_at_least(xs, 3), 2)


def part(x: Any, axis: int, start: int, stop: int) -> Any:
    """x[start:stop] along an axis."""
    sizes = x.shape
    begin, end = [0] * len(sizes), list(sizes)
    begin[axis], end[axis] = start, stop
    return core.slice(x, start=begin, stop=end, step=[1] * len(sizes))


def _cuts(x: Any, cuts: Any, axis: int) -> list[Any]:
    n = x.shape[axis]
    edges = [0, *(min(max(c + n if c < 0 else c, 0), n) for c in cuts), n]
    return [part(x, axis, a, max(a, b)) for a, b in zip(edges, edges[1:], strict=False)]


@symbolic
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """x cut along an axis into equal sections, or before the given indices."""
    x = tensor(x)
    axis = canonical_axis("split", axis, len(x.shape))
    n = x.shape[axis]
    if not isinstance(indices_or_sections, int):
        return _cuts(x, [int(i) for i in indices_or_sections], axis)
    sections = indices_or_sections
    if sections < 1 or n % sections:
        raise ValueError(
            f"[split] axis {axis} of x {tuple(x.shape)} has size {n}, which does not divide into {sections} equal"
            " sections; use array_split, or give the indices to cut before."
        )
    return _cuts(x, range(n // sections, n, n // sections) if n else [0] * (sections - 1), axis)


@symbolic
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """x cut along an axis into nearly equal sections (the first ones longer by one), or before the given indices."""
    x = tensor(x)
    axis = canonical_axis("array_split", axis, len(x.shape))
    if not isinstance(indices_or_sections, int):
        return _cuts(x, [int(i) for i in indices_or_sections], axis)
    sections = indices_or_sections
    if sections < 1:
        raise ValueError(f"[array_split] `indices_or_sections` is {sections}; it must be at least 1.")
    base, longer = divmod(x.shape[axis], sections)
    return _cuts(x, [i * base + min(i, longer) for i in range(1, sections)], axis)


def vsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """x split along axis 0."""
    return split(x, indices_or_sections, 0)


def hsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """x split along axis 1 (axis 0 where it has one)."""
    return split(x, indices_or_sections, 0 if len(tensor(x).shape) == 1 else 1)


def dsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """x split along axis 2."""
    return split(x, indices_or_sections, 2)


@symbolic
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The slices of x along an axis, without that axis."""
    x = tensor(x)
    axis = canonical_axis("unstack", axis, len(x.shape))
    n = x.shape[axis]
    if num is not None and num != n:
        raise ValueError(f"[unstack] `num` is {num}, but axis {axis} of x {tuple(x.shape)} has size {n}.")
    rest = tuple(s for a, s in enumerate(x.shape) if a != axis)
    return [core.reshape(part(x, axis, i, i + 1), shape=rest) for i in range(n)]


@symbolic
def tile(x: Any, repeats: Any) -> Any:
    """x repeated as a whole, `repeats[a]` times along axis a (counted from the last)."""
    x = tensor(x)
    times = [int(repeats)] if isinstance(repeats, int) else [int(r) for r in repeats]
    return core.tile(x, repeats=times)


@symbolic
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element repeated, `repeats` times or (one number per element) repeats[i] times; flattened if no axis."""
    x = tensor(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = canonical_axis("repeat", axis, len(x.shape))
    n = x.shape[axis]
    if type(repeats) is int:
        return core.repeat(x, repeats=repeats, axis=axis)
    counts = tensor(repeats)
    if size_of(counts.shape) == 1:
        times = number_of("repeat", core.reshape(counts, shape=()))
        return core.repeat(x, repeats=times, axis=axis)
    if tuple(counts.shape) != (n,):
        raise ValueError(
            f"[repeat] `repeats` has shape {tuple(counts.shape)}; it must be one number, or one for each of the {n}"
            f" elements along axis {axis} of x {tuple(x.shape)}."
        )
    ends = core.cumsum(core.cast(counts, dtype="int64"), axis=0)
    total = number_of("repeat", core.sum(counts))
    places = core.searchsorted(ends, core.iota(shape=(total,), dtype="int64"), side="right")
    return core.take(x, places, axis=axis)


def fliplr(x: Any) -> Any:
    """x in reverse order along axis 1."""
    return flip(x, 1)


def flipud(x: Any) -> Any:
    """x in reverse order along axis 0."""
    return flip(x, 0)


def rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """The array turned k times by 90 degrees, from the first axis towards the second."""
    x = tensor(array)
    rank = len(x.shape)
    if rank < 2 or len(axes) != 2:
        raise ValueError(f"[rot90] the array has shape {tuple(x.shape)}, `axes` is {axes}; 2 axes of it are needed.")
    a, b = (canonical_axis("rot90", v, rank) for v in axes)
    if a == b:
        raise ValueError(f"[rot90] `axes` is {axes}; they must differ.")
    k %= 4
    if k == 0:
        return x
    if k == 2:
        return flip(x, (a, b))
    return swapaxes(flip(x, b), a, b) if k == 1 else flip(swapaxes(x, a, b), b)


@symbolic
def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """x shifted along an axis, what leaves at one end coming back at the other; flattened meanwhile if no axis."""
    x = tensor(x)
    if axis is None:
        return core.reshape(roll(ravel(x), shift, 0), shape=tuple(x.shape))
    axes = list(axis) if isinstance(axis, (tuple, list)) else [axis]
    shifts = list(shift) if isinstance(shift, (tuple, list)) else [shift] * len(axes)
    axes = axes * len(shifts) if len(axes) == 1 else axes
    if len(shifts) != len(axes):
        raise ValueError(f"[roll] `shift` {shift} and `axis` {axis} must have as many entries.")
    return core.roll(x, shift=[int(by) for by in shifts], axis=axes)


@symbolic
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """x with (low, high) more elements at the ends of each axis: a constant, or its own in one of three ways.

    "reflect" mirrors without, "symmetric" with the edge element, "edge" repeats it. One pair, or one number, serves
    all axes.
    """
    x = tensor(x)
    rank = len(x.shape)
    if constant_values is not None and mode != "constant":
        raise ValueError(f'[pad] `constant_values` is given, but `mode` is {mode!r}; it goes with mode="constant".')
    pairs = [(pad_width, pad_width)] if isinstance(pad_width, int) else list(pad_width)
    if len(pairs) == 2 and all(isinstance(p, int) for p in pairs):
        pairs = [tuple(pairs)]
    pairs = [(p, p) if isinstance(p, int) else (p[0], p[-1]) for p in pairs]
    pairs = pairs * rank if len(pairs) == 1 else pairs
    if len(pairs) != rank:
        raise ValueError(f"[pad] `pad_width` {pad_width} has {len(pairs)} pairs; x {tuple(x.shape)} has {rank} axes.")
    low, high = [int(p[0]) for p in pairs], [int(p[1]) for p in pairs]
    if mode != "constant":
        return core.pad(x, low=low, high=high, mode=mode)
    value = 0.0 if constant_values is None else constant_values
    if isinstance(value, (bool, int, float)):
        return core.pad(x, low=low, high=high, mode=mode, value=float(value))
    # A value that is a tensor fills by choice: the places outside x are known.
    inside = core.pad(core.broadcast_to(tensor(1, "int32"), shape=tuple(x.shape)), low=low, high=high)
    return core.where(core.equal(inside, 1), core.pad(x, low=low, high=high), tensor(value, x.dtype))


@symbolic
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Blocks of block_size x block_size pixels as channels: (N, H, W, C) -> (N, H/b, W/b, b b C)."""
    x, b = tensor(x), block_size
    last = _channels_last("space_to_depth", x, data_format)
    n, h, w, c = x.shape if last else (x.shape[0], *x.shape[2:], x.shape[1])
    if h % b or w % b:
        raise ValueError(f"[space_to_depth] the image is {h} x {w}; both must be multiples of `block_size` {b}.")
    if last:
        y = core.transpose(core.reshape(x, shape=(n, h // b, b, w // b, b, c)), axes=(0, 1, 3, 2, 4, 5))
        return core.reshape(y, shape=(n, h // b, w // b, b * b * c))
    y = core.transpose(core.reshape(x, shape=(n, c, h // b, b, w // b, b)), axes=(0, 1, 3, 5, 2, 4))
    return core.reshape(y, shape=(n, c * b * b, h // b, w // b))


@symbolic
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Channels as blocks of block_size x block_size pixels, the inverse of space_to_depth."""
    x, b = tensor(x), block_size
    last = _channels_last("depth_to_space", x, data_format)
    n, h, w, c = x.shape if last else (x.shape[0], *x.shape[2:], x.shape[1])
    if c % (b * b):
        raise ValueError(f"[depth_to_space] there are {c} channels; they must be a multiple of {b * b} (block_size^2).")
    d = c // (b * b)
    if last:
        y = core.transpose(core.reshape(x, shape=(n, h, w, b, b, d)), axes=(0, 1, 3, 2, 4, 5))
        return core.reshape(y, shape=(n, h * b, w * b, d))
    y = core.transpose(core.reshape(x, shape=(n, d, b, b, h, w)), axes=(0, 1, 4, 2, 5, 3))
    return core.reshape(y, shape=(n, d, h * b, w * b))


def _channels_last(op: str, x: Any, data_format: str) -> bool:
    if len(x.shape) != 4:
        raise ValueError(f"[{op}] x has shape {tuple(x.shape)}; a batch of images with 4 axes is needed.")
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(f'[{op}] `data_format` is {data_format!r}; use "channels_last" or "channels_first".')
    return data_format == "channels_last"
