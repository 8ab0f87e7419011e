"""Sequential: a stack of layers, each with one input and one output."""

from __future__ import annotations

from typing import Any

from falconet import tree
from falconet.layers.core import InputLayer
from falconet.layers.layer import Layer
from falconet.masks import masks_of
from falconet.models.graph import Graph
from falconet.models.model import Model
from falconet.naming import name_scope
from falconet.saving.registration import CustomObjectScope
from falconet.saving.serialization import deserialize_keras_object, serialize_keras_object
from falconet.signature import signature_of
from falconet.tracing import KerasTensor


class Sequential(Model):
    """A stack of layers. With an `Input` first its weights exist at once, otherwise from the first call or `build` on.

    >>> from falconet.layers import Dense, Input
    >>> Sequential([Input((4,)), Dense(8, activation="relu"), Dense(1)]).count_params()
    49
    """

    builds_from_shape = True

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        if layers is not None and not isinstance(layers, (list, tuple)):
            raise ValueError(f"[{self.label}] `layers` must be a list of layers, got {type(layers).__name__}.")
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._maybe_rebuild()

    @property
    def layers(self) -> list[Any]:
        stack = self._tracker.layers
        return list(stack[1:] if stack and isinstance(stack[0], InputLayer) else stack)

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Puts a layer on top. `Input()` tensors count as input layers."""
        stack = self._tracker.layers
        if isinstance(layer, KerasTensor) and layer.record is not None:
            layer = layer.record.operation
        if not isinstance(layer, Layer):
            raise ValueError(
                f"[{self.label}] add: `layer` must be a Layer, got {layer!r} of type {type(layer).__name__}."
            )
        if not stack and getattr(layer, "_input_shape_arg", None) is not None:
            self.add(InputLayer(shape=layer._input_shape_arg), rebuild=False)
        if any(other.name == layer.name for other in stack):
            raise ValueError(
                f"[{self.label}] add: there is a layer named {layer.name!r} already; give this one another name."
            )
        if isinstance(layer, InputLayer) and stack:
            raise ValueError(
                f"[{self.label}] add: an Input must come first, but the model has {len(stack)} layer(s) already."
            )
        graph = self._graph
        stack.append(layer)
        self._forget_graph()
        if rebuild and graph is not None:  # one more call on top of those already made
            self._check_single_input(layer)
            with name_scope(self.name, caller=self):
                self._set_graph(Graph(graph.inputs_struct, layer(graph.outputs_struct), self.name))
        elif rebuild:
            self._maybe_rebuild()

    def pop(self, rebuild: bool = True) -> Any:
        """Takes the top layer off and returns it."""
        if not self.layers:
            raise TypeError(f"[{self.label}] pop: the model has no layers.")
        layer = self._tracker.layers.pop()
        self._forget_graph()
        if rebuild:
            self._maybe_rebuild()
        return layer

    def _forget_graph(self) -> None:
        object.__setattr__(self, "_graph", None)
        self.built = False
        self._invalidate_programs()

    def _maybe_rebuild(self) -> None:
        stack = self._tracker.layers
        if len(stack) > 1 and isinstance(stack[0], InputLayer):
            self.build(stack[0].batch_shape)
        elif (
            stack
            and getattr(stack[0], "_graph", None) is not None
            and not isinstance(stack[0].input_shape, (list, dict))
        ):
            self.build(stack[0].input_shape)

    def _lock_state(self) -> None:
        """The stack may change at any time."""

    def build(self, input_shape: Any = None) -> None:
        stack = self._tracker.layers
        if not stack:
            raise ValueError(f"[{self.label}] build: the model has no layers; add() some first.")
        if not isinstance(input_shape, (list, tuple)) or not all(d is None or isinstance(d, int) for d in input_shape):
            self._build_from_structure(input_shape)
            return
        shape = tuple(input_shape)
        if not isinstance(stack[0], InputLayer):
            stack.insert(0, InputLayer(batch_shape=shape, dtype=stack[0].compute_dtype))
        elif stack[0].batch_shape != shape and self._graph is not None:
            raise ValueError(f"[{self.label}] is built for input shape {stack[0].batch_shape}, not {shape}.")
        x = inputs = stack[0].output
        with name_scope(self.name, caller=self):
            for layer in stack[1:]:
                self._check_single_input(layer)
                x = layer(x)
        if isinstance(x, (list, tuple, dict)) and len(stack) > 1 and not tree.flatten(x):
            raise ValueError(f"[{self.label}] the last layer returns nothing.")
        self._set_graph(Graph(inputs, x, self.name))

    def _build_from_structure(self, input_shape: Any) -> None:
        if input_shape is not None:
            inputs = tree.map_shape_structure(lambda s: KerasTensor(tuple(s), dtype=self.input_dtype), input_shape)
            self.compute_output_spec(inputs)

    def _check_single_input(self, layer: Layer) -> None:
        signature = signature_of(layer.call)
        required = [n for n in signature.positional if n not in signature.defaults]
        if len(required) > 1:
            raise ValueError(
                f"[{self.label}] layer {layer.name!r} needs {len(required)} inputs {required}; layers of a Sequential "
                "model take one. Use Model(inputs, outputs) instead."
            )

    def _maybe_build(self, arguments: dict[str, Any]) -> None:
        if self._graph is None:
            x = arguments.get("inputs")
            shape = getattr(x, "shape", None)
            if shape is not None:
                # The batch size of a first call says nothing about later ones.
                self.build((None, *shape[1:]))
            self.built = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if self._graph is not None:
            return super().call(inputs, training=training, mask=mask)
        x = inputs
        for layer in self.layers:
            kwargs = (
                {"mask": masks_of(x)} if "mask" in signature_of(layer.call).names and masks_of(x) is not None else {}
            )
            x = layer(x, **kwargs)
        return x

    @property
    def input_dtype(self) -> str:
        stack = self._tracker.layers
        return stack[0].dtype if stack and isinstance(stack[0], InputLayer) else self.compute_dtype

    def get_config(self) -> dict[str, Any]:
        stack = self._tracker.layers
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [serialize_keras_object(layer) for layer in stack],
        }
        if self._graph is not None and isinstance(stack[0], InputLayer):
            config["build_input_shape"] = stack[0].batch_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Sequential:
        if "layers" not in config:
            raise ValueError(f"[Sequential] from_config: `config` needs the key 'layers', got {sorted(config)}.")
        with CustomObjectScope(custom_objects or {}):
            layers = [deserialize_keras_object(layer) for layer in config["layers"]]
        model = cls(name=config.get("name")) if cls is not Sequential else Sequential(layers, name=config.get("name"))
        if cls is not Sequential and not model._tracker.layers:
            for layer in layers:
                model.add(layer, rebuild=False)
            model._maybe_rebuild()
        if model._graph is None and config.get("build_input_shape"):
            model.build(tuple(config["build_input_shape"]))
        model._trainable = bool(config.get("trainable", True))
        return model
