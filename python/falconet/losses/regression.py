"""Losses on numbers. Each function returns one value per sample: the mean (or sum) over the last axis."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..config import epsilon
from .loss import squeeze_or_expand_to_same_rank


def as_pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """The two as tensors of one dtype (that of `y_pred`) and one rank."""
    y_pred = ops.convert_to_tensor(y_pred)
    return squeeze_or_expand_to_same_rank(ops.cast(y_true, y_pred.dtype), y_pred)


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """mean (y_true - y_pred)^2."""
    y_true, y_pred = as_pair(y_true, y_pred)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """mean |y_true - y_pred|."""
    y_true, y_pred = as_pair(y_true, y_pred)
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 mean |y_true - y_pred| / max(|y_true|, epsilon)."""
    y_true, y_pred = as_pair(y_true, y_pred)
    return 100.0 * ops.mean(ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), epsilon())), axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """mean (log(max(y_pred, epsilon) + 1) - log(max(y_true, epsilon) + 1))^2."""
    y_true, y_pred = as_pair(y_true, y_pred)
    log_true, log_pred = (ops.log(ops.maximum(y, epsilon()) + 1.0) for y in (y_true, y_pred))
    return ops.mean(ops.square(log_pred - log_true), axis=-1)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """mean of e^2 / 2 where |e| <= delta and of delta |e| - delta^2 / 2 beyond, e = y_pred - y_true (Huber 1964)."""
    y_true, y_pred = as_pair(y_true, y_pred)
    error = ops.abs(y_pred - y_true)
    return ops.mean(ops.where(error <= delta, 0.5 * ops.square(error), delta * error - 0.5 * delta * delta), axis=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """mean log cosh(e), e = y_pred - y_true, written as e + softplus(-2 e) - log 2 so that it cannot overflow."""
    y_true, y_pred = as_pair(y_true, y_pred)
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(-2.0 * error) - math.log(2.0), axis=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """-cos of the angle between the vectors along `axis`: -1 where they point the same way."""
    y_true, y_pred = as_pair(y_true, y_pred)
    return -ops.sum(ops.normalize(y_true, axis=axis) * ops.normalize(y_pred, axis=axis), axis=axis)


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """sum y_true log(y_true / y_pred), both kept within [epsilon, 1]."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.clip(ops.cast(y_true, y_pred.dtype), epsilon(), 1)
    return ops.sum(y_true * ops.log(y_true / ops.clip(y_pred, epsilon(), 1)), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """mean (y_pred - y_true log(y_pred + epsilon))."""
    y_pred = ops.convert_to_tensor(y_pred)
    return ops.mean(y_pred - ops.cast(y_true, y_pred.dtype) * ops.log(y_pred + epsilon()), axis=-1)
