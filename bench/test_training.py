"""Training: steps within an epoch, a whole process, and with another process in the way."""

from __future__ import annotations

import atexit
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from falconet.bench import networks, peers
from falconet.bench.networks import falconet_trainer
from falconet.bench.timing import OURS, Workload, threads

_NETWORKS = [networks.TINY, networks.TABULAR, networks.MNIST]


def _epochs(bench):
    slow = ("torch compile",) if bench.is_quick else ()
    found = [peers.training(network, bench.peers, leave_out=slow) for network in _NETWORKS]
    return [*found, peers.training(networks.TINY, bench.peers, shuffle=True, leave_out=("torch compile", "jax jit"))]


def test_epoch(workload, contender, measured):
    measured(workload, contender)


test_epoch.workloads = _epochs


@pytest.mark.parametrize("network", _NETWORKS, ids=lambda network: network.name)
def test_contenders_learn_the_same(network, bench):
    """The mean losses of two epochs agree: they did the same work. scikit-learn starts from weights of its own."""
    trainers = {n: t for n, t in peers.trainers(bench.peers).items() if n not in ("sklearn", "torch compile")}
    losses = {}
    for name, trainer in trainers.items():
        epoch = trainer(network, False)
        losses[name] = [epoch(), epoch()]
    for name, found in losses.items():
        np.testing.assert_allclose(found, losses[OURS], rtol=1e-3, err_msg=name)


# A whole process: start, import, read the data, 10 epochs, evaluate.

_SCRIPT = Path(__file__).parent / "digits_process.py"


def _digits_file():
    """Handwritten digits, or noise of their shape where scikit-learn is missing: 64 pixels and the label in a row."""
    try:
        from sklearn.datasets import load_digits

        data = np.c_[load_digits(return_X_y=True)]
    except ImportError:
        rng = np.random.default_rng(0)
        data = np.c_[rng.uniform(0, 16, (1797, 64)), rng.integers(0, 10, 1797)]
    path = Path(tempfile.mkdtemp()) / "digits.npy"
    atexit.register(shutil.rmtree, path.parent)
    np.save(path, data[np.random.default_rng(0).permutation(len(data))].astype(np.float32))
    return path


def _child(name, file, key):
    """Seconds of a process that learns the digits: "process" all of it, "training" the 10 epochs alone."""
    start = time.perf_counter()
    command = [sys.executable, str(_SCRIPT), name, str(file), str(threads())]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    took = time.perf_counter() - start
    return took if key == "process" else json.loads(result.stdout)["training"]


def _digits(bench):
    file = _digits_file()
    names = [OURS, "numpy", *(name for name in ("sklearn", "torch", "jax") if name in bench.peers)]
    return [
        Workload(
            f"digits, 10 epochs, {key}",
            {name: lambda name=name, key=key: partial(_child, name, file, key) for name in names},
            tells_seconds=True,
        )
        for key in ("process", "training")
    ]


def test_digits(workload, contender, measured):
    measured(workload, contender)


test_digits.workloads = _digits


# Another process burns a core.


class _Burner:
    """A process that computes while it is entered, and is stopped otherwise."""

    def __init__(self):
        self._process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        atexit.register(self._process.kill)
        self._process.send_signal(signal.SIGSTOP)

    def __enter__(self):
        self._process.send_signal(signal.SIGCONT)

    def __exit__(self, *error):
        self._process.send_signal(signal.SIGSTOP)


def _contention(bench):
    names = ("numpy", "torch", "jax scan")
    trainers = {OURS: falconet_trainer, **{n: t for n, t in peers.trainers(bench.peers).items() if n in names}}
    contenders = {}

    def beside_burner(trainer):
        epoch, burner = trainer(networks.MNIST, False), _Burner()

        def call():
            with burner:
                return epoch()

        return call

    for name, trainer in trainers.items():
        contenders[name] = partial(trainer, networks.MNIST, False)
        contenders[f"{name}, busy"] = partial(beside_burner, trainer)
    return [
        Workload(f"train {networks.MNIST.name} while a process burns a core", contenders, units=networks.MNIST.steps)
    ]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="stopping the other process between rounds needs SIGSTOP")
def test_contention(workload, contender, measured):
    measured(workload, contender)


test_contention.workloads = _contention
