"""Models and weights to files and back: architecture, weights, compile configuration and optimizer state in one file.

Tensor names are `weights/<position>/<path>`, `seeds/...` and `optimizer/...`; the position decides, the path is for
people. So weights fit any model of the same architecture, whatever its layers are called.
"""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from .file_format import from_bytes, read, to_bytes, write
from .registration import CustomObjectScope
from .serialization import deserialize_keras_object, serialize_keras_object

_FORMAT = "falconet"
_VERSION = "1"
# What building objects from a hostile configuration may raise besides ValueError.
_BAD_CONFIG = (KeyError, IndexError, AttributeError, RecursionError, OverflowError, ZeroDivisionError, AssertionError)


def _path(filepath: Any, method: str) -> str:
    try:
        return os.fspath(filepath)
    except TypeError:
        raise ValueError(
            f"[{method}] `filepath` must be a path, got {filepath!r} of type {type(filepath).__name__}."
        ) from None


def _target(filepath: Any, overwrite: bool, method: str) -> str:
    path = _path(filepath, method)
    if os.path.isdir(path):
        raise ValueError(f"[{method}] `filepath` {path!r} is a folder; it must be a file.")
    if not overwrite and os.path.exists(path):
        raise ValueError(f"[{method}] {path!r} exists; pass overwrite=True, or another name.")
    return path


def _tensors(group: str, variables: list[Any]) -> dict[str, np.ndarray]:
    return {f"{group}/{i}/{v.path}": np.asarray(v.numpy()) for i, v in enumerate(variables)}


def _keras_layout(path: str, ending: str) -> bool:
    """Whether a file of this name is written in Keras's layout: its ending asks for it, and h5py is installed."""
    return path.endswith(ending) and find_spec("h5py") is not None


def _kind(path: str) -> str:
    """What a file is by its first bytes: "archive" (zip), "hdf5" or "falconet"."""
    with open(path, "rb") as file:
        head = file.read(8)
    return "archive" if head.startswith(b"PK\x03\x04") else "hdf5" if head == b"\x89HDF\r\n\x1a\n" else "falconet"


def _seeds(model: Any) -> list[Any]:
    weights = {id(v) for v in model.weights}
    return [v for v in model.variables if id(v) not in weights]


def _require_built(model: Any, method: str) -> None:
    if not model.built:
        raise ValueError(
            f"[{method}] {model.label} has no weights yet: call it, fit it or build(input_shape) it first."
        )


def _contents(model: Any) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    import json

    _require_built(model, "save_model")
    tensors = _tensors("weights", model.weights) | _tensors("seeds", _seeds(model))
    optimizer = model.optimizer if model.compiled else None
    if optimizer is not None and getattr(optimizer, "built", False):
        tensors |= _tensors("optimizer", optimizer.variables)
    metadata = {
        "format": _FORMAT,
        "version": _VERSION,
        "kind": "model",
        "config": json.dumps(serialize_keras_object(model)),
    }
    return tensors, metadata


def save_model(model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None) -> None:
    """Writes a model to one file: architecture, weights, compile configuration, optimizer state.

    The file appears whole or not at all. A name that ends in ".keras" makes a Keras archive, which Keras 3 reads, where
    h5py is installed (`falconet[keras]`); any other name, or no h5py, Falconet's own format. `load_model` looks at the
    contents, not at the name. zipped: None, or whether the file shall be an archive; True asks for a Keras archive.
    """
    path = _target(filepath, overwrite, "save_model")
    if path.endswith((".h5", ".hdf5")):
        raise ValueError(
            f"[save_model] {path!r}: Keras's old HDF5 model files are not written; use a name that ends in .keras."
        )
    if zipped or (zipped is None and _keras_layout(path, ".keras")):
        from .keras_archive import write_archive

        _require_built(model, "save_model")
        write_archive(path, model, serialize_keras_object(model))
        return
    write(path, *_contents(model))


def model_to_bytes(model: Any) -> bytes:
    """The contents of a model file, for pickling."""
    return to_bytes(*_contents(model))


def save_weights(model: Any, filepath: Any, overwrite: bool = True, max_shard_size: Any = None) -> None:
    """Writes a model's weights to one file: for a name that ends in ".weights.h5" in Keras's layout, with the
    optimizer's state as Keras has it there, where h5py is installed (`falconet[keras]`); else in Falconet's own.

    max_shard_size: weights are never split, so only None is accepted.
    """
    if max_shard_size is not None:
        raise ValueError("[save_weights] `max_shard_size` is not available: weights are one file.")
    path = _target(filepath, overwrite, "save_weights")
    _require_built(model, "save_weights")
    if _keras_layout(path, ".weights.h5"):
        from .keras_weights import save_keras_weights

        save_keras_weights(model, path)
        return
    metadata = {"format": _FORMAT, "version": _VERSION, "kind": "weights"}
    write(path, _tensors("weights", model.weights) | _tensors("seeds", _seeds(model)), metadata)


def _check_format(metadata: dict[str, str], path: str) -> None:
    if metadata.get("format") != _FORMAT:
        raise ValueError(f"[load] {path}: not a Falconet model file (format {metadata.get('format')!r}).")
    version = metadata.get("version", "")
    if not version.isdigit() or int(version) > int(_VERSION):
        raise ValueError(f"[load] {path}: format version {version!r} is newer than this Falconet reads ({_VERSION}).")
    if metadata.get("kind") == "graph":
        raise ValueError(f"[load] {path}: the file was written by export(); open it with falconet.Predictor.")


def _group(tensors: dict[str, np.ndarray], group: str, path: str) -> list[tuple[str, np.ndarray]]:
    """Names and values of a group, in order."""
    found: dict[int, tuple[str, np.ndarray]] = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition("/")
        position, _, label = rest.partition("/")
        if kind != group:
            continue
        if not position.isdigit() or len(position) > 6 or int(position) in found:
            raise ValueError(f"[load] {path}: tensor name {name!r} is not valid.")
        found[int(position)] = (label, value)
    if sorted(found) != list(range(len(found))):
        raise ValueError(f"[load] {path}: positions of {group} are missing.")
    return [found[i] for i in range(len(found))]


def _assign(
    variables: list[Any], stored: list[tuple[str, np.ndarray]], path: str, owner: str, skip: bool = False
) -> None:
    if len(variables) != len(stored) and not skip:
        raise ValueError(f"[load] {path}: the file has {len(stored)} {owner}, the model has {len(variables)}.")
    pairs = list(zip(variables, stored, strict=False))
    for variable, (label, value) in pairs:
        if tuple(variable.shape) != value.shape and not skip:
            raise ValueError(
                f'[load] {path}: "{label}" has shape {value.shape} in the file and "{variable.path}" '
                f"{tuple(variable.shape)} in the model."
            )
    for variable, (label, value) in pairs:
        if tuple(variable.shape) == value.shape:
            variable.assign(value)
        else:
            warnings.warn(
                f'[load] "{variable.path}" keeps its value: its shape is {tuple(variable.shape)}, '
                f'"{label}" has {value.shape}.',
                stacklevel=4,
            )


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Reads weights from a file that `save_weights` or `save_model` wrote, here or in Keras 3.

    skip_mismatch: leave weights whose shape differs (with a warning) instead of raising. From Keras's files the
    optimizer's state comes too, where the model is compiled.
    """
    path = _existing(filepath, "load_weights")
    if not model.built:
        raise ValueError(f"[load_weights] {model.label} has no weights yet: call it or build(input_shape) it first.")
    kind = _kind(path)
    if kind != "falconet":
        from .keras_archive import Archive
        from .keras_weights import read_weights

        if model.compiled and model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        if kind == "hdf5":
            read_weights(model, path, path, skip_mismatch)
        else:
            with Archive(path) as archive:
                archive.read_weights(model, skip_mismatch)
        return
    tensors, metadata = read(path)
    _check_format(metadata, path)
    _assign(model.weights, _group(tensors, "weights", path), path, "weights", skip_mismatch)
    seeds = _group(tensors, "seeds", path)
    if len(seeds) == len(_seeds(model)):
        _assign(_seeds(model), seeds, path, "seeds", skip_mismatch)


def _existing(filepath: Any, method: str) -> str:
    path = _path(filepath, method)
    if not os.path.isfile(path):
        raise ValueError(f"[{method}] there is no file {path!r}.")
    return path


def load_model(
    filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """Reads a model that `save_model` wrote, here or in Keras 3 (a `.keras` archive, with `falconet[keras]`).

    custom_objects: classes and functions of yours by name, besides those registered. compile: compile it as it was, and
    restore the optimizer's state. safe_mode: there is no other mode; False changes nothing, since files hold no code.
    """
    path = _existing(filepath, "load_model")
    kind = _kind(path)
    if kind == "archive":
        return _restore_archive(path, custom_objects, compile)
    if kind == "hdf5":
        raise ValueError(
            f"[load_model] {path}: an HDF5 file holds weights here; build the model and use model.load_weights()."
        )
    tensors, metadata = read(path)
    return _restore(tensors, metadata, path, custom_objects, compile)


def model_from_bytes(data: bytes) -> Any:
    """The model in the contents of a model file."""
    tensors, metadata = from_bytes(data)
    return _restore(tensors, metadata, "bytes", None, True)


def _restore(
    tensors: dict[str, np.ndarray],
    metadata: dict[str, str],
    path: str,
    custom_objects: dict[str, Any] | None,
    compile: bool,
) -> Any:
    _check_format(metadata, path)
    if "config" not in metadata:
        raise ValueError(
            f"[load_model] {path}: the file has weights only; build the model and use model.load_weights()."
        )
    weights = _group(tensors, "weights", path)
    model, compile_config = _build(metadata["config"], path, sum(value.size for _, value in weights), custom_objects)
    _assign(model.weights, weights, path, "weights")
    _assign(_seeds(model), _group(tensors, "seeds", path), path, "seeds")
    if compile and compile_config:
        with CustomObjectScope(custom_objects or {}):
            model.compile_from_config(compile_config)
        slots = _group(tensors, "optimizer", path)
        if slots and model.compiled:
            _assign(model.optimizer.variables, slots, path, "optimizer variables")
    return model


def _restore_archive(path: str, custom_objects: dict[str, Any] | None, compile: bool) -> Any:
    from .keras_archive import Archive

    with Archive(path) as archive:
        model, compile_config = _build(archive.config(), path, archive.weights_size(), custom_objects)
        if not model.built:
            raise ValueError(f"[load_model] {path}: the configuration does not say what input {model.label} takes.")
        if compile and compile_config:
            with CustomObjectScope(custom_objects or {}):
                model.compile_from_config(compile_config)
        archive.read_weights(model)
    return model


def _build(config: Any, path: str, budget: int, custom_objects: dict[str, Any] | None) -> tuple[Any, Any]:
    """(the model with fresh weights, its compile configuration). budget: numbers that its weights may have in all."""
    import json

    from falconet.layers import call_state

    try:
        config = json.loads(config) if isinstance(config, str) else config
        compile_config = config.pop("compile_config", None)
        # A small file must not make a model with large weights: none can need more than the file holds.
        call_state.state.weight_budget = budget
        with CustomObjectScope(custom_objects or {}):
            model = deserialize_keras_object(config)
    except _BAD_CONFIG as error:
        raise ValueError(
            f"[load_model] {path}: the configuration is not valid: {type(error).__name__}: {error}."
        ) from error
    except json.JSONDecodeError as error:
        raise ValueError(f"[load_model] {path}: the configuration is not valid JSON: {error}.") from None
    finally:
        call_state.state.weight_budget = None
    if not hasattr(model, "load_weights"):
        raise ValueError(f"[load_model] {path}: the configuration describes {type(model).__name__}, not a model.")
    return model, compile_config
