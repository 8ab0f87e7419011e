"""Cross-entropies, one number a row: from probabilities, or from logits in a form that cannot overflow."""

from __future__ import annotations

import math
from typing import Any

from .. import config
from ..dtypes import result_type
from ..tracing import symbolic
from .basic import canonical_axis, core, floating, tensor
from .elementwise import clip
from .indexing import one_hot
from .shaping import moveaxis


def _same_shape(op: str, target: Any, output: Any) -> None:
    if tuple(target.shape) != tuple(output.shape):
        raise ValueError(
            f"[{op}] `target` has shape {tuple(target.shape)}, `output` {tuple(output.shape)}; they must be equal."
        )


def _log_of_shares(output: Any, axis: int) -> Any:
    """log(output / sum(output)), each share held within [epsilon, 1 - epsilon]."""
    share = output / core.sum(output, axis=axis, keepdims=True)
    return core.log(clip(share, config.epsilon(), 1.0 - config.epsilon()))


@symbolic
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-sum(target * log(p)) along an axis, p = output / sum(output), or softmax(output) of logits."""
    target, output = floating(target), floating(output)
    _same_shape("categorical_crossentropy", target, output)
    if not output.shape:
        raise ValueError("[categorical_crossentropy] `output` is a scalar; it needs an axis of classes.")
    kind = result_type(target.dtype, output.dtype)
    target, output = tensor(target, kind), tensor(output, kind)
    if from_logits:
        return core.softmax_cross_entropy(moveaxis(output, axis, -1), moveaxis(target, axis, -1))
    return core.negative(core.sum(target * _log_of_shares(output, axis), axis=axis))


@symbolic
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-log(p[target]) along an axis: categorical_crossentropy for integer targets.

    Shapes: output with the axis of classes, target without it (or with a last axis of size 1). A target outside of
    the classes has loss NaN.
    """
    target, output = tensor(target), floating(output)
    if not output.shape:
        raise ValueError("[sparse_categorical_crossentropy] `output` is a scalar; it needs an axis of classes.")
    if len(target.shape) == len(output.shape) and target.shape[-1] == 1:
        target = core.reshape(target, shape=tuple(target.shape[:-1]))
    axis = canonical_axis("sparse_categorical_crossentropy", axis, len(output.shape))
    wanted = tuple(n for a, n in enumerate(output.shape) if a != axis)
    if tuple(target.shape) != wanted:
        raise ValueError(
            f"[sparse_categorical_crossentropy] `target` has shape {tuple(target.shape)}, `output`"
            f" {tuple(output.shape)} with classes along axis {axis}; `target` must be {wanted}."
        )
    target = core.cast(target, dtype="int32")
    if from_logits:
        return core.sparse_softmax_cross_entropy(moveaxis(output, axis, -1), target)
    classes = output.shape[axis]
    hot = one_hot(target, classes, axis=axis, dtype=output.dtype)
    values = core.negative(core.sum(hot * _log_of_shares(output, axis), axis=axis))
    known = core.logical_and(core.greater_equal(target, 0), core.less(target, classes))
    return core.where(known, values, math.nan)


@symbolic
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-(target log(p) + (1 - target) log(1 - p)) for each element, p = output, or sigmoid(output) of logits.

    From logits z: target softplus(-z) + (1 - target) softplus(z), which keeps full relative accuracy where the loss is
    small and has the right gradient at z = 0.
    """
    target, output = floating(target), floating(output)
    _same_shape("binary_crossentropy", target, output)
    if from_logits:
        return target * core.softplus(-output) + (1 - target) * core.softplus(output)
    p = clip(output, config.epsilon(), 1.0 - config.epsilon())
    return core.negative(target * core.log(p) + (1 - target) * core.log(1 - p))
