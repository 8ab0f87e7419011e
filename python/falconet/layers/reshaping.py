"""Layers that move values without changing them."""

from __future__ import annotations

from typing import Any

from falconet import config, ops
from falconet.layers.checks import positive_int
from falconet.layers.input_spec import InputSpec
from falconet.layers.layer import Layer


def _product(sizes: Any) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result


class Flatten(Layer):
    """x (batch, a, b, ...) -> y (batch, a * b * ...); x (batch,) -> y (batch, 1)."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.image_data_format() if data_format is None else data_format
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                f'[Flatten] `data_format` must be "channels_last" or "channels_first", got {data_format!r}.'
            )
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        shape = tuple(inputs.shape)
        if self.data_format == "channels_first" and len(shape) > 2:
            inputs = ops.transpose(inputs, (0, *range(2, len(shape)), 1))
        return ops.reshape(inputs, (shape[0], _product(shape[1:])))


class Reshape(Layer):
    """x (batch, ...) -> y (batch, *target_shape); one size of target_shape may be -1.

    >>> import numpy as np
    >>> Reshape((2, -1))(np.ones((5, 6))).shape
    (5, 2, 3)
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(int(size) for size in target_shape)
        if self.target_shape.count(-1) > 1:
            raise ValueError(f"[{self.label}] `target_shape` may have one -1, got {self.target_shape}.")

    def call(self, inputs: Any) -> Any:
        shape = tuple(inputs.shape)
        size, known = _product(shape[1:]), _product(s for s in self.target_shape if s != -1)
        fits = known > 0 and size % known == 0 if -1 in self.target_shape else size == known
        if not fits:
            raise ValueError(
                f"[{self.label}] one sample has shape {shape[1:]} ({size} values), not {self.target_shape}."
            )
        target = tuple(size // known if s == -1 else s for s in self.target_shape)
        return ops.reshape(inputs, (shape[0], *target))


class Permute(Layer):
    """Reorders the axes after the batch axis: dims counts from 1, so (2, 1) swaps the first two."""

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"[{self.label}] `dims` must hold each of 1..{len(self.dims)} once, got {self.dims}.")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """x (batch, features) -> y (batch, n, features), the same vector n times."""

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive_int(self, "n", n)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        batch, features = inputs.shape
        return ops.broadcast_to(ops.reshape(inputs, (batch, 1, features)), (batch, self.n, features))
