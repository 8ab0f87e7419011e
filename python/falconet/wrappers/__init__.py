"""Models as scikit-learn estimators, for pipelines, searches and cross-validation (`falconet[sklearn]`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .estimators import (
        FalconetClassifier as FalconetClassifier,
        FalconetRegressor as FalconetRegressor,
        FalconetTransformer as FalconetTransformer,
        SKLearnClassifier as SKLearnClassifier,
        SKLearnRegressor as SKLearnRegressor,
        SKLearnTransformer as SKLearnTransformer,
    )
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".estimators": (
                "FalconetClassifier FalconetRegressor FalconetTransformer SKLearnClassifier SKLearnRegressor "
                "SKLearnTransformer"
            ),
        },
    )
