"""Dtypes of results: Keras's, from golden/ops_dtypes.json; KerasTensors: the shapes and dtypes that arrays give."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ops_support import CALLS, DTYPES, MAKERS, TESTS

import falconet

GOLDEN = json.loads((TESTS / "golden" / "ops_dtypes.json").read_text())["rows"]
ROWS = [*CALLS, *MAKERS]
WIDER = {"int64": "int32", "float64": "float32"}

# Where another result than Keras's is meant.
DIFFERENT = {
    "layer_normalization": "of integers: a float, where Keras rounds the result back to integers",
    "rms_normalization": "of integers: a float, where Keras rounds the result back to integers",
    "sparse_categorical_crossentropy": "the output's dtype, as Keras's own output spec says",
    "fold": "of bool: sums of bool are counts",
}


class Arrays:
    """x(2, 3): an array in the dtype under test, with values 1, 2, 3, 4, 1, ..."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __call__(self, *shape):
        return self.like(self.dtype, *shape)

    def like(self, dtype, *shape):
        values = (np.arange(np.prod(shape)) % 4 + 1).reshape(shape).astype("float32")
        return falconet.ops.cast(values, dtype)


class Symbols(Arrays):
    """x(2, 3): a KerasTensor."""

    def like(self, dtype, *shape):
        return falconet.KerasTensor(shape, dtype)


def flat(result):
    return [leaf for part in result for leaf in flat(part)] if isinstance(result, (list, tuple)) else [result]


def _call(index, dtype, maker=Arrays):
    row = ROWS[index]
    return flat(row[1](falconet.ops, maker(dtype)) if index < len(CALLS) else row[1](falconet.ops, dtype))


def test_golden_is_of_these_calls():
    assert [name for name, _ in GOLDEN] == [name for name, _ in ROWS], "run tests/golden/make_golden_ops.py"


_NAMED = [pytest.param(i, id=f"{row[0]}-{i}") for i, row in enumerate(ROWS)]


@pytest.mark.parametrize("index", _NAMED)
def test_dtypes_are_those_of_keras(index):
    name, wanted = GOLDEN[index]
    if name in DIFFERENT:
        pytest.skip(DIFFERENT[name])
    wrong = {}
    for dtype, keras in wanted.items():
        if keras is None:
            continue
        try:
            found = [y.dtype for y in _call(index, dtype) if hasattr(y, "dtype")]
        except TypeError as refusal:
            # Arithmetic on bool is refused with a message, where Keras computes with one bit.
            assert dtype == "bool" and ("bool" in str(refusal)), f"[{name}] {dtype}: {refusal}"
            continue
        if found != keras:
            wrong[dtype] = f"{found}, in Keras {keras}"
    assert not wrong, f"[{name}] {wrong}"


# Results that follow the 64-bit input where Keras, limited to 32 bits, cannot show it.
def _widened(dtype, wanted32, wanted_others):
    """What a 64-bit input should give: where the result's dtype follows the input's, the wider one."""
    narrow = WIDER[dtype]
    follows = {"int32": "int16", "float32": "float16"}[narrow]
    return [
        dtype if w == narrow and o in (follows, "uint32", "float16") else w
        for w, o in zip(wanted32, wanted_others, strict=True)
    ]


@pytest.mark.parametrize("dtype", ["float64"])
@pytest.mark.parametrize("index", _NAMED)
def test_float64_stays_float64(index, dtype):
    name, wanted = GOLDEN[index]
    if wanted.get("float32") is None or wanted.get("float16") is None or name in ("cast", "cumsum", *DIFFERENT):
        pytest.skip("Keras has no answer, or a dtype is part of the call")
    found = [y.dtype for y in _call(index, dtype) if hasattr(y, "dtype")]
    assert found == _widened(dtype, wanted["float32"], wanted["float16"]), f"[{name}] {found}"


# Their result depends on values: how many there are of something.
VALUES = ("nonzero", "unique", "bincount", "where", "repeat", "histogram")
LOOPS = ("map", "vectorized_map", "associative_scan", "fori_loop", "cond", "switch", "scan", "while_loop", "vectorize")


@pytest.mark.parametrize("index", [p for p in _NAMED if p.values[0] < len(CALLS)])
def test_symbolic_shapes_are_those_of_arrays(index):
    name = ROWS[index][0]
    try:
        wanted = _call(index, "float32")
    except TypeError:
        pytest.skip("it takes integers; the call with int32 is tested below")
    _same_specs(index, "float32", wanted, name)


@pytest.mark.parametrize(
    "index", [p for p in _NAMED if ROWS[p.values[0]][0].startswith(("bitwise", "left", "right", "gcd"))]
)
def test_symbolic_shapes_of_integer_ops(index):
    _same_specs(index, "int32", _call(index, "int32"), ROWS[index][0])


def _same_specs(index, dtype, wanted, name):
    if name in LOOPS:
        pytest.skip("control flow takes functions; its symbolic form is tested with it")
    if name in VALUES:
        try:
            found = _call(index, dtype, Symbols)
        except (TypeError, ValueError):
            return  # refused, as it must be where the shape depends on values
    else:
        found = _call(index, dtype, Symbols)
    assert [(tuple(y.shape), y.dtype) for y in found] == [(tuple(y.shape), y.dtype) for y in wanted], name


class Batches(Arrays):
    """x(2, 3): a KerasTensor whose first size is unknown, where it has several."""

    def like(self, dtype, *shape):
        return falconet.KerasTensor((None, *shape[1:]) if len(shape) > 1 else shape, dtype)


BATCHED = """relu exp softmax layer_normalization clip sum mean gelu log_softmax glu stack pad flip var sort top_k
 moments one_hot categorical_crossentropy tile split dot_product_attention median normalize cumsum""".split()
_BATCHED_ROWS = [p for p in _NAMED if p.values[0] < len(CALLS) and ROWS[p.values[0]][0] in BATCHED]


@pytest.mark.parametrize("index", _BATCHED_ROWS)
def test_unknown_sizes_stay_unknown(index):
    """Where the batch size is not known, what depends on it is None and the rest is what arrays give."""
    name = ROWS[index][0]
    wanted = _call(index, "float32")
    for y, w in zip(_call(index, "float32", Batches), wanted, strict=True):
        assert len(y.shape) == len(w.shape)
        assert all(n is None or n == m for n, m in zip(y.shape, w.shape, strict=True)), (name, y.shape, w.shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("scalar", "kind"), [(2, "int"), (2.5, "float")])
def test_python_numbers_are_weak(dtype, scalar, kind):
    y = falconet.ops.multiply(falconet.ops.cast(np.ones(3), dtype), scalar)
    if "float" in dtype:
        assert y.dtype == dtype
    elif kind == "float":
        assert y.dtype == "float32"
    else:
        assert y.dtype == ("int32" if dtype == "bool" else dtype)
