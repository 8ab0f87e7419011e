"""Area under a curve that the threshold of a decision draws."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..config import epsilon
from .confusion import ConfusionMetric, even_thresholds

_CURVES = ("ROC", "PR", "PRGAIN")
_METHODS = ("interpolation", "majoring", "minoring")


class AUC(ConfusionMetric):
    """Area under the curve of (false positive rate, recall), "ROC", or (recall, precision), "PR".

    Args:
        num_thresholds: number of thresholds, > 1, evenly spread over [0, 1].
        curve: "ROC", "PR" or "PRGAIN" (precision and recall gain, Flach & Kull 2015).
        summation_method: "interpolation" (trapezoids; for "PR" as in Davis & Goadrich 2006), "minoring" or "majoring"
            (the lower or higher side of each step).
        name, dtype: see `Metric`.
        thresholds: the thresholds themselves, instead of their number.
        multi_label: mean of the areas of the columns of `y_pred`, instead of one area over all values.
        num_labels: number of columns; by default found at the first update.
        label_weights: weight of each column.
        from_logits: whether `y_pred` holds logits.
    """

    _direction = "up"
    _counts = ("true_positives", "false_positives", "true_negatives", "false_negatives")

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype, name)
        if str(curve).upper() not in _CURVES:
            raise ValueError(f"[AUC] `curve` is {curve!r}; it must be one of {_CURVES}.")
        if str(summation_method).lower() not in _METHODS:
            raise ValueError(f"[AUC] `summation_method` is {summation_method!r}; it must be one of {_METHODS}.")
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(f"[AUC] `num_thresholds` is {num_thresholds}; it must be an int > 1.")
        if num_labels and not multi_label:
            raise ValueError(f"[AUC] `num_labels` is {num_labels}; it is only for `multi_label=True`.")
        self._thresholds_given = thresholds
        inner = even_thresholds(num_thresholds, "AUC")[1:-1] if thresholds is None else sorted(thresholds)
        self.thresholds = [-epsilon(), *inner, 1.0 + epsilon()]
        self.num_thresholds = len(self.thresholds)
        self.curve = str(curve).upper()
        self.summation_method = str(summation_method).lower()
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = label_weights
        self.from_logits = from_logits
        if num_labels or not multi_label:
            self._build(num_labels)

    def _build(self, columns: int | None) -> None:
        self._make_counts((self.num_thresholds, columns) if columns else (self.num_thresholds,))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = ops.convert_to_tensor(y_pred)
        columns, weights = 1, self._label_weights()
        if self.multi_label:
            if len(y_pred.shape) != 2:
                raise ValueError(f"[AUC] `multi_label` needs `y_pred` of 2 axes; its shape is {tuple(y_pred.shape)}.")
            columns, weights = y_pred.shape[1], None
            if not self._variables:
                self._build(columns)
        y_pred = ops.sigmoid(y_pred) if self.from_logits else y_pred
        self._update_counts(y_true, y_pred, sample_weight, columns=columns, label_weights=weights)

    def _label_weights(self) -> Any:
        return None if self.label_weights is None else ops.convert_to_tensor(self.label_weights, dtype=self.dtype)

    def result(self) -> Any:
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._total(self._interpolated_pr())
        tp, fp, tn, fn = (ops.convert_to_tensor(getattr(self, name)) for name in self._counts)
        recall, precision = ops.divide_no_nan(tp, tp + fn), ops.divide_no_nan(tp, tp + fp)
        if self.curve == "ROC":
            x, y = ops.divide_no_nan(fp, fp + tn), recall
        elif self.curve == "PR":
            x, y = recall, precision
        else:
            ratio = ops.divide_no_nan(tp + fn, tn + fp)
            found = tp > 0
            x = ops.maximum(ops.where(found, 1.0 - ratio * ops.divide_no_nan(fn, tp), 0.0), 0.0)
            y = ops.where(found, 1.0 - ratio * ops.divide_no_nan(fp, tp), 1.0)
        left, right = y[:-1], y[1:]
        if self.summation_method == "interpolation":
            heights = (left + right) / 2.0
        else:
            heights = (ops.minimum if self.summation_method == "minoring" else ops.maximum)(left, right)
        return self._total((x[:-1] - x[1:]) * heights)

    def _interpolated_pr(self) -> Any:
        """Areas of the steps where true positives grow linearly with predicted positives between two thresholds."""
        tp, fp, _, fn = (ops.convert_to_tensor(getattr(self, name)) for name in self._counts)
        gained = tp[:-1] - tp[1:]
        predicted = tp + fp
        above, below = predicted[:-1], predicted[1:]
        slope = ops.divide_no_nan(gained, ops.maximum(above - below, 0.0))
        intercept = tp[1:] - slope * below
        both = ops.logical_and(above > 0, below > 0)
        ratio = ops.where(both, ops.divide_no_nan(above, ops.maximum(below, 0.0)), ops.ones_like(below))
        return ops.divide_no_nan(slope * (gained + intercept * ops.log(ratio)), ops.maximum(tp[1:] + fn[1:], 0.0))

    def _total(self, areas: Any) -> Any:
        if not self.multi_label:
            return ops.sum(areas)
        by_label, weights = ops.sum(areas, axis=0), self._label_weights()
        if weights is None:
            return ops.mean(by_label)
        return ops.divide_no_nan(ops.sum(by_label * weights), ops.sum(weights))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thresholds": self._thresholds_given}
