"""What `fit`, `evaluate` and `predict` are given, as arrays or as an iterable of batches of arrays.

Both kinds run a program over an epoch of steps, know where they stand, and go back there.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from falconet import tree
from falconet.models.arrays import as_arrays, class_weights, in_memory, on_disk, spread_sample_weight
from falconet.models.programs import num_rows, take_rows
from falconet.random.global_state import get_random_state, set_random_state
from falconet.random.seed_generator import make_default_seed, permutation
from falconet.utils.packing import unpack_x_y_sample_weight

Hook = Callable[[int, Any], Any]
_PIECE_BYTES = 1 << 23  # of a file on disk that are converted at a time
_CHUNK_STEPS = 1 << 20  # batches of rows asked of a data set at a time


def _converted(arrays: Any) -> Any:
    return tree.map_structure(lambda a: in_memory(a) if isinstance(a, np.memmap) else a, arrays)


class ArrayData:
    """Arrays. An epoch is a run over all rows, shuffled where asked; with `steps` it may end earlier, and the next
    epoch goes on from there. In training (`wraps`) the rows start over as often as needed; else they run out."""

    is_generator = False

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, batch_size: int | None, steps: int | None, shuffle: Any, owner: str,
        class_weight: Any = None, wraps: bool = False,
    ) -> None:  # fmt: skip
        x, y, sample_weight = as_arrays(x, y, sample_weight, owner)
        if class_weight is not None:
            sample_weight = class_weights(y, class_weight, sample_weight)
        self.arrays = (x, y, spread_sample_weight(y, sample_weight))
        self.rows = num_rows(self.arrays)
        if batch_size is None:
            batch_size = 32 if steps is None else -(-self.rows // steps)
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"[{owner}] `batch_size` must be an integer >= 1, got {batch_size!r}.")
        self.batch_size = int(batch_size)
        self.batches = -(-self.rows // self.batch_size)
        self.steps = self.batches if steps is None else steps
        # Batches of a piece of a file on disk, which is converted before it is used; 0 where all is used as it is.
        leaves = [leaf for leaf in tree.flatten(self.arrays) if leaf is not None]
        row_bytes = sum(leaf.nbytes // self.rows for leaf in leaves)
        self._piece = max(1, _PIECE_BYTES // (row_bytes * self.batch_size)) if any(map(on_disk, leaves)) else 0
        self._shuffle, self._wraps, self._owner = shuffle, wraps, owner
        self._order: np.ndarray | None = None
        self._order_seed: int | None = None
        self._position = self._epoch_start = 0
        self.exhausted = False

    def first_batch(self) -> Any:
        return _converted(take_rows(self.arrays, slice(0, self.batch_size)))

    def begin_epoch(self) -> None:
        """Starts again from the first row (in a new order where shuffled)."""
        self._position = self._epoch_start = 0
        self.exhausted = False
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
            if not self._wraps:
                self.exhausted = True
                return 0, None
            self.begin_epoch()
        first, count = self._position, min(count, self.batches - self._position)
        if on_batch is None:
            self._position += count
            return self._run(program, first, count, None)

        def step(index: int, outputs: Any) -> Any:
            self._position += 1  # kept exact, as a hook may ask for a checkpoint
            return on_batch(index, outputs)

        return self._run(program, first, count, step)

    def _run(self, program: Any, first: int, count: int, step: Hook | None) -> tuple[int, Any]:
        if not self._piece:
            return program.epoch(self.arrays, self._order, self.batch_size, first, count, step)
        outputs = None
        for at in range(first, first + count, self._piece):
            steps = min(self._piece, first + count - at)
            rows: Any = slice(at * self.batch_size, (at + steps) * self.batch_size)
            arrays = _converted(take_rows(self.arrays, rows if self._order is None else self._order[rows]))
            _, outputs = program.epoch(arrays, None, self.batch_size, 0, steps, step)
        return count, outputs

    def batch(self, step: int) -> Any:
        """The batch that was step `step` of the current epoch."""
        at = (self._epoch_start + step) % self.batches * self.batch_size
        rows = slice(at, at + self.batch_size)
        return _converted(take_rows(self.arrays, rows if self._order is None else self._order[rows]))

    def restart_wanted(self) -> bool:
        """Whether the next epoch starts over: always, unless `steps` cuts the data at some other place."""
        self._epoch_start = self._position % self.batches
        return self.steps == self.batches or self._position >= self.batches

    def check_targets(self, check: Callable[[Any], None]) -> None:
        """Calls `check` with the targets, before they are used."""
        check(self.arrays[1])

    def end_epoch(self) -> None:
        """Nothing to do for arrays."""

    def close(self) -> None:
        """Nothing to do for arrays."""

    def warn_short(self, wanted: int, got: int, unit: str = "step") -> None:
        _warn_short(self._owner, wanted, got, unit)


class BatchData:
    """An iterable of batches: a generator, a `PyDataset`, a `falconet.data.Dataset`, a data loader, or any object with
    `__len__` and `__getitem__`.

    Where an iterator hands out arrays and the rows of many batches (`chunk`), these go to the program whole.
    """

    def __init__(
        self, source: Any, steps: int | None, shuffle: Any, owner: str, class_weight: Any = None, wraps: bool = False
    ) -> None:
        self._source, self._owner, self._class_weight, self._wraps = source, owner, class_weight, wraps
        self._iterator: Iterator[Any] | None = None
        self._drawn = 0  # batches that came out of the present iterator
        self._random_before: Any = None  # the random generators' state when it was made
        self._peeked: list[Any] = []
        self._latest: Any = None  # (arrays, rows of them) of the batches that ran last
        self._seen: tuple[Any, Any] = (None, None)  # arrays as an iterator handed them out, and as they are used
        self._announced = False  # on_epoch_begin has been called for the epoch to come
        self._check: Callable[[Any], None] | None = None
        self._shuffle = bool(shuffle)
        self.exhausted = False
        self.is_generator = hasattr(source, "__next__")
        self.batches = None if self.is_generator else _length_of(source)
        if self.batches == 0:
            raise ValueError(f"[{owner}] there is no data: the data set has 0 batches.")
        self.steps: int | None = steps if steps is not None else self.batches

    def _new_iterator(self) -> Iterator[Any]:
        if hasattr(self._source, "iterate_batches"):
            return self._source.iterate_batches(self._shuffle)
        if self.is_generator or hasattr(self._source, "__iter__"):
            return iter(self._source)
        order: Any = range(self.batches or 0)
        if self._shuffle:
            order = permutation(self.batches or 0)
        return (self._source[int(i)] for i in order)

    def _open(self) -> Iterator[Any]:
        if self._iterator is None:
            self._announce()
            self._random_before, self._drawn = get_random_state(), 0
            self._iterator = self._new_iterator()
        return self._iterator

    def _announce(self) -> None:
        if not self._announced and hasattr(self._source, "on_epoch_begin"):
            self._source.on_epoch_begin()
        self._announced = True

    def _next(self) -> Any:
        if self._peeked:
            return self._peeked.pop()
        batch = next(self._open())
        self._drawn += 1
        if type(batch) is not tuple or len(batch) != 2:
            batch = unpack_x_y_sample_weight(batch)
        return self._arrays_of(*batch)

    def _arrays_of(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        x, y, sample_weight = as_arrays(x, y, sample_weight, self._owner)
        if self._check is not None:
            self._check(y)
        if self._class_weight is not None:
            sample_weight = class_weights(y, self._class_weight, sample_weight)
        return x, y, spread_sample_weight(y, sample_weight)

    def check_targets(self, check: Callable[[Any], None]) -> None:
        """Calls `check` with the targets of each batch, before they are used."""
        self._check = check
        for _, y, _ in self._peeked:
            check(y)

    def first_batch(self) -> Any:
        if not self._peeked:
            try:
                self._peeked.append(self._next())
            except StopIteration:
                raise ValueError(f"[{self._owner}] there is no data: the iterable yielded no batch.") from None
        return self._peeked[0]

    def begin_epoch(self) -> None:
        if not self.is_generator and self._drawn > len(self._peeked):
            self._restart()
        self.exhausted = False

    def _restart(self) -> None:
        self.close()
        self._peeked.clear()

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
            self.close()
            self._source.load_state_dict(state["source"])
            return
        if not self.is_generator:
            self.close()
        if state["random"] is None:
            return
        if self._iterator is None:
            set_random_state(state["random"])
            self._announce()
            self._random_before, self._iterator = state["random"], self._new_iterator()
        for _ in range(state["drawn"] - self._drawn):
            if next(self._iterator, None) is None:
                raise ValueError(
                    f"[{self._owner}] the backup was made after {state['drawn']} batches, but the iterable ends before."
                )
        self._drawn = state["drawn"]

    def batch(self, step: int) -> Any:
        """The batch that ran last."""
        arrays, rows = self._latest
        return arrays if rows is None else _converted(take_rows(arrays, rows))

    def restart_wanted(self) -> bool:
        return self.steps is None or self.steps == self.batches

    def run(self, program: Any, count: int, on_batch: Hook | None) -> tuple[int, Any]:
        """Up to `count` further steps: (steps run, outputs of the last). Sets `exhausted` where the iterable ends."""
        self._announce()
        done, outputs, restarted = 0, None, False
        while done < count:
            steps, found = self._run_some(program, count - done, on_batch)
            if steps:
                done, outputs, restarted = done + steps, found, False
                continue
            # The iterable has ended: at once, for one of known length that was left at its end; else it starts over in
            # training with a number of steps.
            at_once = self._drawn == 0 and self.batches is not None
            if self.is_generator or restarted or not (at_once or (self._wraps and not self.restart_wanted())):
                self.exhausted = True
                break
            self._restart()
            restarted = True
        return done, outputs

    def _run_some(self, program: Any, count: int, on_batch: Hook | None) -> tuple[int, Any]:
        if hasattr(self._open(), "chunk"):
            if self._peeked:
                count = 1
            else:
                found = self._run_chunk(program, count, on_batch)
                if found is not None:
                    return found
        return self._run_batches(program, count, on_batch)

    def _run_batches(self, program: Any, count: int, on_batch: Hook | None) -> tuple[int, Any]:
        """Up to `count` steps, until the iterator ends. Without a hook only the last shows its outputs; as the end is
        not known before it comes, a batch is drawn before the one in hand is used."""
        done, held = 0, None
        try:
            while held is None or (on_batch is None and done + 1 < count):
                batch = self._next()
                if held is not None:
                    program.update(*held)
                    done += 1
                held = batch
        except StopIteration:
            if held is None:
                return 0, None
        self._latest = (held, None)
        outputs = program(*held)
        if on_batch is not None:
            on_batch(done, outputs)
        return done + 1, outputs

    def _run_chunk(self, program: Any, count: int, on_batch: Hook | None) -> tuple[int, Any] | None:
        """Many batches at once, where the iterator can say which rows of which arrays they are."""
        iterator: Any = self._open()
        # With a hook one by one: a hook may ask where the data stand.
        found = iterator.chunk(min(count, _CHUNK_STEPS) if on_batch is None else 1)
        if found is None:
            return None
        arrays, rows = found
        if self._seen[0] is not arrays:
            self._seen = (arrays, self._arrays_of(*unpack_x_y_sample_weight(arrays)))
        held, size = self._seen[1], iterator.batch_size
        steps = -(-len(rows) // size)
        if not steps:
            return 0, None
        self._drawn += steps
        last = rows[(steps - 1) * size :]
        if isinstance(rows, range):
            held, order = take_rows(held, slice(rows.start, rows.stop)), None
            self._latest = (self._seen[1], slice(last.start, last.stop))
        else:
            order = rows
            self._latest = (held, last)
        if any(on_disk(a) for a in tree.flatten(held)):
            held, order = _converted(held if order is None else take_rows(held, order)), None
        return program.epoch(held, order, size, 0, steps, on_batch)

    def end_epoch(self) -> None:
        if not self.is_generator and self.restart_wanted():
            self.close()
        if hasattr(self._source, "on_epoch_end"):
            self._source.on_epoch_end()
        self._announced = False

    def close(self) -> None:
        """Lets the present iterator go, with its threads; a generator stays where it is."""
        if not self.is_generator:
            close = getattr(self._iterator, "close", None)
            if close is not None:
                close()
            self._iterator, self._drawn = None, 0

    def warn_short(self, wanted: int, got: int, unit: str = "step") -> None:
        _warn_short(self._owner, wanted, got, unit)


def _warn_short(owner: str, wanted: int, got: int, unit: str) -> None:
    warnings.warn(
        f"[{owner}] ran out of data at {unit} {got} of {wanted}: the data must have at least steps * epochs batches.",
        stacklevel=5,
    )


def _length_of(source: Any) -> int | None:
    """How many batches there are, None where there is no telling."""
    if hasattr(source, "num_batches"):
        size = source.num_batches
    else:
        try:
            size = len(source)
        except TypeError:  # no length, or none that is known in advance
            return None
    return None if size is None else int(size)


def is_batch_source(x: Any) -> bool:
    """Whether x yields batches (rather than being arrays)."""
    if x is None or isinstance(x, (list, tuple, dict, str)):
        return False
    if any(hasattr(x, name) for name in ("__array__", "to_numpy", "tocoo")):  # tocoo: a sparse matrix
        return False
    if hasattr(x, "iterate_batches"):
        return True
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


def make_data(
    x: Any, y: Any, sample_weight: Any, batch_size: int | None, steps: int | None, shuffle: Any, owner: str,
    class_weight: Any = None, wraps: bool = False,
) -> ArrayData | BatchData:  # fmt: skip
    """The data of one call of fit, evaluate or predict. wraps: with a number of steps, data that end start over."""
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 1):
        raise ValueError(f"[{owner}] the number of steps must be an integer >= 1, got {steps!r}.")
    if not isinstance(shuffle, (bool, np.bool_)) and shuffle not in ("batch", 0, 1):
        raise ValueError(f'[{owner}] `shuffle` must be True, False or "batch", got {shuffle!r}.')
    if is_batch_source(x):
        for value, argument in ((y, "y"), (sample_weight, "sample_weight")):
            if value is not None:
                raise ValueError(f"[{owner}] `x` yields batches; put `{argument}` into them, as (x, y, sample_weight).")
        if batch_size is not None and hasattr(x, "__next__"):
            raise ValueError(f"[{owner}] `batch_size` is decided by the iterable `x`; leave it out.")
        return BatchData(x, steps, shuffle, owner, class_weight, wraps)
    return ArrayData(x, y, sample_weight, batch_size, steps, shuffle, owner, class_weight, wraps)


def split_validation(x: Any, y: Any, sample_weight: Any, fraction: float, owner: str) -> tuple[Any, Any]:
    """(training data, validation data): the last `fraction` of the rows is for validation."""
    if not isinstance(fraction, (int, float, np.number)) or not 0 < fraction < 1:
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
