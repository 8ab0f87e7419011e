"""Models: structure, order and text against Keras; functional, Sequential and subclassed models, cloning, JSON."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import falconet as keras
from falconet import Model, Sequential, layers, ops

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))

from model_cases import MODELS, run_model  # noqa: E402

EXPECTED = json.loads((GOLDEN / "models.json").read_text())["models"]


@pytest.fixture(scope="module")
def ran():
    return {name: run_model(keras, name) for name in MODELS}


@pytest.mark.parametrize("name", sorted(EXPECTED))
@pytest.mark.parametrize("what", ["summary", "layers", "weights", "trainable"])
def test_structure_as_keras(ran, name, what):
    assert ran[name][what] == EXPECTED[name][what]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_numbers_as_keras(ran, name):
    found, expected = ran[name], EXPECTED[name]
    assert set(found["history"]) == set(expected["history"])
    for key, values in expected["history"].items():
        # Three epochs of float32 steps: errors of 1e-6 per step, grown by the training itself.
        np.testing.assert_allclose(found["history"][key], values, rtol=2e-4, atol=1e-5, err_msg=key)
    for key, value in expected["evaluate"].items():
        np.testing.assert_allclose(found["evaluate"][key], value, rtol=2e-4, atol=1e-5, err_msg=key)
    for a, b in zip(found["predict"], expected["predict"], strict=True):
        np.testing.assert_allclose(a, b, rtol=5e-4, atol=2e-4)


def graph_model():
    a, b = layers.Input((3,), name="a"), layers.Input((2,), name="b")
    shared = layers.Dense(4, name="shared")
    left = shared(a)
    right = shared(layers.Dense(3, name="widen")(b))
    joined = layers.Add(name="both")([left, right * 2.0])
    return Model([a, b], {"sum": joined, "mean": layers.Dense(1, name="head")(ops.tanh(joined))}, name="graph")


X = [np.ones((5, 3), "float32"), np.ones((5, 2), "float32")]


def test_functional_inputs_in_every_form():
    model = graph_model()
    expected = model.predict(X)
    for given in (tuple(X), {"a": X[0], "b": X[1]}, {"b": X[1], "a": X[0]}):
        found = model.predict(given)
        assert set(found) == {"sum", "mean"}
        np.testing.assert_array_equal(found["mean"], expected["mean"])


def test_shared_layers_and_parts():
    model = graph_model()
    assert [w.name for w in model.weights].count("kernel") == 3
    assert model.get_layer("shared") in model.layers
    assert model.get_layer(index=0) is model.layers[0]
    assert model.input_shape == [(None, 3), (None, 2)]
    assert model.output_shape == {"sum": (None, 4), "mean": (None, 1)}
    with pytest.raises(ValueError, match="no layer 'absent'"):
        model.get_layer("absent")


@pytest.mark.parametrize("copy", [keras.models.clone_model, lambda m: keras.models.model_from_json(m.to_json())])
def test_functional_copies(copy):
    model = graph_model()
    twin = copy(model)
    assert twin.get_layer("shared") is not model.get_layer("shared")
    twin.set_weights(model.get_weights())
    expected, found = model.predict(X), twin.predict(X)
    for key in expected:
        np.testing.assert_array_equal(found[key], expected[key])


def test_ops_in_functional_models():
    x = layers.Input((4,))
    y = ops.concatenate([x[:, :2], ops.expand_dims(ops.mean(x, axis=-1), -1)], axis=-1)
    model = Model(x, -y + 1.0)
    data = np.arange(8, dtype="float32").reshape(2, 4)
    expected = 1 - np.concatenate([data[:, :2], data.mean(-1, keepdims=True)], -1)
    np.testing.assert_allclose(model.predict(data), expected)
    copy = keras.models.model_from_json(model.to_json())
    np.testing.assert_allclose(copy.predict(data), expected)


def test_nested_models_and_feature_extraction():
    inner = Sequential(
        [layers.Input((3,)), layers.Dense(4, name="first"), layers.Dense(2, name="second")], name="inner"
    )
    x = layers.Input((3,))
    outer = Model(x, layers.Dense(1)(inner(x)))
    assert outer.count_params() == inner.count_params() + 3
    features = Model(inner.inputs, inner.get_layer("first").output)
    assert features.predict(np.ones((2, 3))).shape == (2, 4)
    tail = Model(inner.get_layer("first").output, inner.outputs)
    data = np.ones((2, 3), "float32")
    np.testing.assert_allclose(tail.predict(features.predict(data)), inner.predict(data), rtol=1e-6)


def test_sequential_deferred_build():
    model = Sequential([layers.Dense(4), layers.Dense(2)])
    assert not model.built and model.layers[0].name in repr(model.layers[0])
    with pytest.raises(AttributeError, match="no defined `inputs`"):
        _ = model.inputs
    model(np.ones((3, 5), "float32"))
    assert model.input_shape == (None, 5)
    assert model.predict(np.ones((7, 5))).shape == (7, 2)
    model.add(layers.Dense(1))
    assert model.output_shape == (None, 1)
    model.pop()
    assert model.output_shape == (None, 2)


def test_sequential_refuses_what_does_not_fit():
    model = Sequential([layers.Dense(2, name="one")])
    with pytest.raises(ValueError, match="layer named 'one' already"):
        model.add(layers.Dense(2, name="one"))
    with pytest.raises(ValueError, match="must be a Layer"):
        model.add(3)
    with pytest.raises(ValueError, match="must come first"):
        model.add(layers.Input((3,)))


def test_graph_errors():
    a, b = layers.Input((2,)), layers.Input((2,))
    with pytest.raises(ValueError, match="disconnected"):
        Model(a, layers.Add()([a, b]))
    with pytest.raises(ValueError, match="unique"):
        Model(a, layers.Dense(1, name="d")(layers.Dense(1, name="d")(a)))
    with pytest.raises(ValueError, match="symbolic tensors"):
        Model(np.ones(3), a)


class Net(Model):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = layers.Dense(units, activation="relu")
        self.out = layers.Dense(1)

    def call(self, x, training=False):
        return self.out(self.hidden(x))


def test_subclassed_models():
    net = Net(3)
    with pytest.raises(ValueError, match="not built"):
        net.count_params()
    net.build((None, 5))
    assert net.count_params() == 3 * 5 + 3 + 3 + 1
    assert [layer.name for layer in net.layers] == [net.hidden.name, net.out.name]
    assert Net.from_config(net.get_config()).units == 3


def test_functional_constructor_in_a_subclass():
    class Wrapped(Model):
        def __init__(self, units):
            x = layers.Input((4,))
            super().__init__(inputs=x, outputs=layers.Dense(units)(x), name="wrapped")

    model = Wrapped(3)
    assert model.predict(np.ones((2, 4))).shape == (2, 3) and model.name == "wrapped"


def test_direct_call_equals_predict_and_follows_changes():
    model = Sequential([layers.Input((4,)), layers.Dense(3, activation="tanh"), layers.Dropout(0.5), layers.Dense(2)])
    x = np.random.RandomState(0).randn(6, 4).astype("float32")
    first = np.asarray(model(x))
    for _ in range(3):
        np.testing.assert_array_equal(np.asarray(model(x)), first)
    np.testing.assert_allclose(model.predict(x), first, rtol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(x), first, rtol=1e-6)
    assert not np.array_equal(np.asarray(model(x, training=True)), np.asarray(model(x, training=True)))
    model.set_weights([w * 2 for w in model.get_weights()])
    assert not np.allclose(np.asarray(model(x)), first)
    model.layers[0].activation = keras.activations.relu
    hidden = np.maximum(x @ model.get_weights()[0] + model.get_weights()[1], 0)
    expected = hidden @ model.get_weights()[2] + model.get_weights()[3]
    np.testing.assert_allclose(np.asarray(model(x)), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(x), expected, rtol=1e-5, atol=1e-6)


def test_summary_of_shapes_and_ranges(capsys):
    model = graph_model()
    model.summary(show_trainable=True, line_length=100)
    text = capsys.readouterr().out
    assert "Connected to" in text and "Trainable" in text and "shared[0][0]" in text
    assert all(len(line) == 100 for line in text.splitlines() if line[:1] in "┏┃┡│├└")
    model.summary(layer_range=["shared", "shared"])
    assert "head" not in capsys.readouterr().out
