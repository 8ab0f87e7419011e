"""Layers: functions of tensors with state, the parts of which models are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .activations import (
        ELU as ELU,
        Activation as Activation,
        LeakyReLU as LeakyReLU,
        PReLU as PReLU,
        ReLU as ReLU,
        Softmax as Softmax,
    )
    from .core import (
        Dense as Dense,
        Embedding as Embedding,
        Identity as Identity,
        Input as Input,
        InputLayer as InputLayer,
        Lambda as Lambda,
        Masking as Masking,
    )
    from .input_spec import InputSpec as InputSpec
    from .layer import Layer as Layer
    from .merging import (
        Add as Add,
        Average as Average,
        Concatenate as Concatenate,
        Dot as Dot,
        Maximum as Maximum,
        Minimum as Minimum,
        Multiply as Multiply,
        Subtract as Subtract,
        add as add,
        average as average,
        concatenate as concatenate,
        dot as dot,
        maximum as maximum,
        minimum as minimum,
        multiply as multiply,
        subtract as subtract,
    )
    from .normalization import (
        BatchNormalization as BatchNormalization,
        LayerNormalization as LayerNormalization,
        Rescaling as Rescaling,
        RMSNormalization as RMSNormalization,
        UnitNormalization as UnitNormalization,
    )
    from .preprocessing import Normalization as Normalization
    from .regularization import (
        ActivityRegularization as ActivityRegularization,
        AlphaDropout as AlphaDropout,
        Dropout as Dropout,
        GaussianDropout as GaussianDropout,
        GaussianNoise as GaussianNoise,
        SpatialDropout1D as SpatialDropout1D,
        SpatialDropout2D as SpatialDropout2D,
        SpatialDropout3D as SpatialDropout3D,
    )
    from .reshaping import Flatten as Flatten, Permute as Permute, RepeatVector as RepeatVector, Reshape as Reshape
    from .serialization import deserialize as deserialize, serialize as serialize
    from .wrappers import TimeDistributed as TimeDistributed, Wrapper as Wrapper
else:
    __all__, __getattr__, __dir__ = attach(
        __name__,
        {
            ".activations": "Activation ELU LeakyReLU PReLU ReLU Softmax",
            ".core": "Dense Embedding Identity Input InputLayer Lambda Masking",
            ".input_spec": "InputSpec",
            ".layer": "Layer",
            ".merging": (
                "Add Average Concatenate Dot Maximum Minimum Multiply Subtract add average concatenate dot maximum "
                "minimum multiply subtract"
            ),
            ".normalization": "BatchNormalization LayerNormalization RMSNormalization Rescaling UnitNormalization",
            ".preprocessing": "Normalization",
            ".regularization": (
                "ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise SpatialDropout1D "
                "SpatialDropout2D SpatialDropout3D"
            ),
            ".reshaping": "Flatten Permute RepeatVector Reshape",
            ".serialization": "deserialize serialize",
            ".wrappers": "TimeDistributed Wrapper",
        },
    )
