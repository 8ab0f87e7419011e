"""Properties over generated shapes and indices: broadcasting, reshaping, slicing, reductions, against NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

import falconet
from falconet import ops

settings.register_profile("ops", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("ops")

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
FULL_SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5)


def numbers(shape):
    """Small integers as floats: sums and products of them are exact in any order."""
    return ((np.arange(np.prod(shape)) * 7) % 11 - 5).reshape(shape).astype("float32")


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=4))
def test_binary_ops_broadcast_as_numpy(shapes):
    a, b = (numbers(s) for s in shapes.input_shapes)
    for ours, theirs in ((ops.add, np.add), (ops.maximum, np.maximum), (ops.less, np.less)):
        np.testing.assert_array_equal(np.asarray(ours(a, b)), theirs(a, b))


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=1, max_side=4))
def test_gradient_of_a_broadcast_sums_what_was_repeated(shapes):
    a, b = (numbers(s) for s in shapes.input_shapes)
    da, db = falconet.tracing.grad(lambda a, b: ops.sum(a * b), argnums=(0, 1))(a, b)

    def summed(full, shape):
        lead = full.ndim - len(shape)
        full = full.sum(tuple(range(lead)))
        return full.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True).reshape(shape)

    whole = np.broadcast_shapes(a.shape, b.shape)
    np.testing.assert_array_equal(np.asarray(da), summed(np.broadcast_to(b, whole), a.shape))
    np.testing.assert_array_equal(np.asarray(db), summed(np.broadcast_to(a, whole), b.shape))


@given(st.data(), SHAPES)
def test_reductions_over_any_axes(data, shape):
    x = numbers(shape)
    axes = (
        data.draw(st.none() | st.lists(st.sampled_from(range(len(shape))), unique=True).map(tuple)) if shape else None
    )
    keepdims = data.draw(st.booleans())
    if axes is not None and data.draw(st.booleans()):
        axes = tuple(a - len(shape) for a in axes)
    for ours, theirs in ((ops.sum, np.sum), (ops.any, np.any), (ops.all, np.all)):
        wanted = theirs(x, axis=axes, keepdims=keepdims)
        np.testing.assert_array_equal(np.asarray(ours(x, axis=axes, keepdims=keepdims)), wanted)
    count = x.size if axes is None else int(np.prod([shape[a] for a in axes], initial=1))
    if count:
        for ours, theirs in ((ops.max, np.max), (ops.min, np.min)):
            wanted = theirs(x, axis=axes, keepdims=keepdims)
            np.testing.assert_array_equal(np.asarray(ours(x, axis=axes, keepdims=keepdims)), wanted)


@given(st.data(), SHAPES)
def test_transpose_and_reshape_round_trip(data, shape):
    x = numbers(shape)
    axes = data.draw(st.permutations(range(len(shape)))) if shape else []
    y = ops.transpose(x, axes)
    np.testing.assert_array_equal(np.asarray(y), np.transpose(x, axes))
    back = ops.transpose(y, list(np.argsort(axes))) if shape else y
    np.testing.assert_array_equal(np.asarray(back), x)
    flat = ops.reshape(y, (int(np.prod(shape)),))
    np.testing.assert_array_equal(np.asarray(flat), np.transpose(x, axes).reshape(-1))


@given(st.data(), FULL_SHAPES)
def test_basic_indexing_as_numpy(data, shape):
    x = numbers(shape)
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    np.testing.assert_array_equal(np.asarray(ops.get_item(x, key)), x[key])


@given(st.data(), FULL_SHAPES)
def test_integer_indexing_as_numpy(data, shape):
    x = numbers(shape)
    count = data.draw(st.integers(1, len(shape)))
    result = hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)
    key = data.draw(hnp.integer_array_indices(shape[:count], result_shape=result))
    np.testing.assert_array_equal(np.asarray(ops.get_item(x, key)), x[key])


@given(st.data(), FULL_SHAPES)
def test_gradient_of_indexing_puts_back(data, shape):
    x = numbers(shape)
    key = data.draw(hnp.basic_indices(shape))
    g = falconet.tracing.grad(lambda x: ops.sum(ops.get_item(x, key)))(x)
    wanted = np.zeros(shape, "float32")
    wanted[key] += 1
    np.testing.assert_array_equal(np.asarray(g), wanted)


@given(st.data(), FULL_SHAPES)
def test_concatenating_what_split_gives(data, shape):
    x = numbers(shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, shape[axis]), max_size=3)))
    parts = ops.split(x, cuts, axis=axis)
    for ours, theirs in zip(parts, np.split(x, cuts, axis), strict=True):
        np.testing.assert_array_equal(np.asarray(ours), theirs)
    np.testing.assert_array_equal(np.asarray(ops.concatenate(parts, axis=axis)), x)


@given(st.data(), FULL_SHAPES)
def test_pad_as_numpy(data, shape):
    x = numbers(shape)
    widths = [(data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, n - 1))) for n in shape]
    for mode in ("constant", "reflect", "symmetric", "edge"):
        np.testing.assert_array_equal(np.asarray(ops.pad(x, widths, mode)), np.pad(x, widths, mode))


@given(st.integers(1, 6), st.integers(0, 6), st.integers(1, 6), st.booleans(), st.booleans())
def test_matmul_of_any_sizes(m, k, n, turn_a, turn_b):
    a = numbers((k, m)).T if turn_a else numbers((m, k))
    b = numbers((n, k)).T if turn_b else numbers((k, n))
    np.testing.assert_array_equal(np.asarray(ops.matmul(a, b)), a @ b)


@given(hnp.arrays("float32", st.integers(1, 40), elements=st.floats(-100, 100, width=32) | st.just(np.float32(np.nan))))
def test_sort_argsort_agree_with_numpy(x):
    np.testing.assert_array_equal(np.asarray(ops.sort(x)), np.sort(x))
    np.testing.assert_array_equal(np.asarray(ops.argsort(x)), np.argsort(x, kind="stable"))


@given(st.data())
def test_einsum_of_random_pairs(data):
    sizes = dict(zip("abcde", (2, 3, 1, 4, 2), strict=True))
    left = "".join(data.draw(st.lists(st.sampled_from("abcde"), unique=True, max_size=4)))
    right = "".join(data.draw(st.lists(st.sampled_from("abcde"), unique=True, max_size=4)))
    out = "".join(data.draw(st.permutations(sorted(set(left + right)))))[: data.draw(st.integers(0, 5))]
    a, b = numbers([sizes[c] for c in left]), numbers([sizes[c] for c in right])
    text = f"{left},{right}->{out}"
    np.testing.assert_array_equal(np.asarray(ops.einsum(text, a, b)), np.einsum(text, a, b))
