"""Random tensors: reproducible, with the moments and the ranges their distributions have.

A sample mean of N draws is within 5 standard errors of the true one but for 6 cases in ten million; seeds are fixed, so
these tests either always pass or never.
"""

from __future__ import annotations

import numpy as np
import pytest

import falconet
from falconet import random

N = 100_000


def sample(x):
    return np.asarray(x).astype("float64")


def check_moments(x, mean, deviation, kurtosis=3.0):
    """Mean and variance within 5 standard errors."""
    x = sample(x)
    assert abs(x.mean() - mean) <= 5 * deviation / np.sqrt(x.size) + 1e-7
    if deviation:
        assert abs(x.var() / deviation**2 - 1) <= 5 * np.sqrt((kurtosis - 1) / x.size) + 1e-6


DRAWS = {
    "normal": lambda **a: random.normal((64,), **a),
    "uniform": lambda **a: random.uniform((64,), **a),
    "truncated_normal": lambda **a: random.truncated_normal((64,), **a),
    "gamma": lambda **a: random.gamma((64,), 2.0, **a),
    "beta": lambda **a: random.beta((64,), 2.0, 3.0, **a),
    "binomial": lambda **a: random.binomial((64,), 9, 0.4, **a),
    "randint": lambda **a: random.randint((64,), 0, 1000, **a),
    "dropout": lambda **a: random.dropout(np.ones(64, "float32"), 0.5, **a),
    "shuffle": lambda **a: random.shuffle(np.arange(64), **a),
    "categorical": lambda **a: random.categorical(np.zeros((2, 50), "float32"), 32, **a),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_decides_and_a_generator_moves_on(name):
    draw = DRAWS[name]
    a, b, c = (sample(draw(seed=s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
    generator = random.SeedGenerator(1)
    first, second = sample(draw(seed=generator)), sample(draw(seed=generator))
    np.testing.assert_array_equal(first, a)
    assert (first != second).any()
    random.set_random_seed(5)
    x, y = sample(draw()), sample(draw())
    random.set_random_seed(5)
    np.testing.assert_array_equal(sample(draw()), x)
    np.testing.assert_array_equal(sample(draw()), y)
    assert (x != y).any()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["normal", "uniform", "truncated_normal", "gamma", "beta", "binomial"])
def test_float_dtypes(name, dtype):
    y = DRAWS[name](seed=3, dtype=dtype)
    assert y.dtype == dtype and y.shape == (64,) and np.isfinite(sample(y)).all()


@pytest.mark.parametrize("name", ["normal", "uniform", "truncated_normal", "gamma", "beta", "binomial"])
def test_integer_dtype_is_refused(name):
    with pytest.raises(ValueError, match="float dtype"):
        DRAWS[name](seed=3, dtype="int32")


def test_normal():
    x = random.normal((N,), 2.0, 3.0, seed=1)
    check_moments(x, 2, 3)
    assert abs(np.mean(sample(x) < 2) - 0.5) < 5 * 0.5 / np.sqrt(N)
    assert abs(np.mean(np.abs(sample(x) - 2) < 3) - 0.682689) < 5 * 0.47 / np.sqrt(N)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 2.0), (-3.0, 5.0), (1000.0, 1000.001)])
def test_uniform_is_within_its_half_open_interval(low, high):
    x = np.asarray(random.uniform((N,), low, high, seed=2))
    assert x.min() >= np.float32(low) and x.max() < np.float32(high)
    if high - low > 0.1:
        check_moments(x, (low + high) / 2, (high - low) / 12**0.5, 1.8)


def test_truncated_normal():
    x = random.truncated_normal((N,), 1.0, 2.0, seed=3)
    assert np.abs(sample(x) - 1).max() <= 4 + 1e-5
    check_moments(x, 1, 2 * 0.879626)


@pytest.mark.parametrize(
    ("low", "high", "dtype"), [(0, 6, "int32"), (-3, 5, "int64"), (0, 256, "uint8"), (10**10, 10**10 + 7, "int64")]
)
def test_randint_takes_every_value_equally(low, high, dtype):
    x = np.asarray(random.randint((N,), low, high, dtype=dtype, seed=4))
    assert x.dtype == dtype and x.min() == low and x.max() == high - 1
    counts = np.bincount((x.astype("int64") - low).ravel(), minlength=high - low)
    share = 1 / (high - low)
    assert np.abs(counts / N - share).max() < 5 * np.sqrt(share / N)


def test_randint_refuses_an_empty_interval():
    with pytest.raises(ValueError, match="minval"):
        random.randint((2,), 3, 3)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 3.0, 100.0])
def test_gamma(alpha):
    x = random.gamma((N,), alpha, seed=5)
    assert sample(x).min() >= 0
    check_moments(x, alpha, alpha**0.5, 3 + 6 / alpha)


def test_gamma_of_an_array_of_parameters():
    x = sample(random.gamma((N, 2), [1.0, 4.0], seed=6))
    np.testing.assert_allclose(x.mean(0), [1, 4], rtol=0.03)


def test_gamma_of_a_parameter_that_is_not_positive_is_nan():
    x = sample(random.gamma((3,), [1.0, -1.0, np.nan], seed=6))
    np.testing.assert_array_equal(np.isnan(x), [False, True, True])


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (2.0, 5.0), (0.01, 0.01)])
def test_beta(a, b):
    x = random.beta((N,), a, b, seed=7)
    assert 0 <= sample(x).min() and sample(x).max() <= 1
    check_moments(x, a / (a + b), np.sqrt(a * b / (a + b + 1)) / (a + b), 3.0)


@pytest.mark.parametrize(
    ("n", "p"), [(5, 0.3), (5, 0.9), (100, 0.05), (100, 0.5), (1000, 0.8), (10, 0.0), (10, 1.0), (0, 0.5)]
)
def test_binomial(n, p):
    x = random.binomial((N,), n, p, seed=8)
    values = sample(x)
    assert (values == np.round(values)).all() and values.min() >= 0 and values.max() <= n
    check_moments(x, n * p, np.sqrt(n * p * (1 - p)))


def test_binomial_has_the_right_shape_where_it_rejects():
    """The frequency of every value of n = 40, p = 1/2 against the exact one."""
    from math import comb

    counts = np.bincount(sample(random.binomial((N,), 40, 0.5, seed=9)).astype(int), minlength=41)
    exact = np.array([comb(40, k) for k in range(41)]) / 2.0**40
    assert np.all(np.abs(counts / N - exact) <= 5 * np.sqrt(exact / N) + 2 / N)


def test_categorical():
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    with np.errstate(divide="ignore"):
        x = np.asarray(random.categorical(np.log(p).astype("float32"), N, seed=10))
    assert x.shape == (2, N) and x.dtype == "int32"
    for row, shares in zip(x, p, strict=True):
        counts = np.bincount(row, minlength=3) / N
        assert np.all(np.abs(counts - shares) <= 5 * np.sqrt(shares / N))


def test_dropout():
    x = sample(random.dropout(np.full((N,), 2.0, "float32"), 0.25, seed=11))
    assert set(np.unique(x)) == {0.0, float(np.float32(2) / np.float32(0.75))}
    assert abs(np.mean(x == 0) - 0.25) < 5 * np.sqrt(0.25 * 0.75 / N)


def test_dropout_noise_shape_and_ends():
    x = np.ones((4, 5, 6), "float32")
    y = sample(random.dropout(x, 0.5, noise_shape=(None, 1, 6), seed=12))
    assert (y == y[:, :1]).all()
    np.testing.assert_array_equal(sample(random.dropout(x, 0.0, seed=1)), x)
    np.testing.assert_array_equal(sample(random.dropout(x, 1.0, seed=1)), 0 * x)
    with pytest.raises(ValueError, match="rate"):
        random.dropout(x, 1.5)
    with pytest.raises(ValueError, match="noise_shape"):
        random.dropout(x, 0.5, noise_shape=(4, 5))


def test_dropout_gradient_is_the_mask():
    x = np.ones(100, "float32")
    y = sample(random.dropout(x, 0.3, seed=13))
    g = falconet.tracing.grad(lambda x: falconet.ops.sum(random.dropout(x, 0.3, seed=13)))(x)
    np.testing.assert_array_equal(sample(g), y)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_shuffle_permutes_slices(axis):
    x = np.arange(60).reshape(6, 10)
    y = np.asarray(random.shuffle(x, axis=axis, seed=14))
    assert y.shape == x.shape and (y != x).any()
    order = np.argsort(np.take(y, 0, 1 - axis % 2))
    np.testing.assert_array_equal(np.take(y, order, axis), x)


def test_shuffle_reaches_every_order():
    generator = random.SeedGenerator(15)
    seen = {tuple(np.asarray(random.shuffle(np.arange(3), seed=generator))) for _ in range(100)}
    assert len(seen) == 6


def test_seed_generator():
    seeds = random.SeedGenerator(7, name="mine")
    assert seeds.get_config() == {"seed": 7, "name": "mine"}
    assert random.SeedGenerator.from_config(seeds.get_config()).name == "mine"
    first, second = np.asarray(seeds.next()), np.asarray(seeds.next())
    assert first.dtype == np.uint32 and first.shape == (2,) and (first != second).any()
    for wrong in (-1, 1.5, "seed", 2**64, True):
        with pytest.raises(ValueError, match="seed"):
            random.SeedGenerator(wrong)
    with pytest.raises(ValueError, match="seed"):
        random.normal((2,), seed="seven")


def test_traced_draws_move_the_generator_on():
    generator = random.SeedGenerator(3)
    program = falconet.tracing.jit(lambda x: x + random.normal((4,), seed=generator))
    zeros = np.zeros(4, "float32")
    first, second = np.asarray(program(zeros)), np.asarray(program(zeros))
    eager = random.SeedGenerator(3)
    np.testing.assert_array_equal(first, np.asarray(random.normal((4,), seed=eager)))
    np.testing.assert_array_equal(second, np.asarray(random.normal((4,), seed=eager)))


def test_streams_are_not_correlated():
    generator = random.SeedGenerator(0)
    draws = np.stack([sample(random.normal((2000,), seed=generator)) for _ in range(20)])
    correlations = np.corrcoef(draws)[~np.eye(20, dtype=bool)]
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)


def test_keys_out_of_order_are_those_of_keras():
    seeds = random.SeedGenerator(123456789)
    keys = [np.asarray(seeds.next(ordered=False)).tolist() for _ in range(5)]
    # From Keras 3.15.
    assert keys == [[123456789, 0], [87643, 5387], [872733, 95987], [509197, 95110], [377765, 36706]]
    assert np.asarray(seeds.next()).tolist() == [651622, 835620]
    assert np.asarray(seeds.next()).tolist() == [651622, 835621]
