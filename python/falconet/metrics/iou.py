"""Overlap of regions: intersection over union, from a confusion matrix."""

from __future__ import annotations

import warnings
from typing import Any

from .. import ops
from ..config import epsilon
from .metric import Metric


class _Matrix(Metric):
    """State: counts of (label, prediction) pairs, in a matrix of classes by classes."""

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None,
        dtype: Any,
        ignore_class: int | None,
        sparse_y_true: bool,
        sparse_y_pred: bool,
        axis: int,
    ) -> None:
        super().__init__(dtype or "int32", name)
        if max(target_class_ids) >= num_classes:
            raise ValueError(
                f"[{type(self).__name__}] `target_class_ids` holds {max(target_class_ids)}; "
                f"with {num_classes} classes the ids are 0 to {num_classes - 1}."
            )
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable(
            (num_classes, num_classes), "zeros", dtype=self.dtype, name="total_confusion_matrix"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if "int" in self.dtype and "float" in str(getattr(sample_weight, "dtype", "")):
            warnings.warn(
                f"[{self.name}] `sample_weight` is {sample_weight.dtype} and is rounded down to {self.dtype}; "
                'give the metric dtype="float32" to keep fractions.',
                stacklevel=2,
            )
        y_true = y_true if self.sparse_y_true else ops.argmax(y_true, axis=self.axis)
        y_pred = y_pred if self.sparse_y_pred else ops.argmax(y_pred, axis=self.axis)
        y_true, y_pred = (ops.reshape(ops.cast(y, "int32"), (-1,)) for y in (y_true, y_pred))
        weight = ops.convert_to_tensor(1 if sample_weight is None else sample_weight, dtype=self.dtype)
        weight = ops.reshape(weight, (-1,)) if len(weight.shape) > 1 else weight
        weight = ops.broadcast_to(weight, y_true.shape)
        valid: Any = None
        for y in (y_true, y_pred):
            inside = ops.logical_and(y >= 0, y < self.num_classes)
            valid = inside if valid is None else ops.logical_and(valid, inside)
        if self.ignore_class is not None:
            valid = ops.logical_and(valid, ops.not_equal(y_true, self.ignore_class))
        # What does not count is left with weight 0 at pair (0, 0).
        zero = ops.zeros_like(y_true)
        index = ops.where(valid, y_true * self.num_classes + y_pred, zero)
        counts = ops.segment_sum(
            ops.where(valid, weight, ops.zeros_like(weight)), index, num_segments=self.num_classes**2
        )
        self.total_cm.assign_add(ops.reshape(ops.cast(counts, self.dtype), self.total_cm.shape))

    def result(self) -> Any:
        matrix = ops.cast(self.total_cm, "float32")
        both = ops.diagonal(matrix)
        either = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1) - both
        ids = ops.convert_to_tensor(self.target_class_ids, dtype="int32")
        both, either = ops.take(both, ids, axis=0), ops.take(either, ids, axis=0)
        seen = either > 1e-9
        overlap = ops.where(seen, both / (either + epsilon()), ops.zeros_like(both))
        return ops.sum(overlap) / (ops.sum(ops.cast(seen, "float32")) + epsilon())


class IoU(_Matrix):
    """Mean over `target_class_ids` of tp / (tp + fp + fn); classes never seen do not count.

    Args:
        num_classes: number of classes.
        target_class_ids: classes whose overlap is averaged.
        name, dtype: see `Metric`; the counts are int32 by default.
        ignore_class: a label that does not count.
        sparse_y_true, sparse_y_pred: whether these hold class indices rather than one number a class.
        axis: axis of classes where they are not indices.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class BinaryIoU(_Matrix):
    """`IoU` of the two classes that a threshold makes of one output."""

    def __init__(
        self, target_class_ids: Any = (0, 1), threshold: float = 0.5, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype, None, True, True, -1)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = ops.convert_to_tensor(y_pred, dtype="float32") >= self.threshold
        super().update_state(y_true, y_pred, sample_weight)


class MeanIoU(_Matrix):
    """`IoU` averaged over all classes."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(_Matrix):
    """`IoU` of one-hot labels."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(_Matrix):
    """`MeanIoU` of one-hot labels."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, False, sparse_y_pred, axis)
