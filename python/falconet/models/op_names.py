"""Ops by name, for model files: only the names of the core's own ops resolve, nothing else."""

from __future__ import annotations

import operator
from typing import Any, Callable

from falconet import _core


def op_by_name(name: Any) -> Callable[..., Any]:
    """The core op called `name`; `getitem` is indexing."""
    if name == "getitem":
        return operator.getitem
    function = getattr(_core.ops, name, None) if isinstance(name, str) and name.isidentifier() else None
    if function is None or name.startswith("_") or not callable(function):
        raise ValueError(f"[from_config] there is no op named {name!r}.")
    return function
