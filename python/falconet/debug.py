"""Finding where a model goes wrong: the first layer and op whose result is not finite."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from falconet import ops, tree
from falconet.layers.call_state import describe, state
from falconet.tracing import GradientTape


class NonFinite(Exception):  # noqa: N818 - carries a finding, not a failure
    """Carries the description of the first non-finite value."""


def is_finite(value: Any) -> bool:
    """Whether all numbers in a nested structure of arrays are finite."""
    for leaf in tree.flatten(value):
        if leaf is None or not hasattr(leaf, "dtype") or "float" not in str(leaf.dtype):
            continue
        if not np.isfinite(np.asarray(ops.convert_to_numpy(leaf), dtype=np.float64)).all():
            return False
    return True


class _WatchedOps:
    """While entered, every op called as `ops.<name>` is checked, and the first with a non-finite result raises
    NonFinite."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._originals: dict[str, Any] = {}

    def __enter__(self) -> None:
        for name, function in list(vars(self._module).items()):
            plain = callable(function) and not isinstance(function, type) and not name.startswith("_")
            if plain and name not in ("convert_to_numpy", "convert_to_tensor", "is_tensor", "shape"):
                self._originals[name] = function
                setattr(self._module, name, self._watched(name, function))

    def __exit__(self, *error: Any) -> None:
        for name, function in self._originals.items():
            setattr(self._module, name, function)

    @staticmethod
    def _watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if not is_finite(result) and is_finite((args, kwargs)):
                where = f"layer {state.layer.label}" if state.layer is not None else "the loss or a metric"
                shown = ", ".join(describe(a) for a in args)
                raise NonFinite(f"{where}, op {name}({shown}): the first result that is not finite")
            return result

        return call


def find_non_finite(model: Any, x: Any, y: Any = None, sample_weight: Any = None) -> str | None:
    """Runs one training step on a batch op by op, without updating weights, and says where the first NaN or infinity
    comes from: the input, a weight, a layer and op of the forward pass, the loss, or the gradient of a weight. None
    where all is finite.
    """
    for name, value in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        if not is_finite(value):
            return f"the data: `{name}` has values that are not finite"
    for variable in model.variables:
        if not is_finite(variable.value):
            return f'the weight "{variable.path}" is not finite before the step'
    kept = [(v, np.array(v.numpy())) for v in [*model.variables, *(v for m in model.metrics for v in m.variables)]]
    x, y, sample_weight = tree.map_structure(
        lambda v: None if v is None else ops.convert_to_tensor(v), (x, y, sample_weight)
    )
    try:
        with GradientTape() as tape, _WatchedOps(ops):
            y_pred = model._forward(x, True)
            if not is_finite(y_pred):
                return "the forward pass: the model's output is not finite"
            loss = model._loss_of(x, y, y_pred, sample_weight, True)
        if not is_finite(loss):
            return "the loss is not finite for finite outputs"
        for variable, gradient in zip(
            model.trainable_weights, tape.gradient(loss, model.trainable_weights), strict=False
        ):
            if not is_finite(gradient):
                return f'the backward pass: the gradient of "{variable.path}" is not finite'
    except NonFinite as found:
        return f"the forward pass: {found}"
    finally:
        model._clear_losses()
        for variable, value in kept:
            variable.assign(value)
    return None


__all__ = ["find_non_finite", "is_finite"]
