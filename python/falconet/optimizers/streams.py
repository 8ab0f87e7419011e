"""One streaming pass: variables laid out in flat buffers, where the update rule is elementwise.

A stream holds all variables of one dtype that decay alike. Its flat variable and flat slots share the memory of the
variables and slots they are made of, so that a pass over the stream updates them all, and they can be read and set one
by one at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import ops, tracing
from ..variables import Variable

if TYPE_CHECKING:
    from .optimizer import Optimizer

# Shapes on which a rule is tried, by number of axes; two each, so that a rule that looks at sizes shows it.
_TRIALS = {rank: ((5, 3, 2, 4, 3, 2, 2, 2)[:rank], (3, 4, 5, 2, 2, 3, 2, 2)[:rank]) for rank in range(9)}


class Stream:
    """A flat variable, and by attribute name the flat slot that belongs to it."""

    __slots__ = ("indices", "shapes", "variable", "slots")

    def __init__(self, indices: list[int], variables: list[Variable], slots: dict[str, list[Any]]) -> None:
        self.indices = indices
        self.variable = _flatten([variables[i] for i in indices])
        self.slots = {name: _flatten([of_all[i] for i in indices]) for name, of_all in slots.items()}

    def gather(self, grads: list[Any]) -> Any:
        """The gradients of the stream's variables, out of those of all, in one flat tensor of its dtype."""
        dtype = self.variable.dtype
        own = [ops.cast(grads[i], dtype) for i in self.indices]
        return own[0] if len(own) == 1 else ops.concatenate([ops.reshape(g, (-1,)) for g in own])


def _flatten(variables: list[Any]) -> Any:
    if variables[0] is None or len(variables) == 1:
        return variables[0]
    return tracing.flatten_variables(variables)


def make_streams(optimizer: Optimizer) -> list[Stream]:
    """The streams of a built optimizer; none where it must update variable by variable."""
    variables = optimizer._trainable_variables
    for v in variables:
        if getattr(v, "constraint", None) is not None or getattr(v, "overwrite_with_gradient", False):
            return []
    slots = _slot_lists(optimizer)
    if len(variables) < 2 or slots is None or not _is_elementwise(optimizer, slots):
        return []
    groups: dict[Any, list[int]] = {}
    for i, v in enumerate(variables):
        decays = optimizer.weight_decay is None or optimizer._use_weight_decay(v)
        groups.setdefault((v.dtype, decays), []).append(i)
    streams = []
    for (_, decays), indices in groups.items():
        stream = Stream(indices, variables, slots)
        optimizer._decays[id(stream.variable)] = decays
        streams.append(stream)
    return streams


def _slot_lists(optimizer: Optimizer) -> dict[str, list[Any]] | None:
    """By attribute, the lists that hold one slot for each variable; None where a slot is in no such list."""
    keys = [id(v) for v in optimizer._trainable_variables]
    found: dict[str, list[Any]] = {}
    for name, value in optimizer.__dict__.items():
        if type(value) in (list, tuple) and len(value) == len(keys) and name != "_trainable_variables":
            if [optimizer._reference_of.get(id(slot)) for slot in value] == keys:
                found[name] = list(value)
    listed = {id(slot) for of_all in found.values() for slot in of_all}
    return found if listed >= optimizer._reference_of.keys() else None


class _StandIn(Variable):
    """A variable on which a rule is tried. It has no name: a rule that asks for one treats variables differently."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("name", "path") and object.__getattribute__(self, "__dict__").get("_is_nameless"):
            raise AttributeError(f"a stand-in variable has no {name}")
        return super().__getattribute__(name)


def _is_elementwise(optimizer: Optimizer, slots: dict[str, list[Any]]) -> bool:
    """Whether the rule does the same arithmetic to every element of every variable, whatever the shapes."""
    ranks = {len(v.shape) for v in optimizer._trainable_variables}
    shapes = [(6,), *(shape for rank in ranks for shape in _TRIALS[rank])]
    for dtype in {v.dtype for v in optimizer._trainable_variables}:
        made = {}
        for shape in shapes:
            stand_ins = [_StandIn(initializer="ones", shape=shape, dtype=dtype) for _ in range(2 + len(slots))]
            for stand_in in stand_ins:
                stand_in._is_nameless = True
            made[shape] = stand_ins

        def rule(shape: tuple[int, ...], made: dict[Any, list[Any]] = made) -> None:
            variable, gradient, *own = made[shape]
            attributes = optimizer.__dict__
            inside = {name: [slot] for name, slot in zip(slots, own, strict=True)}
            inside["_trainable_variables_indices"] = {id(variable): 0}
            outside = {name: attributes[name] for name in inside}
            attributes.update(inside)
            try:
                optimizer.update_step(ops.convert_to_tensor(gradient), variable, optimizer.learning_rate)
            finally:
                attributes.update(outside)

        if not tracing.is_elementwise(rule, list(made)):
            return False
    return True
