"""Loss scaling that finds its factor by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import initializers, ops
from ..variables import Variable
from .optimizer import Optimizer, run_if


class LossScaleOptimizer(Optimizer):
    """Another optimizer, whose loss is multiplied by a factor so that small gradients survive 16-bit floats.

    Gradients that are not finite halve the factor and skip the step; after `dynamic_growth_steps` good steps in a row
    the factor doubles (Micikevicius et al. 2018).

    Args:
        inner_optimizer: takes the steps.
        initial_scale: the factor at first.
        dynamic_growth_steps: steps between attempts to double it.
        name: a name.
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
    ) -> None:
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        self.inner_optimizer.loss_scale_factor = None

    def build(self, variables: Sequence[Variable]) -> None:
        self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
        start = initializers.Constant(self.initial_scale)
        self.dynamic_scale = self.add_variable((), start, dtype="float32", name="dynamic_scale")
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self) -> list[Variable]:
        """This optimizer's state, then that of the inner one."""
        return self._variables + self.inner_optimizer.variables

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Take one step, if all gradients are finite."""
        grads = list(grads)
        variables = self._check_variables(grads, trainable_variables)
        checks = [ops.all(ops.isfinite(g)) for g in grads if g is not None]
        if not checks:
            raise ValueError(f"[{self.name}] no variable has a gradient. Does the loss depend on the variables?")
        finite = checks[0]
        for check in checks[1:]:
            finite = ops.logical_and(finite, check)
        scale, counter = ops.convert_to_tensor(self.dynamic_scale), ops.convert_to_tensor(self.step_counter)
        unscaled = [None if g is None else g / scale for g in grads]
        inner = self.inner_optimizer
        run_if(finite, lambda: inner.apply(unscaled, variables), inner._whole_state())
        grows = ops.equal(counter, self.dynamic_growth_steps - 1)
        zero = ops.zeros_like(counter)
        self.step_counter.assign(ops.where(ops.logical_or(grows, ops.logical_not(finite)), zero, counter + 1))
        self.dynamic_scale.assign(scale * ops.where(finite, ops.where(grows, 2.0, 1.0), 0.5))

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> Any:
        """The inner optimizer's number of updates."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the present factor."""
        return loss * (self.dynamic_scale if self.built else self.initial_scale)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments that make an equal optimizer."""
        names = ("name", "inner_optimizer", "initial_scale", "dynamic_growth_steps")
        return {name: getattr(self, name) for name in names}
