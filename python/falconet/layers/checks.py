"""Checks of constructor arguments, shared by the layers."""

from __future__ import annotations

from typing import Any


def positive_int(layer: Any, argument: str, value: Any) -> int:
    """`value` as an int >= 1, or ValueError naming the layer and the argument."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 1:
        raise ValueError(f"[{type(layer).__name__}] `{argument}` must be an integer >= 1, got {value!r}.")
    return int(value)


def fraction(layer: Any, argument: str, value: Any) -> float:
    """`value` as a number in [0, 1], or ValueError naming the layer and the argument."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f"[{type(layer).__name__}] `{argument}` must be a number from 0 to 1, got {value!r}.")
    return value


def refuse(layer: Any, **arguments: Any) -> None:
    """Raises where an argument of Keras's that has no meaning here is set to anything but None or False."""
    for argument, value in arguments.items():
        if value is not None and value is not False:
            raise ValueError(f"[{type(layer).__name__}] `{argument}`={value!r} is not available; leave it out.")
