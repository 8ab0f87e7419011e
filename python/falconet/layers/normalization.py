"""Layers that bring activations to a common scale."""

from __future__ import annotations

from typing import Any

from falconet import constraints, dtypes, initializers, ops, regularizers
from falconet.layers.checks import refuse
from falconet.layers.input_spec import InputSpec
from falconet.layers.layer import Layer
from falconet.variables import Variable


def _axes(layer: Layer, axis: Any) -> Any:
    if isinstance(axis, (list, tuple)):
        return list(axis)
    if isinstance(axis, int):
        return axis
    raise TypeError(f"[{type(layer).__name__}] `axis` must be an integer or a list of integers, got {axis!r}.")


def _sizes(layer: Layer, input_shape: Any, axis: Any) -> tuple[int, ...]:
    """Sizes of the given axes of an input, all of which must be known."""
    rank = len(input_shape)
    found = []
    for one in axis if isinstance(axis, (list, tuple)) else [axis]:
        if not -rank <= one < rank:
            raise ValueError(
                f"[{layer.label}] `axis` {one} is outside the input's {rank} axes, shape {tuple(input_shape)}."
            )
        if input_shape[one] is None:
            raise ValueError(f"[{layer.label}] axis {one} of the input must be known, got shape {tuple(input_shape)}.")
        found.append(input_shape[one])
    return tuple(found)


class _ScaleAndShift(Layer):
    """Shared by the layers that end in y * gamma + beta."""

    def __init__(
        self,
        axis: Any,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(self, axis)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        self.supports_masking = True

    def _add_scale_and_shift(self, shape: tuple[int, ...]) -> None:
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                autocast=False,
                name="gamma",
            )
        if self.center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                autocast=False,
                name="beta",
            )


class BatchNormalization(_ScaleAndShift):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, per index of `axis`.

    Training: mean and (biased) variance of the batch, and moving <- moving * momentum + batch * (1 - momentum).
    Inference, and always where `trainable` is False: the moving values.
    With a mask, only unmasked positions count. synchronized: with one process there is nothing to synchronise.
    Ioffe & Szegedy 2015.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            int(axis), epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip
        refuse(self, renorm=renorm, renorm_clipping=renorm_clipping)
        self.momentum = momentum
        self.renorm_momentum = renorm_momentum
        self.synchronized = synchronized
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Any) -> None:
        shape = _sizes(self, input_shape, self.axis)
        self._add_scale_and_shift(shape)
        self.moving_mean = self.add_weight(
            shape, self.moving_mean_initializer, trainable=False, autocast=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, trainable=False, autocast=False, name="moving_variance"
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if mask is not None and len(mask.shape) != len(inputs.shape) - 1:
            raise ValueError(
                f"`mask` must have one axis less than the input: mask {tuple(mask.shape)}, input {tuple(inputs.shape)}."
            )
        mean, variance = self.moving_mean, self.moving_variance
        if training and self.trainable:
            mean, variance = self._moments(inputs, mask)
            keep = self.momentum
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(ops.add(ops.multiply(moving, keep), ops.multiply(batch, 1.0 - keep)))
        return ops.batch_normalization(
            inputs, mean, variance, axis=self.axis, offset=self.beta, scale=self.gamma, epsilon=self.epsilon
        )

    def _moments(self, inputs: Any, mask: Any) -> tuple[Any, Any]:
        rank = len(inputs.shape)
        axes = [a for a in range(rank) if a != self.axis % rank]
        if mask is None:
            return ops.moments(inputs, axes=axes)
        weights = ops.broadcast_to(ops.expand_dims(ops.cast(mask, inputs.dtype), axis=-1), tuple(inputs.shape))
        count = ops.maximum(ops.sum(weights, axis=axes, keepdims=True), 1e-7)
        mean = ops.divide(ops.sum(ops.multiply(inputs, weights), axis=axes, keepdims=True), count)
        squares = ops.multiply(weights, ops.square(ops.subtract(inputs, mean)))
        variance = ops.divide(ops.sum(squares, axis=axes, keepdims=True), count)
        return ops.squeeze(mean, axes), ops.squeeze(variance, axes)


class LayerNormalization(_ScaleAndShift):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, mean and variance over `axis` of each sample.

    Ba, Kiros & Hinton 2016. gamma, beta: the sizes of `axis`.
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
            beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        if config.get("rms_scaling"):  # Keras still writes this argument, which it has given up
            raise ValueError(f"[{cls.__name__}] from_config: rms_scaling=True is not available; use RMSNormalization.")
        return super().from_config({key: value for key, value in config.items() if key != "rms_scaling"})

    def build(self, input_shape: Any) -> None:
        self._add_scale_and_shift(_sizes(self, input_shape, self.axis))

    def call(self, inputs: Any) -> Any:
        return ops.layer_normalization(inputs, self.gamma, self.beta, axis=self.axis, epsilon=self.epsilon)


class RMSNormalization(Layer):
    """y = scale * x / sqrt(mean(x^2) + epsilon), the mean over `axis` (Zhang & Sennrich 2019)."""

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(self, axis)
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(_sizes(self, input_shape, self.axis), "ones", name="scale")

    def call(self, inputs: Any) -> Any:
        return ops.rms_normalization(inputs, scale=self.scale, axis=self.axis, epsilon=self.epsilon)


class UnitNormalization(Layer):
    """y = x / |x|, the Euclidean norm taken over `axis`."""

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = _axes(self, axis)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return ops.normalize(inputs, axis=self.axis, order=2, epsilon=1e-12)


class Rescaling(Layer):
    """y = x * scale + offset."""

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = inputs if dtypes.is_float(inputs.dtype) else ops.cast(inputs, self.compute_dtype)
        return ops.add(
            ops.multiply(x, ops.convert_to_tensor(self.scale, x.dtype)), ops.convert_to_tensor(self.offset, x.dtype)
        )
