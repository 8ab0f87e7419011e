"""Ends the trials of a search early where others did better at the same epoch."""

from __future__ import annotations

from typing import Any

from falconet.callbacks.base import Callback, Logs
from falconet.callbacks.monitor import Monitor


class OptunaPruning(Callback):
    """Reports a number of each epoch to an Optuna trial; raises `optuna.TrialPruned` where its pruner says so.

    Optuna counts the trial as pruned and goes on with the next one. It needs `falconet[tuning]`.

    Args:
        trial: the `optuna.Trial` that the objective function was given, of a study with one objective.
        monitor: the name of the number in the logs. The study must look for its better side: ValueError before the
            first step where the study minimizes what is better when larger, or the reverse, as far as that is known.
        interval: report every so many epochs.
    """

    def __init__(self, trial: Any, monitor: str = "val_loss", interval: int = 1) -> None:
        super().__init__()
        try:
            import optuna
        except ImportError as error:
            raise ImportError("[OptunaPruning] pruning needs Optuna: pip install 'falconet[tuning]'.") from error
        if not isinstance(trial, optuna.trial.BaseTrial):
            raise TypeError(f"[OptunaPruning] `trial` must be an Optuna trial, got {trial!r}.")
        if isinstance(interval, bool) or not isinstance(interval, int) or interval < 1:
            raise ValueError(f"[OptunaPruning] `interval` must be an integer >= 1, got {interval!r}.")
        study = getattr(trial, "study", None)  # fixed trials have none
        if study is not None and len(study.directions) > 1:
            raise ValueError("[OptunaPruning] trials of a study with several objectives cannot be pruned.")
        self.trial = trial
        self.monitor = monitor
        self.interval = interval
        self._monitor = Monitor("OptunaPruning", monitor, "auto")
        self._wanted = None if study is None else {"MINIMIZE": "down", "MAXIMIZE": "up"}.get(study.direction.name)
        self._pruned = optuna.TrialPruned

    def on_train_begin(self, logs: Logs = None) -> None:
        better = self._monitor.direction_of(self.model)
        if None not in (better, self._wanted) and better != self._wanted:
            raise ValueError(
                f"[OptunaPruning] of {self.monitor!r} the {'smaller' if better == 'down' else 'larger'} is better, and "
                f'the study goes {self._wanted}: make it with create_study(direction="'
                f'{"minimize" if better == "down" else "maximize"}").'
            )

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = self._monitor.value(logs)
        if value is None or (epoch + 1) % self.interval:
            return
        self.trial.report(float(value), step=epoch)
        if self.trial.should_prune():
            raise self._pruned(f"pruned after epoch {epoch + 1}: {self.monitor} = {value:.6g}")
