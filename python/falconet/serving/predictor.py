"""Predictions from a model or a model file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from falconet import _core
from falconet.serving.function import Function, Port


def native_source(model: Any, owner: str, training: Any = False) -> Any:
    """What native code reads a model from: a path, or bytes."""
    if isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        if not os.path.isfile(path):
            raise FileNotFoundError(f"[{owner}] there is no file {path!r}.")
        return path
    if isinstance(model, bytes):
        return model
    if hasattr(model, "export") and hasattr(model, "_predict_data"):
        from falconet.saving.export import export_bytes

        return export_bytes(model, training=training)
    raise TypeError(f"[{owner}] a model, the path of a model file or its bytes is needed, got {type(model).__name__}.")


def checked_threads(threads: Any, owner: str) -> int:
    """`threads` as native code takes it: 0 for all of the pool."""
    if threads is None:
        return 0
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise ValueError(f"[{owner}] `threads` is {threads!r}; it must be a whole number of at least 1, or None.")
    return int(threads)


def _checked_sizes(sizes: Any, owner: str) -> list[int]:
    given = [sizes] if isinstance(sizes, (int, np.integer)) else list(sizes)
    for n in given:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"[{owner}] `batch_sizes` holds {n!r}; sizes must be whole numbers of at least 1.")
    return [int(n) for n in given]


class Predictor(Function):
    """Answers from a model, in microseconds, from any number of threads.

    `p(x)` gives what the model's `predict` gives for the batch x. Inputs come by position or name, `p(x, out=y)` writes
    into y, and any number of rows will do. A row's result has the same bits at every batch size, at every position and
    with any number of threads. The weights are the model's at the time the predictor is made; `update` replaces them.

    Loading makes the plans for `batch_sizes`, packs the weights these want packed and runs the model's stored test;
    other sizes are planned when they are first met. Make predictors before processes are forked: what was made before
    is shared by all of them.

    Args:
        model: a model, the path of a model file (`Model.export`), or the bytes of one.
        threads: that one call may use, the caller's included; None for all of `falconet.num_threads()`. Work of less
            than some ten microseconds stays in the caller's thread anyway.
        batch_sizes: numbers of rows to be ready for.

    Raises:
        ValueError: the file is not a well-formed model file, or does not give what its stored test says.

    >>> model = falconet.Sequential([falconet.Input((4,)), falconet.layers.Dense(2)])
    >>> p = falconet.Predictor(model)
    >>> p(np.ones((3, 4), "float32")).shape
    (3, 2)
    """

    owner = "Predictor"

    def __init__(self, model: Any, threads: int | None = None, batch_sizes: Iterable[int] = (1,)) -> None:
        sizes = _checked_sizes(batch_sizes, self.owner)
        count = checked_threads(threads, self.owner)
        self._attach(_core.NativePredictor(native_source(model, self.owner), count, sizes))

    def _attach(self, native: Any) -> None:
        _core.call_attach(self, native, self.owner)
        self._native = native
        self.inputs = tuple(Port(*p) for p in native.inputs)
        self.outputs = tuple(Port(*p) for p in native.outputs)

    @property
    def metadata(self) -> dict[str, str]:
        """What `Model.export` was given as `metadata`."""
        return dict(self._native.metadata)

    def prepare(self, batch_sizes: Iterable[int], contexts: int = 1) -> None:
        """Makes ready for these numbers of rows, in as many threads at once as `contexts` says."""
        if isinstance(contexts, bool) or not isinstance(contexts, int) or not 1 <= contexts <= 256:
            raise ValueError(f"[{self.owner}] `contexts` is {contexts!r}; it must be from 1 to 256.")
        self._native.prepare(_checked_sizes(batch_sizes, self.owner), contexts)

    # --- weights ---

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The weights in use by name. The arrays are views that cannot be written to."""
        return dict(zip(self._native.weight_names, self._native.weights(), strict=True))

    def update(self, weights: Any) -> None:
        """Replaces all weights at once, while other threads predict.

        A call that is under way ends with the old weights, later calls use the new; none sees both.

        Args:
            weights: arrays by name or in the order of `self.weights`; or a model, or a model file, with the same
                weights by name.

        Raises:
            ValueError: a weight is missing, unknown, or of another shape.
        """
        names = self._native.weight_names
        if isinstance(weights, dict):
            wrong = [n for n in names if n not in weights] or [n for n in weights if n not in names]
            if wrong:
                word = "lacks" if wrong[0] in names else "has an unknown weight"
                raise ValueError(f'[update] the dictionary {word} "{wrong[0]}"; the weights are {", ".join(names)}.')
            given = [weights[name] for name in names]
        elif isinstance(weights, (list, tuple)):
            given = list(weights)
        else:
            self._native.update_from(native_source(weights, "update"))
            return
        if len(given) != len(names):
            raise ValueError(f"[update] got {len(given)} weights; the model has {len(names)}: {', '.join(names)}.")
        self._native.update(_like(given, names, self._native.weights(), "update"))

    # --- state ---

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What predictions carry on from one to the next, by name: a copy. Empty for most models.

        Assigning a dictionary like it puts that state in place. Calls of a predictor with a state take turns.
        """
        return dict(zip(self._native.state_names, self._native.state(), strict=True))

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        names = self._native.state_names
        if not isinstance(state, dict) or sorted(state) != sorted(names):
            got = sorted(state) if isinstance(state, dict) else type(state).__name__
            raise ValueError(f"[state] got {got}; the names are {sorted(names)}.")
        self._native.set_state(_like([state[n] for n in names], names, self._native.state(), "state"))

    def reset(self) -> None:
        """Puts the state back to what it was in the model."""
        self._native.reset()

    def copy(self) -> Predictor:
        """A predictor with a state of its own, a copy of this one's, on the same weights: `update` reaches both."""
        made = Predictor.__new__(Predictor)
        made._attach(self._native.copy())
        return made

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Predictor:
        return self.copy()

    def __reduce__(self) -> Any:
        raise TypeError("[Predictor] cannot be pickled: send the model file's path and load it in the other process.")

    # --- memory ---

    def memory(self) -> dict[str, int]:
        """Bytes of weights, of their packed forms and of the arenas; the numbers of contexts and plans.

        A context serves one call at a time. Its arena is as large as the largest need among the batch sizes it met.
        """
        found: dict[str, int] = self._native.memory()
        return found

    def release(self) -> None:
        """Gives back plans and arenas; they are made again when needed."""
        self._native.release()

    def __repr__(self) -> str:
        def text(ports: tuple[Port, ...]) -> str:
            return ", ".join(f"{p.name}: {p.dtype}{p.shape}" for p in ports)

        return f"<Predictor ({text(self.inputs)}) -> ({text(self.outputs)})>"


_core.call_quickly(Predictor)


def _like(values: list[Any], names: list[str], present: list[np.ndarray], owner: str) -> list[np.ndarray]:
    """Arrays of the dtypes of `present`."""
    arrays = []
    for value, name, now in zip(values, names, present, strict=True):
        array = np.asarray(value)
        if array.shape != now.shape or not np.can_cast(array.dtype, now.dtype, "same_kind"):
            raise ValueError(
                f'[{owner}] "{name}" came as {array.dtype}{array.shape}; {now.dtype}{now.shape} is needed.'
            )
        arrays.append(np.ascontiguousarray(array, now.dtype))
    return arrays
