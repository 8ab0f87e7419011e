"""Predictor against NumPy written by hand: 30 shapes of perceptrons, batches from one row to 4096; every cell is told.

`pytest bench/test_serving.py --threads 1`. No cell may be slower than NumPy by more than the noise of a quiet machine.
"""

from __future__ import annotations

import dataclasses
import functools

import pytest

import falconet
from falconet.bench import networks, peers
from falconet.bench.timing import OURS, Workload

BATCHES = (1, 2, 8, 32, 256, 4096)
_WIDTHS = (
    (2, 4, 1), (4, 2), (4, 8, 1), (4, 64, 64, 1), (5, 10, 10, 3), (8, 16, 4), (8, 32, 32, 1), (10, 100, 1),
    (13, 64, 1), (16, 16, 16, 16, 1), (16, 128, 2), (20, 50, 50, 5), (30, 30, 30, 2), (32, 64, 64, 1), (32, 256, 1),
    (50, 100, 50, 10), (64, 64, 64, 64, 64), (64, 128, 10), (64, 1000), (100, 1, 100), (100, 200, 100),
    (128, 256, 128, 1), (128, 128, 128, 128, 8), (200, 300, 3), (256, 256, 256), (300, 17, 300), (512, 64, 512),
    (784, 32, 10), (784, 128, 10), (784, 512, 512, 10),
)  # fmt: skip
NOISE = 0.97


@functools.cache
def _model(network):
    hidden = [falconet.layers.Dense(n, activation="relu") for n in network.sizes[1:-1]]
    model = falconet.Sequential(
        [falconet.Input((network.sizes[0],)), *hidden, falconet.layers.Dense(network.sizes[-1])]
    )
    model.set_weights(network.weights())
    return model


def _cell(network, others=()):
    x = network.data()[0]

    def ours():
        return functools.partial(falconet.Predictor(_model(network), batch_sizes=(network.batch,)), x)

    contenders = {OURS: ours, "numpy": lambda: functools.partial(networks.NumpyNetwork(network).predict, x)}
    for peer in others:
        contenders |= {
            name: lambda make=make: functools.partial(make(network), x) for name, make in peers.PREDICTORS[peer].items()
        }
    return Workload(f"serve {network.name}, batch {network.batch}", contenders, flops=network.forward_flops)


def grid(batches=BATCHES):
    """A workload for each cell."""
    found = []
    for widths in _WIDTHS:
        for batch in batches:
            name = "-".join(map(str, widths))
            found.append(_cell(networks.Network(name, widths, "relu", "linear", batch=batch)))
    return found


def _peer_cells(bench):
    others = [peer for peer in bench.peers if peer in ("onnxruntime", "litert", "openvino", "torch", "jax")]
    return [
        _cell(dataclasses.replace(network, output="linear", batch=batch, steps=1), others)
        for network in (networks.TABULAR, networks.MNIST)
        for batch in (1, 64)
    ]


def test_grid(workload, contender, measured):
    measured(workload, contender)


test_grid.workloads = lambda bench: grid((1, 256) if bench.is_quick else BATCHES)


@pytest.mark.parametrize("cell", grid(), ids=lambda cell: cell.name)
def test_no_cell_is_slower_than_numpy(cell, bench):
    if bench.is_quick:
        pytest.skip("quick contests are too short to judge by")
    assert bench.measure(cell, "numpy").ratio >= NOISE


def test_peers(workload, contender, measured):
    measured(workload, contender)


test_peers.workloads = _peer_cells


def widths():
    """Promise T4: for each width and batch, all threads against every smaller number."""
    most = falconet.num_threads()
    counts = sorted({1, most} | {n for n in (2, 4, 8, 16, 32) if n < most})
    found = []
    for width in (8, 16, 32, 64, 128, 256, 512, 1024):
        for batch in (1, 32, 128):
            network = networks.Network(f"{width}-{width}-{width}", (width,) * 3, "relu", "linear", batch=batch)
            x = network.data()[0]

            def make(threads, network=network, x=x):
                predictor = falconet.Predictor(_model(network), threads=threads, batch_sizes=(network.batch,))
                return functools.partial(predictor, x)

            contenders = {OURS: functools.partial(make, None)}
            contenders |= {f"threads={n}": functools.partial(make, n) for n in counts}
            found.append(Workload(f"width {width}, batch {batch}", contenders, flops=network.forward_flops))
    return found


@pytest.mark.parametrize("cell", widths(), ids=lambda cell: cell.name)
def test_no_number_of_threads_beats_the_default(cell, bench):
    """Where there are several cores: by no more than a twentieth, and the noise of a quiet machine."""
    if bench.is_quick:
        pytest.skip("quick contests are too short to judge by")
    ratios = {name: bench.measure(cell, name).ratio for name in cell.contenders}
    assert min(ratios.values()) >= NOISE / 1.05, ratios
