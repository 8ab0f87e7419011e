"""Losses by margin (hinges, circle) and by overlap of regions (Dice, Tversky)."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..config import epsilon
from ..masks import set_mask
from .loss import takes_indices


def _signs(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels as -1 and 1: turned into them where every label is 0 or 1, else left as they are."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    is_binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
    return ops.where(is_binary, 2.0 * y_true - 1.0, y_true), y_pred


def hinge(y_true: Any, y_pred: Any) -> Any:
    """mean max(1 - y_true y_pred, 0), with labels -1 and 1 (or 0 and 1)."""
    y_true, y_pred = _signs(y_true, y_pred)
    return ops.mean(ops.maximum(1.0 - y_true * y_pred, 0.0), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """mean max(1 - y_true y_pred, 0)^2, with labels -1 and 1 (or 0 and 1)."""
    y_true, y_pred = _signs(y_true, y_pred)
    return ops.mean(ops.square(ops.maximum(1.0 - y_true * y_pred, 0.0)), axis=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(0, 1 + the best wrong class - the right class), for one-hot targets."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """1 - 2 sum(y_true y_pred) / (sum y_true + sum y_pred + epsilon), over `axis` (None: all)."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    both = ops.sum(y_true * y_pred, axis=axis)
    return 1 - 2.0 * both / (ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis) + epsilon())


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """1 - both / (both + alpha missed + beta wrong + epsilon) (Salehi et al. 2017).

    `missed` is the part of `y_true` not predicted and `wrong` the part of `y_pred` not true, weighted as in Keras.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    both = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum((1 - y_pred) * y_true, axis=axis)
    wrong = ops.sum(y_pred * (1 - y_true), axis=axis)
    return 1 - both / (both + missed * alpha + wrong * beta + epsilon())


@takes_indices
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Any:
    """softplus(logsumexp over pairs of one class + logsumexp over pairs of two) (Sun et al. 2020, eq. 6).

    Args:
        y_true: (batch,) class indices.
        y_pred: (batch, n) embeddings of length 1.
        ref_labels, ref_embeddings: what to compare with; by default the batch itself.
        remove_diagonal: whether a sample is kept from being its own pair.
        gamma: scale of the similarities, > 0.
        margin: how far similarities may stay from 0 and 1, in [0, 1].
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
    others = labels if ref_labels is None else ops.reshape(ops.cast(ref_labels, "int32"), (-1, 1))
    embeddings = y_pred if ref_embeddings is None else ops.convert_to_tensor(ref_embeddings)
    distance = ops.maximum(1 - ops.matmul(y_pred, ops.transpose(embeddings)), 0.0)
    same = ops.equal(labels, ops.transpose(others))
    different = ops.logical_not(same)
    if remove_diagonal:
        same = ops.logical_and(same, ops.logical_not(ops.eye(same.shape[0], same.shape[1], dtype="bool")))
    pull = -gamma * (margin + distance) * (margin - distance)
    push = gamma * ops.maximum(1 + margin - distance, 0.0) * (1 - margin - distance)
    never = ops.full_like(distance, float("-inf"))
    pull, push = (ops.logsumexp(ops.where(m, x, never), axis=1) for m, x in ((same, pull), (different, push)))
    values = ops.softplus(pull + push)
    set_mask(values, values > 0)
    return values
