"""Results do not depend on the number of threads, and on the instruction set within the ops' tolerances."""

from __future__ import annotations

import numpy as np
import pytest
from ops_support import SMALLEST, all_ops, check_close, parameters, reference_of, results, run

import falconet
from falconet import _core


@pytest.fixture
def threads():
    before = _core.num_threads()
    yield _core.set_num_threads
    _core.set_num_threads(before)


@pytest.fixture
def isa():
    before = _core.isa()
    yield _core.use_isa
    _core.use_isa(before)


# Large enough that several threads take part; above a few million elements only time would be spent.
_LARGE = [
    pytest.param(row, case, id=f"{row.name}-{i}")
    for row in all_ops()
    for i, case in enumerate(row.bench)
    if 50_000 < sum(np.size(x) for x in case.inputs) <= 3_000_000
]


@pytest.mark.parametrize(("row", "case"), _LARGE)
def test_threads_do_not_change_a_bit(row, case, threads):
    found = []
    for count in (1, 2, 7):
        threads(count)
        found.append([y.tobytes() for y in run(row, case)])
    assert found[0] == found[1] == found[2]


_ISAS = [name for name in _core.available_isas() if name != _core.isa()]


@pytest.mark.parametrize("name", _ISAS)
@pytest.mark.parametrize(("row", "case"), parameters())
def test_every_isa(row, case, name, isa):
    wanted, bound = reference_of(row, case)
    with np.errstate(over="ignore"):
        wanted = [w.astype("float32") if w.dtype == np.float64 else w for w in wanted]
    isa(name)
    for g, w, b in zip(results(run(row, case)), wanted, bound, strict=True):
        # The reference was rounded here, to become infinite where float32 does.
        rounding = np.abs(np.nan_to_num(w.astype("float64"), posinf=0, neginf=0)) * 2.0**-24
        check_close(g, w, b + rounding, f"[{row.name}] {name} {case.note}", SMALLEST["float32"])


@pytest.mark.parametrize("name", _ISAS)
def test_threads_do_not_change_a_bit_on_other_isas(name, isa, threads):
    isa(name)
    x = np.random.default_rng(0).normal(size=(500, 700)).astype("float32")
    found = []
    for count in (1, 2, 7):
        threads(count)
        y = _core.ops.softmax(_core.ops.matmul(x, x.T), axis=-1)
        found.append(np.asarray(_core.ops.sum(y)).tobytes() + np.asarray(y).tobytes())
    assert found[0] == found[1] == found[2]


def test_two_outputs_of_equal_elements_are_both_written():
    def both(x):
        y = falconet.ops.add(x, 1.0)
        return y, falconet.ops.broadcast_to(y, (1, 1, 3))

    first, second = falconet.jit(both)(np.array([[1, 2, 3]], "float32"))
    np.testing.assert_array_equal(np.asarray(first), [[2, 3, 4]])
    np.testing.assert_array_equal(np.asarray(second), [[[2, 3, 4]]])


def test_an_input_that_a_concatenation_has_twice_is_in_both_places():
    def twice(x):
        total = falconet.ops.sum(x, axis=0)
        return falconet.ops.concatenate([total, x[0], falconet.ops.sum(x, axis=0)]) + 1.0

    x = np.array([[1, 2], [3, 4]], "float32")
    for _ in range(3):
        found = falconet.jit(twice)(x)
        np.testing.assert_array_equal(np.asarray(found), [5, 7, 2, 3, 5, 7])
        np.asarray(falconet.jit(lambda x: x * 1e30)(np.ones(64, "float32")))  # leaves other numbers in memory
