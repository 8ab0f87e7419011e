"""Loops, branches and functions of functions: at once, in compiled functions, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest

import falconet
from falconet import ops
from falconet.tracing import Program, grad, jit

X = np.float32([[1, 2, 3], [4, 5, 6]])


def both(f, *xs):
    """f's results at once and compiled, which must agree; as arrays."""
    eager, compiled = f(*[ops.convert_to_tensor(x) for x in xs]), falconet.tracing.jit(f)(*xs)
    a, b = falconet.tree.flatten(eager), falconet.tree.flatten(compiled)
    assert len(a) == len(b)
    for u, v in zip(a, b, strict=True):
        np.testing.assert_array_equal(np.asarray(u), np.asarray(v))
    return [np.asarray(u) for u in a]


@pytest.mark.parametrize("value", [True, False])
def test_cond(value):
    def f(x, flag):
        return ops.cond(flag, lambda: x * 2, lambda: x - 1)

    np.testing.assert_array_equal(both(f, X, np.array(value))[0], X * 2 if value else X - 1)


@pytest.mark.parametrize(("value", "slope"), [(True, 2.0), (False, 3.0)])
def test_gradient_of_cond_is_of_the_branch_taken(value, slope):
    g = falconet.tracing.grad(lambda x: ops.cond(np.array(value), lambda: ops.sum(x * 2), lambda: ops.sum(x * 3)))(X)
    np.testing.assert_array_equal(np.asarray(g), np.full_like(X, slope))


@pytest.mark.parametrize("index", [-1, 0, 1, 2, 9])
def test_switch_holds_the_index_within_the_branches(index):
    def f(i, x):
        return ops.switch(i, [lambda x: x, lambda x: x * 10, lambda x: x * 100], x)

    np.testing.assert_array_equal(both(f, np.int32(index), X)[0], X * 10 ** np.clip(index, 0, 2))


def test_while_loop():
    def f(x):
        return ops.while_loop(lambda i, v: ops.less(i, 5), lambda i, v: (i + 1, v * 2), (0, x))

    i, v = both(f, X)
    assert i == 5
    np.testing.assert_array_equal(v, X * 32)


def test_while_loop_that_depends_on_values():
    """Halving until it is at most 1: 3, 2, 1 steps."""

    def f(x):
        return ops.while_loop(lambda n, v: ops.any(v > 1), lambda n, v: (n + 1, ops.where(v > 1, v / 2, v)), (0, x))

    n, v = both(f, np.float32([8, 4, 2, 0.5]))
    assert n == 3
    np.testing.assert_array_equal(v, [1, 1, 1, 0.5])


def test_while_loop_stops_at_the_maximum():
    n = both(lambda x: ops.while_loop(lambda n, x: True, lambda n, x: (n + 1, x), (0, x), maximum_iterations=7)[0], X)[
        0
    ]
    assert n == 7


def test_while_loop_of_no_steps():
    np.testing.assert_array_equal(
        both(lambda x: ops.while_loop(lambda v: ops.any(v > 99), lambda v: v + 1, (x,))[0], X)[0], X
    )


def _halve_while_above(limit, scale, maximum):
    """Halves and scales x while any element is above the limit; the step's number goes along as an integer."""

    def f(x):
        return ops.while_loop(
            lambda n, v: ops.any(v > limit),
            lambda n, v: (n + 1, v * scale + ops.cast(n, v.dtype)),
            (0, x),
            maximum_iterations=maximum,
        )[1]

    return f


@pytest.mark.parametrize(
    ("limit", "maximum"), [(1.0, 20), (1.0, 2), (99.0, 5), (1.0, 1)], ids=["ends", "cut", "none", "one"]
)
def test_gradient_of_while_loop_in_a_trace_is_that_of_its_steps(limit, maximum):
    x = X.astype("float64")
    f = _halve_while_above(limit, 0.25, maximum)
    both(f, x)
    at_once = grad(lambda x: ops.sum(f(x) ** 2))(ops.convert_to_tensor(x))
    compiled = jit(grad(lambda x: ops.sum(f(x) ** 2)))(x)
    np.testing.assert_array_equal(np.asarray(compiled), np.asarray(at_once))
    h = 1e-6
    moved = [float(ops.sum(f(x + d * (X == 5)) ** 2)) for d in (h, -h)]
    # The difference of two sums below 1000, each rounded to 2^-53 of it, over 2 h.
    np.testing.assert_allclose(np.asarray(compiled)[1, 1], (moved[0] - moved[1]) / (2 * h), rtol=1e-7, atol=1e-7)


def test_gradient_of_while_loop_reaches_what_its_functions_read():
    """v <- v w three times, from 2: d/dw = 6 w^2. The bound is read by the condition and has no gradient."""

    def f(w, bound):
        start = ops.convert_to_tensor(np.array(2.0))
        return ops.while_loop(lambda v: v < bound, lambda v: v * w, (start,), maximum_iterations=8)[0]

    w, bound = np.array(3.0), np.array(20.0)
    dw, dbound = jit(lambda w, bound: grad(f, argnums=(0, 1))(w, bound))(w, bound)
    assert (float(dw), float(dbound)) == (6 * 3.0**2, 0.0)


def test_second_gradient_of_while_loop():
    def f(x):
        return ops.while_loop(lambda n, v: n < 3, lambda n, v: (n + 1, v * v), (0, x), maximum_iterations=5)[1]

    x = np.array([1.0, 1.1, 0.5])
    twice = jit(grad(lambda x: ops.sum(grad(lambda y: ops.sum(f(y)))(x))))(x)
    np.testing.assert_allclose(np.asarray(twice), 56 * x**6, rtol=1e-13)


def test_steps_that_a_loop_did_not_make_cannot_spoil_its_gradient():
    """The third step would divide by 0."""

    def f(x):
        return ops.while_loop(
            lambda n, v: n < 2, lambda n, v: (n + 1, v / ops.cast(2 - n, v.dtype)), (0, x), maximum_iterations=4
        )[1]

    np.testing.assert_array_equal(np.asarray(jit(grad(lambda x: ops.sum(f(x))))(X)), np.full_like(X, 0.5))


def test_an_unbounded_loop_has_no_gradient_in_a_trace():
    def f(x):
        return ops.sum(ops.while_loop(lambda v: ops.any(v < 9), lambda v: v * 2, (x,))[0])

    np.testing.assert_array_equal(np.asarray(grad(f)(ops.convert_to_tensor(X))), np.full_like(X, 16))
    with pytest.raises(ValueError, match=r"\[while_loop\] a loop without `maximum_iterations` has no gradient"):
        jit(grad(f))(X)


def test_fori_loop():
    np.testing.assert_array_equal(
        both(lambda x: ops.fori_loop(1, 5, lambda i, v: v + ops.cast(i, "float32"), x), X)[0], X + 10
    )


def test_scan():
    def f(x):
        return ops.scan(lambda c, row: (c + row, c * row), ops.zeros((3,)), x)

    carry, rows = both(f, X)
    np.testing.assert_array_equal(carry, X.sum(0))
    np.testing.assert_array_equal(rows, [[0, 0, 0], X[0] * X[1]])


def test_scan_in_reverse_without_xs_and_of_structures():
    carry, rows = both(lambda x: ops.scan(lambda c, row: (c + row, c), ops.zeros((3,)), x, reverse=True), X)
    np.testing.assert_array_equal(rows, [X[1], [0, 0, 0]])
    carry, rows = both(lambda x: ops.scan(lambda c, _: (c + 1, c), x, length=4), np.float32(2))
    assert carry == 6
    np.testing.assert_array_equal(rows, [2, 3, 4, 5])
    carry, rows = both(lambda x, y: ops.scan(lambda c, r: (c + r[0] * r[1], r[0]), ops.zeros((3,)), (x, y)), X, X + 1)
    np.testing.assert_array_equal(carry, (X * (X + 1)).sum(0))


def test_gradient_of_scan():
    """v_n = v_0 w^n: d/dw of the sum of all v."""
    w, n = 1.1, 6
    g = falconet.tracing.grad(
        lambda w: ops.sum(ops.scan(lambda v, _: (v * w, v), 2.0 * ops.ones((), "float64"), length=n)[1])
    )(np.array(w))
    np.testing.assert_allclose(np.asarray(g), sum(2 * k * w ** (k - 1) for k in range(n)), rtol=1e-12)


def test_map_and_vectorized_map():
    for mapped in (ops.map, ops.vectorized_map):
        np.testing.assert_array_equal(
            both(lambda x, m=mapped: m(lambda row: ops.sum(row) * row, x), X)[0], X * X.sum(1, keepdims=True)
        )


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 13])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(n, reverse):
    """Of 2 x 2 matrices, whose product is associative and not commutative."""
    x = (np.arange(n * 4).reshape(n, 2, 2) % 3).astype("float64")

    def f(x):
        # With `reverse` the running combination comes from the end, its newest element last.
        return ops.associative_scan(ops.matmul, x, reverse=reverse)

    wanted = [x[-1] if reverse else x[0]]
    for m in x[-2::-1] if reverse else x[1:]:
        wanted.append(wanted[-1] @ m)
    np.testing.assert_array_equal(both(f, x)[0], wanted[::-1] if reverse else wanted)


def test_vectorize():
    f = ops.vectorize(lambda a, b: ops.where(a > b, a - b, a + b))
    np.testing.assert_array_equal(np.asarray(f(X, np.float32([2, 2, 2]))), np.where(X > 2, X - 2, X + 2))
    dot = ops.vectorize(lambda a, b: ops.sum(a * b), signature="(n),(n)->()")
    np.testing.assert_array_equal(np.asarray(dot(X, np.float32([1, 0, 2]))), X @ [1, 0, 2])
    scaled = ops.vectorize(lambda a, factor: a * factor, excluded={1})
    np.testing.assert_array_equal(np.asarray(scaled(X, 3)), X * 3)


def test_jvp():
    value, tangent = ops.jvp(
        lambda x, y: ops.sin(x) * y, (np.float64([1, 2]), np.float64([3, 4])), (np.float64([1, 0]), np.float64([0, 1]))
    )
    np.testing.assert_allclose(np.asarray(value), np.sin([1, 2]) * [3, 4], rtol=1e-12)
    np.testing.assert_allclose(np.asarray(tangent), [3 * np.cos(1), np.sin(2)], rtol=1e-12)


def test_custom_gradient():
    @ops.custom_gradient
    def clipped(x):
        return ops.square(x), lambda upstream: ops.clip(upstream * 2 * x, -1.0, 1.0)

    g = falconet.tracing.grad(lambda x: ops.sum(clipped(x)))(np.float32([-3, 0.25, 3]))
    np.testing.assert_array_equal(np.asarray(g), [-1, 0.5, 1])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("unroll", [False, 1, 2, 3, 7, 9, True])
def test_scan_unrolled(unroll, reverse):
    x = np.arange(14, dtype="float64").reshape(7, 2) / 10

    def run(x, unroll):
        def step(carry, row):
            carry = {"a": carry["a"] * 0.9 + row, "n": carry["n"] + 1}
            return carry, (carry["a"] * row, carry["n"])

        carry, ys = ops.scan(step, {"a": ops.zeros((2,), "float64"), "n": 0}, x, reverse=reverse, unroll=unroll)
        return carry["a"], carry["n"], *ys

    wanted = run(x, 1)
    for found, value in zip(jit(lambda x: run(x, unroll))(x), wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(value))
    gradient = grad(lambda x: ops.sum(run(x, unroll)[2]) + ops.sum(run(x, unroll)[0]))
    np.testing.assert_allclose(np.asarray(jit(gradient)(x)), np.asarray(gradient(x)), rtol=1e-14)


def test_scan_unrolled_has_fewer_steps():
    def text(unroll):
        return Program(lambda x: ops.scan(lambda c, row: (c + row, c), ops.zeros(()), x, unroll=unroll)[1]).text(
            np.ones(6, "float32")
        )

    assert "length=6" in text(1) and "length=3" in text(2) and "scan" not in text(True)


@pytest.mark.parametrize("unroll", [0, -2, 1.5, "2", None])
def test_scan_refuses_to_unroll(unroll):
    with pytest.raises(ValueError, match=r"\[scan\] `unroll` is .*; it must be a number of steps >= 1, or a bool"):
        ops.scan(lambda c, x: (c, x), ops.zeros(()), np.ones(3, "float32"), unroll=unroll)
