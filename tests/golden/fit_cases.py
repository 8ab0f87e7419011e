"""Whole runs of fit, evaluate and the batch methods through either package, by their public interface alone.

Each case returns plain values: histories with the order of their keys, evaluations, what hooks saw, final weights.
`make_golden_fit.py` keeps what Keras gives. Random numbers come from NumPy by a fixed seed, weights included.
"""

import numpy as np
from model_cases import floats, set_fixed_weights


def plain(value):
    """A result as nested lists, dictionaries and floats."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    value = np.asarray(value.detach() if hasattr(value, "detach") else value, "float64")
    return value.item() if value.ndim == 0 else value.tolist()


def result(model, history=None, **more):
    """What is compared of a run: the history's keys in order, its values, the epochs, and the final weights."""
    found = {"weights": [w.reshape(-1)[:6] for w in map(np.asarray, model.get_weights())], **more}
    if history is not None:
        found.update(order=list(history.history), history=history.history, epochs=history.epoch)
    return plain(found)


def regression(rows=50, features=4, seed=40):
    x = floats(rows, features, seed=seed)
    return x, x[:, :1] * 2 - x[:, 1:2] + 0.5


def mlp(keras, loss="mse", optimizer=None, inputs=4, units=1, activation=None, **options):
    L = keras.layers
    model = keras.Sequential([L.Input((inputs,)), L.Dense(6, activation="tanh"), L.Dense(units, activation=activation)])
    model.compile(optimizer or keras.optimizers.SGD(0.05), loss, **options)
    set_fixed_weights(model)
    return model


def two_headed(keras, as_dictionary=False, **compiled):
    L = keras.layers
    x = L.Input((4,), name="x")
    hidden = L.Dense(5, activation="tanh", name="hidden")(x)
    price, kind = L.Dense(1, name="price")(hidden), L.Dense(3, activation="softmax", name="kind")(hidden)
    model = keras.Model(x, {"price": price, "kind": kind} if as_dictionary else [price, kind])
    model.compile(keras.optimizers.SGD(0.05), **compiled)
    set_fixed_weights(model)
    rows = floats(30, 4, seed=41)
    return model, rows, (rows[:, :1] + 1, np.arange(30) % 3)


def recorder(keras):
    """A callback that notes every hook with its number and the names in its logs."""

    class Recorder(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

    def hook(name):
        def call(self, *number, logs=None):
            if number and (number[-1] is None or isinstance(number[-1], dict)):
                *number, logs = number
            self.seen.append([name, *number, *sorted(logs or {})])

        return call

    for kind in ("train", "test"):
        for name in (f"on_{kind}_begin", f"on_{kind}_end", f"on_{kind}_batch_begin", f"on_{kind}_batch_end"):
            setattr(Recorder, name, hook(name))
    Recorder.on_epoch_begin, Recorder.on_epoch_end = hook("on_epoch_begin"), hook("on_epoch_end")
    return Recorder()


def batches_of(keras):
    class Batches(keras.utils.PyDataset):
        """Arrays cut into batches."""

        def __init__(self, *arrays, size=8, **kwargs):
            super().__init__(**kwargs)
            self.arrays, self.size = arrays, size

        def __len__(self):
            return -(-len(self.arrays[0]) // self.size)

        def __getitem__(self, i):
            return tuple(a[i * self.size : (i + 1) * self.size] for a in self.arrays)

    return Batches


def split_frequency_and_weights(keras):
    x, y = regression()
    model = mlp(keras, metrics=["mae"], weighted_metrics=["mae", "mse"])
    history = model.fit(
        x, y, sample_weight=np.linspace(0.5, 2, 50), validation_split=0.3, validation_freq=[2, 5], initial_epoch=1,
        epochs=5, batch_size=9, shuffle=False, verbose=0,
    )  # fmt: skip
    return result(model, history)


def endless_generator(keras):
    x, y = regression(40)

    def forever():
        while True:
            for i in range(0, 40, 8):
                yield x[i : i + 8], y[i : i + 8]

    model = mlp(keras, metrics=["mse"])
    history = model.fit(
        forever(), steps_per_epoch=3, epochs=4, shuffle=False, validation_data=(x[:9], y[:9]), verbose=0
    )
    return result(model, history, evaluated=model.evaluate(forever(), steps=4, verbose=0))


def dataset_with_weights(keras):
    x, y = regression(36)
    make = batches_of(keras)
    weights = np.linspace(0, 3, 36, dtype="float32")
    model = mlp(keras, weighted_metrics=["mae"])
    history = model.fit(
        make(x, y, weights), epochs=3, shuffle=False, validation_data=make(x[:20], y[:20], size=7), validation_steps=2,
        verbose=0,
    )  # fmt: skip
    return result(model, history, evaluated=model.evaluate(make(x, y, weights, size=10), verbose=0, return_dict=True))


def dataset_with_class_weight(keras):
    x = floats(30, 4, seed=42)
    y = np.arange(30) % 3
    model = mlp(
        keras, "sparse_categorical_crossentropy", units=3, activation="softmax", metrics=["accuracy"],
        weighted_metrics=["accuracy"],
    )  # fmt: skip
    history = model.fit(
        batches_of(keras)(x, y), epochs=3, shuffle=False, class_weight={0: 0.5, 2: 4.0}, verbose=0,
        validation_data=(x[:10], y[:10]),
    )  # fmt: skip
    return result(model, history)


def one_hot_and_class_weight(keras):
    x = floats(30, 4, seed=43)
    y = np.eye(3, dtype="float32")[np.arange(30) % 3]
    model = mlp(
        keras, keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), units=3,
        metrics=["acc", keras.metrics.TopKCategoricalAccuracy(2, name="top2")],
    )  # fmt: skip
    history = model.fit(x, y, epochs=3, class_weight={0: 2.0, 1: 0.1}, shuffle=False, batch_size=7, verbose=0)
    return result(model, history)


def steps_through_arrays(keras):
    x, y = regression(40)
    model = mlp(keras)
    history = model.fit(x, y, steps_per_epoch=2, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return result(model, history)


def outputs_by_dictionary(keras):
    model, x, (price, kind) = two_headed(
        keras,
        as_dictionary=True,
        loss={"price": "mae", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"price": 0.25, "kind": 2.0},
        metrics={"kind": ["accuracy", "sparse_categorical_crossentropy"], "price": "mse"},
        weighted_metrics={"price": ["mse"]},
    )
    weights = {"price": np.linspace(1, 3, 30, dtype="float32"), "kind": np.linspace(2, 0, 30, dtype="float32")}
    y = {"price": price, "kind": kind}
    history = model.fit(
        {"x": x}, y, sample_weight=weights, epochs=3, batch_size=8, shuffle=False, validation_data=(x, y), verbose=0
    )
    return result(
        model, history, listed=model.evaluate(x, y, verbose=0), named=model.evaluate(x, y, verbose=0, return_dict=True),
        metrics_names=[m.name for m in model.metrics],
    )  # fmt: skip


def outputs_by_list(keras):
    model, x, y = two_headed(
        keras,
        loss=["mse", "sparse_categorical_crossentropy"],
        loss_weights=[1.0, 0.5],
        metrics=["mae", ["accuracy"]],
        weighted_metrics=[None, ["accuracy"]],
    )
    weights = [np.linspace(1, 3, 30, dtype="float32"), np.linspace(2, 0, 30, dtype="float32")]
    history = model.fit(
        x, list(y), sample_weight=weights, epochs=2, batch_size=11, shuffle=False, validation_split=0.2, verbose=0
    )
    return result(model, history, listed=model.evaluate(x, list(y), verbose=0))


def one_loss_for_all_outputs(keras):
    L = keras.layers
    x = L.Input((4,))
    model = keras.Model(x, [L.Dense(2, name="first")(x), L.Dense(2, name="second")(x)])
    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=[["mae"], ["mae"]])
    set_fixed_weights(model)
    rows = floats(20, 4, seed=44)
    history = model.fit(rows, [rows[:, :2], rows[:, 2:]], epochs=2, shuffle=False, verbose=0)
    return result(model, history)


def several_metrics_of_one_name(keras):
    x, y = regression(24)
    y = (y > 0).astype("float32")

    def share(y_true, y_pred):
        return keras.ops.mean(keras.ops.cast(keras.ops.abs(y_true - y_pred) < 0.5, "float32"), axis=-1)

    model = mlp(
        keras, "binary_crossentropy", activation="sigmoid",
        metrics=["mse", share, keras.metrics.AUC(num_thresholds=50), keras.metrics.Precision(), "mse", "mae"],
        weighted_metrics=["mse", "accuracy"],
    )  # fmt: skip
    history = model.fit(x, y, epochs=2, batch_size=7, shuffle=False, sample_weight=np.linspace(0, 1, 24), verbose=0)
    return result(model, history, evaluated=model.evaluate(x, y, verbose=0))


def masked_sequences(keras):
    L = keras.layers
    model = keras.Sequential(
        [
            L.Input((5,), dtype="int32"),
            L.Embedding(9, 3, mask_zero=True),
            L.Dense(4, activation="relu"),
            L.Dense(3, activation="softmax"),
        ]
    )
    set_fixed_weights(model)
    optimizer = keras.optimizers.SGD(0.1)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    random = np.random.RandomState(45)
    x, y = random.randint(0, 9, (16, 5)), random.randint(0, 3, (16, 5))
    steps = random.rand(16, 5).astype("float32")
    first = model.fit(x, y, epochs=2, batch_size=6, shuffle=False, verbose=0)
    weighted = model.fit(x, y, sample_weight=steps, epochs=2, batch_size=6, shuffle=False, verbose=0)
    loss, metric = "sparse_categorical_crossentropy", "accuracy"
    model.compile(optimizer, loss, metrics=[metric], weighted_metrics=[metric])
    # Evaluated only: in training on JAX the mask does not reach the metrics.
    plain, uneven = (
        model.evaluate(x, y, sample_weight=w, batch_size=6, verbose=0, return_dict=True) for w in (None, steps)
    )
    return result(model, weighted, first=first.history, plain=plain, uneven=uneven)


def losses_added_in_layers(keras):
    class Penalty(keras.layers.Layer):
        def call(self, x):
            self.add_loss(0.1 * keras.ops.mean(keras.ops.square(x)))
            self.add_loss(0.01 * keras.ops.sum(keras.ops.abs(x)))
            return x

    def build(**options):
        L = keras.layers
        model = keras.Sequential([L.Input((4,)), L.Dense(3, kernel_regularizer="l2"), Penalty(), L.Dense(1)])
        model.compile(keras.optimizers.SGD(0.05), **options)
        set_fixed_weights(model)
        return model

    x, y = regression(20)
    with_targets = build(loss="mse", metrics=["mse"]).fit(
        x, y, epochs=2, batch_size=8, shuffle=False, validation_split=0.25, verbose=0
    )
    model = build()
    without = model.fit(x, epochs=2, batch_size=8, shuffle=False, verbose=0)
    return result(model, without, with_targets=with_targets.history)


def own_compute_loss(keras):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)
            self.gap = keras.metrics.Mean(name="gap")

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = keras.ops.mean(keras.ops.abs(y - y_pred)) + 0.1 * keras.ops.mean(keras.ops.square(y_pred))
            self.gap.update_state(loss * 10)
            return loss

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            results = super().compute_metrics(x, y, y_pred, sample_weight)
            results["twice"] = 2 * self.gap.result()
            return results

    x, y = regression(20)
    model = Model()
    model(x[:1])
    set_fixed_weights(model.dense)
    model.compile(keras.optimizers.SGD(0.05), metrics=["mse"])
    history = model.fit(x, y, epochs=3, batch_size=8, shuffle=False, validation_data=(x, y), verbose=0)
    return result(model.dense, history, metrics=[m.name for m in model.metrics])


def frozen_between_compiles(keras):
    L = keras.layers
    model = keras.Sequential(
        [L.Input((4,)), L.Dense(5, activation="tanh", name="base"), L.BatchNormalization(), L.Dense(1, name="head")]
    )
    set_fixed_weights(model)
    x, y = regression(32)
    histories = []
    for frozen, rate in ((True, 0.1), (False, 0.02)):
        model.get_layer("base").trainable = not frozen
        model.layers[1].trainable = not frozen
        model.compile(keras.optimizers.Adam(rate), "mse")
        histories.append(model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0).history)
    return result(model, histories=histories)


def hooks_and_steps_per_execution(keras):
    x, y = regression(22)
    model = mlp(keras, metrics=["mae"], steps_per_execution=2)
    record = recorder(keras)
    history = model.fit(
        x, y, batch_size=6, epochs=2, shuffle=False, callbacks=[record], validation_data=(x[:12], y[:12]), verbose=0
    )
    return result(model, history, seen=record.seen)


def hooks_of_a_plain_run(keras):
    x, y = regression(20)
    model = mlp(keras, metrics=["mae"])
    record = recorder(keras)
    history = model.fit(
        x, y, batch_size=8, epochs=1, callbacks=[record], validation_split=0.4, verbose=0, shuffle=False
    )
    model.evaluate(x, y, callbacks=[record], batch_size=16, verbose=0)
    return result(model, history, seen=record.seen)


def stopped_within_an_epoch(keras):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.model.stop_training = True

    x, y = regression(40)
    model = mlp(keras)
    history = model.fit(
        x, y, batch_size=8, epochs=4, callbacks=[Stop()], validation_data=(x, y), shuffle=False, verbose=0
    )
    return result(model, history)


def batch_methods(keras):
    x = floats(24, 4, seed=46)
    y = np.arange(24) % 3
    model = mlp(
        keras, "sparse_categorical_crossentropy", units=3, activation="softmax", metrics=["accuracy"],
        weighted_metrics=["accuracy"],
    )  # fmt: skip
    found = [
        model.train_on_batch(x[:8], y[:8]),
        model.train_on_batch(x[8:16], y[8:16], class_weight={1: 3.0}),
        model.train_on_batch(x[16:], y[16:], sample_weight=np.linspace(0, 2, 8), return_dict=True),
        model.test_on_batch(x[:5], y[:5]),
    ]
    model.reset_metrics()
    found += [
        model.test_on_batch(x[:5], y[:5], sample_weight=np.arange(5.0)),
        model.test_on_batch(x[:5], y[:5], return_dict=True),
        model.predict_on_batch(x[:2]),
    ]
    return result(model, found=found)


def schedule_average_and_clipping(keras):
    x, y = regression(48)
    rate = keras.optimizers.schedules.CosineDecay(0.1, 10, alpha=0.1)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, clipnorm=0.5, use_ema=True, ema_momentum=0.8)
    model = mlp(keras, keras.losses.Huber(), optimizer, metrics=[keras.metrics.RootMeanSquaredError()])
    history = model.fit(x, y, epochs=3, batch_size=12, shuffle=False, validation_split=0.25, verbose=0)
    return result(model, history)


def accumulated_gradients(keras):
    x, y = regression(42)
    model = mlp(keras, optimizer=keras.optimizers.SGD(0.05, momentum=0.9, gradient_accumulation_steps=3))
    return result(model, model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0))


def nested_structures(keras):
    L = keras.layers
    a, b = L.Input((3,), name="a"), L.Input((2,), name="b")
    joined = L.Concatenate()([a, b])
    outputs = {"left": L.Dense(1, name="one")(joined), "right": (L.Dense(2, name="two")(joined), L.Dense(1)(joined))}
    model = keras.Model({"pair": [a, b]}, outputs)
    model.compile(keras.optimizers.SGD(0.05), {"left": "mse", "right": ("mae", "mse")})
    set_fixed_weights(model)
    p, q = floats(20, 3, seed=47), floats(20, 2, seed=48)
    y = {"left": p[:, :1], "right": (q, q[:, :1] * 2)}
    history = model.fit({"pair": [p, q]}, y, epochs=2, batch_size=6, shuffle=False, verbose=0)
    predicted = model.predict({"pair": [p, q]}, verbose=0)
    return result(model, history, predicted=[predicted["left"][:2], predicted["right"][0][:2]])


def output_without_a_loss(keras):
    model, x, y = two_headed(keras, loss=["mse", None], metrics=[["mae"], None])
    history = model.fit(x, [y[0], y[1]], epochs=2, batch_size=8, shuffle=False, verbose=0)
    return result(model, history)


def reductions_and_ranks(keras):
    x, y = regression(20)
    model = mlp(keras, keras.losses.MeanSquaredError(reduction="sum"), keras.optimizers.SGD(0.002))
    history = model.fit(x, y[:, 0], epochs=2, batch_size=6, shuffle=False, sample_weight=np.ones((20, 1)), verbose=0)
    return result(model, history, evaluated=model.evaluate(x, y[:, 0], verbose=0))


CASES = {
    case.__name__: case
    for case in (
        split_frequency_and_weights, endless_generator, dataset_with_weights, dataset_with_class_weight,
        one_hot_and_class_weight, steps_through_arrays, outputs_by_dictionary, outputs_by_list,
        one_loss_for_all_outputs, several_metrics_of_one_name, masked_sequences, losses_added_in_layers,
        own_compute_loss,
        frozen_between_compiles, hooks_and_steps_per_execution, hooks_of_a_plain_run, stopped_within_an_epoch,
        batch_methods, schedule_average_and_clipping, accumulated_gradients, nested_structures, output_without_a_loss,
        reductions_and_ranks,
    )
}  # fmt: skip


def run(keras, name):
    keras.utils.clear_session()
    return CASES[name](keras)
