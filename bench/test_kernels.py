"""Ops: products of all sizes, what is bound by memory, and every op whose cases have sizes for the bench.

Every contender gets arrays of its own kind, made before the clock runs, and makes its results anew, unless it works in
place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import falconet
from falconet import ops
from falconet.bench.peers import tensorflow_module, torch_module
from falconet.bench.timing import OURS, Workload

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from cases import all_ops  # noqa: E402
from cases.base import apply  # noqa: E402


@dataclass(frozen=True)
class Kernel:
    """The same function for every contender; torch, jax and tensorflow get their module first."""

    name: str
    inputs: Callable[[], list[Any]]
    ours: Callable[..., Any]
    numpy: Callable[..., Any]
    torch: Callable[..., Any] | None = None
    jax: Callable[..., Any] | None = None
    tensorflow: Callable[..., Any] | None = None
    flops: float = 0.0
    bytes: float = 0.0
    ceiling: str = ""

    def workload(self, peers):
        contenders = {OURS: self._ours, "numpy": lambda: partial(self.numpy, *self.inputs())}
        if self.torch and "torch" in peers:
            contenders["torch"] = self._torch
        if self.jax and "jax" in peers:
            contenders["jax"] = self._jax
        if self.tensorflow and "tensorflow" in peers:
            contenders["tensorflow"] = self._tensorflow
        return Workload(self.name, contenders, flops=self.flops, bytes=self.bytes, ceiling=self.ceiling)

    def _ours(self):
        return partial(self.ours, *(_convert(ops.convert_to_tensor, x) for x in self.inputs()))

    def _torch(self):
        torch = torch_module()
        call = partial(self.torch, torch, *(_convert(torch.from_numpy, x) for x in self.inputs()))

        def without_gradient():
            with torch.no_grad():
                return call()

        return without_gradient

    def _jax(self):
        import jax

        call = jax.jit(partial(self.jax, jax))
        arrays = [_convert(jax.numpy.asarray, x) for x in self.inputs()]
        return lambda: jax.block_until_ready(call(*arrays))

    def _tensorflow(self):
        tf = tensorflow_module()
        return partial(self.tensorflow, tf, *(_convert(tf.constant, x) for x in self.inputs()))


def _convert(function, x):
    return function(x) if isinstance(x, np.ndarray) else x


def _normal(*shape, key=0):
    return np.random.default_rng(key).standard_normal(shape, dtype=np.float32)


# Products.

_SQUARES = [16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048]
_SKINNY = [
    (1, 1024, 1024), (2, 1024, 1024), (4, 1024, 1024), (8, 1024, 1024), (16, 1024, 1024), (32, 784, 512),
    (128, 768, 3072), (128, 784, 512), (128, 512, 512), (128, 512, 10), (1024, 32, 64), (1024, 64, 64), (1024, 64, 1),
    (1024, 1024, 1), (64, 4096, 64), (1, 64, 64),
]  # fmt: skip


def _product(m, k, n):
    is_vector = m == 1 and k * n >= 1 << 20  # its matrix, read once, is all there is to do
    return Kernel(
        f"matmul {m} x {k} x {n}",
        lambda: [_normal(m, k), _normal(k, n, key=1)],
        ops.matmul,
        np.matmul,
        lambda torch, a, b: torch.matmul(a, b),
        lambda jax, a, b: a @ b,
        lambda tf, a, b: tf.linalg.matmul(a, b),
        flops=2.0 * m * k * n,
        bytes=4.0 * k * n,
        ceiling="read L3" if is_vector else "fma",
    )


def _products(bench):
    sizes = [(n, n, n) for n in _SQUARES] + _SKINNY
    return [_product(*size).workload(bench.peers) for size in sizes if not bench.is_quick or max(size) <= 512]


def test_product(workload, contender, measured):
    measured(workload, contender)


test_product.workloads = _products


# What is bound by memory.


def _softmax(x):
    e = x - x.max(-1, keepdims=True)
    np.exp(e, out=e)
    e /= e.sum(-1, keepdims=True)
    return e


def _layer_norm(x, gamma, beta):
    y = x - x.mean(-1, keepdims=True)
    y *= 1 / np.sqrt(np.mean(np.square(y), -1, keepdims=True) + 1e-3)
    y *= gamma
    y += beta
    return y


def _chain(x, y):
    t = x * 2.0
    t += y
    np.maximum(t, 0, out=t)
    t -= x
    return t


def _memory_bound(side):
    """Arrays of side * side numbers, and the share of a copy's bandwidth."""
    n, wide = side * side, partial(_normal, side, side)
    rows = np.random.default_rng(0).integers(0, side, side).astype(np.int64)
    traced_chain = falconet.jit(lambda x, y: ops.relu(x * 2.0 + y) - x)
    return [
        Kernel(
            f"relu(2 x + y) - x, {n} numbers",
            lambda: [wide(), wide(key=1)],
            traced_chain,
            _chain,
            lambda torch, x, y: torch.relu(x * 2.0 + y) - x,
            lambda jax, x, y: jax.nn.relu(x * 2.0 + y) - x,
            bytes=12.0 * n,
        ),
        Kernel(
            f"exp, {n} numbers", lambda: [wide()], ops.exp, np.exp, lambda torch, x: torch.exp(x),
            lambda jax, x: jax.numpy.exp(x), bytes=8.0 * n,
        ),
        Kernel(
            f"sum, {n} numbers", lambda: [wide()], ops.sum, np.sum, lambda torch, x: torch.sum(x),
            lambda jax, x: jax.numpy.sum(x), bytes=4.0 * n, ceiling="read",
        ),
        Kernel(
            f"sum of columns, {side} x {side}", lambda: [wide()], partial(ops.sum, axis=0), partial(np.sum, axis=0),
            lambda torch, x: torch.sum(x, 0), lambda jax, x: jax.numpy.sum(x, 0), bytes=4.0 * n, ceiling="read",
        ),
        Kernel(
            f"max of rows, {side} x {side}", lambda: [wide()], partial(ops.max, axis=1), partial(np.max, axis=1),
            lambda torch, x: torch.amax(x, 1), lambda jax, x: jax.numpy.max(x, 1), bytes=4.0 * n, ceiling="read",
        ),
        Kernel(
            f"softmax, {side} x {side}", lambda: [wide()], ops.softmax, _softmax,
            lambda torch, x: torch.softmax(x, -1), lambda jax, x: jax.nn.softmax(x), bytes=8.0 * n,
        ),
        Kernel(
            f"layer normalization, {side} x {side}",
            lambda: [wide(), _normal(side), _normal(side, key=1)],
            ops.layer_normalization,
            _layer_norm,
            lambda torch, x, g, b: torch.nn.functional.layer_norm(x, g.shape, g, b, 1e-3),
            bytes=8.0 * n,
        ),
        Kernel(
            f"transpose, {side} x {side}",
            lambda: [wide()],
            ops.transpose,
            lambda x: np.ascontiguousarray(x.T),
            lambda torch, x: x.T.contiguous(),
            lambda jax, x: x.T,
            bytes=8.0 * n,
        ),
        Kernel(
            f"gather of rows, {side} x {side}",
            lambda: [wide(), rows],
            lambda x, i: ops.take(x, i, axis=0),
            lambda x, i: x[i],
            lambda torch, x, i: torch.index_select(x, 0, i),
            lambda jax, x, i: x[i],
            bytes=8.0 * n,
        ),
    ]  # fmt: skip


def _memory(bench):
    found = []
    for side in (256,) if bench.is_quick else (256, 1024, 4096):
        # 4 MiB arrays lie in the last cache of most machines, 64 MiB arrays of few.
        place = {256: "", 1024: "L3", 4096: "DRAM"}[side]
        for kernel in _memory_bound(side):
            kind = kernel.ceiling or ("copy" if place == "DRAM" else "triad")
            workload = kernel.workload(bench.peers)
            found.append(_with_ceiling(workload, f"{kind} {place}" if place else ""))
    return found


def _with_ceiling(workload, ceiling):
    return Workload(workload.name, workload.contenders, bytes=workload.bytes, ceiling=ceiling)


def test_memory_bound(workload, contender, measured):
    measured(workload, contender)


test_memory_bound.workloads = _memory


# Small arrays: what a call costs.


def _eager(bench):
    small = [
        Kernel("add, 64 numbers", lambda: [_normal(64), _normal(64)], ops.add, np.add, lambda torch, a, b: a + b),
        Kernel("exp, 64 numbers", lambda: [_normal(64)], ops.exp, np.exp, lambda torch, a: torch.exp(a)),
        Kernel("sum, 64 numbers", lambda: [_normal(64)], ops.sum, np.sum, lambda torch, a: torch.sum(a)),
        Kernel("softmax, 8 x 10", lambda: [_normal(8, 10)], ops.softmax, _softmax,
               lambda torch, a: torch.softmax(a, 1)),
        Kernel("reshape, 8 x 8", lambda: [_normal(8, 8)], lambda a: ops.reshape(a, (4, 16)), lambda a: a.reshape(4, 16),
               lambda torch, a: a.reshape(4, 16)),
        Kernel("add of NumPy arrays, 64 numbers", lambda: [], partial(ops.add, _normal(64), _normal(64)),
               partial(np.add, _normal(64), _normal(64))),
    ]  # fmt: skip
    return [kernel.workload(bench.peers) for kernel in small]


def test_eager_call(workload, contender, measured):
    measured(workload, contender)


test_eager_call.workloads = _eager


# Every op whose cases name sizes for the bench, against the reference of its tests.


def _cases(bench):
    found = []
    for row in all_ops():
        if row.internal:
            continue
        for case in row.bench[:1] if bench.is_quick else row.bench:
            shapes = ", ".join(str(np.shape(x)) for x in case.inputs)
            attributes = "".join(f", {name}={value}" for name, value in case.attrs.items() if np.ndim(value) == 0)
            name = f"{row.name}: {shapes}{attributes}"
            contenders = {
                OURS: partial(_of_case, getattr(falconet.ops, row.name), row.name, case, ops.convert_to_tensor),
                "numpy": partial(_of_reference, row.reference, case),
            }
            found.append(Workload(name, contenders, flops=row.flops(*case.inputs, **case.attrs)))
    return found


def _of_case(op, name, case, convert):
    inputs = [_convert(convert, x) for x in case.inputs]
    attributes = {key: _convert(convert, x) for key, x in case.attrs.items()}
    return lambda: apply(name, op, inputs, attributes)


def _of_reference(reference, case):
    """Its result laid out anew, as ours is, where it is a view of an input."""
    call = partial(reference, *case.inputs, **case.attrs)
    result, arrays = call(), [x for x in case.inputs if isinstance(x, np.ndarray)]
    if isinstance(result, np.ndarray) and any(np.may_share_memory(result, x) for x in arrays):
        return lambda: np.array(call(), order="C")
    return call


def test_case(workload, contender, measured):
    measured(workload, contender)


test_case.workloads = _cases
