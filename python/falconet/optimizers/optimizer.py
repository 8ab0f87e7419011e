"""The base of the optimizers: what happens around a rule that turns a gradient into an update.

A step is: divide by the loss scale; add up over `gradient_accumulation_steps`; clip; decay weights; apply the rule;
average weights; project by constraints. `update_step` states the rule for one variable. Where the rule is elementwise
it runs once over all variables of a dtype, which then share one flat buffer (see `streams`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import ops, tracing
from ..variables import Variable
from .clipping import clip_by_global_norm, clip_by_norm
from .state import ACCUMULATORS, AVERAGES, UNOWNED, _State, is_overwritten
from .streams import Stream


class Optimizer(_State):
    """Base of the optimizers.

    A subclass writes `update_step(gradient, variable, learning_rate)` in plain operations, and `build(variables)`
    where it keeps slots: variables made with `add_optimizer_variables`, listed in an attribute in the order of
    `variables`, and found by `self._get_variable_index(variable)`.

    Args:
        learning_rate: a number, a `LearningRateSchedule`, or a function without arguments.
        weight_decay: subtracts weight_decay * learning_rate * variable before the rule is applied.
        clipnorm: scales down each variable's gradient to at most this 2-norm.
        clipvalue: cuts off gradients at +-this.
        global_clipnorm: scales down all gradients together to at most this 2-norm.
        use_ema: keep an exponential moving average of the weights.
        ema_momentum: the part, in [0, 1], of the old average in the new.
        ema_overwrite_frequency: overwrite the weights by their average every so many updates; None: only at the end
            of `fit`.
        loss_scale_factor: `scale_loss` multiplies by it, and gradients are divided by it.
        gradient_accumulation_steps: update once every so many calls (>= 2), by the mean of their gradients.
        name: a name; by default the class's, in snake_case.
    """

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update one variable: the rule of the optimizer."""
        raise NotImplementedError(
            f"[{type(self).__name__}] write `update_step(self, gradient, variable, learning_rate)` in your optimizer."
        )

    @staticmethod
    def _in_dtype(dtype: str, *values: Any) -> list[Any]:
        """The values as tensors of a variable's dtype: a rule's arithmetic is done in it."""
        return [ops.cast(value, dtype) for value in values]

    def assign(self, variable: Variable, value: Any) -> None:
        """variable <- value."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """variable <- variable + value."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """variable <- variable - value."""
        variable.assign_sub(value)

    # A step

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """Apply pairs of gradient and variable; returns the counter of steps."""
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Take one step.

        Args:
            grads: gradients, in the order of the variables; None leaves a variable as it is, with a warning.
            trainable_variables: the variables; by default those the optimizer was built with.
        """
        grads = list(grads)
        if not grads:
            return
        variables = self._check_variables(grads, trainable_variables)
        grads, variables = self._drop_missing(grads, variables)
        grads, variables = self._overwrite(grads, variables)
        if grads:
            streams = self._streams if len(variables) == len(self._trainable_variables) else None
            if streams:
                self._apply_to_streams(streams, grads, variables)
            else:
                self._step(self._unscale(grads), variables)
                for variable in variables:
                    if getattr(variable, "constraint", None) is not None:
                        variable.assign(variable.constraint(variable))
        self._iterations.assign_add(1)

    def _check_variables(self, grads: list[Any], given: Sequence[Variable] | None) -> list[Variable]:
        if given is None:
            if not self.built:
                raise ValueError(
                    f"[{self.name}] `apply` came without variables before the optimizer was built; pass them, or call "
                    "`optimizer.build(variables)` first."
                )
            variables = self._trainable_variables
        else:
            variables = list(given)
            if not self.built:
                self.build(variables)
        if len(grads) != len(variables):
            raise ValueError(f"[{self.name}] there are {len(grads)} gradients for {len(variables)} variables.")
        unknown = [str(v.name) for v in variables if id(v) not in self._trainable_variables_indices]
        if unknown:
            raise ValueError(
                f"[{self.name}] variables {unknown} are not among those the optimizer was built with; make a new "
                "optimizer for a new set of variables."
            )
        return variables

    def _drop_missing(self, grads: list[Any], variables: list[Variable]) -> tuple[list[Any], list[Variable]]:
        missing = [str(getattr(v, "path", v.name)) for g, v in zip(grads, variables, strict=True) if g is None]
        if len(missing) == len(grads):
            raise ValueError(f"[{self.name}] no variable has a gradient. Does the loss depend on the variables?")
        if not missing:
            return grads, variables
        warnings.warn(
            f"[{self.name}] the loss has no gradient with respect to {missing}; they are left as they are.",
            stacklevel=3,
        )
        kept = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        return [g for g, _ in kept], [v for _, v in kept]

    def _overwrite(self, grads: list[Any], variables: list[Variable]) -> tuple[list[Any], list[Variable]]:
        """Assign the gradients of the variables that are marked to be overwritten by them; returns the others."""
        if not any(is_overwritten(v) for v in variables):
            return grads, variables
        if self.gradient_accumulation_steps:
            raise ValueError(
                f"[{self.name}] variables marked `overwrite_with_gradient` cannot be used with "
                f"gradient_accumulation_steps={self.gradient_accumulation_steps}."
            )
        kept = []
        for gradient, variable in zip(grads, variables, strict=True):
            if is_overwritten(variable):
                variable.assign(gradient)
            else:
                kept.append((gradient, variable))
        return [g for g, _ in kept], [v for _, v in kept]

    def _unscale(self, grads: list[Any]) -> list[Any]:
        scale = self.loss_scale_factor
        return grads if scale is None else [g / scale for g in grads]

    def _apply_to_streams(self, streams: list[Stream], grads: list[Any], variables: list[Variable]) -> None:
        grads_at = {self._trainable_variables_indices[id(v)]: g for g, v in zip(grads, variables, strict=True)}
        ordered = [grads_at[i] for i in range(len(grads))]
        clipped = bool(self.clipnorm)
        if clipped:
            ordered = self._clip_gradients(self._unscale(ordered))
        flat = [stream.gather(ordered) for stream in streams]
        with _Swap(self, streams):
            self._step(flat if clipped else self._unscale(flat), [stream.variable for stream in streams], clipped)

    def _step(self, grads: list[Any], variables: list[Variable], clipped: bool = False) -> None:
        steps = self.gradient_accumulation_steps
        if steps:
            self._accumulate(grads, variables, steps)
        else:
            self._update(grads if clipped else self._clip_gradients(grads), variables)
        if self.use_ema:
            self._average(variables)

    def _update(self, grads: list[Any], variables: list[Variable]) -> None:
        self._apply_weight_decay(variables)
        self._backend_update_step(grads, variables, self.learning_rate)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Variable], learning_rate: Any) -> None:
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        if self.clipnorm and self.clipnorm > 0:
            return [clip_by_norm(g, self.clipnorm) for g in grads]
        if self.global_clipnorm and self.global_clipnorm > 0:
            return clip_by_global_norm(grads, self.global_clipnorm)
        if self.clipvalue and self.clipvalue > 0:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        return grads

    def _accumulate(self, grads: list[Any], variables: list[Variable], steps: int) -> None:
        is_update = ops.equal((self._iterations + 1) % steps, 0)
        sums = [self.__dict__[ACCUMULATORS][self._get_variable_index(v)] for v in variables]
        totals = [g + total for g, total in zip(grads, sums, strict=True)]

        def update() -> None:
            self._update(self._clip_gradients([total / steps for total in totals]), variables)

        run_if(is_update, update, [*variables, *self._rule_state()])
        for total, value in zip(sums, totals, strict=True):
            total.assign(ops.where(is_update, ops.zeros_like(value), value))

    def _whole_state(self) -> list[Variable]:
        """Everything a step may change, the variables included: streams in place of what they hold."""
        streams = self._streams or []
        flat = [v for stream in streams for v in (stream.variable, *stream.slots.values()) if v is not None]
        held = set(self._trainable_variables_indices) | set(self._reference_of) if streams else set()
        return flat + [v for v in (*self._trainable_variables, *self.variables) if id(v) not in held]

    def _rule_state(self) -> list[Variable]:
        """The variables that the rule may change: slots (of the present streams), and those of no variable."""
        slots = [
            slot
            for name, value in self.__dict__.items()
            if name not in UNOWNED and name not in (AVERAGES, ACCUMULATORS) and type(value) in (list, tuple)
            for slot in value
            if isinstance(slot, Variable)
        ]
        found = {}
        for v in [*slots, *(v for v in self._variables if id(v) not in self._reference_of)]:
            if v is not self._iterations and v is not self._learning_rate:
                found[id(v)] = v
        return list(found.values())

    # Weight decay

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Let some variables not decay.

        Args:
            var_list: variables.
            var_names: regular expressions; variables in whose name one is found are meant.
        """
        if self.built:
            raise ValueError(
                f"[{self.name}] call `exclude_from_weight_decay` before the optimizer is built (before `fit`)."
            )
        names = sorted(set(var_names or ()))
        self._excluded = ({id(v) for v in var_list or ()}, re.compile("|".join(names)) if names else None)
        self._decays = {}

    def _use_weight_decay(self, variable: Variable) -> bool:
        known = self._decays.get(id(variable))
        if known is None:
            keys, pattern = self._excluded
            known = id(variable) not in keys and not (pattern is not None and pattern.search(variable.name))
            self._decays[id(variable)] = known
        return known

    def _apply_weight_decay(self, variables: list[Variable]) -> None:
        if self.weight_decay is None:
            return
        for variable in variables:
            if self._use_weight_decay(variable):
                rate = ops.cast(self.learning_rate, variable.dtype)
                variable.assign(variable - variable * self.weight_decay * rate)

    # Averages of weights

    def _average(self, variables: list[Variable]) -> None:
        pairs = [(v, self.__dict__[AVERAGES][self._get_variable_index(v)]) for v in variables]
        iterations, frequency = self.iterations, self.ema_overwrite_frequency
        for variable, average in pairs:
            if average is not None:
                momentum = ops.cast(ops.not_equal(iterations, 0), variable.dtype) * self.ema_momentum
                average.assign(momentum * average + (1 - momentum) * variable)
                if frequency:
                    is_due = ops.equal((iterations + 1) % frequency, 0)
                    variable.assign(ops.where(is_due, average, variable))

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Put the averages of the weights in their place, where `use_ema` is set; `fit` ends with it."""
        if self.use_ema:
            for variable in var_list:
                average = self.__dict__[AVERAGES][self._get_variable_index(variable)]
                if average is not None:
                    variable.assign(average)

    # Around the step

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Sequence[Any], trainable_variables: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        """(values of the trainable variables, values of `variables`) after a step from these values.

        The optimizer's and the model's own values are kept.
        """
        if not self.built:
            raise ValueError(f"[{self.name}] call `optimizer.build(variables)` before `stateless_apply`.")
        own, targets = self.variables, self._trainable_variables
        for name, values, wanted in (
            ("optimizer_variables", optimizer_variables, own),
            ("trainable_variables", trainable_variables, targets),
        ):
            if len(values) != len(wanted):
                raise ValueError(f"[{self.name}] `{name}` has {len(values)} items; {len(wanted)} are needed.")
        kept = [ops.copy(v.value) for v in (*targets, *own)]
        try:
            for variable, value in zip((*targets, *own), (*trainable_variables, *optimizer_variables), strict=True):
                variable.assign(value)
            self.apply(grads)
            return [ops.copy(v.value) for v in targets], [ops.copy(v.value) for v in own]
        finally:
            for variable, value in zip((*targets, *own), kept, strict=True):
                variable.assign(value)


class _Swap:
    """While it is entered, the optimizer's lists of slots hold the flat slots of the streams."""

    def __init__(self, optimizer: Optimizer, streams: list[Stream]) -> None:
        self._attributes = optimizer.__dict__
        self._inside: dict[str, Any] = {name: [stream.slots[name] for stream in streams] for name in streams[0].slots}
        self._inside["_trainable_variables_indices"] = {id(stream.variable): i for i, stream in enumerate(streams)}

    def __enter__(self) -> None:
        self._outside = {name: self._attributes[name] for name in self._inside}
        self._attributes.update(self._inside)

    def __exit__(self, *error: Any) -> None:
        self._attributes.update(self._outside)


def run_if(condition: Any, update: Callable[[], None], state: Sequence[Variable]) -> None:
    """Run `update`, which changes only `state`, where the scalar `condition` holds.

    A traced step has no branches: it computes the update, and keeps the old values where the condition fails.
    """
    if not tracing.in_trace():
        if bool(ops.convert_to_numpy(condition)):
            update()
        return
    old = [ops.convert_to_tensor(variable) for variable in state]
    update()
    for variable, value in zip(state, old, strict=True):
        variable.assign(ops.where(condition, variable, value))
