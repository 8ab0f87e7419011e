"""Input, Dense, Embedding, Masking, Lambda and Identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from falconet import activations, constraints, dtypes, initializers, ops, regularizers
from falconet.layers.checks import positive_int, refuse
from falconet.layers.input_spec import InputSpec
from falconet.layers.layer import Layer
from falconet.tracing import KerasTensor, in_trace, record_call
from falconet.variables import Variable


class InputLayer(Layer):
    """The place where data enters a model; `Input()` makes one and returns its symbolic tensor."""

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        refuse(self, sparse=sparse, ragged=ragged)
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ValueError(f"[InputLayer] `input_tensor` must be a KerasTensor, got {input_tensor!r}.")
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
        elif shape is not None and batch_shape is not None:
            raise ValueError("[InputLayer] pass either `shape` or `batch_shape`, not both.")
        elif shape is None and batch_shape is None:
            raise ValueError("[InputLayer] pass `shape`, the shape of one sample without the batch axis.")
        if batch_shape is None:
            batch_shape = (batch_size, *_shape_of("shape", shape))
        self._batch_shape = _shape_of("batch_shape", batch_shape)
        self._dtype = dtypes.standardize_dtype(dtype)
        self.optional = optional
        self.built = True
        tensor = (
            KerasTensor(self._batch_shape, dtype=self._dtype, name=self.name) if input_tensor is None else input_tensor
        )
        self._records.append(record_call(self, (), {}, tensor))

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        return self._batch_shape

    @property
    def dtype(self) -> str:
        return self._dtype

    def get_config(self) -> dict[str, Any]:
        config = {"batch_shape": self._batch_shape, "dtype": self._dtype, "name": self.name}
        return {**config, "optional": True} if self.optional else config

    def call(self) -> Any:
        return self.output


def _shape_of(argument: str, shape: Any) -> tuple[int | None, ...]:
    if isinstance(shape, int):
        raise ValueError(f"[Input] `{argument}` must be a tuple such as ({shape},), got {shape!r}.")
    found = []
    for size in shape:
        if size is not None and (isinstance(size, bool) or not hasattr(size, "__index__") or int(size) < 0):
            raise ValueError(f"[Input] `{argument}` must hold integers >= 0 or None, got {tuple(shape)!r}.")
        found.append(None if size is None else int(size))
    return tuple(found)


def Input(  # noqa: N802 - Keras's name
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor (batch_size, *shape) with which functional models begin.

    >>> Input((3,)).shape
    (None, 3)
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    return layer.output


class Dense(Layer):
    """Affine map of the last axis: y = activation(x @ kernel + bias).

    Shapes: x (..., n) -> y (..., units); kernel (n, units); bias (units,).
    Init:   kernel uniform in +-sqrt(6 / (n + units)) (Glorot & Bengio 2010, eq. 16); bias 0.
    Cost:   2 * n * units flops per row.

    >>> import numpy as np
    >>> Dense(3)(np.ones((2, 5), "float32")).shape
    (2, 3)
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        refuse(self, lora_rank=lora_rank, lora_alpha=lora_alpha, quantization_config=quantization_config)
        self.units = positive_int(self, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Variable | None = None
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        if width is None:
            raise ValueError(f"[{self.label}] the last axis of the input must be known, got {tuple(input_shape)}.")
        self.kernel = self.add_weight(
            (width, self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: width})

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return x if self.activation is None else self.activation(x)


class Embedding(Layer):
    """Rows of a table, picked by integer: y[..., :] = embeddings[x[...]].

    Shapes: x (...) integers in [0, input_dim) -> y (..., output_dim); embeddings (input_dim, output_dim).
    mask_zero: index 0 is padding; a mask x != 0 goes along with the output.
    weights: an initial table.

    >>> import numpy as np
    >>> Embedding(10, 4)(np.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        input_length = kwargs.pop("input_length", None)
        super().__init__(**kwargs)
        refuse(self, lora_rank=lora_rank, lora_alpha=lora_alpha, quantization_config=quantization_config)
        if input_length is not None:
            raise ValueError(f"[{self.label}] `input_length` is not needed; leave it out.")
        self.input_dim = positive_int(self, "input_dim", input_dim)
        self.output_dim = positive_int(self, "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.autocast = False
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, (list, tuple)) else [weights])

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings",
        )

    def call(self, inputs: Any) -> Any:
        dtype = dtypes.standardize_dtype(inputs.dtype)
        if "int" not in dtype:
            if not in_trace() and bool(ops.any(ops.not_equal(ops.floor(inputs), inputs))):
                raise ValueError(f"[{self.label}] indices must be whole numbers, got fractions in a {dtype} array.")
            inputs = ops.cast(inputs, "int32")
        return ops.take(self.embeddings, inputs, axis=0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("weights", None)  # the table is state, not configuration
        return config


class Masking(Layer):
    """Marks time steps whose features all equal `mask_value`: they become 0 and a mask goes along with the output.

    Shapes: x (batch, time, features) -> y of the same shape, mask (batch, time), True where the step counts.
    """

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        counts = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return ops.where(counts, inputs, ops.zeros_like(inputs))


class Identity(Layer):
    """y = x."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs


class Lambda(Layer):
    """A function as a layer: y = function(x, **arguments). Variables do not belong in it; write a `Layer` for those.

    output_shape: checked against the shape that comes out, where given (without the batch axis).
    mask: a function (inputs, mask) -> mask, or the mask itself.
    A model with a Lambda can be saved where its function is registered by `register_keras_serializable`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise ValueError(f"[{self.label}] `function` must be callable, got {function!r}.")
        self.function = function
        self.output_shape = output_shape
        self.mask = mask
        self.arguments = arguments or {}
        self.supports_masking = mask is not None

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        from falconet.signature import signature_of

        kwargs = dict(self.arguments)
        names = signature_of(self.function, skip=0).names
        if "mask" in names:
            kwargs["mask"] = mask
        if "training" in names:
            kwargs["training"] = training
        outputs = self.function(inputs, **kwargs)
        if isinstance(self.output_shape, tuple) and tuple(outputs.shape[1:]) != tuple(
            got if want is None else want for want, got in zip(self.output_shape, outputs.shape[1:], strict=False)
        ):
            raise ValueError(
                f"`output_shape` is {self.output_shape}, but the function returned shape {tuple(outputs.shape)}."
            )
        return outputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask
