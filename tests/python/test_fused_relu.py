"""A relu's gradient behind a product is done in the product's registers: the same bits as one op after the other."""

import numpy as np
import pytest

import falconet as keras
from falconet import ops

# (m, n, k) of dy @ w.T for every way a product is computed: single columns and rows, small, packed, threaded.
SHAPES = [(1, 1, 1), (7, 1, 5), (1, 37, 9), (3, 50, 8), (100, 5, 1), (33, 64, 17), (200, 130, 70), (40, 300, 500)]


def _operands(m, n, k, dtype):
    rng = np.random.default_rng(m + n + k)
    dy, w = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((n, k)).astype(dtype)
    y = rng.standard_normal((m, n)).astype(dtype)
    special = np.array([np.nan, 0.0, -0.0, np.inf, -np.inf, 1e-40, -1e-40], dtype)
    places = rng.choice(y.size, min(y.size, 7), replace=False)
    y.flat[places] = special[: len(places)]
    return dy, w, y


def _through_relu(dy, w, x):
    """d/dx of sum((dy @ w.T) * relu(x)): relu's gradient right behind a product."""
    return keras.grad(lambda x: ops.sum(ops.stop_gradient(ops.matmul(dy, ops.transpose(w))) * ops.relu(x)))(x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m, n, k", SHAPES)
def test_behind_a_product(m, n, k, dtype):
    dy, w, y = _operands(m, n, k, dtype)
    product = np.asarray(ops.matmul(dy, ops.transpose(w)))
    expected = np.where(y > 0, product, np.zeros_like(product))
    np.testing.assert_array_equal(np.asarray(keras.jit(_through_relu)(dy, w, y)), expected)


def test_takes_no_pass_of_its_own():
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(3),
        ]
    )
    model.compile("sgd", "mse")
    x, y = np.zeros((32, 8), "float32"), np.zeros((32, 3), "float32")
    model.train_on_batch(x, y)
    text = str(keras.dump(model, x, y))
    instructions = [line for line in text.splitlines() if " units " in line]
    assert len(instructions) > 8 and "relu_grad" in text
    assert not any("relu" in line or "greater" in line or "where" in line for line in instructions), text


def test_second_derivative():
    """d2/dx2 of relu(x)^3 is 6 x where x > 0."""
    first = keras.grad(lambda x: ops.sum(ops.relu(x) ** 3))
    second = keras.grad(lambda x: ops.sum(first(x)))
    x = np.array([-2.0, -0.0, 0.0, 0.5, 3.0], "float32")
    np.testing.assert_allclose(np.asarray(second(x)), np.where(x > 0, 6 * x, 0), rtol=1e-6)
