"""Callbacks: what happens beside training, between epochs or batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .averages import StochasticWeightAveraging as StochasticWeightAveraging, SwapEMAWeights as SwapEMAWeights
    from .backup import BackupAndRestore as BackupAndRestore
    from .base import Callback as Callback, History as History, LambdaCallback as LambdaCallback
    from .callback_list import CallbackList as CallbackList
    from .files import CSVLogger as CSVLogger, ModelCheckpoint as ModelCheckpoint, RemoteMonitor as RemoteMonitor
    from .progress import ProgbarLogger as ProgbarLogger
    from .schedules import LearningRateScheduler as LearningRateScheduler, ReduceLROnPlateau as ReduceLROnPlateau
    from .stopping import EarlyStopping as EarlyStopping, TerminateOnNaN as TerminateOnNaN
    from .tensorboard import TensorBoard as TensorBoard
    from .tuning import OptunaPruning as OptunaPruning
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".averages": "StochasticWeightAveraging SwapEMAWeights",
            ".backup": "BackupAndRestore",
            ".base": "Callback History LambdaCallback",
            ".callback_list": "CallbackList",
            ".files": "CSVLogger ModelCheckpoint RemoteMonitor",
            ".progress": "ProgbarLogger",
            ".schedules": "LearningRateScheduler ReduceLROnPlateau",
            ".stopping": "EarlyStopping TerminateOnNaN",
            ".tensorboard": "TensorBoard",
            ".tuning": "OptunaPruning",
        },
    )
