"""Callbacks that change the learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from falconet.callbacks.base import Callback, Logs
from falconet.callbacks.monitor import Monitor


def _learning_rate(model: Any) -> float:
    if not hasattr(model.optimizer, "learning_rate"):
        raise ValueError("the optimizer has no `learning_rate`.")
    return float(model.optimizer.learning_rate)


class LearningRateScheduler(Callback):
    """Before every epoch: learning rate <- schedule(epoch, learning rate), or schedule(epoch) where it takes one
    argument."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        from falconet.layers.signature import signature_of

        given = signature_of(self.schedule, skip=1 if hasattr(self.schedule, "__self__") else 0).positional
        rate = self.schedule(epoch) if len(given) == 1 else self.schedule(epoch, _learning_rate(self.model))
        if isinstance(rate, bool) or not hasattr(rate, "__float__"):
            raise ValueError(f"[LearningRateScheduler] `schedule` must return a number, got {rate!r}.")
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: learning rate set to {float(rate)}.")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = _learning_rate(self.model)


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
        self.monitor, self.factor, self.patience, self.verbose = monitor, factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self._monitor = Monitor("ReduceLROnPlateau", monitor, mode, min_delta)
        self.wait = self.cooldown_counter = 0
        self.best: float | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self.wait = self.cooldown_counter = 0
        self.best = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._monitor.resolve(self.model)
        rate = _learning_rate(self.model)
        if logs is not None:
            logs["learning_rate"] = rate
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
            if self.wait >= self.patience and rate > self.min_lr:
                rate = max(rate * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = rate
                if self.verbose > 0:
                    print(f"Epoch {epoch + 1}: learning rate reduced to {rate}.")
                self.cooldown_counter, self.wait = self.cooldown, 0
