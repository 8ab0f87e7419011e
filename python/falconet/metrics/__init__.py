"""Metrics: state updated batch by batch, and a result over all of them."""

from __future__ import annotations

from typing import Any

from ..losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from ..saving.identifiers import names_of, resolve
from ..saving.registration import register_builtin
from ..saving.serialization import deserialize_keras_object, serialize_keras_object
from .accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from .auc import AUC
from .confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from .iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from .metric import Metric
from .of_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    concordance_correlation,
    pearson_correlation,
)
from .reduction import Mean, MeanMetricWrapper, Sum
from .scores import F1Score, FBetaScore, R2Score

_CLASSES: tuple[Any, ...] = (
    Mean,
    Sum,
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
_CLASSES += (
    SparseTopKCategoricalAccuracy,
    AUC,
    FalseNegatives,
    FalsePositives,
    TrueNegatives,
    TruePositives,
    Precision,
)
_CLASSES += (
    Recall,
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    BinaryIoU,
)
_CLASSES += (IoU, MeanIoU, OneHotIoU, OneHotMeanIoU, BinaryCrossentropy, CategoricalCrossentropy, CategoricalHinge)
_CLASSES += (ConcordanceCorrelation, CosineSimilarity, Hinge, KLDivergence, LogCoshError, MeanAbsoluteError, F1Score)
_CLASSES += (MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, PearsonCorrelation, Poisson)
_CLASSES += (RootMeanSquaredError, SparseCategoricalCrossentropy, SquaredHinge, FBetaScore, R2Score)
_FUNCTIONS: tuple[Any, ...] = (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    top_k_categorical_accuracy,
)
_FUNCTIONS += (sparse_top_k_categorical_accuracy, pearson_correlation, concordance_correlation)
_SHORT = {
    "bce": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_NAMES = names_of(_CLASSES) | _SHORT | {name.upper(): cls for name, cls in _SHORT.items()}
for _function in _FUNCTIONS:
    register_builtin(_function, "metrics")


def serialize(metric: Any) -> Any:
    """A config that `deserialize` turns back into the metric."""
    return serialize_keras_object(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The metric that `serialize` described."""
    return deserialize_keras_object(config, custom_objects, module_objects=_NAMES)


def get(identifier: Any) -> Any:
    """The metric meant by None, a name, a config, a class, a metric or a function."""
    return resolve(identifier, _NAMES, "metric")


__all__ = ["Metric", "MeanMetricWrapper", *(c.__name__ for c in _CLASSES), *(f.__name__ for f in _FUNCTIONS)]
__all__ += [
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_hinge",
    "hinge",
]
__all__ += [
    "categorical_focal_crossentropy",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "squared_hinge",
]
__all__ += ["mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "poisson"]
__all__ += ["sparse_categorical_crossentropy", "serialize", "deserialize", "get"]
