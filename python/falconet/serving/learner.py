"""Training steps from a model or a model file, where the data is."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from falconet import _core, tree
from falconet.serving.function import Function, Port
from falconet.serving.predictor import Predictor, checked_threads, native_source


class _LearnerFunction(Function):
    """One of a learner's functions."""

    def __init__(self, native: Any, name: str, owner: str) -> None:
        self.owner = owner
        self.inputs = tuple(Port(*p) for p in native.inputs(name))
        self.outputs = tuple(Port(*p) for p in native.outputs(name))
        _core.call_attach_learner(self, native, name, owner)

    def logs(self, *args: Any, **named: Any) -> dict[str, float]:
        """Called for a function whose outputs are numbers by name."""
        found: dict[str, float] = self(*args, **named)
        return found


_core.call_quickly(_LearnerFunction)


class Learner:
    """Goes on training a model, step by step, in microseconds.

    `l.step(x, y)` is the step that `fit` runs for a batch, with the optimizer, the loss and the metrics the model was
    compiled with; nothing of Keras is entered. It starts from the model's weights, optimizer state, metrics and seeds,
    and `save` writes all of them: a learner made from that file goes on exactly where this one was. The model itself is
    not changed. Calls from several threads take turns.

    Args:
        model: a compiled model; or the path or bytes of a model file exported with `training=True`.
        threads: as in `Predictor`.

    Raises:
        ValueError: the file has no training step, or is not a well-formed model file.

    >>> model = falconet.Sequential([falconet.Input((2,)), falconet.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> l = falconet.Learner(model)
    >>> sorted(l.step(np.ones((1, 2), "float32"), np.ones((1, 1), "float32")))
    ['loss']
    """

    def __init__(self, model: Any, threads: int | None = None) -> None:
        count = checked_threads(threads, "Learner")
        native = self._native = _core.NativeLearner(native_source(model, "Learner", training=True), count)
        self._train = _LearnerFunction(native, "train", "Learner.step")
        self._predict = _LearnerFunction(native, "predict", "Learner.predict")
        self._evaluate = _LearnerFunction(native, "evaluate", "Learner.evaluate") if native.has_evaluate else None
        names = [port.name for port in self._train.inputs]
        self._x_names = [port.name for port in self._predict.inputs]
        self._y_names = [n for n in names[len(self._x_names) :] if n == "y" or n.startswith("y/")]
        self._weight_names = names[len(self._x_names) + len(self._y_names) :]
        self._is_simple = len(names) == 2 and len(self._y_names) == 1

    # --- functions ---

    def step(self, x: Any, y: Any = None, sample_weight: Any = None) -> dict[str, float]:
        """Trains on one batch; returns the loss and metrics since they were last reset, by name.

        Args:
            x: the inputs: an array; where the model has several, a list or a dictionary by name.
            y: the targets, likewise.
            sample_weight: weights of the rows; only where the model was exported with them.

        Raises:
            ValueError, TypeError: before anything runs, naming the argument, what came and what is needed.
        """
        if self._is_simple and sample_weight is None and type(x) is type(y) is np.ndarray:
            logs: dict[str, float] = self._train(x, y)
            return logs
        return self._train.logs(**self._named(self._train, x, y, sample_weight))

    def evaluate(self, x: Any, y: Any = None, sample_weight: Any = None) -> dict[str, float]:
        """The loss and metrics since they were last reset, with this batch, which is not trained on."""
        if self._evaluate is None:
            raise ValueError("[Learner] the model has no evaluation step.")
        return self._evaluate.logs(**self._named(self._evaluate, x, y, sample_weight))

    def predict(self, *args: Any, **named: Any) -> Any:
        """The outputs for a batch with the weights as they are, as `Predictor` gives them."""
        return self._predict(*args, **named)

    def reset_metrics(self) -> None:
        """Starts the averages of loss and metrics anew."""
        self._native.reset_metrics()

    # --- what it has learnt ---

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Copies of the weights that predictions use, by name."""
        return dict(zip(self._native.weight_names, self._native.weights(), strict=True))

    def snapshot(self, predictor: Predictor) -> None:
        """Puts the weights as they are now into a predictor of the same model; neither stops meanwhile.

        Raises:
            ValueError: the predictor is of another model.
        """
        if not isinstance(predictor, Predictor):
            raise TypeError(f"[snapshot] a Predictor is needed, got {type(predictor).__name__}.")
        self._native.snapshot(predictor._native)

    def save(self, filepath: Any) -> None:
        """Writes a model file that holds all there is: weights, optimizer state, step count, metrics, seeds.

        The file is replaced whole or not at all.
        """
        self._native.save(os.fspath(filepath))

    # --- arguments ---

    def _named(self, function: Function, x: Any, y: Any, sample_weight: Any) -> dict[str, Any]:
        """Inputs by name from Keras's arguments."""
        named = _spread(x, self._x_names, "x", function.owner)
        named |= _spread(y, self._y_names, "y", function.owner)
        if sample_weight is not None and not self._weight_names:
            raise ValueError(
                f"[{function.owner}] the model was exported without `sample_weight`: export it with an example "
                "training=(x, y, sample_weight)."
            )
        return named | _spread(sample_weight, self._weight_names, "sample_weight", function.owner)


def _spread(value: Any, names: list[str], argument: str, owner: str) -> dict[str, Any]:
    if len(names) == 1 and not isinstance(value, dict):
        if value is None:
            raise ValueError(f"[{owner}] `{argument}` is missing; the model needs it.")
        return {names[0]: value}
    if isinstance(value, dict):
        given = {(key if argument == "x" or key in names else f"{argument}/{key}"): one for key, one in value.items()}
        if sorted(given) != sorted(names):
            raise ValueError(f"[{owner}] `{argument}` has the keys {sorted(value)}; the model's are {sorted(names)}.")
        return given
    values = [] if value is None else tree.flatten(value)
    if len(values) != len(names):
        raise ValueError(f"[{owner}] `{argument}` has {len(values)} arrays; the model needs {len(names)}: {names}.")
    return dict(zip(names, values, strict=True))
