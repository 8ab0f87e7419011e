"""Nothing is forgotten: every op has cases, a dtype row and Keras's parameters."""

from __future__ import annotations

import inspect
import re

from ops_support import CALLS, MAKERS, all_ops

import falconet
from falconet import _core

# Native ops without cases of their own, and where they are covered.
COVERED_ELSEWHERE = {
    "random_uniform": "test_random.py",
    "random_normal": "test_random.py",
    "random_bits": "test_random.py",
    "iota": "arange, eye, tri",
    "one_hot": "one_hot",
    "layer_norm": "layer_normalization",
    "rms_norm": "rms_normalization",
    "softmax_cross_entropy": "categorical_crossentropy",
    "sparse_softmax_cross_entropy": "sparse_categorical_crossentropy",
    "put_along_axis": "the gradient of take_along_axis",
    "spread": "repeat and tile",
    "dynamic_slice": "slice with a tensor of starts",
    "dynamic_update_slice": "slice_update",
    "unique_with_size": "unique with a size",
    "nonzero_with_size": "nonzero",
}
# Public names that are not an op on arrays, or have a test file of their own.
NOT_CASES = {
    "array", "cast", "convert_to_numpy", "convert_to_tensor", "dtype", "is_tensor", "ndim", "shape", "size", "cond",
    "associative_scan", "custom_gradient", "fori_loop", "jvp", "map", "scan", "switch", "vectorize", "vectorized_map",
    "while_loop", "argpartition", "fold",
}  # fmt: skip


# What the ops above are lowered to: kernels over rows or whole buffers, tested through them and in tests/cpp.
PRIMITIVES = (
    "cond|while_loop|scan|with_gradient|gather.*|.*_rows|.*_grad|reduce_.*|scan_(sum|prod|max|min)|row_.*|gemm|conv.*|pool.*|custom_gradient"
    "|(dense|label)_cross_entropy|pad_constant|put_along|search_sorted|unique_elements"
)


def test_every_native_op_has_cases():
    covered = {row.name for row in all_ops()} | set(COVERED_ELSEWHERE)
    native = [name for name in dir(_core.ops) if isinstance(getattr(_core.ops, name), _core.Op)]
    missing = [name for name in native if name not in covered and not re.fullmatch(PRIMITIVES, name)]
    assert not missing, f"add rows to tests/cases: {missing}"


def test_every_public_op_has_cases():
    covered = {row.name for row in all_ops()} | NOT_CASES
    missing = [name for name in falconet.ops.__all__ if name not in covered]
    assert not missing, f"add rows to tests/cases: {missing}"


def test_every_public_op_has_a_dtype_row():
    """Those that take arrays and give arrays."""
    rows = {name for name, _ in (*CALLS, *MAKERS)}
    other = {"convert_to_numpy", "custom_gradient", "dtype", "is_tensor", "jvp", "ndim", "shape", "size"}
    missing = [name for name in falconet.ops.__all__ if name not in rows | other]
    assert not missing, f"add rows to tests/golden/ops_calls.py: {missing}"


def test_every_case_is_of_an_existing_op():
    for row in all_ops():
        assert hasattr(_core.ops if row.internal else falconet.ops, row.name), row.name


def test_every_public_op_is_documented_and_has_a_signature():
    for name in falconet.ops.__all__:
        op = getattr(falconet.ops, name)
        assert op.__doc__, name
        inspect.signature(op)
