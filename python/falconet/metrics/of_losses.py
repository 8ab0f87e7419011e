"""Running means of the loss functions and of measures of agreement like them."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..config import epsilon
from ..losses import classification, margin, regression
from ..losses.regression import as_pair
from .reduction import Mean, NamedMean, PlainMean


class MeanSquaredError(PlainMean):
    """Mean of (y_true - y_pred)^2."""

    _fn, _name, _direction = regression.mean_squared_error, "mean_squared_error", "down"


class MeanAbsoluteError(PlainMean):
    """Mean of |y_true - y_pred|."""

    _fn, _name, _direction = regression.mean_absolute_error, "mean_absolute_error", "down"


class MeanAbsolutePercentageError(PlainMean):
    """Mean of 100 |y_true - y_pred| / |y_true|."""

    _fn, _name, _direction = regression.mean_absolute_percentage_error, "mean_absolute_percentage_error", "down"


class MeanSquaredLogarithmicError(PlainMean):
    """Mean of the squared difference of log(1 + y)."""

    _fn, _name, _direction = regression.mean_squared_logarithmic_error, "mean_squared_logarithmic_error", "down"


class RootMeanSquaredError(Mean):
    """Square root of the mean of (y_true - y_pred)^2."""

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    # A mean of what it makes of pairs, not of values.
    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        y_true, y_pred = as_pair(y_true, ops.convert_to_tensor(y_pred, dtype=self.dtype))
        super().update_state(ops.square(y_pred - y_true), sample_weight)

    def result(self) -> Any:
        return ops.sqrt(super().result())


class LogCoshError(PlainMean):
    """Mean of log cosh(y_pred - y_true)."""

    _fn, _name, _direction = regression.log_cosh, "logcosh", "down"


class KLDivergence(PlainMean):
    """Mean of sum y_true log(y_true / y_pred)."""

    _fn, _name, _direction = regression.kl_divergence, "kl_divergence", "down"


class Poisson(PlainMean):
    """Mean of y_pred - y_true log(y_pred)."""

    _fn, _name, _direction = regression.poisson, "poisson", "down"


class Hinge(PlainMean):
    """Mean of max(1 - y_true y_pred, 0)."""

    _fn, _name, _direction = margin.hinge, "hinge", "down"


class SquaredHinge(PlainMean):
    """Mean of max(1 - y_true y_pred, 0)^2."""

    _fn, _name, _direction = margin.squared_hinge, "squared_hinge", "down"


class CategoricalHinge(PlainMean):
    """Mean of max(wrong - right + 1, 0)."""

    _fn, _name, _direction = margin.categorical_hinge, "categorical_hinge", "down"


class BinaryCrossentropy(NamedMean):
    """Mean cross-entropy of two classes in one output."""

    _fn, _name, _direction = classification.binary_crossentropy, "binary_crossentropy", "down"

    def __init__(
        self, name: str | None = None, dtype: Any = None, from_logits: bool = False, label_smoothing: float = 0
    ) -> None:
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalCrossentropy(NamedMean):
    """Mean cross-entropy of one-hot (or soft) targets."""

    _fn, _name, _direction = classification.categorical_crossentropy, "categorical_crossentropy", "down"

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class SparseCategoricalCrossentropy(NamedMean):
    """Mean cross-entropy of class indices."""

    _fn, _name = classification.sparse_categorical_crossentropy, "sparse_categorical_crossentropy"
    _direction = "down"

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis)


def _cosine(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    return -regression.cosine_similarity(y_true, y_pred, axis)


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Covariance over the product of standard deviations, along `axis`."""
    y_true, y_pred = (y - ops.mean(y, axis=axis, keepdims=True) for y in as_pair(y_true, y_pred))
    y_true, y_pred = (y / ops.std(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    return ops.mean(y_true * y_pred, axis=axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """2 cov / (var_true + var_pred + (mean_true - mean_pred)^2), along `axis` (Lin 1989)."""
    y_true, y_pred = as_pair(y_true, y_pred)
    mean_true, mean_pred = (ops.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    variances = ops.var(y_true, axis=axis, keepdims=True) + ops.var(y_pred, axis=axis, keepdims=True)
    # The mean of y_pred is taken from both factors, as in Keras: the means of their products agree.
    products = (y_true - mean_pred) * (y_pred - mean_pred)
    return ops.mean(2 * products / (variances + ops.square(mean_true - mean_pred) + epsilon()), axis=axis)


class CosineSimilarity(NamedMean):
    """Mean cosine of the angle between y_true and y_pred: 1 where they point the same way."""

    _fn, _name, _direction = _cosine, "cosine_similarity", "up"

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype, axis=axis)


class PearsonCorrelation(NamedMean):
    """Mean over samples of `pearson_correlation`."""

    _fn, _name, _direction = pearson_correlation, "pearson_correlation", "up"

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype, axis=axis)


class ConcordanceCorrelation(NamedMean):
    """Mean over samples of `concordance_correlation`."""

    _fn, _name, _direction = concordance_correlation, "concordance_correlation", "up"

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype, axis=axis)
