"""Saving and loading of models, and the registry of objects that files may name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .model_io import (
        load_model as load_model,
        load_weights as load_weights,
        model_from_bytes as model_from_bytes,
        model_to_bytes as model_to_bytes,
        save_model as save_model,
        save_weights as save_weights,
    )
    from .registration import (
        CustomObjectScope as CustomObjectScope,
        custom_object_scope as custom_object_scope,
        get_custom_objects as get_custom_objects,
        get_registered_name as get_registered_name,
        get_registered_object as get_registered_object,
        register_keras_serializable as register_keras_serializable,
    )
    from .serialization import (
        deserialize_keras_object as deserialize_keras_object,
        serialize_keras_object as serialize_keras_object,
    )
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".model_io": "load_model load_weights model_from_bytes model_to_bytes save_model save_weights",
            ".registration": (
                "CustomObjectScope custom_object_scope get_custom_objects get_registered_name get_registered_object "
                "register_keras_serializable"
            ),
            ".serialization": "deserialize_keras_object serialize_keras_object",
        },
    )
