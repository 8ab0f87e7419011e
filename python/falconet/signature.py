"""What a function's parameters are, read from its code object: importing `inspect` would cost every user's start-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_VAR_POSITIONAL, _VAR_KEYWORD = 0x04, 0x08


class Signature:
    """Parameter names of `fn` in order (without `self`), their defaults, and whether it takes *args and **kwargs."""

    __slots__ = ("names", "positional", "defaults", "var_positional", "var_keyword")
    names: tuple[str, ...]
    positional: tuple[str, ...]
    defaults: dict[str, Any]

    def __init__(self, fn: Callable[..., Any], skip: int = 1) -> None:
        while hasattr(fn, "__wrapped__"):
            fn = fn.__wrapped__
        fn = getattr(fn, "__func__", fn)
        code = getattr(fn, "__code__", None)
        if code is None:  # a builtin, or an object with __call__
            self.names, self.positional, self.defaults = (), (), {}
            self.var_positional = self.var_keyword = True
            return
        num_positional, num_keyword = code.co_argcount, code.co_kwonlyargcount
        variables = code.co_varnames
        self.positional = variables[skip:num_positional]
        self.names = self.positional + variables[num_positional : num_positional + num_keyword]
        defaults = fn.__defaults__ or ()
        self.defaults = dict(zip(variables[num_positional - len(defaults) : num_positional], defaults, strict=False))
        self.defaults.update(fn.__kwdefaults__ or {})
        self.var_positional = bool(code.co_flags & _VAR_POSITIONAL)
        self.var_keyword = bool(code.co_flags & _VAR_KEYWORD)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by name, in parameter order; what the signature has no name for is left to the call to refuse."""
        given = dict(zip(self.positional, args, strict=False))
        given.update(kwargs)
        return {
            name: given[name] for name in (*self.names, *(k for k in given if k not in self.names)) if name in given
        }


_cache: dict[Any, Signature] = {}


def signature_of(fn: Callable[..., Any], skip: int = 1) -> Signature:
    """The cached signature of a function or method; `skip` leading parameters (usually `self`) are left out."""
    key = (getattr(fn, "__func__", fn), skip)
    found = _cache.get(key)
    if found is None:
        found = _cache[key] = Signature(fn, skip)
    return found
