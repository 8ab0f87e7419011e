"""Callbacks that change the learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from falconet.callbacks.base import Callback, Logs
from falconet.callbacks.monitor import Monitor


def _optimizers(model: Any, owner: str) -> dict[str, Any]:
    """The optimizers with a learning rate, by the name of its log: one, or those inside a `MultiOptimizer`."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if hasattr(optimizer, "optimizers"):
        return {f"learning_rate_{one.name}": one for one in optimizer.optimizers}
    if not hasattr(optimizer, "learning_rate"):
        raise ValueError(f"[{owner}] the optimizer {optimizer!r} has no `learning_rate`.")
    return {"learning_rate": optimizer}


def learning_rates(model: Any, owner: str) -> dict[str, float]:
    """The present learning rates by the names of their logs."""
    return {name: float(one.learning_rate) for name, one in _optimizers(model, owner).items()}


def _words(name: str) -> str:
    """The name of a log for people: `learning_rate_adam` is the adam learning rate."""
    return f"{name.removeprefix('learning_rate').lstrip('_')} learning rate".lstrip()


class LearningRateScheduler(Callback):
    """Before every epoch: learning rate <- schedule(epoch, learning rate), or schedule(epoch) where it takes one
    argument."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        from falconet.signature import signature_of

        given = signature_of(self.schedule, skip=1 if hasattr(self.schedule, "__self__") else 0).positional
        for name, optimizer in _optimizers(self.model, "LearningRateScheduler").items():
            rate = self.schedule(epoch) if len(given) == 1 else self.schedule(epoch, float(optimizer.learning_rate))
            if isinstance(rate, bool) or not hasattr(rate, "__float__"):
                raise ValueError(f"[LearningRateScheduler] `schedule` must return a number, got {rate!r}.")
            optimizer.learning_rate = float(rate)
            if self.verbose > 0:
                print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting {_words(name)} to {float(rate)}.")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs.update(learning_rates(self.model, "LearningRateScheduler"))


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by `factor` when `monitor` has not improved for `patience` epochs, down to `min_lr`;
    then waits `cooldown` epochs before looking again."""

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= factor < 1:
            raise ValueError(f"[ReduceLROnPlateau] `factor` must be at least 0 and less than 1, got {factor!r}.")
        for name, value in (("patience", patience), ("cooldown", cooldown)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"[ReduceLROnPlateau] `{name}` must be an integer >= 0, got {value!r}.")
        self.monitor, self.factor, self.patience, self.verbose = monitor, factor, patience, verbose
        self.mode, self.min_delta = mode, min_delta
        self.cooldown, self.min_lr = cooldown, min_lr
        self._monitor = Monitor("ReduceLROnPlateau", monitor, mode, min_delta)
        self.wait = self.cooldown_counter = 0
        self.best: float | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self.wait = self.cooldown_counter = 0
        self.best = None

    def get_state(self) -> Any:
        return {"wait": self.wait, "cooldown_counter": self.cooldown_counter, "best": self.best}

    def set_state(self, state: Any) -> None:
        self.wait, self.cooldown_counter, self.best = state["wait"], state["cooldown_counter"], state["best"]

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._monitor.resolve(self.model)
        if logs is not None:
            logs.update(learning_rates(self.model, "ReduceLROnPlateau"))
        current = self._monitor.value(logs)
        if current is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.best is None or self._monitor.better(current, self.best):
            self.best, self.wait = current, 0
        elif self.cooldown_counter <= 0:
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter, self.wait = self.cooldown, 0

    def _reduce(self, epoch: int) -> bool:
        """Whether some rate was above `min_lr`, and is lower now."""
        reduced = False
        for name, optimizer in _optimizers(self.model, "ReduceLROnPlateau").items():
            rate = float(optimizer.learning_rate)
            if rate > np.float32(self.min_lr):
                optimizer.learning_rate = rate = max(rate * self.factor, self.min_lr)
                reduced = True
                if self.verbose > 0:
                    print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing {_words(name)} to {rate}.")
        return reduced
