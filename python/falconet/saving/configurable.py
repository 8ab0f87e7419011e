"""Automatic configs: `get_config` read off the constructor, so that classes need not write it."""

from __future__ import annotations

from typing import Any

from ..signature import signature_of
from .registration import register_builtin
from .serialization import deserialize_keras_object


class Configurable:
    """Base of everything that is rebuilt from a config: `from_config(get_config())` makes an equal object.

    The config holds each constructor argument: the attribute of that name where the object has one (so that later
    changes count), else what was passed, else the default. Falconet's own public subclasses become known to
    `deserialize_keras_object` by being defined.
    """

    _given: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        root, *rest = cls.__module__.split(".")
        if root == "falconet" and rest and not cls.__name__.startswith("_"):
            register_builtin(cls, ".".join(rest[:2]) if rest[1:2] == ["schedules"] else rest[0])

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls)
        object.__setattr__(self, "_given", {**dict(zip(_parameters(cls), args, strict=False)), **kwargs})
        return self

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments that make an equal object."""
        found: dict[str, Any] = {}
        for name, default in _parameters(type(self)).items():
            given = self._given.get(name, default)
            found[name] = getattr(self, name, given)
        return found | {name: value for name, value in self._given.items() if name not in found}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The object that `get_config` described."""
        return cls(**{key: _rebuild(value) for key, value in config.items()})


def _rebuild(value: Any) -> Any:
    is_object = isinstance(value, dict) and "class_name" in value and "config" in value
    return deserialize_keras_object(value) if is_object else value


def _parameters(cls: type) -> dict[str, Any]:
    """Names and defaults of the constructor's parameters, with those of the base class where it takes **kwargs."""
    cached = cls.__dict__.get("_parameters")
    if cached is not None:
        return cached
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        init = base.__dict__.get("__init__")
        if init is None:
            continue
        if not hasattr(init, "__code__"):
            break
        signature = signature_of(init)
        for name in signature.names:
            found.setdefault(name, signature.defaults.get(name))
        if not signature.var_keyword:
            break
    cls._parameters = found  # type: ignore[attr-defined]
    return found
