"""Functional: a model given by symbolic inputs and outputs."""

from __future__ import annotations

from typing import Any

from falconet import tree
from falconet.layers.layer import Layer
from falconet.models.graph import Graph, OpCall
from falconet.models.model import Model
from falconet.models.op_names import name_of_op, op_by_name
from falconet.saving.registration import CustomObjectScope
from falconet.saving.serialization import deserialize_keras_object, serialize_keras_object
from falconet.tracing import KerasTensor


class Functional(Model):
    """A model given by symbolic inputs and outputs (any nested structure of them); `Model(inputs, outputs)` makes
    it."""

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(inputs, outputs, name=name, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Every layer's configuration, and the calls between them."""
        if type(self).__init__ is not Functional.__init__:
            return super().get_config()
        return functional_config(self)


def functional_config(model: Model) -> dict[str, Any]:
    """A graph model as plain values."""
    graph: Graph = model._graph
    address: dict[int, list[Any]] = {}  # id of a symbolic tensor -> [operation name, which call of it, which output]
    for operation in graph.operations:
        for index, call in enumerate(graph.calls_of(operation)):
            for position, tensor in enumerate(call.outputs):
                address[id(tensor)] = [operation.name, index, position]
    for original, new in graph._sources.items():
        address[original] = address[id(new)]
    layers = []
    for operation in graph.operations:
        if isinstance(operation, OpCall):
            config: dict[str, Any] = {"class_name": "__op__", "config": {"function": name_of_op(operation.function)}}
        else:
            config = serialize_keras_object(operation)
        config["name"] = operation.name
        config["inbound_nodes"] = [
            {"args": _pack(list(call.args), address), "kwargs": _pack(dict(call.kwargs), address)}
            for call in graph.calls_of(operation)
            if not call.is_input
        ]
        layers.append(config)

    def locate(struct: Any) -> Any:
        return _pack(struct, address)

    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": locate(graph.inputs_struct),
        "output_layers": locate(graph.outputs_struct),
    }


def _pack(value: Any, address: dict[int, list[Any]]) -> Any:
    """Call arguments as plain values: symbolic tensors by address, tuples marked (JSON has only lists)."""
    if isinstance(value, KerasTensor):
        return {"class_name": "__keras_tensor__", "config": {"keras_history": address[id(value)]}}
    if isinstance(value, tuple):
        return {"class_name": "__tuple__", "config": [_pack(v, address) for v in value]}
    if isinstance(value, list):
        return [_pack(v, address) for v in value]
    if isinstance(value, dict):
        return {key: _pack(v, address) for key, v in value.items()}
    return serialize_keras_object(value)


def _unpack(value: Any, tensors: dict[tuple[str, int, int], KerasTensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind == "__keras_tensor__":
        name, index, position = value["config"]["keras_history"]
        return tensors[name, index, position]
    if kind == "__tuple__":
        return tuple(_unpack(v, tensors) for v in value["config"])
    if kind is not None and "config" in value:
        return deserialize_keras_object(value)
    return {key: _unpack(v, tensors) for key, v in value.items()}


def _missing_tensor(value: Any, tensors: dict[tuple[str, int, int], KerasTensor]) -> bool:
    """Whether some tensor among packed arguments has not been made yet."""
    if isinstance(value, list):
        return any(_missing_tensor(v, tensors) for v in value)
    if not isinstance(value, dict):
        return False
    if value.get("class_name") == "__keras_tensor__":
        return tuple(value["config"]["keras_history"]) not in tensors
    return any(_missing_tensor(v, tensors) for v in value.values())


def functional_from_config(cls: type, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Model:
    """The model that `functional_config` described: makes the layers, then repeats their calls."""
    with CustomObjectScope(custom_objects or {}):
        operations = {layer["name"]: _operation(layer) for layer in config["layers"]}
        tensors: dict[tuple[str, int, int], KerasTensor] = {}
        for name, operation in operations.items():
            if isinstance(operation, Layer) and type(operation).__name__ == "InputLayer":
                tensors[name, 0, 0] = operation.output
        waiting = [
            (layer["name"], i, node) for layer in config["layers"] for i, node in enumerate(layer["inbound_nodes"])
        ]
        while waiting:
            later = []
            for name, index, node in waiting:
                if _missing_tensor(node["args"], tensors) or _missing_tensor(node["kwargs"], tensors):
                    later.append((name, index, node))
                    continue
                args, kwargs = _unpack(node["args"], tensors), _unpack(node["kwargs"], tensors)
                outputs = operations[name](*args, **kwargs)
                for position, tensor in enumerate(tree.flatten(outputs)):
                    tensors[name, index, position] = tensor
                if isinstance(operations[name], OpCall):
                    tree.flatten(outputs)[0].record.op_call = operations[name]
            if len(later) == len(waiting):
                raise ValueError(
                    f"[from_config] the calls of {sorted({name for name, _, _ in later})} need tensors nothing makes."
                )
            waiting = later
        inputs = _unpack(config["input_layers"], tensors)
        outputs = _unpack(config["output_layers"], tensors)
    made = Functional if cls is Model else cls
    model = made(inputs, outputs, name=config.get("name"))
    if not config.get("trainable", True):
        model._trainable = False
    return model


def _operation(config: dict[str, Any]) -> Any:
    if config.get("class_name") == "__op__":
        return OpCall(op_by_name(config["config"]["function"]), config["name"])
    layer = deserialize_keras_object({k: v for k, v in config.items() if k not in ("inbound_nodes", "name")})
    if not isinstance(layer, Layer):
        raise ValueError(f"[from_config] {config.get('class_name')!r} is not a layer.")
    layer.name = config["name"]
    return layer
