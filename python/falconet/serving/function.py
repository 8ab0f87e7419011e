"""A function of a model: what its arguments may be, and how they become arrays of the right dtypes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from falconet import _core


class Port(NamedTuple):
    """An input or output: its name, its shape as text with None for the number of rows, its dtype."""

    name: str
    shape: str
    dtype: str

    @property
    def numpy_dtype(self) -> np.dtype:
        """The dtype of the arrays that carry it: float32 for bfloat16, which NumPy has not."""
        return np.dtype("float32" if self.dtype == "bfloat16" else self.dtype)


def as_port_array(value: Any, port: Port, owner: str) -> np.ndarray:
    """`value` as an array of the port's dtype.

    The one rule: numbers of any dtype become the port's where NumPy calls that a cast of the same kind (float64 to
    float32, integers and bool to floats), and integers become other integers where each fits. Floats never become
    integers, and text and objects nothing.

    Raises:
        TypeError: the dtype cannot be cast by that rule.
        ValueError: the value cannot be made an array, or an integer does not fit.
    """
    if not isinstance(value, np.ndarray):
        if hasattr(value, "to_numpy"):  # a data frame
            value = value.to_numpy()
        try:
            value = np.asarray(value)
        except (ValueError, TypeError) as error:
            raise ValueError(f'[{owner}] input "{port.name}" cannot be made an array: {error}.') from None
    array: np.ndarray = value
    dtype = port.numpy_dtype
    if array.dtype == dtype:
        return array
    if array.dtype.kind in "iub" and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if array.size and (int(array.min()) < limits.min or int(array.max()) > limits.max):
            raise ValueError(
                f'[{owner}] input "{port.name}" has values from {array.min()} to {array.max()}; {port.dtype} holds '
                f"{limits.min} to {limits.max}."
            )
        return array.astype(dtype)
    if array.dtype.kind in "fiub" and np.can_cast(array.dtype, dtype, "same_kind"):
        return array.astype(dtype)
    raise TypeError(
        f'[{owner}] input "{port.name}" has dtype {array.dtype}, which is not cast to {port.dtype}; '
        f"{port.dtype} of shape {port.shape} is needed."
    )


class Function(_core.Call):
    """Called with arrays for the inputs, by position or by name, it gives the outputs as NumPy arrays.

    One output comes as an array, several as a dictionary by name. Rows can be any number where the model's batch size
    was not fixed. The usual call, with one array of the right dtype and C order for each input, goes straight to native
    code; whatever else comes passes through here first.
    """

    owner = "Function"
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def _call_any(self, *args: Any, out: Any = None, **named: Any) -> Any:
        arrays = [
            as_port_array(value, port, self.owner)
            for value, port in zip(self._by_port(args, named), self.inputs, strict=True)
        ]
        return _core.call_run(self, arrays, self._outs(out))

    def _by_port(self, args: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        names = [port.name for port in self.inputs]
        if len(args) == 1 and not named:
            (only,) = args
            if isinstance(only, dict):
                args, named = (), only
            elif isinstance(only, (list, tuple)) and len(names) > 1:
                args = tuple(only)
        if len(args) > len(names):
            raise TypeError(
                f"[{self.owner}] got {len(args)} inputs by position; the model has {len(names)}: {', '.join(names)}."
            )
        for name in named:
            if name not in names:
                raise TypeError(f'[{self.owner}] there is no input "{name}"; the inputs are {", ".join(names)}.')
            if name in names[: len(args)]:
                raise TypeError(f'[{self.owner}] input "{name}" came twice, by position and by name.')
        missing = [name for name in names[len(args) :] if name not in named]
        if missing:
            port = self.inputs[names.index(missing[0])]
            raise TypeError(
                f'[{self.owner}] input "{port.name}" is missing; {port.dtype} of shape {port.shape} is needed.'
            )
        return [*args, *(named[name] for name in names[len(args) :])]

    def _outs(self, out: Any) -> list[np.ndarray] | None:
        if out is None:
            return None
        names = [port.name for port in self.outputs]
        if isinstance(out, dict):
            if sorted(out) != sorted(names):
                raise ValueError(f"[{self.owner}] `out` has the keys {sorted(out)}; the outputs are {sorted(names)}.")
            given = [out[name] for name in names]
        else:
            given = list(out) if isinstance(out, (list, tuple)) else [out]
        if len(given) != len(names):
            raise ValueError(f"[{self.owner}] `out` has {len(given)} arrays; the model has {len(names)} outputs.")
        for value in given:
            if not isinstance(value, np.ndarray):
                raise TypeError(f"[{self.owner}] `out` must be NumPy arrays, got {type(value).__name__}.")
        return given
