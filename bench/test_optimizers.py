"""Optimizers: a step over a flat array of parameters, beside PyTorch's foreach and fused ones.

Bytes are those of one pass: the gradient read, the parameters and each slot of their size read and written. What takes
more passes, for a norm over all of the update (Lamb, Adafactor), shows as a smaller share. Muon's steps are products of
matrices, and not here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

import falconet
from falconet import optimizers
from falconet.bench import networks
from falconet.bench.peers import torch_module
from falconet.bench.timing import OURS, Workload


@dataclass(frozen=True)
class Rule:
    """An optimizer here and, where PyTorch has it, there; `slots`: arrays of the parameters' size that it keeps."""

    name: str
    slots: int
    ours: Callable[[], Any]
    torch: str = ""
    torch_options: dict[str, Any] = field(default_factory=dict)
    has_fused: bool = False

    def workload(self, peers, n, ceiling):
        contenders = {OURS: partial(_ours, self.ours, n)}
        if self.name == "Adam":
            contenders["numpy"] = partial(_numpy_adam, n)
        if self.torch and "torch" in peers:
            contenders["torch foreach"] = partial(_torch, self, n, foreach=True)
            if self.has_fused:
                contenders["torch fused"] = partial(_torch, self, n, fused=True)
        return Workload(
            f"{self.name}, {n} parameters", contenders, bytes=4.0 * n * (3 + 2 * self.slots), ceiling=ceiling
        )


RULES = [
    Rule("SGD", 0, partial(optimizers.SGD, 1e-3), "SGD", has_fused=True),
    Rule("SGD, momentum", 1, partial(optimizers.SGD, 1e-3, 0.9), "SGD", {"momentum": 0.9}, has_fused=True),
    Rule("Adam", 2, partial(optimizers.Adam, 1e-3), "Adam", has_fused=True),
    Rule("AdamW", 2, partial(optimizers.AdamW, 1e-3), "AdamW", has_fused=True),
    Rule("Adam, amsgrad", 3, partial(optimizers.Adam, 1e-3, amsgrad=True), "Adam", {"amsgrad": True}, has_fused=True),
    Rule("Adamax", 2, partial(optimizers.Adamax, 1e-3), "Adamax"),
    Rule("Nadam", 2, partial(optimizers.Nadam, 1e-3), "NAdam"),
    Rule("RMSprop", 1, partial(optimizers.RMSprop, 1e-3), "RMSprop"),
    Rule("Adagrad", 1, partial(optimizers.Adagrad, 1e-3), "Adagrad", has_fused=True),
    Rule("Adadelta", 2, partial(optimizers.Adadelta, 1e-3), "Adadelta"),
    Rule("Ftrl", 2, partial(optimizers.Ftrl, 1e-3)),
    Rule("Lion", 1, partial(optimizers.Lion, 1e-3)),
    Rule("Lamb", 2, partial(optimizers.Lamb, 1e-3)),
    Rule("Adafactor", 1, partial(optimizers.Adafactor, 1e-3), "Adafactor"),
]


def _gradient(n):
    return np.random.default_rng(0).standard_normal(n, dtype=np.float32)


def _ours(make, n):
    variable, optimizer = falconet.Variable(np.zeros(n, "float32")), make()
    optimizer.build([variable])
    step = falconet.jit(lambda gradient: optimizer.apply([gradient], [variable]))
    return partial(step, falconet.ops.convert_to_tensor(_gradient(n)))


def _numpy_adam(n):
    network = networks.Network("one layer", (n - 1, 1), "relu", "linear")
    return partial(networks.NumpyNetwork(network).adam, _gradient(n))


def _torch(rule, n, **kind):
    torch = torch_module()
    weight = torch.zeros(n, requires_grad=True)
    weight.grad = torch.from_numpy(_gradient(n))
    return getattr(torch.optim, rule.torch)([weight], lr=1e-3, **rule.torch_options, **kind).step


def _rules(bench):
    sizes = {100_000: ""} if bench.is_quick else {10_000_000: "copy DRAM"}
    found = [rule.workload(bench.peers, n, ceiling) for n, ceiling in sizes.items() for rule in RULES]
    # In the caches arithmetic counts as well.
    adam = next(rule for rule in RULES if rule.name == "Adam")
    if not bench.is_quick:
        found += [adam.workload(bench.peers, n, ceiling) for n, ceiling in {65_536: "", 1_048_576: "triad L3"}.items()]
    return found


def test_step(workload, contender, measured):
    measured(workload, contender)


test_step.workloads = _rules
