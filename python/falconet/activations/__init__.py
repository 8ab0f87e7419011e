"""Activation functions, as Keras names them. All but `relu`'s variants are the operation of the same name."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..saving.identifiers import resolve
from ..saving.registration import get_registered_name, register_builtin
from ..saving.serialization import deserialize_keras_object, serialize_keras_object


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """x above `threshold`, else negative_slope * (x - threshold); never above `max_value`."""
    if threshold == 0:
        y = ops.relu(x)
    else:
        x = ops.convert_to_tensor(x)
        y = ops.where(x > threshold, x, ops.zeros_like(x))
    if max_value is not None:
        y = ops.clip(y, 0.0, max_value)
    if negative_slope != 0:
        y = y - negative_slope * ops.relu(threshold - x)
    return y


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return ops.relu6(x)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x where positive, else negative_slope * x."""
    return ops.leaky_relu(x, negative_slope=negative_slope)


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) / sum exp(x) along `axis`."""
    return ops.softmax(x, axis=axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """x - log sum exp(x) along `axis`."""
    return ops.log_softmax(x, axis=axis)


def sparsemax(x: Any, axis: int = -1) -> Any:
    """Euclidean projection of the vectors along `axis` onto the simplex (Martins & Astudillo 2016)."""
    return ops.sparsemax(x, axis=axis)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where positive, else alpha * (exp(x) - 1)."""
    return ops.elu(x, alpha=alpha)


def selu(x: Any) -> Any:
    """Scaled elu whose outputs keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    return ops.selu(x)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))."""
    return ops.celu(x, alpha=alpha)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x * Phi(x) with Phi the normal distribution function, or its approximation by tanh."""
    return ops.gelu(x, approximate=approximate)


def glu(x: Any, axis: int = -1) -> Any:
    """a * sigmoid(b), with a and b the two halves of x along `axis`."""
    return ops.glu(x, axis=axis)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def hard_sigmoid(x: Any) -> Any:
    """min(max(x / 6 + 1/2, 0), 1)."""
    return ops.hard_sigmoid(x)


def log_sigmoid(x: Any) -> Any:
    """log(1 / (1 + exp(-x)))."""
    return ops.log_sigmoid(x)


def sparse_sigmoid(x: Any) -> Any:
    """min(max((x + 1) / 2, 0), 1)."""
    return ops.sparse_sigmoid(x)


def silu(x: Any) -> Any:
    """x * sigmoid(x), also called swish."""
    return ops.silu(x)


def hard_silu(x: Any) -> Any:
    """x * hard_sigmoid(x), also called hard_swish."""
    return ops.hard_silu(x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


def hard_tanh(x: Any) -> Any:
    """min(max(x, -1), 1)."""
    return ops.hard_tanh(x)


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    return ops.tanh_shrink(x)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by `threshold`, and 0 within it."""
    return ops.soft_shrink(x, threshold=threshold)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x, but 0 where |x| <= threshold."""
    return ops.hard_shrink(x, threshold=threshold)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x where it exceeds `threshold`, else `default_value`."""
    return ops.threshold(x, threshold, default_value)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return ops.softplus(x)


def sparse_plus(x: Any) -> Any:
    """0 below -1, x above 1, and (x + 1)^2 / 4 between."""
    return ops.sparse_plus(x)


def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x^2 + b)) / 2."""
    return ops.squareplus(x, b=b)


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return ops.softsign(x)


def exponential(x: Any) -> Any:
    """exp(x)."""
    return ops.exp(x)


def mish(x: Any) -> Any:
    """x * tanh(softplus(x)) (Misra 2019)."""
    x = ops.convert_to_tensor(x)
    return x * ops.tanh(ops.softplus(x))


def linear(x: Any) -> Any:
    """x itself."""
    return x


_FUNCTIONS: tuple[Any, ...] = (
    relu,
    relu6,
    leaky_relu,
    softmax,
    log_softmax,
    sparsemax,
    elu,
    selu,
    celu,
    gelu,
    glu,
    sigmoid,
    hard_sigmoid,
)
_FUNCTIONS += (log_sigmoid, sparse_sigmoid, silu, hard_silu, tanh, hard_tanh, tanh_shrink, soft_shrink, hard_shrink)
_FUNCTIONS += (threshold, softplus, sparse_plus, squareplus, softsign, exponential, mish, linear)
swish, hard_swish = silu, hard_silu
_NAMES = {function.__name__: function for function in _FUNCTIONS} | {"swish": silu, "hard_swish": hard_silu}
for _function in _FUNCTIONS:
    register_builtin(_function, "activations")


def serialize(activation: Any) -> Any:
    """The name of one of these functions, the registered name of another, or the config of an object."""
    name = getattr(activation, "__name__", None)
    if name is not None and _NAMES.get(name) is activation:
        return name
    config = serialize_keras_object(activation)
    if config["class_name"] == "function" and ">" not in config["config"]:
        raise ValueError(
            f"[activations.serialize] {get_registered_name(activation)} is not one of Falconet's activations; "
            "decorate it with @register_keras_serializable()."
        )
    return config


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The function or object that `serialize` described."""
    return deserialize_keras_object(config, custom_objects, module_objects=_NAMES)


def get(identifier: Any) -> Any:
    """The function meant by None (`linear`), a name, a config or a callable."""
    return linear if identifier is None else resolve(identifier, _NAMES, "activation")


__all__ = [
    "celu", "deserialize", "elu", "exponential", "gelu", "get", "glu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6",
    "selu", "serialize", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus",
    "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink", "threshold",
]  # fmt: skip
