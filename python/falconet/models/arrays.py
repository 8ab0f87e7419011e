"""What users call arrays, as NumPy arrays that plans can read.

Accepted are NumPy arrays, tensors of any library that NumPy can read, nested lists of numbers, pandas frames (columns
side by side) and series (one column, as in Keras). The one cast: float64 and wider become `config.floatx()`, foreign
byte orders the machine's; integers, bool and narrower floats stay as they are until a layer asks for another dtype. An
array is copied where it is cast or its rows are not contiguous, once, and otherwise used where it is. A memory-mapped
file that would have to be copied is left on disk: `on_disk` tells, and its rows are converted a piece at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from falconet import config, tree

_FLOAT32 = np.dtype("float32")  # used as it is whatever floatx() says
_SMALL_FLOATS = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


def _target(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which data of a dtype is used."""
    if dtype.kind == "f" and dtype.itemsize >= 8:
        return np.dtype("float32" if config.floatx() == "bfloat16" else config.floatx())
    return dtype.newbyteorder("=")


def on_disk(value: Any) -> bool:
    """Whether an array is a memory-mapped file that cannot be used as it lies there."""
    return isinstance(value, np.memmap) and not (value.flags.c_contiguous and _target(value.dtype) == value.dtype)


def as_array(value: Any, argument: str, owner: str) -> np.ndarray | None:
    """One argument as a contiguous NumPy array of numbers, or as a mapped file that `in_memory` reads in pieces."""
    if value is None or (type(value) is np.ndarray and value.dtype is _FLOAT32 and value.flags.c_contiguous):
        return value
    if not isinstance(value, np.ndarray):
        value = _foreign(value, argument, owner)
    if value.dtype.kind not in "fiub" and value.dtype.name not in _SMALL_FLOATS:
        raise ValueError(
            f"[{owner}] `{argument}` has dtype {value.dtype}; it needs numbers. "
            "Ragged lists and text cannot be used as they are."
        )
    return value if on_disk(value) else in_memory(value)


def in_memory(value: np.ndarray) -> np.ndarray:
    """The array in the dtype in which it is used, its rows one after another: itself, or one copy."""
    wanted = _target(value.dtype)
    if wanted != value.dtype:
        return value.astype(wanted, order="C")
    return value if value.flags.c_contiguous else np.ascontiguousarray(value)


def _foreign(value: Any, argument: str, owner: str) -> np.ndarray:
    if hasattr(value, "tocoo"):
        raise ValueError(f"[{owner}] `{argument}` is a sparse matrix; pass {argument}.toarray().")
    if hasattr(value, "to_numpy"):
        return _from_frame(value, argument, owner)
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"[{owner}] `{argument}` cannot be made an array: {error}.") from None


def _from_frame(value: Any, argument: str, owner: str) -> np.ndarray:
    """A data frame's columns side by side; a series as one column. What is missing becomes NaN."""
    array = np.asarray(value.to_numpy())
    if array.dtype == object:
        dtypes = dict(value.dtypes) if hasattr(value, "columns") else {getattr(value, "name", None): value.dtype}
        bad = [f"{name!r} ({dtype})" for name, dtype in dtypes.items() if getattr(dtype, "kind", "O") not in "iufb"]
        if bad:
            raise ValueError(
                f"[{owner}] `{argument}` has columns that are not numbers: {', '.join(bad)}. Drop or encode them first."
            )
        array = value.to_numpy(dtype="float64", na_value=np.nan)
    is_series = array.ndim == 1 and hasattr(value, "index") and not hasattr(value, "columns")
    return array[:, None] if is_series else array


def _is_plain_list(value: Any) -> bool:
    """Whether a list is nested numbers, meaning one array, rather than a list of arrays."""
    return isinstance(value, (list, tuple)) and all(
        isinstance(leaf, (bool, int, float, str, np.generic)) for leaf in tree.flatten(value)
    )


def to_arrays(value: Any, argument: str, owner: str) -> Any:
    """A nested structure of array-likes as arrays."""
    if isinstance(value, dict):
        return {key: to_arrays(part, f"{argument}[{key!r}]", owner) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and not _is_plain_list(value):
        parts = [to_arrays(part, f"{argument}[{i}]", owner) for i, part in enumerate(value)]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return as_array(value, argument, owner)


def _rows_of(value: Any) -> int:
    """Rows of a NumPy array; -1 for anything else."""
    return value.shape[0] if type(value) is np.ndarray and value.ndim else -1


def as_arrays(x: Any, y: Any, sample_weight: Any, owner: str) -> tuple[Any, Any, Any]:
    """x, y and sample_weight as arrays, with one number of rows."""
    if sample_weight is None and _rows_of(x) > 0 and (y is None or _rows_of(y) == _rows_of(x)):  # the usual case
        return as_array(x, "x", owner), as_array(y, "y", owner), None
    found = (to_arrays(x, "x", owner), to_arrays(y, "y", owner), to_arrays(sample_weight, "sample_weight", owner))
    sizes: dict[int, str] = {}
    for value, argument in zip(found, ("x", "y", "sample_weight"), strict=False):
        for path, leaf in tree.flatten_with_path(value):
            if leaf is None:
                continue
            shown = argument + "".join(f"[{p!r}]" for p in path)
            if leaf.ndim == 0:
                raise ValueError(f"[{owner}] `{shown}` is a single number; it needs one entry per sample.")
            sizes.setdefault(leaf.shape[0], shown)
    if len(sizes) > 1:
        counts = ", ".join(f"`{shown}` has {size}" for size, shown in sizes.items())
        raise ValueError(f"[{owner}] all arrays need the same number of rows (samples): {counts}.")
    if not sizes or all(leaf is None for leaf in tree.flatten(found[0])):
        raise ValueError(f"[{owner}] there is no data: `x` is None.")
    if 0 in sizes:
        raise ValueError(f"[{owner}] there is no data: `{sizes[0]}` has 0 rows.")
    return found


def class_weights(y: Any, class_weight: Any, sample_weight: Any) -> Any:
    """Sample weights from weights per class (per output a dictionary of them), times `sample_weight` where given."""
    if not isinstance(class_weight, dict):
        raise ValueError(
            f"[fit] `class_weight` must be a dictionary of class index to weight, got {type(class_weight).__name__}."
        )
    if class_weight and all(isinstance(one, dict) for one in class_weight.values()):
        return _weights_by_output(y, class_weight, sample_weight)
    for one, weight in class_weight.items():
        if not isinstance(one, (int, np.integer)) or not isinstance(weight, (int, float, np.number)):
            raise ValueError(
                f"[fit] `class_weight` must map class indices to numbers, got {one!r}: {weight!r}; "
                "names of classes are not known here."
            )
    if isinstance(y, (list, tuple, dict)):
        raise ValueError(
            "[fit] the model has several outputs: give `class_weight` per output, {output name: {class: weight}}."
        )
    if y is None:
        raise ValueError("[fit] `class_weight` needs targets `y`.")
    labels = y.argmax(axis=-1) if y.ndim > 1 and y.shape[-1] != 1 else y.reshape(len(y), -1)[:, 0]
    labels = np.rint(labels).astype(np.int64)
    if labels.ndim > 1:
        raise ValueError(f"[fit] `class_weight` needs one class per sample, got targets of shape {y.shape}.")
    classes, positions = np.unique(labels, return_inverse=True)
    weights = np.array([float(class_weight.get(int(c), 1.0)) for c in classes], np.float32)[positions]
    return weights if sample_weight is None else weights * np.asarray(sample_weight, np.float32)


def _weights_by_output(y: Any, class_weight: dict[str, Any], sample_weight: Any) -> dict[str, Any]:
    if not isinstance(y, dict):
        raise ValueError("[fit] `class_weight` per output needs `y` as a dictionary by output name.")
    unknown = [name for name in class_weight if name not in y]
    if unknown:
        raise ValueError(f"[fit] `class_weight` has a key {unknown[0]!r}; the targets are {sorted(y)}.")
    given = sample_weight if isinstance(sample_weight, dict) else {}
    return {
        name: class_weights(part, class_weight[name], given.get(name))
        if name in class_weight
        else given.get(name, np.ones(len(part), np.float32))
        for name, part in y.items()
    }


def spread_sample_weight(y: Any, sample_weight: Any) -> Any:
    """One array of weights for several outputs: the same for each."""
    if (
        sample_weight is None
        or isinstance(sample_weight, (list, tuple, dict))
        or not isinstance(y, (list, tuple, dict))
    ):
        return sample_weight
    return tree.map_structure(lambda _: sample_weight, y)
