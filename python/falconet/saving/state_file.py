"""Nested plain values with arrays in them, in a file of the layout that models use.

The structure is JSON in the metadata; each array in it is a tensor of the file, and `{"__array__": number}` stands in
its place. Floats come back exactly, NaN and infinities too. What came as a tuple comes back as a list.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .file_format import read, write

_FORMAT = "falconet"
_VERSION = "1"
_MARK = "__array__"


def _pack(value: Any, tensors: dict[str, np.ndarray], place: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value) or _MARK in value:
            raise TypeError(f"[checkpoint] the keys of {place} must be strings, got {list(value)!r}.")
        return {key: _pack(item, tensors, f"{place}[{key!r}]") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_pack(item, tensors, f"{place}[{i}]") for i, item in enumerate(value)]
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype != object and array.dtype.kind not in "USMm":
            tensors[f"array/{len(tensors)}"] = array
            return {_MARK: len(tensors) - 1}
    raise TypeError(
        f"[checkpoint] {place} is {value!r} of type {type(value).__name__}; a state holds None, numbers, text, arrays, "
        "and lists and dictionaries of them."
    )


def _unpack(value: Any, tensors: dict[str, np.ndarray], path: str) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors, path) for item in value]
    if not isinstance(value, dict):
        return value
    if _MARK in value:
        name = f"array/{value[_MARK]}"
        if name not in tensors:
            raise ValueError(f"[checkpoint] {path}: the array {value[_MARK]!r} is missing.")
        return tensors[name]
    return {key: _unpack(item, tensors, path) for key, item in value.items()}


def write_state(path: str, kind: str, state: dict[str, Any]) -> None:
    """Writes a state whole or not at all. kind: what it is the state of, in a word; `read_state` asks for it again."""
    import json

    tensors: dict[str, np.ndarray] = {}
    packed = _pack(state, tensors, kind)
    write(path, tensors, {"format": _FORMAT, "version": _VERSION, "kind": kind, "state": json.dumps(packed)})


def read_state(path: str, kind: str) -> dict[str, Any]:
    """What `write_state` wrote; ValueError where the file is anything else."""
    import json

    tensors, metadata = read(path)
    if metadata.get("format") != _FORMAT or metadata.get("kind") != kind:
        raise ValueError(f"[checkpoint] {path}: this is not a file of kind {kind!r}, but {metadata.get('kind')!r}.")
    version = metadata.get("version", "")
    if not version.isdigit() or int(version) > int(_VERSION):
        raise ValueError(f"[checkpoint] {path}: version {version!r} is newer than this Falconet reads ({_VERSION}).")
    try:
        state = json.loads(metadata["state"])
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"[checkpoint] {path}: the state is not valid: {error}.") from None
    found = _unpack(state, tensors, path)
    if not isinstance(found, dict):
        raise ValueError(f"[checkpoint] {path}: the state is not a dictionary.")
    return found
