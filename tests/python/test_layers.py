"""Layers: values, weights and their order against Keras; building, tracking, masks, configuration."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import falconet as keras
from falconet import layers, ops

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))

from model_cases import layer_cases, run_layer  # noqa: E402

EXPECTED = json.loads((GOLDEN / "models.json").read_text())["layers"]

# float32 results of short sums: a few roundings of 2^-24 each, on values of order 1.
RTOL, ATOL = 2e-5, 2e-6


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_as_keras(name):
    layer, args, kwargs = layer_cases(keras)[name]
    found, expected = run_layer(layer, args, kwargs), EXPECTED[name]
    np.testing.assert_allclose(found["output"], expected["output"], RTOL, ATOL)
    assert found["weights"] == expected["weights"]
    assert found["shapes"] == expected["shapes"]
    assert found["trainable"] == expected["trainable"]
    for after, wanted in zip(found["after"], expected["after"], strict=True):
        np.testing.assert_allclose(after, wanted, RTOL, ATOL)
    np.testing.assert_allclose(found["losses"], expected["losses"], RTOL)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_symbolic_shape_agrees_with_values(name):
    layer, args, kwargs = layer_cases(keras)[name]
    if kwargs:
        pytest.skip("called with keyword arguments")
    symbols = keras.tree.map_structure(lambda a: layers.Input(a.shape[1:], dtype=str(a.dtype)), args[0])
    output = layer(symbols)
    assert output.shape == (None, *np.shape(EXPECTED[name]["output"])[1:])


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_config_round_trip(name):
    layer, args, kwargs = layer_cases(keras)[name]
    layer(*args, **kwargs)
    config = json.loads(json.dumps(layers.serialize(layer)))
    copy = layers.deserialize(config)
    assert type(copy) is type(layer)
    assert copy.name == layer.name
    copy(*args, **kwargs)
    copy.set_weights(layer.get_weights())
    training = {k: v for k, v in kwargs.items() if k != "training"}
    np.testing.assert_array_equal(np.asarray(copy(*args, **training)), np.asarray(layer(*args, **training)))


def test_names_are_numbered():
    keras.utils.clear_session()
    assert [layers.Dense(1).name, layers.Dense(1).name, layers.ReLU().name] == ["dense", "dense_1", "re_lu"]
    assert layers.Dense(1, name="mine").name == "mine"


class Block(layers.Layer):
    def __init__(self, width=3, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.stack = [layers.Dense(width), layers.Dense(width)]
        self.named = {"norm": layers.BatchNormalization()}
        self.pair = (layers.Dense(1), layers.Dropout(0.5))

    def build(self, input_shape):
        self.extra = self.add_weight((input_shape[-1],), "zeros", name="extra")
        self.counter = self.add_weight((), "zeros", trainable=False, name="counter")

    def call(self, x, training=False):
        x = x + self.extra
        for layer in self.stack:
            x = layer(x)
        return self.pair[1](self.pair[0](self.named["norm"](x)))


def test_state_in_lists_dicts_and_tuples_is_found_in_order():
    block = Block(name="block")
    block(np.ones((2, 3), "float32"))
    names = [w.path for w in block.weights]
    assert [n.split("/")[-1] for n in names[:2]] == ["extra", "counter"]
    assert [n.rsplit("/", 1)[-1] for n in names[2:]] == [
        "kernel", "bias", "kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "kernel", "bias",
    ]  # fmt: skip
    assert all(n.startswith("block/") for n in names)
    assert len(block.trainable_weights) == 9 and len(block.non_trainable_weights) == 3
    assert len(block.variables) == len(block.weights) + 1  # the dropout's seed


def test_trainable_flag_reaches_inner_layers():
    block = Block()
    block(np.ones((2, 3), "float32"))
    block.trainable = False
    assert block.trainable_weights == [] and len(block.non_trainable_weights) == 12
    block.trainable = True
    assert len(block.trainable_weights) == 9
    block.stack[0].trainable = False
    assert len(block.trainable_weights) == 7


def test_replaced_layers_are_forgotten():
    holder = layers.Layer()
    holder.inner = layers.Dense(1)
    holder.inner = layers.Dense(2)
    assert len(holder._layers) == 1
    holder.rest = [layers.Dense(1)]
    holder.rest.append(layers.Dense(1))
    assert len(holder._layers) == 3
    holder.rest.pop()
    del holder.inner
    assert len(holder._layers) == 1


def test_adding_state_after_build_is_an_error():
    block = Block()
    block(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match="already built"):
        block.late = layers.Dense(1)


def test_captured_configuration():
    config = Block(5, name="b").get_config()
    assert config["width"] == 5 and config["name"] == "b" and config["trainable"] is True
    assert Block.from_config(config).width == 5
    dense = layers.Dense(4, activation="relu", kernel_regularizer="l2")
    assert (
        layers.Dense.from_config(json.loads(json.dumps(keras.saving.serialize_keras_object(dense)))["config"]).units
        == 4
    )


def test_get_and_set_weights():
    dense = layers.Dense(2)
    with pytest.raises(ValueError, match="not built yet"):
        dense.set_weights([np.ones((3, 2)), np.ones(2)])
    dense.build((None, 3))
    dense.set_weights([np.ones((3, 2)), np.zeros(2)])
    assert dense.count_params() == 8
    np.testing.assert_array_equal(np.asarray(dense(np.ones((1, 3), "float32"))), [[3, 3]])
    with pytest.raises(ValueError, match=r'"kernel" has shape \(3, 2\), got \(2, 2\)'):
        dense.set_weights([np.ones((2, 2)), np.zeros(2)])


def test_output_shapes_by_tracing():
    assert layers.Dense(5).compute_output_shape((None, 3)) == (None, 5)
    assert layers.Flatten().compute_output_shape((None, 3, 4)) == (None, 12)
    assert layers.Concatenate(axis=1).compute_output_shape([(None, 3), (None, 4)]) == (None, 7)
    assert layers.Reshape((-1, 2)).compute_output_shape((8, 3, 4)) == (8, 6, 2)
    assert layers.Dense(5).compute_output_shape((None, None, 3)) == (None, None, 5)


def test_masks_travel_and_are_consumed():
    seen = []

    class Consumer(layers.Layer):
        def call(self, x, mask=None):
            seen.append(None if mask is None else np.asarray(mask).tolist())
            return x

    x = np.array([[1, 0, 2], [0, 0, 3]])
    embedded = layers.Embedding(5, 2, mask_zero=True)(x)
    Consumer()(layers.Dropout(0.1)(layers.Dense(2)(embedded)))
    assert seen == [[[True, False, True], [False, False, True]]]
    Consumer()(layers.Flatten()(embedded))
    assert seen[-1] is None


def test_mask_reaches_a_layer_in_a_functional_model():
    class MaskedMean(layers.Layer):
        def call(self, x, mask=None):
            weights = ops.expand_dims(ops.cast(mask, "float32"), -1)
            return ops.sum(x * weights, axis=1) / ops.sum(weights, axis=1)

    x = layers.Input((4, 2))
    model = keras.Model(x, MaskedMean()(layers.Masking()(x)))
    data = np.array([[[2, 2], [4, 4], [0, 0], [0, 0]]], "float32")
    np.testing.assert_allclose(model.predict(data), [[3, 3]])


def test_dropout_drops_and_scales():
    x = np.ones((200, 50), "float32")
    y = np.asarray(layers.Dropout(0.25, seed=1)(x, training=True))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    # 10,000 draws: the share has standard deviation 0.0043
    assert abs((y == 0).mean() - 0.25) < 0.02
    rows = np.asarray(layers.Dropout(0.5, noise_shape=(None, 1), seed=2)(x, training=True))
    assert all(len(set(row)) == 1 for row in rows)
    assert np.asarray(layers.Dropout(0.5)(x)).min() == 1


def test_batch_normalization_moving_statistics():
    layer = layers.BatchNormalization(momentum=0.5)
    x = np.array([[0.0], [4.0]], "float32")
    layer(x, training=True)
    np.testing.assert_allclose(np.asarray(layer.moving_mean), [1.0])
    np.testing.assert_allclose(np.asarray(layer.moving_variance), [0.5 + 2.0])
    layer.trainable = False
    layer(x, training=True)
    np.testing.assert_allclose(np.asarray(layer.moving_mean), [1.0])


def test_normalization_adapts_to_arrays_and_batches():
    data = np.random.RandomState(0).randn(100, 3) * [1, 2, 3] + [5, 0, -5]
    whole, pieces = layers.Normalization(), layers.Normalization()
    whole.adapt(data)
    pieces.adapt([data[:10], data[10:75], data[75:]])
    for layer in (whole, pieces):
        np.testing.assert_allclose(np.asarray(layer.adapt_mean), data.mean(0), rtol=1e-5)
        np.testing.assert_allclose(np.asarray(layer.adapt_variance), data.var(0), rtol=1e-5)
    assert abs(np.asarray(whole(data)).std(0) - 1).max() < 1e-4


def test_training_flag_is_inherited():
    seen = []

    class Inner(layers.Layer):
        def call(self, x, training=None):
            seen.append(training)
            return x

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def call(self, x):
            return self.inner(x)

    Outer()(np.ones((1, 2), "float32"), training=True)
    Outer()(np.ones((1, 2), "float32"))
    assert seen == [True, None]


def test_losses_are_collected_and_cleared():
    dense = layers.Dense(2, kernel_regularizer="l2", activity_regularizer="l1")
    x = np.ones((1, 3), "float32")
    dense(x)
    assert len(dense.losses) == 2
    dense(x)
    assert len(dense.losses) == 2

    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x))
            return x

    layer = Penalty()
    layer(x)
    assert float(layer.losses[0]) == 3


def test_stateless_call_leaves_the_layer_alone():
    layer = layers.BatchNormalization()
    layer.build((None, 2))
    before = layer.get_weights()
    x = np.array([[1.0, 2.0], [3.0, 6.0]], "float32")
    trainable = [np.full(2, 2.0, "float32"), np.zeros(2, "float32")]
    outputs, state = layer.stateless_call(trainable, [np.zeros(2, "float32"), np.ones(2, "float32")], x, training=True)
    np.testing.assert_allclose(np.asarray(outputs).std(0), [2, 2], rtol=1e-3)
    np.testing.assert_allclose(np.asarray(state[0]), [0.02, 0.04], rtol=1e-4)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_lambda_and_arguments():
    assert np.asarray(layers.Lambda(lambda x, k: x * k, arguments={"k": 3})(np.ones((1, 2), "float32"))).tolist() == [
        [3, 3]
    ]


def test_default_build_by_shape():
    class Composite(layers.Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b = layers.Dense(3), layers.Dense(2)

        def call(self, x):
            return self.b(self.a(x))

    layer = Composite()
    layer.build((None, 4))
    assert [tuple(w.shape) for w in layer.weights] == [(4, 3), (3,), (3, 2), (2,)]


def test_several_inputs_build_by_name():
    class Bilinear(layers.Layer):
        def build(self, left_shape, right_shape):
            self.kernel = self.add_weight((left_shape[-1], right_shape[-1]), "ones")

        def call(self, left, right):
            return ops.matmul(ops.matmul(left, self.kernel), ops.transpose(right))

    out = Bilinear()(np.ones((1, 2), "float32"), np.ones((1, 3), "float32"))
    assert np.asarray(out).tolist() == [[6.0]]


def test_two_dtypes():
    assert layers.Dense(2, dtype="float64")(np.ones((1, 2), "float32")).dtype == "float64"
    with pytest.raises(ValueError, match="mixed_float16"):
        layers.Dense(2, dtype="mixed_float16")
