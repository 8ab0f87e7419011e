"""Optimizers that keep a velocity or a sum of squares: SGD, RMSprop, Adagrad, Adadelta, Ftrl, Lion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import initializers, ops
from ..variables import Variable
from .optimizer import Optimizer

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .arguments import Common


class SGD(Optimizer):
    """w <- w - learning_rate * g.

    With momentum:  m <- momentum * m - learning_rate * g;  w <- w + m,
    and with `nesterov`:  w <- w + momentum * m - learning_rate * g  (Sutskever et al. 2013).
    momentum in [0, 1].
    """

    _elementwise = True

    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **kwargs: Unpack[Common]
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if not 0 <= momentum <= 1:
            raise ValueError(f"[SGD] `momentum` is {momentum}; it must lie in [0, 1].")
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        step = g * lr
        if not self.momentum:
            variable.assign_sub(step)
            return
        m = self.momentums[self._get_variable_index(variable)]
        m.assign(m * self.momentum - step)
        variable.assign_add(m * self.momentum - step if self.nesterov else m)


class RMSprop(Optimizer):
    """v <- rho v + (1 - rho) g^2;  w <- w - learning_rate * g / sqrt(v + epsilon)  (Tieleman & Hinton 2012).

    With `centered`, v is replaced by v - a^2, a the running mean of g (Graves 2013); with momentum, the quotient is
    added to momentum times the last one. Epsilon stands inside the root, as in Keras; PyTorch adds it outside.
    rho, momentum in [0, 1); epsilon > 0.
    """

    _elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")
        self._momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum > 0 else []
        self._average_gradients = self.add_optimizer_variables(variables, "average_gradient") if self.centered else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        i = self._get_variable_index(variable)
        v = self._velocities[i]
        v.assign(self.rho * v + (1 - self.rho) * ops.square(g))
        if self.centered:
            a = self._average_gradients[i]
            a.assign(self.rho * a + (1 - self.rho) * g)
            step = lr * g / ops.sqrt(v - ops.square(a) + self.epsilon)
        else:
            step = lr * g / ops.sqrt(v + self.epsilon)
        if self.momentum > 0:
            m = self._momentums[i]
            m.assign(self.momentum * m + step)
            step = m
        variable.assign_sub(step)


class Adagrad(Optimizer):
    """s <- s + g^2;  w <- w - learning_rate * g / sqrt(s + epsilon)  (Duchi et al. 2011).

    s starts from initial_accumulator_value >= 0; epsilon > 0.
    """

    _elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        start = initializers.Constant(self.initial_accumulator_value)
        self._accumulators = self.add_optimizer_variables(variables, "accumulator", start)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        s = self._accumulators[self._get_variable_index(variable)]
        s.assign_add(ops.square(g))
        variable.assign_sub(lr * g / ops.sqrt(s + self.epsilon))


class Adadelta(Optimizer):
    """s <- rho s + (1 - rho) g^2;  d = g * sqrt(e + epsilon) / sqrt(s + epsilon);  e <- rho e + (1 - rho) d^2;
    w <- w - learning_rate * d  (Zeiler 2012, where learning_rate is 1).
    """

    _elementwise = True

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Unpack[Common]
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        names = ["accumulated_grad", "accumulated_delta_var"]
        self._accumulated_grads, self._accumulated_delta_vars = self.add_optimizer_variables(variables, names)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        i = self._get_variable_index(variable)
        s, e = self._accumulated_grads[i], self._accumulated_delta_vars[i]
        s.assign(self.rho * s + (1 - self.rho) * ops.square(g))
        d = ops.sqrt(e + self.epsilon) * g / ops.sqrt(s + self.epsilon)
        e.assign(self.rho * e + (1 - self.rho) * ops.square(d))
        variable.assign_sub(lr * d)


class Lion(Optimizer):
    """w <- w - learning_rate * sign(beta_1 m + (1 - beta_1) g);  m <- beta_2 m + (1 - beta_2) g  (Chen et al. 2023).

    beta_1 in (0, 1], beta_2 in [0, 1). Steps are longer than Adam's: take a rate 3 to 10 times smaller.
    """

    _elementwise = True

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **kwargs: Unpack[Common]
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if not 0 < beta_1 <= 1:
            raise ValueError(f"[Lion] `beta_1` is {beta_1}; it must lie in (0, 1].")
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        m = self._momentums[self._get_variable_index(variable)]
        variable.assign_sub(lr * ops.sign(m * self.beta_1 + g * (1.0 - self.beta_1)))
        m.assign(m * self.beta_2 + g * (1.0 - self.beta_2))


class Ftrl(Optimizer):
    """Follow the regularized leader (McMahan et al. 2013, algorithm 1), with p = -learning_rate_power:

    n' = n + g^2;  z <- z + g + 2 shrinkage w - (n'^p - n^p) / learning_rate * w;
    w <- (clip(z, -l1, l1) - z) / (n'^p / learning_rate + 2 l2 + beta / learning_rate), and n <- n'.

    Small w become exactly 0 where l1 > 0. learning_rate_power <= 0, the other arguments >= 0.
    """

    _elementwise = True

    initial_accumulator_value: float
    l1_regularization_strength: float
    l2_regularization_strength: float
    l2_shrinkage_regularization_strength: float

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        strengths = {
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
        }
        for name, value in strengths.items():
            if value < 0:
                raise ValueError(f"[Ftrl] `{name}` is {value}; it must be >= 0.")
        if learning_rate_power > 0:
            raise ValueError(f"[Ftrl] `learning_rate_power` is {learning_rate_power}; it must be <= 0.")
        self.__dict__.update(strengths)
        self.learning_rate_power = learning_rate_power
        self.beta = beta

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        starts = [initializers.Constant(self.initial_accumulator_value), "zeros"]
        self._accumulators, self._linears = self.add_optimizer_variables(variables, ["accumulator", "linear"], starts)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        i = self._get_variable_index(variable)
        n, z = self._accumulators[i], self._linears[i]
        power, l1 = -self.learning_rate_power, self.l1_regularization_strength
        sum_of_squares = n + ops.square(g)
        root = ops.power(sum_of_squares, power)
        shrunk = g + 2 * self.l2_shrinkage_regularization_strength * variable
        z.assign_add(shrunk - (root - ops.power(n, power)) / lr * variable)
        quadratic = root / lr + 2 * (self.l2_regularization_strength + self.beta / (2.0 * lr))
        variable.assign((ops.clip(z, -l1, l1) - z) / quadratic)
        n.assign(sum_of_squares)
