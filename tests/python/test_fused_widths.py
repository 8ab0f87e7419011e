"""Fused chains whose values have lanes of different widths: a mask or an int32 must not share memory with a float64."""

import numpy as np
import pytest

import falconet
from falconet import ops

SIZES = [1, 7, 8, 9, 31, 1000, 5000]


def _x(n, kind):
    x = np.random.default_rng(n).standard_normal(n).astype(kind)
    x[:: max(1, n // 3)] = np.nan
    return x


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", ["float32", "float64", "float16"])
def test_choices_by_masks_made_in_the_same_chain(n, kind):
    x = _x(n, kind)

    def chain(x):
        inner = ops.where(ops.less(x, 0), ops.cast(0, kind), ops.cast(2, kind))
        return ops.where(ops.isnan(x), ops.cast(5, kind), ops.where(ops.greater(x, 1), x, inner))

    wanted = np.where(np.isnan(x), 5, np.where(x > 1, x, np.where(x < 0, 0, 2))).astype(kind)
    np.testing.assert_array_equal(falconet.jit(chain)(x), wanted)


@pytest.mark.parametrize("n", SIZES)
def test_casts_between_widths_in_one_chain(n):
    x = np.random.default_rng(n).integers(-1000, 1000, n).astype("int32")

    def chain(x):
        wide = ops.cast(x * 3, "float64") + 0.5
        narrow = ops.cast(wide * 2, "int32") + x
        return ops.cast(narrow, "float64") * wide, ops.cast(ops.cast(narrow, "int64") * 7, "int32")

    first, second = falconet.jit(chain)(x)
    wide = x * 3 + 0.5
    narrow = (wide * 2).astype("int32") + x
    np.testing.assert_array_equal(first, narrow * wide)
    np.testing.assert_array_equal(second, narrow * 7)


@pytest.mark.parametrize("kind", ["bool", "int8", "uint32", "int64"])
def test_fmin_and_fmax_of_what_cannot_be_nan(kind):
    a = np.array([0, 1, 0, 1, 5, 7], kind)
    b = np.array([0, 0, 1, 1, 9, 3], kind)
    for ours, theirs in ((ops.fmin, np.fmin), (ops.fmax, np.fmax)):
        got = np.asarray(ours(a, b))
        assert got.dtype == kind
        np.testing.assert_array_equal(got, theirs(a, b))


@pytest.mark.parametrize("kind", ["int32", "bool", "float16", "float64"])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 2)])
def test_variance_of_every_kind(kind, axis):
    x = (np.random.default_rng(3).standard_normal((4, 33, 5)) * 4).astype(kind)
    got = np.asarray(ops.var(x, axis=axis))
    assert got.dtype == (kind if kind.startswith("float") else "float32")
    tolerance = {"float16": 1e-3, "float64": 1e-13}.get(kind, 1e-6)
    np.testing.assert_allclose(got, np.var(x.astype("float64"), axis=axis), rtol=tolerance)
