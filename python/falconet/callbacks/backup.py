"""Backups from which an interrupted training resumes as if it had never stopped."""

from __future__ import annotations

import os
import warnings
from typing import Any

from falconet.callbacks.base import Callback, Logs
from falconet.callbacks.files import BatchCounter

_NAME, _PREVIOUS = "training.backup", "training.backup.previous"


class BackupAndRestore(Callback):
    """Backs the training up; a later call of `fit` with the same arguments goes on from the backup.

    What comes back: weights, optimizer slots and step, learning rate, the metrics of the running epoch, the random
    generators (shuffling, dropout), the place in the data, the history, and the state of the callbacks that have one
    (`Callback.get_state`). The resumed training ends with the same bits as one that never stopped, if the processor's
    instruction set is the same, and the data are: arrays of the same content; or an iterable that yields the same
    batches again (they are drawn anew and dropped up to the place of the backup), or that has `state_dict` and
    `load_state_dict`.

    Args:
        backup_dir: a folder for the backup alone; made where missing.
        save_freq: "epoch", or after how many batches; False saves nothing and only restores.
        double_checkpoint: keep the backup before the last too, and use it where the last cannot be read.
        delete_checkpoint: delete the backup when the training has come to its end.

    A backup is written beside the old one and then put in its place: an interruption leaves the old or the new.
    """

    runs_last = True  # what the other callbacks do after a batch or an epoch belongs into the backup

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError("[BackupAndRestore] `backup_dir` is empty; it must be a folder.")
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._counter = BatchCounter("BackupAndRestore", "epoch" if save_freq is False else save_freq)
        if self._counter.save_freq != "epoch":
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def get_state(self) -> Any:
        return {"seen": self._counter.seen, "last": self._counter.last}

    def set_state(self, state: Any) -> None:
        self._counter.seen, self._counter.last = state["seen"], state["last"]

    def on_train_begin(self, logs: Logs = None) -> None:
        try:
            os.makedirs(self.backup_dir, exist_ok=True)
        except OSError as error:
            raise ValueError(f"[BackupAndRestore] cannot make `backup_dir` {self.backup_dir!r}: {error}.") from error
        for name in os.listdir(self.backup_dir):
            if name.startswith(_NAME) and name.endswith(".tmp"):  # what an interrupted save left
                os.unlink(self._path(name))
        self._counter.seen, self._counter.last = 0, None
        last, previous = self._path(_NAME), self._path(_PREVIOUS)
        if os.path.exists(last):
            try:
                self.model._initial_epoch = self.model._training_state.load(last)
                return
            except (ValueError, OSError) as error:
                if not os.path.exists(previous):
                    raise
                warnings.warn(f"{error} The backup before it is used.", stacklevel=4)
        if os.path.exists(previous):  # also where an interruption came between the two steps of a replacement
            self.model._initial_epoch = self.model._training_state.load(previous)

    def _after_batch(self, batch: int, logs: Logs = None) -> None:
        if self._counter.is_due(batch):
            self._save()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.save_freq == "epoch":
            self._save()

    def _save(self) -> None:
        last = self._path(_NAME)
        if self.double_checkpoint and os.path.exists(last):
            # The new one is complete before the old one moves: at no moment is there none.
            fresh = self._path("training.backup.new")
            self.model._training_state.save(fresh)
            os.replace(last, self._path(_PREVIOUS))
            os.replace(fresh, last)
        else:
            self.model._training_state.save(last)

    def _path(self, name: str) -> str:
        return os.path.join(self.backup_dir, name)

    def on_train_end(self, logs: Logs = None) -> None:
        if not self.delete_checkpoint:
            return
        for name in os.listdir(self.backup_dir):
            if name.startswith(_NAME):
                os.unlink(self._path(name))
        if not os.listdir(self.backup_dir):
            os.rmdir(self.backup_dir)
