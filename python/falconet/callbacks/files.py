"""Callbacks that write files: checkpoints of the model, and the logs as a table."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from falconet.callbacks.base import Callback, Logs
from falconet.callbacks.monitor import Monitor


class ModelCheckpoint(Callback):
    """Saves the model (or its weights) after every epoch, or every `save_freq` batches.

    filepath: may contain {epoch} (from 1), {batch} and names of the logs, as in "w-{epoch:02d}-{val_loss:.2f}.keras".
    save_best_only: only when `monitor` improved. initial_value_threshold: what the first save has to beat.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__()
        if save_freq != "epoch" and (isinstance(save_freq, bool) or not isinstance(save_freq, int) or save_freq < 1):
            raise ValueError(
                f'[ModelCheckpoint] `save_freq` must be "epoch" or a number of batches >= 1, got {save_freq!r}.'
            )
        self.filepath = os.fspath(filepath)
        self.monitor, self.verbose, self.save_freq = monitor, verbose, save_freq
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self._monitor = Monitor("ModelCheckpoint", monitor, mode)
        self.best = initial_value_threshold
        self._epoch = self._batches = 0
        if save_freq != "epoch":
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch

    def _after_batch(self, batch: int, logs: Logs = None) -> None:
        self._batches += 1
        if self._batches % self.save_freq == 0:
            self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        names = {**(logs or {}), "epoch": epoch + 1, **({"batch": batch + 1} if batch is not None else {})}
        try:
            path = self.filepath.format(**names)
        except KeyError as error:
            raise KeyError(
                f"[ModelCheckpoint] `filepath` asks for {error}, but the logs have {sorted(names)}."
            ) from None
        if self.save_best_only:
            self._monitor.resolve(self.model)
            current = self._monitor.value(logs)
            if current is None or (self.best is not None and not self._monitor.better(current, self.best)):
                return
            self.best = current
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: saving to {path}")
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)


class CSVLogger(Callback):
    """Writes the logs of every epoch as a row of a CSV file. append: go on with a file that is there."""

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self._keys: list[str] | None = None
        self._file: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        has_header = self.append and os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        self._keys = None
        if has_header:
            with open(self.filename, encoding="utf-8") as old:
                self._keys = old.readline().rstrip("\n").split(self.separator)[1:]
        self._file = open(self.filename, "a" if self.append else "w", encoding="utf-8")  # noqa: SIM115 - closed at the end

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = logs or {}
        if self._keys is None:
            self._keys = sorted(logs)
            self._file.write(self.separator.join(["epoch", *self._keys]) + "\n")
        row = [str(epoch), *(_cell(logs.get(key, "NA")) for key in self._keys)]
        self._file.write(self.separator.join(row) + "\n")
        self._file.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        self._file.close()
        self._file = None


def _cell(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return f'"[{", ".join(map(str, value.tolist()))}]"'
    return str(value)
