"""Names of layers, models and variables: automatic unique names and the scopes that give variables their paths."""

from __future__ import annotations

import threading
from types import TracebackType

_counts: dict[str, int] = {}


class _ScopeStack(threading.local):
    def __init__(self) -> None:
        self.names: list[str] = []
        self.callers: list[object] = []


_scopes = _ScopeStack()


def to_snake_case(name: str) -> str:
    """`MultiHeadAttention` -> `multi_head_attention`, `Conv2D` -> `conv2d`, `ReLU` -> `re_lu`."""
    out: list[str] = []
    for i, char in enumerate(name):
        if char.isupper() and i > 0:
            previous, following = name[i - 1], name[i + 1 : i + 2]
            starts_word = following.islower() and name[i - 1] != "_"
            if previous.islower() or starts_word:
                out.append("_")
        if char.isalnum() or char == "_":
            out.append(char.lower())
    return "".join(out)


def auto_name(prefix: str) -> str:
    """A name not given out before in this process: `dense`, then `dense_1`, `dense_2`, ..."""
    prefix = to_snake_case(prefix)
    count = _counts.get(prefix, 0)
    _counts[prefix] = count + 1
    return prefix if count == 0 else f"{prefix}_{count}"


def reset_names() -> None:
    """Start all automatic names again from their bare prefix."""
    _counts.clear()


def get_uid(prefix: str = "") -> int:
    """How often `prefix` has been asked for, counting this time: 1, 2, 3, ..."""
    _counts[prefix] = _counts.get(prefix, 0) + 1
    return _counts[prefix]


def current_path() -> str:
    """The open name scopes of this thread, joined by slashes."""
    return "/".join(_scopes.names)


class name_scope:  # noqa: N801 - Keras's name
    """Variables created inside get paths that begin with `name` (after the scopes that are already open).

    caller: the object that opens the scope; a scope it has just opened itself is not opened twice.

    >>> with name_scope("encoder"):
    ...     current_path()
    'encoder'
    """

    __slots__ = ("name", "caller", "opened")

    def __init__(self, name: str, caller: object = None) -> None:
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"[name_scope] `name` must be a string without '/', got {name!r}.")
        self.name = name
        self.caller = caller
        self.opened = False

    def __enter__(self) -> name_scope:
        callers = _scopes.callers
        if self.caller is None or not callers or callers[-1] is not self.caller:
            _scopes.names.append(self.name)
            callers.append(self.caller)
            self.opened = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.opened:
            _scopes.names.pop()
            _scopes.callers.pop()
