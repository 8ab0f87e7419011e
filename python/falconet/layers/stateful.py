"""The state half of a layer: finding, naming, ordering, freezing, reading and writing its variables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from falconet import constraints, dtypes, initializers, regularizers
from falconet.layers import call_state
from falconet.layers.tracking import PLAIN, TrackedDict, TrackedList, TrackedSet, Tracker
from falconet.naming import current_path, name_scope
from falconet.variables import Variable

_UNTRACKED = frozenset({"_records", "_losses", "_build_shapes", "_tracker"})


class Stateful:
    """Owns variables and other stateful objects, found as they are set as attributes. `Layer` adds what is computed."""

    _is_layer = True
    _not_computed = frozenset({"built", "name"})  # attributes that change nothing about what call() computes
    name: str
    built: bool
    _path: str | None
    _trainable: bool
    _tracker: Tracker
    if TYPE_CHECKING:

        @property
        def variable_dtype(self) -> str: ...

    def __setattr__(self, name: str, value: Any) -> None:
        if type(value) not in PLAIN and name not in _UNTRACKED:
            replaced = self.__dict__.get(name)
            value = self._tracker.track(value)
            if replaced is not None and replaced is not value and type(replaced) not in PLAIN:
                self._release(name, replaced)
        elif value is None and name in self.__dict__:
            self._release(name, self.__dict__[name])
        object.__setattr__(self, name, value)
        if name[0] != "_" and self.__dict__.get("built") and name not in self._not_computed:
            if call_state.state.entry is None:  # what call() itself notes down is its result, not its cause
                call_state.version[0] += 1

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        object.__delattr__(self, name)
        if value is not None:
            self._release(name, value)

    def _release(self, name: str, value: Any) -> None:
        """Stops tracking what attribute `name` held, unless another attribute still holds it."""
        stateful = isinstance(value, (TrackedList, TrackedDict, TrackedSet)) or self._tracker.holds(value)
        if stateful and not any(v is value for k, v in self.__dict__.items() if k != name and k not in _UNTRACKED):
            self._tracker.untrack(value)

    def _lock_state(self) -> None:
        self._tracker.locked = True

    @property
    def _layers(self) -> list[Any]:
        return self._tracker.layers

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Any]:
        """This layer and those inside it, each once, outer before inner."""
        found: list[Any] = []
        seen: set[int] = set()

        def visit(layer: Any, descend: bool) -> None:
            if id(layer) in seen:
                return
            seen.add(id(layer))
            found.append(layer)
            if descend:
                for inner in layer._layers:
                    visit(inner, recursive)

        visit(self, True)
        return found if include_self else found[1:]

    @property
    def path(self) -> str | None:
        return self._path

    @property
    def label(self) -> str:
        """Class and name, as errors show it."""
        return f'{type(self).__name__} "{getattr(self, "name", "?")}"'

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        self._trainable = value
        call_state.version[0] += 1
        for variable in self._tracker.trainable:
            variable.trainable = value
        for layer in self._layers:
            layer.trainable = value

    def _collect(self, with_seeds: bool) -> list[Variable]:
        found: dict[int, Variable] = {}
        for variable in (*self._tracker.trainable, *self._tracker.non_trainable):
            found.setdefault(id(variable), variable)
        if with_seeds:
            for seed in self._tracker.seeds:
                found.setdefault(id(seed.state), seed.state)
        for layer in self._layers:
            for variable in layer._collect(with_seeds):
                found.setdefault(id(variable), variable)
        return list(found.values())

    @property
    def variables(self) -> list[Variable]:
        """All variables, random seeds included."""
        return self._collect(with_seeds=True)

    @property
    def weights(self) -> list[Variable]:
        """All variables except random seeds: what `get_weights` returns."""
        return self._collect(with_seeds=False)

    @property
    def trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if not v.trainable] if self.trainable else self.variables

    @property
    def trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    @property
    def metrics(self) -> list[Any]:
        return [*self._tracker.metrics, *(m for layer in self._layers for m in layer.metrics)]

    @property
    def metrics_variables(self) -> list[Variable]:
        return [v for metric in self.metrics for v in metric.variables]

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """A new variable of the layer. Default initializer: Glorot uniform for floats, zeros for integers."""
        if isinstance(shape, str):
            raise ValueError(
                f"[{self.label}] add_weight: `shape` must be a tuple, got {shape!r}; pass name={shape!r} instead."
            )
        shape = (shape,) if isinstance(shape, int) else tuple(shape or ())
        if any(d is None or int(d) < 0 for d in shape):
            raise ValueError(f"[{self.label}] add_weight: `shape` must be known sizes, got {shape} for {name!r}.")
        if call_state.state.weight_budget is not None:
            call_state.state.weight_budget -= math.prod(shape)
            if call_state.state.weight_budget < 0:
                raise ValueError(f"[{self.label}] weight {name!r} of shape {shape} is larger than what the file holds.")
        dtype = dtypes.standardize_dtype(dtype) if dtype is not None else self.variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if "float" in dtype else "zeros"
        with name_scope(self.name, caller=self):
            variable = Variable(
                initializers.get(initializer),
                shape=shape,
                dtype=dtype,
                trainable=trainable,
                autocast=autocast,
                aggregation=aggregation,
                name=name,
            )
            variable.path = f"{current_path()}/{variable.name}"
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        if not self.trainable and trainable:
            variable.trainable = False
            self._tracker.trainable.append(variable)  # frozen now, trained once the layer is
        else:
            self._tracker.track(variable)
        return variable

    add_variable = add_weight

    def get_weights(self) -> list[np.ndarray]:
        """The values of `weights`, as arrays."""
        return [np.asarray(v.numpy()) for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets `weights` from a list of arrays in the same order."""
        own = self.weights
        if len(own) != len(weights):
            hint = "" if self.built else " The layer is not built yet: call it or build() it first."
            raise ValueError(f"[{self.label}] set_weights: {len(weights)} arrays came for {len(own)} weights.{hint}")
        for variable, value in zip(own, weights, strict=False):
            if tuple(variable.shape) != tuple(np.shape(value)):
                raise ValueError(
                    f'[{self.label}] set_weights: weight "{variable.name}" has shape {tuple(variable.shape)}, '
                    f"got {np.shape(value)}."
                )
        for variable, value in zip(own, weights, strict=False):
            variable.assign(value)

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        if not self.built:
            raise ValueError(
                f"[{self.label}] count_params: the layer is not built; call it or build(input_shape) it first."
            )
        return sum(int(np.prod(v.shape, dtype=np.int64)) for v in self.weights)
