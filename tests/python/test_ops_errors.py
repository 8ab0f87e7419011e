"""What bad input gets: an error that names the op and what was wrong."""

from __future__ import annotations

import numpy as np
import pytest
from ops_support import all_ops, apply, op_of

import falconet

REFUSALS = [
    pytest.param(row, refusal, id=f"{row.name}-{i}") for row in all_ops() for i, refusal in enumerate(row.errors)
]


@pytest.mark.parametrize(("row", "refusal"), REFUSALS)
def test_refusal_says_what_is_wrong(row, refusal):
    with pytest.raises((ValueError, TypeError, IndexError)) as caught:
        apply(row.name, op_of(row), refusal.inputs, refusal.attrs)
    text = str(caught.value)
    assert refusal.text in text, text
    assert text.startswith("["), f"the op is not named: {text}"


@pytest.mark.parametrize("name", ["exp", "add", "sum", "reshape", "softmax", "concatenate", "gelu", "var", "take"])
def test_an_object_is_no_tensor(name):
    more = {"reshape": [(1,)], "add": [1.0], "take": [np.int32([0])]}.get(name, [])
    argument = [object()] if name == "concatenate" else object()
    with pytest.raises(TypeError, match="object"):
        getattr(falconet.ops, name)(argument, *more)


def test_unknown_argument_is_named():
    with pytest.raises(TypeError, match="axes"):
        falconet.ops.sum(np.ones(3), axes=0)


def test_missing_argument_is_named():
    with pytest.raises(TypeError, match="x2"):
        falconet.ops.add(np.ones(3))


@pytest.mark.parametrize("call", [
    lambda x: falconet.ops.one_hot(x, 3, sparse=True), lambda x: falconet.ops.convert_to_tensor(x, sparse=True),
    lambda x: falconet.ops.multi_hot(x, 3, sparse=True), lambda x: falconet.ops.bincount(x, sparse=True),
])  # fmt: skip
def test_sparse_tensors_are_refused(call):
    with pytest.raises(ValueError, match="sparse"):
        call(np.int32([1, 2]))


@pytest.mark.parametrize("wrap", [lambda f: f, falconet.jit, lambda f: lambda x: falconet.grad(f)(x)])
@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda x: falconet.ops.take(x, [0, 3], axis=0),
            "[take] an index is out of range for an input of shape (3, 2)",
        ),
        (lambda x: x[[0, 3]], "[take] an index is out of range for an input of shape (3, 2)"),
        (
            lambda x: falconet.ops.take_along_axis(x, np.int32([[0, 2]]), axis=1),
            "[take_along_axis] an index is out of range for an input of shape (3, 2)",
        ),
        (
            lambda x: falconet.ops.scatter_update(x, [[0, 2]], [1.0]),
            "[scatter] an index is out of range for a base of 6 elements",
        ),
        (
            lambda x: falconet.ops.scatter_update(x, [[3]], [[1.0, 2.0]]),
            "[scatter] an index is out of range for a base of 3 rows of 2 elements",
        ),
    ],
)
def test_indices_out_of_range_name_what_was_called(wrap, call, text):
    def f(x):
        return falconet.ops.sum(call(falconet.ops.convert_to_tensor(x)))

    with pytest.raises(ValueError) as caught:
        wrap(f)(np.ones((3, 2), "float32"))
    assert str(caught.value) == text
