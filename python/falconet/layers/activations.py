"""Activations as layers. y has the shape of x."""

from __future__ import annotations

from typing import Any

from falconet import activations, constraints, initializers, ops, regularizers
from falconet.layers.input_spec import InputSpec
from falconet.layers.layer import Layer


class Activation(Layer):
    """y = activation(x), by name or function.

    >>> import numpy as np
    >>> Activation("relu")(np.array([[-1.0, 2.0]])).numpy().tolist()
    [[0.0, 2.0]]
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)


def _at_least_zero(layer: Layer, argument: str, value: Any) -> float:
    if value is None or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"[{type(layer).__name__}] `{argument}` must be a number >= 0, got {value!r}.")
    return value


class ReLU(Layer):
    """y = min(x, max_value) where x >= threshold, negative_slope * (x - threshold) below."""

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else _at_least_zero(self, "max_value", max_value)
        self.negative_slope = _at_least_zero(self, "negative_slope", negative_slope)
        self.threshold = _at_least_zero(self, "threshold", threshold)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return activations.relu(
            inputs, negative_slope=self.negative_slope, max_value=self.max_value, threshold=self.threshold
        )


class LeakyReLU(Layer):
    """y = x where x > 0, negative_slope * x elsewhere (Maas et al. 2013)."""

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:  # the argument's earlier name
            negative_slope = kwargs.pop("alpha")
        super().__init__(**kwargs)
        self.negative_slope = _at_least_zero(self, "negative_slope", negative_slope)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)


class ELU(Layer):
    """y = x where x > 0, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2016)."""

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return activations.elu(inputs, alpha=self.alpha)


class PReLU(Layer):
    """y = x where x > 0, alpha * x elsewhere, alpha learned per position (He et al. 2015).

    Shapes: x (batch, *s) -> y (batch, *s); alpha s, with size 1 along `shared_axes` (counted from 1).
    """

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes and list(shared_axes)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        shared = self.shared_axes or ()
        shape = tuple(1 if axis in shared else size for axis, size in enumerate(input_shape) if axis > 0)
        self.alpha = self.add_weight(
            shape,
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )
        own = {axis: size for axis, size in enumerate(input_shape) if axis > 0 and axis not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=own)

    def call(self, inputs: Any) -> Any:
        return ops.subtract(ops.relu(inputs), ops.multiply(self.alpha, ops.relu(ops.negative(inputs))))


class Softmax(Layer):
    """y = exp(x) / sum of exp(x) along `axis` (one axis, or several together). Masked positions get 0."""

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            # exp of this is 0 beside any ordinary value, and it stays finite where a whole row is masked.
            inputs = ops.where(mask, inputs, ops.full_like(inputs, -3e4 if str(inputs.dtype) == "float16" else -1e9))
        if not isinstance(self.axis, (list, tuple)):
            outputs = activations.softmax(inputs, axis=self.axis)
        elif len(self.axis) == 1:
            outputs = activations.softmax(inputs, axis=self.axis[0])
        else:
            outputs = ops.exp(ops.subtract(inputs, ops.logsumexp(inputs, axis=tuple(self.axis), keepdims=True)))
        return outputs if mask is None else ops.multiply(outputs, ops.cast(mask, outputs.dtype))
