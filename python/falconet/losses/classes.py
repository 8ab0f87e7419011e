"""The losses as objects: a function, its arguments, and how its values are reduced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import alignment, classification, margin, regression
from .loss import Loss, LossFunctionWrapper


class _Named(Loss):
    """A loss whose function is the class attribute `_fn`; what the constructor takes besides is passed to it."""

    _fn: Callable[..., Any]
    _name: str

    def __init__(self, reduction: str | None, name: str | None, dtype: Any, **arguments: Any) -> None:
        super().__init__(name or self._name, reduction, dtype)
        self._keeps_integer_targets = getattr(self.fn, "takes_indices", False)
        self._arguments = arguments
        self.__dict__.update(arguments)

    call = LossFunctionWrapper.call

    @property
    def fn(self) -> Callable[..., Any]:
        """The function that gives one value per sample."""
        return type(self)._fn


class _Plain(_Named):
    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(reduction, name, dtype)


class MeanSquaredError(_Plain):
    """(y_true - y_pred)^2; see `mean_squared_error`."""

    _fn, _name = regression.mean_squared_error, "mean_squared_error"


class MeanAbsoluteError(_Plain):
    """|y_true - y_pred|; see `mean_absolute_error`."""

    _fn, _name = regression.mean_absolute_error, "mean_absolute_error"


class MeanAbsolutePercentageError(_Plain):
    """100 |y_true - y_pred| / |y_true|; see `mean_absolute_percentage_error`."""

    _fn, _name = regression.mean_absolute_percentage_error, "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(_Plain):
    """Squared difference of log(1 + y); see `mean_squared_logarithmic_error`."""

    _fn, _name = regression.mean_squared_logarithmic_error, "mean_squared_logarithmic_error"


class LogCosh(_Plain):
    """log cosh(y_pred - y_true); see `log_cosh`."""

    _fn, _name = regression.log_cosh, "log_cosh"


class KLDivergence(_Plain):
    """y_true log(y_true / y_pred); see `kl_divergence`."""

    _fn, _name = regression.kl_divergence, "kl_divergence"


class Poisson(_Plain):
    """y_pred - y_true log(y_pred); see `poisson`."""

    _fn, _name = regression.poisson, "poisson"


class Hinge(_Plain):
    """max(1 - y_true y_pred, 0); see `hinge`."""

    _fn, _name = margin.hinge, "hinge"


class SquaredHinge(_Plain):
    """max(1 - y_true y_pred, 0)^2; see `squared_hinge`."""

    _fn, _name = margin.squared_hinge, "squared_hinge"


class CategoricalHinge(_Plain):
    """max(wrong - right + 1, 0); see `categorical_hinge`."""

    _fn, _name = margin.categorical_hinge, "categorical_hinge"


class CTC(_Plain):
    """Connectionist temporal classification; see `ctc`."""

    _fn, _name = alignment.ctc, "ctc"


class CosineSimilarity(_Named):
    """-cos of the angle between y_true and y_pred; see `cosine_similarity`."""

    _fn, _name = regression.cosine_similarity, "cosine_similarity"

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)


class Huber(_Named):
    """Squared near 0, absolute beyond `delta`; see `huber`."""

    _fn, _name = regression.huber, "huber_loss"

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype, delta=delta)


class BinaryCrossentropy(_Named):
    """Cross-entropy of two classes in one output; see `binary_crossentropy`."""

    _fn, _name = classification.binary_crossentropy, "binary_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class BinaryFocalCrossentropy(_Named):
    """Cross-entropy of two classes that attends to the hard samples; see `binary_focal_crossentropy`."""

    _fn, _name = classification.binary_focal_crossentropy, "binary_focal_crossentropy"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        focus = {"apply_class_balancing": apply_class_balancing, "alpha": alpha, "gamma": gamma}
        super().__init__(
            reduction, name, dtype, **focus, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis
        )


class CategoricalCrossentropy(_Named):
    """Cross-entropy of one-hot (or soft) targets; see `categorical_crossentropy`."""

    _fn, _name = classification.categorical_crossentropy, "categorical_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class CategoricalFocalCrossentropy(_Named):
    """Cross-entropy that attends to the hard samples; see `categorical_focal_crossentropy`."""

    _fn, _name = classification.categorical_focal_crossentropy, "categorical_focal_crossentropy"

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        focus = {"alpha": alpha, "gamma": gamma}
        super().__init__(
            reduction, name, dtype, **focus, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis
        )


class SparseCategoricalCrossentropy(_Named):
    """Cross-entropy of class indices; see `sparse_categorical_crossentropy`."""

    _fn, _name = classification.sparse_categorical_crossentropy, "sparse_categorical_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis)


class CategoricalGeneralizedCrossEntropy(_Named):
    """Cross-entropy that tolerates wrong labels; see `categorical_generalized_cross_entropy`."""

    _fn, _name = classification.categorical_generalized_cross_entropy, "categorical_generalized_cross_entropy"

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(f"[CategoricalGeneralizedCrossEntropy] `q` is {q}; it must lie within (0, 1).")
        super().__init__(reduction, name, dtype, q=q)


class Dice(_Named):
    """1 - overlap of two regions; see `dice`."""

    _fn, _name = margin.dice, "dice"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype, axis=axis)


class Tversky(_Named):
    """1 - overlap of two regions, misses and false alarms weighted apart; see `tversky`."""

    _fn, _name = margin.tversky, "tversky"

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)


class Circle(_Named):
    """Pulls embeddings of one class together and pushes others apart; see `circle`."""

    _fn, _name = margin.circle, "circle"

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype, gamma=gamma, margin=margin, remove_diagonal=remove_diagonal)
