"""Data sets that yield batches, and splitting data in two."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from falconet import tree
from falconet.random.seed_generator import permutation


class PyDataset:
    """A data set by batches: subclasses write `__len__` (number of batches) and `__getitem__(i)`, which returns batch
    i.

    workers, max_queue_size: with more than one worker, up to `max_queue_size` batches are made ahead, by threads, or by
    processes where `use_multiprocessing` is set; the order stays the same. `on_epoch_begin` and `on_epoch_end` are
    hooks.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self._workers = workers
        self._use_multiprocessing = use_multiprocessing
        self._max_queue_size = max_queue_size

    @property
    def workers(self) -> int:
        return getattr(self, "_workers", 1)

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    @property
    def use_multiprocessing(self) -> bool:
        return getattr(self, "_use_multiprocessing", False)

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = value

    @property
    def max_queue_size(self) -> int:
        return getattr(self, "_max_queue_size", 10)

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        self._max_queue_size = value

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"[{type(self).__name__}] write __getitem__(index), which returns a batch.")

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None for no end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"[{type(self).__name__}] write __len__(), the number of batches.")

    def on_epoch_begin(self) -> None:
        """Called before every epoch."""

    def on_epoch_end(self) -> None:
        """Called after every epoch."""

    def iterate_batches(self, shuffle: bool) -> Iterator[Any]:
        """The batches of one epoch, in a random order where shuffled."""
        count = self.num_batches
        if count is None:
            indices: Any = itertools.count()
        elif shuffle:
            indices = (int(i) for i in permutation(count))
        else:
            indices = range(count)
        if self.workers <= 1 and not self.use_multiprocessing:
            return (self[i] for i in indices)
        return self._made_ahead(iter(indices))

    def _made_ahead(self, indices: Iterator[int]) -> Iterator[Any]:
        executor, make = self._executor()
        waiting: deque[Any] = deque()
        try:
            for i in indices:
                waiting.append((i, executor.submit(make, i)))
                if len(waiting) >= max(self.max_queue_size, 1):
                    yield self._finished(*waiting.popleft())
            while waiting:
                yield self._finished(*waiting.popleft())
        finally:
            # Also where the epoch ends early, or at Ctrl-C: what waits is dropped, what runs is not waited for.
            executor.shutdown(wait=not waiting, cancel_futures=True)

    def _executor(self) -> tuple[Any, Any]:
        """Workers, and what they run with an index."""
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

        workers = max(self.workers, 1)
        if not self.use_multiprocessing:
            return ThreadPoolExecutor(workers, thread_name_prefix="falconet-data"), self.__getitem__
        # Each process gets the data set once, not with every batch.
        return ProcessPoolExecutor(workers, initializer=_hold_dataset, initargs=(self,)), _make_batch

    def _finished(self, index: int, future: Any) -> Any:
        try:
            return future.result()
        except Exception as error:
            if error.args and isinstance(error.args[0], str):
                error.args = (f"{error.args[0]} ([{type(self).__name__}] batch {index})", *error.args[1:])
            raise


_held: list[PyDataset] = []  # of a worker process


def _hold_dataset(dataset: PyDataset) -> None:
    _held[:] = [dataset]


def _make_batch(index: int) -> Any:
    return _held[0][index]


Sequence = PyDataset


def split_dataset(
    dataset: Any,
    left_size: Any = None,
    right_size: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Two parts of a data set of arrays (nested as they come), or of a list of samples.

    left_size, right_size: a fraction (float) or a number of rows (int); one of them may be left out.
    preferred_backend: has no meaning here beyond "falconet".
    """
    if preferred_backend not in (None, "falconet", "numpy"):
        warnings.warn(
            f"[split_dataset] `preferred_backend` {preferred_backend!r} is not available; arrays come back.",
            stacklevel=2,
        )
    is_samples = isinstance(dataset, list) and dataset and not hasattr(dataset[0], "__len__")
    arrays = np.asarray(dataset) if is_samples else tree.map_structure(np.asarray, dataset)
    rows = {a.shape[0] for a in tree.flatten(arrays)}
    if len(rows) != 1:
        raise ValueError(f"[split_dataset] the arrays have different numbers of rows: {sorted(rows)}.")
    count = rows.pop()
    left, right = (
        _rows_for(size, count, name) for size, name in ((left_size, "left_size"), (right_size, "right_size"))
    )
    if left is None and right is None:
        raise ValueError("[split_dataset] pass `left_size` or `right_size`.")
    left = count - right if left is None else left
    right = count - left if right is None else right
    if left <= 0 or right <= 0 or left + right > count:
        raise ValueError(f"[split_dataset] cannot take {left} and {right} of {count} rows.")
    order = permutation(count, seed) if shuffle else np.arange(count)
    first, second = order[:left], order[left : left + right]
    return tree.map_structure(lambda a: a[first], arrays), tree.map_structure(lambda a: a[second], arrays)


def _rows_for(size: Any, count: int, argument: str) -> int | None:
    if size is None:
        return None
    if isinstance(size, float) and 0 <= size <= 1:
        return round(size * count)
    if isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= count:
        return size
    raise ValueError(
        f"[split_dataset] `{argument}` must be a fraction or a number of rows up to {count}, got {size!r}."
    )
