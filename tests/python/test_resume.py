"""An interrupted training goes on as if nothing had happened; an interrupted save leaves the old file or the new.

FALCONET_KILLS=200 kills a training at 200 random steps, FALCONET_SAVE_KILLS=1000 a save 1000 times.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import falconet as keras
from falconet import callbacks, layers
from falconet.saving.state_file import read_state, write_state

WORKER = os.path.join(os.path.dirname(__file__), "resume_worker.py")
KILLS = int(os.environ.get("FALCONET_KILLS", "20"))
SAVE_KILLS = int(os.environ.get("FALCONET_SAVE_KILLS", "20"))
KINDS = {"plateau": {}, "schedule": {"RESUME_SCHEDULE": "1"}, "batches": {"RESUME_BATCHES": "1"}}
STEPS = 72  # 8 epochs of 9
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is not available")


def start(folder, kind, *arguments):
    package = os.path.dirname(os.path.dirname(keras.__file__))
    environment = {**os.environ, "PYTHONPATH": package, "PYTHONWARNINGS": "error", **KINDS[kind]}
    return subprocess.Popen([sys.executable, WORKER, str(folder), *map(str, arguments)], env=environment,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip


def finish(folder, kind):
    process = start(folder, kind)
    process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads((folder / "result.json").read_text())


def kill_at(folder, kind, step):
    """Kills a training after so many of its steps; whether it got that far."""
    process = start(folder, kind, step)
    reached = process.stdout.readline().strip() == "step"
    process.kill()
    process.communicate(timeout=60)
    return reached


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory):
    found = {kind: finish(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}
    assert found["plateau"]["steps"] == STEPS and not found["plateau"]["backup left"]
    assert len({result["weights"] for result in found.values()}) == 3
    return found


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_at_a_random_step(tmp_path, never_stopped, number):
    draw = random.Random(number)
    kind = list(KINDS)[number % 3]
    for _ in range(draw.choice([1, 1, 2, 3])):  # it may be killed again after it went on
        step = draw.randint(1, STEPS)
        if not kill_at(tmp_path, kind, step):
            break
    assert finish(tmp_path, kind) == never_stopped[kind]


def dense(seed=0, units=300):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([layers.Input((200,)), layers.Dense(units), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def old_and_new(path, save, models):
    """Contents of the file before and after."""
    found = []
    for model in models:
        save(model, path)
        found.append(Path(path).read_bytes())
    assert found[0] != found[1]
    return found


@needs_fork
@pytest.mark.parametrize("what", ["save", "save_weights"])
def test_killed_during_a_save(tmp_path, what):
    path = str(tmp_path / "model.falconet")

    def save(model, to):
        getattr(model, what)(to)

    models = dense(0), dense(1)
    contents = old_and_new(path, save, models)
    draw = random.Random(7)
    seen = set()
    for _ in range(SAVE_KILLS):
        saved, tell = os.pipe()
        child = os.fork()
        if child == 0:
            while True:  # until it is killed
                for model in models:
                    save(model, path)
                    os.write(tell, b".")
        os.read(saved, 1)
        time.sleep(draw.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.close(saved)
        os.close(tell)
        os.waitpid(child, 0)
        found = Path(path).read_bytes()
        assert found in contents
        seen.add(contents.index(found))
    assert seen == {0, 1}  # else it was never killed after a save


def test_write_errors_leave_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.falconet"
    dense(0).save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        dense(1).save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["model.falconet"]


# --- within one process ----------------------------------------------------------------------------------------------


class Stop(Exception):
    pass


def interrupted(model, source, epochs, folder, at, callback=None, **kwargs):
    """Fits until an exception after step `at`, then fits again; (history, epochs begun in the second call)."""
    begun, calls = [], [0]

    def count(batch, logs):
        calls[0] += 1
        if calls[0] == at:
            raise Stop

    def fit(extra):
        given = [callbacks.BackupAndRestore(folder, **kwargs.get("backup", {})), *extra]
        fit_arguments = {name: value for name, value in kwargs.items() if name != "backup"}
        return model.fit(*source(), epochs=epochs, verbose=0, callbacks=given, **fit_arguments)

    with pytest.raises(Stop):
        fit([callbacks.LambdaCallback(on_train_batch_end=count)])
    history = fit([callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch))])
    return history, begun


def data(rows=40):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 200)).astype("float32")
    return x, x[:, :1]


def test_epoch_backups_resume_the_history(tmp_path):
    reference = dense()
    keras.utils.set_random_seed(3)
    wanted = reference.fit(*data(), epochs=5, verbose=0).history
    model = dense()
    keras.utils.set_random_seed(3)
    history, begun = interrupted(model, data, 5, tmp_path / "b", at=7)
    assert begun == [3, 4] and history.epoch == [0, 1, 2, 3, 4] and history.history == wanted
    for a, b in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "b").exists()


def test_what_killed_saves_leave_is_removed(tmp_path):
    folder = tmp_path / "b"
    folder.mkdir()
    (folder / "training.backup.77.tmp").write_bytes(b"half")
    dense().fit(*data(), verbose=0, callbacks=[callbacks.BackupAndRestore(folder, delete_checkpoint=False)])
    assert [p.name for p in folder.iterdir()] == ["training.backup"]


def generator():
    x, y = data()
    while True:
        for at in range(0, 40, 10):
            yield x[at : at + 10], y[at : at + 10]


class Again:
    """An iterable of four batches that can be started anew."""

    def __iter__(self):
        return (batch for batch, _ in zip(generator(), range(4), strict=False))


@pytest.mark.parametrize("kind", ["generator", "iterable"])
def test_iterables_are_drawn_again(tmp_path, kind):
    def source():
        return (generator() if kind == "generator" else Again(),)

    steps = {"steps_per_epoch": 4} if kind == "generator" else {}
    reference = dense()
    wanted = reference.fit(*source(), epochs=4, verbose=0, **steps).history
    model = dense()
    history, _ = interrupted(model, source, 4, tmp_path / "b", at=11, backup={"save_freq": 3}, **steps)
    assert history.history == wanted


class Source:
    """An iterable that knows its place."""

    def __init__(self):
        self.at, self.drawn = 0, 0

    def __iter__(self):
        x, y = data()
        while self.at < 4:
            self.at += 1
            self.drawn += 1
            yield x[10 * self.at - 10 : 10 * self.at], y[10 * self.at - 10 : 10 * self.at]
        self.at = 0

    def __len__(self):
        return 4

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


def test_sources_with_a_state_are_not_drawn_again(tmp_path):
    made = []

    def source():
        made.append(Source())
        return (made[-1],)

    wanted = dense().fit(Source(), epochs=3, verbose=0).history
    history, _ = interrupted(dense(), source, 3, tmp_path / "b", at=7, backup={"save_freq": 2})
    assert history.history == wanted
    assert made[1].drawn <= 1 + 12 - 6  # one to look at, then those after step 6


class Gan(keras.Model):
    """Two optimizers that the loop knows nothing of; their slots exist after the first step."""

    def __init__(self):
        super().__init__()
        self.one, self.two = layers.Dense(4), layers.Dense(1)

    def build(self, input_shape):
        self.one.build(input_shape)
        self.two.build((None, 4))

    def call(self, x):
        return self.two(self.one(x))

    def compile(self, first, second):
        super().compile(loss="mse")
        self.first, self.second = first, second

    def train_step(self, batch):
        x, y = batch
        for layer, optimizer in ((self.one, self.first), (self.two, self.second)):
            with keras.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x))
            optimizer.apply(tape.gradient(loss, layer.trainable_weights), layer.trainable_weights)
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}


def test_optimizers_of_a_custom_step_resume(tmp_path):
    def made():
        keras.utils.set_random_seed(1)
        model = Gan()
        model.compile(keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.01, momentum=0.9))
        return model

    reference = made()
    wanted = reference.fit(*data(), epochs=3, verbose=0, batch_size=10, shuffle=False).history
    model, calls = made(), [0]

    def stop(batch, logs):
        calls[0] += 1
        if calls[0] == 6:
            raise Stop

    arguments = {"epochs": 3, "verbose": 0, "batch_size": 10, "shuffle": False}
    with pytest.raises(Stop):
        model.fit(*data(), **arguments, callbacks=[
            callbacks.BackupAndRestore(tmp_path / "b", save_freq=1), callbacks.LambdaCallback(on_train_batch_end=stop)
        ])  # fmt: skip
    history = made().fit(*data(), **arguments, callbacks=[callbacks.BackupAndRestore(tmp_path / "b", save_freq=1)])
    assert history.history == wanted


def backup(tmp_path, **kwargs):
    """A folder with a backup of a training that stopped in its second epoch."""
    model = dense()
    at = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: model._training_state and stop_after(epoch))

    def stop_after(epoch):
        if epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        model.fit(*data(), epochs=5, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "b", **kwargs), at])
    return tmp_path / "b"


def test_an_unreadable_backup(tmp_path):
    folder = backup(tmp_path, double_checkpoint=True)
    assert sorted(p.name for p in folder.iterdir()) == ["training.backup", "training.backup.previous"]
    (folder / "training.backup").write_bytes(b"broken")
    begun = []
    with pytest.warns(UserWarning, match="The backup before it is used"):
        dense().fit(*data(), epochs=4, verbose=0, callbacks=[
            callbacks.BackupAndRestore(folder, double_checkpoint=True),
            callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch)),
        ])  # fmt: skip
    assert begun == [1, 2, 3]
    folder = backup(tmp_path)
    (folder / "training.backup").write_bytes(b"broken")
    with pytest.raises(ValueError, match="not a model file"):
        dense().fit(*data(), epochs=4, verbose=0, callbacks=[callbacks.BackupAndRestore(folder)])


def test_a_backup_of_something_else(tmp_path):
    folder = backup(tmp_path)
    with pytest.raises(ValueError, match=r'/kernel" has shape \(200, 300\)'):
        dense(units=299).fit(*data(), epochs=4, verbose=0, callbacks=[callbacks.BackupAndRestore(folder)])
    with pytest.raises(ValueError, match="rows=40; this data has rows=39"):
        dense().fit(*(a[:39] for a in data()), epochs=4, verbose=0, callbacks=[callbacks.BackupAndRestore(folder)])
    model = dense()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"holds \d+ variables"):
        model.fit(*data(), epochs=4, verbose=0, callbacks=[callbacks.BackupAndRestore(folder)])
    dense().save(folder / "training.backup")
    with pytest.raises(ValueError, match="not a file of kind 'training', but 'model'"):
        dense().fit(*data(), epochs=4, verbose=0, callbacks=[callbacks.BackupAndRestore(folder)])


def test_state_of_missing_callbacks_is_said(tmp_path):
    model = dense()
    given = [callbacks.BackupAndRestore(tmp_path / "b", delete_checkpoint=False), callbacks.EarlyStopping("loss")]
    model.fit(*data(), epochs=2, verbose=0, callbacks=given)
    with pytest.warns(UserWarning, match=r"callbacks \['EarlyStopping/0'\]"):
        history = model.fit(*data(), epochs=3, verbose=0, callbacks=given[:1])
    assert history.epoch == [0, 1, 2]


def test_arguments(tmp_path):
    with pytest.raises(ValueError, match="`backup_dir` is empty"):
        callbacks.BackupAndRestore("")
    for wrong in (0, True, "batch", 1.5):
        with pytest.raises(ValueError, match="`save_freq` must be"):
            callbacks.BackupAndRestore(tmp_path, save_freq=wrong)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot make `backup_dir`"):
        dense().fit(*data(), verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "file" / "b")])
    dense().fit(*data(), verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "never", save_freq=False)])
    assert not (tmp_path / "never").exists()


def test_states_come_back_exactly(tmp_path):
    path = str(tmp_path / "state")
    state = {"a": [1, None, True, "é", 0.1, float("inf")], "n": {"x": np.arange(6.0).reshape(2, 3), "y": np.int8(3)}}
    write_state(path, "test", state)
    found = read_state(path, "test")
    assert found["a"] == state["a"] and np.array_equal(found["n"]["x"], state["n"]["x"]) and found["n"]["y"] == 3
    for wrong, shown in (({"k": {1: 2}}, r"keys of test\['k'\]"), ({"k": object()}, r"test\['k'\] is <object")):
        with pytest.raises(TypeError, match=shown):
            write_state(path, "test", wrong)
    assert read_state(path, "test")["a"] == state["a"]
