"""Members of an ensemble: copies of one model, each trained on its part of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from falconet import tree
from falconet.models import Model, clone_model


class Members(NamedTuple):
    """What `k_fold` and `bagging` return.

    predictions: for each row the mean output of the members that were not trained on it, NaN where all were.
    """

    models: list[Any]
    predictions: np.ndarray
    histories: list[Any]


def k_fold(
    model: Any,
    x: Any,
    y: Any,
    folds: int = 5,
    stratify: Any = None,
    seed: int | None = None,
    sample_weight: Any = None,
    **fit_kwargs: Any,
) -> Members:
    """Trains a member for each fold on all the others; the fold itself is its validation data.

    Args:
        model: a compiled `Model`, of which each member is a copy with fresh weights, or a function without arguments
            that returns a compiled model.
        x, y: arrays of n rows; x may be a list or dictionary of them.
        folds: from 2 to n.
        stratify: labels (n,): every fold has its share of each, to within one row.
        seed: of the order of the rows.
        sample_weight: (n,), or None.
        fit_kwargs: arguments of `Model.fit`. Callbacks serve one member after another.

    >>> model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> members = k_fold(model, np.ones((10, 2)), np.ones(10), folds=5, verbose=0)
    >>> len(members.models), members.predictions.shape
    (5, (10, 1))
    """
    rows = _count_rows("k_fold", x, y, sample_weight)
    if isinstance(folds, bool) or not isinstance(folds, (int, np.integer)) or not 2 <= folds <= rows:
        raise ValueError(f"[k_fold] `folds` must be an integer from 2 to the number of rows, {rows}; got {folds!r}.")
    if "validation_data" in fit_kwargs or "validation_split" in fit_kwargs:
        raise ValueError("[k_fold] the validation data of a member are those of its fold; pass none.")
    order = np.random.default_rng(seed).permutation(rows)
    if stratify is not None:
        labels = np.asarray(stratify)
        if labels.shape != (rows,):
            raise ValueError(f"[k_fold] `stratify` has shape {labels.shape}; it must be ({rows},).")
        order = order[np.argsort(labels[order], kind="stable")]  # dealt out in turn, each label goes round the folds
    fold = np.empty(rows, np.int64)
    fold[order] = np.arange(rows) % folds
    parts = ((np.nonzero(fold != i)[0], np.nonzero(fold == i)[0]) for i in range(folds))
    return _train(_maker("k_fold", model), parts, x, y, sample_weight, fit_kwargs, validate=True)


def bagging(
    model: Any,
    x: Any,
    y: Any,
    members: int = 10,
    fraction: float = 1.0,
    seed: int | None = None,
    sample_weight: Any = None,
    **fit_kwargs: Any,
) -> Members:
    """Trains members on rows that are drawn with replacement (Breiman, Bagging Predictors, 1996).

    Args:
        model: a compiled `Model`, of which each member is a copy with fresh weights, or a function without arguments
            that returns a compiled model.
        x, y: arrays of n rows; x may be a list or dictionary of them.
        members: 1 or more.
        fraction: each draws this share of n rows, more than 0. With 1.0 a row misses from some 37 % of the members.
        seed: of the draws.
        sample_weight: (n,), or None.
        fit_kwargs: arguments of `Model.fit`. Callbacks serve one member after another.
    """
    rows = _count_rows("bagging", x, y, sample_weight)
    if isinstance(members, bool) or not isinstance(members, (int, np.integer)) or members < 1:
        raise ValueError(f"[bagging] `members` must be an integer >= 1, got {members!r}.")
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 < fraction < float("inf"):
        raise ValueError(f"[bagging] `fraction` must be a number > 0, got {fraction!r}.")
    rng = np.random.default_rng(seed)
    size = max(1, round(fraction * rows))
    drawn = (rng.integers(0, rows, size) for _ in range(members))
    parts = ((bag, np.setdiff1d(np.arange(rows), bag)) for bag in drawn)
    return _train(_maker("bagging", model), parts, x, y, sample_weight, fit_kwargs, validate=False)


def _count_rows(owner: str, x: Any, y: Any, sample_weight: Any) -> int:
    counts = [np.shape(array)[:1] for array in tree.flatten((x, y) if sample_weight is None else (x, y, sample_weight))]
    if len(set(counts)) != 1 or not counts[0] or counts[0][0] < 2:
        raise ValueError(
            f"[{owner}] x, y and sample_weight must be arrays of as many rows, 2 or more; they have "
            f"{[count[0] if count else 'none' for count in counts]}."
        )
    return counts[0][0]


def _maker(owner: str, model: Any) -> Callable[[], Any]:
    """A function that gives one member after another, with fresh weights."""
    if isinstance(model, Model):
        if not model.compiled:
            raise ValueError(f"[{owner}] `model` is not compiled: call compile(optimizer, loss) on it first.")
        return lambda: clone_model(model)
    if not callable(model):
        raise TypeError(f"[{owner}] `model` is {model!r}; it must be a Model or a function that returns one.")

    def make() -> Any:
        made = model()
        if not isinstance(made, Model) or not made.compiled:
            raise TypeError(f"[{owner}] `model` returned {made!r}; it must return a compiled Model.")
        return made

    return make


def _train(
    make: Callable[[], Any],
    parts: Iterable[tuple[np.ndarray, np.ndarray]],
    x: Any,
    y: Any,
    sample_weight: Any,
    fit_kwargs: dict[str, Any],
    validate: bool,
) -> Members:
    models, histories = [], []
    sums: Any = None
    counts: Any = None
    for inside, outside in parts:
        member = make()
        weight = take(sample_weight, inside)
        if validate:
            held = (take(x, outside), take(y, outside))
            fit_kwargs["validation_data"] = held if weight is None else (*held, take(sample_weight, outside))
        histories.append(member.fit(take(x, inside), take(y, inside), sample_weight=weight, **fit_kwargs))
        models.append(member)
        if sums is None:
            sums = np.zeros((len(tree.flatten(y)[0]), *member.predict(take(x, inside[:1])).shape[1:]))
            counts = np.zeros(len(sums))
        if len(outside):
            sums[outside] += member.predict(take(x, outside), batch_size=fit_kwargs.get("batch_size"))
            counts[outside] += 1
    counts = counts.reshape(-1, *[1] * (sums.ndim - 1))
    return Members(models, np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0), histories)


def take(arrays: Any, rows: np.ndarray) -> Any:
    """These rows of every array; None stays."""
    return tree.map_structure(lambda array: None if array is None else np.asarray(array)[rows], arrays)
