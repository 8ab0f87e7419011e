"""Cross-entropies."""

from __future__ import annotations

import numpy as np

from .base import Row, booleans, case, gamma, integers, normal, raises, ulp, uniform

EPSILON = 1e-7


def _log_softmax(z, axis=-1):
    z = z - z.max(axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def _shares(p, axis):
    return np.log(np.clip(p / p.sum(axis, keepdims=True), EPSILON, 1 - EPSILON))


def _categorical(target, output, from_logits=False, axis=-1):
    return -np.sum(target * (_log_softmax(output, axis) if from_logits else _shares(output, axis)), axis)


def _sparse(output, target, from_logits=False, axis=-1):
    target = target[..., 0] if target.ndim == output.ndim else target
    logs = np.moveaxis(_log_softmax(output, axis) if from_logits else _shares(output, axis), axis, -1)
    return -np.take_along_axis(logs, target[..., None], -1)[..., 0]


def _binary(target, output, from_logits=False):
    if from_logits:
        return np.maximum(output, 0) - output * target + np.log1p(np.exp(-np.abs(output)))
    p = np.clip(output, EPSILON, 1 - EPSILON)
    return -(target * np.log(p) + (1 - target) * np.log(1 - p))


def _bound(y, a, b, **attrs):
    """Logarithms of a row within units of the largest term, their sums weighted by targets of sum about 1."""
    return np.full(
        np.shape(y),
        gamma(64)
        * (1 + max(np.max(np.abs(a), initial=0), np.max(np.abs(b), initial=0)) ** 2 + np.max(np.abs(y), initial=0)),
    )


def _targets(*shape):
    x = uniform(*shape, low=0.1, high=1)
    return x / x.sum(-1, keepdims=True)


_P = dict(low=0.05, high=0.95)

OPS = [
    Row(
        "categorical_crossentropy",
        _categorical,
        [
            case(_targets(4, 7), uniform(4, 7, key=1, **_P)),
            case(_targets(4, 7), normal(4, 7), from_logits=True),
            case(_targets(2, 3, 5), normal(2, 3, 5), from_logits=True),
            case(uniform(3, 4), normal(3, 4), from_logits=True, axis=0),
            case(_targets(3, 33), normal(3, 33, scale=30), from_logits=True),
            case(_targets(0, 4), normal(0, 4), from_logits=True),
        ],
        _bound,
        errors=[raises("(4, 6)", normal(4, 7), normal(4, 6))],
        bench=[case(_targets(128, 1000), normal(128, 1000), from_logits=True)],
    ),
    Row(
        "sparse_categorical_crossentropy",
        _sparse,
        [
            case(uniform(4, 7, **_P), target=integers(4, high=7)),
            case(normal(4, 7), target=integers(4, high=7), from_logits=True),
            case(normal(2, 3, 5), target=integers(2, 3, 1, high=5), from_logits=True),
            case(normal(0, 4), target=integers(0, high=4), from_logits=True),
        ],
        lambda y, output, target, **a: _bound(y, output, output),
        errors=[raises("(3,)", normal(4, 7), target=integers(3))],
        bench=[case(normal(128, 1000), target=integers(128, high=1000), from_logits=True)],
    ),
    # From logits the error is relative: a loss of 1e-13 has full accuracy.
    Row(
        "binary_crossentropy",
        _binary,
        [
            case(booleans(4, 7).astype("float32"), normal(4, 7, scale=3), from_logits=True),
            case(uniform(4, 7), np.zeros((4, 7), "float32"), from_logits=True),
            case(uniform(9), normal(9), from_logits=True),
        ],
        lambda y, target, output, **a: 12 * ulp(y) + 8 * ulp(np.minimum(target, 1 - target) * np.abs(output)),
    ),
    Row(
        "binary_crossentropy",
        _binary,
        [case(booleans(4, 7).astype("float32"), uniform(4, 7, **_P)), case(uniform(3), uniform(3, key=1, **_P))],
        _bound,
        errors=[raises("(3,)", normal(4), normal(3))],
    ),
]
