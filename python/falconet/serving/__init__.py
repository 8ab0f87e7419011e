"""Models in service: predictions from any thread in microseconds, and learning that goes on where the data is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .batcher import Batcher as Batcher, Overloaded as Overloaded
    from .learner import Learner as Learner
    from .predictor import Predictor as Predictor
    from .statistics import BatcherStatistics as BatcherStatistics, Histogram as Histogram
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".batcher": "Batcher Overloaded",  # with asyncio, which costs more than all the rest
            ".learner": "Learner",
            ".predictor": "Predictor",
            ".statistics": "BatcherStatistics Histogram",
        },
    )
