"""What surrounds a layer's call: the training flag handed down to inner layers, and error messages that
name the layer and what came."""

from __future__ import annotations

import threading
from typing import Any


class CallState(threading.local):
    """Per thread: the outermost layer being called (None outside of calls), and the arguments inner layers inherit."""

    def __init__(self) -> None:
        self.entry: Any = None
        self.training: bool | None = None
        self.layer: Any = None  # the innermost layer being called
        self.weight_budget: int | None = None  # while a file is loaded: how many numbers weights may still have


state = CallState()

# Counts public attributes set on built layers, anywhere: compiled programs were traced with the old values, so they
# compare.
version = [0]


def describe(value: Any) -> str:
    """An argument in a few words: shape and dtype for arrays, the value itself where it is short."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"{tuple(shape)} {getattr(value, 'dtype', '')}".rstrip()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {describe(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(describe(v) for v in value[:8]) + (", ..." if len(value) > 8 else "")
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_WRAPPED = (ValueError, TypeError, RuntimeError, IndexError, KeyError, NotImplementedError, ArithmeticError)


def name_layer_in(error: Exception, label: str, arguments: dict[str, Any]) -> Exception | None:
    """A copy of `error` whose message names the layer and its arguments; None where `error` should pass as it is
    (it names a layer already, or its type takes more than a message)."""
    if getattr(error, "_names_layer", False) or type(error) not in _WRAPPED:
        return None
    message = str(error.args[0]) if len(error.args) == 1 else str(error)
    came = ", ".join(f"{name}={describe(value)}" for name, value in arguments.items())
    if not message.startswith(f"[{label}]"):
        message = f"[{label}] {message}"
    named = type(error)(f"{message}\n  called with: {came}")
    named._names_layer = True  # type: ignore[attr-defined]
    return named
