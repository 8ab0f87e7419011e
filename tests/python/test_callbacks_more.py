"""Callbacks against Keras: the order of the hooks and their logs; and those that send, average, warn or fail."""

import http.server
import json
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import numpy as np
import pytest

import falconet as keras
from falconet import callbacks, layers

GOLDEN = Path(__file__).parent.parent / "golden"
sys.path.insert(0, str(GOLDEN))
from callback_cases import CASES, run  # noqa: E402
from summary_cases import summaries  # noqa: E402

HOOKS = json.loads((GOLDEN / "callbacks.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_hooks_are_those_of_keras(case):
    found, wanted = json.loads(json.dumps(run(keras, case))), HOOKS[case.__name__]
    if case.__name__ == "steps_per_execution":  # Keras counts the last execution as full: 5 stands for batch 4
        assert wanted["calls"][-3] == ["on_train_batch_end", 5, ["loss", "mae"]]
        wanted["calls"][-3][1] = 4
    assert found == wanted


def test_summaries_of_nested_models_are_those_of_keras(monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    assert summaries(keras) == (GOLDEN / "summaries.txt").read_text()


def setup(**kwargs):
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
    model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05, **kwargs), "mse")
    return model, x, x[:, :1] * 2


# --- RemoteMonitor ---------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.server.got.append((self.path, self.headers["Content-Type"], self.headers.get("X-Key"), body))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *args):
            pass

    running = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    running.got, running.status = [], 200
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def test_remote_monitor(server):
    model, x, y = setup()
    root = f"http://127.0.0.1:{server.server_port}"
    form = callbacks.RemoteMonitor(root, path="/a/", field="row", headers={"X-Key": "k"})
    plain = callbacks.RemoteMonitor(root, path="/b", send_as_json=True)
    loss = model.fit(x, y, epochs=2, verbose=0, callbacks=[form, plain]).history["loss"]
    assert [got[0] for got in server.got] == ["/a/", "/b"] * 2 and server.got[0][2] == "k"
    assert server.got[0][1] == "application/x-www-form-urlencoded" and server.got[1][1] == "application/json"
    assert json.loads(urllib.parse.parse_qs(server.got[2][3])["row"][0]) == {"epoch": 1, "loss": loss[1]}
    assert json.loads(server.got[1][3]) == {"epoch": 0, "loss": loss[0]}


def test_remote_monitor_without_a_server(server):
    model, x, y = setup()
    server.status = 500
    for root in (f"http://127.0.0.1:{server.server_port}", "http://127.0.0.1:9"):
        with pytest.warns(UserWarning, match="could not send epoch 0"):
            history = model.fit(x, y, verbose=0, callbacks=[callbacks.RemoteMonitor(root)])
        assert len(history.history["loss"]) == 1
    with pytest.raises(ValueError, match='must begin with "http://"'):
        callbacks.RemoteMonitor("file:///etc")


# --- SwapEMAWeights --------------------------------------------------------------------------------------------------


def test_averages_are_validated_and_raw_weights_trained():
    model, x, y = setup(use_ema=True, ema_momentum=0.5)
    seen = {}

    class Look(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen["raw"] = self.model.get_weights()

        def on_test_begin(self, logs=None):
            seen["tested"] = self.model.get_weights()

    model.fit(x, y, batch_size=8, epochs=1, verbose=0, validation_data=(x, y), callbacks=[
        callbacks.SwapEMAWeights(), Look()
    ])  # fmt: skip
    assert not np.array_equal(seen["raw"][0], seen["tested"][0])
    np.testing.assert_array_equal(model.get_weights()[0], seen["tested"][0])  # `fit` ends with the averages


@pytest.mark.parametrize("stop_early", [False, True])
def test_averages_are_saved_and_stay(tmp_path, stop_early):
    model, x, y = setup(use_ema=True, ema_momentum=0.5)
    given = [
        callbacks.SwapEMAWeights(swap_on_epoch=True),
        callbacks.ModelCheckpoint(tmp_path / "{epoch}.falconet", save_weights_only=True),
    ]
    if stop_early:
        given.append(callbacks.EarlyStopping("loss", mode="max", patience=1))
    epochs = len(model.fit(x, y, batch_size=8, epochs=4, verbose=0, shuffle=False, callbacks=given).epoch)
    assert epochs == (2 if stop_early else 4)
    reference, _, _ = setup(use_ema=True, ema_momentum=0.5)
    reference.fit(x, y, batch_size=8, epochs=epochs, verbose=0, shuffle=False)
    copy, _, _ = setup()
    copy.load_weights(tmp_path / f"{epochs}.falconet")
    for a, b, c in zip(model.get_weights(), reference.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(c, b)


def test_averages_need_an_optimizer_that_keeps_them():
    model, x, y = setup()
    before = model.get_weights()
    with pytest.raises(ValueError, match="keeps no averages; make it with use_ema=True"):
        model.fit(x, y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


# --- ModelCheckpoint, CSVLogger and the rest -------------------------------------------------------------------------


def test_checkpoint_options(tmp_path, capsys):
    model, x, y = setup()
    given = callbacks.ModelCheckpoint(tmp_path / "a" / "{epoch}-{batch}.falconet", save_freq=4)
    model.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=[given])
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["2-1.falconet", "3-2.falconet", "4-3.falconet"]
    best = callbacks.ModelCheckpoint(tmp_path / "b.falconet", "loss", save_best_only=True, verbose=1,
                                     initial_value_threshold=1e-9)  # fmt: skip
    model.fit(x, y, verbose=0, callbacks=[best])
    assert not (tmp_path / "b.falconet").exists()
    assert "Epoch 1: loss did not improve from 0.00000" in capsys.readouterr().out
    best = callbacks.ModelCheckpoint(tmp_path / "b.falconet", "loss", save_best_only=True, verbose=1)
    model.fit(x, y, verbose=0, callbacks=[best])
    assert "loss improved from None to" in capsys.readouterr().out and (tmp_path / "b.falconet").exists()


def test_checkpoint_without_its_number(tmp_path):
    model, x, y = setup()
    given = callbacks.ModelCheckpoint(tmp_path / "{epoch}.falconet", save_best_only=True)
    with pytest.warns(UserWarning, match="there is no 'val_loss' in the logs") as seen:
        model.fit(x, y, epochs=3, verbose=0, callbacks=[given])
    assert len(seen) == 1 and len(list(tmp_path.iterdir())) == 3  # as in Keras: too many rather than none


@pytest.mark.parametrize("kind", ["EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau"])
def test_wrong_names_and_modes(kind, tmp_path):
    first = (tmp_path / "m.falconet",) if kind == "ModelCheckpoint" else ()
    best = {"save_best_only": True} if kind == "ModelCheckpoint" else {}
    with pytest.raises(ValueError, match='`mode` must be "auto", "min" or "max", got \'up\''):
        getattr(callbacks, kind)(*first, mode="up")
    model, x, y = setup()
    with pytest.warns(UserWarning, match="there is no 'val_los' in the logs, which have") as seen:
        history = model.fit(
            x,
            y,
            epochs=3,
            verbose=0,
            validation_data=(x, y),
            callbacks=[getattr(callbacks, kind)(*first, monitor="val_los", mode="min", **best)],
        )
    assert len(seen) == 1 and len(history.epoch) == 3
    with pytest.raises(ValueError, match="cannot tell whether a larger or a smaller"):
        model.fit(x, y, verbose=0, callbacks=[getattr(callbacks, kind)(*first, monitor="val_los", **best)])


def test_csv_columns_and_appending(tmp_path):
    model, x, y = setup()
    path = tmp_path / "log.csv"
    for append in (False, True):
        model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y), validation_freq=2,
                  callbacks=[callbacks.CSVLogger(path, separator=";", append=append)])  # fmt: skip
    rows = [row.split(";") for row in path.read_text().splitlines()]
    assert rows[0] == ["epoch", "loss", "val_loss"] and [row[0] for row in rows[1:]] == ["0", "1", "0", "1"]
    assert rows[1][2] == "NA" and float(rows[2][2]) > 0
    with pytest.raises(ValueError, match="`separator` must be one character"):
        callbacks.CSVLogger(path, separator=", ")


UNWRITABLE = {
    "CSVLogger": lambda path: callbacks.CSVLogger(path / "log.csv"),
    "BackupAndRestore": lambda path: callbacks.BackupAndRestore(path / "backup"),
    "ModelCheckpoint": lambda path: callbacks.ModelCheckpoint(path / "m.falconet"),
}


@pytest.mark.parametrize("kind", UNWRITABLE)
def test_unwritable_paths(kind, tmp_path):
    (tmp_path / "file").write_text("")
    model, x, y = setup()
    with pytest.raises((OSError, ValueError), match="file"):
        model.fit(x, y, verbose=0, callbacks=[UNWRITABLE[kind](tmp_path / "file")])
    assert np.isfinite(model.predict(x)).all()
    assert len(model.fit(x, y, verbose=0).epoch) == 1


HOOK_NAMES = [
    "on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end", "on_test_begin",
    "on_test_batch_end", "on_test_end", "on_epoch_end", "on_train_end",
]  # fmt: skip


@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_a_callback_that_raises(hook, tmp_path):
    model, x, y = setup(use_ema=True)
    log = callbacks.CSVLogger(tmp_path / "log.csv")
    calls = [0]

    def fail(*args, **kwargs):
        calls[0] += 1
        if calls[0] == 2 or hook in ("on_train_begin", "on_train_end"):
            raise RuntimeError("not today")

    failing = callbacks.LambdaCallback(**{hook: fail})
    with pytest.raises(RuntimeError, match="not today"):
        model.fit(x, y, batch_size=8, epochs=3, verbose=0, validation_data=(x, y), callbacks=[failing, log])
    assert log._file is None  # closed
    assert np.isfinite(model.get_weights()[0]).all() and np.abs(model.get_weights()[0]).sum() > 0
    in_second_epoch = ("on_epoch_begin", "on_epoch_end", "on_test_begin", "on_test_end")
    done = 3 if hook == "on_train_end" else int(hook in in_second_epoch)
    assert len(model.history.epoch) == done == len(model.history.history.get("loss", ()))
    assert len(model.fit(x, y, epochs=2, verbose=0).epoch) == 2


def test_schedules_of_several_optimizers():
    x = np.ones((4, 3), "float32")
    one, two = layers.Dense(2, name="one"), layers.Dense(1, name="two")
    model = keras.Sequential([layers.Input((3,)), one, two])
    fast, slow = keras.optimizers.SGD(0.5, name="fast"), keras.optimizers.SGD(0.25, name="slow")
    optimizers = keras.optimizers.OptimizerMap(fast, {".*two.*": slow})
    model.compile(keras.optimizers.MultiOptimizer(optimizers), "mse")
    history = model.fit(x, x[:, :1], epochs=2, verbose=0, callbacks=[
        callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
        callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9),
    ]).history  # fmt: skip
    assert history["learning_rate_fast"] == [0.25, 0.125] and history["learning_rate_slow"] == [0.125, 0.0625]
    assert float(fast.learning_rate) == 0.0625 and float(slow.learning_rate) == 0.03125


# --- what callbacks cost ---------------------------------------------------------------------------------------------


class EpochHooks(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        pass


def test_no_python_between_batches_without_batch_hooks(tmp_path):
    given = [
        EpochHooks(), callbacks.EarlyStopping("loss"), callbacks.ReduceLROnPlateau("loss"),
        callbacks.ModelCheckpoint(tmp_path / "m"), callbacks.CSVLogger(tmp_path / "l"), callbacks.History(),
        callbacks.BackupAndRestore(tmp_path / "b"), callbacks.SwapEMAWeights(), callbacks.TensorBoard(tmp_path / "t"),
        callbacks.LambdaCallback(on_epoch_end=print), callbacks.LearningRateScheduler(float), callbacks.RemoteMonitor(),
    ]  # fmt: skip
    for kind in ("train", "test", "predict"):
        assert callbacks.CallbackList(given).batch_hooks(kind) == (None, None)
    assert callbacks.CallbackList([callbacks.ModelCheckpoint("m", save_freq=2)]).batch_hooks("train")[1] is not None


def test_an_epoch_costs_less_than_a_millisecond():
    """Beyond its steps: an epoch of one step of a tiny model, with callbacks that have no batch hooks."""
    model, x, y = setup()
    given = [EpochHooks(), callbacks.EarlyStopping("loss", patience=10_000), callbacks.ReduceLROnPlateau("loss")]

    def per_epoch():
        epochs = 200
        began = time.perf_counter()
        model.fit(x, y, batch_size=24, epochs=epochs, verbose=0, callbacks=given)
        return (time.perf_counter() - began) / epochs

    per_epoch()
    assert min(per_epoch() for _ in range(5)) < 1e-3
