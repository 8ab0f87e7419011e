"""Random tensors. Each draw takes one key of the seed (see seed_generator.py)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import config
from ..control_flow import while_loop
from ..dtypes import FLOATS, INTEGERS, result_type, standardize_dtype
from ..ops.basic import canonical_axis, core, tensor
from ..tracing import symbolic
from .seed_generator import draw_seed, split


def _float_dtype(op: str, dtype: Any) -> str:
    kind = config.floatx() if dtype is None else standardize_dtype(dtype)
    if kind not in FLOATS:
        raise ValueError(f"[random.{op}] `dtype` is {kind}; it must be a float dtype.")
    return kind


def _shape(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)


def normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed numbers of a mean and a standard deviation."""
    kind = _float_dtype("normal", dtype)
    drawn = core.random_normal(draw_seed(seed), shape=_shape(shape), dtype=kind)
    return drawn * tensor(stddev, kind) + tensor(mean, kind)


def uniform(shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Evenly distributed numbers in [minval, maxval)."""
    kind = _float_dtype("uniform", dtype)
    drawn = core.random_uniform(draw_seed(seed), shape=_shape(shape), dtype=kind)
    low, high = tensor(minval, kind), tensor(maxval, kind)
    # The sum may round up to maxval itself, which does not belong to the interval.
    drawn = low + (high - low) * drawn
    return (
        drawn if kind in ("float16", "bfloat16") else core.minimum(drawn, core.maximum(low, core.nextafter(high, low)))
    )


_ERF_OF_TWO_DEVIATIONS = math.erf(math.sqrt(2))


def truncated_normal(shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed numbers within two standard deviations of the mean: what lies beyond is never drawn.

    By the inverse distribution function: sqrt(2) erfinv(u), u even in (-erf(sqrt(2)), erf(sqrt(2))).
    """
    kind = _float_dtype("truncated_normal", dtype)
    wide = result_type(kind, "float32")
    u = core.random_uniform(draw_seed(seed), shape=_shape(shape), dtype=wide)
    drawn = math.sqrt(2) * core.erfinv((2 * u - 1) * _ERF_OF_TWO_DEVIATIONS)
    drawn = core.minimum(core.maximum(drawn, -2.0), 2.0)
    return tensor(drawn * tensor(stddev, wide) + tensor(mean, wide), kind)


def randint(shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
    """Evenly distributed integers in [minval, maxval).

    64 random bits modulo the length of the interval: no value is preferred by more than length / 2^64.
    """
    kind = standardize_dtype(dtype)
    if kind not in INTEGERS:
        raise ValueError(f"[random.randint] `dtype` is {kind}; it must be an integer dtype.")
    if isinstance(minval, int) and isinstance(maxval, int) and minval >= maxval:
        raise ValueError(f"[random.randint] `minval` is {minval} and `maxval` {maxval}; minval < maxval is needed.")
    bits = core.random_bits(draw_seed(seed), shape=_shape(shape), dtype="uint64")
    low, high = tensor(minval, "int64"), tensor(maxval, "int64")
    length = core.cast(high - low, dtype="uint64")
    return core.cast(core.cast(core.mod(bits, length), dtype="int64") + low, dtype=kind)


@symbolic
def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Classes (rows, num_samples) drawn with the probabilities softmax(logits), logits (rows, classes).

    The largest of logits + Gumbel noise, -log(-log(u)), is class i with exactly the probability softmax(logits)[i].
    """
    logits = tensor(logits)
    if len(logits.shape) != 2:
        raise ValueError(f"[random.categorical] `logits` has shape {tuple(logits.shape)}; it must have 2 axes.")
    rows, classes = logits.shape
    kind = result_type(logits.dtype, "float32")
    u = core.random_uniform(draw_seed(seed), shape=(rows, num_samples, classes), dtype=kind)
    noisy = core.reshape(tensor(logits, kind), shape=(rows, 1, classes)) - core.log(-core.log(u))
    return core.cast(core.argmax(noisy, axis=-1), dtype=standardize_dtype(dtype))


@symbolic
def dropout(inputs: Any, rate: Any, noise_shape: Any = None, seed: Any = None) -> Any:
    """inputs with a share `rate` of the elements set to 0 and the others divided by 1 - rate.

    Elements along axes of size 1 of `noise_shape` (None: that of the input) live or die together.
    """
    x = tensor(inputs)
    if isinstance(rate, (int, float)) and not 0 <= rate <= 1:
        raise ValueError(f"[random.dropout] `rate` is {rate}; it must be in [0, 1].")
    if noise_shape is None:
        sizes = tuple(x.shape)
    elif len(noise_shape) != len(x.shape):
        raise ValueError(f"[random.dropout] `noise_shape` is {noise_shape}; the inputs have shape {tuple(x.shape)}.")
    else:
        sizes = tuple(n if m is None else m for n, m in zip(x.shape, noise_shape, strict=True))
    key = draw_seed(seed)
    if isinstance(rate, (int, float)) and rate in (0, 1):
        return x if rate == 0 else x * 0
    u = core.random_uniform(key, shape=sizes, dtype="float32")
    return core.where(core.greater_equal(u, rate), x / (1 - rate), tensor(0, x.dtype))


@symbolic
def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """x with its slices along an axis in random order: the order that sorts as many random 64-bit numbers."""
    x = tensor(x)
    axis = canonical_axis("random.shuffle", axis, len(x.shape))
    bits = core.random_bits(draw_seed(seed), shape=(x.shape[axis],), dtype="int64")
    return core.take(x, core.argsort(bits, axis=0), axis=axis)


def _broadcast_to(op: str, name: str, x: Any, shape: tuple[int, ...], kind: str) -> Any:
    x = tensor(x, kind)
    try:
        fits = np.broadcast_shapes(tuple(x.shape), shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"[random.{op}] `{name}` has shape {tuple(x.shape)}; it must broadcast to `shape` {shape}.")
    return core.broadcast_to(x, shape=shape)


def _log_gamma_draw(key: Any, alpha: Any) -> Any:
    """The logarithm of gamma-distributed numbers of shape parameter alpha and scale 1.

    Marsaglia & Tsang 2000: with d = a - 1/3, c = 1 / sqrt(9 d), d (1 + c z)^3 for a normal z is accepted if
    log(u) < z^2 / 2 + d (1 - v + log(v)), v = (1 + c z)^3: at least 95 % are, for a >= 1. For a < 1, the draw for a + 1
    is multiplied by u^(1/a). In logarithms, so that what a small alpha makes tiny does not become 0.
    """
    kind, shape = alpha.dtype, tuple(alpha.shape)
    small = core.less(alpha, 1)
    d = core.where(small, alpha + 1, alpha) - 1 / 3
    c = core.rsqrt(9 * d)
    boost_key, key = split(key, 2)

    def undecided(key: Any, done: Any, value: Any) -> Any:
        return core.logical_not(core.all(done))

    def attempt(key: Any, done: Any, value: Any) -> tuple[Any, Any, Any]:
        normal_key, uniform_key, after = split(key, 3)
        z = core.random_normal(normal_key, shape=shape, dtype=kind)
        u = core.random_uniform(uniform_key, shape=shape, dtype=kind)
        base = 1 + c * z
        positive = core.greater(base, 0)
        log_v = 3 * core.log(core.where(positive, base, 1))
        bound = 0.5 * core.square(z) + d * (1 - core.exp(log_v) + log_v)
        accepted = core.logical_and(positive, core.less(core.log(u), bound))
        value = core.where(core.logical_or(done, core.logical_not(accepted)), value, core.log(d) + log_v)
        # A parameter that is not a positive number never leads to a decision: its draw is NaN.
        return after, core.logical_or(done, accepted), value

    valid = core.logical_and(core.greater(alpha, 0), core.isfinite(alpha))
    start = core.where(valid, tensor(0, kind), math.nan)
    drawn = while_loop(undecided, attempt, (key, core.logical_not(valid), start))[2]
    u = core.random_uniform(boost_key, shape=shape, dtype=kind)
    # 1 - u is never 0.
    return core.where(small, drawn + core.log1p(-u) / core.where(small, alpha, 1), drawn)


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Gamma-distributed numbers of shape parameter alpha > 0 and scale 1."""
    kind = _float_dtype("gamma", dtype)
    alpha = _broadcast_to("gamma", "alpha", alpha, _shape(shape), result_type(kind, "float32"))
    return tensor(core.exp(_log_gamma_draw(draw_seed(seed), alpha)), kind)


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Beta-distributed numbers: x / (x + y) of gamma-distributed x and y."""
    kind = _float_dtype("beta", dtype)
    wide, shape = result_type(kind, "float32"), _shape(shape)
    first, second = split(draw_seed(seed), 2)
    x = _log_gamma_draw(first, _broadcast_to("beta", "alpha", alpha, shape, wide))
    y = _log_gamma_draw(second, _broadcast_to("beta", "beta", beta, shape, wide))
    return tensor(core.sigmoid(x - y), kind)


def binomial(shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """How many of `counts` trials succeed, each with the given probability.

    Where fewer than 10 successes (or failures, where those are rarer) are expected, trials between successes are
    counted: geometric numbers are added up until they pass the number of trials. Elsewhere by rejection from a
    transformed uniform (BTRS, Hörmann 1993).
    """
    kind = _float_dtype("binomial", dtype)
    wide, shape = result_type(kind, "float32"), _shape(shape)
    n = _broadcast_to("binomial", "counts", counts, shape, wide)
    p = _broadcast_to("binomial", "probabilities", probabilities, shape, wide)
    rare_failure = core.greater(p, 0.5)
    q = core.where(rare_failure, 1 - p, p)
    valid = core.logical_and(core.greater_equal(n, 0), core.greater_equal(q, 0))
    many = core.logical_and(valid, core.greater_equal(n * q, 10))
    few_key, many_key = split(draw_seed(seed), 2)
    few = core.logical_and(valid, core.logical_not(many))
    drawn = core.where(
        many,
        _binomial_many(many_key, core.where(many, n, 40.0), core.where(many, q, 0.5)),
        _binomial_few(few_key, core.where(few, n, 0.0), core.where(few, q, 0.0)),
    )
    drawn = core.where(rare_failure, n - drawn, drawn)
    return tensor(core.where(valid, drawn, math.nan), kind)


def _binomial_few(key: Any, n: Any, p: Any) -> Any:
    """Successes by the lengths of the gaps between them, each 1 + floor(log(u) / log(1 - p))."""
    shape, kind = tuple(n.shape), n.dtype
    never = core.less_equal(p, 0)
    per_trial = core.log1p(-core.where(never, 0.5, p))

    def unfinished(key: Any, trials: Any, successes: Any) -> Any:
        return core.any(core.less_equal(trials, n))

    def step(key: Any, trials: Any, successes: Any) -> tuple[Any, Any, Any]:
        uniform_key, after = split(key, 2)
        u = core.random_uniform(uniform_key, shape=shape, dtype=kind)
        trials = trials + 1 + core.floor(core.log1p(-u) / per_trial)
        return after, trials, core.where(core.less_equal(trials, n), successes + 1, successes)

    zero = n * 0
    return while_loop(unfinished, step, (key, core.where(never, n + 1, zero), zero))[2]


def _binomial_many(key: Any, n: Any, p: Any) -> Any:
    """Hörmann's BTRS, with its constants as published; p <= 1/2, n p >= 10."""
    shape, kind = tuple(n.shape), n.dtype
    spread = core.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre = n * p + 0.5
    v_right = 0.92 - 4.2 / b
    scale = (2.83 + 5.1 / b) * spread
    odds = core.log(p / (1 - p))
    mode = core.floor((n + 1) * p)
    top = core.lgamma(mode + 1) + core.lgamma(n - mode + 1)

    def undecided(key: Any, done: Any, value: Any) -> Any:
        return core.logical_not(core.all(done))

    def attempt(key: Any, done: Any, value: Any) -> tuple[Any, Any, Any]:
        u_key, v_key, after = split(key, 3)
        u = core.random_uniform(u_key, shape=shape, dtype=kind) - 0.5
        v = 1 - core.random_uniform(v_key, shape=shape, dtype=kind)
        us = 0.5 - core.abs(u)
        k = core.floor((2 * a / us + b) * u + centre)
        inside = core.logical_and(core.greater_equal(k, 0), core.less_equal(k, n))
        k = core.where(inside, k, mode)
        quick = core.logical_and(core.greater_equal(us, 0.07), core.less_equal(v, v_right))
        height = core.log(v * scale / (a / core.square(us) + b))
        bound = top - core.lgamma(k + 1) - core.lgamma(n - k + 1) + (k - mode) * odds
        accepted = core.logical_and(inside, core.logical_or(quick, core.less_equal(height, bound)))
        value = core.where(core.logical_or(done, core.logical_not(accepted)), value, k)
        return after, core.logical_or(done, accepted), value

    return while_loop(undecided, attempt, (key, core.less(n, 0), n * 0))[2]
