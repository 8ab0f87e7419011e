"""Callbacks that write files or send messages: checkpoints of the model, and the logs as a table or to a server."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from falconet.callbacks.base import Callback, Logs
from falconet.callbacks.monitor import Monitor


class BatchCounter:
    """Tells every how many batches something is due; hooks may come less often (`steps_per_execution`)."""

    def __init__(self, owner: str, save_freq: Any) -> None:
        if save_freq != "epoch" and (isinstance(save_freq, bool) or not isinstance(save_freq, int) or save_freq < 1):
            raise ValueError(f'[{owner}] `save_freq` must be "epoch" or a number of batches >= 1, got {save_freq!r}.')
        self.save_freq = save_freq
        self.last: int | None = None
        self.seen = 0

    def is_due(self, batch: int) -> bool:
        """Whether it is due after this batch, counted from 0 in its epoch."""
        is_new_epoch = self.last is None or batch <= self.last
        self.seen += batch + 1 if is_new_epoch else batch - self.last  # type: ignore[operator]
        self.last = batch
        if self.seen < self.save_freq:
            return False
        self.seen = 0
        return True


class ModelCheckpoint(Callback):
    """Saves the model (or its weights) after every epoch, or every `save_freq` batches.

    Args:
        filepath: may contain {epoch} (from 1), {batch} (from 1, with a numeric `save_freq`) and names of the logs, as
            in "w-{epoch:02d}-{val_loss:.2f}.keras". Folders are made where missing. The end of the name decides the
            format, as for `Model.save`.
        monitor: the log that says which model is best.
        verbose: 1 prints a line when something is saved or not.
        save_best_only: save only when `monitor` improved.
        save_weights_only: `Model.save_weights` instead of `Model.save`.
        mode: "min", "max" or "auto": which way `monitor` is better.
        save_freq: "epoch", or after how many batches.
        initial_value_threshold: what the first save has to beat.

    A file is replaced whole or not at all. A backup of the training keeps the best value, so that a resumed training
    does not overwrite the best model by a worse one.
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
        self._counter = BatchCounter("ModelCheckpoint", save_freq)
        self.filepath = os.fspath(filepath)
        self.monitor, self.verbose, self.save_freq, self.mode = monitor, verbose, save_freq, mode
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self._monitor = Monitor("ModelCheckpoint", monitor, mode)
        self.best = initial_value_threshold
        self._epoch = 0
        if save_freq != "epoch":
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def get_state(self) -> Any:
        return {"best": self.best, "epoch": self._epoch, "seen": self._counter.seen, "last": self._counter.last}

    def set_state(self, state: Any) -> None:
        self.best, self._epoch = state["best"], state["epoch"]
        self._counter.seen, self._counter.last = state["seen"], state["last"]

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch

    def _after_batch(self, batch: int, logs: Logs = None) -> None:
        if self._counter.is_due(batch):
            self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs)

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        names = {**({"batch": batch + 1} if batch is not None else {}), **(logs or {}), "epoch": epoch + 1}
        try:
            path = self.filepath.format(**names)
        except KeyError as error:
            raise KeyError(
                f"[ModelCheckpoint] `filepath` asks for {error}, but the logs have {sorted(names)}."
            ) from None
        if not self._is_wanted(epoch, logs, path):
            return
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        self._say(epoch, f"finished saving model to {path}")

    def _is_wanted(self, epoch: int, logs: Logs, path: str) -> bool:
        if not self.save_best_only:
            self._say(epoch, f"saving model to {path}")
            return True
        self._monitor.resolve(self.model)
        current = self._monitor.value(logs)
        if current is None:
            return True  # as in Keras: a model too many rather than none
        if np.ndim(current):
            warnings.warn(
                f"[ModelCheckpoint] {self.monitor!r} has {np.size(current)} values; `save_best_only` needs one, so "
                "this model is saved without a comparison.",
                stacklevel=5,
            )
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        if self.best is not None and not self._monitor.better(current, self.best):
            self._say(epoch, f"{self.monitor} did not improve from {best}")
            return False
        self._say(epoch, f"{self.monitor} improved from {best} to {current:.5f}, saving model to {path}")
        self.best = current
        return True

    def _say(self, epoch: int, what: str) -> None:
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: {what}")


class CSVLogger(Callback):
    """Writes the logs of every epoch as a row of a CSV file.

    Args:
        filename: the file.
        separator: what stands between the cells.
        append: go on with a file that is there, under its header.

    The columns are those of the first epoch. Where it has no validation, columns for it are kept, filled with NA until
    there is one. A resumed training goes on where the row of the checkpoint's epoch ended.
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"[CSVLogger] `separator` must be one character, got {separator!r}.")
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self._keys: list[str] | None = None
        self._start = 0  # where the first row goes; what is there is cut off when it is written
        self._written = False
        self._file: Any = None

    def on_train_begin(self, logs: Logs = None) -> None:
        import csv

        self.release()
        self._keys, self._start, self._written = None, 0, False
        self._file = open(self.filename, "a", encoding="utf-8", newline="")  # noqa: SIM115 - closed by release()
        if self.append and self._file.tell():
            self._start = self._file.tell()
            with open(self.filename, encoding="utf-8", newline="") as old:
                self._keys = next(csv.reader(old, delimiter=self.separator), ["epoch"])[1:]

    def get_state(self) -> Any:
        return {"keys": self._keys, "position": self._position()}

    def set_state(self, state: Any) -> None:
        self._keys, self._start = state["keys"], min(int(state["position"]), os.path.getsize(self.filename))

    def _position(self) -> int:
        return int(self._file.tell()) if self._written else self._start

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = logs or {}
        if not self._written:
            self._file.truncate(self._start)
        if self._keys is None:
            self._keys = sorted(logs)
            if not any(key.startswith("val_") for key in self._keys):
                self._keys += [f"val_{key}" for key in self._keys]
            self._row(["epoch", *self._keys])
        self._row([epoch, *(_cell(logs.get(key, "NA")) for key in self._keys)])
        self._written = True
        self._file.flush()

    def _row(self, cells: list[Any]) -> None:
        import csv

        csv.writer(self._file, delimiter=self.separator).writerow(cells)

    def on_train_end(self, logs: Logs = None) -> None:
        if not self._written:
            self._file.truncate(self._start)

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


def _cell(value: Any) -> Any:
    if np.ndim(value):
        return f'"[{", ".join(map(str, np.asarray(value).tolist()))}]"'
    return value


class RemoteMonitor(Callback):
    """Sends the logs of every epoch to a server, as an HTTP POST of JSON.

    Args:
        root: scheme, host and port: "http://localhost:9000".
        path: the path below it.
        field: the form's field that holds the JSON text; unused with `send_as_json`.
        headers: further headers, a dictionary.
        send_as_json: send the JSON as the body ("application/json") instead of as a field of a form.

    The JSON has "epoch" (from 0) and the logs. A server that cannot be reached is one warning an epoch; the training
    goes on.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        if not str(root).startswith(("http://", "https://")):
            raise ValueError(f'[RemoteMonitor] `root` must begin with "http://" or "https://", got {root!r}.')
        self.root, self.path, self.field = root, path, field
        self.headers, self.send_as_json = headers, send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        import json
        from http.client import HTTPException
        from urllib.error import HTTPError
        from urllib.parse import urlencode
        from urllib.request import Request, urlopen

        text = json.dumps({"epoch": epoch, **{name: np.asarray(v).tolist() for name, v in (logs or {}).items()}})
        if self.send_as_json:
            body, kind = text, "application/json"
        else:
            body, kind = urlencode({self.field: text}), "application/x-www-form-urlencoded"
        request = Request(self.root + self.path, body.encode(), {"Content-Type": kind, **(self.headers or {})})
        try:
            with urlopen(request, timeout=10):
                pass
        except (OSError, HTTPException) as error:
            if isinstance(error, HTTPError):
                error.close()  # it holds the answer
            warnings.warn(f"[RemoteMonitor] could not send epoch {epoch} to {self.root}: {error}.", stacklevel=3)
