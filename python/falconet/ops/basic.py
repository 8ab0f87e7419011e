"""What the other modules of ops stand on: conversion, and the shapes and dtypes of whatever an op accepts.

An op accepts Tensors, Variables, KerasTensors, NumPy arrays, Python scalars (weakly typed) and nested lists. The
callables of `_core.ops` take all of these; a composite that looks at a shape or a dtype first calls `tensor`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core, config
from ..dtypes import FLOATS, result_type, standardize_dtype
from ..tracing import KerasTensor

core = _core.ops
Tensor = _core.Tensor


def _signature(op: Any) -> Any:
    """A native op's parameters: its inputs, then its attributes."""
    from inspect import Parameter, Signature

    inputs, attributes = op.declaration
    kind: Any = Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        Parameter(name.removesuffix("..."), Parameter.VAR_POSITIONAL if name.endswith("...") else kind)
        for name in inputs
    ]
    if any(p.kind is Parameter.VAR_POSITIONAL for p in parameters):
        kind = Parameter.KEYWORD_ONLY
    parameters += [
        Parameter(name, kind, default=Parameter.empty if default is ... else default) for name, default in attributes
    ]
    return Signature(parameters)


_core.register_signature(_signature)


__all__ = [
    "array",
    "cast",
    "convert_to_numpy",
    "convert_to_tensor",
    "copy",
    "dtype",
    "is_tensor",
    "ndim",
    "saturate_cast",
    "shape",
    "size",
]


def tensor(x: Any, dtype: str | None = None) -> Any:
    """x as a Tensor; Tensors and KerasTensors pass through, cast where `dtype` is given and differs."""
    if not isinstance(x, (Tensor, KerasTensor)):
        return _core.as_tensor(x, dtype)
    return x if dtype is None or x.dtype == dtype else core.cast(x, dtype=dtype)


def floating(x: Any) -> Any:
    """x as a tensor of a float dtype: integers and bool become `floatx()`."""
    x = tensor(x)
    return x if x.dtype in FLOATS else core.cast(x, dtype=config.floatx())


def common(*xs: Any) -> list[Any]:
    """The operands as tensors of their common dtype, Python scalars being weak."""
    first = xs[0]
    if all(type(x) is Tensor and x.dtype == first.dtype for x in xs):
        return list(xs)
    kind = result_type(*(type(x) if type(x) in (int, float) else dtype(x) for x in xs))
    return [tensor(x, kind) for x in xs]


def canonical_axis(op: str, axis: int, rank: int) -> int:
    """axis in [0, rank)."""
    axis = int(axis)
    if not -rank <= axis < rank:
        raise ValueError(f"[{op}] `axis` is {axis}; x has {rank} axes, so it must be in [{-rank}, {rank - 1}].")
    return axis % rank


def canonical_axes(op: str, axis: Any, rank: int) -> list[int]:
    """A sorted list of axes in [0, rank); None means all of them."""
    if axis is None:
        return list(range(rank))
    found = sorted(canonical_axis(op, a, rank) for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    if len(set(found)) != len(found):
        raise ValueError(f"[{op}] `axis` is {axis}; it names an axis twice (x has {rank} axes).")
    return found


def size_of(sizes: Any) -> int:
    """The product of a shape."""
    count = 1
    for n in sizes:
        count *= int(n)
    return count


def number_of(op: str, x: Any) -> int:
    """The value of a scalar on which the shape of a result depends."""
    if isinstance(x, KerasTensor) or x.is_traced:
        raise TypeError(
            f"[{op}] the shape of the result depends on values, which symbolic and traced tensors do not have; call it"
            " outside of models and compiled functions, or give the size where there is an argument for it."
        )
    return int(x.item())


def refuse_sparse(op: str, sparse: Any, ragged: Any = None) -> None:
    if sparse or ragged:
        raise ValueError(f"[{op}] sparse and ragged tensors do not exist here; leave `sparse` and `ragged` unset.")


def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Any:
    """x as a Tensor: NumPy arrays keep their dtype, Python floats and integers become float32 and int32."""
    refuse_sparse("convert_to_tensor", sparse, ragged)
    return tensor(x, None if dtype is None else standardize_dtype(dtype))


def convert_to_numpy(x: Any) -> np.ndarray:
    """x as a NumPy array."""
    return np.asarray(tensor(x))


def array(x: Any, dtype: Any = None) -> Any:
    """x as a Tensor."""
    return convert_to_tensor(x, dtype)


def cast(x: Any, dtype: Any) -> Any:
    """x converted to another dtype: floats to integers towards zero, anything to bool by x != 0."""
    try:
        kind = standardize_dtype(dtype)
    except ValueError as e:
        raise ValueError(f"[cast] {e}") from None
    return core.cast(x, dtype=kind)


def saturate_cast(x: Any, dtype: Any) -> Any:
    """x converted to another dtype, values beyond its range becoming the nearest it holds; NaN is 0 in integers."""
    x, kind = tensor(x), standardize_dtype(dtype)
    if kind == "bool":
        return core.cast(x, dtype=kind)
    low, high = dtype_range(kind)
    own_low, own_high = dtype_range(x.dtype)
    if x.dtype in FLOATS and kind not in FLOATS:
        # The upper bound as a float may round up to one past the range: those values are chosen, not converted.
        inside = core.cast(core.where(core.isnan(x), 0, x), dtype=kind)
        inside = core.where(core.less_equal(x, float(low)), tensor(low, kind), inside)
        return core.where(core.greater_equal(x, float(high)), tensor(high, kind), inside)
    if low > own_low:
        x = core.maximum(x, tensor(low, x.dtype))
    if high < own_high:
        x = core.minimum(x, tensor(high, x.dtype))
    return core.cast(x, dtype=kind)


_BFLOAT16_MAX = float(2.0**127 * (2 - 2.0**-7))


def dtype_range(kind: str) -> tuple[Any, Any]:
    """(smallest, largest) finite value of a dtype, as Python numbers."""
    if kind == "bool":
        return 0, 1
    if kind == "bfloat16":
        return -_BFLOAT16_MAX, _BFLOAT16_MAX
    if kind in FLOATS:
        info = np.finfo(kind)
        return float(info.min), float(info.max)
    range_of = np.iinfo(kind)
    return int(range_of.min), int(range_of.max)


def shape(x: Any) -> tuple[int | None, ...]:
    """The sizes of x's axes; None where a KerasTensor's is unknown."""
    return tuple(tensor(x).shape)


def dtype(x: Any) -> str:
    """The name of x's dtype."""
    found = getattr(x, "dtype", None)
    return standardize_dtype(found) if found is not None else tensor(x).dtype


def ndim(x: Any) -> int:
    """The number of x's axes."""
    return len(tensor(x).shape)


def size(x: Any) -> int | None:
    """The number of x's elements; None where an axis is unknown."""
    sizes = tensor(x).shape
    return None if None in sizes else size_of(sizes)


def is_tensor(x: Any) -> bool:
    """Whether x is a Tensor (KerasTensors and NumPy arrays are not)."""
    return isinstance(x, Tensor)


def copy(x: Any) -> Any:
    """x itself as a tensor: tensors are immutable, so a copy could not be told apart."""
    return tensor(x)
