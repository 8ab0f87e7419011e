"""Names of element types, and the type that a mixture of them has.

The promotion lattice is Keras's (and JAX's): a Python scalar is weak and takes the type of the array beside it,
signed and unsigned integers meet in a wider signed one, an integer and a float give the float, and the two 16-bit
floats meet in float32. 64-bit types are kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from . import config

FLOATS = ("bfloat16", "float16", "float32", "float64")
INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
ALLOWED = ("bool", *INTEGERS, *FLOATS)

_PYTHON_TYPES = {bool: "bool", int: "int32", float: "float32", "int": "int32", "float": "float32"}

# Each type with the next wider ones; "int" and "float" are the weak types of Python scalars.
_WIDER = {
    "bool": ("int",),
    "int": ("uint8", "int8"),
    "uint8": ("int16", "uint16"),
    "uint16": ("int32", "uint32"),
    "uint32": ("int64", "uint64"),
    "uint64": ("float",),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float",),
    "float": ("bfloat16", "float16"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64",),
    "float64": (),
}


def _reachable(name: str) -> frozenset[str]:
    return frozenset({name}.union(*(_reachable(wider) for wider in _WIDER[name])))


_ABOVE = {name: _reachable(name) for name in _WIDER}


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype given as a name, a Python or NumPy type, or an object that has one; None is `floatx()`."""
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, str) and dtype in _ABOVE and dtype not in _PYTHON_TYPES:
        return dtype
    try:
        name = _PYTHON_TYPES.get(dtype, dtype)
    except TypeError:
        name = dtype
    if not isinstance(name, str):
        name = getattr(name, "name", None) or getattr(name, "__name__", None) or str(name).rsplit(".", 1)[-1]
    if name == "bool_":
        name = "bool"
    if name not in ALLOWED:
        raise ValueError(f"`dtype` is {dtype!r}; it must be one of {ALLOWED}.")
    return name


def is_float(dtype: Any) -> bool:
    """Whether a dtype is one of the float types."""
    return standardize_dtype(dtype) in FLOATS


@lru_cache(1024)
def _promote(names: frozenset[str]) -> str:
    common = frozenset.intersection(*(_ABOVE[name] for name in names))
    least = (common & names) or {name for name in common if common <= _ABOVE[name]}
    return next(iter(least))


def result_type(*dtypes: Any) -> str:
    """The dtype that an operation on these dtypes gives; `int` and `float` (the Python types) are weak."""
    if not dtypes:
        return config.floatx()
    names = frozenset(("int" if d is int else "float" if d is float else standardize_dtype(d)) for d in dtypes)
    found = next(iter(names)) if len(names) == 1 else _promote(names)
    if found == "int":
        return "int32"
    return config.floatx() if found == "float" else found
