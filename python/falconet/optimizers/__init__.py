"""Optimizers: rules that turn gradients into updates of variables."""

from __future__ import annotations

from typing import Any

from ..saving.identifiers import resolve
from ..saving.serialization import deserialize_keras_object, serialize_keras_object
from . import schedules
from .adam import Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW
from .loss_scale import LossScaleOptimizer
from .matrix import Adafactor, Muon
from .momentum import SGD, Adadelta, Adagrad, Ftrl, Lion, RMSprop
from .multi import MultiOptimizer, OptimizerMap
from .optimizer import Optimizer

_CLASSES: tuple[Any, ...] = (
    SGD,
    Adam,
    AdamW,
    RMSprop,
    Adadelta,
    Adafactor,
    Adagrad,
    Adamax,
    Ftrl,
    Lamb,
    Lion,
    LossScaleOptimizer,
    Muon,
)
_CLASSES += (MultiOptimizer, Nadam, OptimizerMap, ScheduleFreeAdamW)
_NAMES = {name: cls for cls in _CLASSES for name in (cls.__name__, cls.__name__.lower())}


def serialize(optimizer: Optimizer) -> Any:
    """A config that `deserialize` turns back into the optimizer, without its state."""
    return serialize_keras_object(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer that `serialize` described."""
    return deserialize_keras_object(config, custom_objects, module_objects=_NAMES)


def get(identifier: Any) -> Any:
    """The optimizer meant by None, a name, a config, a class or an optimizer."""
    if isinstance(identifier, str) and identifier.lower() in _NAMES:
        identifier = identifier.lower()
    found = identifier if isinstance(identifier, Optimizer) else resolve(identifier, _NAMES, "optimizer")
    if found is not None and not isinstance(found, Optimizer):
        raise ValueError(f"[optimizers.get] {identifier!r} is not an optimizer; give a name, a config or an Optimizer.")
    return found


__all__ = ["Optimizer", "schedules", *(cls.__name__ for cls in _CLASSES), "serialize", "deserialize", "get"]
