"""Losses on classes: cross-entropies and their relatives, one value per sample."""

from __future__ import annotations

import warnings
from typing import Any

from .. import ops
from ..config import epsilon
from ..masks import set_mask
from .loss import takes_indices


def _class_probabilities(y_true: Any, y_pred: Any, label_smoothing: float, axis: int, name: str) -> tuple[Any, Any]:
    if isinstance(axis, bool):
        raise ValueError(f"[{name}] `axis` is {axis}; it must be an int.")
    y_pred = ops.convert_to_tensor(y_pred)
    if y_pred.shape and y_pred.shape[-1] == 1:
        warnings.warn(
            f"[{name}] `y_pred` has shape {tuple(y_pred.shape)}, a single class, so the loss is constant. "
            "For two classes in one output use binary_crossentropy.",
            SyntaxWarning,
            stacklevel=3,
        )
    y_true = ops.cast(y_true, y_pred.dtype)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]
    return y_true, y_pred


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """-sum y_true log(y_pred) over classes; probabilities are rescaled to sum 1.

    Args:
        y_true: probability of each class, such as one-hot rows.
        y_pred: predicted probabilities, or logits.
        from_logits: whether `y_pred` holds logits (the more accurate way).
        label_smoothing: the part, in [0, 1], of each target that is spread evenly over the classes.
        axis: axis of classes.
    """
    y_true, y_pred = _class_probabilities(y_true, y_pred, label_smoothing, axis, "categorical_crossentropy")
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """-sum alpha (1 - y_pred)^gamma y_true log(y_pred) (Lin et al. 2018, eq. 5); `alpha` may be one number a class."""
    y_true, y_pred = _class_probabilities(y_true, y_pred, label_smoothing, axis, "categorical_focal_crossentropy")
    if from_logits:
        y_pred = ops.softmax(y_pred, axis=axis)
    p = ops.clip(y_pred / ops.sum(y_pred, axis=axis, keepdims=True), epsilon(), 1.0 - epsilon())
    return ops.sum(ops.power(1.0 - p, gamma) * alpha * (-y_true * ops.log(p)), axis=axis)


@takes_indices
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """-log(y_pred[y_true]): the cross-entropy where targets are class indices.

    Args:
        y_true: class indices, of the shape of `y_pred` without the axis of classes (or with that axis of size 1).
        y_pred: predicted probabilities, or logits.
        from_logits: whether `y_pred` holds logits (the more accurate way).
        ignore_class: a class whose samples have loss 0 and are masked.
        axis: axis of classes.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis=axis)
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    valid = ops.not_equal(y_true, ops.cast(ignore_class, y_true.dtype))
    y_true = ops.where(valid, y_true, ops.zeros_like(y_true))
    y_pred = ops.where(ops.expand_dims(valid, axis), y_pred, ops.zeros_like(y_pred))
    values = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    values = ops.where(valid, values, ops.zeros_like(values))
    set_mask(values, valid)
    return values


def _binary_target(y_true: Any, y_pred: Any, label_smoothing: float) -> tuple[Any, Any]:
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    return (y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true), y_pred


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """mean -(y_true log(y_pred) + (1 - y_true) log(1 - y_pred)).

    Args:
        y_true: 0, 1, or a probability.
        y_pred: predicted probability, or its logit.
        from_logits: whether `y_pred` holds logits (the more accurate way).
        label_smoothing: moves targets towards 1/2 by this part, in [0, 1].
        axis: axis of the mean.
    """
    y_true, y_pred = _binary_target(y_true, y_pred, label_smoothing)
    return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits), axis=axis)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """mean (1 - p)^gamma times the binary cross-entropy, p the probability given to the truth (Lin et al. 2018, eq. 4).

    With `apply_class_balancing`, ones count `alpha` and zeros 1 - alpha (eq. 5).
    """
    y_true, y_pred = _binary_target(y_true, y_pred, label_smoothing)
    if from_logits:
        y_pred = ops.sigmoid(y_pred)
    p = y_true * y_pred + (1 - y_true) * (1 - y_pred)
    values = ops.power(1.0 - p, gamma) * ops.binary_crossentropy(y_true, y_pred)
    if apply_class_balancing:
        values = values * (y_true * alpha + (1 - y_true) * (1 - alpha))
    return ops.mean(values, axis=axis)


@takes_indices
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """(1 - y_pred[y_true]^q) / q, between absolute error (q = 1) and cross-entropy (q -> 0) (Zhang & Sabuncu 2018)."""
    y_pred = ops.convert_to_tensor(y_pred)
    chosen = ops.one_hot(ops.cast(y_true, "int32"), num_classes=y_pred.shape[-1], dtype=y_pred.dtype)
    return (1 - ops.power(ops.sum(y_pred * chosen, axis=-1), q)) / q
