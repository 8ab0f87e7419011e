"""Ops by name, for configurations and model files: only Falconet's own ops have names, nothing else resolves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from falconet import _core, ops


def name_of_op(function: Callable[..., Any]) -> str:
    """The name under which `op_by_name` finds an op: "core.<name>" or "ops.<name>"."""
    name = getattr(function, "__name__", "")
    for place, module in (("core", _core.ops), ("ops", ops)):
        if vars(module).get(name) is function:
            return f"{place}.{name}"
    raise ValueError(
        f"[get_config] the op {name or function!r} in the model has no public name; put it into a Layer to save "
        "the model."
    )


def op_by_name(name: Any) -> Callable[..., Any]:
    """The op that `name_of_op` named."""
    place, _, rest = name.partition(".") if isinstance(name, str) else ("", "", "")
    module = {"core": _core.ops, "ops": ops}.get(place)
    function = vars(module).get(rest) if module is not None and not rest.startswith("_") else None
    if not callable(function) or isinstance(function, type):
        raise ValueError(f"[from_config] there is no op named {name!r}.")
    return function
