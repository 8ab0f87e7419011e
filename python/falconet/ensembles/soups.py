"""One model whose weights are the mean of several models': as fast as one, and often as good as their ensemble.

It needs models that have been trained on from the same weights, by other data, orders or hyper-parameters; the mean of
models that began differently is of no use. Source: Wortsman et al., Model soups, 2022 (arXiv:2203.05482).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from falconet.callbacks.averages import WeightMean
from falconet.models import Model


def average_weights(models: Sequence[Any]) -> list[np.ndarray]:
    """The mean of the models' weights, computed in float64, as `set_weights` takes it; of weights that are not floats
    those of the last model. ValueError for models whose weights differ in number or shape."""
    _check("average_weights", models)
    mean = WeightMean()
    for model in models:
        mean.add(model.get_weights())
    return mean.result()


def uniform_soup(models: Sequence[Any]) -> Any:
    """A copy of the first model with the mean of all models' weights. The optimizer's state is the first model's.

    >>> first = keras.Sequential([keras.Input((2,)), layers.Dense(1, kernel_initializer="zeros")])
    >>> second = keras.Sequential([keras.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    >>> uniform_soup([first, second]).get_weights()[0].tolist()
    [[0.5], [0.5]]
    """
    _check("uniform_soup", models)
    return _with_weights(models[0], average_weights(models))


def greedy_soup(models: Sequence[Any], score: Callable[[Any], float]) -> Any:
    """Takes the models from the best to the worst, and keeps one in the mean where that scores no lower than without.

    score: gives a number for a model, higher is better, such as the accuracy on validation data: the soup scores at
    least as high there as the best model does. Returns a copy of the best model with the weights of the soup.
    """
    _check("greedy_soup", models)
    scores = [float(score(model)) for model in models]
    if np.isnan(scores).any():
        raise ValueError(f"[greedy_soup] the scores are {scores}; none may be NaN.")
    order = np.argsort([-value for value in scores], kind="stable")
    kept = [models[order[0]]]
    soup, best = _with_weights(kept[0], kept[0].get_weights()), scores[order[0]]
    for i in order[1:]:
        soup.set_weights(average_weights([*kept, models[i]]))
        reached = float(score(soup))
        if reached >= best:
            kept.append(models[i])
            best = reached
    soup.set_weights(average_weights(kept))
    return soup


def _with_weights(model: Any, weights: list[Any]) -> Any:
    made = copy.deepcopy(model)
    made.set_weights(weights)
    return made


def _check(owner: str, models: Sequence[Any]) -> None:
    if not isinstance(models, (list, tuple)) or not models:
        raise ValueError(f"[{owner}] `models` must be a list of one model or more, got {models!r}.")
    shapes = []
    for i, model in enumerate(models):
        if not isinstance(model, Model) or not model.built:
            raise ValueError(f"[{owner}] model {i} must be a Model that has its weights.")
        shapes.append([tuple(weight.shape) for weight in model.weights])
        if shapes[i] != shapes[0]:
            raise ValueError(f"[{owner}] model {i} has weights of shapes {shapes[i]}, and model 0 of {shapes[0]}.")
