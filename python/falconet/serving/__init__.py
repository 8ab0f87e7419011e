"""Models in service: predictions from any thread in microseconds, and learning that goes on where the data is."""

from falconet.serving.learner import Learner
from falconet.serving.predictor import Predictor

__all__ = ["Learner", "Predictor"]
