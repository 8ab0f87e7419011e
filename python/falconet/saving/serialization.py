"""Objects to plain configs (JSON types) and back, in Keras 3's form.

A config is {"module", "class_name", "config", "registered_name"}. Reading one runs no code and imports no module: a
class is one of Falconet's own, was registered, or was passed in `custom_objects`; lambdas are neither read nor written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import local
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from ..dtype_policies import DTypePolicy
from .registration import (
    CustomObjectScope,
    builtin_place,
    find_builtin,
    get_registered_name,
    get_registered_object,
    register_builtin,
)

_PLAIN = (str, int, float, bool)
# Where Keras lets the root module stand for another namespace.
_ROOT = ("models", "layers", "dtype_policies", "initializers", "optimizers", "losses", "metrics")


register_builtin(DTypePolicy, "dtype_policies")


class _Shared(local):
    configs: dict[int, dict[str, Any]] | None = None  # id of an object -> its config, while writing
    objects: dict[int, Any] | None = None  # id in the file -> the object, while reading


_shared = _Shared()


class ObjectSharingScope:
    """While it is entered, an object met twice is written with a `shared_object_id` and read back as one object."""

    def __enter__(self) -> ObjectSharingScope:
        _shared.configs, _shared.objects = {}, {}
        return self

    def __exit__(self, *error: Any) -> None:
        _shared.configs = _shared.objects = None


def serialize_keras_object(obj: Any) -> Any:
    """`obj` as plain types: scalars, lists and dicts as they are, arrays by value, objects by class and config."""
    if obj is None or isinstance(obj, _PLAIN):
        return obj
    if isinstance(obj, (list, tuple)):
        items = [serialize_keras_object(item) for item in obj]
        return tuple(items) if isinstance(obj, tuple) else items
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        if obj.ndim == 0:
            return obj.item()
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": str(obj.dtype)}}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if isinstance(obj, slice):
        ends = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": serialize_keras_object(ends)}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if not hasattr(obj, "get_config"):
        if isinstance(obj, (FunctionType, BuiltinFunctionType, type)):
            return _serialize_function(obj)
        if hasattr(obj, "__array__") and hasattr(obj, "dtype"):
            value = np.asarray(obj)
            return {"class_name": "__tensor__", "config": {"value": value.tolist(), "dtype": str(obj.dtype)}}
    elif isinstance(obj, type):
        return _serialize_function(obj)
    return _serialize_instance(obj)


def _serialize_function(fn: Any) -> dict[str, Any]:
    name = get_registered_name(fn)
    if name == "<lambda>":
        raise ValueError(
            "[serialize_keras_object] a lambda cannot be saved, as reading it back would run code from a file. "
            "Write it as a named function decorated with @register_keras_serializable()."
        )
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def _serialize_instance(obj: Any) -> dict[str, Any]:
    cls = type(obj)
    if not hasattr(obj, "get_config"):
        raise TypeError(
            f"[serialize_keras_object] an object of type {cls.__name__} has no `get_config` method: {obj!r}. "
            "Add one that returns the constructor's arguments as a dict."
        )
    inner = obj.get_config()
    if not isinstance(inner, dict):
        raise TypeError(f"[serialize_keras_object] {cls.__name__}.get_config() returned {inner!r}; it must be a dict.")
    place = builtin_place(cls)
    found = {
        "module": f"keras.{place[0]}" if place else None if cls.__module__ == "__main__" else cls.__module__,
        "class_name": place[1] if place else cls.__name__,
        "config": serialize_keras_object(inner),
        "registered_name": None if place else get_registered_name(cls),
    }
    for part in ("build_config", "compile_config"):
        method = getattr(obj, f"get_{part}", None)
        value = method() if method else None
        if value is not None:
            found[part] = serialize_keras_object(value)
    if _shared.configs is not None:
        first = _shared.configs.setdefault(id(obj), found)
        if first is not found:
            found["shared_object_id"] = first["shared_object_id"] = id(obj)
    return found


def deserialize_keras_object(
    config: Any,
    custom_objects: dict[str, Any] | None = None,
    safe_mode: bool = True,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """The object that a config describes.

    Args:
        config: what `serialize_keras_object` returned, or a bare name sought in `module_objects`.
        custom_objects: further names that the config may use.
        safe_mode: False is refused with the config of a lambda like True: Falconet never runs code from a config.
        module_objects: names that a bare name, or a config without a module, may mean.
    """
    if config is None:
        return None
    if custom_objects:
        with CustomObjectScope(custom_objects):
            return deserialize_keras_object(config, None, safe_mode, module_objects)
    if isinstance(config, str):
        found = get_registered_object(config, module_objects=module_objects)
        return config if found is None else found() if isinstance(found, type) and module_objects else found
    if isinstance(config, _PLAIN):
        return config
    if isinstance(config, (list, tuple)):
        return [deserialize_keras_object(item, safe_mode=safe_mode) for item in config]
    if not isinstance(config, dict):
        raise TypeError(
            f"[deserialize_keras_object] cannot read {config!r}; a config is made of plain types and dicts."
        )
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(value, safe_mode=safe_mode) for key, value in config.items()}
    name, inner = config["class_name"], {} if config["config"] is None else config["config"]
    if name in _VALUES:
        return _VALUES[name](inner)
    if name == "__lambda__":
        raise ValueError(
            f"[deserialize_keras_object] the config holds a lambda (safe_mode={safe_mode}); Falconet never runs code "
            "from a file. Save a named function decorated with @register_keras_serializable() instead."
        )
    if name == "function":
        return _find_function(inner, config, module_objects)
    cls = _find_class(name, config, module_objects)
    return cls if isinstance(cls, FunctionType) else _make(cls, name, inner, config)


def _read_array(inner: dict[str, Any]) -> np.ndarray:
    return np.array(inner["value"], dtype=inner["dtype"])


def _read_tensor(inner: dict[str, Any]) -> Any:
    from .. import ops

    return ops.convert_to_tensor(inner["value"], dtype=inner["dtype"])


_VALUES: dict[str, Callable[[Any], Any]] = {
    "__numpy__": _read_array,
    "__tensor__": _read_tensor,
    "__bytes__": lambda inner: inner["value"].encode("utf-8"),
    "__ellipsis__": lambda inner: Ellipsis,
    "__slice__": lambda inner: slice(*(deserialize_keras_object(inner[end]) for end in ("start", "stop", "step"))),
}


def _make(cls: Any, name: str, inner: Any, config: dict[str, Any]) -> Any:
    if not isinstance(inner, dict):
        raise TypeError(f"[deserialize_keras_object] the `config` of {name} is {inner!r}; it must be a dict.")
    shared = config.get("shared_object_id")
    if shared is not None and _shared.objects is not None and shared in _shared.objects:
        return _shared.objects[shared]
    if not hasattr(cls, "from_config"):
        raise TypeError(f"[deserialize_keras_object] {name} has no `from_config` method, so it cannot be rebuilt.")
    try:
        instance = cls.from_config(dict(inner))
    except TypeError as error:
        message = f"[deserialize_keras_object] {name} could not be rebuilt from {inner!r}: {error}"
        raise TypeError(message) from error
    if config.get("build_config") and not getattr(instance, "built", False):
        instance.build_from_config(config["build_config"])
        instance.built = True
    if config.get("compile_config"):
        instance.compile_from_config(config["compile_config"])
        instance.compiled = True
    if shared is not None and _shared.objects is not None:
        _shared.objects[shared] = instance
    return instance


def _namespaces(module: Any) -> tuple[str, ...] | None:
    """Falconet's namespaces that a config's module may mean; () where it is somebody else's."""
    if module is None or module == "builtins":
        return None
    root, *rest = str(module).split(".")
    if root not in ("keras", "falconet"):
        return ()
    rest = [part for part in rest if part != "src"]
    return (".".join(rest), rest[0], *_ROOT) if rest else _ROOT


def _find_class(name: str, config: dict[str, Any], module_objects: Mapping[str, Any] | None) -> Any:
    registered = config.get("registered_name") or name
    found = get_registered_object(registered)
    if found is None:
        found = get_registered_object(name, module_objects=module_objects)
    if found is None and _namespaces(config.get("module")) != ():
        found = find_builtin(name, _namespaces(config.get("module")))
    if found is None:
        raise TypeError(_unknown("class", registered, config))
    return found


def _find_function(name: Any, config: dict[str, Any], module_objects: Mapping[str, Any] | None) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"[deserialize_keras_object] the `config` of a function is {name!r}; it must be its name.")
    found = get_registered_object(name, module_objects=module_objects)
    if found is None:
        found = find_builtin(name)
    if found is None:
        raise TypeError(_unknown("function", name, config))
    return found


def _unknown(kind: str, name: str, config: dict[str, Any]) -> str:
    return (
        f"[deserialize_keras_object] there is no {kind} {name!r} (module {config.get('module')!r}) here. "
        f"Decorate your own {kind} with @register_keras_serializable() and import it before loading, or pass it in "
        "`custom_objects`."
    )
