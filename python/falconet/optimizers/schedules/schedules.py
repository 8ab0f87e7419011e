"""The formulas of the learning-rate schedules; `step` counts from 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ... import ops
from ...config import floatx
from ...saving.configurable import Configurable
from ...saving.serialization import deserialize_keras_object, serialize_keras_object


class LearningRateSchedule(Configurable):
    """Base of the schedules; a subclass writes `__call__(step)`, which returns the rate as a scalar tensor."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(f"[{type(self).__name__}] write `__call__(self, step)` in your schedule.")

    def _check_steps(self, name: str, steps: float) -> float:
        if not steps > 0:
            raise ValueError(f"[{type(self).__name__}] `{name}` is {steps}; it must be > 0.")
        return steps


class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate^(step / decay_steps); with `staircase`, the exponent is rounded down."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Any:
        done = ops.cast(step, floatx()) / self.decay_steps
        done = ops.floor(done) if self.staircase else done
        return self.initial_learning_rate * ops.power(ops.cast(self.decay_rate, floatx()), done)


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[i] for steps above boundaries[i - 1] and up to boundaries[i]."""

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                f"[PiecewiseConstantDecay] there are {len(boundaries)} `boundaries` and {len(values)} `values`; "
                "there must be one value more than boundaries."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: Any) -> Any:
        step = ops.convert_to_tensor(step)
        rate = ops.cast(self.values[-1], floatx())
        for boundary, value in reversed(list(zip(self.boundaries, self.values[:-1], strict=True))):
            rate = ops.where(step <= boundary, ops.cast(value, floatx()), rate)
        return rate


class PolynomialDecay(LearningRateSchedule):
    """(initial - end) * (1 - min(step, decay_steps) / decay_steps)^power + end.

    With `cycle`, decay_steps is the smallest multiple of itself not below `step`, instead of the end.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, floatx())
        if self.cycle:
            cycles = ops.where(ops.equal(step, 0), 1.0, ops.ceil(step / self.decay_steps))
            done = step / (self.decay_steps * cycles)
        else:
            done = ops.minimum(step, float(self.decay_steps)) / self.decay_steps
        left = ops.power(1 - done, ops.cast(self.power, floatx()))
        return (self.initial_learning_rate - self.end_learning_rate) * left + self.end_learning_rate


class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps); with `staircase`, the quotient is rounded down."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Any:
        done = ops.cast(step, floatx()) / self.decay_steps
        done = ops.floor(done) if self.staircase else done
        return self.initial_learning_rate / (1 + self.decay_rate * done)


def _cosine(fraction: Any, alpha: float) -> Any:
    return (1 - alpha) * (0.5 * (1.0 + ops.cos(math.pi * fraction))) + alpha


class CosineDecay(LearningRateSchedule):
    """rate * ((1 - alpha) * (1 + cos(pi * min(step, decay_steps) / decay_steps)) / 2 + alpha).

    With `warmup_target`, the rate first goes in a line from `initial_learning_rate` to the target over `warmup_steps`,
    and decays from there (Loshchilov & Hutter 2017).
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = self._check_steps("decay_steps", decay_steps)
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, floatx())
        if self.warmup_target is None:
            return self.initial_learning_rate * _cosine(
                ops.minimum(step, float(self.decay_steps)) / self.decay_steps, self.alpha
            )
        after = ops.minimum(step - self.warmup_steps, float(self.decay_steps)) / self.decay_steps
        decayed = self.warmup_target * _cosine(after, self.alpha)
        if not self.warmup_steps:
            return decayed
        slope = (self.warmup_target - self.initial_learning_rate) / self.warmup_steps
        return ops.where(step < self.warmup_steps, slope * step + self.initial_learning_rate, decayed)


class CosineDecayRestarts(LearningRateSchedule):
    """Cosine decay that starts anew, each time `t_mul` times as long and `m_mul` times as high.

    SGDR (Loshchilov & Hutter 2017).
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = self._check_steps("first_decay_steps", first_decay_steps)
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: Any) -> Any:
        done = ops.cast(step, floatx()) / self.first_decay_steps
        if self.t_mul == 1.0:
            restarts = ops.floor(done)
            fraction = done - restarts
        else:
            restarts = ops.floor(ops.log(1.0 - done * (1.0 - self.t_mul)) / math.log(self.t_mul))
            length = ops.power(ops.cast(self.t_mul, floatx()), restarts)
            fraction = (done - (1.0 - length) / (1.0 - self.t_mul)) / length
        height = ops.power(ops.cast(self.m_mul, floatx()), restarts)
        cosine = 0.5 * height * (1.0 + ops.cos(math.pi * fraction))
        return self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """A config that `deserialize` turns back into the schedule."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The schedule that `serialize` described."""
    known = {cls.__name__: cls for cls in LearningRateSchedule.__subclasses__() if cls.__module__ == __name__}
    return deserialize_keras_object(config, custom_objects, module_objects=known)
