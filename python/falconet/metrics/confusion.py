"""Counts of right and wrong decisions at thresholds, and the rates made of them."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .. import ops
from ..config import epsilon
from ..losses.loss import squeeze_or_expand_to_same_rank
from .metric import Metric

# Below every threshold: what a prediction outside the `top_k` counts as.
_NEVER = -1e10


def read_thresholds(thresholds: Any, default: float, owner: str) -> list[float]:
    """Thresholds as a list, checked to lie in [0, 1]."""
    if thresholds is None:
        return [default]
    found = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    wrong = [t for t in found if t is None or not 0 <= t <= 1]
    if wrong:
        raise ValueError(f"[{owner}] `thresholds` holds {wrong}; each must lie in [0, 1].")
    return found


def even_thresholds(number: int, owner: str) -> list[float]:
    """`number` thresholds from 0 to 1 with equal distances (the one threshold 0.5, where `number` is 1)."""
    if number <= 0:
        raise ValueError(f"[{owner}] `num_thresholds` is {number}; it must be an int > 0.")
    return [0.5] if number == 1 else [i / (number - 1) for i in range(number)]


def are_even(thresholds: Any) -> bool:
    """Whether at least three thresholds go from 0 to 1 with equal distances, up to `epsilon`."""
    count = len(thresholds)
    return count >= 3 and bool(np.allclose(thresholds, np.arange(count) / (count - 1), atol=epsilon()))


def _prepare(
    y_true: Any, y_pred: Any, sample_weight: Any, dtype: str, top_k: int | None, class_id: int | None, owner: str
) -> tuple[Any, Any, Any]:
    """Labels 0 or 1, predictions and weights (or None), of one shape."""
    y_pred, y_true = squeeze_or_expand_to_same_rank(ops.cast(y_pred, dtype), ops.cast(y_true, dtype))
    weight = sample_weight
    if weight is not None:
        weight = ops.expand_dims(ops.cast(weight, dtype), -1)
        _, weight = squeeze_or_expand_to_same_rank(y_true, weight, expand_rank_1=False)
    if top_k is not None:
        chosen = ops.sum(ops.one_hot(ops.top_k(y_pred, top_k)[1], y_pred.shape[-1], dtype=dtype), axis=-2)
        y_pred = ops.where(chosen > 0, y_pred, ops.full_like(y_pred, _NEVER))
    if class_id is not None:
        if len(y_pred.shape) == 1:
            raise ValueError(
                f"[{owner}] `class_id` needs `y_pred` of shape (batch, classes); it has {tuple(y_pred.shape)}."
            )
        y_true, y_pred = (y[..., class_id : class_id + 1] for y in (y_true, y_pred))
    if weight is not None:
        weight = ops.broadcast_to(weight, y_pred.shape)
    return ops.cast(ops.not_equal(y_true, 0), dtype), y_pred, weight


def _count(labels: Any, y_pred: Any, thresholds: Any, even: bool) -> Any:
    """Sum of labels (n, columns) whose prediction is above each threshold: (thresholds, columns)."""
    steps, (rows, columns) = len(thresholds), labels.shape
    if not even:
        above = ops.reshape(y_pred, (1, rows, columns)) > ops.reshape(
            ops.convert_to_tensor(thresholds, dtype=y_pred.dtype), (steps, 1, 1)
        )
        return ops.sum(ops.where(above, ops.expand_dims(labels, 0), 0.0), axis=1)
    # Each prediction falls into the bucket of the largest threshold below it; sums from the top give the counts.
    bucket = ops.ceil(ops.clip(y_pred, 0.0, 1.0) * (steps - 1)) - 1
    if thresholds[0] < 0:
        bucket = ops.maximum(bucket, 0.0)
    # Index `steps` takes what is above no threshold, and is dropped.
    bucket = ops.cast(ops.where(bucket < 0, float(steps), bucket), "int32")
    index = ops.reshape(bucket * columns + ops.arange(columns, dtype="int32"), (-1,))
    sums = ops.segment_sum(ops.reshape(labels, (-1,)), index, num_segments=(steps + 1) * columns)
    sums = ops.reshape(sums, (steps + 1, columns))[:steps]
    return ops.flip(ops.cumsum(ops.flip(sums, axis=0), axis=0), axis=0)


class ConfusionMetric(Metric):
    """State that counts decisions: variables named in `_counts`, one number a threshold."""

    _counts: tuple[str, ...]
    thresholds: Any

    def _make_counts(self, shape: tuple[int, ...], name: str | None = None) -> None:
        self._even = are_even(self.thresholds)
        for count in self._counts:
            setattr(self, count, self.add_variable(shape, "zeros", name=name or count))

    def _update_counts(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any,
        top_k: int | None = None,
        class_id: int | None = None,
        columns: int = 1,
        label_weights: Any = None,
    ) -> None:
        dtype = getattr(self, self._counts[0]).dtype
        owner = type(self).__name__
        labels, y_pred, weight = _prepare(y_true, y_pred, sample_weight, dtype, top_k, class_id, owner)
        positive, negative = labels, 1.0 - labels
        if label_weights is not None:
            label_weights = ops.broadcast_to(ops.expand_dims(label_weights, 0), y_pred.shape)
            weight = label_weights if weight is None else weight * label_weights
        if weight is not None:
            positive, negative = positive * weight, negative * weight
        shape = (prod(y_pred.shape) // columns, columns)
        y_pred, positive, negative = (ops.reshape(x, shape) for x in (y_pred, positive, negative))
        wanted = self._counts
        found = {}
        if "true_positives" in wanted or "false_negatives" in wanted:
            found["true_positives"] = _count(positive, y_pred, self.thresholds, self._even)
            found["false_negatives"] = ops.sum(positive, axis=0) - found["true_positives"]
        if "false_positives" in wanted or "true_negatives" in wanted:
            found["false_positives"] = _count(negative, y_pred, self.thresholds, self._even)
            found["true_negatives"] = ops.sum(negative, axis=0) - found["false_positives"]
        for name in wanted:
            variable = getattr(self, name)
            variable.assign_add(ops.reshape(found[name], variable.shape))

    def _at_thresholds(self, values: Any) -> Any:
        """One number where there is one threshold, else one a threshold."""
        return values[0] if len(self.thresholds) == 1 else ops.convert_to_tensor(values)


class _Count(ConfusionMetric):
    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self._thresholds_given = thresholds
        self.thresholds = read_thresholds(thresholds, 0.5, type(self).__name__)
        self._make_counts((len(self.thresholds),), "accumulator")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._update_counts(y_true, y_pred, sample_weight)

    def result(self) -> Any:
        return self._at_thresholds(getattr(self, self._counts[0]))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thresholds": self._thresholds_given}


class TruePositives(_Count):
    """Weight of the samples with label 1 predicted above each threshold (0.5 by default)."""

    _counts = ("true_positives",)


class TrueNegatives(_Count):
    """Weight of the samples with label 0 predicted at or below each threshold (0.5 by default)."""

    _counts = ("true_negatives",)


class FalsePositives(_Count):
    """Weight of the samples with label 0 predicted above each threshold (0.5 by default)."""

    _counts = ("false_positives",)


class FalseNegatives(_Count):
    """Weight of the samples with label 1 predicted at or below each threshold (0.5 by default)."""

    _counts = ("false_negatives",)


class _Rate(ConfusionMetric):
    """True positives over the sum of both counts.

    Args:
        thresholds: one or several in [0, 1]; 0.5 by default, and none where `top_k` is given.
        top_k: count only the `top_k` largest predictions of each sample as positive.
        class_id: look at this class only.
        name, dtype: see `Metric`.
    """

    _direction = "up"

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        self._thresholds_given = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self.thresholds = read_thresholds(thresholds, 0.5 if top_k is None else _NEVER, type(self).__name__)
        self._make_counts((len(self.thresholds),))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._update_counts(y_true, y_pred, sample_weight, self.top_k, self.class_id)

    def result(self) -> Any:
        right, wrong = (getattr(self, name) for name in self._counts)
        return self._at_thresholds(ops.divide_no_nan(right, right + wrong))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thresholds": self._thresholds_given}


class Precision(_Rate):
    """Part of the positive decisions that are right: tp / (tp + fp)."""

    _counts = ("true_positives", "false_positives")


class Recall(_Rate):
    """Part of the positive labels that are found: tp / (tp + fn)."""

    _counts = ("true_positives", "false_negatives")


class _RateAtRate(ConfusionMetric):
    """The best of one rate over the thresholds at which another reaches a wanted value (0 where it never does)."""

    _direction = "up"
    _counts = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    _constrained: tuple[str, str]
    _reported: tuple[str, str]

    def __init__(
        self, wanted: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any, argument: str
    ) -> None:
        owner = type(self).__name__
        if not 0 <= wanted <= 1:
            raise ValueError(f"[{owner}] `{argument}` is {wanted}; it must lie in [0, 1].")
        super().__init__(dtype, name)
        self.value = wanted
        self.class_id = class_id
        self.num_thresholds = num_thresholds
        self.thresholds = even_thresholds(num_thresholds, owner)
        setattr(self, argument, wanted)
        self._make_counts((len(self.thresholds),))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._update_counts(y_true, y_pred, sample_weight, class_id=self.class_id)

    def _rate(self, names: tuple[str, str]) -> Any:
        right, other = (getattr(self, name) for name in names)
        return ops.divide_no_nan(right, right + other)

    def result(self) -> Any:
        feasible = self._rate(self._constrained) >= self.value
        return ops.max(ops.where(feasible, self._rate(self._reported), 0.0))


_RECALL = ("true_positives", "false_negatives")
_PRECISION = ("true_positives", "false_positives")
_SPECIFICITY = ("true_negatives", "false_positives")


class SensitivityAtSpecificity(_RateAtRate):
    """Largest tp / (tp + fn) over thresholds with tn / (tn + fp) >= `specificity`."""

    _constrained, _reported = _SPECIFICITY, _RECALL

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype, "specificity")


class SpecificityAtSensitivity(_RateAtRate):
    """Largest tn / (tn + fp) over thresholds with tp / (tp + fn) >= `sensitivity`."""

    _constrained, _reported = _RECALL, _SPECIFICITY

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype, "sensitivity")


class PrecisionAtRecall(_RateAtRate):
    """Largest tp / (tp + fp) over thresholds with tp / (tp + fn) >= `recall`."""

    _constrained, _reported = _RECALL, _PRECISION

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype, "recall")


class RecallAtPrecision(_RateAtRate):
    """Largest tp / (tp + fn) over thresholds with tp / (tp + fp) >= `precision`."""

    _constrained, _reported = _PRECISION, _RECALL

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype, "precision")
