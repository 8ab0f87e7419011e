"""What a layer accepts as input, checked before it computes anything."""

from __future__ import annotations

from typing import Any

from falconet import dtypes, tree


class InputSpec:
    """Limits on one input: its dtype, shape (None = any size), number of axes, and sizes of single axes.

    axes maps an axis (negative counts from the end) to its needed size. `optional` inputs may be None.
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = dtypes.standardize_dtype(dtype) if dtype is not None else None
        self.shape = tuple(None if d is None else int(d) for d in shape) if shape is not None else None
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        return cls(**config)

    def __repr__(self) -> str:
        set_values = [f"{k}={v}" for k, v in self.get_config().items() if v]
        return f"InputSpec({', '.join(set_values)})"


def check_input(spec: Any, inputs: Any, layer: str) -> None:
    """Raises ValueError where `inputs` do not fit `spec`; `layer` names who asks, as in `Dense "dense_1"`."""
    specs = tree.flatten(spec)
    values = _select(inputs, specs)
    if len(values) != len(specs):
        raise ValueError(f"[{layer}] expects {len(specs)} input(s), but {len(values)} came.")
    for position, (one, value) in enumerate(zip(specs, values, strict=False)):
        if one is None:
            continue
        if value is None:
            if not one.optional:
                raise ValueError(f"[{layer}] input {_label(one, position)} is not optional, but None came.")
            continue
        if not hasattr(value, "shape"):
            raise ValueError(f"[{layer}] expects tensors as inputs, got {value!r} of type {type(value).__name__}.")
        problem = _problem(one, tuple(value.shape), str(value.dtype))
        if problem:
            which = "" if len(specs) == 1 else f" {_label(one, position)}"
            raise ValueError(f"[{layer}] input{which} has shape {tuple(value.shape)}; {problem}")


def _select(inputs: Any, specs: list[Any]) -> list[Any]:
    if isinstance(inputs, dict) and all(one is not None and one.name in inputs for one in specs):
        return [inputs[one.name] for one in specs]
    return tree.flatten(inputs)


def _label(spec: InputSpec, position: int) -> str:
    return f"{spec.name!r}" if spec.name else str(position)


def _problem(spec: InputSpec, shape: tuple[int | None, ...], dtype: str) -> str:
    rank = len(shape)
    if spec.allow_last_axis_squeeze and spec.shape is not None:
        # A column (n, 1) where (n,) is wanted, or the reverse, is adjusted later.
        if rank == len(spec.shape) + 1 and shape[-1] == 1:
            shape, rank = shape[:-1], rank - 1
        elif rank == len(spec.shape) - 1 and spec.shape[-1] == 1:
            shape, rank = (*shape, 1), rank + 1
    if spec.ndim is not None and rank != spec.ndim:
        hint = ""
        if rank == spec.ndim - 1:
            hint = " For a single sample, add the batch axis: x[None, ...]."
        wanted = f" with shape {_show(spec.shape)}" if spec.shape is not None else ""
        return f"it needs {spec.ndim} axes{wanted}.{hint}"
    if spec.max_ndim is not None and rank > spec.max_ndim:
        return f"it needs at most {spec.max_ndim} axes."
    if spec.min_ndim is not None and rank < spec.min_ndim:
        hint = " For a single sample, add the batch axis: x[None, :]." if rank == spec.min_ndim - 1 else ""
        return f"it needs at least {spec.min_ndim} axes.{hint}"
    if spec.dtype is not None and dtype != spec.dtype:
        return f"it needs dtype {spec.dtype}, got {dtype}."
    for axis, size in spec.axes.items():
        if size is not None and -rank <= axis < rank and shape[axis] not in (size, None):
            return f"axis {axis} must have size {size}, got {shape[axis]}."
    if spec.shape is not None:
        for known, got in zip(spec.shape, shape, strict=False):
            if known is not None and got is not None and known != got:
                return f"it needs shape {_show(spec.shape)}."
    return ""


def _show(shape: Any) -> str:
    return f"({', '.join('None' if d is None else str(d) for d in shape)}{',' if len(shape) == 1 else ''})"
