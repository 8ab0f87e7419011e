"""Process-wide defaults: float type, fuzz factor, image layout, dtype policy, logging."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dtype_policies import DTypePolicy

_FLOATS = ("bfloat16", "float16", "float32", "float64")
_FORMATS = ("channels_last", "channels_first")

_floatx = "float32"
_epsilon = 1e-7
_image_data_format = "channels_last"
_interactive_logging = True


def backend() -> str:
    """Name of the engine that runs the operations: always "falconet"."""
    return "falconet"


def set_backend(backend: str) -> None:
    """Accept "falconet", the only engine there is, and refuse any other."""
    if backend != "falconet":
        raise ValueError(f"[set_backend] `backend` is {backend!r}; Falconet runs on its own engine, 'falconet', only.")


def floatx() -> str:
    """Default float dtype of variables and of losses, "float32" unless changed."""
    return _floatx


def set_floatx(value: str) -> None:
    """Set the default float dtype: "bfloat16", "float16", "float32" or "float64"."""
    global _floatx
    if value not in _FLOATS:
        raise ValueError(f"[set_floatx] `value` is {value!r}; it must be one of {_FLOATS}.")
    _floatx = str(value)


def epsilon() -> float:
    """The small number that keeps logarithms and quotients finite, 1e-7 unless changed."""
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set the fuzz factor, a number > 0."""
    global _epsilon
    if not value > 0:
        raise ValueError(f"[set_epsilon] `value` is {value!r}; it must be a number > 0, such as 1e-7.")
    _epsilon = float(value)


def image_data_format() -> str:
    """Default axis order of images, "channels_last" unless changed."""
    return _image_data_format


def set_image_data_format(data_format: str) -> None:
    """Set the default axis order of images: "channels_last" or "channels_first"."""
    global _image_data_format
    _image_data_format = standardize_data_format(data_format)


def standardize_data_format(data_format: str | None) -> str:
    """`data_format` checked and in lower case; the default where it is None."""
    if data_format is None:
        return _image_data_format
    found = str(data_format).lower()
    if found not in _FORMATS:
        raise ValueError(f"`data_format` is {data_format!r}; it must be one of {_FORMATS}.")
    return found


def dtype_policy() -> DTypePolicy:
    """The policy given to layers that name none."""
    from . import dtype_policies

    return dtype_policies.default_policy()


def set_dtype_policy(policy: str | DTypePolicy) -> None:
    """Set the default policy: a floating dtype's name or a `DTypePolicy`. Mixed policies raise ValueError."""
    from . import dtype_policies

    dtype_policies.set_default_policy(policy)


def enable_interactive_logging() -> None:
    """Show progress bars where the output is a terminal or a notebook (the default)."""
    global _interactive_logging
    _interactive_logging = True


def disable_interactive_logging() -> None:
    """Write one plain line an epoch instead of progress bars."""
    global _interactive_logging
    _interactive_logging = False


def is_interactive_logging_enabled() -> bool:
    """Whether progress bars may be shown."""
    return _interactive_logging
