"""Projections applied to a variable after each update: `constraint(w)` returns the value to keep."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..config import epsilon
from ..saving.configurable import Configurable
from ..saving.identifiers import names_of, resolve
from ..saving.serialization import deserialize_keras_object, serialize_keras_object


class Constraint(Configurable):
    """Base of the constraints; a subclass writes `__call__(w)`."""

    def __call__(self, w: Any) -> Any:
        return w


def _norms(w: Any, axis: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


class MaxNorm(Constraint):
    """w * clip(|w|, 0, max_value) / |w|: scale down the vectors along `axis` that are longer than `max_value` >= 0."""

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        norms = _norms(w, self.axis)
        return w * (ops.clip(norms, 0, self.max_value) / (epsilon() + norms))


class NonNeg(Constraint):
    """max(w, 0)."""

    def __call__(self, w: Any) -> Any:
        return ops.maximum(ops.convert_to_tensor(w), 0)


class UnitNorm(Constraint):
    """w / |w|, along `axis`."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        return w / (epsilon() + _norms(w, self.axis))


class MinMaxNorm(Constraint):
    """Bring the length of the vectors along `axis` towards [min_value, max_value].

    w * (rate * clip(|w|, min_value, max_value) + (1 - rate) * |w|) / |w|, with `rate` in [0, 1]; 1 enforces the bounds.
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        norms = _norms(w, self.axis)
        wanted = self.rate * ops.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (wanted / (epsilon() + norms))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_NAMES = names_of((Constraint, MaxNorm, NonNeg, UnitNorm, MinMaxNorm))


def serialize(constraint: Constraint) -> Any:
    """A config that `deserialize` turns back into the constraint."""
    return serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint that `serialize` described."""
    return deserialize_keras_object(config, custom_objects, module_objects=_NAMES)


def get(identifier: Any) -> Any:
    """The constraint meant by None, a name, a config, a class or a callable."""
    return resolve(identifier, _NAMES, "constraint")


__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "unit_norm",
]
__all__ += ["serialize", "deserialize", "get"]
