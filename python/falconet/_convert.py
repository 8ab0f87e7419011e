"""Python sequences as operands: called by the core when an op is given a list or tuple."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core, config


def from_sequence(values: Any) -> Any:
    """A nested list of numbers as an array (floats in `floatx()`, integers in int32); one of tensors is stacked."""
    if any(not isinstance(v, (bool, int, float, list, tuple)) for v in _leaves(values)):
        parts = [from_sequence(v) if isinstance(v, (list, tuple)) else v for v in values]
        shapes = [tuple(_core.as_tensor(p).shape) for p in parts]
        if len(set(shapes)) > 1:
            raise ValueError(
                f"[convert_to_tensor] a list of tensors needs equal shapes to be one tensor, got {shapes}."
            )
        rows = [_core.ops.reshape(p, shape=(1, *shape)) for p, shape in zip(parts, shapes, strict=True)]
        return _core.ops.concatenate(rows, axis=0)
    try:
        array = np.array(values)
    except ValueError as e:
        raise ValueError(f"[convert_to_tensor] the nested list is not rectangular: {e}") from None
    if array.dtype == np.float64:
        return array.astype(config.floatx() if config.floatx() != "bfloat16" else "float32")
    if array.dtype == np.int64 and (array.size == 0 or (abs(array) < 2**31).all()):
        return array.astype("int32") if array.size else array.astype(config.floatx())
    return array


def _leaves(values: Any) -> Any:
    for v in values:
        if isinstance(v, (list, tuple)):
            yield from _leaves(v)
        else:
            yield v
