"""Copies of a model: the same architecture with fresh weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from falconet import tree
from falconet.layers.core import InputLayer
from falconet.layers.layer import Layer
from falconet.models.graph import OpCall
from falconet.models.model import Model
from falconet.models.trainer import Trainer
from falconet.tracing import KerasTensor


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Model:
    """A model of the same architecture with new layers and fresh weights, compiled where the model is.

    input_tensors: symbolic tensors to use as its inputs. clone_function: layer -> its copy, by default from its config.
    call_function: (layer, *args, **kwargs) -> output, in place of calling the layer. recursive: clone the layers inside
    nested models one by one.
    """
    if not isinstance(model, Model):
        raise ValueError(f"[clone_model] `model` must be a Model, got {type(model).__name__}.")
    copied = _cloned(model, input_tensors, clone_function, call_function, recursive)
    if not copied.compiled:
        compile_like(copied, model)
    return copied


def compile_like(model: Model, other: Model) -> None:
    """Compiles a model with what the other was compiled with; nothing happens where that was not, or in its own way."""
    if other.compiled and type(other).compile is Trainer.compile:
        model.compile(**tree.map_structure(_fresh, other._compile_config))


def _fresh(value: Any) -> Any:
    """A part of what compile() was given, with new state: metrics and optimizers belong to one model."""
    return type(value).from_config(value.get_config()) if hasattr(value, "get_config") else value


def _cloned(model: Model, input_tensors: Any, clone_function: Any, call_function: Any, recursive: bool) -> Model:
    from falconet.models.sequential import Sequential

    def copy_layer(layer: Layer) -> Layer:
        if recursive and isinstance(layer, Model) and layer._graph is not None:
            return clone_model(layer, clone_function=clone_function, call_function=call_function, recursive=True)
        if clone_function is not None:
            return clone_function(layer)
        return type(layer).from_config(layer.get_config())

    if isinstance(model, Sequential) and input_tensors is None and call_function is None:
        stack = [layer if isinstance(layer, InputLayer) else copy_layer(layer) for layer in model._tracker.layers]
        stack = [InputLayer.from_config(x.get_config()) if isinstance(x, InputLayer) else x for x in stack]
        copied = type(model)(stack, name=model.name)
        copied._trainable = model.trainable
        return copied
    if model._graph is None:
        if any(given is not None for given in (input_tensors, clone_function, call_function)):
            raise ValueError(
                "[clone_model] `input_tensors`, `clone_function` and `call_function` need a functional or "
                "Sequential model."
            )
        return type(model).from_config(model.get_config())
    return _clone_graph(model, input_tensors, copy_layer, call_function)


def _clone_graph(
    model: Model, input_tensors: Any, copy_layer: Callable[[Layer], Layer], call_function: Callable[..., Any] | None
) -> Model:
    graph = model._graph
    copies: dict[Any, Any] = {}
    values: dict[int, Any] = {}
    given = tree.flatten(input_tensors) if input_tensors is not None else [None] * len(graph.inputs)
    if len(given) != len(graph.inputs):
        raise ValueError(
            f"[clone_model] `input_tensors` has {len(given)} tensors; the model has {len(graph.inputs)} inputs."
        )
    inputs = []
    for symbol, tensor in zip(graph.inputs, given, strict=False):
        if tensor is None:
            tensor = InputLayer.from_config(symbol.record.operation.get_config()).output
        inputs.append(tensor)
        values[id(symbol)] = tensor
    for original, new in graph._sources.items():
        values[original] = values[id(new)]

    def resolve(x: Any) -> Any:
        return values[id(x)] if isinstance(x, KerasTensor) else x

    for call in graph.calls:
        operation = call.operation
        if operation not in copies:
            copies[operation] = (
                OpCall(operation.function, operation.name) if isinstance(operation, OpCall) else copy_layer(operation)
            )
        args, kwargs = tree.map_structure(resolve, call.args), tree.map_structure(resolve, call.kwargs)
        copy = copies[operation]
        outputs = copy(*args, **kwargs) if call_function is None else call_function(copy, *args, **kwargs)
        for symbol, value in zip(call.outputs, tree.flatten(outputs), strict=False):
            values[id(symbol)] = value
    from falconet.models.functional import Functional

    made = type(model) if type(model).__init__ is Functional.__init__ else Functional
    struct = tree.pack_sequence_as(graph.inputs_struct, inputs)
    copied = made(struct, tree.map_structure(resolve, graph.outputs_struct), name=model.name)
    copied._trainable = model.trainable
    return copied
