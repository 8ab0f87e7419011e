"""Optimizers whose step depends on a variable's shape: Adafactor and Muon."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import ops
from ..variables import Variable
from .optimizer import Optimizer

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .arguments import Common, WithoutDecay


def _rms(x: Any) -> Any:
    return ops.sqrt(ops.mean(ops.square(x)))


class Adafactor(Optimizer):
    """Adam without m, its v for a matrix the product of a row and a column (Shazeer & Stern 2018, algorithms 4, 5).

    rho = min(learning_rate, 1 / sqrt(t));  step size a = max(epsilon_2, rms(w)) * rho;  b = 1 - t^beta_2_decay;
    v <- b v + (1 - b) (g^2 + epsilon_1), in its factors;  u = g / sqrt(v);
    w <- w - a u / max(1, rms(u) / clip_threshold).

    Args:
        learning_rate: the largest rate.
        beta_2_decay: exponent, < 0, by which b goes to 1.
        epsilon_1: added to g^2.
        epsilon_2: the least rms of a variable, as far as the step size goes.
        clip_threshold: largest rms of u.
        relative_step: whether a rate given as a number is cut to 1 / sqrt(t).
        **kwargs: see `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._r: list[Variable] = []
        self._c: list[Variable] = []
        self._v: list[Variable] = []
        for variable in variables:
            shape = tuple(variable.shape)
            is_matrix = len(shape) >= 2
            rows, columns = (shape[:-1], (*shape[:-2], shape[-1])) if is_matrix else ((), ())
            self._r.append(self.add_variable(rows, dtype=variable.dtype, name=variable.name))
            self._c.append(self.add_variable(columns, dtype=variable.dtype, name=variable.name))
            self._v.append(self.add_variable_from_reference(variable, "velocity"))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        step = ops.cast(self.iterations + 1, variable.dtype)
        i = self._get_variable_index(variable)
        r, c, v = self._r[i], self._c[i], self._v[i]
        size = ops.maximum(_rms(variable), self.epsilon_2) * ops.minimum(lr, 1 / ops.sqrt(step))
        square = ops.square(g) + self.epsilon_1
        keep = 1 - ops.power(step, self.beta_2_decay)
        if len(variable.shape) >= 2:
            r.assign(keep * r + (1 - keep) * ops.mean(square, axis=-1))
            c.assign(keep * c + (1 - keep) * ops.mean(square, axis=-2))
            v.assign(ops.expand_dims(r / ops.mean(r, axis=-1, keepdims=True), -1) * ops.expand_dims(c, -2))
        else:
            v.assign(keep * v + (1 - keep) * square)
        u = g / ops.sqrt(v)
        variable.assign_sub(size * u / ops.maximum(_rms(u) / self.clip_threshold, 1.0))


class Muon(Optimizer):
    """Momentum whose step is made orthogonal, for matrices; AdamW for all other variables (Jordan et al. 2024).

    m <- momentum * m + g;  u = the orthogonal factor of m (of g + momentum * m with `nesterov`), by `ns_steps` of the
    iteration x <- a x + (b x x' + c (x x')^2) x;  w <- w - learning_rate * rms_rate * sqrt(largest size) * u.

    Args:
        learning_rate: rate of both rules.
        adam_beta_1, adam_beta_2, adam_weight_decay, epsilon: of AdamW.
        weight_decay: of the matrices.
        exclude_layers: regular expressions; variables in whose path one is found are left to AdamW.
        exclude_embeddings: leave variables with "embedding" in their path to AdamW.
        muon_a, muon_b, muon_c: a, b and c of the iteration.
        adam_lr_ratio: AdamW's rate in units of learning_rate.
        momentum: in [0, 1).
        ns_steps: number of iterations.
        nesterov: look ahead by the momentum.
        rms_rate: the rms of a step in units of learning_rate; None leaves out its factor and that of the size.
        **kwargs: see `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Unpack[WithoutDecay],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def _is_left_to_adam(self, variable: Variable) -> bool:
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.path.lower()):
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self.momentums: list[Variable] = []
        self.adam_velocities: list[Variable | None] = []
        for variable in variables:
            self.momentums.append(self.add_variable_from_reference(variable, "momentum"))
            needs_velocity = self._is_left_to_adam(variable)
            self.adam_velocities.append(
                self.add_variable_from_reference(variable, "velocity") if needs_velocity else None
            )

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        i = self._get_variable_index(variable)
        m, v = self.momentums[i], self.adam_velocities[i]
        if v is not None:
            self._adam_step(g, variable, lr * self.adam_lr_ratio, m, v)
            return
        m.assign_add(g + m * (self.momentum - 1))
        step = lr * self._orthogonal(g + self.momentum * m if self.nesterov else ops.convert_to_tensor(m))
        if self.rms_rate is not None:
            step = step * (math.sqrt(max(variable.shape)) * self.rms_rate)
        variable.assign_sub(step)

    def _adam_step(self, g: Any, variable: Variable, lr: Any, m: Variable, v: Variable) -> None:
        step = ops.cast(self.iterations + 1, variable.dtype)
        power_1, power_2 = (ops.power(ops.cast(b, variable.dtype), step) for b in (self.adam_beta_1, self.adam_beta_2))
        m.assign_add((g - m) * (1 - self.adam_beta_1))
        v.assign_add((ops.square(g) - v) * (1 - self.adam_beta_2))
        alpha = lr * ops.sqrt(1 - power_2) / (1 - power_1)
        variable.assign_sub(m * alpha / (ops.sqrt(v) + self.epsilon))

    def _orthogonal(self, x: Any) -> Any:
        is_tall = x.shape[0] > x.shape[1]
        x = ops.transpose(x) if is_tall else x
        x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
        for _ in range(self.ns_steps):
            gram = ops.matmul(x, ops.transpose(x))
            x = self.muon_a * x + ops.matmul(self.muon_b * gram + self.muon_c * ops.matmul(gram, gram), x)
        return ops.transpose(x) if is_tall else x

    def _apply_weight_decay(self, variables: list[Variable]) -> None:
        for variable in variables:
            decay = self.adam_weight_decay if self._is_left_to_adam(variable) else self.weight_decay
            if decay is not None and self._use_weight_decay(variable):
                variable.assign(variable - variable * decay * ops.cast(self.learning_rate, variable.dtype))
