"""Activation functions. Pointwise ones fuse into the op before them; where a branch of a choice would overflow, its
argument is replaced first, so that gradients stay finite too."""

from __future__ import annotations

import math
from typing import Any

from ..tracing import symbolic
from .basic import canonical_axes, canonical_axis, core, floating, tensor
from .shaping import moveaxis, split

relu = core.relu
sigmoid = core.sigmoid
softplus = core.softplus


@symbolic
def _over_axes(function: Any, x: Any, axis: Any) -> Any:
    """function along one last axis made of several."""
    x = floating(x)
    rank = len(x.shape)
    axes = canonical_axes("softmax", axis, rank)
    order = (*(a for a in range(rank) if a not in axes), *axes)
    y = core.transpose(x, axes=order)
    shape = tuple(y.shape)
    y = core.reshape(y, shape=(*shape[: rank - len(axes)], math.prod(shape[rank - len(axes) :])))
    y = core.reshape(function(y, axis=-1), shape=shape)
    return core.transpose(y, axes=tuple(order.index(a) for a in range(rank)))


def softmax(x: Any, axis: Any = -1) -> Any:
    """exp(x) / sum(exp(x)) along an axis or several (all if None): positive, summing to 1."""
    return core.softmax(x, axis=axis) if type(axis) is int else _over_axes(core.softmax, x, axis)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """x - log(sum(exp(x))) along an axis or several (all if None): the logarithm of softmax."""
    return core.log_softmax(x, axis=axis) if type(axis) is int else _over_axes(core.log_softmax, x, axis)


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return core.minimum(core.relu(floating(x)), 6)


def leaky_relu(x: Any, negative_slope: Any = 0.2) -> Any:
    """x where x > 0, negative_slope * x elsewhere (Maas et al. 2013)."""
    x = floating(x)
    return core.where(core.greater(x, 0), x, negative_slope * x)


def elu(x: Any, alpha: Any = 1.0) -> Any:
    """x where x > 0, alpha (exp(x) - 1) elsewhere (Clevert et al. 2015)."""
    x = floating(x)
    positive = core.greater(x, 0)
    return core.where(positive, x, alpha * core.expm1(core.where(positive, 0, x)))


def celu(x: Any, alpha: Any = 1.0) -> Any:
    """x where x > 0, alpha (exp(x / alpha) - 1) elsewhere (Barron 2017)."""
    x = floating(x)
    positive = core.greater(x, 0)
    return core.where(positive, x, alpha * core.expm1(core.where(positive, 0, x) / alpha))


# The fixed point of mean 0 and variance 1: Klambauer et al. 2017, equation 14.
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def selu(x: Any) -> Any:
    """scale * elu(x, alpha) with the constants that keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


def gelu(x: Any, approximate: bool = True) -> Any:
    """x Phi(x), Phi the normal distribution function, or its tanh form (Hendrycks & Gimpel 2016)."""
    x = floating(x)
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1 + core.tanh(inner))
    return 0.5 * x * core.erfc(x * -math.sqrt(0.5))


def silu(x: Any) -> Any:
    """x sigmoid(x) (Elfwing et al. 2017), also known as swish."""
    x = floating(x)
    return x * core.sigmoid(x)


swish = silu


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)) = -softplus(-x)."""
    return core.negative(core.softplus(core.negative(floating(x))))


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    x = floating(x)
    return x / (1 + core.abs(x))


def hard_sigmoid(x: Any) -> Any:
    """min(max(x + 3, 0), 6) / 6."""
    return relu6(core.add(x, 3.0)) / 6


def hard_silu(x: Any) -> Any:
    """x hard_sigmoid(x) (Howard et al. 2019)."""
    x = floating(x)
    return x * hard_sigmoid(x)


hard_swish = hard_silu


def hard_tanh(x: Any) -> Any:
    """min(max(x, -1), 1)."""
    return core.minimum(core.maximum(tensor(x), -1), 1)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where |x| > threshold, 0 elsewhere."""
    x = floating(x)
    return core.where(core.greater(core.abs(x), threshold), x, 0)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x brought towards 0 by threshold, and 0 where it is less than that away."""
    x = tensor(x)
    return core.where(core.greater(x, threshold), x - threshold, core.where(core.less(x, -threshold), x + threshold, 0))


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    x = floating(x)
    return x - core.tanh(x)


def threshold(x: Any, threshold: Any, default_value: Any) -> Any:
    """x where x > threshold, default_value elsewhere."""
    x = tensor(x)
    return core.where(core.greater(x, threshold), x, default_value)


def squareplus(x: Any, b: Any = 4) -> Any:
    """(x + sqrt(x^2 + b)) / 2."""
    x = floating(x)
    return (x + core.sqrt(core.square(x) + b)) / 2


def sparse_plus(x: Any) -> Any:
    """0 up to -1, (x + 1)^2 / 4 up to 1, x from there."""
    x = floating(x)
    return core.where(core.less_equal(x, -1), 0, core.where(core.less(x, 1), core.square(x + 1) / 4, x))


def sparse_sigmoid(x: Any) -> Any:
    """0 up to -1, (x + 1) / 2 up to 1, 1 from there."""
    x = floating(x)
    return core.where(core.less_equal(x, -1), 0, core.where(core.greater_equal(x, 1), 1, 0.5 * (x + 1)))


def glu(x: Any, axis: int = -1) -> Any:
    """a sigmoid(b), a and b the halves of x along an axis (Dauphin et al. 2016)."""
    x = floating(x)
    axis = canonical_axis("glu", axis, len(x.shape))
    if x.shape[axis] is not None and x.shape[axis] % 2:
        raise ValueError(f"[glu] axis {axis} of x {tuple(x.shape)} has size {x.shape[axis]}; it must be even.")
    a, b = split(x, 2, axis)
    return a * core.sigmoid(b)


@symbolic
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The nearest point to x of those with entries >= 0 summing to 1: max(x - t, 0) (Martins & Astudillo 2016).

    With z the entries in descending order, t = (z_1 + ... + z_k - 1) / k for the largest k where 1 + k z_k > z_1 + ...
    + z_k.
    """
    x = moveaxis(floating(x), axis, -1)
    n = x.shape[-1]
    z = core.negative(core.sort(core.negative(x), axis=-1))
    k = core.cast(core.iota(shape=(n,), dtype="int32") + 1, dtype=x.dtype)
    sums = core.cumsum(z, axis=-1)
    chosen = core.cast(core.greater(1 + k * z, sums), dtype=x.dtype)
    count = core.sum(chosen, axis=-1, keepdims=True)
    total = core.sum(chosen * z, axis=-1, keepdims=True)
    return moveaxis(core.relu(x - (total - 1) / count), -1, axis)
