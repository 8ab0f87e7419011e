"""Normalisations: to unit norm, by given or own statistics."""

from __future__ import annotations

from typing import Any

from .. import config
from ..dtypes import result_type
from ..tracing import symbolic
from .basic import canonical_axes, core, floating, tensor
from .reductions import norm


def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """x / max(norm(x, order), epsilon) along the axes."""
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"[normalize] `order` is {order!r}; it must be an integer of at least 1.")
    x = floating(x)
    if not x.shape:
        x = core.reshape(x, shape=(1,))
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        scale = core.rsqrt(core.sum(core.square(x), axis=axis, keepdims=True))
        return x * core.minimum(scale, 1.0 / epsilon)
    return x / core.maximum(norm(x, order, axis, keepdims=True), epsilon)


@symbolic
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 0.001
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, statistics (n,) along one axis of x."""
    x = floating(x)
    shape = [1] * len(x.shape)
    shape[axis] = x.shape[axis]

    def along(v: Any, name: str) -> Any:
        v = tensor(v)
        if tuple(v.shape) != (x.shape[axis],):
            raise ValueError(
                f"[batch_normalization] `{name}` has shape {tuple(v.shape)}; x {tuple(x.shape)} has size"
                f" {x.shape[axis]} along axis {axis}, so it must be ({x.shape[axis]},)."
            )
        return core.reshape(v, shape=tuple(shape))

    factor = core.rsqrt(along(variance, "variance") + epsilon)
    if scale is not None:
        factor = factor * along(scale, "scale")
    y = (x - along(mean, "mean")) * factor
    return y if offset is None else y + along(offset, "offset")


def _weight(op: str, name: str, weight: Any, x: Any, axes: list[int]) -> Any:
    """A weight with the sizes of x's axes `axes`, laid along them."""
    weight = tensor(weight, x.dtype)
    sizes = tuple(x.shape[a] for a in axes)
    if tuple(weight.shape) != sizes:
        raise ValueError(
            f"[{op}] `{name}` has shape {tuple(weight.shape)}; x {tuple(x.shape)} is normalised along {axes}, so it"
            f" must be {sizes}."
        )
    return core.reshape(weight, shape=tuple(n if a in axes else 1 for a, n in enumerate(x.shape)))


@symbolic
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None, **kwargs: Any
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, statistics of x over the axes (Ba et al. 2016).

    gamma and beta have the sizes of those axes. 16-bit floats are computed in float32.
    """
    if kwargs:
        raise ValueError(
            f"[layer_normalization] unknown arguments: {sorted(kwargs)}; for rms_scaling use rms_normalization."
        )
    x = floating(x)
    kind = x.dtype
    x = tensor(x, result_type(kind, "float32"))
    epsilon = config.epsilon() if epsilon is None else epsilon
    axes = canonical_axes("layer_normalization", axis if x.shape else None, len(x.shape))
    if gamma is not None and beta is not None and axes == [len(x.shape) - 1]:
        gamma, beta = (
            core.reshape(_weight("layer_normalization", n, w, x, axes), shape=(-1,))
            for n, w in (("gamma", gamma), ("beta", beta))
        )
        return tensor(core.layer_norm(x, gamma, beta, epsilon=epsilon), kind)
    centred = x - core.mean(x, axis=axes, keepdims=True)
    factor = core.rsqrt(core.mean(core.square(centred), axis=axes, keepdims=True) + epsilon)
    if gamma is not None:
        factor = factor * _weight("layer_normalization", "gamma", gamma, x, axes)
    y = centred * factor
    if beta is not None:
        y = y + _weight("layer_normalization", "beta", beta, x, axes)
    return tensor(y, kind)


@symbolic
def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Any:
    """x / sqrt(mean(x^2) + epsilon) * scale over the axes (Zhang & Sennrich 2019), scale with the sizes of those axes.

    16-bit floats are computed in float32.
    """
    x = floating(x)
    if not x.shape:
        x = core.reshape(x, shape=(1,))
    kind = x.dtype
    x = tensor(x, result_type(kind, "float32"))
    epsilon = config.epsilon() if epsilon is None else epsilon
    axes = canonical_axes("rms_normalization", axis, len(x.shape))
    if scale is not None and axes == [len(x.shape) - 1]:
        scale = core.reshape(_weight("rms_normalization", "scale", scale, x, axes), shape=(-1,))
        return tensor(core.rms_norm(x, scale, epsilon=epsilon), kind)
    y = x * core.rsqrt(core.mean(core.square(x), axis=axes, keepdims=True) + epsilon)
    if scale is not None:
        y = y * _weight("rms_normalization", "scale", scale, x, axes)
    return tensor(y, kind)
