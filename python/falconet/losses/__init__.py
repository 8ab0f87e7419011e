"""Losses: functions that give one value per sample, and objects that also weight and reduce them."""

from __future__ import annotations

from typing import Any

from ..saving.identifiers import names_of, resolve
from ..saving.registration import register_builtin
from ..saving.serialization import deserialize_keras_object, serialize_keras_object
from .alignment import ctc
from .classes import (
    CTC,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    Circle,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    LossFunctionWrapper,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
)
from .classification import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from .loss import Loss
from .margin import categorical_hinge, circle, dice, hinge, squared_hinge, tversky
from .regression import (
    cosine_similarity,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
)

_CLASSES: tuple[Any, ...] = (
    MeanSquaredError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    LogCosh,
)
_CLASSES += (KLDivergence, Poisson, Hinge, SquaredHinge, CategoricalHinge, CTC, CosineSimilarity, Huber, Dice, Tversky)
_CLASSES += (BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy, Circle)
_CLASSES += (SparseCategoricalCrossentropy, CategoricalGeneralizedCrossEntropy)
_FUNCTIONS: tuple[Any, ...] = (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
)
_FUNCTIONS += (categorical_generalized_cross_entropy, ctc, sparse_categorical_crossentropy, categorical_hinge, circle)
_FUNCTIONS += (dice, hinge, squared_hinge, tversky, cosine_similarity, huber, kl_divergence, log_cosh, poisson)
_FUNCTIONS += (mean_absolute_error, mean_absolute_percentage_error, mean_squared_error, mean_squared_logarithmic_error)
_SHORT = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "mape": mean_absolute_percentage_error,
    "msle": mean_squared_logarithmic_error,
}
# A snake_case name means the function, so that it comes after the class that shares it.
_NAMES = names_of(_CLASSES) | {fn.__name__: fn for fn in _FUNCTIONS}
_NAMES |= _SHORT | {name.upper(): fn for name, fn in _SHORT.items()}
for _function in _FUNCTIONS:
    register_builtin(_function, "losses")


def serialize(loss: Any) -> Any:
    """A config that `deserialize` turns back into the loss."""
    return serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss that `serialize` described, or that has this name."""
    return deserialize_keras_object(name, custom_objects, module_objects=_NAMES)


def get(identifier: Any) -> Any:
    """The loss meant by None, a name (a function), a config, a class or a callable."""
    return resolve(identifier, _NAMES, "loss")


__all__ = ["Loss", "LossFunctionWrapper", *(c.__name__ for c in _CLASSES), *(f.__name__ for f in _FUNCTIONS)]
__all__ += ["serialize", "deserialize", "get"]
