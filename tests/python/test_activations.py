import numpy as np
import pytest
from keras_golden import array, assert_close, label, load

from falconet import activations
from falconet.saving.registration import CustomObjectScope

INPUT, *ROWS = load("activations")


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_activation_is_that_of_keras(row):
    y = getattr(activations, row["name"])(array(INPUT["x"]), **row["arguments"])
    y, wanted = np.asarray(y, "float64"), np.array(row["y"])
    # Values of very different sizes share the array: compare each by itself. Both are within a few units of the true
    # value; what comes out near 0 as a difference of numbers near 1 is held to the rounding of those.
    np.testing.assert_allclose(y, wanted, rtol=32 * 2.0**-24, atol=4 * 2.0**-24)


@pytest.mark.parametrize("name", sorted({row["name"] for row in ROWS}))
def test_activation_is_found_by_its_name(name):
    function = getattr(activations, name)
    assert activations.get(name) is function
    assert activations.serialize(function) == name
    assert activations.deserialize(name) is function


def test_other_ways_to_name_an_activation():
    def mine(x):
        return x + 1

    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.silu
    assert activations.get(mine) is mine
    with CustomObjectScope({"mine": mine}):
        assert activations.get("mine") is mine
    with pytest.raises(ValueError, match="register"):
        activations.serialize(mine)
    with pytest.raises(ValueError, match="no activation called 'rellu'. Did you mean 'relu'"):
        activations.get("rellu")


def test_sparsemax_is_the_nearest_distribution():
    x = array(INPUT["x"])
    y = np.asarray(activations.sparsemax(x), "float64")
    assert_close(y.sum(-1), [1.0, 1.0])
    assert (y >= 0).all()
    # Of a projection y of x: (x - y) is largest, and constant, where y > 0.
    for distance, row in zip(x - y, y, strict=True):
        assert_close(distance[row > 0], np.full((row > 0).sum(), distance.max()))
    assert activations.get("sparsemax") is activations.sparsemax


def test_softmax_of_equal_large_values():
    assert_close(activations.softmax(np.full((1, 4), 3e38, "float32")), [[0.25] * 4])
