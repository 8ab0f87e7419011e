"""Layers that disturb training to make what is learned hold up: active only where `training` is True."""

from __future__ import annotations

from typing import Any

from falconet import ops, random
from falconet.layers.checks import fraction
from falconet.layers.input_spec import InputSpec
from falconet.layers.layer import Layer
from falconet.random import SeedGenerator
from falconet.regularizers import L1L2


class Dropout(Layer):
    """In training each value is set to 0 with probability `rate`, the others scaled by 1 / (1 - rate).

    noise_shape: shape of the mask, None for a size of the input; sizes of 1 drop whole slices together.
    Srivastava et al. 2014.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = fraction(self, "rate", rate)
        self.seed = seed
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        if self.rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def _noise_shape(self, inputs: Any) -> tuple[int, ...]:
        shape = tuple(inputs.shape)
        if self.noise_shape is None:
            return shape
        return tuple(size if wanted is None else wanted for wanted, size in zip(self.noise_shape, shape, strict=False))

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        return random.dropout(inputs, self.rate, noise_shape=self._noise_shape(inputs), seed=self.seed_generator)


class _SpatialDropout(Dropout):
    """Drops whole feature maps: one draw per sample and channel."""

    _spatial = 1

    def __init__(self, rate: float, data_format: str | None = None, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(rate, seed=seed, **kwargs)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(
                f'[{self.label}] `data_format` must be "channels_last" or "channels_first", got {data_format!r}.'
            )
        self.data_format = data_format or "channels_last"
        self.input_spec = InputSpec(ndim=self._spatial + 2)

    def _noise_shape(self, inputs: Any) -> tuple[int, ...]:
        batch, ones = inputs.shape[0], (1,) * self._spatial
        if self.data_format == "channels_first":
            return (batch, inputs.shape[1], *ones)
        return (batch, *ones, inputs.shape[-1])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("noise_shape", None)
        return config


class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole channels of x (batch, time, channels)."""

    def __init__(self, rate: float, seed: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed, "name": self.name, "dtype": self.dtype}


class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels of x (batch, height, width, channels)."""

    _spatial = 2


class SpatialDropout3D(_SpatialDropout):
    """Dropout of whole channels of x (batch, a, b, c, channels)."""

    _spatial = 3


class GaussianNoise(Layer):
    """In training y = x + n, n normal with mean 0 and standard deviation `stddev`."""

    def __init__(self, stddev: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = fraction(self, "stddev", stddev)
        self.seed = seed
        if self.stddev > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.stddev == 0:
            return inputs
        noise = random.normal(tuple(inputs.shape), 0.0, self.stddev, dtype=self.compute_dtype, seed=self.seed_generator)
        return ops.add(inputs, noise)


class GaussianDropout(Layer):
    """In training y = x * n, n normal with mean 1 and standard deviation sqrt(rate / (1 - rate)) (Srivastava et al.
    2014)."""

    def __init__(self, rate: float, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = fraction(self, "rate", rate)
        self.seed = seed
        if self.rate > 0:
            self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        deviation = (self.rate / (1.0 - self.rate)) ** 0.5
        noise = random.normal(tuple(inputs.shape), 1.0, deviation, dtype=self.compute_dtype, seed=self.seed_generator)
        return ops.multiply(inputs, noise)


# The fixed point of the SELU activation (Klambauer et al. 2017): -scale * alpha is its lower limit.
_SELU_FLOOR = -1.6732632423543772 * 1.0507009873554805


class AlphaDropout(Dropout):
    """Dropout for SELU networks: dropped values become SELU's lower limit, and an affine map restores mean and
    variance.

    Klambauer et al. 2017.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        drawn = random.uniform(self._noise_shape(inputs), seed=self.seed_generator)
        kept = ops.cast(ops.greater_equal(drawn, self.rate), inputs.dtype)
        a = ((1 - self.rate) * (1 + self.rate * _SELU_FLOOR**2)) ** -0.5
        x = ops.add(ops.multiply(inputs, kept), ops.multiply(ops.subtract(1.0, kept), _SELU_FLOOR))
        return ops.add(ops.multiply(x, a), -a * _SELU_FLOOR * self.rate)


class ActivityRegularization(Layer):
    """y = x; adds l1 * sum |x| + l2 * sum x^2 to the loss."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer", None)  # made of l1 and l2
        return config
