"""Losses: functions that give one value per sample, and objects that also weight and reduce them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazy import attach
from ..saving.identifiers import NamesIn, resolve
from ..saving.serialization import deserialize_keras_object, serialize_keras_object

if TYPE_CHECKING:
    from .alignment import ctc as ctc
    from .classes import (
        CTC as CTC,
        BinaryCrossentropy as BinaryCrossentropy,
        BinaryFocalCrossentropy as BinaryFocalCrossentropy,
        CategoricalCrossentropy as CategoricalCrossentropy,
        CategoricalFocalCrossentropy as CategoricalFocalCrossentropy,
        CategoricalGeneralizedCrossEntropy as CategoricalGeneralizedCrossEntropy,
        CategoricalHinge as CategoricalHinge,
        Circle as Circle,
        CosineSimilarity as CosineSimilarity,
        Dice as Dice,
        Hinge as Hinge,
        Huber as Huber,
        KLDivergence as KLDivergence,
        LogCosh as LogCosh,
        MeanAbsoluteError as MeanAbsoluteError,
        MeanAbsolutePercentageError as MeanAbsolutePercentageError,
        MeanSquaredError as MeanSquaredError,
        MeanSquaredLogarithmicError as MeanSquaredLogarithmicError,
        Poisson as Poisson,
        SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
        SquaredHinge as SquaredHinge,
        Tversky as Tversky,
    )
    from .classification import (
        binary_crossentropy as binary_crossentropy,
        binary_focal_crossentropy as binary_focal_crossentropy,
        categorical_crossentropy as categorical_crossentropy,
        categorical_focal_crossentropy as categorical_focal_crossentropy,
        categorical_generalized_cross_entropy as categorical_generalized_cross_entropy,
        sparse_categorical_crossentropy as sparse_categorical_crossentropy,
    )
    from .loss import Loss as Loss, LossFunctionWrapper as LossFunctionWrapper
    from .margin import (
        categorical_hinge as categorical_hinge,
        circle as circle,
        dice as dice,
        hinge as hinge,
        squared_hinge as squared_hinge,
        tversky as tversky,
    )
    from .regression import (
        cosine_similarity as cosine_similarity,
        huber as huber,
        kl_divergence as kl_divergence,
        log_cosh as log_cosh,
        mean_absolute_error as mean_absolute_error,
        mean_absolute_percentage_error as mean_absolute_percentage_error,
        mean_squared_error as mean_squared_error,
        mean_squared_logarithmic_error as mean_squared_logarithmic_error,
        poisson as poisson,
    )
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".alignment": "ctc",
            ".classes": (
                "BinaryCrossentropy BinaryFocalCrossentropy CTC CategoricalCrossentropy CategoricalFocalCrossentropy "
                "CategoricalGeneralizedCrossEntropy CategoricalHinge Circle CosineSimilarity Dice Hinge Huber "
                "KLDivergence LogCosh MeanAbsoluteError MeanAbsolutePercentageError "
                "MeanSquaredError MeanSquaredLogarithmicError Poisson SparseCategoricalCrossentropy SquaredHinge "
                "Tversky"
            ),
            ".classification": (
                "binary_crossentropy binary_focal_crossentropy categorical_crossentropy categorical_focal_crossentropy "
                "categorical_generalized_cross_entropy sparse_categorical_crossentropy"
            ),
            ".loss": "Loss LossFunctionWrapper",
            ".margin": "categorical_hinge circle dice hinge squared_hinge tversky",
            ".regression": (
                "cosine_similarity huber kl_divergence log_cosh mean_absolute_error mean_absolute_percentage_error "
                "mean_squared_error mean_squared_logarithmic_error poisson"
            ),
        },
    )
    __all__ += ["deserialize", "get", "serialize"]

_SHORT = {
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
}
# A snake_case name means the function, where a class shares it.
_NAMES = NamesIn(__name__, besides=("Loss", "LossFunctionWrapper"), functions=True, short=_SHORT)


def serialize(loss: Any) -> Any:
    """A config that `deserialize` turns back into the loss."""
    return serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss that `serialize` described, or that has this name."""
    return deserialize_keras_object(name, custom_objects, module_objects=_NAMES)


def get(identifier: Any) -> Any:
    """The loss meant by None, a name (a function), a config, a class or a callable."""
    return resolve(identifier, _NAMES, "loss")
