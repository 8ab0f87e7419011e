"""`Dataset`: a description of how data come to be, run by iterating over it or by giving it to `fit`."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from falconet import tree
from falconet.data.combining import CacheSteps, ChainSteps, InterleaveSteps, ZipSteps
from falconet.data.elements import mixed_seed
from falconet.data.files import CsvSteps, LineSteps, read_header
from falconet.data.shuffling import PermutedRows, ShuffledRows, ShuffleSteps
from falconet.data.steps import (
    ArraySteps,
    BatchSteps,
    EnumerateSteps,
    FilterSteps,
    GeneratorSteps,
    LimitSteps,
    MapSteps,
    PaddedBatchSteps,
    RepeatSteps,
    Steps,
    UnbatchSteps,
    count_rows,
)
from falconet.data.threads import ParallelMapSteps, PrefetchSteps
from falconet.random.seed_generator import make_default_seed

INFINITE_CARDINALITY = -1
UNKNOWN_CARDINALITY = -2
AUTOTUNE = -1
_FORMATS = ("lines", "csv", "npy")


class Dataset:
    """A sequence of elements and what is done with them on the way. Methods return a new data set; nothing runs before
    it is iterated over. An element is an array or number, or a tuple, list or dictionary of them.

    Names and meanings are those of tf.data where it has them. `fit`, `evaluate` and `predict` take a data set of
    batches (x, y[, sample_weight]) as it is. Where batches are cut from arrays in memory, shuffled or not, whole
    stretches of rows go to the native loop at once, as cheap as the arrays themselves.

    `state_dict` says exactly where the run over the data set stands that was begun last, buffers and random state
    included; after `load_state_dict` the next run goes on from there. Generators and functions are run again and so
    have to do the same again.

    >>> data = Dataset.from_arrays((np.arange(6.0), np.arange(6) % 2)).shuffle(6, seed=1).batch(4)
    >>> [x.shape for x, y in data]
    [(4,), (2,)]
    """

    def __init__(self, make: Callable[[], Steps], size: int, parents: tuple[Dataset, ...] = ()) -> None:
        self._make, self._size, self._parents = make, size, parents
        self._arrays: Any = None  # of a data set that is just these rows
        self._runs: list[int] | None = None  # [seed, runs begun] of a shuffle
        self._current: weakref.ref[Steps] | None = None
        self._pending: dict[str, Any] | None = None

    # --- sources -----------------------------------------------------------------------------------------------------

    @staticmethod
    def from_arrays(*arrays: Any) -> Dataset:
        """The rows of arrays. One structure, or several arrays for tuples: from_arrays(x, y) is from_arrays((x, y)).

        Tuples and dictionaries are structure; a list is an array. Arrays are used where they are, memory-mapped files
        included.
        """
        if not arrays:
            raise ValueError("[Dataset.from_arrays] there are no arrays; pass at least one.")
        held = _as_rows(arrays[0] if len(arrays) == 1 else arrays)
        rows = count_rows(held, "from_arrays")
        found = Dataset(lambda: ArraySteps(held, rows), rows)
        found._arrays = held
        return found

    from_tensor_slices = from_arrays

    @staticmethod
    def range(*args: int) -> Dataset:
        """The numbers of range(*args), int64."""
        return Dataset.from_arrays(np.arange(*args, dtype=np.int64))

    @staticmethod
    def from_generator(generator: Callable[..., Any], args: tuple[Any, ...] = ()) -> Dataset:
        """What generator(*args) yields; each run calls it anew. Any iterable that can be iterated again will do."""
        if hasattr(generator, "__next__"):
            raise TypeError(
                "[Dataset.from_generator] `generator` is an iterator, which can be used once; pass the function that "
                "makes it, without calling it."
            )
        if callable(generator):
            return Dataset(lambda: GeneratorSteps(lambda: generator(*args)), UNKNOWN_CARDINALITY)
        if not hasattr(generator, "__iter__"):
            raise TypeError(
                f"[Dataset.from_generator] `generator` must be a function or an iterable, got "
                f"{type(generator).__name__}."
            )
        return Dataset(lambda: GeneratorSteps(lambda: generator), UNKNOWN_CARDINALITY)

    @staticmethod
    def from_files(
        paths: Any,
        format: str = "lines",
        *,
        header: bool = True,
        columns: Any = None,
        label: Any = None,
        delimiter: str = ",",
        dtype: str = "float32",
        encoding: str = "utf-8",
    ) -> Dataset:
        """Elements from one file or several, one after another.

        format "lines": lines of text, as str. "csv": rows of numbers; `columns` picks columns by name or index (all but
        the label by default), `label` one that comes apart, as (features, label); `header` says whether the first line
        names the columns; an empty cell is NaN. "npy": the rows of NumPy's files, which are mapped into memory, not
        read. Files are opened when a run gets to them; text is never read whole.
        """
        if format not in _FORMATS:
            raise ValueError(f"[Dataset.from_files] `format` must be one of {_FORMATS}, got {format!r}.")
        names = [os.fspath(p) for p in (paths if isinstance(paths, (list, tuple)) else [paths])]
        if not names:
            raise ValueError("[Dataset.from_files] `paths` is empty; pass at least one file.")
        for name in names:
            if not os.path.isfile(name):
                raise ValueError(f"[Dataset.from_files] there is no file {name!r}.")
        if format == "lines":
            return Dataset(lambda: LineSteps(names, 0, encoding), UNKNOWN_CARDINALITY)
        if format == "npy":
            parts = [Dataset.from_arrays(np.load(name, mmap_mode="r")) for name in names]
            return parts[0] if len(parts) == 1 else _chained(parts)
        first = read_header(names[0], delimiter, encoding)
        titles = first if header else [str(i) for i in range(len(first))]
        target = None if label is None else _column(label, titles, "label")
        picked = (
            [i for i in range(len(titles)) if i != target]
            if columns is None
            else [_column(c, titles, "columns") for c in columns]
        )
        return Dataset(
            lambda: CsvSteps(LineSteps(names, int(header), encoding), picked, titles, target, delimiter, dtype),
            UNKNOWN_CARDINALITY,
        )

    @staticmethod
    def zip(*datasets: Any) -> Dataset:
        """Elements side by side, in the structure in which the data sets come; as long as the shortest."""
        structure = datasets[0] if len(datasets) == 1 else tuple(datasets)
        parts = tree.flatten(structure)
        for part in parts:
            _require_dataset(part, "zip")
        arrays = [p._arrays for p in parts]
        if all(a is not None for a in arrays) and len({p._size for p in parts}) == 1:
            return Dataset.from_arrays(tree.pack_sequence_as(structure, arrays))  # rows of arrays stay rows of arrays
        known = [p._size for p in parts if p._size != INFINITE_CARDINALITY]
        size = INFINITE_CARDINALITY if not known else UNKNOWN_CARDINALITY if min(known) < 0 else min(known)
        return Dataset(lambda: ZipSteps(structure, [p.open_steps() for p in parts]), size, tuple(parts))

    # --- stages ------------------------------------------------------------------------------------------------------

    def _over(self, stage: Callable[[Steps], Steps], size: int) -> Dataset:
        return Dataset(lambda: stage(self.open_steps()), size, (self,))

    def map(self, map_func: Callable[..., Any], num_parallel_calls: int | None = None) -> Dataset:
        """map_func(element) for each element; for a tuple map_func(*element).

        num_parallel_calls: threads that run it, AUTOTUNE for one a processor; results keep their order. None: none.
        """
        _require_callable(map_func, "map", "map_func")
        workers = _workers(num_parallel_calls)
        if workers is None:
            return self._over(lambda source: MapSteps(source, map_func), self._size)
        return self._over(lambda source: ParallelMapSteps(source, map_func, workers), self._size)

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which predicate is true."""
        _require_callable(predicate, "filter", "predicate")
        size = INFINITE_CARDINALITY if self._size == INFINITE_CARDINALITY else UNKNOWN_CARDINALITY
        return self._over(lambda source: FilterSteps(source, predicate), size)

    def shuffle(self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool = True) -> Dataset:
        """Elements in random order, by random picks from a buffer of `buffer_size`; as large as the data, every order
        is equally likely. Each run has another order unless reshuffle_each_iteration=False. Without a seed
        `set_random_seed` decides."""
        size = _count(buffer_size, "shuffle", "buffer_size", 1)
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
            raise ValueError(f"[Dataset.shuffle] `seed` must be an integer or None, got {seed!r}.")
        runs = [make_default_seed() if seed is None else int(seed), 0]

        def make() -> Steps:
            used = mixed_seed(runs[0], runs[1] if reshuffle_each_iteration else 0)
            runs[1] += 1
            if self._arrays is not None and size >= self._size:
                return PermutedRows(self._arrays, self._size, used)
            source = self.open_steps()
            return (ShuffleSteps if source.arrays is None else ShuffledRows)(source, size, used)

        found = Dataset(make, self._size, (self,))
        found._runs = runs
        return found

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """`batch_size` elements as rows of one; the last batch may have fewer, unless it is dropped."""
        rows = _count(batch_size, "batch", "batch_size", 1)
        return self._over(lambda source: BatchSteps(source, rows, drop_remainder), self._batches(rows, drop_remainder))

    def padded_batch(
        self, batch_size: int, padded_shapes: Any = None, padding_values: Any = None, drop_remainder: bool = False
    ) -> Dataset:
        """`batch`, with elements of different sizes padded at the end: to `padded_shapes` (None in it, or None: to the
        longest of the batch) with `padding_values` (0). Each is one for all, or nested as the elements are."""
        rows = _count(batch_size, "padded_batch", "batch_size", 1)
        return self._over(
            lambda source: PaddedBatchSteps(source, rows, drop_remainder, padded_shapes, padding_values),
            self._batches(rows, drop_remainder),
        )

    def _batches(self, rows: int, drop_remainder: bool) -> int:
        if self._size < 0:
            return self._size
        return self._size // rows if drop_remainder else -(-self._size // rows)

    def unbatch(self) -> Dataset:
        """The rows of each element as elements."""
        size = INFINITE_CARDINALITY if self._size == INFINITE_CARDINALITY else UNKNOWN_CARDINALITY
        return self._over(UnbatchSteps, size)

    def repeat(self, count: int | None = None) -> Dataset:
        """The data `count` times over; without a count (or with -1) without end."""
        times = None if count is None or count == -1 else _count(count, "repeat", "count", 0)
        unending = times is None or self._size == INFINITE_CARDINALITY
        size = INFINITE_CARDINALITY if unending else self._size * (times or 0) if self._size >= 0 else self._size
        return Dataset(lambda: RepeatSteps(self.open_steps, times), size, (self,))

    def take(self, count: int) -> Dataset:
        """The first `count` elements; -1 for all."""
        if count == -1:
            return self
        limit = _count(count, "take", "count", 0)
        size = limit if self._size == INFINITE_CARDINALITY else min(limit, self._size)
        return self._over(lambda source: LimitSteps(source, 0, limit), size)

    def skip(self, count: int) -> Dataset:
        """All but the first `count` elements."""
        left_out = _count(count, "skip", "count", 0)
        size = self._size if self._size < 0 else max(0, self._size - left_out)
        return self._over(lambda source: LimitSteps(source, left_out, None), size)

    def enumerate(self, start: int = 0) -> Dataset:
        """(number, element), numbers from `start`."""
        return self._over(lambda source: EnumerateSteps(source, start), self._size)

    def concatenate(self, dataset: Dataset) -> Dataset:
        """The elements of this data set, then those of another."""
        _require_dataset(dataset, "concatenate")
        return _chained([self, dataset])

    def interleave(self, map_func: Callable[..., Any], cycle_length: int = 16, block_length: int = 1) -> Dataset:
        """The elements of the data sets that map_func makes of elements: `block_length` of one, then of the next, of
        `cycle_length` at a time; one that ends makes room for the next."""
        _require_callable(map_func, "interleave", "map_func")
        cycle = _count(cycle_length, "interleave", "cycle_length", 1)
        block = _count(block_length, "interleave", "block_length", 1)
        return self._over(lambda source: InterleaveSteps(source, map_func, cycle, block), UNKNOWN_CARDINALITY)

    def flat_map(self, map_func: Callable[..., Any]) -> Dataset:
        """The elements of the data sets that map_func makes of elements, one data set after another."""
        return self.interleave(map_func, cycle_length=1)

    def cache(self) -> Dataset:
        """Keeps the elements in memory from the first complete run on; stages before it then no longer run."""
        if self._arrays is not None:
            return self  # they are in memory
        store: dict[str, Any] = {}
        return Dataset(lambda: CacheSteps(self.open_steps, store), self._size, (self,))

    def prefetch(self, buffer_size: int = AUTOTUNE) -> Dataset:
        """A thread makes up to `buffer_size` elements ahead (AUTOTUNE: 2). Batches of rows that are in memory need
        none: they pass through."""
        size = 2 if buffer_size == AUTOTUNE else _count(buffer_size, "prefetch", "buffer_size", 0)

        def make() -> Steps:
            source = self.open_steps()
            rows = source.arrays if not isinstance(source, BatchSteps) else source.row_arrays
            in_memory = rows is not None and not any(isinstance(a, np.memmap) for a in tree.flatten(rows))
            return source if size == 0 or in_memory else PrefetchSteps(source, size)

        return Dataset(make, self._size, (self,))

    # --- runs --------------------------------------------------------------------------------------------------------

    def open_steps(self) -> Steps:
        """A new run."""
        return self._make()

    def __iter__(self) -> Iterator[Any]:
        steps, pending = self.open_steps(), self._pending
        if pending is not None:
            self._pending = None
            if pending["run"] is not None:
                steps.load_state_dict(pending["run"])
            self._set_shuffles(pending["shuffles"])
        self._current = weakref.ref(steps)
        return steps

    as_numpy_iterator = __iter__

    def cardinality(self) -> int:
        """How many elements there are; INFINITE_CARDINALITY (-1) or UNKNOWN_CARDINALITY (-2)."""
        return self._size

    def __len__(self) -> int:
        if self._size < 0:
            what = "has no end" if self._size == INFINITE_CARDINALITY else "has a size that is not known in advance"
            raise TypeError(f"[Dataset] the data set {what}.")
        return self._size

    def __bool__(self) -> bool:
        return True

    def _all_shuffles(self) -> list[list[int]]:
        found = [runs for parent in self._parents for runs in parent._all_shuffles()]
        return found if self._runs is None else [*found, self._runs]

    def _set_shuffles(self, shuffles: list[list[int]]) -> None:
        mine = self._all_shuffles()
        if len(mine) != len(shuffles):
            raise ValueError(
                f"[Dataset] the state is of a data set with {len(shuffles)} shuffles; this one has {len(mine)}."
            )
        for runs, saved in zip(mine, shuffles, strict=True):
            runs[:] = [int(n) for n in saved]

    def state_dict(self) -> dict[str, Any]:
        """Where the run begun last stands, and how often the data have been shuffled: plain values and arrays."""
        if self._pending is not None:
            return self._pending
        steps = None if self._current is None else self._current()
        return {
            "run": None if steps is None else steps.state_dict(),
            "shuffles": [list(runs) for runs in self._all_shuffles()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next run goes on from where `state_dict` was taken, of a data set made in the same way."""
        if not isinstance(state, dict) or not {"run", "shuffles"} <= set(state):
            raise ValueError("[Dataset] `state` is not what state_dict() returns.")
        self._set_shuffles(state["shuffles"])
        self._pending = {"run": state["run"], "shuffles": [list(s) for s in state["shuffles"]]}

    def __repr__(self) -> str:
        size = {INFINITE_CARDINALITY: "without end", UNKNOWN_CARDINALITY: "of unknown size"}.get(
            self._size, f"of {self._size} elements"
        )
        return f"<Dataset {size}>"


def _chained(parts: list[Dataset]) -> Dataset:
    sizes = [p._size for p in parts]
    ends, known = INFINITE_CARDINALITY not in sizes, min(sizes) >= 0
    size = INFINITE_CARDINALITY if not ends else sum(sizes) if known else UNKNOWN_CARDINALITY
    return Dataset(lambda: ChainSteps([p.open_steps for p in parts]), size, tuple(parts))


def _as_rows(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_as_rows(v) for v in value)
    if isinstance(value, dict):
        return {key: _as_rows(v) for key, v in value.items()}
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.ndim == 0:
        raise ValueError(f"[Dataset.from_arrays] {value!r} is a single value; it needs one entry per element.")
    return array


def _require_dataset(value: Any, method: str) -> None:
    if not isinstance(value, Dataset):
        raise TypeError(f"[Dataset.{method}] needs data sets, got {type(value).__name__}.")


def _require_callable(value: Any, method: str, argument: str) -> None:
    if not callable(value):
        raise TypeError(f"[Dataset.{method}] `{argument}` must be a function, got {type(value).__name__}.")


def _count(value: Any, method: str, argument: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"[Dataset.{method}] `{argument}` must be an integer >= {least}, got {value!r}.")
    return int(value)


def _workers(given: Any) -> int | None:
    if given is None:
        return None
    if given == AUTOTUNE:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _count(given, "map", "num_parallel_calls", 1)


def _column(given: Any, names: list[str], argument: str) -> int:
    if isinstance(given, str) and given in names:
        return names.index(given)
    if isinstance(given, int) and not isinstance(given, bool) and -len(names) <= given < len(names):
        return given % len(names)
    raise ValueError(f"[Dataset.from_files] `{argument}` names the column {given!r}; there are {names}.")
