"""Elements of a data set: nested structures of arrays, numbers and text, put together into batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from falconet import tree


def stack(elements: list[Any]) -> Any:
    """Elements of one structure and one shape as rows of one structure."""
    first = elements[0]
    if isinstance(first, np.ndarray) or not tree.is_nested(first):
        return _stack_leaves(elements)
    return tree.map_structure(lambda *leaves: _stack_leaves(list(leaves)), *elements)


def _stack_leaves(leaves: list[Any]) -> np.ndarray:
    arrays = [np.asarray(leaf) for leaf in leaves]
    shape = arrays[0].shape
    for i, array in enumerate(arrays):
        if array.shape != shape:
            raise ValueError(
                f"[Dataset.batch] elements have different shapes: {shape} and, {i} further on, {array.shape}; "
                "use padded_batch(), or map() them to one shape."
            )
    return np.stack(arrays)


def stack_padded(elements: list[Any], shapes: Any, values: Any) -> Any:
    """Elements as rows, each leaf padded at its ends to `shapes` (None: to the longest of the batch)."""
    first = elements[0]
    count = len(tree.flatten(first))
    wanted = _per_leaf(shapes, first, count, "padded_shapes", _is_shape)
    fill = _per_leaf(values, first, count, "padding_values", lambda v: not tree.is_nested(v))
    columns = zip(*[tree.flatten(e) for e in elements], strict=True)
    padded = [_pad_leaves(list(c), s, v) for c, s, v in zip(columns, wanted, fill, strict=True)]
    return tree.pack_sequence_as(first, padded)


def _is_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(n is None or isinstance(n, int) for n in value)


def _per_leaf(given: Any, structure: Any, count: int, argument: str, is_leaf: Callable[[Any], bool]) -> list[Any]:
    """What was given for each leaf: nothing, one thing for all, or one for each in the element's structure."""
    if given is None:
        return [None] * count
    if is_leaf(given):
        return [given] * count
    found: list[Any] = []

    def walk(part: Any, inside: Any) -> None:
        if not tree.is_nested(inside):
            found.append(part)
        elif isinstance(inside, dict):
            for key in sorted(inside):
                walk(part[key], inside[key])
        else:
            for one, item in zip(part, inside, strict=True):
                walk(one, item)

    try:
        walk(given, structure)
    except (KeyError, TypeError, ValueError, IndexError):
        raise ValueError(
            f"[Dataset.padded_batch] `{argument}` is {given!r}; it must be one for all, or have the structure of the "
            "elements."
        ) from None
    return found


def _pad_leaves(leaves: list[Any], shape: Any, value: Any) -> np.ndarray:
    arrays = [np.asarray(leaf) for leaf in leaves]
    rank = arrays[0].ndim
    if any(a.ndim != rank for a in arrays) or (shape is not None and len(shape) != rank):
        ranks = sorted({a.ndim for a in arrays})
        raise ValueError(
            f"[Dataset.padded_batch] elements have {ranks} axes and `padded_shapes` says {shape}; the number of axes "
            "must be one."
        )
    longest = [max(a.shape[i] for a in arrays) for i in range(rank)]
    target = longest if shape is None else [n if s is None else s for n, s in zip(longest, shape, strict=True)]
    for n, t in zip(longest, target, strict=True):
        if n > t:
            raise ValueError(
                f"[Dataset.padded_batch] an element has size {n} where `padded_shapes` {tuple(shape)} allows {t}."
            )
    rows = np.full((len(arrays), *target), 0 if value is None else value, np.result_type(*arrays))
    for i, array in enumerate(arrays):
        place: Any = (i, *(slice(n) for n in array.shape))
        rows[place] = array
    return rows


def rows_of(arrays: Any, rows: Any) -> Any:
    """The given rows (an index, a slice or indices) of every array in a structure."""
    if isinstance(arrays, np.ndarray):
        return arrays[rows]
    return tree.map_structure(lambda a: a[rows], arrays)


def located(error: Exception, where: str) -> Exception:
    """The error with the place where it happened in its message."""
    if error.args and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]} ({where})", *error.args[1:])
    elif hasattr(error, "add_note"):
        error.add_note(where)
    return error


class Picks:
    """A stream of random picks: SplitMix64 (Steele, Lea, Flood 2014), whose state is one number.

    A pick below n is the high part of a 32-bit product; its bias is below n / 2^32.
    """

    __slots__ = ("state",)
    _MASK = 2**64 - 1

    def __init__(self, seed: int) -> None:
        self.state = seed & self._MASK

    def below(self, n: int) -> int:
        """A number from 0 to n - 1."""
        z = self.state = (self.state + 0x9E3779B97F4A7C15) & self._MASK
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & self._MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & self._MASK
        z ^= z >> 31
        return ((z >> 32) * n) >> 32


def mixed_seed(seed: int, iteration: int) -> int:
    """A seed for the given run over the data."""
    picks = Picks(seed + 0x632BE59BD9B4E019 * iteration)
    picks.below(1)
    return picks.state ^ (picks.below(2**32) << 31 & Picks._MASK)
