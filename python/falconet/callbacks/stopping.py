"""Callbacks that end training early."""

from __future__ import annotations

import math
from typing import Any

from falconet.callbacks.base import Callback, Logs
from falconet.callbacks.monitor import Monitor

_STOPPING_STATE = ("wait", "stopped_epoch", "best", "best_epoch", "best_weights")


class EarlyStopping(Callback):
    """Stops when `monitor` has not improved by more than `min_delta` for `patience` epochs.

    baseline: improvement counts only beyond this value. restore_best_weights: the weights of the best epoch are put
    back whenever training ends, for whatever reason. start_from_epoch: epochs before it are not looked at.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__()
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 0:
            raise ValueError(f"[EarlyStopping] `patience` must be an integer >= 0, got {patience!r}.")
        self.monitor = monitor
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.min_delta = abs(min_delta)
        self.mode = mode
        self._monitor = Monitor("EarlyStopping", monitor, mode, min_delta)
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights = None

    def get_state(self) -> Any:
        return {name: getattr(self, name) for name in _STOPPING_STATE}

    def set_state(self, state: Any) -> None:
        for name in _STOPPING_STATE:
            setattr(self, name, state[name])

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._monitor.resolve(self.model)
        current = self._monitor.value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.best is None or self._monitor.better(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._monitor.better(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Stops training after the first batch that makes the loss NaN or infinite.

    raise_error: raise RuntimeError instead. explain: keep a copy of the weights before every batch and, where the loss
    goes wrong, put them back, run the batch again op by op and say which layer and op gave the first non-finite value;
    this costs a copy per batch. `report` is what was found.
    """

    def __init__(self, raise_error: bool = False, explain: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error
        self.report: str | None = None
        self._kept: list[Any] | None = None
        if explain:
            self.on_train_batch_begin = self._keep  # type: ignore[method-assign]

    def _keep(self, batch: int, logs: Logs = None) -> None:
        self._kept = self.model.get_weights()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        self.report = f"batch {batch}: the loss is {loss}"
        if self._kept is not None:
            from falconet.debug import find_non_finite

            self.model.set_weights(self._kept)
            found = find_non_finite(self.model, *self.model._batch_source.batch(batch))
            if found is not None:
                self.report = f"batch {batch}: {found}"
        if self.raise_error:
            raise RuntimeError(f"[TerminateOnNaN] {self.report}")
        print(f"{self.report}; training stops.")
        self.model.stop_training = True
