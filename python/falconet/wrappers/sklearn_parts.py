"""What the estimators take from scikit-learn, with an error that says how to get it."""

from __future__ import annotations

try:
    from sklearn.base import (
        BaseEstimator as BaseEstimator,
        ClassifierMixin as ClassifierMixin,
        RegressorMixin as RegressorMixin,
        TransformerMixin as TransformerMixin,
    )
    from sklearn.exceptions import NotFittedError as NotFittedError
    from sklearn.utils.multiclass import check_classification_targets as check_classification_targets
    from sklearn.utils.validation import (
        _check_sample_weight as _check_sample_weight,
        check_is_fitted as check_is_fitted,
        column_or_1d as column_or_1d,
        validate_data as validate_data,
    )
except ImportError as error:
    raise ImportError(
        "[falconet.wrappers] the estimators need scikit-learn 1.6 or newer: pip install 'falconet[sklearn]'."
    ) from error
