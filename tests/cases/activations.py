"""Activation functions: references from their formulas, in float64."""

from __future__ import annotations

import math

import numpy as np

from .base import SPECIAL, Row, case, exact, normal, raises, shifted, strided, ulp, ulps

_erf = np.vectorize(math.erf, otypes=["float64"])
_erfc = np.vectorize(math.erfc, otypes=["float64"])


def _on_empty(f):
    return lambda x, **attrs: f(x, **attrs) if np.size(x) else np.zeros(np.shape(x))


def _sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


def _sparsemax(x, axis=-1):
    x = np.moveaxis(x, axis, -1)
    z = -np.sort(-x, -1)
    k = np.arange(1, x.shape[-1] + 1)
    support = 1 + k * z > np.cumsum(z, -1)
    count = support.sum(-1, keepdims=True)
    threshold = ((z * support).sum(-1, keepdims=True) - 1) / count
    return np.moveaxis(np.maximum(x - threshold, 0), -1, axis)


def _elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


# No input within 1e-3 of a kink at 0, +-0.5, +-1, +-3 or 6: central differences step over none.
def _smooth(*shape, key=0):
    x = normal(*shape, scale=2.5, key=key)
    for kink in (0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0):
        x = np.where(np.abs(x - np.float32(kink)) < 1e-3, x + np.float32(0.01), x)
    return x


_CASES = [
    case(_smooth(3, 7)),
    case(_smooth(key=1), note="scalar"),
    case(_smooth(0, 3), note="empty"),
    case(strided(_smooth(5, 3)), note="strided"),
    case(shifted(_smooth(67)), note="unaligned"),
    case(np.float32([-100, -30, -17, 17, 30, 100]), note="far out", smooth=False),
]
_BENCH = [case(normal(64)), case(normal(128, 4096))]


def _row(name, reference, tolerance, **more):
    return Row(name, reference, _CASES, tolerance, bench=_BENCH, **more)


OPS = [
    Row("relu", lambda x: np.maximum(x, 0), [*_CASES, case(SPECIAL, smooth=False)], exact, bench=_BENCH),
    _row("relu6", lambda x: np.clip(x, 0, 6), exact),
    _row("leaky_relu", lambda x: np.where(x > 0, x, 0.2 * x), ulps(1)),
    _row("elu", _elu, ulps(5)),
    # expm1 of x / alpha rounded: its relative condition is at most 1.
    _row("celu", _elu, ulps(6)),
    _row("selu", lambda x: 1.0507009873554804934 * _elu(x, 1.6732632423543772848), ulps(7)),
    # 1 + tanh loses what cancels: 5 units of 1, times x / 2; the argument's own few units shrink in tanh.
    _row(
        "gelu",
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        lambda y, x: 4 * ulp(y) + 8 * ulp(x),
    ),
    # erfc(z) has the relative condition 2 z^2 for large z, so roundings of z count that often.
    Row(
        "gelu",
        _on_empty(lambda x, approximate: 0.5 * x * _erfc(-x / np.sqrt(2))),
        [case(_smooth(3, 7), approximate=False), case(_smooth(0), approximate=False)],
        lambda y, x, approximate: (8 + 2 * x * x) * ulp(y),
    ),
    _row("sigmoid", _sigmoid, ulps(4)),
    _row("silu", lambda x: x * _sigmoid(x), ulps(5)),
    _row("swish", lambda x: x * _sigmoid(x), ulps(5)),
    _row("softplus", _softplus, ulps(4)),
    _row("log_sigmoid", lambda x: -_softplus(-x), ulps(4)),
    _row("softsign", lambda x: x / (1 + np.abs(x)), ulps(2)),
    _row("hard_sigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, lambda y, x: ulp(y) + ulp(np.minimum(np.abs(x), 3)) / 6),
    _row(
        "hard_silu",
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        lambda y, x: 2 * ulp(y) + np.abs(x) * ulp(np.minimum(np.abs(x), 3)) / 6,
    ),
    _row(
        "hard_swish",
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        lambda y, x: 2 * ulp(y) + np.abs(x) * ulp(np.minimum(np.abs(x), 3)) / 6,
    ),
    _row("hard_tanh", lambda x: np.clip(x, -1, 1), exact),
    _row("hard_shrink", lambda x: np.where(np.abs(x) > 0.5, x, 0), exact),
    _row("soft_shrink", lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), ulps(1)),
    # The difference of x and tanh(x): errors of either, where they cancel.
    _row("tanh_shrink", lambda x: x - np.tanh(x), lambda y, x: 5 * ulp(x)),
    Row(
        "threshold",
        lambda x, threshold, default_value: np.where(x > threshold, x, default_value),
        [case(_smooth(3, 7), threshold=0.25, default_value=-7.0)],
        exact,
    ),
    # x + sqrt(x^2 + b): cancellation for negative x leaves errors of |x|.
    _row("squareplus", lambda x: (x + np.sqrt(x * x + 4)) / 2, lambda y, x: 2 * ulp(y) + 2 * ulp(np.abs(x) + 2)),
    _row(
        "sparse_plus",
        lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
        lambda y, x: 2 * ulp(y) + np.sqrt(np.abs(y)) * ulp(np.ones_like(x)),
    ),
    _row("sparse_sigmoid", lambda x: np.clip((x + 1) / 2, 0, 1), lambda y, x: ulp(y) + ulp(np.ones_like(x))),
    Row(
        "glu",
        lambda x, axis=-1: (lambda a, b: a * _sigmoid(b))(*np.split(x, 2, axis)),
        [case(normal(3, 8)), case(normal(4, 3), axis=0), case(normal(0, 4))],
        ulps(5),
        errors=[raises("even", normal(3, 5))],
    ),
    # x - max is rounded: |x - max| half-units of the exponent become relative error of both parts of the quotient.
    Row(
        "softmax",
        _softmax,
        [
            case(normal(4, 7)),
            case(normal(1, 1)),
            case(normal(3, 33, scale=50.0)),
            case(normal(0, 4)),
            case(normal(2, 3, 5), axis=1),
            case(strided(normal(5, 6))),
            case(normal(67)),
            case(np.full((2, 5), -3e38, "float32"), note="far from zero, still finite", smooth=False),
            case(normal(2, 3, 4), axis=(0, 2)),
        ],
        lambda y, x, axis=-1: (8 + 0.5 * np.ptp(x) if np.size(x) and np.ptp(x) < 1e4 else 8) * ulp(y),
        bench=[case(normal(128, 1000)), case(normal(8192, 64))],
        flops=lambda x, **a: 16.0 * x.size,
        errors=[raises("axis", normal(2, 3), axis=2)],
    ),
    # x - max - log(sum): every term rounds to units of the largest.
    Row(
        "log_softmax",
        lambda x, axis=-1: (
            x
            - np.max(x, axis, keepdims=True)
            - np.log(np.sum(np.exp(x - np.max(x, axis, keepdims=True)), axis, keepdims=True))
        ),
        [
            case(normal(4, 7)),
            case(normal(1, 1)),
            case(normal(3, 33, scale=50.0)),
            case(normal(0, 4)),
            case(normal(2, 3, 5), axis=1),
            case(normal(2, 3, 4), axis=(0, 2)),
        ],
        lambda y, x, axis=-1: 4 * ulp(y) + 8 * ulp(np.ones_like(y)),
        bench=[case(normal(128, 1000))],
    ),
    Row(
        "sparsemax",
        _sparsemax,
        [case(normal(4, 7)), case(normal(3, 5), axis=0)],
        lambda y, x, axis=-1: 16 * ulp(np.full_like(y, np.max(np.abs(x)) + 1)),
    ),
]
