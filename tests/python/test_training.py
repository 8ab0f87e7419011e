"""The training loop's contract: what fit, evaluate and predict promise to scripts written for Keras."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import falconet as keras
from falconet import layers, ops


def data(rows=40, seed=0):
    x = np.random.RandomState(seed).randn(rows, 3).astype("float32")
    return x, (x @ [[1.0], [-2.0], [0.5]]).astype("float32")


def linear(loss="mse", rate=0.05, **kwargs):
    model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), loss, **kwargs)
    model.set_weights([np.full((3, 1), 0.1, "float32"), np.zeros(1, "float32")])
    return model


def numpy_sgd(x, y, epochs, batch, rate=0.05, weights=None):
    """Linear regression by mean squared error, in float64: (losses per epoch, kernel, bias)."""
    w, b, losses = np.full((3, 1), 0.1), np.zeros(1), []
    weights = np.ones(len(x)) if weights is None else weights
    for _ in range(epochs):
        total = 0.0
        for i in range(0, len(x), batch):
            xb, yb, s = x[i : i + batch].astype("float64"), y[i : i + batch], weights[i : i + batch, None]
            error = xb @ w + b - yb
            total += (s * error**2).sum()
            w = w - rate * 2 * xb.T @ (s * error) / len(xb)
            b = b - rate * 2 * (s * error).mean(0)
        losses.append(total / len(x))
    return losses, w, b


def test_history_against_numpy_with_a_partial_last_batch():
    x, y = data(37)
    model = linear()
    history = model.fit(x, y, epochs=4, batch_size=10, shuffle=False, verbose=0)
    losses, w, b = numpy_sgd(x, y, 4, 10)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-4, atol=1e-6)
    assert history.epoch == [0, 1, 2, 3] and model.history is history
    assert all(type(v) is float for v in history.history["loss"])


def test_initial_epoch_counts_to_the_final_index():
    history = linear().fit(*data(), epochs=5, initial_epoch=3, verbose=0)
    assert history.epoch == [3, 4] and len(history.history["loss"]) == 2


def test_validation_split_takes_the_last_rows_unshuffled():
    x, y = data(20)
    y[15:] += 100
    model = linear(rate=1e-6)
    history = model.fit(x, y, epochs=2, validation_split=0.25, verbose=0)
    assert min(history.history["val_loss"]) > 5000 > max(history.history["loss"])
    x2, y2 = data(8, seed=1)
    history = model.fit(x, y, epochs=1, validation_split=0.25, validation_data=(x2, y2), verbose=0)
    np.testing.assert_allclose(history.history["val_loss"][0], model.evaluate(x2, y2, verbose=0), rtol=1e-6)


def test_validation_frequency_and_steps():
    x, y = data(40)
    model = linear()
    assert len(model.fit(x, y, epochs=5, validation_data=(x, y), validation_freq=2, verbose=0).history["val_loss"]) == 2
    history = model.fit(x, y, epochs=4, validation_data=(x, y), validation_freq=[1, 4], verbose=0)
    assert len(history.history["val_loss"]) == 2
    frozen = linear(rate=0.0)
    history = frozen.fit(x, y, epochs=3, validation_data=(x, y), validation_steps=2, validation_batch_size=5, verbose=0)
    expected = frozen.evaluate(x[:10], y[:10], verbose=0)
    np.testing.assert_allclose(history.history["val_loss"], [expected] * 3, rtol=1e-6)


def test_shuffling_uses_every_row_once_and_is_seeded():
    x, y = data(33)
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        model = linear()
        model.fit(x, y, epochs=3, batch_size=8, verbose=0)
        runs.append(model.get_weights()[0])
    np.testing.assert_array_equal(*runs)
    full_batch = linear()
    full_batch.fit(x, y, epochs=1, batch_size=33, verbose=0)
    np.testing.assert_allclose(full_batch.get_weights()[0], numpy_sgd(x, y, 1, 33)[1], rtol=1e-4, atol=1e-6)
    linear().fit(x, y, shuffle="batch", batch_size=8, verbose=0)


def test_sample_weight_class_weight_and_metrics():
    x, y = data(24)
    weights = np.linspace(0, 2, 24)
    model = linear(metrics=["mae"], weighted_metrics=["mse"])
    history = model.fit(x, y, sample_weight=weights, epochs=2, batch_size=7, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], numpy_sgd(x, y, 2, 7, weights=weights)[0], rtol=1e-5)
    frozen = linear(rate=0.0, metrics=["mae"], weighted_metrics=["mse"])
    history = frozen.fit(x, y, sample_weight=weights, epochs=1, verbose=0).history
    error = x @ np.full((3, 1), 0.1) - y
    np.testing.assert_allclose(history["mae"], [np.abs(error).mean()], rtol=1e-5)
    np.testing.assert_allclose(history["mse"], [(weights * error[:, 0] ** 2).sum() / weights.sum()], rtol=1e-5)


def classifier():
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.set_weights([np.full((3, 2), 0.1, "float32"), np.zeros(2, "float32")])
    return model


@pytest.mark.parametrize("form", ["arrays", "generator", "dataset", "one_hot"])
def test_class_weight_on_every_kind_of_input(form):
    x, y = data(16)
    labels = (y[:, 0] > 0).astype("int64")
    class_weight = {0: 1.0, 1: 3.0}
    expected = classifier()
    weights = np.where(labels == 1, 3.0, 1.0)
    expected.fit(x, labels, sample_weight=weights, batch_size=8, shuffle=False, verbose=0)
    model = classifier()
    if form == "arrays":
        model.fit(x, labels, class_weight=class_weight, batch_size=8, shuffle=False, verbose=0)
    elif form == "generator":
        model.fit(((x[i : i + 8], labels[i : i + 8]) for i in (0, 8)), class_weight=class_weight, verbose=0)
    elif form == "dataset":
        model.fit(Batches(x, labels, 8), class_weight=class_weight, shuffle=False, verbose=0)
    else:
        model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy")
        hot = keras.utils.to_categorical(labels, 2)
        model.fit(x, hot, class_weight=class_weight, batch_size=8, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], expected.get_weights()[0], rtol=1e-5)


def test_weight_identities():
    x, y = data(12)
    zero, removed = linear(), linear()
    zero.compile(keras.optimizers.SGD(0.05), keras.losses.MeanSquaredError(reduction="sum"))
    removed.compile(keras.optimizers.SGD(0.05), keras.losses.MeanSquaredError(reduction="sum"))
    weights = np.ones(12)
    weights[6:] = 0
    zero.fit(x, y, sample_weight=weights, batch_size=12, epochs=3, shuffle=False, verbose=0)
    removed.fit(x[:6], y[:6], batch_size=6, epochs=3, shuffle=False, verbose=0)
    np.testing.assert_allclose(zero.get_weights()[0], removed.get_weights()[0], rtol=1e-5)
    uniform, none = linear(), linear()
    uniform.fit(x, y, sample_weight=np.ones(12), shuffle=False, verbose=0)
    none.fit(x, y, shuffle=False, verbose=0)
    np.testing.assert_allclose(uniform.get_weights()[0], none.get_weights()[0], rtol=1e-6)


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y, size, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y, self.size, self.ended = x, y, size, 0

    def __len__(self):
        return -(-len(self.x) // self.size)

    def __getitem__(self, i):
        part = slice(i * self.size, (i + 1) * self.size)
        return self.x[part], self.y[part]

    def on_epoch_end(self):
        self.ended += 1


class Plain:
    """Not a PyDataset, but one by shape: it has a length and items."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, i):
        return self.batches[i]


@pytest.mark.parametrize("form", ["dataset", "threads", "plain", "generator", "steps", "lists", "float64", "fortran"])
def test_every_kind_of_data_gives_the_same_training(form):
    x, y = data(20)
    expected = linear()
    expected.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    model = linear()
    parts = [(x[i : i + 8], y[i : i + 8]) for i in (0, 8, 16)]
    options = {"epochs": 2, "verbose": 0, "shuffle": False}
    if form == "dataset":
        dataset = Batches(x, y, 8)
        model.fit(dataset, **options)
        assert dataset.ended == 2
    elif form == "threads":
        model.fit(Batches(x, y, 8, workers=3, max_queue_size=2), **options)
    elif form == "plain":
        model.fit(Plain(parts), **options)
    elif form == "generator":
        model.fit(iter(parts * 2), steps_per_epoch=3, **options)
    elif form == "steps":
        model.fit(x, y, steps_per_epoch=3, batch_size=8, **options)
    elif form == "lists":
        model.fit(x.tolist(), y.tolist(), batch_size=8, **options)
    elif form == "float64":
        model.fit(x.astype("float64"), y.astype("float64"), batch_size=8, **options)
    else:
        model.fit(np.asfortranarray(x), np.asfortranarray(y), batch_size=8, **options)
    np.testing.assert_allclose(model.get_weights()[0], expected.get_weights()[0], rtol=1e-6)


def test_generator_that_ends_early_warns_once_and_keeps_the_history():
    x, y = data(16)
    model = linear()
    with pytest.warns(UserWarning, match="ran out of data at step 2 of 5"):
        history = model.fit(iter([(x[:8], y[:8]), (x[8:], y[8:])]), steps_per_epoch=5, epochs=1, verbose=0)
    assert len(history.history["loss"]) == 1


def test_steps_go_on_through_the_data_across_epochs():
    x, y = data(40)
    seen = linear(rate=0.0)
    history = seen.fit(x, y, batch_size=10, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(history[0], seen.evaluate(x[:20], y[:20], verbose=0), rtol=1e-5)
    np.testing.assert_allclose(history[1], seen.evaluate(x[20:], y[20:], verbose=0), rtol=1e-5)


def test_evaluate_forms():
    x, y = data()
    model = linear(metrics=["mae"])
    found = model.evaluate(x, y, verbose=0)
    named = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found == [named["loss"], named["mae"]]
    assert isinstance(linear().evaluate(x, y, verbose=0), float)
    error = x @ np.full((3, 1), 0.1) - y
    np.testing.assert_allclose(found, [(error**2).mean(), np.abs(error).mean()], rtol=1e-5)
    np.testing.assert_allclose(
        model.evaluate(x, y, steps=2, batch_size=10, verbose=0)[0], (error[:20] ** 2).mean(), rtol=1e-5
    )


def test_predict_forms(capsys):
    x, _ = data(11)
    model = linear()
    expected = x @ np.full((3, 1), 0.1, "float32")
    for found in (
        model.predict(x),
        model.predict(x, batch_size=4),
        model.predict(x.tolist()),
        model.predict(iter([x[:6], x[6:]])),
        model.predict(x, verbose=2),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert model.predict(x, steps=1, batch_size=4).shape == (4, 1)
    capsys.readouterr()
    model.predict(x)
    assert capsys.readouterr().out == ""


def test_batch_methods_print_nothing(capfd):
    x, y = data(11)
    model = linear()
    capfd.readouterr()
    for _ in range(2):  # the first call of each compiles it
        model.train_on_batch(x, y)
        model.test_on_batch(x, y)
        model.predict_on_batch(x)
        model.train_on_batch(x, y, sample_weight=np.ones(11, "float32"), return_dict=True)
        model.test_on_batch(x, y, return_dict=True)
    assert capfd.readouterr() == ("", "")
    model.evaluate(x, y)
    assert capfd.readouterr().out != ""


def test_batch_methods_report_their_batch():
    x, y = data(8)
    model = linear(rate=0.0)
    error = ((x @ np.full((3, 1), 0.1) - y) ** 2).mean(1)
    first, second = model.train_on_batch(x[:4], y[:4]), model.test_on_batch(x[4:], y[4:])
    np.testing.assert_allclose([first, second], [error[:4].mean(), error[4:].mean()], rtol=1e-5)
    assert float(model.metrics[0].result()) == pytest.approx(second, rel=1e-6)
    model.reset_metrics()
    assert float(model.metrics[0].result()) == 0
    assert model.test_on_batch(x[4:], y[4:], return_dict=True)["loss"] == pytest.approx(error[4:].mean(), rel=1e-5)


def test_custom_train_step_and_own_metrics():
    class Doubler(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, kernel_initializer="ones")
            self.tracker = keras.metrics.Mean(name="twice")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            x, y = data
            with keras.tracing.GradientTape() as tape:
                loss = 2 * ops.mean(ops.square(self(x, training=True) - y))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            self.tracker.update_state(loss)
            return {"twice": self.tracker.result()}

    x, y = data(16)
    model = Doubler()
    model.compile(keras.optimizers.SGD(0.01))
    history = model.fit(x, y, epochs=3, batch_size=16, verbose=0).history
    assert list(history) == ["twice"] and history["twice"][2] < history["twice"][0]
    np.testing.assert_allclose(history["twice"][0], 2 * ((x.sum(1, keepdims=True) - y) ** 2).mean(), rtol=1e-4)


def test_overridden_compute_loss_and_metrics():
    class Shifted(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return ops.mean(ops.abs(y_pred - y)) + 1.0

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return {**super().compute_metrics(x, y, y_pred, sample_weight), "top": ops.max(y_pred)}

    x, y = data(8)
    model = Shifted([layers.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0))
    history = model.fit(x, y, batch_size=8, verbose=0).history
    np.testing.assert_allclose(history["loss"][0], np.abs(model.predict(x) - y).mean() + 1, rtol=1e-5)
    np.testing.assert_allclose(history["top"][0], model.predict(x).max(), rtol=1e-5)


def test_run_eagerly_trains_the_same():
    x, y = data(20)
    plain, eager = linear(), linear(run_eagerly=True)
    a = plain.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0, validation_data=(x, y)).history
    b = eager.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0, validation_data=(x, y)).history
    for key in a:
        np.testing.assert_allclose(a[key], b[key], rtol=1e-5)
    np.testing.assert_allclose(plain.predict(x), eager.predict(x), rtol=1e-5, atol=1e-6)


def test_freezing_between_fits_is_followed():
    x, y = data(20)
    model = keras.Sequential([layers.Input((3,)), layers.Dense(4), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    model.fit(x, y, verbose=0)
    model.layers[0].trainable = False
    model.compile(keras.optimizers.SGD(0.05), "mse")
    before = [w.copy() for w in model.get_weights()]
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])
    assert not np.array_equal(before[2], model.get_weights()[2])


def test_dropout_is_off_in_validation_and_prediction():
    model = keras.Sequential([layers.Input((3,)), layers.Dropout(0.9), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = data(64)
    history = model.fit(x, y, validation_data=(x, y), epochs=1, verbose=0).history
    np.testing.assert_allclose(history["val_loss"][0], ((model.predict(x) - y) ** 2).mean(), rtol=1e-5)
    assert history["loss"][0] != pytest.approx(history["val_loss"][0], rel=1e-3)


def test_add_loss_in_a_layer_counts():
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(0.5 * ops.mean(ops.square(x)))
            return x

    x, y = data(16)
    model = keras.Sequential([layers.Input((3,)), Penalty(), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    found = model.fit(x, y, batch_size=16, verbose=0).history["loss"][0]
    np.testing.assert_allclose(found, ((model.predict(x) - y) ** 2).mean() + 0.5 * (x**2).mean(), rtol=1e-5)


def test_steps_per_execution_calls_hooks_less_often():
    x, y = data(40)
    calls = []
    model = linear(steps_per_execution=3)
    model.fit(x, y, batch_size=4, verbose=0, callbacks=keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: calls.append(step)))  # fmt: skip
    assert calls == [2, 5, 8, 9]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX does")
def test_interrupt_returns_quickly_with_usable_weights():
    x = np.random.RandomState(0).randn(20000, 64).astype("float32")
    model = keras.Sequential([layers.Input((64,)), layers.Dense(128, activation="relu"), layers.Dense(1)])
    model.compile("sgd", "mse")
    y = x[:, :1].copy()
    model.fit(x[:64], y[:64], verbose=0)
    sent = []

    def interrupt():
        time.sleep(0.3)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=10000, batch_size=8, verbose=0)
    took = time.perf_counter() - sent[0]
    thread.join()
    assert took < 1.0  # 100 ms on an idle machine; this one may be busy
    assert np.isfinite(model.get_weights()[0]).all()
    assert np.isfinite(model.predict(x[:5])).all()
    model.fit(x[:64], y[:64], verbose=0)


def test_one_line_per_epoch_where_there_is_no_terminal():
    script = (
        "import numpy as np, falconet as k\n"
        "m = k.Sequential([k.layers.Dense(1)]); m.compile('sgd', 'mse')\n"
        "m.fit(np.ones((100, 3)), np.ones((100, 1)), epochs=3)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all(line.startswith(f"Epoch {i + 1}/3 - 4/4") for i, line in enumerate(lines))
    assert "loss: " in lines[0] and done.stderr == ""


def test_output_metrics_resolve_accuracy_by_shape():
    x = np.random.RandomState(0).randn(10, 3).astype("float32")
    for units, y, kind in (
        (1, np.zeros((10, 1)), "BinaryAccuracy"),
        (4, np.zeros((10,), "int32"), "SparseCategoricalAccuracy"),
        (4, np.eye(4)[np.zeros(10, int)], "CategoricalAccuracy"),
    ):
        model = keras.Sequential([layers.Input((3,)), layers.Dense(units, activation="sigmoid")])
        model.compile("sgd", "mse" if units == 1 else "crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, verbose=0).history
        assert set(history) == {"loss", "accuracy"}
        assert type(model.metrics[1].metrics[0]).__name__ == kind


def test_values_noted_in_call_do_not_cause_tracing_again():
    traces = []

    class Noting(layers.Layer):
        def call(self, x):
            traces.append(1)
            self.seen = tuple(x.shape)
            return x

    x, y = data(16)
    model = keras.Sequential([layers.Input((3,)), Noting(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    count = len(traces)
    model.fit(x, y, batch_size=8, epochs=5, verbose=0)
    assert len(traces) == count


def test_a_new_optimizer_is_followed():
    x, y = data(16)
    model = linear(rate=0.0)
    model.fit(x, y, verbose=0)
    before = model.get_weights()[0]
    model.optimizer = keras.optimizers.SGD(0.1)
    model.fit(x, y, verbose=0)
    assert not np.array_equal(before, model.get_weights()[0])
