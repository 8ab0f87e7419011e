"""python digits_process.py WHO FILE THREADS: learns the handwritten digits from an array file, in a process of its own.

64-64-10, batches of 32 in random order, Adam, 10 epochs of the first 1437 rows; the accuracy on the rest is what
Falconet and NumPy end with. Prints the seconds of the training alone, compilation included, as JSON. What is shared
with the other benchmarks is read without importing Falconet where NumPy alone is timed; PyTorch, JAX and scikit-learn
have Falconet's import, a few hundredths of a second, in their time of a whole process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import sys
import time
from pathlib import Path

_EPOCHS, _TRAINED = 10, 1437


def _falconet(file: str) -> tuple[float, float]:
    import numpy as np

    import falconet

    (x, y), (x_test, y_test) = _split(np.load(file))
    model = falconet.Sequential(
        [falconet.Input((64,)), falconet.layers.Dense(64, activation="relu"), falconet.layers.Dense(10, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    model.fit(x, y, epochs=_EPOCHS, verbose=0)
    seconds = time.perf_counter() - start
    return seconds, model.evaluate(x_test, y_test, verbose=0)[1]


def _numpy(file: str) -> tuple[float, float]:
    import numpy as np

    package = importlib.util.find_spec("falconet").submodule_search_locations[0]  # found, not imported
    networks = runpy.run_path(str(Path(package) / "bench" / "networks.py"), run_name="networks")
    net = networks["NumpyNetwork"](networks["Network"]("digits", (64, 64, 10), "relu", "softmax"))
    (x, y), (x_test, y_test) = _split(np.load(file))
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    for _ in range(_EPOCHS):
        order = rng.permutation(len(x))
        for i in range(0, len(x), 32):
            rows = order[i : i + 32]
            net.step(x[rows], y[rows])
    seconds = time.perf_counter() - start
    return seconds, float(np.mean(net.predict(x_test).argmax(-1) == y_test))


def _peer(name: str, file: str) -> tuple[float, float | None]:
    import numpy as np

    from falconet.bench import networks, peers

    (x, y), _ = _split(np.load(file))

    class Digits(networks.Network):
        def data(self):
            return x, y

    # Whole batches only, for the peer whose epoch is one compiled loop.
    x, y = x[: len(x) // 32 * 32], y[: len(y) // 32 * 32]
    network = Digits("digits", (64, 64, 10), "relu", "softmax", batch=32, steps=len(x) // 32)
    epoch = {"torch": peers.torch_trainer, "jax": peers.jax_trainer, "sklearn": peers.sklearn_trainer}[name](
        network, True
    )
    start = time.perf_counter()
    for _ in range(_EPOCHS):
        epoch()
    return time.perf_counter() - start, None


def _split(data):
    x, y = data[:, :64] / 16, data[:, 64].astype("int32")
    return (x[:_TRAINED], y[:_TRAINED]), (x[_TRAINED:], y[_TRAINED:])


def main() -> None:
    name, file, threads = sys.argv[1:]
    for variable in ("FALCONET_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):
        os.environ[variable] = threads
    seconds, accuracy = {"falconet": _falconet, "numpy": _numpy}.get(name, lambda f: _peer(name, f))(file)
    print(json.dumps({"training": seconds, "accuracy": accuracy}))


if __name__ == "__main__":
    main()
