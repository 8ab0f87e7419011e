"""Layers: functions of tensors with state, the parts of which models are made."""

from __future__ import annotations

from falconet.layers.activations import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from falconet.layers.core import Dense, Embedding, Identity, Input, InputLayer, Lambda, Masking
from falconet.layers.input_spec import InputSpec
from falconet.layers.layer import Layer
from falconet.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from falconet.layers.normalization import (
    BatchNormalization,
    LayerNormalization,
    Rescaling,
    RMSNormalization,
    UnitNormalization,
)
from falconet.layers.preprocessing import Normalization
from falconet.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from falconet.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from falconet.layers.serialization import deserialize, serialize
from falconet.layers.wrappers import TimeDistributed, Wrapper

__all__ = [
    "ELU", "Activation", "ActivityRegularization", "Add", "AlphaDropout", "Average", "BatchNormalization",
    "Concatenate", "Dense", "Dot", "Dropout", "Embedding", "Flatten", "GaussianDropout", "GaussianNoise",
    "Identity", "Input", "InputLayer", "InputSpec", "Lambda", "Layer", "LayerNormalization", "LeakyReLU", "Masking",
    "Maximum", "Minimum", "Multiply", "Normalization", "PReLU", "Permute", "RMSNormalization", "ReLU",
    "RepeatVector", "Rescaling", "Reshape", "Softmax", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
    "Subtract", "TimeDistributed", "UnitNormalization", "Wrapper", "add", "average", "concatenate", "deserialize",
    "dot", "maximum", "minimum", "multiply", "serialize", "subtract",
]  # fmt: skip
