"""One streaming pass: variables laid out in flat buffers, where the update rule is elementwise.

A stream holds all variables of one dtype that decay alike. Its flat variable and flat slots share the memory of the
variables and slots they are made of, so that a pass over the stream updates them all, and they can be read and set one
by one at any time.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from .. import ops, tracing
from ..variables import Variable, flatten_variables

if TYPE_CHECKING:
    from .optimizer import Optimizer

# The shape of a flat stand-in, and by number of axes those of the others: no size twice, so that a rule that looks at
# sizes shows it.
_FLAT = (6,)
_SHAPES = ((), (7,), (5, 3), (4, 2, 3), (2, 4, 3, 5), (3, 2, 4, 2, 5), (2, 3, 2, 4, 2, 5))

# The flat variable made last of some variables, by their ids: another optimizer of the same variables joins it.
_flats: WeakValueDictionary[tuple[int, ...], Variable] = WeakValueDictionary()
_holders: WeakValueDictionary[int, Variable] = WeakValueDictionary()  # id of a variable -> the flat one it is part of


class Stream:
    """A flat variable, and by attribute name the flat slot that belongs to it."""

    __slots__ = ("indices", "variable", "slots")

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
    key = tuple(id(v) for v in variables)
    flat = _flats.get(key)
    if flat is None or any(_holders.get(id(v)) is not flat for v in variables):
        flat = _flats[key] = flatten_variables(variables)
        for v in variables:
            _holders[id(v)] = flat
    return flat


def _is_free(variables: list[Variable]) -> bool:
    """Whether no other living optimizer holds some of these variables in a flat one of another make-up."""
    flats = {id(flat) for v in variables if (flat := _holders.get(id(v))) is not None}
    return not flats or id(_flats.get(tuple(id(v) for v in variables))) in flats


def make_streams(optimizer: Optimizer) -> list[Stream]:
    """The streams of a built optimizer; none where it must update variable by variable."""
    variables = optimizer._trainable_variables
    for v in variables:
        if getattr(v, "constraint", None) is not None or getattr(v, "overwrite_with_gradient", False):
            return []
    if optimizer.clipnorm and optimizer.gradient_accumulation_steps:
        return []  # the sums of gradients, which a stream holds as one, are clipped one by one
    slots = slot_lists(optimizer)
    if len(variables) < 2 or slots is None:
        return []
    # Of a subclass nothing is known: it is tried.
    if not (type(optimizer).__dict__.get("_elementwise", False) or is_elementwise(optimizer, slots)):
        return []
    groups: dict[Any, list[int]] = {}
    for i, v in enumerate(variables):
        decays = optimizer.weight_decay is None or optimizer._use_weight_decay(v)
        groups.setdefault((v.dtype, decays), []).append(i)
    if not all(len(indices) == 1 or _is_free([variables[i] for i in indices]) for indices in groups.values()):
        return []
    streams = []
    for (_, decays), indices in groups.items():
        stream = Stream(indices, variables, slots)
        optimizer._decays[id(stream.variable)] = decays
        streams.append(stream)
    return streams


def slot_lists(optimizer: Optimizer) -> dict[str, list[Any]] | None:
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

    _is_nameless: bool

    def __getattribute__(self, name: str) -> Any:
        if name in ("name", "path") and object.__getattribute__(self, "__dict__").get("_is_nameless"):
            raise AttributeError(f"a stand-in variable has no {name}")
        return super().__getattribute__(name)


def is_elementwise(optimizer: Optimizer, slots: dict[str, list[Any]]) -> bool:
    """Whether the rule does the same arithmetic to every element of every variable, whatever the shapes.

    It is run on stand-ins of several shapes, of equal values: were the results to differ, a constant in the rule would
    depend on the shape. Then its operations on them are recorded: all must be pointwise, and the same.
    """
    ranks = {len(v.shape) for v in optimizer._trainable_variables}
    if max(ranks) >= len(_SHAPES):
        return False
    shapes = [_FLAT, *(_SHAPES[rank] for rank in sorted(ranks))]
    loose = [v for v in optimizer._variables if id(v) not in optimizer._reference_of]
    for dtype in {v.dtype for v in optimizer._trainable_variables}:
        with tracing.outside():
            made = {shape: [_stand_in(shape, dtype, start) for start in range(2 + len(slots))] for shape in shapes}
        try:
            with tracing.outside():
                kept = [ops.convert_to_numpy(v) for v in loose]
                results = []
                for stand_ins in made.values():
                    _try(optimizer, slots, stand_ins)
                    results.append([ops.convert_to_numpy(v).ravel() for v in stand_ins])
                    for v, value in zip(loose, kept, strict=True):
                        v.assign(value)
            if not all(_agree(results[0], result) for result in results[1:]):
                return False
            # In the recording of a variable without axes its elements would pass for scalars.
            recorded: list[tuple[int, ...]] = [shape for shape in shapes if shape]
            if not tracing.is_elementwise(partial(_try_on, optimizer, slots, made), recorded):
                return False
        except Exception:
            # A rule that cannot be run on stand-ins (it asks for a name, or keeps slots elsewhere) is not elementwise.
            return False
    return True


def _agree(one: list[Any], other: list[Any]) -> bool:
    """Whether arrays agree, pair by pair, as far as the shorter goes; a rule's constants differ by more than this."""
    for x, y in zip(one, other, strict=True):
        n = min(x.size, y.size)
        if not np.allclose(x[:n], y[:n], rtol=1e-6, atol=0, equal_nan=True):
            return False
    return True


def _stand_in(shape: tuple[int, ...], dtype: str, start: int) -> _StandIn:
    """A stand-in whose elements, in order, are the same numbers whatever the shape."""
    values = 0.25 + 0.375 * ((np.arange(math.prod(shape)) * 7 + start * 3) % 5)
    variable = _StandIn(initializer=ops.convert_to_tensor(values.reshape(shape), dtype=dtype))
    variable._is_nameless = True
    return variable


def _try_on(optimizer: Optimizer, slots: dict[str, list[Any]], made: dict[Any, list[Any]], shape: Any) -> None:
    _try(optimizer, slots, made[shape])


def _try(optimizer: Optimizer, slots: dict[str, list[Any]], stand_ins: list[Any]) -> None:
    """Apply the rule to stand-ins: a variable, its gradient, and its slots."""
    variable, gradient, *own = stand_ins
    attributes = optimizer.__dict__
    inside: dict[str, Any] = {name: [slot] for name, slot in zip(slots, own, strict=True)}
    inside["_trainable_variables_indices"] = {id(variable): 0}
    outside = {name: attributes[name] for name in inside}
    attributes.update(inside)
    try:
        optimizer.update_step(ops.convert_to_tensor(gradient), variable, optimizer.learning_rate)
    finally:
        attributes.update(outside)
