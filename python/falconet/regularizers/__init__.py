"""Penalties on a variable or an output, added to the loss: `regularizer(x)` returns a scalar."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..saving.configurable import Configurable
from ..saving.identifiers import names_of, resolve
from ..saving.serialization import deserialize_keras_object, serialize_keras_object


class Regularizer(Configurable):
    """Base of the regularizers; a subclass writes `__call__(x)`."""

    def __call__(self, x: Any) -> Any:
        return 0.0


def _factor(value: Any, name: str, owner: Any) -> float:
    if not isinstance(value, (int, float)) or not (0 <= value < math.inf):
        raise ValueError(f"[{type(owner).__name__}] `{name}` is {value!r}; it must be a finite number >= 0.")
    return float(value)


class L1L2(Regularizer):
    """l1 * sum |x| + l2 * sum x^2."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _factor(0.0 if l1 is None else l1, "l1", self)
        self.l2 = _factor(0.0 if l2 is None else l2, "l2", self)

    def __call__(self, x: Any) -> Any:
        terms = []
        if self.l1:
            terms.append(self.l1 * ops.sum(ops.abs(x)))
        if self.l2:
            terms.append(self.l2 * ops.sum(ops.square(x)))
        return sum(terms[1:], terms[0]) if terms else ops.convert_to_tensor(0.0, dtype=x.dtype)


class L1(Regularizer):
    """l1 * sum |x|."""

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _factor(0.01 if l1 is None else l1, "l1", self)

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.abs(x))


class L2(Regularizer):
    """l2 * sum x^2."""

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _factor(0.01 if l2 is None else l2, "l2", self)

    def __call__(self, x: Any) -> Any:
        return self.l2 * ops.sum(ops.square(x))


class OrthogonalRegularizer(Regularizer):
    """factor * mean over pairs of rows (or columns) of |cos| of the angle between them: 0 where all are orthogonal."""

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(f"[OrthogonalRegularizer] `mode` is {mode!r}; it must be 'rows' or 'columns'.")
        self.factor = _factor(factor, "factor", self)
        self.mode = mode

    def __call__(self, inputs: Any) -> Any:
        if len(inputs.shape) != 2:
            raise ValueError(
                f"[OrthogonalRegularizer] the variable has shape {tuple(inputs.shape)}; it must be a matrix."
            )
        rows = inputs if self.mode == "rows" else ops.transpose(inputs)
        rows = ops.normalize(rows, axis=1)
        size = rows.shape[0]
        cosines = ops.matmul(rows, ops.transpose(rows)) * (1.0 - ops.eye(size, dtype=rows.dtype))
        return self.factor * 0.5 * ops.sum(ops.abs(cosines)) / (size * (size - 1.0) / 2.0)


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
_NAMES = names_of((L1, L2, L1L2, OrthogonalRegularizer), l1_l2=L1L2)


def serialize(regularizer: Regularizer) -> Any:
    """A config that `deserialize` turns back into the regularizer."""
    return serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer that `serialize` described."""
    return deserialize_keras_object(config, custom_objects, module_objects=_NAMES)


def get(identifier: Any) -> Any:
    """The regularizer meant by None, a name, a config, a class or a callable."""
    return resolve(identifier, _NAMES, "regularizer")


__all__ = ["Regularizer", "L1", "L2", "L1L2", "OrthogonalRegularizer", "l1", "l2", "l1_l2", "orthogonal_regularizer"]
__all__ += ["serialize", "deserialize", "get"]
