"""The estimators: Keras 3's three, and Falconet's own, which are the same with `random_state`.

A classifier one-hot encodes the labels for the callable that makes the model, as Keras does, and then trains on what
the model's loss takes: class indices for the sparse losses, 0 and 1 for an output of one number, else one-hot rows.

>>> import numpy as np
>>> def linear(X, y, learning_rate=0.1):
...     model = keras.Sequential([keras.Input((X.shape[1],)), layers.Dense(y.shape[1], activation="softmax")])
...     model.compile(keras.optimizers.Adam(learning_rate), "categorical_crossentropy")
...     return model
>>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array(["low", "low", "high", "high"])
>>> classifier = FalconetClassifier(linear, fit_kwargs={"epochs": 200}, random_state=0).fit(X, y)
>>> classifier.predict([[0.0], [3.0]]).tolist()
['low', 'high']
"""

from __future__ import annotations

from typing import Any

import numpy as np

from falconet import losses, ops, tree
from falconet.models.labels import is_sparse
from falconet.wrappers.base import SKLBase, trained_as_given
from falconet.wrappers.sklearn_parts import (
    ClassifierMixin,
    RegressorMixin,
    TransformerMixin,
    check_classification_targets,
    column_or_1d,
    validate_data,
)


class SKLearnClassifier(ClassifierMixin, SKLBase):  # type: ignore[misc]
    """A model as scikit-learn classifier, for labels of any type.

    Args:
        model: a compiled `Model`, of which every fit trains a copy with fresh weights, or a callable
            `(X, y, **model_kwargs) -> compiled model`, where y is one-hot, (n_samples, n_classes). The output has a
            number for each class, or, for two classes, one number for the second.
        warm_start: a fit goes on from the weights of the last one; a `Model` is trained as it is, not a copy of it.
        model_kwargs: more arguments of the callable.
        fit_kwargs: arguments of `Model.fit`; those given to `fit` itself take precedence.

    Attributes: `model_`, `history_`, `classes_` (sorted), `n_features_in_`, `feature_names_in_`.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **kwargs: Any) -> Any:
        """Trains on X (n_samples, n_features), or rows of any shape, and labels y (n_samples,).

        sample_weight: (n_samples,), or None. kwargs: arguments of `Model.fit`. Raises ValueError for labels that are
        numbers without classes, and for a single class.
        """
        X, y = validate_data(self, X, y, allow_nd=True)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        fresh = not self.warm_start or not hasattr(self, "model_")
        classes = np.unique(y)
        if not fresh and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"[{type(self).__name__}] the classes are {classes}, and with warm_start they must stay those of the "
                f"last fit, {self.classes_}."
            )
        self._set_classes(classes)
        return self._train(X, y, sample_weight, fresh, self._fit_arguments(kwargs))

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """Trains one epoch more. classes: all labels there will be, needed by the first call unless y has them all."""
        first = not hasattr(self, "model_")
        X, y = validate_data(self, X, y, reset=first, allow_nd=True)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        if first:
            self._set_classes(np.unique(y if classes is None else classes))
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"[{type(self).__name__}] `classes` is {classes}, but the first call had {self.classes_}.")
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(
                f"[{type(self).__name__}] y has the classes {unknown}, which are not among {self.classes_}; name all "
                "of them in `classes` of the first partial_fit."
            )
        return self._train(X, y, sample_weight, first, {**self._fit_arguments({}), "epochs": 1})

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each row, (n_samples,)."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, in the order of `classes_`: (n_samples, n_classes), rows sum to 1.

        Outputs that the loss takes as logits go through softmax or sigmoid; other losses have probabilities.
        """
        return self._probabilities(self._outputs(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """What the model gives, (n_samples, n_classes); for two classes the log-odds of the second, (n_samples,)."""
        outputs = self._outputs(X)
        if len(self.classes_) > 2:
            return outputs
        if self._from_logits:
            return outputs[:, 0] if outputs.shape[1] == 1 else outputs[:, 1] - outputs[:, 0]
        probabilities = np.maximum(self._probabilities(outputs), np.finfo(np.float32).tiny)
        return np.log(probabilities[:, 1]) - np.log(probabilities[:, 0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # as good as the model, which is the user's
        return tags

    # --- labels -------------------------------------------------------------------------------------------------------

    def _set_classes(self, classes: np.ndarray) -> None:
        if len(classes) < 2:
            raise ValueError(
                f"[{type(self).__name__}] Classifier can't train when only one class is present: {classes}."
            )
        self.classes_ = classes

    def _seen_by_model(self, y: np.ndarray) -> np.ndarray:
        return np.eye(len(self.classes_), dtype=np.float32)[np.searchsorted(self.classes_, y)]

    def _target_for(self, model: Any, y: np.ndarray) -> np.ndarray:
        if is_sparse(_loss_of(model)):
            return np.searchsorted(self.classes_, y).astype(np.int32)
        rows = self._seen_by_model(y)
        shape = model.output_shape if model._graph is not None else (None, None)
        if not isinstance(shape, tuple) or len(shape) != 2:
            raise ValueError(
                f"[{type(self).__name__}] the model's output has the shape {shape}; it must be (None, n_classes)."
            )
        width = shape[1]
        if width == 1 and len(self.classes_) == 2:
            return rows[:, 1:]
        if width not in (None, len(self.classes_)):
            raise ValueError(
                f"[{type(self).__name__}] there are {len(self.classes_)} classes, and the model's output has "
                f"{width} number(s) for each row; it needs one for each class, or one number for two classes."
            )
        return rows

    @property
    def _from_logits(self) -> bool:
        return bool(getattr(_loss_of(self.model_), "_arguments", {}).get("from_logits", False))

    def _outputs(self, X: Any) -> np.ndarray:
        X = self._check_x(X)
        return self.model_.predict(X, verbose=0)

    def _probabilities(self, outputs: np.ndarray) -> np.ndarray:
        if outputs.shape[1] == 1:
            second = ops.sigmoid(outputs).numpy() if self._from_logits else outputs
            return np.concatenate([1 - second, second], axis=1)
        return ops.softmax(outputs).numpy() if self._from_logits else outputs


class SKLearnRegressor(RegressorMixin, SKLBase):  # type: ignore[misc]
    """A model as scikit-learn regressor, for one target or several.

    Args:
        model: a compiled `Model`, of which every fit trains a copy with fresh weights, or a callable
            `(X, y, **model_kwargs) -> compiled model`.
        warm_start: a fit goes on from the weights of the last one; a `Model` is trained as it is, not a copy of it.
        model_kwargs: more arguments of the callable.
        fit_kwargs: arguments of `Model.fit`; those given to `fit` itself take precedence.

    Attributes: `model_`, `history_`, `n_features_in_`, `feature_names_in_`.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **kwargs: Any) -> Any:
        """Trains on X (n_samples, n_features), or rows of any shape, and y (n_samples,) or (n_samples, n_targets).

        sample_weight: (n_samples,), or None. kwargs: arguments of `Model.fit`.
        """
        fresh = not self.warm_start or not hasattr(self, "model_")
        X, y = self._check_xy(X, y, reset=True)
        return self._train(X, y, sample_weight, fresh, self._fit_arguments(kwargs))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Trains one epoch more."""
        first = not hasattr(self, "model_")
        X, y = self._check_xy(X, y, reset=first)
        return self._train(X, y, sample_weight, first, {**self._fit_arguments({}), "epochs": 1})

    def predict(self, X: Any) -> np.ndarray:
        """The outputs, of shape (n_samples,) or (n_samples, n_targets), as the targets were; float64 where X is not of
        lower precision, as scikit-learn's regressors give it."""
        X = self._check_x(X)
        outputs = self.model_.predict(X, verbose=0).astype(np.result_type(X, np.float32))
        return outputs.reshape(len(outputs)) if self._target_ndim == 1 else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True
        return tags

    def _check_xy(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = validate_data(self, X, y, reset=reset, multi_output=True, y_numeric=True, allow_nd=True)
        if reset:
            self._target_ndim = y.ndim
        return X, y

    def _target_for(self, model: Any, y: Any) -> Any:
        """A column for one target: the output of a Dense(1) is one, and would broadcast against anything else."""
        y = np.asarray(y, np.float32)
        y = y.reshape(len(y), -1)
        shape = model.output_shape if model._graph is not None else (None, None)
        if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] not in (None, y.shape[1]):
            raise ValueError(
                f"[{type(self).__name__}] there are {y.shape[1]} target(s), and the model's output has the shape "
                f"{shape}; it must be (None, {y.shape[1]})."
            )
        return y


class SKLearnTransformer(TransformerMixin, SKLBase):  # type: ignore[misc]
    """A model as scikit-learn transformer: its outputs are the features of the next step.

    Args:
        model: a compiled `Model`, of which every fit trains a copy with fresh weights, or a callable
            `(X, y, **model_kwargs) -> compiled model`.
        warm_start: a fit goes on from the weights of the last one; a `Model` is used as it is, also without a fit.
        model_kwargs: more arguments of the callable.
        fit_kwargs: arguments of `Model.fit`; those given to `fit` itself take precedence.

    Attributes: `model_`, `history_`, `n_features_in_`, `feature_names_in_`.
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, **kwargs: Any) -> Any:
        """Trains on X (n_samples, n_features), or rows of any shape, and y; without y on X itself, as autoencoders do.

        sample_weight: (n_samples,), or None. kwargs: arguments of `Model.fit`.
        """
        fresh = not self.warm_start or not hasattr(self, "model_")
        if y is None:
            X = validate_data(self, X, allow_nd=True)
            y = X
        else:
            X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, allow_nd=True)
            y = y.reshape(len(y), -1) if y.ndim == 1 else y
        return self._train(X, y, sample_weight, fresh, self._fit_arguments(kwargs))

    def transform(self, X: Any) -> np.ndarray:
        """The model's outputs for each row of X."""
        model = self.model_ if hasattr(self, "model_") else trained_as_given(self)
        X = validate_data(self, X, reset=False, allow_nd=True)
        return model.predict(X, verbose=0)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_") or bool(self.warm_start)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


class _Seeded:
    """Adds `random_state`: an integer gives the same weights, order and dropout at every fit, whatever else has drawn
    numbers, and leaves the generators of the process as they were. None: the generators of the process decide."""

    def __init__(
        self,
        model: Any,
        warm_start: bool = False,
        model_kwargs: Any = None,
        fit_kwargs: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(model, warm_start, model_kwargs, fit_kwargs)  # type: ignore[call-arg]
        self.random_state = random_state


class FalconetClassifier(_Seeded, SKLearnClassifier):
    __doc__ = f"{SKLearnClassifier.__doc__}\n    {_Seeded.__doc__}\n"


class FalconetRegressor(_Seeded, SKLearnRegressor):
    __doc__ = f"{SKLearnRegressor.__doc__}\n    {_Seeded.__doc__}\n"


class FalconetTransformer(_Seeded, SKLearnTransformer):
    __doc__ = f"{SKLearnTransformer.__doc__}\n    {_Seeded.__doc__}\n"


def _loss_of(model: Any) -> Any:
    """The one loss of a model, as an object or function; None for several, and for "crossentropy", which is the one
    that fits the targets."""
    given = tree.flatten(model.loss)
    if len(given) != 1 or (isinstance(given[0], str) and given[0].lower() in ("crossentropy", "ce")):
        return None
    return losses.get(given[0])
