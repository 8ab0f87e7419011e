"""The graph of layer and op calls between symbolic inputs and outputs: found, ordered as Keras orders it, and run.

A symbolic tensor's `record` says which call made it. Calls are ordered by depth, the longest distance to an output, and
within one depth by first visit from the outputs; `Model.layers` and the order of weights follow from that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from falconet import tree
from falconet.layers.core import Input, InputLayer
from falconet.layers.layer import Layer
from falconet.masks import get_mask, set_mask
from falconet.naming import auto_name
from falconet.tracing import KerasTensor


class OpCall:
    """One call of an op (not a layer) in a graph, with a name as layers have."""

    built = True
    weights: tuple[Any, ...] = ()

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        self.function = function
        self.kind = getattr(function, "__name__", "op").lstrip("_")
        self.name = auto_name(self.kind) if name is None else name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def count_params(self) -> int:
        return 0


class Call:
    """A node of a graph: an operation, its arguments (symbolic tensors in them), and the symbolic tensors it
    returned."""

    __slots__ = ("operation", "args", "kwargs", "outputs", "parents")

    def __init__(
        self, operation: Any, args: Any, kwargs: Any, outputs: list[KerasTensor], parents: list[KerasTensor]
    ) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        self.parents = parents

    @property
    def is_input(self) -> bool:
        return isinstance(self.operation, InputLayer)


class Graph:
    """The calls needed to get from `inputs` to `outputs` (nested structures of symbolic tensors)."""

    def __init__(self, inputs: Any, outputs: Any, name: str) -> None:
        self.name = name
        self._calls: dict[int, Call] = {}  # by id of the record
        self._keep: list[Any] = []  # records, so that ids stay theirs
        self._sources: dict[int, KerasTensor] = {}  # tensors declared as inputs that some call made -> new inputs
        self.inputs_struct = tree.map_structure(lambda x: self._as_input(x), inputs)
        # A list of one output stands for that output, as in what the model returns.
        self.outputs_struct = outputs[0] if isinstance(outputs, (list, tuple)) and len(outputs) == 1 else outputs
        self.inputs: list[KerasTensor] = tree.flatten(self.inputs_struct)
        self.outputs: list[KerasTensor] = [self._sources.get(id(x), x) for x in tree.flatten(outputs)]
        if len({id(x) for x in self.inputs}) != len(self.inputs):
            raise ValueError(f'[Model "{name}"] the same tensor is listed twice in `inputs`.')
        order, first_seen = self._sort()
        self._set_depths(order, first_seen)
        self._check_connected()
        self._check_names()

    def _as_input(self, tensor: Any) -> KerasTensor:
        if not isinstance(tensor, KerasTensor):
            raise ValueError(
                f'[Model "{self.name}"] `inputs` must be symbolic tensors, made by Input(); got {tensor!r} of type '
                f"{type(tensor).__name__}."
            )
        record = tensor.record
        if record is not None and isinstance(record.operation, InputLayer):
            return tensor
        new = Input(batch_shape=tensor.shape, dtype=tensor.dtype)
        if get_mask(tensor) is not None:
            set_mask(new, get_mask(tensor))
        self._sources[id(tensor)] = new
        self._keep.append(tensor)
        return new

    def _call_of(self, tensor: KerasTensor) -> Call | None:
        record = tensor.record
        if record is None:
            return None
        call = self._calls.get(id(record))
        if call is None:
            operation = record.operation
            if not isinstance(operation, Layer):
                if record.op_call is None:
                    record.op_call = OpCall(record.operation)
                operation = record.op_call
            parents = [self._sources.get(id(x), x) for x in tree.flatten((record.args, record.kwargs)) if _symbolic(x)]
            call = Call(operation, record.args, record.kwargs, tree.flatten(record.outputs), parents)
            self._calls[id(record)] = call
            self._keep.append(record)
        return call

    def _sort(self) -> tuple[list[Call], dict[Any, int]]:
        """Calls in topological order, and for each operation when the walk from the outputs first met it."""
        order: list[Call] = []
        first_seen: dict[Any, int] = {}
        done: set[int] = set()
        for output in self.outputs:
            if not isinstance(output, KerasTensor):
                raise ValueError(f'[Model "{self.name}"] `outputs` must be symbolic tensors, got {output!r}.')
            stack: list[tuple[Call, Any]] = []
            root = self._call_of(output)
            if root is None or id(root) in done:
                continue
            self._enter(root, stack, first_seen, done)
            while stack:
                call, parents = stack[-1]
                for parent in parents:
                    found = self._call_of(parent)
                    if found is not None and id(found) not in done:
                        self._enter(found, stack, first_seen, done)
                        break
                else:
                    stack.pop()
                    order.append(call)
        return order, first_seen

    @staticmethod
    def _enter(call: Call, stack: list[Any], first_seen: dict[Any, int], done: set[int]) -> None:
        done.add(id(call))
        first_seen.setdefault(call.operation, len(first_seen))
        stack.append((call, iter(call.parents)))

    def _set_depths(self, order: list[Call], first_seen: dict[Any, int]) -> None:
        depth: dict[int, int] = {}
        of_operation: dict[Any, int] = {}
        for call in reversed(order):
            d = max(depth.get(id(call), 0), of_operation.get(call.operation, 0))
            of_operation[call.operation] = depth[id(call)] = d
            for parent in call.parents:
                found = self._call_of(parent)
                if found is not None:
                    depth[id(found)] = max(d + 1, depth.get(id(found), 0))
        for tensor in self.inputs:  # inputs that no output needs
            unused = self._call_of(tensor)
            if unused is not None and unused.operation not in of_operation:
                of_operation[unused.operation] = depth[id(unused)] = 0
                first_seen[unused.operation] = -1
                order.append(unused)
        self.operations = sorted(of_operation, key=lambda op: (-of_operation[op], first_seen[op]))
        by_depth: dict[int, list[Call]] = {}
        for call in reversed(order):
            by_depth.setdefault(depth[id(call)], []).append(call)
        self.depths = [by_depth[d] for d in sorted(by_depth, reverse=True)]
        # Within one depth no call needs another, except calls of one shared layer: topological order settles those.
        position = {id(call): i for i, call in enumerate(order)}
        self.calls = [c for group in self.depths for c in group if not c.is_input]
        self.calls.sort(key=lambda c: position[id(c)])

    def _check_connected(self) -> None:
        known = {id(x) for x in self.inputs}
        for call in self.calls:
            for parent in call.parents:
                if id(parent) not in known:
                    made_by = parent.record.operation.name if parent.record is not None else "nothing"
                    raise ValueError(
                        f'[Model "{self.name}"] graph disconnected: "{call.operation.name}" needs a tensor of shape '
                        f'{tuple(parent.shape)} (made by "{made_by}") that cannot be computed from `inputs`. '
                        "List the Input it comes from in `inputs`."
                    )
            known.update(id(x) for x in call.outputs)
        for output in self.outputs:
            if id(output) not in known:
                raise ValueError(
                    f'[Model "{self.name}"] an output of shape {tuple(output.shape)} does not depend on `inputs`.'
                )

    def _check_names(self) -> None:
        names = [op.name for op in self.operations]
        twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) != len(names) else []
        if twice:
            raise ValueError(f'[Model "{self.name}"] layer names must be unique; {twice[0]!r} is used more than once.')

    @property
    def layers(self) -> list[Layer]:
        return [op for op in self.operations if isinstance(op, Layer)]

    def producer(self, tensor: KerasTensor) -> Call:
        """The call that made `tensor` (an InputLayer's for inputs)."""
        call = self._call_of(self._sources.get(id(tensor), tensor))
        if call is None:
            raise ValueError(
                f'[Model "{self.name}"] the tensor of shape {tuple(tensor.shape)} is not part of the model.'
            )
        return call

    def calls_of(self, operation: Any) -> list[Call]:
        """The graph's calls of one operation, in the order they were made."""
        found = [c for c in self._calls.values() if c.operation is operation]
        records = getattr(operation, "_records", None)
        if records is not None and len(found) > 1:
            position = {id(r): i for i, r in enumerate(records)}
            keys = {id(c): position.get(k, 0) for k, c in self._calls.items()}
            found.sort(key=lambda c: keys[id(c)])
        return found

    def run(self, inputs: list[Any], operation_fn: Callable[[Any], Callable[..., Any]] | None = None) -> Any:
        """The outputs, in their structure, for values of the inputs in flat order."""
        values: dict[int, Any] = {id(x): value for x, value in zip(self.inputs, inputs, strict=False)}
        for original, new in self._sources.items():
            values[original] = values[id(new)]

        def resolve(x: Any) -> Any:
            return values[id(x)] if _symbolic(x) else x

        for call in self.calls:
            args = tree.map_structure(resolve, call.args)
            kwargs = tree.map_structure(resolve, call.kwargs)
            operation = call.operation if operation_fn is None else operation_fn(call.operation)
            outputs = operation(*args, **kwargs)
            for symbol, value in zip(call.outputs, tree.flatten(outputs), strict=False):
                values[id(symbol)] = value
        return tree.map_structure(lambda x: values[id(self._sources.get(id(x), x))], self.outputs_struct)


def _symbolic(x: Any) -> bool:
    return isinstance(x, KerasTensor)
