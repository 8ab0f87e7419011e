import numpy as np
import pytest
from keras_golden import array, assert_close, label, load

from falconet import initializers
from falconet.random import SeedGenerator

ROWS = load("initializers")


def values(initializer, shape):
    return np.asarray(initializer(tuple(shape), dtype="float32"))


@pytest.mark.parametrize("row", [row for row in ROWS if "statistics" in row], ids=label)
def test_distribution_is_that_of_keras(row):
    x = values(getattr(initializers, row["name"])(seed=7, **row["arguments"]), row["shape"])
    wanted = row["statistics"]
    assert x.shape == tuple(row["shape"])
    n, stddev = x.size, wanted["stddev"]
    # Two samples of n: means differ by stddev sqrt(2 / n), deviations by at most stddev sqrt(1 / n); five times that.
    assert abs(x.mean() - wanted["mean"]) < 5 * stddev * np.sqrt(2 / n)
    assert abs(x.std() - stddev) < 5 * stddev * np.sqrt(1 / n)
    if "Normal" not in row["name"] and row["arguments"].get("distribution") != "untruncated_normal":
        # The ends of a bounded distribution of n values are met to within 20 / n of its width.
        width = wanted["max"] - wanted["min"]
        assert abs(x.min() - wanted["min"]) < 20 / n * width
        assert abs(x.max() - wanted["max"]) < 20 / n * width
    if row["name"] in ("TruncatedNormal", "GlorotNormal", "HeNormal", "LecunNormal"):
        assert np.abs(x - row["arguments"].get("mean", 0)).max() <= 2 * stddev / 0.8796 * 1.01


@pytest.mark.parametrize("row", [row for row in ROWS if "value" in row], ids=label)
def test_value_is_that_of_keras(row):
    initializer = getattr(initializers, row["name"])(**row["arguments"])
    # Keras computes the angles in float32, here they are float64: at most pi (frame - 1), with pi's own rounding (half
    # a unit), acos's (one or two) and two products', four units in all. A cosine or sine moves by as much as its angle.
    # The window, its sum and the quotient add ten roundings. The largest value may be 0.7 of the window's.
    frame = row["shape"][0]
    units = (4 * np.pi * (frame - 1) + 10) / 0.7 if row["name"] == "STFT" else 0
    assert_close(values(initializer, row["shape"]), array(row["value"]), units)


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_initializer_is_made_again_from_its_config(row):
    arguments = row["arguments"] | ({"seed": 3} if "statistics" in row else {})
    initializer = getattr(initializers, row["name"])(**arguments)
    again = initializers.deserialize(initializers.serialize(initializer))
    assert again.get_config() == initializer.get_config()
    np.testing.assert_array_equal(values(again, row["shape"]), values(initializer, row["shape"]))


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (4, 4), (2, 3, 4)])
def test_orthogonal(shape):
    x = values(initializers.Orthogonal(gain=2.0, seed=1), shape).reshape(-1, shape[-1])
    gram = x @ x.T if x.shape[0] < x.shape[1] else x.T @ x
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_seeds():
    shape = (4, 5)
    fixed = initializers.GlorotUniform(seed=3)
    np.testing.assert_array_equal(values(fixed, shape), values(fixed, shape))
    moving = initializers.GlorotUniform(seed=SeedGenerator(3))
    assert (values(moving, shape) != values(moving, shape)).any()
    again = initializers.deserialize(initializers.serialize(initializers.GlorotUniform(seed=SeedGenerator(3))))
    assert isinstance(again.seed, SeedGenerator)
    free = initializers.GlorotUniform()
    assert free.get_config()["seed"] is None
    assert (values(free, shape) != values(free.clone(), shape)).any()


@pytest.mark.parametrize(
    ("shape", "fans"), [((), (1, 1)), ((5,), (5, 5)), ((3, 4), (3, 4)), ((2, 3, 4, 5), (24, 30)), ((0, 4), (0, 4))]
)
def test_fans(shape, fans):
    assert initializers.compute_fans(shape) == fans


def test_names_arrays_and_functions():
    assert isinstance(initializers.get("he_normal"), initializers.HeNormal)
    assert isinstance(initializers.get("zeros"), initializers.Zeros)
    given = np.arange(6, dtype="float32").reshape(2, 3)
    assert_close(initializers.get(given)((2, 3), dtype="float32"), given)
    with pytest.raises(ValueError, match=r"\(2, 3\), the variable \(3, 2\)"):
        initializers.get(given)((3, 2))
    with pytest.raises(ValueError, match="no initializer called 'glorot'"):
        initializers.get("glorot")
    with pytest.raises(ValueError, match=r"`mode` is 'fan'"):
        initializers.VarianceScaling(mode="fan")
    with pytest.raises(ValueError, match=r"`shape` is \(3,\)"):
        initializers.Identity()((3,))
