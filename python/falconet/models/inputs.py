"""What a functional model is called with, brought into the order, dtype and rank of its inputs."""

from __future__ import annotations

from typing import Any

from falconet import dtypes, ops, tree
from falconet.masks import get_mask, set_mask
from falconet.tracing import KerasTensor


def standardize(model: Any, inputs: Any, mask: Any = None) -> list[Any]:
    """The values of `model`'s inputs in flat order: matched by position or name, cast, and given a missing last
    axis."""
    graph = model._graph
    flat = _in_order(model, inputs)
    masks = tree.flatten(mask) if mask is not None else [None] * len(flat)
    found: list[Any] = []
    for i, (x, symbol) in enumerate(zip(flat, graph.inputs, strict=False)):
        name = symbol.record.operation.name
        if x is None:
            if not symbol.record.operation.optional:
                raise ValueError(f"[{model.label}] input {name!r} is not optional, but None came.")
            found.append(None)
            continue
        kept = masks[i] if i < len(masks) and masks[i] is not None else get_mask(x)
        x = _fit(model, x, symbol, name)
        if kept is not None:
            set_mask(x, kept)
        found.append(x)
    return found


def _in_order(model: Any, inputs: Any) -> list[Any]:
    graph = model._graph
    struct, names = graph.inputs_struct, [x.record.operation.name for x in graph.inputs]
    if isinstance(inputs, dict):
        if isinstance(struct, dict):
            missing = [key for key in struct if key not in inputs]
            if not missing:
                return tree.flatten({key: inputs[key] for key in struct})
        else:
            missing = [name for name in names if name not in inputs]
            if not missing:
                return [inputs[name] for name in names]
        raise ValueError(f"[{model.label}] needs inputs {sorted(struct) if isinstance(struct, dict) else names}, got "
                         f"{sorted(inputs)}: {missing[0]!r} is missing.")  # fmt: skip
    flat = tree.flatten(inputs)
    if len(flat) != len(names):
        raise ValueError(f"[{model.label}] needs {len(names)} input(s) {names}, got {len(flat)}.")
    if isinstance(struct, dict) and list(struct) != sorted(struct):
        raise ValueError(
            f"[{model.label}] was built with inputs by name {list(struct)}; pass a dictionary with these keys."
        )
    return flat


def _fit(model: Any, x: Any, symbol: KerasTensor, name: str) -> Any:
    if not isinstance(x, KerasTensor):
        x = ops.convert_to_tensor(x) if not ops.is_tensor(x) else x
    if dtypes.standardize_dtype(x.dtype) != symbol.dtype:
        x = ops.cast(x, symbol.dtype)
    shape, wanted = tuple(x.shape), tuple(symbol.shape)
    if len(shape) == len(wanted) + 1 and shape[-1] == 1:
        x = ops.reshape(x, shape[:-1])
    elif len(shape) == len(wanted) - 1 and wanted[-1] == 1:
        x = ops.reshape(x, (*shape, 1))
    shape = tuple(x.shape)
    fits = len(shape) == len(wanted) and all(
        w is None or s is None or s == w for s, w in zip(shape[1:], wanted[1:], strict=False)
    )
    if not fits:
        hint = ""
        if shape == wanted[1:]:
            hint = " For a single sample, add the batch axis: x[None, ...]."
        raise ValueError(f"[{model.label}] input {name!r} has shape {shape}; it needs shape {wanted}.{hint}")
    return x
