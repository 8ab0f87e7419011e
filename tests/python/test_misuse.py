"""What bad input gets: an error before anything runs, which names who complains, what came and what was needed."""

import numpy as np
import pytest

import falconet as keras
from falconet import layers


def compiled(units=1, inputs=3, loss="mse", **kwargs):
    model = keras.Sequential([layers.Input((inputs,)), layers.Dense(units, name="out")], name="m")
    model.compile("sgd", loss, **kwargs)
    return model


def two_outputs(**kwargs):
    x = layers.Input((3,))
    model = keras.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)], name="two")
    model.compile("sgd", **{"loss": "mse", **kwargs})
    return model


X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")

# name -> (what to do, error, a part of its message)
CASES = {
    # layers: constructor arguments
    "units_zero": (lambda: layers.Dense(0), ValueError, r"\[Dense\] `units` must be an integer >= 1, got 0"),
    "units_float": (lambda: layers.Dense(2.5), ValueError, r"`units` must be an integer"),
    "units_text": (lambda: layers.Dense("3"), ValueError, r"got '3'"),
    "unknown_argument": (lambda: layers.Dense(2, unit=3), ValueError, r"\[Dense\] unknown argument\(s\): unit"),
    "unknown_activation": (lambda: layers.Dense(2, activation="rleu"), ValueError, r"rleu"),
    "unknown_initializer": (lambda: layers.Dense(2, kernel_initializer="glorot"), ValueError, r"glorot"),
    "unknown_regularizer": (lambda: layers.Dense(2, kernel_regularizer="l3"), ValueError, r"l3"),
    "lora": (lambda: layers.Dense(2, lora_rank=4), ValueError, r"`lora_rank`=4 is not available"),
    "rate_above_one": (
        lambda: layers.Dropout(1.5), ValueError,
        r"\[Dropout\] `rate` must be a number from 0 to 1, got 1.5",
    ),
    "rate_text": (lambda: layers.Dropout("half"), ValueError, r"got 'half'"),
    "name_slash": (lambda: layers.Dense(2, name="a/b"), ValueError, r"without '/'"),
    "trainable_text": (lambda: layers.Dense(2, trainable="no"), ValueError, r"True or False"),
    "permute_dims": (lambda: layers.Permute((1, 3)), ValueError, r"each of 1..2 once"),
    "reshape_two_unknown": (lambda: layers.Reshape((-1, -1)), ValueError, r"may have one -1"),
    "embedding_negative": (lambda: layers.Embedding(-1, 2), ValueError, r"`input_dim` must be an integer >= 1"),
    "dot_axes": (lambda: layers.Dot(axes="last"), ValueError, r"`axes` must be an integer or a pair"),
    "relu_negative": (lambda: layers.ReLU(max_value=-1), ValueError, r"`max_value` must be a number >= 0"),
    "normalization_half": (lambda: layers.Normalization(mean=1.0), ValueError, r"both `mean` and `variance`"),
    "lambda_value": (lambda: layers.Lambda(3), ValueError, r"must be callable"),
    "wrapper_value": (lambda: layers.TimeDistributed(3), ValueError, r"must be a Layer"),
    "batch_norm_renorm": (
        lambda: layers.BatchNormalization(renorm=True), ValueError,
        r"`renorm`=True is not available",
    ),
    "input_int": (lambda: layers.Input(3), ValueError, r"must be a tuple such as \(3,\)"),
    "input_nothing": (lambda: layers.Input(), ValueError, r"pass `shape`"),
    "input_float": (lambda: layers.Input((2.5,)), ValueError, r"integers >= 0 or None"),
    "input_sparse": (lambda: layers.Input((2,), sparse=True), ValueError, r"`sparse`=True is not available"),
    "input_dtype": (lambda: layers.Input((2,), dtype="float33"), ValueError, r"float33"),
    # labels
    "label_too_large": (
        lambda: compiled(3, loss="sparse_categorical_crossentropy").fit(X, np.full(8, 3)), ValueError,
        r'"m"\] `y` holds the label 3, and output out has 3 classes; labels must be in \[0, 2\]',
    ),
    "label_negative": (
        lambda: compiled(3, loss="sparse_categorical_crossentropy").evaluate(X, np.full((8, 1), -1)), ValueError,
        r"holds the label -1, .* give the loss an `ignore_class`",
    ),
    "label_of_validation": (
        lambda: compiled(3, loss=keras.losses.SparseCategoricalCrossentropy()).fit(
            X, np.zeros(8), validation_data=(X, np.full(8, 9)), verbose=0
        ), ValueError, r"holds the label 9",
    ),
    # layers: calls
    "dense_one_axis": (lambda: layers.Dense(2)(np.ones(3, "float32")), ValueError, r"at least 2 axes.*x\[None, :\]"),
    "dense_other_width": (
        lambda: _twice(layers.Dense(2), (2, 3), (2, 4)), ValueError,
        r"axis -1 must have size 3, got 4",
    ),
    "rank": (lambda: layers.RepeatVector(2)(np.ones((2, 3, 4))), ValueError, r"needs 2 axes"),
    "dense_unknown_width": (
        lambda: layers.Dense(2)(layers.Input((None,))), ValueError,
        r"last axis of the input must be known",
    ),
    "add_single": (lambda: layers.Add()(np.ones((2, 3))), ValueError, r"needs a list of at least 1 inputs"),
    "subtract_three": (lambda: layers.Subtract()([X, X, X]), ValueError, r"exactly 2 inputs, got 3"),
    "concatenate_sizes": (lambda: layers.Concatenate()([X, X[:4]]), ValueError, r"other sizes must agree"),
    "dot_sizes": (lambda: layers.Dot(1)([X, np.ones((8, 4))]), ValueError, r"differ in size"),
    "reshape_size": (lambda: layers.Reshape((2, 2))(X), ValueError, r"\(3,\) \(3 values\), not \(2, 2\)"),
    "embedding_fractions": (lambda: layers.Embedding(4, 2)(np.array([[0.5]])), ValueError, r"must be whole numbers"),
    "text_input": (lambda: layers.Dense(2)("abc"), (ValueError, TypeError), r"Dense"),
    "forgot_super": (lambda: _NoSuper()(X), RuntimeError, r"super\(\).__init__\(\)"),
    "no_call": (lambda: layers.Layer()(X), NotImplementedError, r"no call\(\) method"),
    "inner_error_names_layer": (
        lambda: _Fails()(X), ValueError,
        r"\[_Fails \"fails\"\] went wrong(.|\n)*x=\(8, 3\) float32",
    ),
    "add_weight_unknown": (lambda: layers.Layer().add_weight((None, 2)), ValueError, r"`shape` must be known sizes"),
    "add_weight_name": (lambda: layers.Layer().add_weight("kernel"), ValueError, r"pass name='kernel' instead"),
    # models
    "get_layer_both": (lambda: compiled().get_layer("out", 0), ValueError, r"`name` or `index`, and not both"),
    "get_layer_index": (lambda: compiled().get_layer(index=5), ValueError, r"`index` is 5, but the model has 1"),
    "model_one_argument": (lambda: keras.Model(layers.Input((2,))), TypeError, r"`inputs` and `outputs` together"),
    "sequential_layers": (lambda: keras.Sequential(layers.Dense(1)), ValueError, r"must be a list of layers"),
    "sequential_empty_build": (lambda: keras.Sequential().build((None, 2)), ValueError, r"no layers"),
    "layers_read_only": (lambda: setattr(compiled(), "layers", []), AttributeError, r"layers"),
    "model_call_shape": (
        lambda: compiled()(np.ones((2, 4), "float32")), ValueError,
        r"input 'input_layer\w*' has shape \(2, 4\)",
    ),
    "model_single_sample": (lambda: compiled().predict(np.ones(3)), ValueError, r"x\[None, ...\]"),
    "model_missing_input": (
        lambda: _two_inputs().predict({"p": X}), ValueError, r"needs inputs \['p', 'q'\], got \['p'\]: 'q' is missing",
    ),
    "model_too_few_inputs": (lambda: _two_inputs().predict([X]), ValueError, r"needs 2 input\(s\) \['p', 'q'\], got 1"),
    "load_weights_unbuilt": (
        lambda: keras.Sequential([layers.Dense(1)]).load_weights("nowhere"), ValueError, r"there is no file 'nowhere'",
    ),
    "save_unbuilt": (lambda: keras.Sequential([layers.Dense(1)]).save("x.keras"), ValueError, r"no weights yet"),
    "load_absent": (lambda: keras.models.load_model("/nonexistent.keras"), ValueError, r"there is no file"),
    # compile
    "unknown_optimizer": (lambda: compiled().compile("sdg", "mse"), ValueError, r"sdg"),
    "unknown_loss": (lambda: compiled().compile("sgd", "msse"), ValueError, r"msse"),
    "metrics_text": (lambda: compiled(metrics="mae"), ValueError, r"`metrics` must be a list or a dictionary"),
    "unknown_metric": (lambda: compiled(metrics=["maee"]).fit(X, Y, verbose=0), ValueError, r"maee"),
    "loss_weights_text": (lambda: compiled(loss_weights="much"), ValueError, r"`loss_weights` must be a number"),
    "steps_per_execution": (lambda: compiled(steps_per_execution=0), ValueError, r"integer >= 1, got 0"),
    "losses_count": (
        lambda: two_outputs(loss=["mse"] * 3).fit(X, [Y, Y], verbose=0), ValueError,
        r"3 entries, but the model has 2",
    ),
    "loss_key": (
        lambda: two_outputs(loss={"c": "mse"}).fit(X, [Y, Y], verbose=0), ValueError,
        r"a key 'c'.*\['a', 'b'\]",
    ),
    "metric_key": (
        lambda: two_outputs(metrics={"c": "mae"}).fit(X, [Y, Y], verbose=0), ValueError,
        r"`metrics` has a key 'c'",
    ),
    # fit, evaluate, predict
    "fit_uncompiled": (lambda: _uncompiled().fit(X, Y), ValueError, r"call compile\(optimizer, loss\) before fit\(\)"),
    "evaluate_uncompiled": (lambda: _uncompiled().evaluate(X, Y), ValueError, r"before evaluate\(\)"),
    "no_loss": (lambda: _no_loss().fit(X, Y, verbose=0), ValueError, r"no loss to train on"),
    "rows_differ": (lambda: compiled().fit(X, Y[:5], verbose=0), ValueError, r"`x` has 8, `y` has 5"),
    "weights_differ": (
        lambda: compiled().fit(X, Y, sample_weight=np.ones(3), verbose=0), ValueError,
        r"`sample_weight` has 3",
    ),
    "empty": (lambda: compiled().fit(X[:0], Y[:0], verbose=0), ValueError, r"there is no data: `x` has 0 rows"),
    "none": (lambda: compiled().fit(None, None, verbose=0), ValueError, r"there is no data: `x` is None"),
    "empty_generator": (lambda: compiled().fit(iter([]), verbose=0), ValueError, r"yielded no batch"),
    "text_data": (
        lambda: compiled().fit(np.array([["a"] * 3] * 8), Y, verbose=0), ValueError,
        r"`x` has dtype <U1; it needs numbers",
    ),
    "object_data": (lambda: compiled().fit(np.array([[None] * 3] * 8), Y, verbose=0), ValueError, r"dtype object"),
    "scalar_data": (lambda: compiled().fit(np.float32(1), Y, verbose=0), ValueError, r"is a single number"),
    "ragged": (
        lambda: compiled().fit([[1.0, 2.0], [3.0]], [1.0, 2.0], verbose=0), ValueError,
        r"cannot be made an array",
    ),
    "width": (
        lambda: compiled().fit(np.ones((8, 4)), Y, verbose=0), ValueError,
        r"has shape \(8, 4\); it needs shape \(None, 3\)",
    ),
    "batch_size_zero": (
        lambda: compiled().fit(X, Y, batch_size=0, verbose=0), ValueError,
        r"`batch_size` must be an integer >= 1, got 0",
    ),
    "batch_size_float": (lambda: compiled().fit(X, Y, batch_size=2.5, verbose=0), ValueError, r"got 2.5"),
    "predict_batch_size": (lambda: compiled().predict(X, batch_size=-1), ValueError, r"got -1"),
    "epochs": (
        lambda: compiled().fit(X, Y, epochs=1.5, verbose=0), ValueError,
        r"`epochs` must be an integer >= 0, got 1.5",
    ),
    "verbose": (lambda: compiled().fit(X, Y, verbose="loud"), ValueError, r"`verbose` must be"),
    "steps": (lambda: compiled().fit(X, Y, steps_per_epoch=0, verbose=0), ValueError, r"steps must be an integer >= 1"),
    "split_range": (
        lambda: compiled().fit(X, Y, validation_split=1.5, verbose=0), ValueError,
        r"between 0 and 1, got 1.5",
    ),
    "split_empty": (
        lambda: compiled().fit(X[:1], Y[:1], validation_split=0.1, verbose=0), ValueError,
        r"one part would be empty",
    ),
    "split_generator": (
        lambda: compiled().fit(iter([(X, Y)]), validation_split=0.1, verbose=0), ValueError,
        r"needs arrays",
    ),
    "generator_and_y": (lambda: compiled().fit(iter([(X, Y)]), Y, verbose=0), ValueError, r"put `y` into them"),
    "validation_freq": (
        lambda: compiled().fit(X, Y, validation_data=(X, Y), validation_freq=0, verbose=0),
        ValueError, r"`validation_freq` must be",
    ),
    "validation_tuple": (
        lambda: compiled().fit(X, Y, validation_data=(X, Y, Y, Y), verbose=0), ValueError,
        r"a tuple of 4",
    ),
    "y_missing": (lambda: compiled().fit(X, verbose=0), (ValueError, TypeError), r"y"),
    "y_single_for_two": (
        lambda: two_outputs().fit(X, Y, verbose=0), ValueError,
        r"`y` is one array, but the model has 2 outputs",
    ),
    "y_three_for_two": (lambda: two_outputs().fit(X, [Y, Y, Y], verbose=0), ValueError, r"`y` has 3 arrays"),
    "y_unknown_key": (lambda: two_outputs().fit(X, {"a": Y, "z": Y}, verbose=0), ValueError, r"keys \['a', 'z'\]"),
    "class_weight_list": (
        lambda: compiled().fit(X, Y, class_weight=[1, 2], verbose=0), ValueError,
        r"must be a dictionary",
    ),
    "class_weight_outputs": (
        lambda: two_outputs().fit(X, [Y, Y], class_weight={0: 1.0}, verbose=0), ValueError,
        r"several outputs",
    ),
    "callbacks_value": (
        lambda: compiled().fit(X, Y, callbacks=[3], verbose=0), TypeError,
        r"must hold Callback objects",
    ),
    # utils
    "to_categorical_range": (lambda: keras.utils.to_categorical([0, 5], 3), ValueError, r"class 5 is outside 0..2"),
    "to_categorical_negative": (lambda: keras.utils.to_categorical([0, -1], 3), ValueError, r"class -1 is outside"),
    "pad_sequences_mode": (lambda: keras.utils.pad_sequences([[1]], padding="left"), ValueError, r'"pre" or "post"'),
    "split_sizes": (lambda: keras.utils.split_dataset(X, left_size=20), ValueError, r"fraction or a number of rows"),
    "from_config_not_layer": (
        lambda: layers.deserialize(keras.saving.serialize_keras_object(keras.initializers.Zeros())),
        ValueError, r"not a layer",
    ),
}  # fmt: skip


def _twice(layer, first, second):
    layer(np.ones(first, "float32"))
    layer(np.ones(second, "float32"))


class _NoSuper(layers.Layer):
    def __init__(self):
        self.value = 3

    def call(self, x):
        return x


class _Fails(layers.Layer):
    def __init__(self):
        super().__init__(name="fails")

    def call(self, x):
        raise ValueError("went wrong")


def _uncompiled():
    return keras.Sequential([layers.Input((3,)), layers.Dense(1)])


def _no_loss():
    model = _uncompiled()
    model.compile("sgd")
    return model


def _two_inputs():
    p, q = layers.Input((3,), name="p"), layers.Input((3,), name="q")
    return keras.Model([p, q], layers.Add()([p, q]))


@pytest.mark.parametrize("name", list(CASES))
def test_misuse(name):
    act, error, message = CASES[name]
    with pytest.raises(error, match=message):
        act()
