"""Functional: a model given by symbolic inputs and outputs."""

from __future__ import annotations

from typing import Any

from falconet import tree
from falconet.layers.layer import Layer
from falconet.models.graph import Graph, OpCall
from falconet.models.model import Model
from falconet.models.op_names import is_op, op_config, op_of
from falconet.saving.registration import CustomObjectScope, write_as
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


write_as(Functional, "src.models.functional")


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
        calls = [(call.args, call.kwargs) for call in graph.calls_of(operation) if not call.is_input]
        if isinstance(operation, OpCall):
            config, args, kwargs = op_config(operation.function, operation.name, *calls[0])
            config["config"] = _pack(config["config"], address)
            calls = [(args, kwargs)]
        else:
            config = serialize_keras_object(operation)
        config["name"] = operation.name
        exact = config["class_name"] == "__op__"
        config["inbound_nodes"] = [
            {"args": _pack(list(args), address, exact), "kwargs": _pack(dict(kwargs), address, exact)}
            for args, kwargs in calls
        ]
        layers.append(config)

    def locate(struct: Any) -> Any:
        return tree.map_structure(lambda x: address[id(x)], struct)

    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": locate(graph.inputs_struct),
        "output_layers": locate(graph.outputs_struct),
    }


def _pack(value: Any, address: dict[int, list[Any]], exact: bool = False) -> Any:
    """Call arguments as plain values: symbolic tensors by address, tuples as lists, as Keras has them, or marked."""
    if isinstance(value, KerasTensor):
        config = {"shape": list(value.shape), "dtype": value.dtype, "keras_history": address[id(value)]}
        return {"class_name": "__keras_tensor__", "config": config}
    if isinstance(value, tuple) and exact:
        return {"class_name": "__tuple__", "config": [_pack(v, address, exact) for v in value]}
    if isinstance(value, (list, tuple)):
        return [_pack(v, address, exact) for v in value]
    if isinstance(value, dict):
        return {key: _pack(v, address, exact) for key, v in value.items()}
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


def _located(struct: Any, tensors: dict[tuple[str, int, int], KerasTensor]) -> Any:
    """A structure of [layer name, call, output] as the tensors that these are."""
    if isinstance(struct, dict):
        return {name: _located(part, tensors) for name, part in struct.items()}
    if len(struct) == 3 and isinstance(struct[0], str):
        found = tensors.get((struct[0], struct[1], struct[2]))
        if found is None:
            raise ValueError(f"[from_config] there is no tensor {struct!r}.")
        return found
    return [_located(part, tensors) for part in struct]


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
                record = getattr(tree.flatten(outputs)[0], "record", None)
                if not isinstance(operations[name], Layer) and record is not None:
                    record.op_call = OpCall(record.operation, name)
            if len(later) == len(waiting):
                raise ValueError(
                    f"[from_config] the calls of {sorted({name for name, _, _ in later})} need tensors nothing makes."
                )
            waiting = later
        inputs = _located(config["input_layers"], tensors)
        outputs = _located(config["output_layers"], tensors)
    made = Functional if cls is Model else cls
    model = made(inputs, outputs, name=config.get("name"))
    if not config.get("trainable", True):
        model._trainable = False
    return model


def _operation(config: dict[str, Any]) -> Any:
    if is_op(config):
        return op_of({**config, "config": _unpack(config["config"], {})})
    layer = deserialize_keras_object({k: v for k, v in config.items() if k not in ("inbound_nodes", "name")})
    if not isinstance(layer, Layer):
        raise ValueError(f"[from_config] {config.get('class_name')!r} is not a layer.")
    layer.name = config["name"]
    return layer
