"""Optimizers: rules that turn gradients into updates of variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazy import attach
from ..saving.identifiers import NamesIn, resolve
from ..saving.serialization import deserialize_keras_object, serialize_keras_object

if TYPE_CHECKING:
    from . import schedules as schedules
    from .adam import (
        Adam as Adam,
        Adamax as Adamax,
        AdamW as AdamW,
        Lamb as Lamb,
        Nadam as Nadam,
        ScheduleFreeAdamW as ScheduleFreeAdamW,
    )
    from .loss_scale import LossScaleOptimizer as LossScaleOptimizer
    from .matrix import Adafactor as Adafactor, Muon as Muon
    from .momentum import (
        SGD as SGD,
        Adadelta as Adadelta,
        Adagrad as Adagrad,
        Ftrl as Ftrl,
        Lion as Lion,
        RMSprop as RMSprop,
    )
    from .multi import MultiOptimizer as MultiOptimizer, OptimizerMap as OptimizerMap
    from .optimizer import Optimizer as Optimizer
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".": "schedules",
            ".adam": "Adam AdamW Adamax Lamb Nadam ScheduleFreeAdamW",
            ".loss_scale": "LossScaleOptimizer",
            ".matrix": "Adafactor Muon",
            ".momentum": "Adadelta Adagrad Ftrl Lion RMSprop SGD",
            ".multi": "MultiOptimizer OptimizerMap",
            ".optimizer": "Optimizer",
        },
    )
    __all__ += ["deserialize", "get", "serialize"]

_NAMES = NamesIn(__name__, besides=("Optimizer",), spelling=str.lower)


def serialize(optimizer: Optimizer) -> Any:
    """A config that `deserialize` turns back into the optimizer, without its state."""
    return serialize_keras_object(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer that `serialize` described."""
    return deserialize_keras_object(config, custom_objects, module_objects=_NAMES)


def get(identifier: Any) -> Any:
    """The optimizer meant by None, a name, a config, a class or an optimizer."""
    from .optimizer import Optimizer

    if isinstance(identifier, str) and identifier.lower() in _NAMES:
        identifier = identifier.lower()
    found = identifier if isinstance(identifier, Optimizer) else resolve(identifier, _NAMES, "optimizer")
    if found is not None and not isinstance(found, Optimizer):
        raise ValueError(f"[optimizers.get] {identifier!r} is not an optimizer; give a name, a config or an Optimizer.")
    return found
