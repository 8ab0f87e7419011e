"""A training that can be killed and started again: what `test_resume.py` runs as a process of its own.

    python resume_worker.py FOLDER [STEP]

STEP: the number of the training step after which the process says "step" on its standard output and waits, to be killed
from outside. Without it the training runs to its end and FOLDER/result.json holds hashes of all that must be equal.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np

import falconet as keras
from falconet import callbacks, layers


def digest(arrays):
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


class Counting(callbacks.Callback):
    """A user's callback with a state of its own."""

    def __init__(self):
        super().__init__()
        self.losses = []

    def get_state(self):
        return {"losses": self.losses}

    def set_state(self, state):
        self.losses = state["losses"]

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])


class Pause(callbacks.Callback):
    """Stops the process after a step, so that somebody may kill it there."""

    runs_last = True

    def __init__(self, at):
        super().__init__()
        self.left = at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            print("step", flush=True)
            sys.stdin.readline()


def main():
    folder, pause = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    kept = [os.path.join(folder, "backup", name) for name in ("training.backup", "training.backup.previous")]
    # With a backup, what is drawn before the state comes back must not matter.
    keras.utils.set_random_seed(99 if any(map(os.path.exists, kept)) else 5)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 6)).astype("float32")
    y = (x.sum(1) > 0).astype("float32")[:, None]
    model = keras.Sequential([
        layers.Input((6,)), layers.Dense(12, activation="relu"), layers.Dropout(0.4), layers.BatchNormalization(),
        layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    rate = keras.optimizers.schedules.ExponentialDecay(0.02, 10, 0.9) if os.environ.get("RESUME_SCHEDULE") else 0.02
    model.compile(keras.optimizers.Adam(rate, use_ema=True), "binary_crossentropy", metrics=["accuracy", "auc"])
    stopping = callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)
    plateau = callbacks.ReduceLROnPlateau("val_loss", patience=1, factor=0.5)
    best = callbacks.ModelCheckpoint(os.path.join(folder, "best.falconet"), monitor="val_accuracy", save_best_only=True)
    counting = Counting()
    given = [
        callbacks.BackupAndRestore(os.path.join(folder, "backup"), save_freq=4, double_checkpoint=True),
        stopping, best, counting, callbacks.CSVLogger(os.path.join(folder, "log.csv")),
    ]  # fmt: skip
    if not os.environ.get("RESUME_SCHEDULE"):
        given.append(plateau)
    if pause:
        given.append(Pause(pause))
    source = (x[:70], y[:70])
    if os.environ.get("RESUME_BATCHES"):
        source = (Batches(x[:70], y[:70]),)
    history = model.fit(
        *source, epochs=8, verbose=0, validation_data=(x[70:], y[70:]), callbacks=given,
        **({} if len(source) == 1 else {"batch_size": 8}),
    )  # fmt: skip
    result = {
        "weights": digest(model.get_weights()),
        "optimizer": digest(v.numpy() for v in model.optimizer.variables),
        "history": {name: [float(v).hex() for v in values] for name, values in history.history.items()},
        "epochs": history.epoch,
        "stopping": [stopping.wait, stopping.stopped_epoch, stopping.best, stopping.best_epoch],
        "plateau": [plateau.wait, plateau.cooldown_counter, plateau.best],
        "best": [best.best, digest(keras.models.load_model(best.filepath).get_weights())],
        "losses": digest([np.array(counting.losses)]),
        "steps": len(counting.losses),
        "csv": Path(folder, "log.csv").read_text(),
        "drawn next": [float(np.random.rand()), float(keras.random.uniform((1,))[0])],
        "backup left": os.path.exists(os.path.join(folder, "backup")),
    }
    with open(os.path.join(folder, "result.json"), "w") as file:
        json.dump(result, file)


class Batches(keras.utils.PyDataset):
    """Shuffled by the loop, so that the order has to be drawn again."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 9

    def __getitem__(self, i):
        return self.x[8 * i : 8 * i + 8], self.y[8 * i : 8 * i + 8]


if __name__ == "__main__":
    main()
