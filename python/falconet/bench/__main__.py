"""`python -m falconet.bench`: the short table for whoever just installed the package, in less than a minute."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import falconet
from falconet.bench import networks, peers, timing
from falconet.bench.timing import OURS, Budget, Workload

# torch.compile and a JAX program a step take longer to compile than the table may take.
_SLOW_TO_START = ("torch compile", "jax jit")


def _op(name: str, ours: Callable[..., Any], numpys: Callable[..., Any], *arrays: Any, flops: float = 0.0) -> Workload:
    contenders: dict[str, Callable[[], Callable[[], Any]]] = {
        OURS: lambda: partial(ours, *arrays),
        "numpy": lambda: partial(numpys, *arrays),
    }
    return Workload(name, contenders, flops=flops)


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def workloads(found: list[str]) -> list[Workload]:
    ops = falconet.ops

    def normal(*shape: int) -> np.ndarray:
        return np.random.default_rng(len(shape)).standard_normal(shape, dtype=np.float32)

    one = partial(dataclasses.replace, batch=1, steps=1)
    return [
        _op("add, 64 numbers", ops.add, np.add, normal(64), normal(64)),
        _op("exp, 1000 x 1000", ops.exp, np.exp, normal(1000, 1000)),
        _op("softmax, 128 x 1000", ops.softmax, _softmax, normal(128, 1000)),
        _op("matmul, 64 x 64 x 64", ops.matmul, np.matmul, normal(64, 64), normal(64, 64)),
        _op("matmul, 8 x 1024 x 1024", ops.matmul, np.matmul, normal(8, 1024), normal(1024, 1024)),
        _op("matmul, 1024 x 1024 x 1024", ops.matmul, np.matmul, normal(1024, 1024), normal(1024, 1024)),
        *(
            peers.training(network, found, leave_out=_SLOW_TO_START)
            for network in (networks.TINY, networks.TABULAR, networks.MNIST)
        ),
        *(peers.prediction(one(network), found) for network in (networks.TABULAR, networks.MNIST)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m falconet.bench", description=__doc__)
    parser.add_argument("--threads", type=int, help="threads for everybody; as many as Falconet takes by default")
    parser.add_argument("--json", metavar="FILE", help="write a line of JSON for each measurement")
    parser.add_argument("--peers", default=",".join(peers.installed()), help="beside NumPy; by default all installed")
    arguments = parser.parse_args()
    if arguments.threads:
        timing.limit_threads(arguments.threads)
    found = [name for name in arguments.peers.split(",") if name]
    report = timing.Report(arguments.json)
    told = timing.machine()
    print(f"Falconet {told['version']}, {told['cpu']}, {told['isa']}, {told['threads']} threads, float32")
    print("Medians of interleaved rounds; in brackets how many times our time it takes. -: a peer is ahead.\n")
    rows = workloads(found)
    width = max(len(row.name) for row in rows)
    for row in rows:
        measurements = timing.contest(row, Budget(seconds=2.0, most=31))
        report.add(measurements)
        print(timing.line(measurements, width), flush=True)


if __name__ == "__main__":
    main()
