"""Layers that combine a list of inputs into one output, and the same as functions."""

from __future__ import annotations

from functools import reduce
from typing import Any

from falconet import ops
from falconet.layers.layer import Layer


class Merge(Layer):
    """Base of layers on a list of inputs of one shape (or shapes that broadcast): subclasses write `_merge(inputs)`."""

    _least_inputs = 1

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        inputs = self._listed(inputs)
        rank = max(len(x.shape) for x in inputs)
        return self._merge([self._to_rank(x, rank) for x in inputs])

    def _listed(self, inputs: Any) -> list[Any]:
        if not isinstance(inputs, (list, tuple)) or len(inputs) < self._least_inputs:
            came = f"{len(inputs)} input(s)" if isinstance(inputs, (list, tuple)) else "a single input"
            raise ValueError(f"[{self.label}] needs a list of at least {self._least_inputs} inputs, got {came}.")
        return list(inputs)

    @staticmethod
    def _to_rank(x: Any, rank: int) -> Any:
        """Adds axes of size 1 after the batch axis."""
        shape = tuple(x.shape)
        return x if len(shape) == rank else ops.reshape(x, (*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]))

    def _merge(self, inputs: list[Any]) -> Any:
        raise NotImplementedError(f"[{type(self).__name__}] a merging layer defines _merge(inputs)")

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if not isinstance(mask, (list, tuple)) or any(m is None for m in mask):
            return None
        return reduce(ops.logical_or, mask)


class Add(Merge):
    """y = x0 + x1 + ...

    >>> import numpy as np
    >>> Add()([np.ones((2, 3)), np.ones((2, 3))]).shape
    (2, 3)
    """

    def _merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.add, inputs)


class Subtract(Merge):
    """y = x0 - x1."""

    _least_inputs = 2

    def _merge(self, inputs: list[Any]) -> Any:
        if len(inputs) != 2:
            raise ValueError(f"[{self.label}] needs exactly 2 inputs, got {len(inputs)}.")
        return ops.subtract(inputs[0], inputs[1])


class Multiply(Merge):
    """y = x0 * x1 * ..."""

    def _merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.multiply, inputs)


class Average(Merge):
    """y = (x0 + x1 + ...) / count."""

    def _merge(self, inputs: list[Any]) -> Any:
        return ops.divide(reduce(ops.add, inputs), len(inputs))


class Maximum(Merge):
    """y = max(x0, x1, ...), element by element."""

    def _merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.maximum, inputs)


class Minimum(Merge):
    """y = min(x0, x1, ...), element by element."""

    def _merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.minimum, inputs)


class Concatenate(Merge):
    """Joins the inputs along `axis`; their other sizes must agree."""

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        inputs = self._listed(inputs)
        shapes = [tuple(x.shape) for x in inputs]
        rank = len(shapes[0])
        if any(len(shape) != rank for shape in shapes) or not -rank <= self.axis < rank:
            raise ValueError(f"[{self.label}] cannot join shapes {shapes} along axis {self.axis}: ranks must agree.")
        axis = self.axis % rank
        if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) != 1:
            raise ValueError(
                f"[{self.label}] cannot join shapes {shapes} along axis {self.axis}: other sizes must agree."
            )
        return ops.concatenate(inputs, axis=axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if not isinstance(mask, (list, tuple)) or all(m is None for m in mask):
            return None
        full = []
        for x, m in zip(inputs, mask, strict=False):
            if m is None:
                m = ops.ones_like(x, dtype="bool")
            elif len(m.shape) < len(x.shape):
                m = ops.broadcast_to(ops.expand_dims(m, axis=-1), tuple(x.shape))
            full.append(m)
        return ops.any(ops.concatenate(full, axis=self.axis), axis=-1)


class Dot(Merge):
    """Sums of products along one axis of each input, sample by sample.

    axes: one axis for both, or a pair. x (b, i, k), y (b, k, j) with axes (2, 1) -> (b, i, j).
    normalize: scale both to unit length along their axis first (cosine similarity).
    """

    _least_inputs = 2

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pair = isinstance(axes, (list, tuple)) and len(axes) == 2 and all(isinstance(a, int) for a in axes)
        if not isinstance(axes, int) and not pair:
            raise ValueError(f"[{self.label}] `axes` must be an integer or a pair of integers, got {axes!r}.")
        self.axes = axes
        self.normalize = normalize

    def call(self, inputs: Any) -> Any:
        inputs = self._listed(inputs)
        if len(inputs) != 2:
            raise ValueError(f"[{self.label}] needs exactly 2 inputs, got {len(inputs)}.")
        x, y = inputs
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        ax, ay = pair[0] % len(x.shape), pair[1] % len(y.shape)
        if ax == 0 or ay == 0:
            raise ValueError(f"[{self.label}] `axes` {self.axes} is the batch axis of an input; count from 1.")
        if x.shape[ax] != y.shape[ay]:
            raise ValueError(
                f"[{self.label}] axis {ax} of {tuple(x.shape)} and axis {ay} of {tuple(y.shape)} differ in size."
            )
        if self.normalize:
            x, y = ops.normalize(x, axis=ax), ops.normalize(y, axis=ay)
        return self._contract(x, ax, y, ay)

    @staticmethod
    def _contract(x: Any, ax: int, y: Any, ay: int) -> Any:
        """Both as (batch, rest, k) and (batch, k, rest), one product, and the rest axes restored."""
        batch, k = x.shape[0], x.shape[ax]
        rest_x = [a for a in range(1, len(x.shape)) if a != ax]
        rest_y = [a for a in range(1, len(y.shape)) if a != ay]
        sizes_x, sizes_y = [x.shape[a] for a in rest_x], [y.shape[a] for a in rest_y]
        count_x, count_y = reduce(lambda a, b: a * b, sizes_x, 1), reduce(lambda a, b: a * b, sizes_y, 1)
        left = ops.reshape(ops.transpose(x, (0, *rest_x, ax)), (batch, count_x, k))
        right = ops.reshape(ops.transpose(y, (0, ay, *rest_y)), (batch, k, count_y))
        return ops.reshape(ops.matmul(left, right), (batch, *sizes_x, *sizes_y) if rest_x or rest_y else (batch, 1))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


def add(inputs: Any, **kwargs: Any) -> Any:
    """`Add()(inputs)`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """`Subtract()(inputs)`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """`Multiply()(inputs)`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """`Average()(inputs)`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """`Maximum()(inputs)`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """`Minimum()(inputs)`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis)(inputs)`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """`Dot(axes)(inputs)`."""
    return Dot(axes=axes, **kwargs)(inputs)
