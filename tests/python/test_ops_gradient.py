"""Gradients in float64 against central differences of the float64 reference.

With step h the difference quotient is off by h^2 f''' / 6 from truncation and by about eps |f| / h from rounding: with
h = 1e-5 and functions of moderate size, less than 1e-8 of the largest term altogether.
"""

from __future__ import annotations

import numpy as np
import pytest
from ops_support import all_ops, apply, is_float, op_of, parameters, wide

import falconet

STEP = 1e-5
MOST_ELEMENTS = 130


def _weights(shape, which):
    return np.cos(np.arange(np.prod(shape), dtype="float64") * 1.7 + which).reshape(shape)


def _weighted(results):
    """A scalar of all results in which every element counts differently."""
    parts = results if isinstance(results, (tuple, list)) else [results]
    return sum(np.sum(np.asarray(y) * _weights(np.shape(y), i)) for i, y in enumerate(parts))


def _weighted_ops(results):
    parts = results if isinstance(results, (tuple, list)) else [results]
    total = 0.0
    for i, y in enumerate(parts):
        if "float" in y.dtype:
            total = total + falconet.ops.sum(y * _weights(tuple(y.shape), i))
    return total


def _split(case):
    """The float inputs in float64, and a function that puts others in their places."""
    floats = [wide(x) for x in case.inputs if is_float(x)]

    def fill(xs):
        rest = iter(xs)
        return [next(rest) if is_float(x) else x for x in case.inputs]

    return floats, fill, {name: wide(value) for name, value in case.attrs.items()}


def _differences(f, xs):
    found = []
    for i, x in enumerate(xs):
        g = np.zeros(x.shape)
        for at in np.ndindex(x.shape):
            moved = [v.copy() for v in xs]
            moved[i][at] = x[at] + STEP
            above = f(*moved)
            moved[i][at] = x[at] - STEP
            g[at] = (above - f(*moved)) / (2 * STEP)
        found.append(g)
    return found


def _testable(row, case):
    floats = [x for x in case.inputs if is_float(x)]
    return row.gradient is True and case.smooth and floats and all(0 < x.size <= MOST_ELEMENTS for x in floats)


CASES = [p for p in parameters(lambda row: row.gradient is True) if _testable(*p.values)]


@pytest.mark.parametrize(("row", "case"), CASES)
def test_gradient(row, case):
    floats, fill, attrs = _split(case)
    wanted = _differences(lambda *xs: _weighted(row.reference(*fill(xs), **attrs)), floats)
    got = falconet.tracing.grad(
        lambda *xs: _weighted_ops(apply(row.name, op_of(row), fill(xs), attrs)), argnums=tuple(range(len(floats)))
    )(*floats)
    size = 1 + max(np.max(np.abs(w)) for w in wanted)
    for i, (g, w) in enumerate(zip(got, wanted, strict=True)):
        assert g.dtype == "float64"
        np.testing.assert_allclose(np.asarray(g), w, rtol=1e-6, atol=1e-7 * size, err_msg=f"[{row.name}] input {i}")


# One of each kind of rule: twice differentiable ones whose second derivative is not 0.
SECOND = """exp log sin tanh sigmoid softplus erf power divide multiply sqrt square softmax log_softmax logsumexp matmul
 mean var layer_normalization silu gelu logaddexp prod cumsum einsum take norm binary_crossentropy"""


@pytest.mark.parametrize("name", SECOND.split())
def test_second_derivative(name):
    row, case = next(
        (r, c) for r in all_ops() if r.name == name for c in r.cases if _testable(r, c) and c.inputs[0].size <= 60
    )
    floats, fill, attrs = _split(case)
    x, others = floats[0], floats[1:]

    def gradient(x):
        first = falconet.tracing.grad(lambda x: _weighted_ops(apply(row.name, op_of(row), fill([x, *others]), attrs)))(
            x
        )
        return falconet.ops.sum(first * _weights(x.shape, 3))

    def reference(x):
        return np.sum(
            _differences(lambda x: _weighted(row.reference(*fill([x, *others]), **attrs)), [x])[0]
            * _weights(x.shape, 3)
        )

    got = np.asarray(falconet.tracing.grad(gradient)(x))
    # Differences of the framework's own first derivative, which the other test compares with the reference.
    wanted = _differences(lambda x: float(gradient(x)), [x])[0]
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-7 * (1 + np.max(np.abs(wanted))))
    assert np.isfinite(reference(x))


def test_digamma_says_that_it_has_no_gradient():
    with pytest.raises(ValueError, match=r"\[digamma\] has no gradient: the trigamma function is not offered"):
        falconet.grad(lambda x: falconet.ops.sum(falconet._core.ops.digamma(x)))(np.ones(3, "float32"))


def test_no_gradient_through_stop_gradient():
    g = falconet.tracing.grad(lambda x: falconet.ops.sum(falconet.ops.stop_gradient(x) * x))(np.float32([2, 3]))
    np.testing.assert_array_equal(np.asarray(g), np.float32([2, 3]))


@pytest.mark.parametrize("row", [pytest.param(r, id=r.name) for r in all_ops() if r.gradient is not True])
def test_reason_is_given_where_none_flows(row):
    assert isinstance(row.gradient, str) and len(row.gradient) > 5


@pytest.mark.parametrize(
    ("name", "at", "wanted"),
    [
        ("elu", 200.0, 1.0), ("celu", 200.0, 1.0), ("selu", 200.0, 1.0507009873554805), ("softplus", 200.0, 1.0),
        ("log_sigmoid", -200.0, 1.0), ("sinc", 0.0, 0.0), ("silu", -200.0, 0.0), ("gelu", -50.0, 0.0),
        ("gelu", 50.0, 1.0),
        ("sigmoid", -200.0, 0.0), ("tanh", 200.0, 0.0),
    ],
)  # fmt: skip
def test_gradient_stays_finite_far_out(name, at, wanted):
    g = falconet.tracing.grad(lambda x: falconet.ops.sum(getattr(falconet.ops, name)(x)))(np.float32([at]))
    np.testing.assert_allclose(np.asarray(g), [wanted], atol=1e-6)


@pytest.mark.parametrize("x", [0.0, 3.0, np.inf, -np.inf])
def test_gradient_of_logaddexp_at_equal_arguments_is_shared(x):
    a, b = falconet.tracing.grad(lambda a, b: falconet.ops.sum(falconet.ops.logaddexp(a, b)), argnums=(0, 1))(
        np.float32([x]), np.float32([x])
    )
    if np.isfinite(x):
        np.testing.assert_allclose([np.asarray(a)[0], np.asarray(b)[0]], [0.5, 0.5], rtol=1e-6)
    assert np.isfinite(np.asarray(a)).all() and np.isfinite(np.asarray(b)).all()


@pytest.mark.parametrize("label", [0.0, 0.3, 1.0])
def test_gradient_of_binary_crossentropy_at_logit_zero(label):
    g = falconet.tracing.grad(
        lambda z: falconet.ops.sum(falconet.ops.binary_crossentropy(np.float32([label]), z, from_logits=True))
    )(np.float32([0.0]))
    np.testing.assert_allclose(np.asarray(g), [0.5 - label], atol=1e-6)


@pytest.mark.parametrize(
    "read",
    [lambda v: v.value, falconet.ops.convert_to_tensor, lambda v: falconet.ops.cast(v, "float64")],
    ids=["value", "convert_to_tensor", "cast"],
)
def test_a_variable_is_watched_however_it_is_read(read):
    v = falconet.Variable(np.array([1.0, 2.0], "float32"))
    with falconet.GradientTape() as tape:
        y = falconet.ops.sum(falconet.ops.square(read(v)))
    np.testing.assert_array_equal(tape.gradient(y, v), [2.0, 4.0])
