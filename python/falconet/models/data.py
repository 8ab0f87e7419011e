"""What `fit`, `evaluate` and `predict` are given, as arrays or as an iterable of batches of arrays.

Arrays are accepted as NumPy arrays, tensors, nested lists of numbers and data frames; float64 becomes
`config.floatx()`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from falconet import config, tree
from falconet.models.programs import num_rows, take_rows
from falconet.random.global_state import get_random_state, set_random_state
from falconet.random.seed_generator import make_default_seed, permutation
from falconet.utils.packing import unpack_x_y_sample_weight

Hook = Callable[[int, Any], Any]


def as_array(value: Any, argument: str, owner: str) -> np.ndarray | None:
    """One argument as a contiguous NumPy array of numbers."""
    if value is None:
        return None
    if not isinstance(value, np.ndarray):
        if hasattr(value, "to_numpy"):
            value = value.to_numpy()
        try:
            value = np.asarray(value)
        except (ValueError, TypeError) as error:
            raise ValueError(f"[{owner}] `{argument}` cannot be made an array: {error}.") from None
    if value.dtype == np.float64:
        value = value.astype(config.floatx() if config.floatx() != "bfloat16" else "float32")
    elif value.dtype.kind not in "fiub" and value.dtype.name not in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        raise ValueError(
            f"[{owner}] `{argument}` has dtype {value.dtype}; it needs numbers. "
            "Ragged lists and text cannot be used as they are."
        )
    return np.ascontiguousarray(value) if value.ndim else value


def _is_plain_list(value: Any) -> bool:
    """Whether a list is nested numbers, meaning one array, rather than a list of arrays."""
    return isinstance(value, (list, tuple)) and all(
        isinstance(leaf, (bool, int, float)) for leaf in tree.flatten(value)
    )


def to_arrays(value: Any, argument: str, owner: str) -> Any:
    """A nested structure of array-likes as arrays."""
    if hasattr(value, "to_numpy") and hasattr(value, "columns") or _is_plain_list(value):
        return as_array(value, argument, owner)
    if isinstance(value, (list, tuple)) and any(_is_plain_list(part) for part in value):
        value = type(value)(np.asarray(p) if _is_plain_list(p) else p for p in value)
    return tree.map_structure(lambda leaf: as_array(leaf, argument, owner), value)


def _rows_of(value: Any) -> int:
    """Rows of a NumPy array; -1 for anything else."""
    return value.shape[0] if type(value) is np.ndarray and value.ndim else -1


def as_arrays(x: Any, y: Any, sample_weight: Any, owner: str) -> tuple[Any, Any, Any]:
    """x, y and sample_weight as arrays, with one number of rows."""
    if sample_weight is None and _rows_of(x) > 0 and (y is None or _rows_of(y) == _rows_of(x)):  # the usual case
        return as_array(x, "x", owner), as_array(y, "y", owner), None
    found = (to_arrays(x, "x", owner), to_arrays(y, "y", owner), to_arrays(sample_weight, "sample_weight", owner))
    sizes: dict[int, str] = {}
    for value, argument in zip(found, ("x", "y", "sample_weight"), strict=False):
        for path, leaf in tree.flatten_with_path(value):
            if leaf is None:
                continue
            shown = argument + "".join(f"[{p!r}]" for p in path)
            if leaf.ndim == 0:
                raise ValueError(f"[{owner}] `{shown}` is a single number; it needs one entry per sample.")
            sizes.setdefault(leaf.shape[0], shown)
    if len(sizes) > 1:
        counts = ", ".join(f"`{shown}` has {size}" for size, shown in sizes.items())
        raise ValueError(f"[{owner}] all arrays need the same number of rows (samples): {counts}.")
    if not sizes:
        raise ValueError(f"[{owner}] there is no data: `x` is None.")
    if 0 in sizes:
        raise ValueError(f"[{owner}] there is no data: `{sizes[0]}` has 0 rows.")
    return found


def class_weights(y: Any, class_weight: Any, sample_weight: Any) -> Any:
    """Sample weights from weights per class (per output a dictionary of them), times `sample_weight` where given."""
    if not isinstance(class_weight, dict):
        raise ValueError(
            f"[fit] `class_weight` must be a dictionary of class index to weight, got {type(class_weight).__name__}."
        )
    if class_weight and all(isinstance(one, dict) for one in class_weight.values()):
        if not isinstance(y, dict):
            raise ValueError("[fit] `class_weight` per output needs `y` as a dictionary by output name.")
        given = sample_weight if isinstance(sample_weight, dict) else {}
        return {
            name: class_weights(part, class_weight[name], given.get(name))
            if name in class_weight
            else given.get(name, np.ones(len(part), np.float32))
            for name, part in y.items()
        }
    if isinstance(y, (list, tuple, dict)):
        raise ValueError(
            "[fit] the model has several outputs: give `class_weight` per output, {output name: {class: weight}}."
        )
    if y is None:
        raise ValueError("[fit] `class_weight` needs targets `y`.")
    labels = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] != 1 else y.reshape(len(y), -1)[:, 0]
    labels = np.rint(labels).astype(np.int64)
    if labels.ndim > 1:
        raise ValueError(f"[fit] `class_weight` needs one class per sample, got targets of shape {y.shape}.")
    classes, positions = np.unique(labels, return_inverse=True)
    weights = np.array([float(class_weight.get(int(c), 1.0)) for c in classes], np.float32)[positions]
    return weights if sample_weight is None else weights * np.asarray(sample_weight, np.float32)


def _spread_sample_weight(y: Any, sample_weight: Any) -> Any:
    """One array of weights for several outputs: the same for each."""
    if (
        sample_weight is None
        or isinstance(sample_weight, (list, tuple, dict))
        or not isinstance(y, (list, tuple, dict))
    ):
        return sample_weight
    return tree.map_structure(lambda _: sample_weight, y)


class ArrayData:
    """Arrays held in memory. An epoch is a run over all rows, shuffled where asked; with `steps` it may end earlier,
    and the next epoch goes on from there, starting over as often as needed."""

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, batch_size: int | None, steps: int | None, shuffle: Any, owner: str,
        class_weight: Any = None,
    ) -> None:  # fmt: skip
        x, y, sample_weight = as_arrays(x, y, sample_weight, owner)
        if class_weight is not None:
            sample_weight = class_weights(y, class_weight, sample_weight)
        self.arrays = (x, y, _spread_sample_weight(y, sample_weight))
        self.rows = num_rows(self.arrays)
        if batch_size is None:
            batch_size = 32 if steps is None else -(-self.rows // steps)
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"[{owner}] `batch_size` must be an integer >= 1, got {batch_size!r}.")
        self.batch_size = int(batch_size)
        self.batches = -(-self.rows // self.batch_size)
        self.steps = self.batches if steps is None else steps
        self._shuffle = shuffle
        self._order: np.ndarray | None = None
        self._order_seed: int | None = None
        self._position = self._epoch_start = 0
        self.exhausted = False  # rows never run out: they start over

    def first_batch(self) -> Any:
        return take_rows(self.arrays, slice(0, self.batch_size))

    def begin_epoch(self) -> None:
        """Starts again from the first row (in a new order where shuffled)."""
        self._position = self._epoch_start = 0
        if self._shuffle:
            self._set_order(make_default_seed())

    def _set_order(self, seed: int) -> None:
        self._order_seed = seed
        if self._shuffle == "batch":
            starts = permutation(self.rows // self.batch_size, seed) * self.batch_size
            whole = (starts[:, None] + np.arange(self.batch_size)).reshape(-1)
            self._order = np.concatenate([whole, np.arange(whole.size, self.rows)])
        else:
            self._order = permutation(self.rows, seed)

    def get_state(self) -> dict[str, Any]:
        """The place in the data, for a checkpoint."""
        return {
            "rows": self.rows, "batch_size": self.batch_size, "order_seed": self._order_seed,
            "position": self._position, "epoch_start": self._epoch_start,
        }  # fmt: skip

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to the place that `get_state` described; the data must have the same size."""
        for name in ("rows", "batch_size"):
            if state.get(name) != getattr(self, name):
                raise ValueError(
                    f"[fit] the backup was made with data of {name}={state.get(name)}; this data has "
                    f"{name}={getattr(self, name)}."
                )
        if state["order_seed"] is not None:
            self._set_order(state["order_seed"])
        self._position, self._epoch_start = state["position"], state["epoch_start"]

    def run(self, program: Any, count: int, on_batch: Hook | None) -> tuple[int, Any]:
        """Up to `count` further steps, at most to the end of the data: (steps run, outputs of the last)."""
        if self._position >= self.batches:
            self.begin_epoch()
        count = min(count, self.batches - self._position)
        first = self._position
        if on_batch is None:
            self._position += count
            return program.epoch(self.arrays, self._order, self.batch_size, first, count, None)

        def step(index: int, outputs: Any) -> Any:
            self._position += 1  # kept exact, as a hook may ask for a checkpoint
            return on_batch(index, outputs)

        return program.epoch(self.arrays, self._order, self.batch_size, first, count, step)

    def batch(self, step: int) -> Any:
        """The batch that was step `step` of the current epoch."""
        at = (self._epoch_start + step) % self.batches * self.batch_size
        rows = slice(at, at + self.batch_size)
        return take_rows(self.arrays, rows if self._order is None else self._order[rows])

    def restart_wanted(self) -> bool:
        """Whether the next epoch starts over: always, unless `steps` cuts the data at some other place."""
        self._epoch_start = self._position % self.batches
        return self.steps == self.batches or self._position >= self.batches

    def end_epoch(self) -> None:
        """Nothing to do for arrays."""


class BatchData:
    """An iterable of batches: a generator, a `PyDataset`, a data loader, or any object with `__len__` and
    `__getitem__`."""

    def __init__(self, source: Any, steps: int | None, shuffle: Any, owner: str, class_weight: Any = None) -> None:
        self._source, self._owner, self._class_weight = source, owner, class_weight
        self._iterator: Iterator[Any] | None = None
        self._drawn = 0  # batches that came out of the present iterator
        self._random_before: Any = None  # the random generators' state when it was made
        self._peeked: list[Any] = []
        self._latest: Any = None
        self._shuffle = bool(shuffle)
        self.exhausted = False
        self.is_generator = hasattr(source, "__next__")
        size = getattr(source, "num_batches", None)
        if size is None and not self.is_generator and hasattr(source, "__len__"):
            size = len(source)
        self.batches: int | None = int(size) if size is not None else None
        if self.batches == 0:
            raise ValueError(f"[{owner}] there is no data: the data set has 0 batches.")
        self.steps: int | None = steps if steps is not None else self.batches

    def _new_iterator(self) -> Iterator[Any]:
        if hasattr(self._source, "iterate_batches"):
            return self._source.iterate_batches(self._shuffle)
        if self.is_generator or hasattr(self._source, "__iter__"):
            return iter(self._source)
        order = permutation(self.batches or 0) if self._shuffle else range(self.batches or 0)
        return (self._source[int(i)] for i in order)

    def _next(self) -> Any:
        if self._peeked:
            return self._peeked.pop()
        if self._iterator is None:
            self._random_before, self._drawn = get_random_state(), 0
            self._iterator = self._new_iterator()
        batch = next(self._iterator)
        self._drawn += 1
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        x, y, sample_weight = as_arrays(x, y, sample_weight, self._owner)
        if self._class_weight is not None:
            sample_weight = class_weights(y, self._class_weight, sample_weight)
        return x, y, _spread_sample_weight(y, sample_weight)

    def first_batch(self) -> Any:
        if not self._peeked:
            try:
                self._peeked.append(self._next())
            except StopIteration:
                raise ValueError(f"[{self._owner}] there is no data: the iterable yielded no batch.") from None
        return self._peeked[0]

    def begin_epoch(self) -> None:
        if not self.is_generator and not self._peeked:
            self._iterator = None
        self.exhausted = False

    def get_state(self) -> dict[str, Any]:
        """The place in the data, for a checkpoint: what the source says of itself if it has `state_dict`, else how many
        batches have been drawn since the random generators were in which state."""
        if hasattr(self._source, "state_dict"):
            return {"source": self._source.state_dict()}
        started = self._iterator is not None
        return {"drawn": self._drawn - len(self._peeked), "random": self._random_before if started else None}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to the place that `get_state` described. An iterable without `load_state_dict` is started again, and the
        batches that had been used are drawn and dropped."""
        self._peeked.clear()
        if "source" in state:
            self._source.load_state_dict(state["source"])
            self._iterator = None
            return
        if not self.is_generator:
            self._iterator, self._drawn = None, 0
        if state["random"] is None:
            return
        if self._iterator is None:
            set_random_state(state["random"])
            self._random_before, self._iterator = state["random"], self._new_iterator()
        for _ in range(state["drawn"] - self._drawn):
            if next(self._iterator, None) is None:
                raise ValueError(
                    f"[{self._owner}] the backup was made after {state['drawn']} batches, but the iterable ends before."
                )
        self._drawn = state["drawn"]

    def batch(self, step: int) -> Any:
        """The batch that ran last."""
        return self._latest

    def restart_wanted(self) -> bool:
        return self.steps is None or self.batches is None or self.steps == self.batches

    def run(self, program: Any, count: int, on_batch: Hook | None) -> tuple[int, Any]:
        """Up to `count` further steps: (steps run, outputs of the last). Sets `exhausted` where the iterable ends."""
        done, outputs = 0, None
        while done < count:
            try:
                batch = self._next()
            except StopIteration:
                if self.batches is not None and not self.is_generator and done == 0:
                    self._iterator = None  # a data set of known length starts over
                    batch = self._next()
                else:
                    self.exhausted = True
                    break
            self._latest = batch
            outputs = program(*batch)
            done += 1
            if on_batch is not None:
                on_batch(done - 1, outputs)
        return done, outputs

    def end_epoch(self) -> None:
        if not self.is_generator and self.restart_wanted():
            self._iterator = None
        if hasattr(self._source, "on_epoch_end"):
            self._source.on_epoch_end()

    def warn_short(self, wanted: int, got: int) -> None:
        warnings.warn(
            f"[{self._owner}] ran out of data at step {got} of {wanted}: the iterable must yield at least "
            "steps * epochs batches.",
            stacklevel=5,
        )


def is_batch_source(x: Any) -> bool:
    """Whether x yields batches (rather than being arrays)."""
    if x is None or hasattr(x, "__array__") or isinstance(x, (list, tuple, dict, str)) or hasattr(x, "to_numpy"):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


def make_data(
    x: Any, y: Any, sample_weight: Any, batch_size: int | None, steps: int | None, shuffle: Any, owner: str,
    class_weight: Any = None,
) -> ArrayData | BatchData:  # fmt: skip
    """The data of one call of fit, evaluate or predict."""
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1):
        raise ValueError(f"[{owner}] the number of steps must be an integer >= 1, got {steps!r}.")
    if is_batch_source(x):
        for value, argument in ((y, "y"), (sample_weight, "sample_weight")):
            if value is not None:
                raise ValueError(f"[{owner}] `x` yields batches; put `{argument}` into them, as (x, y, sample_weight).")
        if batch_size is not None and hasattr(x, "__next__"):
            raise ValueError(f"[{owner}] `batch_size` is decided by the iterable `x`; leave it out.")
        return BatchData(x, steps, shuffle, owner, class_weight)
    return ArrayData(x, y, sample_weight, batch_size, steps, shuffle, owner, class_weight)


def split_validation(x: Any, y: Any, sample_weight: Any, fraction: float, owner: str) -> tuple[Any, Any]:
    """(training data, validation data): the last `fraction` of the rows is for validation."""
    if not 0 < fraction < 1:
        raise ValueError(f"[{owner}] `validation_split` must be between 0 and 1, got {fraction!r}.")
    if is_batch_source(x):
        raise ValueError(
            f"[{owner}] `validation_split` needs arrays, got {type(x).__name__}; pass `validation_data` instead."
        )
    arrays = as_arrays(x, y, sample_weight, owner)
    rows = num_rows(arrays)
    at = int(rows * (1.0 - fraction))
    if at in (0, rows):
        raise ValueError(
            f"[{owner}] {rows} rows cannot be split with validation_split={fraction}: one part would be empty."
        )
    return take_rows(arrays, slice(0, at)), take_rows(arrays, slice(at, rows))
