"""Callbacks: what happens beside training, between epochs or batches."""

from __future__ import annotations

from falconet.callbacks.base import Callback, History, LambdaCallback
from falconet.callbacks.callback_list import CallbackList
from falconet.callbacks.files import CSVLogger, ModelCheckpoint
from falconet.callbacks.progress import ProgbarLogger
from falconet.callbacks.schedules import LearningRateScheduler, ReduceLROnPlateau
from falconet.callbacks.stopping import EarlyStopping, TerminateOnNaN

__all__ = [
    "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
    "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "TerminateOnNaN",
]  # fmt: skip
