"""Adam and the optimizers made from it by small changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import initializers, ops
from ..variables import Variable
from .optimizer import Optimizer

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .arguments import Common, WithoutDecay


class _Moments(Optimizer):
    """Slots m and v, the running means of the gradient and of its square (or what stands for it)."""

    _slot_names = ("momentum", "velocity")

    def __init__(
        self, learning_rate: Any, beta_1: float, beta_2: float, epsilon: float, **kwargs: Unpack[Common]
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        for name, beta in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not 0 <= beta < 1:
                raise ValueError(f"[{type(self).__name__}] `{name}` is {beta}; it must lie in [0, 1).")
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, self._slot_names)

    def _moments(self, g: Any, variable: Variable) -> tuple[Variable, Variable]:
        """m and v of a variable, brought up to date with its gradient."""
        i = self._get_variable_index(variable)
        m, v = self._momentums[i], self._velocities[i]
        m.assign_add((g - m) * (1 - self.beta_1))
        v.assign_add((ops.square(g) - v) * (1 - self.beta_2))
        return m, v

    def _powers(self, dtype: str) -> tuple[Any, Any]:
        """beta_1^t and beta_2^t, t counted from 1."""
        step = ops.cast(self.iterations + 1, dtype)
        return ops.power(ops.cast(self.beta_1, dtype), step), ops.power(ops.cast(self.beta_2, dtype), step)


class Adam(_Moments):
    """m <- b1 m + (1-b1) g;  v <- b2 v + (1-b2) g^2;  w <- w - a_t m / (sqrt(v) + epsilon),
    with a_t = learning_rate * sqrt(1 - b2^t) / (1 - b1^t), t counted from 1.

    Kingma & Ba 2015 (arXiv:1412.6980), the efficient form given just before section 2.1: epsilon is their
    "epsilon hat", as in Keras; PyTorch adds epsilon after the bias correction instead. With `amsgrad`, v in the root is
    the largest v so far (Reddi et al. 2018).
    learning_rate > 0, in units of w per unit of normalised gradient; beta_1, beta_2 in [0, 1); epsilon > 0.
    """

    _elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.amsgrad = amsgrad

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._velocity_hats = self.add_optimizer_variables(variables, "velocity_hat") if self.amsgrad else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        power_1, power_2 = self._powers(variable.dtype)
        alpha = lr * ops.sqrt(1 - power_2) / (1 - power_1)
        m, v = self._moments(g, variable)
        if self.amsgrad:
            largest = self._velocity_hats[self._get_variable_index(variable)]
            largest.assign(ops.maximum(largest, v))
            v = largest
        variable.assign_sub(m * alpha / (ops.sqrt(v) + self.epsilon))


class AdamW(Adam):
    """Adam, and w <- w - weight_decay * learning_rate * w before it (Loshchilov & Hutter 2019)."""

    _elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Unpack[WithoutDecay],
    ) -> None:
        if weight_decay is None:
            raise ValueError("[AdamW] `weight_decay` is None; it must be a number. Without weight decay use Adam.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)


class Adamax(_Moments):
    """m <- b1 m + (1-b1) g;  u <- max(b2 u, |g|);  w <- w - learning_rate / (1 - b1^t) * m / (u + epsilon).

    Kingma & Ba 2015, algorithm 2. beta_1, beta_2 in [0, 1); epsilon > 0.
    """

    _elementwise = True

    _slot_names = ("momentum", "norm")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        i = self._get_variable_index(variable)
        m, u = self._momentums[i], self._velocities[i]
        m.assign_add((g - m) * (1 - self.beta_1))
        u.assign(ops.maximum(self.beta_2 * u, ops.abs(g)))
        variable.assign_sub(lr * m / ((1 - self._powers(variable.dtype)[0]) * (u + self.epsilon)))


class Nadam(_Moments):
    """Adam with Nesterov momentum (Dozat 2016), whose momentum b1 (1 - 0.96^t / 2) grows towards b1.

    beta_1, beta_2 in [0, 1); epsilon > 0.
    """

    _elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        dtype = variables[0].dtype if variables else None
        self._u_product = self.add_variable((), initializers.Ones(), dtype=dtype, name="u_product")

    def _momentum_at(self, step: Any, dtype: str) -> Any:
        return self.beta_1 * (1.0 - 0.5 * ops.power(ops.cast(0.96, dtype), ops.cast(step, dtype)))

    def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
        product = self._u_product
        product.assign(product * self._momentum_at(self.iterations + 1, product.dtype))
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        dtype = variable.dtype
        lr, g = self._in_dtype(dtype, learning_rate, gradient)
        now = self._momentum_at(self.iterations + 1, dtype)
        following = self._momentum_at(self.iterations + 2, dtype)
        product = ops.cast(self._u_product, dtype)
        m, v = self._moments(g, variable)
        ahead = m * (following / (1 - product * following)) + g * ((1 - now) / (1 - product))
        root = ops.sqrt(v / (1 - self._powers(dtype)[1]))
        variable.assign_sub(ahead * lr / (root + self.epsilon))


class Lamb(_Moments):
    """Adam's step u, scaled for each variable to its length: w <- w - learning_rate * |w| / |u| * u  (You et al. 2020).

    beta_1, beta_2 in [0, 1); epsilon > 0, added after the bias correction.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        lr, g = self._in_dtype(variable.dtype, learning_rate, gradient)
        power_1, power_2 = self._powers(variable.dtype)
        m, v = self._moments(g, variable)
        step = (m / (1 - power_1)) / (ops.sqrt(v / (1 - power_2)) + self.epsilon)
        length, step_length = (ops.sqrt(ops.sum(ops.square(x))) for x in (variable, step))
        usable = ops.logical_and(length > 0, step_length > 0)
        ratio = ops.where(usable, length / ops.where(usable, step_length, 1.0), 1.0)
        variable.assign_sub(ratio * lr * step)


class ScheduleFreeAdamW(_Moments):
    """AdamW without a schedule: the weights are a mixture of a fast sequence z and its average x (Defazio et al. 2024).

    v <- b2 v + (1-b2) g^2;  z' = z - lr g / (sqrt(v / (1 - b2^t)) + epsilon);  x' = (1 - 1/t) x + z' / t;
    w <- (1 - b1) z' + b1 x', with lr growing linearly from 0 over `warmup_steps`. z is the slot "momentum".
    """

    _elementwise = True

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **kwargs: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        if beta_1 == 0:
            raise ValueError(
                "[ScheduleFreeAdamW] `beta_1` is 0; it must be > 0, as the average is recovered by dividing by it."
            )
        self.warmup_steps = warmup_steps

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        for z, variable in zip(self._momentums, variables, strict=True):
            if z is not None:
                z.assign(ops.convert_to_tensor(variable))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        dtype = variable.dtype
        lr, g = self._in_dtype(dtype, learning_rate, gradient)
        step = ops.cast(self.iterations + 1, dtype)
        if self.warmup_steps > 0:
            lr = lr * ops.minimum(step / self.warmup_steps, 1.0)
        i = self._get_variable_index(variable)
        z, v = self._momentums[i], self._velocities[i]
        # 1 - beta_2 of the rounded beta_2, as in the power below: v / (1 - b2^t) is then g^2 at the first step, where
        # a 1 - beta_2 = 0.001 of float64 would be 1.3e-5 from it.
        v.assign_add((ops.square(g) - v) * (1 - ops.cast(self.beta_2, dtype)))
        x = (variable - (1 - self.beta_1) * z) / self.beta_1
        z.assign_sub(lr * g / (ops.sqrt(v / (1 - self._powers(dtype)[1])) + self.epsilon))
        weight = 1.0 / step
        average = (1 - weight) * x + weight * z
        variable.assign((1 - self.beta_1) * z + self.beta_1 * average)
