"""Every op that NumPy has under the same name, on arrays of 100, 10,000 and 1,000,000 numbers."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np

from falconet import ops
from falconet.bench.timing import OURS, Workload

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from cases.base import apply  # noqa: E402

_SIZES = (100, 10_000, 1_000_000)
# Arguments in which all is finite, by the range they are drawn from; those that are not named take any number.
_RANGES = {
    (0.1, 3.0): "sqrt log log2 log10 log1p power",
    (1.0, 4.0): "arccosh",
    (-0.99, 0.99): "arcsin arccos arctanh",
}
_ONE = (
    "abs negative sign square sqrt reciprocal cbrt floor ceil exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin"
    " arccos arctan sinh cosh tanh arcsinh arccosh arctanh isnan isinf isfinite signbit logical_not trunc round sinc"
    " deg2rad nan_to_num angle i0 sum mean max min prod any all argmax argmin std var ptp median cumsum cumprod sort"
    " argsort count_nonzero nansum nanmax diff nonzero"
).split()
_TWO = (
    "add subtract multiply divide floor_divide mod fmod power minimum maximum fmin fmax arctan2 hypot nextafter equal"
    " less logical_and isclose logaddexp logaddexp2 heaviside dot inner vdot"
).split()
_ALONG = "sum mean max argmax var median cumsum sort argsort flip diff".split()


def _draw(name, *shape):
    low, high = next((r for r, names in _RANGES.items() if name in names.split()), (-3.0, 3.0))
    return np.random.default_rng(len(name)).uniform(low, high, shape).astype(np.float32)


def _workload(name, inputs, label, attributes=None):
    attributes = attributes or {}

    def ours():
        tensors = [ops.convert_to_tensor(x) for x in inputs]
        return lambda: apply(name, getattr(ops, name), tensors, attributes)

    def numpy():
        call = partial(getattr(np, name), *inputs, **attributes)
        is_view = isinstance(result := call(), np.ndarray) and np.may_share_memory(result, inputs[0])
        return (lambda: np.array(call(), order="C")) if is_view else call

    return Workload(f"{name}, {label}", {OURS: ours, "numpy": numpy})


def _names(bench):
    found = []
    for n in _SIZES[:1] if bench.is_quick else _SIZES:
        found += [_workload(name, [_draw(name, n)], f"{n} numbers") for name in _ONE]
        found += [_workload(name, [_draw(name, n), _draw(name, n)], f"{n} numbers twice") for name in _TWO]
        side = int(n**0.5)
        for name in _ALONG:
            x = _draw(name, side, side)
            found += [_workload(name, [x], f"{side} x {side}, axis {a}", {"axis": a}) for a in (0, 1)]
    return found


def test_name(workload, contender, measured):
    measured(workload, contender)


test_name.workloads = _names
