"""The same bits: whatever the number of threads, and wherever in a batch a row stands."""

import hashlib

import numpy as np
import pytest

import falconet as keras
from falconet import layers


def mlp(sizes, inputs=40):
    keras.utils.set_random_seed(3)
    stack = [layers.Input((inputs,))]
    for n in sizes[:-1]:
        stack += [layers.Dense(n, activation="relu"), layers.Dropout(0.2)]
    return keras.Sequential([*stack, layers.Dense(sizes[-1])])


@pytest.fixture
def threads():
    before = keras.num_threads()
    yield keras.set_num_threads
    keras.set_num_threads(before)


def weights_after_100_steps(n, set_threads):
    set_threads(n)
    keras.utils.set_random_seed(11)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2500, 40)).astype("float32"), rng.integers(0, 10, 2500)
    model = mlp((256, 192, 10))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(x, y, batch_size=125, epochs=5, verbose=0)
    digest = hashlib.sha256()
    for w in model.get_weights():
        digest.update(w.tobytes())
    return digest.hexdigest()


def test_100_steps_end_in_one_hash_on_any_number_of_threads(threads):
    hashes = {n: weights_after_100_steps(n, threads) for n in (1, 2, 3, 8, 16)}
    assert len(set(hashes.values())) == 1, hashes


@pytest.mark.slow
def test_100_trainings_end_in_one_hash(threads):
    assert len({weights_after_100_steps(n, threads) for n in (1, 2, 3, 8, 16) * 20}) == 1


@pytest.mark.parametrize("sizes", [(64, 64, 1), (512, 10), (33, 7, 3), (300, 257)])
def test_a_rows_prediction_has_the_same_bits_in_every_batch(sizes, threads):
    model = mlp(sizes)
    x = np.random.default_rng(1).normal(size=(257, 40)).astype("float32")
    whole = model.predict_on_batch(x)
    for count in range(1, 258):
        threads(1 + count % 2)
        start = (count * 7) % (258 - count)
        assert np.array_equal(model.predict_on_batch(x[start : start + count]), whole[start : start + count]), count
