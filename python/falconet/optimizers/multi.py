"""Several optimizers for one model, each for some of its variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from ..saving.configurable import Configurable
from ..saving.serialization import deserialize_keras_object
from ..variables import Variable
from .loss_scale import LossScaleOptimizer
from .optimizer import Optimizer


class OptimizerMap(Configurable, MutableMapping):
    """Which optimizer a variable gets, by its path.

    Args:
        default_optimizer: for variables that no pattern matches.
        optimizer_map: regular expressions, which must match the whole path, and their optimizers.
    """

    def __init__(self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None) -> None:
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(f"[OptimizerMap] `default_optimizer` is {default_optimizer!r}; it must be an Optimizer.")
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise TypeError(f"[OptimizerMap] `optimizer_map` is {optimizer_map!r}; it must be a dict.")
        self.default_optimizer = default_optimizer
        self.optimizer_map: dict[str, Optimizer] = {}
        for pattern, optimizer in (optimizer_map or {}).items():
            self[pattern] = optimizer

    def __call__(self, variable: Variable) -> Optimizer:
        return self[variable.path]

    def __getitem__(self, key: str) -> Optimizer:
        if key in self.optimizer_map:
            return self.optimizer_map[key]
        found = [pattern for pattern in self.optimizer_map if re.fullmatch(pattern, key)]
        if len(found) > 1:
            raise ValueError(f"[OptimizerMap] variable {key!r} matches several patterns: {found}.")
        return self.optimizer_map[found[0]] if found else self.default_optimizer

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if not isinstance(key, str) or key in self.optimizer_map:
            raise ValueError(f"[OptimizerMap] the key {key!r} must be a string that is not in the map yet.")
        _check(optimizer)
        self.optimizer_map[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self.optimizer_map[key]

    def __len__(self) -> int:
        return len(self.optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self.optimizer_map)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OptimizerMap:
        return cls(**{name: deserialize_keras_object(value) for name, value in config.items()})


def _check(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer) or isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
        raise ValueError(f"[OptimizerMap] {optimizer!r} came; an Optimizer that holds no other optimizer is needed.")


class MultiOptimizer(Optimizer):
    """Takes each variable's step with the optimizer that a map gives it.

    Args:
        optimizer_map: an `OptimizerMap`, or a function of a variable.
        loss_scale_factor: of all the optimizers.
        name: a name.
    """

    def __init__(self, optimizer_map: Any, loss_scale_factor: float | None = None, name: str | None = None) -> None:
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_of: dict[int, Optimizer] = {}
        self.optimizers: list[Optimizer] = []
        self.optimizer_map = optimizer_map

    def build(self, variables: Sequence[Variable]) -> None:
        variables_of: dict[int, list[Variable]] = {}
        for variable in variables:
            optimizer = self.optimizer_map(variable)
            _check(optimizer)
            self._optimizer_of[id(variable)] = optimizer
            if not any(optimizer is known for known in self.optimizers):
                optimizer.loss_scale_factor = self.loss_scale_factor
                self.optimizers.append(optimizer)
            variables_of.setdefault(id(optimizer), []).append(variable)
        for optimizer in self.optimizers:
            optimizer.build(variables_of[id(optimizer)])
        super().build(variables)

    @property
    def variables(self) -> list[Variable]:
        """This optimizer's state, then that of each inner one."""
        return self._variables + [v for optimizer in self.optimizers for v in optimizer.variables]

    @property
    def learning_rate(self) -> Any:
        """Not defined: each inner optimizer has its own."""
        raise AttributeError(f"[{self.name}] has no learning rate of its own; ask one of its `optimizers`.")

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        raise AttributeError(f"[{self.name}] has no learning rate of its own; set that of its `optimizers`.")

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Take one step with every inner optimizer."""
        grads = list(grads)
        if not grads:
            return
        variables = self._check_variables(grads, trainable_variables)
        for optimizer in self.optimizers:
            own = [(g, v) for g, v in zip(grads, variables, strict=True) if self._optimizer_of[id(v)] is optimizer]
            if own:
                optimizer.apply_gradients(own)
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        for optimizer in self.optimizers:
            optimizer.finalize_variable_values([v for v in var_list if self._optimizer_of[id(v)] is optimizer])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments that make an equal optimizer."""
        return {name: getattr(self, name) for name in ("optimizer_map", "loss_scale_factor", "name")}
