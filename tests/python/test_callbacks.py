"""Callbacks: the order of the hooks, and what each callback promises."""

import numpy as np
import pytest

import falconet as keras
from falconet import callbacks, layers


def setup(rate=0.05, rows=24):
    x = np.random.RandomState(0).randn(rows, 3).astype("float32")
    y = x[:, :1] * 2
    model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    model.set_weights([np.full((3, 1), 0.1, "float32"), np.zeros(1, "float32")])
    return model, x, y


class Recorder(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __getattribute__(self, name):
        if name.startswith("on_"):
            return lambda *args: self.calls.append((name, *(a for a in args if isinstance(a, int))))
        return super().__getattribute__(name)


class Counter(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_batch_begin(self, batch, logs=None):
        self.calls.append(("begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(("end", batch, sorted(logs)))

    def on_test_batch_end(self, batch, logs=None):
        self.calls.append(("test", batch))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("epoch", epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("epoch end", epoch, sorted(logs)))

    def on_train_begin(self, logs=None):
        self.calls.append(("train",))

    def on_train_end(self, logs=None):
        self.calls.append(("train end",))

    def on_test_begin(self, logs=None):
        self.calls.append(("test begin",))

    def on_predict_batch_end(self, batch, logs=None):
        self.calls.append(("predict", batch, logs["outputs"].shape))


def test_order_of_hooks():
    model, x, y = setup()
    counter = Counter()
    model.fit(
        x, y, batch_size=12, epochs=1, validation_data=(x, y), validation_batch_size=24, verbose=0, callbacks=[counter]
    )
    assert counter.calls == [
        ("train",), ("epoch", 0), ("begin", 0), ("end", 0, ["loss"]), ("begin", 1), ("end", 1, ["loss"]),
        ("test begin",), ("test", 0), ("epoch end", 0, ["loss", "val_loss"]), ("train end",),
    ]  # fmt: skip
    counter.calls.clear()
    model.predict(x, batch_size=20, callbacks=[counter])
    assert counter.calls == [("predict", 0, (20, 1)), ("predict", 1, (4, 1))]


def test_model_and_params_are_set():
    model, x, y = setup()
    callback = callbacks.Callback()
    model.fit(x, y, epochs=2, batch_size=10, verbose=0, callbacks=callback)
    assert callback.model is model
    assert callback.params == {"verbose": 0, "epochs": 2, "steps": 3}


def test_stop_training_within_an_epoch():
    model, x, y = setup()
    seen = []

    def stop(step, logs):
        seen.append(step)
        model.stop_training = step == 1

    history = model.fit(
        x, y, batch_size=4, epochs=5, verbose=0, callbacks=callbacks.LambdaCallback(on_train_batch_end=stop)
    )
    assert seen == [0, 1] and len(history.history["loss"]) == 1


def test_callbacks_may_change_weights_between_batches():
    model, x, y = setup(rate=0.0)
    reset = callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: model.set_weights([np.full((3, 1), float(step)), np.zeros(1)])
    )
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[reset])
    np.testing.assert_array_equal(model.get_weights()[0], np.full((3, 1), 2.0))


def test_unknown_callback_and_hook():
    model, x, y = setup()
    with pytest.raises(TypeError, match=r"did you mean EarlyStopping\(\)"):
        model.fit(x, y, verbose=0, callbacks=[callbacks.EarlyStopping])
    with pytest.raises(ValueError, match="no hook 'on_lunch'"):
        callbacks.LambdaCallback(on_lunch=print)


def scripted(values, **kwargs):
    """An EarlyStopping shown a series of losses; the epoch after which it stopped."""
    stopping = callbacks.EarlyStopping(monitor="loss", **kwargs)

    class Model:
        stop_training = False
        metrics = ()
        weights = 0

        def get_weights(self):
            return self.weights

        def set_weights(self, value):
            self.weights = value

    model = Model()
    stopping.set_model(model)
    stopping.on_train_begin()
    for epoch, value in enumerate(values):
        model.weights = epoch
        stopping.on_epoch_end(epoch, {"loss": value})
        if model.stop_training:
            break
    stopping.on_train_end()
    return epoch, model.weights


def test_early_stopping_rules():
    assert scripted([3, 2, 2.5, 2.4, 1], patience=2)[0] == 3
    assert scripted([3, 2.95, 2.9], min_delta=0.1, patience=1)[0] == 1
    assert scripted([1, 2, 3, 0.5, 2], patience=1, start_from_epoch=3)[0] == 4
    assert scripted([3, 4, 5], patience=1, restore_best_weights=True) == (1, 0)
    assert scripted([3, 2, 4], patience=5, restore_best_weights=True) == (2, 1)
    assert scripted([3, 2.5, 2.4, 2.6, 2.2], baseline=1.0, patience=3)[0] == 3
    assert scripted([1, 2, 3], mode="max", patience=1)[0] == 2


def test_early_stopping_in_fit():
    model, x, y = setup(rate=0.0)
    history = model.fit(
        x, y, epochs=20, shuffle=False, verbose=0, callbacks=[callbacks.EarlyStopping("loss", patience=3)]
    )
    assert len(history.epoch) == 4
    with pytest.warns(UserWarning, match="no 'val_loss' in the logs"):
        model.fit(x, y, epochs=2, verbose=0, callbacks=[callbacks.EarlyStopping()])
    with pytest.raises(ValueError, match="larger or a smaller"):
        model.fit(x, y, verbose=0, callbacks=[callbacks.EarlyStopping("strange")])


def test_terminate_on_nan():
    model, x, y = setup()
    y[5] = np.nan
    history = model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert len(history.epoch) == 1
    with pytest.raises(RuntimeError, match="batch 1: the loss is nan"):
        setup()[0].fit(
            x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[callbacks.TerminateOnNaN(raise_error=True)]
        )


def test_nan_is_explained_by_layer_and_op():
    class Root(layers.Layer):
        def call(self, x):
            return keras.ops.sqrt(x)

    x = np.ones((12, 2), "float32")
    x[9, 0] = -1
    model = keras.Sequential([layers.Input((2,)), Root(name="root"), layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = callbacks.TerminateOnNaN(explain=True)
    model.fit(x, np.ones((12, 1)), batch_size=4, shuffle=False, verbose=0, callbacks=[callback])
    assert 'batch 2: the forward pass: layer Root "root", op sqrt(' in callback.report
    assert np.isfinite(model.get_weights()[0]).all()


def test_schedules():
    model, x, y = setup()
    history = model.fit(
        x, y, epochs=3, verbose=0, callbacks=[callbacks.LearningRateScheduler(lambda e, lr: lr / 2)]
    ).history
    np.testing.assert_allclose(history["learning_rate"], [0.025, 0.0125, 0.00625], rtol=1e-6)
    model, x, y = setup(rate=0.0)
    model.optimizer.learning_rate = 1e-12
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=2, min_delta=1e-3)
    history = model.fit(x, y, epochs=5, verbose=0, callbacks=[plateau]).history
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 1e-14, rtol=1e-5)


def test_checkpoints_and_csv(tmp_path):
    model, x, y = setup()
    model.fit(x, y, epochs=2, verbose=0, callbacks=[
        callbacks.ModelCheckpoint(tmp_path / "m{epoch:02d}.keras"),
        callbacks.ModelCheckpoint(
            tmp_path / "best.weights.h5", monitor="loss", save_best_only=True, save_weights_only=True
        ),
        callbacks.CSVLogger(tmp_path / "log.csv"),
    ])  # fmt: skip
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.weights.h5", "log.csv", "m01.keras", "m02.keras"]
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert rows[0] == "epoch,loss,val_loss" and len(rows) == 3 and rows[2].endswith(",NA")
    copy = keras.models.load_model(tmp_path / "m02.keras")
    np.testing.assert_array_equal(copy.get_weights()[0], model.get_weights()[0])
    with pytest.raises(KeyError, match="`filepath` asks for"):
        model.fit(x, y, verbose=0, callbacks=[callbacks.ModelCheckpoint(tmp_path / "{nothing}.keras")])


def test_progress_bar_on_a_terminal(monkeypatch, capsys):
    import falconet.callbacks.progress as progress

    monkeypatch.setattr(progress, "is_terminal", lambda: True)
    model, x, y = setup()
    model.fit(x, y, epochs=2, batch_size=4, verbose=1)
    out = capsys.readouterr().out
    assert out.count("Epoch") == 2 and "6/6" in out and "loss: " in out and out.endswith("\n")
    # Each piece of an epoch is drawn once, and an epoch of microseconds has few of them.
    assert out.count("\r") <= 2 * 6 + 2
