"""What the estimators share: making the model, fitting it, and the parameters that scikit-learn reads and sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np

from falconet.models import Model, clone_model
from falconet.random import set_random_seed
from falconet.random.global_state import get_random_state, set_random_state
from falconet.wrappers.sklearn_parts import (
    BaseEstimator,
    NotFittedError,
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

_DICTIONARIES = ("model_kwargs", "fit_kwargs")  # whose entries are parameters too: fit_kwargs__epochs


class SKLBase(BaseEstimator):  # type: ignore[misc]
    """The base of all estimators.

    Args:
        model: a compiled `Model`, of which every fit trains a copy with fresh weights, or a callable that is given `X`,
            `y` and `model_kwargs` by name and returns a compiled model.
        warm_start: a fit goes on from the weights of the last one; a `Model` is trained as it is, not a copy of it.
        model_kwargs: more arguments of the callable.
        fit_kwargs: arguments of `Model.fit`; those given to `fit` itself take precedence.

    The entries of the two dictionaries are parameters for searches: `model_kwargs__units`, `fit_kwargs__epochs`.
    """

    model_: Any
    history_: Any
    _epochs: int

    def __init__(self, model: Any, warm_start: bool = False, model_kwargs: Any = None, fit_kwargs: Any = None) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    # --- parameters ---------------------------------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor; deep: also the entries of `model_kwargs` and `fit_kwargs`."""
        params = super().get_params(deep=deep)
        if deep:
            for name in _DICTIONARIES:
                if isinstance(params[name], dict):
                    params.update({f"{name}__{key}": value for key, value in params[name].items()})
        return params

    def set_params(self, **params: Any) -> Any:
        """Sets parameters by name, entries of `model_kwargs` and `fit_kwargs` as `model_kwargs__name`."""
        entries = {key: params.pop(key) for key in list(params) if key.split("__")[0] in _DICTIONARIES and "__" in key}
        super().set_params(**params)
        for key, value in entries.items():
            name, entry = key.split("__", 1)
            # A new dictionary: the one at hand may belong to another estimator.
            setattr(self, name, {**(getattr(self, name) or {}), entry: value})
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = getattr(self, "random_state", None) is None
        return tags

    @property
    def epoch_(self) -> int:
        """Epochs that the model has been trained for by the last fit and what went on from it."""
        return getattr(self, "_epochs", 0)

    # --- the model ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _seeded(self, epochs: int) -> Iterator[None]:
        """With `random_state`, draws depend on it and the epochs that have been trained alone; the generators of the
        process are left as they were."""
        given = getattr(self, "random_state", None)
        if given is None:
            yield
            return
        if isinstance(given, np.random.RandomState):
            given = int(given.randint(np.iinfo(np.int32).max))
        if not isinstance(given, Integral) or isinstance(given, bool) or not 0 <= int(given) < 2**32:
            raise ValueError(
                f"[{type(self).__name__}] `random_state` is {given!r}; it must be an integer in [0, 2**32), a "
                "RandomState or None."
            )
        kept = get_random_state()
        set_random_seed((int(given) + epochs) % 2**32)
        try:
            yield
        finally:
            set_random_state(kept)

    def _make_model(self, X: Any, y: Any) -> Any:
        """The model to train: checked, so that a wrong one is an error before training."""
        owner = type(self).__name__
        if isinstance(self.model, Model):
            if not self.model.compiled:
                raise RuntimeError(f"[{owner}] `model` is not compiled: call compile(optimizer, loss) on it first.")
            return self.model if self.warm_start else clone_model(self.model)
        if not callable(self.model):
            raise TypeError(f"[{owner}] `model` is {self.model!r}; it must be a Model or a callable that returns one.")
        model = self.model(X=X, y=y, **(self.model_kwargs or {}))
        if not isinstance(model, Model):
            raise TypeError(f"[{owner}] `model` returned {model!r}; it must return a Model.")
        if not model.compiled or model.optimizer is None:
            raise RuntimeError(f"[{owner}] `model` returned a model that is not compiled: call compile in it.")
        return model

    def _train(self, X: Any, y: Any, sample_weight: Any, fresh: bool, kwargs: dict[str, Any]) -> Any:
        before = 0 if fresh else self._epochs
        with self._seeded(before):
            model = self._make_model(X, self._seen_by_model(y)) if fresh else self.model_
            history = self._fit_model(model, X, y, sample_weight, kwargs)
        self.model_ = model
        self.history_ = history
        self._epochs = before + len(history.epoch)
        return self

    def _fit_model(self, model: Any, X: Any, y: Any, sample_weight: Any, kwargs: dict[str, Any]) -> Any:
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float32)
        return model.fit(X, self._target_for(model, y), sample_weight=sample_weight, **kwargs)

    def _seen_by_model(self, y: Any) -> Any:
        """The targets as the callable that makes the model sees them."""
        return y

    def _target_for(self, model: Any, y: Any) -> Any:
        """The targets as the model is trained on them."""
        return y

    def _fit_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        return {"verbose": 0, **(self.fit_kwargs or {}), **kwargs}

    def _check_x(self, X: Any) -> Any:
        """The rows to predict for, of a fitted estimator: finite numbers with the features that it was fitted to."""
        check_is_fitted(self)
        return validate_data(self, X, reset=False, allow_nd=True)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")


def trained_as_given(estimator: SKLBase) -> Any:
    """The model of an estimator with warm_start, which can be used before any fit; NotFittedError where it cannot."""
    if estimator.warm_start and isinstance(estimator.model, Model):
        return estimator.model
    raise NotFittedError(
        f"[{type(estimator).__name__}] call fit first. To use a trained Model as it is, pass warm_start=True."
    )
