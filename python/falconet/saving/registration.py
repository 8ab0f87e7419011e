"""Which names a saved config may call on: Falconet's own public classes, and what the user registered.

Nothing is looked up in a module because a file names it: a name is a key of the tables of what Falconet offers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import local
from typing import Any, TypeVar

from ..lazy import load, offered

_T = TypeVar("_T")

_builtins: dict[tuple[str, str], Any] = {}  # (namespace such as "losses", public name) -> class or function
_places: dict[Any, tuple[str, str]] = {}  # the reverse
# Where Falconet's own objects are; in this order where a config does not say where.
_SPACES = (
    "activations",
    "initializers",
    "random",
    "regularizers",
    "constraints",
    "losses",
    "metrics",
    "layers",
    "models",
    "optimizers",
    "optimizers.schedules",
)
_FUNCTIONS_IN = ("losses", "metrics")  # of what is loaded when first used; activations are registered where they stand
_custom_objects: dict[str, Any] = {}
_custom_names: dict[Any, str] = {}


class _Scope(local):
    objects: dict[str, Any] = {}


_scope = _Scope()


def register_builtin(obj: Any, namespace: str, *names: str) -> None:
    """Let configs name one of Falconet's own classes or functions, by its own name or by `names`."""
    for name in names or (obj.__name__,):
        _builtins[namespace, name] = obj
    _places.setdefault(obj, (namespace, names[0] if names else obj.__name__))


def write_as(obj: Any, namespace: str) -> None:
    """Let configs call a class of Falconet's own by another namespace, where Keras has it in a private one."""
    _places[obj] = (namespace, obj.__name__)


def builtin_place(obj: Any) -> tuple[str, str] | None:
    """(namespace, public name) of one of Falconet's own objects, or None."""
    return _places.get(obj)


def find_builtin(name: str, namespaces: tuple[str, ...] | None = None) -> Any:
    """Falconet's own object called `name` in one of the namespaces (None: in any), or None."""
    for space in _SPACES if namespaces is None else namespaces:
        if (space, name) not in _builtins and space in _SPACES and name in offered(f"falconet.{space}"):
            found = load(f"falconet.{space}", name)  # a class registers itself by being defined
            if space in _FUNCTIONS_IN and not isinstance(found, type):
                register_builtin(found, space)
        if (space, name) in _builtins:
            return _builtins[space, name]
    return None


class CustomObjectScope:
    """While it is entered, configs may use the names in `custom_objects`, a dict of name to class or function."""

    def __init__(self, custom_objects: dict[str, Any] | None) -> None:
        self.custom_objects = custom_objects or {}
        self._outer: list[dict[str, Any]] = []

    def __enter__(self) -> CustomObjectScope:
        self._outer.append(_scope.objects)
        _scope.objects = {**_scope.objects, **self.custom_objects}
        return self

    def __exit__(self, *error: Any) -> None:
        _scope.objects = self._outer.pop()


custom_object_scope = CustomObjectScope


def get_custom_objects() -> dict[str, Any]:
    """The live dict of registered names to objects."""
    return _custom_objects


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[_T], _T]:
    """Decorator that lets saved configs name a class or function, as "package>name"."""

    def register(obj: _T) -> _T:
        if isinstance(obj, type) and not hasattr(obj, "get_config"):
            raise ValueError(
                f"[register_keras_serializable] class {obj.__name__} has no `get_config` method; "
                "add one that returns the constructor's arguments as a dict."
            )
        registered = f"{package}>{name or obj.__name__}"  # type: ignore[attr-defined]
        _custom_objects[registered] = obj
        _custom_names[obj] = registered
        return obj

    return register


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function was registered, or else its own."""
    try:
        return _custom_names.get(obj) or obj.__name__
    except TypeError:  # unhashable
        return obj.__name__


def get_registered_object(
    name: str, custom_objects: dict[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """The object called `name`: sought in the open scopes, then among the registered, then in the two dicts."""
    for known in (_scope.objects, _custom_objects, custom_objects or {}, module_objects or {}):
        if name in known:
            return known[name]
    return None
