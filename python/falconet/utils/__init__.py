"""Helpers around models: data preparation, seeds, progress, registration of custom objects."""

from __future__ import annotations

from typing import Any

from falconet.config import disable_interactive_logging, enable_interactive_logging, is_interactive_logging_enabled
from falconet.dtypes import standardize_dtype
from falconet.naming import reset_names
from falconet.random import set_random_seed
from falconet.saving.registration import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from falconet.saving.serialization import deserialize_keras_object, serialize_keras_object
from falconet.tracing import KerasTensor
from falconet.utils.datasets import PyDataset, Sequence, split_dataset
from falconet.utils.numerical import normalize, pad_sequences, to_categorical
from falconet.utils.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
from falconet.utils.progbar import Progbar


def clear_session(free_memory: bool = True) -> None:
    """Starts automatic names over; with free_memory also collects models that nothing refers to any more."""
    reset_names()
    if free_memory:
        import gc

        gc.collect()


def is_keras_tensor(x: Any) -> bool:
    """Whether x is a symbolic tensor."""
    return isinstance(x, KerasTensor)


__all__ = [
    "CustomObjectScope", "Progbar", "PyDataset", "Sequence", "clear_session", "custom_object_scope",
    "deserialize_keras_object", "disable_interactive_logging", "enable_interactive_logging", "get_custom_objects",
    "get_registered_name", "get_registered_object", "is_interactive_logging_enabled", "is_keras_tensor",
    "normalize", "pack_x_y_sample_weight", "pad_sequences", "register_keras_serializable", "serialize_keras_object",
    "set_random_seed", "split_dataset", "standardize_dtype", "to_categorical", "unpack_x_y_sample_weight",
]  # fmt: skip
