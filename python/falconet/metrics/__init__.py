"""Metrics: state updated batch by batch, and a result over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazy import attach
from ..saving.identifiers import NamesIn, resolve
from ..saving.serialization import deserialize_keras_object, serialize_keras_object

if TYPE_CHECKING:
    from ..losses import (
        binary_crossentropy as binary_crossentropy,
        binary_focal_crossentropy as binary_focal_crossentropy,
        categorical_crossentropy as categorical_crossentropy,
        categorical_focal_crossentropy as categorical_focal_crossentropy,
        categorical_hinge as categorical_hinge,
        hinge as hinge,
        huber as huber,
        kl_divergence as kl_divergence,
        log_cosh as log_cosh,
        mean_absolute_error as mean_absolute_error,
        mean_absolute_percentage_error as mean_absolute_percentage_error,
        mean_squared_error as mean_squared_error,
        mean_squared_logarithmic_error as mean_squared_logarithmic_error,
        poisson as poisson,
        sparse_categorical_crossentropy as sparse_categorical_crossentropy,
        squared_hinge as squared_hinge,
    )
    from .accuracy import (
        Accuracy as Accuracy,
        BinaryAccuracy as BinaryAccuracy,
        CategoricalAccuracy as CategoricalAccuracy,
        SparseCategoricalAccuracy as SparseCategoricalAccuracy,
        SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy,
        TopKCategoricalAccuracy as TopKCategoricalAccuracy,
        binary_accuracy as binary_accuracy,
        categorical_accuracy as categorical_accuracy,
        sparse_categorical_accuracy as sparse_categorical_accuracy,
        sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy,
        top_k_categorical_accuracy as top_k_categorical_accuracy,
    )
    from .auc import AUC as AUC
    from .confusion import (
        FalseNegatives as FalseNegatives,
        FalsePositives as FalsePositives,
        Precision as Precision,
        PrecisionAtRecall as PrecisionAtRecall,
        Recall as Recall,
        RecallAtPrecision as RecallAtPrecision,
        SensitivityAtSpecificity as SensitivityAtSpecificity,
        SpecificityAtSensitivity as SpecificityAtSensitivity,
        TrueNegatives as TrueNegatives,
        TruePositives as TruePositives,
    )
    from .iou import (
        BinaryIoU as BinaryIoU,
        IoU as IoU,
        MeanIoU as MeanIoU,
        OneHotIoU as OneHotIoU,
        OneHotMeanIoU as OneHotMeanIoU,
    )
    from .metric import Metric as Metric
    from .of_losses import (
        BinaryCrossentropy as BinaryCrossentropy,
        CategoricalCrossentropy as CategoricalCrossentropy,
        CategoricalHinge as CategoricalHinge,
        ConcordanceCorrelation as ConcordanceCorrelation,
        CosineSimilarity as CosineSimilarity,
        Hinge as Hinge,
        KLDivergence as KLDivergence,
        LogCoshError as LogCoshError,
        MeanAbsoluteError as MeanAbsoluteError,
        MeanAbsolutePercentageError as MeanAbsolutePercentageError,
        MeanSquaredError as MeanSquaredError,
        MeanSquaredLogarithmicError as MeanSquaredLogarithmicError,
        PearsonCorrelation as PearsonCorrelation,
        Poisson as Poisson,
        RootMeanSquaredError as RootMeanSquaredError,
        SparseCategoricalCrossentropy as SparseCategoricalCrossentropy,
        SquaredHinge as SquaredHinge,
        concordance_correlation as concordance_correlation,
        pearson_correlation as pearson_correlation,
    )
    from .reduction import Mean as Mean, MeanMetricWrapper as MeanMetricWrapper, Sum as Sum
    from .scores import F1Score as F1Score, FBetaScore as FBetaScore, R2Score as R2Score
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            "..losses": (
                "binary_crossentropy binary_focal_crossentropy categorical_crossentropy categorical_focal_crossentropy "
                "categorical_hinge hinge huber kl_divergence log_cosh mean_absolute_error "
                "mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error poisson "
                "sparse_categorical_crossentropy squared_hinge"
            ),
            ".accuracy": (
                "Accuracy BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy SparseTopKCategoricalAccuracy "
                "TopKCategoricalAccuracy binary_accuracy categorical_accuracy sparse_categorical_accuracy "
                "sparse_top_k_categorical_accuracy top_k_categorical_accuracy"
            ),
            ".auc": "AUC",
            ".confusion": (
                "FalseNegatives FalsePositives Precision PrecisionAtRecall Recall RecallAtPrecision "
                "SensitivityAtSpecificity SpecificityAtSensitivity TrueNegatives TruePositives"
            ),
            ".iou": "BinaryIoU IoU MeanIoU OneHotIoU OneHotMeanIoU",
            ".metric": "Metric",
            ".of_losses": (
                "BinaryCrossentropy CategoricalCrossentropy CategoricalHinge ConcordanceCorrelation CosineSimilarity "
                "Hinge KLDivergence LogCoshError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError "
                "MeanSquaredLogarithmicError PearsonCorrelation Poisson RootMeanSquaredError "
                "SparseCategoricalCrossentropy SquaredHinge concordance_correlation pearson_correlation"
            ),
            ".reduction": "Mean MeanMetricWrapper Sum",
            ".scores": "F1Score FBetaScore R2Score",
        },
    )
    __all__ += ["deserialize", "get", "serialize"]

_SHORT = {
    "bce": "BinaryCrossentropy",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "mse": "MeanSquaredError",
    "msle": "MeanSquaredLogarithmicError",
}
_NAMES = NamesIn(__name__, besides=("Metric", "MeanMetricWrapper"), short=_SHORT)


def serialize(metric: Any) -> Any:
    """A config that `deserialize` turns back into the metric."""
    return serialize_keras_object(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The metric that `serialize` described."""
    return deserialize_keras_object(config, custom_objects, module_objects=_NAMES)


def get(identifier: Any) -> Any:
    """The metric meant by None, a name, a config, a class, a metric or a function."""
    return resolve(identifier, _NAMES, "metric")
