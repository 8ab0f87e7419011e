"""Layers around another layer."""

from __future__ import annotations

from typing import Any

from falconet import ops
from falconet.layers.call_state import state
from falconet.layers.layer import Layer
from falconet.signature import signature_of


class Wrapper(Layer):
    """Base of layers that hold one other layer, as `layer`."""

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(
                f"[{type(self).__name__}] `layer` must be a Layer, got {layer!r} of type {type(layer).__name__}."
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)


class TimeDistributed(Wrapper):
    """Applies `layer` to every time step: x (batch, time, ...) -> y (batch, time, ...).

    All steps are one batch of batch * time samples for the inner layer.
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        if len(input_shape) < 3:
            raise ValueError(
                f"[{self.label}] needs an input of at least 3 axes (batch, time, ...), got {tuple(input_shape)}."
            )
        super().build((input_shape[0], *input_shape[2:]))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        batch, time, *rest = inputs.shape
        if mask is not None and tuple(mask.shape[:2]) != (batch, time):
            raise ValueError(f"`mask` must begin with (batch, time) = {(batch, time)}, got shape {tuple(mask.shape)}.")
        names = signature_of(self.layer.call).names
        kwargs: dict[str, Any] = {}
        if mask is not None and "mask" in names:
            kwargs["mask"] = ops.reshape(mask, (batch * time, *mask.shape[2:]))
        if "training" in names:
            kwargs["training"] = training if training is not None else state.training
        outputs = self.layer(ops.reshape(inputs, (batch * time, *rest)), **kwargs)
        return ops.reshape(outputs, (batch, time, *outputs.shape[1:]))
