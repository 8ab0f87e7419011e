"""Ensembles that are one model: its members run in one plan, and it is saved, exported and trained like any other."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from falconet import layers, ops, tree
from falconet.ensembles.training import k_fold
from falconet.models import Model, clone_model
from falconet.models.cloning import compile_like


def voting(models: Sequence[Any], weights: Sequence[float] | None = None) -> Any:
    """A model whose output is the mean of the members' outputs: soft voting, where those are probabilities.

    Args:
        models: built models with one output each and inputs and outputs of equal shapes. The ensemble has copies.
        weights: one for each, not negative, used in proportion to their sum; by default all count alike.

    It is compiled as the first member is, so that `evaluate` works at once.

    >>> made = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    >>> voting([made, made]).output_shape
    (None, 1)
    """
    members = _copies("voting", models)
    shares = _shares("voting", weights, len(members))
    inputs, outputs = _run(members)
    total = ops.multiply(outputs[0], shares[0])
    for output, share in zip(outputs[1:], shares[1:], strict=True):
        total = ops.add(total, ops.multiply(output, share))
    joined = Model(inputs, total, name="voting")
    compile_like(joined, models[0])
    return joined


def stacking(
    models: Sequence[Any],
    head: Any,
    x: Any,
    y: Any,
    folds: int = 5,
    stratify: Any = None,
    seed: int | None = None,
    sample_weight: Any = None,
    head_kwargs: dict[str, Any] | None = None,
    **fit_kwargs: Any,
) -> Any:
    """A model that feeds the members' outputs, side by side, to a head that has learned how far to trust each.

    The head is trained on predictions for rows that the members have not seen, by `k_fold`; then every member is
    trained on all rows. Source: Wolpert, Stacked Generalization, 1992.

    Args:
        models: compiled and built models with one output each and inputs of equal shapes. Copies with fresh weights
            are trained.
        head: a compiled model from (None, sum of the members' output widths) to the targets. It is trained.
        x, y: arrays of n rows; x may be a list or dictionary of them.
        folds, stratify, seed, sample_weight: as in `k_fold`.
        head_kwargs: arguments of the head's `fit`.
        fit_kwargs: arguments of the members' `fit`.

    The result is compiled as the head is; its members are frozen, so that training it trains the head.
    """
    members = _copies("stacking", models, same_outputs=False)  # checks, before anything is trained
    if not isinstance(head, Model) or not head.compiled:
        raise ValueError("[stacking] `head` must be a compiled Model.")
    wide = sum(member.output_shape[-1] for member in members)
    if head.built and head._graph is not None and tuple(head.input_shape) != (None, wide):
        raise ValueError(
            f"[stacking] the head takes rows of shape {head.input_shape}, and the members give {wide} numbers for each "
            f"row: it must take (None, {wide})."
        )
    seen, trained = [], []
    for i, model in enumerate(models):
        if not model.compiled:
            raise ValueError(f"[stacking] model {i} is not compiled: call compile(optimizer, loss) on it first.")
    for model in models:
        parts = k_fold(model, x, y, folds, stratify, seed, sample_weight, **fit_kwargs)
        seen.append(parts.predictions.reshape(len(parts.predictions), -1))
        trained.append(clone_model(model))
        trained[-1].fit(x, y, sample_weight=sample_weight, **fit_kwargs)
    head.fit(np.concatenate(seen, axis=1).astype(np.float32), y, sample_weight=sample_weight, **(head_kwargs or {}))
    members = _copies("stacking", trained, same_outputs=False)
    for member in members:
        member.trainable = False
    inputs, outputs = _run(members)
    joined = Model(inputs, head(outputs[0] if len(outputs) == 1 else layers.concatenate(outputs)), name="stacking")
    compile_like(joined, head)
    return joined


def _copies(owner: str, models: Sequence[Any], same_outputs: bool = True) -> list[Any]:
    """Copies under names of their own, as a model needs them; ValueError where they do not go together."""
    if not isinstance(models, (list, tuple)) or not models:
        raise ValueError(f"[{owner}] `models` must be a list of one model or more, got {models!r}.")
    for i, model in enumerate(models):
        if not isinstance(model, Model) or model._graph is None or len(model.outputs) != 1:
            raise ValueError(f"[{owner}] model {i} must be a built functional or Sequential Model with one output.")
        for what, here, first in (
            ("input", model.input_shape, models[0].input_shape),
            ("output", model.output_shape, models[0].output_shape),
        ):
            if here != first and (what == "input" or same_outputs):
                raise ValueError(f"[{owner}] model {i} has the {what} shape {here}, and model 0 has {first}.")
    copies = [copy.deepcopy(model) for model in models]
    for i, member in enumerate(copies):
        member.name = f"member_{i}"
    return copies


def _run(members: list[Any]) -> tuple[Any, list[Any]]:
    """Inputs like the first member's, and every member's output for them."""
    inputs = tree.map_structure(
        lambda x: layers.Input(tuple(x.shape)[1:], dtype=x.dtype, name=x.name), members[0].input
    )
    return inputs, [member(inputs) for member in members]


def _shares(owner: str, weights: Sequence[float] | None, count: int) -> list[float]:
    if weights is None:
        return [1 / count] * count
    given = np.asarray(weights, np.float64)
    if given.shape != (count,) or not np.isfinite(given).all() or given.min() < 0 or given.sum() <= 0:
        raise ValueError(
            f"[{owner}] `weights` must be {count} numbers >= 0 that are not all 0, one for each model; got {weights!r}."
        )
    return (given / given.sum()).tolist()
