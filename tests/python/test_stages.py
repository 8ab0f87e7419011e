"""Instructions that run at the same time: graphs of every shape have the bits they have on one thread."""

import numpy as np
import pytest

import falconet as keras
from falconet import layers, ops


@pytest.fixture
def threads():
    before = keras.num_threads()
    yield keras.set_num_threads
    keras.set_num_threads(before)


def random_function(rng, size):
    """A function of matrices (size, size) made of products, sums, reductions and chains, with much that is
    independent; large enough that threads share it."""
    choices = rng.integers(0, 6, 24).tolist()
    picks = rng.integers(0, 2**31, (24, 2)).tolist()

    def run(*matrices):
        values = list(matrices)
        for choice, (i, j) in zip(choices, picks, strict=True):
            a, b = values[i % len(values)], values[j % len(values)]
            if choice == 0:
                made = ops.matmul(a, b) / size
            elif choice == 1:
                made = ops.matmul(ops.transpose(a), b) / size
            elif choice == 2:
                made = ops.relu(a) - 0.5 * b
            elif choice == 3:
                made = a * ops.mean(b, axis=0)
            elif choice == 4:
                made = ops.tanh(a) + ops.max(b, axis=1, keepdims=True)
            else:
                made = ops.concatenate([a[: size // 2], b[size // 2 :]], axis=0)
            values.append(made)
        return values[-1], ops.sum(values[-2], axis=0), values[len(values) // 2]

    return run


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("size", [64, 192])
def test_random_graphs(threads, seed, size):
    rng = np.random.default_rng(seed)
    function = random_function(rng, size)
    inputs = [rng.normal(size=(size, size)).astype("float32") for _ in range(3)]

    def loss(*matrices):
        return sum(ops.mean(y) for y in function(*matrices))

    def results(n):
        threads(n)
        traced = keras.jit(function)
        with_gradients = keras.jit(keras.grad(loss, argnums=(0, 1, 2)))
        # Twice, as the second run meets the memory that the first has left.
        return [np.asarray(y) for _ in range(2) for y in (*traced(*inputs), *with_gradients(*inputs))]

    want = results(1)
    assert all(np.isfinite(y).all() for y in want)
    for n in (2, 3):
        for got, y in zip(results(n), want, strict=True):
            np.testing.assert_array_equal(got, y)


class Recorder(layers.Layer):
    """Adds up what it is shown, so that the rows a step has seen can be told from the sums."""

    def build(self, shape):
        self.seen = self.add_weight(shape=(shape[-1],), initializer="zeros", trainable=False)

    def call(self, x):
        self.seen.assign(self.seen * 1.5 + ops.mean(x, axis=0))
        return x


@pytest.mark.parametrize("rows, batch", [(4096, 512), (4100, 512), (2048, 2048), (3000, 1000)])
@pytest.mark.parametrize("width", [3, 32, 48])
def test_rows_gathered_ahead(threads, rows, batch, width):
    """Shuffled batches gathered beside the step before are those that are gathered when they are due."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(rows, width)).astype("float32"), rng.normal(size=(rows, 1)).astype("float32")

    def trained(n, **kwargs):
        threads(n)
        keras.utils.set_random_seed(5)
        model = keras.Sequential(
            [layers.Input((width,)), Recorder(), layers.Dense(64, activation="relu"), layers.Dense(1)]
        )
        model.compile("adam", "mse")
        history = model.fit(x, y, batch_size=batch, epochs=3, verbose=0, **kwargs)
        return [*model.get_weights(), np.array(history.history["loss"])]

    steps = rows // batch
    for kwargs in ({}, {"steps_per_epoch": steps}, {"shuffle": False}, {"sample_weight": rng.random(rows)}):
        for got, want in zip(trained(2, **kwargs), trained(1, **kwargs), strict=True):
            np.testing.assert_array_equal(got, want)


def test_dump_tells_what_runs_together(threads):
    threads(2)
    x, y = np.zeros((1024, 32), "float32"), np.zeros((1024, 1), "float32")
    model = keras.Sequential(
        [layers.Input((32,)), layers.Dense(64, activation="relu"), layers.Dense(64), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    model.fit(x, y, batch_size=1024, verbose=0)
    lines = [line for line in keras.dump(model, x, y).splitlines() if " stage " in line]
    stages = [int(line.split(" stage ")[1].split()[0]) for line in lines]
    assert stages == sorted(stages)
    assert len(set(stages)) < len(stages)
