"""The base of the metrics: state in variables, updated batch by batch."""

from __future__ import annotations

from typing import Any

from .. import dtype_policies, initializers, ops
from ..config import floatx
from ..naming import auto_name
from ..saving.configurable import Configurable
from ..variables import Variable


class Metric(Configurable):
    """Base of the metrics.

    A subclass makes its state with `add_variable`, and writes `update_state(y_true, y_pred, sample_weight=None)` and
    `result()`. Metrics set as attributes belong to it: their variables are among its own.

    Args:
        dtype: dtype of the state and the result; by default `floatx()`.
        name: a name; by default the class's, in snake_case.
    """

    _direction: str | None = None  # "up" where larger is better, "down" where smaller is

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self._variables: list[Variable] = []
        self._metrics: list[Metric] = []
        self.name = name or auto_name(type(self).__name__)
        self._dtype = dtype_policies.get(dtype or floatx()).compute_dtype

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Metric):
            self._own("_metrics", value)
        elif isinstance(value, Variable):
            self._own("_variables", value)
        super().__setattr__(name, value)

    def _own(self, store: str, value: Any) -> None:
        owned = self.__dict__.get(store)
        if owned is None:
            raise RuntimeError(
                f"[{type(self).__name__}] call `super().__init__()` first in the `__init__` of your metric."
            )
        if not any(value is known for known in owned):
            owned.append(value)

    @property
    def dtype(self) -> str:
        """Dtype of the state and the result."""
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """The state, in order of creation."""
        return self._variables + [variable for metric in self._metrics for variable in metric.variables]

    def add_variable(
        self, shape: Any, initializer: Any, dtype: Any = None, aggregation: str = "sum", name: str | None = None
    ) -> Variable:
        """Make a variable of the state.

        Args:
            shape: its shape.
            initializer: its value at first; None is zeros.
            dtype: its dtype; by default `floatx()`.
            aggregation: how replicas of the state combine in data-parallel training.
            name: its name.
        """
        variable = Variable(
            initializer=initializers.get(initializer or "zeros"),
            shape=tuple(shape),
            dtype=dtype or floatx(),
            trainable=False,
            aggregation=aggregation,
            name=name,
        )
        variable.path = f"{self.name.replace('/', '>')}/{variable.name}"
        self._own("_variables", variable)
        return variable

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """Make a variable of the state (`add_variable` under its other name)."""
        return self.add_variable(shape, initializer, dtype=dtype, name=name)

    def reset_state(self) -> None:
        """Set the state to zero."""
        for variable in self.variables:
            variable.assign(ops.zeros(variable.shape, dtype=variable.dtype))

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take a batch into account."""
        raise NotImplementedError(f"[{type(self).__name__}] write `update_state` in your metric.")

    def result(self) -> Any:
        """The value over all batches since the last reset."""
        raise NotImplementedError(f"[{type(self).__name__}] write `result(self)` in your metric.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def stateless_update_state(self, metric_variables: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The state after a batch, starting from the values `metric_variables`; the metric's own state is kept."""
        return self._elsewhere(metric_variables, lambda: self.update_state(*args, **kwargs))[1]

    def stateless_result(self, metric_variables: list[Any]) -> Any:
        """The result of the state `metric_variables`."""
        return self._elsewhere(metric_variables, self.result)[0]

    def stateless_reset_state(self) -> list[Any]:
        """The state after a reset; the metric's own state is kept."""
        return self._elsewhere([variable.value for variable in self.variables], self.reset_state)[1]

    def _elsewhere(self, values: list[Any], call: Any) -> tuple[Any, list[Any]]:
        """(what `call` returns, the state after it), run on other state."""
        variables = self.variables
        if len(values) != len(variables):
            raise ValueError(
                f"[{self.name}] `metric_variables` has {len(values)} items; the metric has {len(variables)} variables."
            )
        kept = [ops.copy(variable.value) for variable in variables]
        try:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
            found = call()
            return found, [ops.copy(variable.value) for variable in variables]
        finally:
            for variable, value in zip(variables, kept, strict=True):
                variable.assign(value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
