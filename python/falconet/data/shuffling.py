"""Runs over data in random order.

A buffer of `size` elements is filled; then each pick from it is replaced by the next element, and at the end the buffer
is emptied by picks. As large as the data, this is a permutation of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from falconet import _core
from falconet.data.elements import Picks
from falconet.data.steps import ArraySteps, Over, Steps, indices

_PIECE = 4096  # rows drawn from below at a time


class ShuffleSteps(Over):
    """Any elements in random order."""

    def __init__(self, source: Steps, size: int, seed: int) -> None:
        super().__init__(source)
        self._size, self._picks = size, Picks(seed)
        self._buffer: list[Any] = []
        self._ended = False

    def next(self) -> Any:
        buffer = self._buffer
        while not self._ended and len(buffer) < self._size:
            try:
                buffer.append(self._source.next())
            except StopIteration:
                self._ended = True
        if not buffer:
            raise StopIteration
        at = self._picks.below(len(buffer))
        element = buffer[at]
        last = buffer.pop()
        if at < len(buffer):
            buffer[at] = last
        return element

    def state_dict(self) -> dict[str, Any]:
        return {
            **super().state_dict(), "buffer": list(self._buffer), "ended": self._ended, "random": self._picks.state,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._buffer, self._ended = list(state["buffer"]), state["ended"]
        self._picks.state = state["random"]


class ShuffledRows(Over):
    """Rows of arrays in random order, through a buffer of row numbers."""

    def __init__(self, source: Steps, size: int, seed: int) -> None:
        super().__init__(source)
        self.arrays = source.arrays
        self._buffer, self._filled, self._random = np.zeros(size, np.int64), 0, seed
        self._fresh: Any = np.zeros(0, np.int64)  # rows from below that have not been in the buffer yet
        self._ended = False

    def take(self, count: int) -> Any:
        parts: list[Any] = []
        while count:
            if not len(self._fresh) and not self._ended:
                self._fresh = indices(self._source.take(max(_PIECE, count)))
                self._ended = not len(self._fresh)
            rows, self._filled, used, self._random = _core.shuffle_window(
                self._buffer, self._filled, self._fresh, count, self._ended, self._random
            )
            self._fresh = self._fresh[used:]
            count -= len(rows)
            parts.append(rows)
            if self._ended and not self._filled:
                break
        return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int64), *parts])

    def state_dict(self) -> dict[str, Any]:
        return {
            **super().state_dict(), "buffer": self._buffer[: self._filled].copy(), "fresh": np.array(self._fresh),
            "ended": self._ended, "random": self._random,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._filled = len(state["buffer"])
        self._buffer[: self._filled] = state["buffer"]
        self._fresh, self._ended = np.asarray(state["fresh"], np.int64), state["ended"]
        self._random = state["random"]


class PermutedRows(ArraySteps):
    """All rows of arrays in random order: what a buffer as large as the data gives, from a seed and a position."""

    def __init__(self, arrays: Any, rows: int, seed: int) -> None:
        super().__init__(arrays, rows)
        self._seed = seed
        self._order: Any = None

    def take(self, count: int) -> Any:
        if self._order is None:
            self._order = _core.permutation(self._rows, self._seed)
        rows = super().take(count)
        return self._order[rows.start : rows.stop]

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "seed": self._seed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._seed, self._order = state["seed"], None
