"""Where a call of `fit` stands, and all that decides how it goes on: what an exact resume needs.

That is: every variable of model, optimizers and metrics (so slots, steps, seeds and the running epoch's sums); the
random generators; the place in the data and its order; what the callbacks remember, history included; the epoch, the
step in it and the latest logs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from falconet.optimizers import Optimizer
from falconet.random.global_state import get_random_state, set_random_state
from falconet.saving.state_file import read_state, write_state

_KIND = "training"


class TrainingState:
    """The position of one call of `fit`. The loop moves it on; `save` and `load` are for callbacks.

    epoch, step: the epoch that runs and how many of its steps have been taken. logs: the latest logs.
    """

    def __init__(self, model: Any, data: Any, validation: Any, callbacks: Any, epoch: int) -> None:
        self._model, self._data, self._validation, self._callbacks = model, data, validation, callbacks
        self._pending: dict[str, Any] | None = None
        self._path = ""
        self.epoch = epoch
        self.step = 0
        self.logs: dict[str, Any] = {}

    def save(self, path: str) -> None:
        """Writes the state, whole or not at all."""
        variables = variables_of(self._model)
        sources = {"training": self._data.get_state()}
        if self._validation is not None:
            sources["validation"] = self._validation.get_state()
        write_state(path, _KIND, {
            "epoch": self.epoch, "step": self.step, "logs": self.logs, "stopped": bool(self._model.stop_training),
            "paths": [v.path for v in variables], "variables": [v.numpy() for v in variables],
            "data": sources, "callbacks": self._callbacks.get_state(), "random": get_random_state(),
        })  # fmt: skip

    def load(self, path: str) -> int:
        """Reads a state, to be put in place when the loop starts; the epoch that it is in."""
        found = read_state(path, _KIND)
        missing = {"epoch", "step", "logs", "stopped", "paths", "variables", "data", "callbacks", "random"} - set(found)
        if missing:
            raise ValueError(f"[BackupAndRestore] {path}: the state lacks {sorted(missing)}.")
        self._pending, self._path = found, path
        return int(found["epoch"])

    def start(self) -> None:
        """After `on_train_begin`: puts a loaded state in place. Within an epoch its `on_epoch_begin` is called first:
        callbacks without a state of their own are then set up, and what it changes is overwritten."""
        state, self._pending = self._pending, None
        if state is None:
            return
        self.epoch, self.step, self.logs = int(state["epoch"]), int(state["step"]), state["logs"]
        if self.step:
            self._callbacks.on_epoch_begin(self.epoch)
        self._put_variables(state)
        self._data.set_state(state["data"]["training"])
        if self._validation is not None and "validation" in state["data"]:
            self._validation.set_state(state["data"]["validation"])
        self._callbacks.set_state(state["callbacks"])
        self._model.stop_training = state["stopped"]
        set_random_state(state["random"])

    def _put_variables(self, state: dict[str, Any]) -> None:
        values = state["variables"]
        variables = variables_of(self._model)
        if len(variables) != len(values):
            # Some are made by the first step only, such as the slots of a custom step's optimizers. All that the step
            # changes is overwritten below.
            self._model._program("train")(*self._data.first_batch())
            variables = variables_of(self._model)
        if len(variables) != len(values):
            raise ValueError(
                f"[BackupAndRestore] {self._path} holds {len(values)} variables and this model, with its optimizer and "
                f"metrics, has {len(variables)}; it must be built and compiled as when the backup was made."
            )
        for variable, path, value in zip(variables, state["paths"], values, strict=True):
            if tuple(variable.shape) != np.shape(value):
                raise ValueError(
                    f'[BackupAndRestore] {self._path}: "{path}" has shape {np.shape(value)} and "{variable.path}" of '
                    f"this model {tuple(variable.shape)}."
                )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def variables_of(model: Any) -> list[Any]:
    """Every variable that training changes, each once: of the model, of its optimizers, of its metrics."""
    found = {id(v): v for v in model.variables}
    for optimizer in _optimizers_of(model):
        found |= {id(v): v for v in optimizer.variables}
    for metric in model.metrics:
        found |= {id(v): v for v in metric.variables}
    return list(found.values())


def _optimizers_of(model: Any) -> list[Optimizer]:
    """The compiled optimizer, then those that a subclass holds in its attributes."""
    found = [model.optimizer]
    for name in sorted(vars(model)):
        value = vars(model)[name]
        if isinstance(value, (list, tuple)):
            found += value
        else:
            found += list(value.values()) if isinstance(value, dict) else [value]
    return list({id(one): one for one in found if isinstance(one, Optimizer)}.values())
