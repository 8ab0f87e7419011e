"""Layers as plain configurations, and back."""

from __future__ import annotations

from typing import Any

from falconet.layers.layer import Layer
from falconet.saving.serialization import deserialize_keras_object, serialize_keras_object


def serialize(layer: Layer) -> Any:
    """A layer's class and configuration as a dictionary of plain values."""
    return serialize_keras_object(layer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Layer:
    """The layer that `serialize` described, with fresh weights."""
    layer = deserialize_keras_object(config, custom_objects=custom_objects)
    if not isinstance(layer, Layer):
        raise ValueError(f"[deserialize] `config` describes {type(layer).__name__}, which is not a layer.")
    return layer
