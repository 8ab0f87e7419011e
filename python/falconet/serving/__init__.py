"""Models in service: predictions from any thread in microseconds, and learning that goes on where the data is."""

from falconet.serving.batcher import Batcher, Overloaded
from falconet.serving.learner import Learner
from falconet.serving.predictor import Predictor
from falconet.serving.statistics import BatcherStatistics, Histogram

__all__ = ["Batcher", "BatcherStatistics", "Histogram", "Learner", "Overloaded", "Predictor"]
