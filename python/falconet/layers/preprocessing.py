"""Normalization: scaling inputs by statistics of the data, found by `adapt` or given."""

from __future__ import annotations

from typing import Any

import numpy as np

from falconet import config, dtypes, ops
from falconet.layers.layer import Layer


class Normalization(Layer):
    """y = (x - mean) / max(sqrt(variance), epsilon), per index of `axis`; the inverse where `invert` is set.

    axis: the axes that keep statistics of their own (None: one mean and variance for everything).
    mean, variance: the statistics, where known; otherwise `adapt(data)` finds them.

    >>> import numpy as np
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0], [2.0]], "float32"))
    >>> layer(np.array([[3.0]], "float32")).numpy().tolist()
    [[2.0]]
    """

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None):
            raise ValueError(f"[{self.label}] pass both `mean` and `variance`, or neither.")
        if mean is not None and np.shape(mean) != np.shape(variance):
            raise ValueError(
                f"[{self.label}] `mean` and `variance` must have one shape, got {np.shape(mean)} and "
                f"{np.shape(variance)}."
            )
        self.input_mean = mean
        self.input_variance = variance
        self.invert = invert
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        if any(not -rank <= a < rank for a in self.axis):
            raise ValueError(
                f"[{self.label}] `axis` {self.axis} is outside the input's axes, shape {tuple(input_shape)}."
            )
        keep = sorted(a % rank for a in self.axis)
        if any(input_shape[a] is None for a in keep):
            raise ValueError(f"[{self.label}] sizes of `axis` {self.axis} must be known, got {tuple(input_shape)}.")
        self._reduced = tuple(a for a in range(rank) if a not in keep)
        self._broadcast = tuple(input_shape[a] if a in keep else 1 for a in range(rank))
        self._kept_shape = tuple(input_shape[a] for a in keep)
        self._built_for = tuple(input_shape)
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(self._kept_shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(self._kept_shape, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")

    def _statistics(self) -> tuple[Any, Any]:
        if self.input_mean is None:
            return ops.reshape(self.adapt_mean, self._broadcast), ops.reshape(self.adapt_variance, self._broadcast)
        given = []
        for value in (self.input_mean, self.input_variance):
            value = np.asarray(value, dtype=self.compute_dtype)
            if value.ndim:
                value = np.broadcast_to(value, self._kept_shape).reshape(self._broadcast)
            given.append(ops.convert_to_tensor(np.broadcast_to(value, self._broadcast)))
        return given[0], given[1]

    def adapt(self, data: Any) -> None:
        """Finds mean and variance of an array, or of an iterable of arrays (batches)."""
        if self.input_mean is not None:
            raise ValueError(f"[{self.label}] adapt: `mean` and `variance` were given to the constructor.")
        batches = [data] if hasattr(data, "shape") else data
        if not hasattr(batches, "__iter__") and not hasattr(batches, "__getitem__"):
            raise TypeError(
                f"[{self.label}] adapt: needs an array or an iterable of arrays, got {type(data).__name__}."
            )
        total, mean, variance = 0, np.zeros(()), np.zeros(())
        for batch in batches:
            batch = np.asarray(batch[0] if isinstance(batch, (list, tuple)) else batch)
            if batch.ndim == 1 and not hasattr(data, "shape"):
                batch = batch[:, None]
            if not self.built:
                self.build(batch.shape)
            self._check_batch(batch.shape)
            # Chan et al. 1979: statistics of two sets joined, in float64.
            count = int(np.prod([batch.shape[a] for a in self._reduced], dtype=np.int64))
            if count == 0:
                continue
            batch_mean = batch.mean(axis=self._reduced, dtype=np.float64)
            batch_variance = batch.var(axis=self._reduced, dtype=np.float64)
            part = count / (total + count)
            delta = batch_mean - mean
            variance = variance * (1 - part) + batch_variance * part + delta * delta * part * (1 - part)
            mean = mean + delta * part
            total += count
        if total == 0:
            raise ValueError(f"[{self.label}] adapt: the data is empty.")
        self.adapt_mean.assign(mean.astype(self.variable_dtype))
        self.adapt_variance.assign(variance.astype(self.variable_dtype))

    def _check_batch(self, shape: tuple[int, ...]) -> None:
        fits = len(shape) == len(self._built_for) and all(
            a in self._reduced or shape[a] == self._built_for[a] for a in range(len(shape))
        )
        if not fits:
            raise ValueError(f"[{self.label}] adapt: data of shape {shape} does not fit input shape {self._built_for}.")

    def call(self, inputs: Any) -> Any:
        x = inputs if dtypes.is_float(inputs.dtype) else ops.cast(inputs, self.compute_dtype)
        mean, variance = self._statistics()
        deviation = ops.maximum(ops.sqrt(variance), config.epsilon())
        if self.invert:
            return ops.add(mean, ops.multiply(x, deviation))
        return ops.divide(ops.subtract(x, mean), deviation)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name, value in (("mean", self.input_mean), ("variance", self.input_variance)):
            config[name] = None if value is None else np.asarray(value).tolist()
        return config
