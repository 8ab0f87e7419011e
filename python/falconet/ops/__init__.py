"""Every op, under Keras's names: `falconet.ops.matmul`, `falconet.ops.softmax`, ...

Ops whose native form has Keras's signature are the native callables themselves; the others are short compositions of
them. All work on Tensors, NumPy arrays, Variables, scalars and lists at once, and on KerasTensors and in traces.
"""

from __future__ import annotations

from . import linalg, nn, numpy
from .basic import cast, convert_to_numpy, convert_to_tensor, dtype, is_tensor, saturate_cast, shape
from .control import (
    associative_scan,
    cond,
    custom_gradient,
    fori_loop,
    map,
    scan,
    switch,
    vectorized_map,
    while_loop,
)
from .einsum import rearrange
from .elementwise import erf, erfc, erfinv, rsqrt, stop_gradient
from .indexing import extract_sequences, scatter, scatter_update, slice, slice_update
from .linalg import *  # noqa: F403
from .linear import cdist
from .nn import *  # noqa: F403
from .numpy import *  # noqa: F403
from .ordering import in_top_k, segment_max, segment_min, segment_prod, segment_sum, top_k
from .reductions import logsumexp
from .shaping import unstack

__all__ = [
    *linalg.__all__,
    *nn.__all__,
    *numpy.__all__,
    "associative_scan",
    "cast",
    "cdist",
    "cond",
    "convert_to_numpy",
    "convert_to_tensor",
    "custom_gradient",
    "dtype",
    "erf",
    "erfc",
    "erfinv",
    "extract_sequences",
    "fori_loop",
    "in_top_k",
    "is_tensor",
    "logsumexp",
    "map",
    "rearrange",
    "rsqrt",
    "saturate_cast",
    "scan",
    "scatter",
    "scatter_update",
    "segment_max",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "shape",
    "slice",
    "slice_update",
    "stop_gradient",
    "switch",
    "top_k",
    "unstack",
    "vectorized_map",
    "while_loop",
]
