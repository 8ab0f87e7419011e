"""Helpers around models: data preparation, seeds, progress, registration of custom objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazy import attach
from ..naming import reset_names
from ..symbols import KerasTensor

if TYPE_CHECKING:
    from ..config import (
        disable_interactive_logging as disable_interactive_logging,
        enable_interactive_logging as enable_interactive_logging,
        is_interactive_logging_enabled as is_interactive_logging_enabled,
    )
    from ..dtypes import standardize_dtype as standardize_dtype
    from ..models.drawing import plot_model as plot_model
    from ..random.seed_generator import set_random_seed as set_random_seed
    from ..saving.registration import (
        CustomObjectScope as CustomObjectScope,
        custom_object_scope as custom_object_scope,
        get_custom_objects as get_custom_objects,
        get_registered_name as get_registered_name,
        get_registered_object as get_registered_object,
        register_keras_serializable as register_keras_serializable,
    )
    from ..saving.serialization import (
        deserialize_keras_object as deserialize_keras_object,
        serialize_keras_object as serialize_keras_object,
    )
    from .datasets import PyDataset as PyDataset, Sequence as Sequence, split_dataset as split_dataset
    from .downloads import get_file as get_file
    from .images import (
        array_to_img as array_to_img,
        img_to_array as img_to_array,
        load_img as load_img,
        save_img as save_img,
    )
    from .numerical import normalize as normalize, pad_sequences as pad_sequences, to_categorical as to_categorical
    from .packing import (
        pack_x_y_sample_weight as pack_x_y_sample_weight,
        unpack_x_y_sample_weight as unpack_x_y_sample_weight,
    )
    from .progbar import Progbar as Progbar
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            "..config": "disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled",
            "..dtypes": "standardize_dtype",
            "..random.seed_generator": "set_random_seed",
            "..saving.registration": (
                "CustomObjectScope custom_object_scope get_custom_objects get_registered_name get_registered_object "
                "register_keras_serializable"
            ),
            "..saving.serialization": "deserialize_keras_object serialize_keras_object",
            "..models.drawing": "plot_model",
            ".datasets": "PyDataset Sequence split_dataset",
            ".downloads": "get_file",
            ".images": "array_to_img img_to_array load_img save_img",
            ".numerical": "normalize pad_sequences to_categorical",
            ".packing": "pack_x_y_sample_weight unpack_x_y_sample_weight",
            ".progbar": "Progbar",
        },
    )
    __all__ += ["clear_session", "is_keras_tensor"]


def clear_session(free_memory: bool = True) -> None:
    """Starts automatic names over; with free_memory also collects models that nothing refers to any more."""
    reset_names()
    if free_memory:
        import gc

        gc.collect()


def is_keras_tensor(x: Any) -> bool:
    """Whether x is a symbolic tensor."""
    return isinstance(x, KerasTensor)
