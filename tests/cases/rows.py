"""Normalisations and attention."""

from __future__ import annotations

import numpy as np

from .base import Row, booleans, case, gamma, normal, raises, strided, ulp, uniform


def _layer_norm(x, gamma=None, beta=None, axis=-1, epsilon=1e-7):
    axes = tuple(np.atleast_1d(axis) % x.ndim)
    shape = [n if a in axes else 1 for a, n in enumerate(x.shape)]
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    y = (x - mean) / np.sqrt(var + epsilon)
    y = y if gamma is None else y * np.reshape(gamma, shape)
    return y if beta is None else y + np.reshape(beta, shape)


def _rms_norm(x, scale=None, axis=-1, epsilon=1e-7):
    axes = tuple(np.atleast_1d(axis) % x.ndim)
    y = x / np.sqrt(np.mean(x * x, axes, keepdims=True) + epsilon)
    return y if scale is None else y * np.reshape(scale, [n if a in axes else 1 for a, n in enumerate(x.shape)])


def _batch_norm(x, mean, variance, offset=None, scale=None, axis=-1, epsilon=1e-3):
    shape = [1] * x.ndim
    shape[axis] = -1
    y = (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + epsilon)
    y = y if scale is None else y * scale.reshape(shape)
    return y if offset is None else y + offset.reshape(shape)


def _batch_norm_train(x, gamma, beta, epsilon=1e-3):
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta, mean, variance


def _batch_norm_train_bound(y, x, gamma_, beta, epsilon=1e-3):
    rows, largest = x.size // x.shape[-1], np.max(np.abs(x))
    unit = gamma(rows + 16)
    return unit * (np.abs(y[0]) + (1 + largest / np.sqrt(epsilon)) * 2), unit * largest, 4 * unit * largest**2


def _normalize(x, axis=-1, order=2, epsilon=1e-7):
    return x / np.maximum(np.sum(np.abs(x) ** order, axis=axis, keepdims=True) ** (1 / order), epsilon)


def _attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, attn_logits_soft_cap=None):
    heads = query.shape[2] // key.shape[2]
    key, value = np.repeat(key, heads, 2), np.repeat(value, heads, 2)
    z = np.einsum("btnh,bsnh->bnts", query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if attn_logits_soft_cap is not None:
        z = attn_logits_soft_cap * np.tanh(z / attn_logits_soft_cap)
    z = z if bias is None else z + bias
    allowed = np.ones(z.shape, bool) if mask is None else np.broadcast_to(mask, z.shape)
    if is_causal:
        allowed = allowed & np.tri(*z.shape[-2:], dtype=bool)
    z = np.where(allowed, z, -1e30)
    p = np.exp(z - z.max(-1, keepdims=True))
    return np.einsum("bnts,bsnh->btnh", p / p.sum(-1, keepdims=True), value)


def _normalised_bound(y, x, *rest, **attrs):
    """Sums over a row within gamma(n); x - mean rounds to units of the largest |x|, divided by the deviation."""
    unit = gamma(x.shape[-1] * 4 + 16)
    spread = np.sqrt(np.var(x) + 1e-7)
    return unit * (np.abs(y) + (1 + np.max(np.abs(x)) / spread) * _weight(rest))


def _weight(rest):
    return max([1.0, *(float(np.max(np.abs(r))) for r in rest if r is not None and np.size(r))])


# Logits within gamma(H) of magnitudes, softmax turns their error into relative error, sums of S products.
def _attention_bound(y, query, key, value, **attrs):
    logits = np.max(np.abs(query)) * np.max(np.abs(key)) * query.shape[-1]
    return np.full(
        np.shape(y), (gamma(query.shape[-1] + 8) * logits * 2 + gamma(key.shape[1] + 16)) * np.max(np.abs(value))
    )


_W = dict(low=0.5, high=1.5)

OPS = [
    Row(
        "layer_normalization",
        _layer_norm,
        [
            case(normal(4, 7), uniform(7, **_W), normal(7)),
            case(normal(2, 3, 65), uniform(65, **_W), normal(65)),
            case(normal(4, 7)),
            case(normal(4, 7), uniform(7, **_W)),
            case(normal(2, 3, 4), axis=1),
            case(normal(2, 3, 4), uniform(3, 4, **_W), normal(3, 4), axis=(1, 2)),
            case(strided(normal(5, 6)), uniform(6, **_W), normal(6), epsilon=1e-3),
            case(normal(0, 5), uniform(5, **_W), normal(5), smooth=False),
        ],
        lambda y, x, *r, **a: _normalised_bound(y, x, *r) if x.size else np.zeros(y.shape),
        errors=[
            raises("gamma", normal(4, 7), normal(6), normal(7)),
            raises("rms_scaling", normal(3), rms_scaling=True),
        ],
        bench=[case(normal(128, 768), uniform(768), normal(768)), case(normal(8, 16), uniform(16), normal(16))],
        flops=lambda x, *r, **a: 8.0 * x.size,
    ),
    Row(
        "rms_normalization",
        _rms_norm,
        [
            case(normal(4, 7), uniform(7, **_W)),
            case(normal(4, 7)),
            case(normal(2, 3, 4), uniform(3, **_W), axis=1),
            case(normal(3, 65), uniform(65, **_W)),
        ],
        _normalised_bound,
        errors=[raises("scale", normal(4, 7), normal(6))],
        bench=[case(normal(128, 768), uniform(768))],
    ),
    Row(
        "batch_normalization",
        _batch_norm,
        [
            case(normal(4, 7), normal(7), uniform(7, **_W), normal(7, key=1), uniform(7, key=1, **_W), axis=-1),
            case(normal(2, 3, 4), normal(3), uniform(3, **_W), axis=1),
            case(normal(2, 5, 5, 3), normal(3), uniform(3, **_W), normal(3, key=1), uniform(3, key=1, **_W), axis=3),
        ],
        lambda y, x, *r, **a: 8 * ulp(y) + 8 * ulp(np.full(y.shape, (np.max(np.abs(x)) + _weight(r)) * 2 * _weight(r))),
        errors=[raises("mean", normal(4, 7), normal(6), normal(7), axis=-1)],
        bench=[case(normal(32, 28, 28, 64), normal(64), uniform(64), normal(64), uniform(64), axis=-1)],
    ),
    Row(
        "batch_norm_train",
        _batch_norm_train,
        [
            case(normal(6, 5), uniform(5, **_W), normal(5, key=1)),
            case(normal(2, 4, 4, 3), uniform(3, **_W), normal(3, key=1), epsilon=1e-2),
        ],
        _batch_norm_train_bound,
        bench=[case(normal(32, 28, 28, 64), uniform(64), normal(64))],
        internal=True,
    ),
    Row(
        "normalize",
        _normalize,
        [
            case(normal(4, 7)),
            case(normal(4, 7), axis=0, order=1),
            case(normal(4, 7), order=3),
            case(np.zeros((2, 3), "float32"), smooth=False),
        ],
        lambda y, x, **a: gamma(x.size + 16) * np.abs(y),
        errors=[raises("order", normal(3), order=0)],
    ),
    Row(
        "dot_product_attention",
        _attention,
        [
            case(normal(2, 3, 2, 4), normal(2, 5, 2, 4), normal(2, 5, 2, 4, key=1)),
            case(normal(1, 3, 4, 4), normal(1, 5, 2, 4), normal(1, 5, 2, 4, key=1), note="grouped heads"),
            case(normal(2, 4, 1, 3), normal(2, 4, 1, 3, key=1), normal(2, 4, 1, 3, key=2), is_causal=True),
            case(
                normal(2, 3, 2, 4),
                normal(2, 5, 2, 4),
                normal(2, 5, 2, 4, key=1),
                bias=normal(2, 1, 3, 5),
                mask=booleans(2, 1, 3, 5) | np.eye(3, 5, dtype=bool),
                scale=0.3,
            ),
            case(normal(1, 3, 2, 4), normal(1, 5, 2, 4), normal(1, 5, 2, 4, key=1), attn_logits_soft_cap=2.0),
        ],
        _attention_bound,
        errors=[
            raises("4 axes", normal(3, 2, 4), normal(5, 2, 4), normal(5, 2, 4)),
            raises("multiple", normal(1, 3, 3, 4), normal(1, 5, 2, 4), normal(1, 5, 2, 4)),
            raises("flash_attention", normal(1, 3, 2, 4), normal(1, 5, 2, 4), normal(1, 5, 2, 4), flash_attention=True),
        ],
        bench=[case(normal(8, 128, 8, 64), normal(8, 128, 8, 64), normal(8, 128, 8, 64))],
        flops=lambda q, k, v, **a: 4.0 * q.size * k.shape[1],
    ),
]
