"""Runs over data sets: each kind of stage has a `Steps`, an iterator that can say where it stands and go back there.

A run whose elements are rows of arrays in memory (`arrays` is set) can hand out indices of rows instead of elements;
batches are then cut from the arrays at once, and `fit` feeds the rows to its plan without touching elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from falconet.data.elements import located, rows_of, stack, stack_padded

Make = Callable[[], "Steps"]


class Steps:
    """One run over a data set."""

    arrays: Any = None  # elements are rows of these, where set

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self) -> Any:
        """The next element, or StopIteration."""
        rows = self.take(1)
        if not len(rows):
            raise StopIteration
        return rows_of(self.arrays, int(rows[0]))

    def take(self, count: int) -> Any:
        """The indices of up to `count` further rows of `arrays`: a range or an array; empty at the end."""
        raise NotImplementedError(f"[{type(self).__name__}] a source of batches defines take(count)")

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands: plain values and arrays."""
        raise NotImplementedError(f"[{type(self).__name__}] a source of batches defines state_dict()")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes to where `state_dict` was taken, in a run over an equal data set."""
        raise NotImplementedError(f"[{type(self).__name__}] a source of batches defines load_state_dict(state)")

    def close(self) -> None:
        """Ends threads and open files; called at the end of the data too."""


def indices(rows: Any) -> np.ndarray:
    """Rows as an array of their indices."""
    return np.arange(rows.start, rows.stop, dtype=np.int64) if isinstance(rows, range) else rows


class ArraySteps(Steps):
    """Rows of arrays, in order."""

    def __init__(self, arrays: Any, rows: int) -> None:
        self.arrays, self._rows, self._at = arrays, rows, 0

    def take(self, count: int) -> range:
        start = self._at
        self._at = min(start + count, self._rows)
        return range(start, self._at)

    def state_dict(self) -> dict[str, Any]:
        return {"at": self._at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._at = state["at"]


class GeneratorSteps(Steps):
    """What a generator function yields; to go somewhere, it runs again and its first elements are dropped."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make, self._at = make, 0
        self._source: Any = None

    def next(self) -> Any:
        if self._source is None:
            self._source = iter(self._make())
        try:
            element = next(self._source)
        except StopIteration:
            raise
        except Exception as error:
            raise located(error, f"element {self._at} of the generator") from error.__cause__
        self._at += 1
        return element

    def state_dict(self) -> dict[str, Any]:
        return {"at": self._at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.close()
        self._at = 0
        while self._at < state["at"]:
            try:
                self.next()
            except StopIteration:
                raise ValueError(
                    f"[Dataset] the state was taken after {state['at']} elements, but the generator yields {self._at}."
                ) from None

    def close(self) -> None:
        if hasattr(self._source, "close"):
            self._source.close()
        self._source = None


class Over(Steps):
    """Stages with one stage below."""

    def __init__(self, source: Steps) -> None:
        self._source = source

    def state_dict(self) -> dict[str, Any]:
        return {"source": self._source.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._source.load_state_dict(state["source"])

    def close(self) -> None:
        self._source.close()


class LimitSteps(Over):
    """Elements `skip` to `skip + count`; without a count all after the first `skip`."""

    def __init__(self, source: Steps, skip: int, count: int | None) -> None:
        super().__init__(source)
        self.arrays = source.arrays
        self._skip, self._left = skip, count

    def next(self) -> Any:
        while self._skip:
            self._source.next()
            self._skip -= 1
        if self._left == 0:
            raise StopIteration
        element = self._source.next()
        if self._left is not None:
            self._left -= 1
        return element

    def take(self, count: int) -> Any:
        if self._skip:
            self._source.take(self._skip)
            self._skip = 0
        rows = self._source.take(count if self._left is None else min(count, self._left))
        if self._left is not None:
            self._left -= len(rows)
        return rows

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "skip": self._skip, "left": self._left}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._skip, self._left = state["skip"], state["left"]


class RepeatSteps(Over):
    """The data `count` times over; without a count until there is none."""

    def __init__(self, make: Make, count: int | None) -> None:
        super().__init__(make())
        self.arrays = self._source.arrays
        self._make, self._count, self._pass = make, count, 0
        self._is_fresh = True  # nothing has come of this pass yet: if nothing does, an endless loop would follow

    def _again(self) -> bool:
        if self._is_fresh or (self._count is not None and self._pass + 1 >= self._count):
            return False
        self._source.close()
        self._source, self._pass, self._is_fresh = self._make(), self._pass + 1, True
        return True

    def next(self) -> Any:
        while self._count != 0:
            try:
                element = self._source.next()
            except StopIteration:
                if not self._again():
                    break
                continue
            self._is_fresh = False
            return element
        raise StopIteration

    def take(self, count: int) -> Any:
        found: list[Any] = []
        while count and self._count != 0:
            rows = self._source.take(count)
            if len(rows):
                self._is_fresh = False
                found.append(rows)
                count -= len(rows)
            elif not self._again():
                break
        return found[0] if len(found) == 1 else np.concatenate([np.zeros(0, np.int64), *map(indices, found)])

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "pass": self._pass, "fresh": self._is_fresh}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._pass, self._is_fresh = state["pass"], state["fresh"]


class MapSteps(Over):
    """A function of each element; an element that is a tuple gives it several arguments."""

    def __init__(self, source: Steps, function: Callable[..., Any]) -> None:
        super().__init__(source)
        self._function, self._at = function, 0

    def next(self) -> Any:
        element = self._source.next()
        try:
            result = apply(self._function, element)
        except Exception as error:
            self.close()
            raise located(error, f"[Dataset.map] element {self._at}") from error.__cause__
        self._at += 1
        return result

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "at": self._at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._at = state["at"]


def apply(function: Callable[..., Any], element: Any) -> Any:
    """function of an element, of its parts where it is a tuple."""
    return function(*element) if type(element) is tuple else function(element)


class FilterSteps(Over):
    """The elements for which a function is true."""

    def __init__(self, source: Steps, predicate: Callable[..., Any]) -> None:
        super().__init__(source)
        self._predicate = predicate

    def next(self) -> Any:
        while True:
            element = self._source.next()
            if apply(self._predicate, element):
                return element


class EnumerateSteps(Over):
    """(number, element)."""

    def __init__(self, source: Steps, start: int) -> None:
        super().__init__(source)
        self._at = start

    def next(self) -> Any:
        element = self._source.next()
        self._at += 1
        return np.int64(self._at - 1), element

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "at": self._at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._at = state["at"]


class BatchSteps(Over):
    """`size` elements as rows of one."""

    def __init__(self, source: Steps, size: int, drop_remainder: bool) -> None:
        super().__init__(source)
        self.batch_size, self._drop = size, drop_remainder

    @property
    def row_arrays(self) -> Any:
        """The arrays of which batches are rows, where that is so."""
        return self._source.arrays

    def next(self) -> Any:
        if self._source.arrays is not None:
            rows = self._source.take(self.batch_size)
            if not len(rows) or (self._drop and len(rows) < self.batch_size):
                raise StopIteration
            return rows_of(self._source.arrays, slice(rows.start, rows.stop) if isinstance(rows, range) else rows)
        return self._combine(self._collect())

    def _collect(self) -> list[Any]:
        elements: list[Any] = []
        while len(elements) < self.batch_size:
            try:
                elements.append(self._source.next())
            except StopIteration:
                break
        if not elements or (self._drop and len(elements) < self.batch_size):
            raise StopIteration
        return elements

    def _combine(self, elements: list[Any]) -> Any:
        return stack(elements)

    def chunk(self, batches: int) -> tuple[Any, Any] | None:
        """(arrays, rows) of up to so many batches, a range or indices; None where elements are no rows of arrays."""
        if self._source.arrays is None:
            return None
        rows = self._source.take(batches * self.batch_size)
        if self._drop:
            rows = rows[: len(rows) // self.batch_size * self.batch_size]
        return self._source.arrays, rows


class PaddedBatchSteps(BatchSteps):
    """`size` elements as rows of one, each padded to one shape."""

    def __init__(self, source: Steps, size: int, drop_remainder: bool, shapes: Any, values: Any) -> None:
        super().__init__(source, size, drop_remainder)
        self._shapes, self._values = shapes, values

    def next(self) -> Any:
        return self._combine(self._collect())

    @property
    def row_arrays(self) -> None:
        return None

    def _combine(self, elements: list[Any]) -> Any:
        return stack_padded(elements, self._shapes, self._values)

    def chunk(self, batches: int) -> None:
        return None


class UnbatchSteps(Over):
    """The rows of each element, one by one."""

    def __init__(self, source: Steps) -> None:
        super().__init__(source)
        self._element: Any = None
        self._row = self._rows = 0

    def next(self) -> Any:
        while self._row >= self._rows:
            self._element, self._row = self._source.next(), 0
            self._rows = count_rows(self._element, "unbatch")
        self._row += 1
        return rows_of(self._element, self._row - 1)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "element": self._element, "row": self._row, "rows": self._rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._element, self._row, self._rows = state["element"], state["row"], state["rows"]


def count_rows(arrays: Any, method: str) -> int:
    """The size of the first axis of all arrays of a structure."""
    from falconet import tree

    shapes = [np.shape(leaf) for leaf in tree.flatten(arrays)]
    if not shapes or () in shapes or len({s[0] for s in shapes}) != 1:
        raise ValueError(f"[Dataset.{method}] all arrays need the same number of rows (samples), got shapes {shapes}.")
    return int(shapes[0][0])
