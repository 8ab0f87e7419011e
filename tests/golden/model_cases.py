"""Layers and models built through either package: the golden values come from Keras, the tests compare Falconet's.

Everything random is drawn from NumPy by a fixed seed, weights included, so that both sides see the same numbers.
"""

import numpy as np


def floats(*shape, seed=0, scale=1.0):
    return (np.random.RandomState(seed).randn(*shape) * scale).astype("float32")


def set_fixed_weights(model):
    """Weights by position: small random numbers, variances positive."""
    values = []
    for i, w in enumerate(model.weights):
        value = floats(*w.shape, seed=100 + i, scale=0.3)
        values.append(np.abs(value) + 0.5 if "variance" in w.name else value.astype(str(w.dtype)))
    model.set_weights(values)


def layer_cases(keras):
    """name -> (layer, call arguments, call keyword arguments)."""
    L = keras.layers
    x2, x3, x4 = floats(3, 4), floats(2, 5, 4, seed=1), floats(2, 3, 4, 2, seed=2)
    steps = x3.copy()
    steps[0, 3:] = 0
    pair = [floats(3, 4, seed=3), floats(3, 4, seed=4)]
    return {
        "dense": (L.Dense(3), (x2,), {}),
        "dense_relu_3d": (L.Dense(6, activation="relu"), (x3,), {}),
        "dense_no_bias": (L.Dense(2, use_bias=False), (x2,), {}),
        "activation_tanh": (L.Activation("tanh"), (x2,), {}),
        "activation_softmax": (L.Activation("softmax"), (x3,), {}),
        "relu": (L.ReLU(max_value=0.8, negative_slope=0.1, threshold=0.2), (x2,), {}),
        "leaky_relu": (L.LeakyReLU(), (x2,), {}),
        "elu": (L.ELU(alpha=0.7), (x2,), {}),
        "prelu": (L.PReLU(), (x3,), {}),
        "prelu_shared": (L.PReLU(shared_axes=[1]), (x3,), {}),
        "softmax": (L.Softmax(), (x2,), {}),
        "softmax_axis": (L.Softmax(axis=1), (x3,), {}),
        "softmax_axes": (L.Softmax(axis=(1, 2)), (x3,), {}),
        "softmax_mask": (L.Softmax(), (x2,), {"mask": np.array([[True, False, True, True]] * 3)}),
        "dropout_inference": (L.Dropout(0.5), (x2,), {}),
        "flatten": (L.Flatten(), (x4,), {}),
        "flatten_channels_first": (L.Flatten(data_format="channels_first"), (x4,), {}),
        "reshape": (L.Reshape((4, -1)), (x4,), {}),
        "permute": (L.Permute((2, 1)), (x3,), {}),
        "repeat_vector": (L.RepeatVector(3), (x2,), {}),
        "identity": (L.Identity(), (x2,), {}),
        "add": (L.Add(), (pair,), {}),
        "add_broadcast": (L.Add(), ([floats(2, 4, seed=5), x3],), {}),
        "subtract": (L.Subtract(), (pair,), {}),
        "multiply": (L.Multiply(), (pair,), {}),
        "average": (L.Average(), ([*pair, x2],), {}),
        "maximum": (L.Maximum(), (pair,), {}),
        "minimum": (L.Minimum(), (pair,), {}),
        "concatenate": (L.Concatenate(), (pair,), {}),
        "concatenate_axis": (L.Concatenate(axis=1), ([x3, floats(2, 2, 4, seed=6)],), {}),
        "dot": (L.Dot(axes=1), (pair,), {}),
        "dot_normalized": (L.Dot(axes=-1, normalize=True), (pair,), {}),
        "dot_3d": (L.Dot(axes=(2, 1)), ([x3, floats(2, 4, 3, seed=7)],), {}),
        "embedding": (L.Embedding(7, 3), (np.array([[1, 6], [0, 2]]),), {}),
        "embedding_floats": (L.Embedding(7, 3), (np.array([[1.0, 6.0]], "float32"),), {}),
        "batch_normalization": (L.BatchNormalization(), (x3,), {}),
        "batch_normalization_training": (L.BatchNormalization(momentum=0.8), (x3,), {"training": True}),
        "batch_normalization_axis1": (L.BatchNormalization(axis=1, scale=False), (x3,), {"training": True}),
        "batch_normalization_mask": (L.BatchNormalization(), (x3,), {"training": True, "mask": np.any(steps != 0, -1)}),
        "layer_normalization": (L.LayerNormalization(), (x3,), {}),
        "layer_normalization_axes": (L.LayerNormalization(axis=(1, 2), epsilon=1e-5), (x3,), {}),
        "layer_normalization_plain": (L.LayerNormalization(center=False, scale=False), (x2,), {}),
        "rms_normalization": (L.RMSNormalization(), (x3,), {}),
        "unit_normalization": (L.UnitNormalization(), (x3,), {}),
        "rescaling": (L.Rescaling(0.5, offset=[1.0, 2.0, 3.0, 4.0]), (x2,), {}),
        "normalization": (L.Normalization(mean=[1.0, 0.0, 2.0, 1.0], variance=[4.0, 1.0, 0.25, 2.0]), (x2,), {}),
        "normalization_invert": (L.Normalization(mean=1.0, variance=4.0, invert=True, axis=None), (x2,), {}),
        "masking": (L.Masking(), (steps,), {}),
        "gaussian_noise_inference": (L.GaussianNoise(0.3), (x2,), {}),
        "activity_regularization": (L.ActivityRegularization(l1=0.1, l2=0.2), (x2,), {}),
        "time_distributed": (L.TimeDistributed(L.Dense(2)), (x3,), {}),
        "spatial_dropout_inference": (L.SpatialDropout1D(0.4), (x3,), {}),
    }


def _classes(rows, features, count, seed):
    x = floats(rows, features, seed=seed)
    return x, (np.abs(x[:, :count]).argmax(axis=1)).astype("int64")


def _regression(rows=50, features=4, seed=20):
    x = floats(rows, features, seed=seed)
    return x, (x[:, :1] * 2 - x[:, 1:2] + 0.5).astype("float32")


def _mlp(keras):
    L = keras.layers
    model = keras.Sequential([L.Input((4,)), L.Dense(8, activation="tanh"), L.Dense(1)], name="mlp")
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
    x, y = _regression()
    return model, x, y, {"validation_split": 0.2, "batch_size": 16}


def _classifier(keras):
    L = keras.layers
    model = keras.Sequential(
        [L.Input((6,)), L.Dense(10, activation="relu"), L.Dense(3, activation="softmax")], name="classifier"
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = _classes(60, 6, 3, 21)
    return model, x, y, {"batch_size": 25, "class_weight": {0: 1.0, 1: 2.5, 2: 0.5}}


def _weighted(keras):
    L = keras.layers
    model = keras.Sequential([L.Input((4,)), L.Dense(1, activation="sigmoid")], name="weighted")
    model.compile(
        optimizer=keras.optimizers.SGD(0.1), loss="bce", metrics=["accuracy"], weighted_metrics=["accuracy", "mse"]
    )
    x, y = _regression(40)
    return (
        model,
        x,
        (y > 0).astype("float32"),
        {"batch_size": 16, "sample_weight": np.linspace(0, 2, 40, dtype="float32")},
    )


def _two_outputs(keras):
    L = keras.layers
    a, b = L.Input((3,), name="a"), L.Input((2,), name="b")
    hidden = L.Dense(5, activation="tanh", name="hidden")(L.Concatenate(name="joined")([a, b]))
    price = L.Dense(1, name="price")(hidden)
    kind = L.Dense(3, activation="softmax", name="kind")(L.Add(name="sum")([hidden, L.Dense(5, name="side")(b)]))
    model = keras.Model({"a": a, "b": b}, [price, kind], name="two_outputs")
    model.compile(
        optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
        loss=["mse", "sparse_categorical_crossentropy"],
        loss_weights=[0.5, 2.0],
        metrics=[["mae"], ["accuracy"]],
    )
    x = {"a": floats(30, 3, seed=22), "b": floats(30, 2, seed=23)}
    y = [x["a"][:, :1] + 1, np.arange(30) % 3]
    return model, x, y, {"batch_size": 8}


def _dict_losses(keras):
    L = keras.layers
    x = L.Input((4,), name="x")
    left, right = L.Dense(2, name="left")(x), L.Dense(1, name="right")(x)
    model = keras.Model(x, {"left": left, "right": right}, name="dict_losses")
    model.compile(
        optimizer=keras.optimizers.RMSprop(0.01),
        loss={"left": "mae", "right": "mse"},
        loss_weights={"left": 0.3, "right": 0.7},
        metrics={"right": ["mae", "mse"]},
    )
    data = floats(20, 4, seed=24)
    return model, data, {"left": data[:, :2] * 2, "right": data[:, 2:3]}, {"batch_size": 8}


def _regularized(keras):
    L, R = keras.layers, keras.regularizers
    model = keras.Sequential(
        [
            L.Input((4,)),
            L.Dense(6, kernel_regularizer=R.L2(0.01), activity_regularizer=R.L1(0.001)),
            L.BatchNormalization(momentum=0.9),
            L.ActivityRegularization(l2=0.01),
            L.Dense(1, bias_regularizer=R.L1(0.1)),
        ],
        name="regularized",
    )
    model.compile(optimizer=keras.optimizers.SGD(0.02), loss="mse")
    x, y = _regression(33)
    return model, x, y, {"batch_size": 10}


def _shared(keras):
    L = keras.layers
    left, right = L.Input((3,), name="l"), L.Input((3,), name="r")
    twin = keras.Sequential([L.Input((3,)), L.Dense(4, activation="tanh", name="twin_dense")], name="twin")
    out = L.Dense(1, name="score")(L.Multiply(name="product")([twin(left), twin(right)]))
    model = keras.Model([left, right], out, name="shared")
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
    x = [floats(24, 3, seed=25), floats(24, 3, seed=26)]
    return model, x, (x[0] * x[1]).sum(axis=1, keepdims=True), {"batch_size": 7}


def _frozen(keras):
    L = keras.layers
    model = keras.Sequential(
        [L.Input((4,)), L.Dense(5, name="frozen", trainable=False), L.BatchNormalization(trainable=False), L.Dense(1)],
        name="partly",
    )
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    x, y = _regression(20)
    return model, x, y, {"batch_size": 8}


def _masked(keras):
    L = keras.layers
    model = keras.Sequential(
        [L.Input((5,), dtype="int32"), L.Embedding(9, 3, mask_zero=True), L.Dense(2, activation="relu"), L.Dense(1)],
        name="masked",
    )
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    x = np.random.RandomState(27).randint(0, 9, (16, 5))
    return model, x, floats(16, 5, 1, seed=28), {"batch_size": 4}


MODELS = {
    "mlp": _mlp,
    "classifier": _classifier,
    "weighted": _weighted,
    "two_outputs": _two_outputs,
    "dict_losses": _dict_losses,
    "regularized": _regularized,
    "shared": _shared,
    "partly": _frozen,
    "masked": _masked,
}
EPOCHS = 3


def run_model(keras, name):
    """Builds, fits and evaluates one model; everything the tests compare, as plain values."""
    keras.utils.clear_session()
    model, x, y, options = MODELS[name](keras)
    set_fixed_weights(model)
    text = []
    model.summary(line_length=90, print_fn=text.append)
    start = dict(options)
    history = model.fit(x, y, epochs=EPOCHS, shuffle=False, verbose=0, **start)
    evaluated = model.evaluate(x, y, batch_size=8, verbose=0, return_dict=True)
    predicted = model.predict(x, batch_size=5, verbose=0)
    if isinstance(predicted, dict):
        predicted = [predicted[key] for key in sorted(predicted)]
    elif not isinstance(predicted, list):
        predicted = [predicted]
    return {
        "summary": "\n".join(text),
        "layers": [layer.name for layer in model.layers],
        "weights": [w.path for w in model.weights],
        "trainable": [w.path for w in model.trainable_weights],
        "history": {key: [float(v) for v in values] for key, values in history.history.items()},
        "evaluate": {key: float(v) for key, v in evaluated.items()},
        "predict": [np.asarray(p)[:4].tolist() for p in predicted],
    }


def run_layer(layer, args, kwargs):
    """Calls a layer once to build it, sets fixed weights, calls it again."""
    layer(*args, **kwargs)
    set_fixed_weights(layer)
    output = layer(*args, **kwargs)
    return {
        "output": np.asarray(output).tolist(),
        "weights": [w.name for w in layer.weights],
        "shapes": [list(w.shape) for w in layer.weights],
        "trainable": len(layer.trainable_weights),
        "after": [np.asarray(w).tolist() for w in layer.get_weights()],
        "losses": [float(v) for v in layer.losses],
    }
