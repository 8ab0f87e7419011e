"""Weights in Keras 3's HDF5 layout (`.weights.h5`, and inside a `.keras` archive), written and read with h5py.

Variables stand at `<path>/vars/<number>`. The path follows attributes from the model: the layers of a Sequential or
functional model are `layers/<class>`, `layers/<class>_1`, ... in order; what a layer or model holds in an attribute is
`<attribute>`, or `<attribute>/<class>` in a list or dictionary; the optimizer is `optimizer`. Attributes are visited in
alphabetical order, private ones last, and each object once. Keras keeps no seeds there; ours are in a group that it
does not look at, `falconet_seeds`.

A file is read as if it came from an enemy: no links, no data outside the file, no data set larger than the model's
variable that it is for.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..naming import to_snake_case
from .file_format import replacing

_SEEDS = "falconet_seeds"


def require_h5py(what: str) -> Any:
    """The module h5py, or an ImportError that says what needs it."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"[{what}] Keras's files need h5py: pip install 'falconet[keras]'.") from error
    return h5py


def _is_part(value: Any) -> bool:
    return not isinstance(value, type) and (
        hasattr(value, "load_own_variables") or getattr(value, "_is_layer", False) or _is_metric(value)
    )


def _is_metric(value: Any) -> bool:
    return hasattr(value, "update_state") and hasattr(value, "add_variable")


def _own_names() -> frozenset[str]:
    """Attributes that every layer and model of ours has: none of them is a part in Keras's sense."""
    from falconet.layers import Layer
    from falconet.models import Model, Sequential

    return frozenset(
        {*dir(Layer(name="names")), *dir(Model(name="names")), *dir(Sequential(name="names"))}
        - {"optimizer"}
    )  # fmt: skip


_skipped: list[frozenset[str]] = []


def _children(part: Any) -> Iterator[tuple[str, Any]]:
    if not _skipped:
        _skipped.append(_own_names())
    if getattr(part, "_graph", None) is not None or type(part).__name__ == "Sequential":
        yield "layers", part.layers
    for name in sorted(dir(part), key=lambda name: f"~{name}" if name.startswith("_") else name):
        if name.startswith("__") or name in _skipped[0]:
            continue
        try:
            yield name, getattr(part, name)
        except Exception:  # noqa: BLE001, S112 - a user's property that cannot be read holds nothing to be saved
            continue


def parts_of(model: Any) -> Iterator[tuple[str, Any]]:
    """(path, layer, optimizer or metric) of all that has variables, as Keras walks through a model."""
    seen: set[int] = set()

    def visit(part: Any, path: str) -> Iterator[tuple[str, Any]]:
        if id(part) in seen:
            return
        seen.add(id(part))
        yield path, part
        if _is_metric(part):
            return
        for name, child in _children(part) if getattr(part, "_is_layer", False) else vars(part).items():
            below = f"{path}/{name}" if path else name
            if _is_part(child):
                yield from visit(child, below)
            elif isinstance(child, (list, tuple, dict)) and not isinstance(child, str):
                yield from visit_all(child, below)

    def visit_all(container: Any, path: str) -> Iterator[tuple[str, Any]]:
        if id(container) in seen:
            return
        seen.add(id(container))
        used: dict[str, int] = {}

        def unique(name: str) -> str:
            used[name] = used.get(name, -1) + 1
            return f"{path}/{name}_{used[name]}" if used[name] else f"{path}/{name}"

        for child in list(container.values()) if isinstance(container, dict) else list(container):
            if _is_part(child):
                yield from visit(child, unique(to_snake_case(type(child).__name__)))
            elif isinstance(child, (list, tuple, dict)):
                yield from visit_all(child, unique("container"))

    yield from visit(model, "")


def _variables(part: Any) -> list[Any]:
    if getattr(part, "_is_layer", False):
        return [*part._tracker.trainable, *part._tracker.non_trainable]
    return list(part.variables)


def _seeds(model: Any) -> list[Any]:
    weights = {id(v) for v in model.weights}
    return [v for v in model.variables if id(v) not in weights]


# --- writing ---------------------------------------------------------------------------------------------------------


def weights_bytes(model: Any, what: str) -> bytes:
    """The contents of a `.weights.h5` file."""
    h5py = require_h5py(what)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for path, part in parts_of(model):
            store: dict[str, Any] = {}
            if hasattr(part, "save_own_variables"):
                part.save_own_variables(store)
            else:
                store = {str(i): variable.numpy() for i, variable in enumerate(_variables(part))}
            if not store and not getattr(part, "_is_layer", False):
                continue
            group = file.create_group(f"{path}/vars" if path else "vars")
            group.attrs["name"] = str(part.name)
            for key, value in store.items():
                _write(group, key, np.asarray(value))
        for i, seed in enumerate(_seeds(model)):
            file[f"{_SEEDS}/vars/{i}"] = seed.numpy()
    return buffer.getvalue()


def _write(group: Any, key: str, value: np.ndarray) -> None:
    if value.dtype.name == "bfloat16":  # HDF5 has no such type; Keras keeps the two bytes and a note
        group.create_dataset(key, data=value.view("V2")).attrs["dtype"] = "bfloat16"
    else:
        group.create_dataset(key, data=value)


def save_keras_weights(model: Any, path: str) -> None:
    """Writes a `.weights.h5` file that Keras 3 reads, whole or not at all."""
    data = weights_bytes(model, "save_weights")
    with replacing(path) as file:
        file.write(data)


# --- reading ---------------------------------------------------------------------------------------------------------


class _Store(dict):
    """The variables of one group: read when asked for, so that nothing is allocated that no variable asks for."""

    def __init__(self, group: Any, names: list[str], path: str, largest: int) -> None:
        super().__init__((name, None) for name in names)
        self._group, self._path, self._largest = group, path, largest

    def dataset(self, key: str) -> Any:
        """The data set of that name, whose contents are in this file."""
        import h5py

        if key not in self:
            raise KeyError(key)
        data = self._group.get(key)
        if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
            raise ValueError(f"[load] {self._path}: {data!r} is not an ordinary data set of this file.")
        return data

    def __getitem__(self, key: str) -> np.ndarray:
        data = self.dataset(key)
        size = int(np.prod(data.shape, dtype=object))
        if size > self._largest:
            raise ValueError(
                f"[load] {self._path}: {data.name} has {size} numbers, more than any of the model's variables."
            )
        if data.attrs.get("dtype") == "bfloat16":
            bits = np.array(data).view("<u2").astype(np.uint32) << 16
            return bits.view(np.float32).reshape(data.shape)
        if data.dtype.kind not in "fiub":
            raise ValueError(f"[load] {self._path}: {data.name} has dtype {data.dtype}; it must hold numbers.")
        return np.array(data)


def _group(file: Any, path: str, shown: str) -> Any:
    """The group at a path, no link followed; None where there is none."""
    import h5py

    here = file
    for name in path.split("/"):
        if name not in here:
            return None
        if here.get(name, getclass=True, getlink=True) is not h5py.HardLink:
            raise ValueError(f"[load] {shown}: {path} is a link; only data of the file itself are read.")
        here = here.get(name)
        if not isinstance(here, h5py.Group):
            raise ValueError(f"[load] {shown}: {path} is not a group.")
    return here


def _store(file: Any, path: str, shown: str, largest: int) -> _Store:
    import h5py

    group = _group(file, f"{path}/vars" if path else "vars", shown)
    names = [] if group is None else list(group.keys())
    for name in names:
        if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
            raise ValueError(f"[load] {shown}: {path}/vars/{name} is a link; only data of the file itself are read.")
    return _Store(group, names, shown, largest)


def read_weights(model: Any, source: Any, shown: str, skip_mismatch: bool = False, optimizer: bool = True) -> None:
    """Assigns the variables of a `.weights.h5` file (a path or an open file) to a model.

    shown: what errors call the file. skip_mismatch: leave variables whose number or shape differs, with a warning.
    """
    h5py = require_h5py("load_weights")
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        raise ValueError(f"[load] {shown}: not an HDF5 file, or cut short: {error}.") from None
    with file:
        try:
            _assign(model, file, shown, skip_mismatch, optimizer)
        except (OSError, RuntimeError, OverflowError) as error:  # what h5py raises for broken files
            raise ValueError(f"[load] {shown}: the file is broken: {error}.") from error


def _assign(model: Any, file: Any, shown: str, skip_mismatch: bool, optimizer: bool) -> None:
    steps: list[Callable[..., Any]] = []
    for path, part in parts_of(model):
        is_layer = getattr(part, "_is_layer", False)
        if not is_layer and not optimizer:
            continue
        variables = _variables(part)
        store = _store(file, path, shown, max((int(v.size) for v in variables), default=0))
        if hasattr(part, "load_own_variables") and (is_layer or store):
            steps.append(partial(part.load_own_variables, store))
        elif is_layer or store:
            problem = _mismatch(part, path, variables, store)
            if problem and not skip_mismatch:
                raise ValueError(f"[load] {shown}: {problem}")
            if problem:
                warnings.warn(f"[load] {problem} It keeps its values.", stacklevel=5)
                continue
            steps.append(partial(_put, variables, store))
    seeds = _seeds(model)
    store = _store(file, _SEEDS, shown, max((int(v.size) for v in seeds), default=0))
    if len(store) == len(seeds):
        steps.append(partial(_put, seeds, store))
    for step in steps:  # only now: what does not fit has been found before anything changed
        step()


def _mismatch(part: Any, path: str, variables: list[Any], store: _Store) -> str | None:
    label = f'"{part.name}" ({path or "the model"})'
    if sorted(store) != sorted(map(str, range(len(variables)))):
        return f"{label} has {len(variables)} variables and the file {len(store)} for it."
    for i, variable in enumerate(variables):
        shape = tuple(store.dataset(str(i)).shape)
        if shape != tuple(variable.shape):
            return f'"{variable.path}" has shape {tuple(variable.shape)} and {shape} in the file, at {path}/vars/{i}.'
    return None


def _put(variables: list[Any], store: _Store) -> None:
    for i, variable in enumerate(variables):
        variable.assign(store[str(i)])
