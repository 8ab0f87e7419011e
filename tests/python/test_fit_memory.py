"""Memory is flat over calls of fit, predict, evaluate and the batch methods with random batch sizes."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys, numpy as np
import falconet as keras
from falconet import layers
from falconet.data import Dataset
calls = int(sys.argv[1])
random = np.random.RandomState(0)
x, y = random.rand(300, 8).astype("float32"), random.rand(300, 1).astype("float32")
model = keras.Sequential([layers.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae"])

def call(size):
    rows = int(random.randint(size, 301))
    model.fit(x[:rows], y[:rows], batch_size=size, verbose=0)
    model.predict(x[:rows], batch_size=size)
    model.evaluate(x[:rows], y[:rows], batch_size=size, verbose=0)
    model.train_on_batch(x[:size], y[:size])
    model.fit(Dataset.from_arrays(x[:rows], y[:rows]).shuffle(50).batch(size).prefetch(2), verbose=0)

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

for size in range(1, 65):  # every signature that will come has been seen
    for rows in range(size):
        model.predict(x[: rows + 1], batch_size=size)
        model.evaluate(x[: rows + 1], y[: rows + 1], batch_size=size, verbose=0)
        model.fit(x[: rows + 1], y[: rows + 1], batch_size=size, verbose=0)
    model.train_on_batch(x[:size], y[:size])
for _ in range(200):
    call(int(random.randint(1, 65)))
before = resident()
for _ in range(calls):
    call(int(random.randint(1, 65)))
print(resident() - before)
"""

LONG = os.environ.get("FALCONET_LONG_TESTS") == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
@pytest.mark.parametrize(
    "calls",
    [
        400,
        pytest.param(10_000, marks=pytest.mark.skipif(not LONG, reason="takes minutes; FALCONET_LONG_TESTS=1 runs it")),
    ],
)
@pytest.mark.footprint
def test_memory_is_flat_over_calls_with_random_batch_sizes(calls):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(calls)], capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= 1 << 20
