"""How often a prediction is right."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..config import floatx
from ..losses.loss import squeeze_or_expand_to_same_rank
from ..losses.regression import as_pair
from .reduction import NamedMean, PlainMean


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where y_true = y_pred, else 0."""
    return ops.cast(ops.equal(*as_pair(y_true, y_pred)), floatx())


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where (y_pred > threshold) = y_true, else 0."""
    y_true, y_pred = squeeze_or_expand_to_same_rank(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    return ops.cast(ops.equal(y_true, ops.cast(y_pred > threshold, y_true.dtype)), floatx())


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest of y_pred is at the largest of y_true, along the last axis, else 0."""
    return ops.cast(ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)), floatx())


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest of y_pred is at the index y_true, along the last axis, else 0."""
    y_true, predicted = ops.convert_to_tensor(y_true), ops.argmax(y_pred, axis=-1)
    if len(y_true.shape) == len(predicted.shape) + 1:
        y_true = ops.squeeze(y_true, -1)
    return ops.cast(ops.equal(y_true, predicted), floatx())


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the largest of y_true is at one of the `k` largest of y_pred, else 0."""
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """1 where the index y_true is among the `k` largest of y_pred, else 0.

    With `from_sorted_ids`, y_pred holds class indices, the most likely first.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    shape = tuple(y_true.shape)
    labels = ops.reshape(y_true, (-1,))
    rows = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
    if from_sorted_ids:
        found = ops.any(ops.equal(ops.expand_dims(ops.cast(labels, rows.dtype), 1), rows[:, :k]), axis=1)
    else:
        found = ops.in_top_k(ops.cast(labels, "int32"), rows, k=k)
    return ops.reshape(ops.cast(found, floatx()), shape)


class Accuracy(PlainMean):
    """Part of the predictions that equal the labels."""

    _fn, _name, _direction = accuracy, "accuracy", "up"


class BinaryAccuracy(NamedMean):
    """Part of the predictions on the right side of `threshold`, in [0, 1]."""

    _fn, _name, _direction = binary_accuracy, "binary_accuracy", "up"

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5) -> None:
        if threshold is not None and (threshold < 0 or threshold > 1):
            raise ValueError(f"[BinaryAccuracy] `threshold` is {threshold}; it must lie in [0, 1].")
        super().__init__(name, dtype, threshold=threshold)


class CategoricalAccuracy(PlainMean):
    """Part of the samples whose likeliest class is the right one, for one-hot targets."""

    _fn, _name, _direction = categorical_accuracy, "categorical_accuracy", "up"


class SparseCategoricalAccuracy(PlainMean):
    """Part of the samples whose likeliest class is the right one, for class indices."""

    _fn, _name, _direction = sparse_categorical_accuracy, "sparse_categorical_accuracy", "up"


class TopKCategoricalAccuracy(NamedMean):
    """Part of the samples whose class is among the `k` likeliest, for one-hot targets."""

    _fn, _name, _direction = top_k_categorical_accuracy, "top_k_categorical_accuracy", "up"

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype, k=k)


class SparseTopKCategoricalAccuracy(NamedMean):
    """Part of the samples whose class is among the `k` likeliest, for class indices."""

    _fn, _name, _direction = sparse_top_k_categorical_accuracy, "sparse_top_k_categorical_accuracy", "up"

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None, from_sorted_ids: bool = False) -> None:
        super().__init__(name, dtype, k=k, from_sorted_ids=from_sorted_ids)
