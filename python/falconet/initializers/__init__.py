"""First values of variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..random import SeedGenerator
from ..saving.identifiers import names_of, resolve
from ..saving.registration import register_builtin
from ..saving.serialization import deserialize_keras_object, serialize_keras_object
from .base import Initializer
from .constant import STFT, Constant, Identity, Ones, Zeros
from .random import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomInitializer,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    compute_fans,
)

IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT
constant, zeros, ones, identity, stft, orthogonal = Constant, Zeros, Ones, Identity, STFT, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, glorot_normal, glorot_uniform = VarianceScaling, GlorotNormal, GlorotUniform
he_normal, he_uniform, lecun_normal, lecun_uniform = HeNormal, HeUniform, LecunNormal, LecunUniform

_CLASSES: tuple[Any, ...] = (
    Constant,
    Zeros,
    Ones,
    Identity,
    STFT,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
_CLASSES += (GlorotNormal, GlorotUniform, HeNormal, HeUniform, LecunNormal, LecunUniform, Orthogonal)
_NAMES = names_of(
    _CLASSES,
    one=Ones,
    zero=Zeros,
    normal=RandomNormal,
    uniform=RandomUniform,
    IdentityInitializer=Identity,
    OrthogonalInitializer=Orthogonal,
    STFTInitializer=STFT,
)
register_builtin(SeedGenerator, "random")
for _cls in (Identity, Orthogonal, STFT):
    register_builtin(_cls, "initializers", f"{_cls.__name__}Initializer")


def serialize(initializer: Initializer) -> Any:
    """A config that `deserialize` turns back into the initializer."""
    return serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer that `serialize` described."""
    return deserialize_keras_object(config, custom_objects, module_objects=_NAMES)


def get(identifier: Any) -> Any:
    """The initializer meant by a name, a config, a class, a callable, or an array that is the value itself."""
    if isinstance(identifier, (np.ndarray, np.generic)) or ops.is_tensor(identifier):
        return _from_array(identifier)
    return resolve(identifier, _NAMES, "initializer")


def _from_array(value: Any) -> Any:
    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        if tuple(shape) != tuple(value.shape):
            raise ValueError(
                f"[initializers.get] the array given has shape {tuple(value.shape)}, the variable {tuple(shape)}."
            )
        return ops.convert_to_tensor(value, dtype=dtype)

    return initialize


__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "IdentityInitializer",
    "Initializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer",
    "RandomInitializer", "RandomNormal", "RandomUniform", "STFT", "STFTInitializer", "TruncatedNormal",
    "VarianceScaling", "Zeros", "compute_fans", "constant", "deserialize", "get", "glorot_normal", "glorot_uniform",
    "he_normal", "he_uniform", "identity", "lecun_normal", "lecun_uniform", "ones", "orthogonal", "random_normal",
    "random_uniform", "serialize", "stft", "truncated_normal", "variance_scaling", "zeros",
]  # fmt: skip
