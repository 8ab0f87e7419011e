"""Predictions: NumPy in and out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from falconet.bench import networks, peers

_BATCHES = {networks.TABULAR: (1, 64), networks.MNIST: (1, 64)}


def _workloads(bench):
    return [
        peers.prediction(dataclasses.replace(network, batch=batch, steps=1), bench.peers)
        for network, batches in _BATCHES.items()
        for batch in batches
    ]


def test_predict(workload, contender, measured):
    measured(workload, contender)


test_predict.workloads = _workloads


@pytest.mark.parametrize("network", [networks.TABULAR, networks.MNIST], ids=lambda network: network.name)
def test_contenders_predict_the_same(network, bench):
    """To 1e-4: thousands of roundings of numbers near 1, whose errors mostly cancel."""
    x = network.data()[0][:3]
    wanted = networks.NumpyNetwork(network).predict(x.copy())
    for name, make in peers.predictors(network, bench.peers).items():
        found = np.asarray(make()(x))
        np.testing.assert_allclose(found.reshape(wanted.shape), wanted, atol=1e-4, err_msg=name)
