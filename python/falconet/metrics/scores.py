"""Scores that are known only at the end of an epoch: F-beta and R^2."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..config import epsilon
from ..losses.loss import squeeze_or_expand_to_same_rank
from ..variables import Variable
from .metric import Metric


def _columns(y_true: Any, y_pred: Any, owner: str) -> int:
    if len(y_true.shape) != 2 or len(y_pred.shape) != 2:
        raise ValueError(
            f"[{owner}] `y_true` has shape {tuple(y_true.shape)} and `y_pred` {tuple(y_pred.shape)}; "
            "both must be (batch, outputs)."
        )
    return y_pred.shape[-1]


class FBetaScore(Metric):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), of one-hot or multi-label targets.

    Args:
        average: None for one score a class, "macro" for their mean, "weighted" for their mean by number of labels, or
            "micro" for the score over all classes together.
        beta: weight of recall, a float > 0.
        threshold: a prediction above it, in (0, 1], is positive; None takes the largest of each sample.
        name, dtype: see `Metric`.
    """

    _direction = "up"
    true_positives: Variable
    false_positives: Variable
    false_negatives: Variable
    intermediate_weights: Variable

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        owner = type(self).__name__
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"[{owner}] `average` is {average!r}; it must be None, 'micro', 'macro' or 'weighted'.")
        if not isinstance(beta, float) or not beta > 0:
            raise ValueError(f"[{owner}] `beta` is {beta!r}; it must be a float > 0.")
        if threshold is not None and not (isinstance(threshold, float) and 0 < threshold <= 1):
            raise ValueError(f"[{owner}] `threshold` is {threshold!r}; it must be a float in (0, 1], or None.")
        self.average = average
        self.beta = beta
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = (ops.convert_to_tensor(y, dtype=self.dtype) for y in (y_true, y_pred))
        if not self._variables:
            columns = _columns(y_true, y_pred, type(self).__name__)
            shape = () if self.average == "micro" else (columns,)
            for name in ("true_positives", "false_positives", "false_negatives", "intermediate_weights"):
                setattr(self, name, self.add_variable(shape, "zeros", dtype=self.dtype, name=name))
        if self.threshold is None:
            largest = ops.max(y_pred, axis=-1, keepdims=True)
            # An all-zero row names no class.
            positive = ops.logical_and(y_pred >= largest, ops.abs(y_pred) > 1e-9)
        else:
            positive = y_pred > self.threshold
        positive = ops.cast(positive, self.dtype)
        if sample_weight is not None:
            sample_weight = ops.expand_dims(ops.convert_to_tensor(sample_weight, dtype=self.dtype), 1)
        axis = None if self.average == "micro" else 0

        def total(values: Any) -> Any:
            return ops.sum(values if sample_weight is None else values * sample_weight, axis=axis)

        self.true_positives.assign_add(total(positive * y_true))
        self.false_positives.assign_add(total(positive * (1 - y_true)))
        self.false_negatives.assign_add(total((1 - positive) * y_true))
        self.intermediate_weights.assign_add(total(y_true))

    def result(self) -> Any:
        precision = self.true_positives / (self.true_positives + self.false_positives + epsilon())
        recall = self.true_positives / (self.true_positives + self.false_negatives + epsilon())
        square = self.beta**2
        score = precision * recall / (square * precision + recall + epsilon()) * (1 + square)
        if self.average == "weighted":
            weights = self.intermediate_weights / (ops.sum(self.intermediate_weights) + epsilon())
            return ops.sum(score * weights)
        return score if self.average is None else ops.mean(score)


class F1Score(FBetaScore):
    """2 precision recall / (precision + recall); see `FBetaScore`."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)


class R2Score(Metric):
    """1 - sum (y_true - y_pred)^2 / sum (y_true - mean)^2, for targets of shape (batch, outputs).

    Args:
        class_aggregation: "uniform_average" of the outputs, "variance_weighted_average", or None for one score each.
        num_regressors: number of input variables p; where > 0, the adjusted 1 - (1 - R^2) (n - 1) / (n - p - 1) is
            given, as soon as n > p + 1, n being the number of target values.
        name, dtype: see `Metric`.
    """

    _direction = "up"
    sum: Variable
    squared_sum: Variable
    total_mse: Variable
    count: Variable

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        known = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in known:
            raise ValueError(f"[R2Score] `class_aggregation` is {class_aggregation!r}; it must be one of {known}.")
        if num_regressors < 0:
            raise ValueError(f"[R2Score] `num_regressors` is {num_regressors}; it must be >= 0.")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), "zeros", name="num_samples")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = (ops.convert_to_tensor(y, dtype=self.dtype) for y in (y_true, y_pred))
        y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        if len(self._variables) == 1:
            columns = _columns(y_true, y_pred, "R2Score")
            for attribute, name in (("squared_sum",) * 2, ("sum",) * 2, ("total_mse", "residual"), ("count",) * 2):
                setattr(self, attribute, self.add_variable((columns,), "zeros", name=name))
        weight = ops.convert_to_tensor(1.0 if sample_weight is None else sample_weight, dtype=self.dtype)
        if len(weight.shape) == 1:
            weight = ops.expand_dims(weight, 1)
        weight = ops.broadcast_to(weight, y_true.shape)
        weighted = y_true * weight
        self.sum.assign_add(ops.sum(weighted, axis=0))
        self.squared_sum.assign_add(ops.sum(y_true * weighted, axis=0))
        self.total_mse.assign_add(ops.sum(ops.square(y_true - y_pred) * weight, axis=0))
        self.count.assign_add(ops.sum(weight, axis=0))
        self.num_samples.assign_add(ops.cast(float(y_true.shape[0] * y_true.shape[1]), self.num_samples.dtype))

    def result(self) -> Any:
        total = self.squared_sum - self.sum * (self.sum / self.count)
        score = 1 - self.total_mse / total
        score = ops.where(ops.isinf(score), 0.0, score)
        if self.class_aggregation == "uniform_average":
            score = ops.mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = ops.sum(total * score) / ops.sum(total)
        if self.num_regressors == 0:
            return score
        p = float(self.num_regressors)
        free = self.num_samples - p - 1.0
        adjusted = 1.0 - (1.0 - score) * (self.num_samples - 1.0) / ops.where(free > 0, free, 1.0)
        return ops.where(free > 0, adjusted, score)
