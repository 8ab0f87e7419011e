"""Variables: state that ops read and plans update in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core, config, tracing
from .dtypes import standardize_dtype
from .naming import auto_name
from .symbols import Operators, add_operators


class Variable(_core.VariableBase, Operators):
    """A named array that can be assigned.

    Inside a traced function a read is a read of the plan and an assignment takes effect when the plan has run; later
    reads in the same function see the new value.

    Args:
        initializer: an array-like, or a function of (shape, dtype).
        shape: needed where `initializer` is a function.
        dtype: by default that of the value, or `floatx()`.
        trainable: whether training may change it.
        name: by default "variable", numbered.

    >>> v = Variable([1.0, 2.0])
    >>> v.assign_add([1.0, 1.0]).numpy()
    array([2., 3.], dtype=float32)
    """

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            raise TypeError(f"[Variable] unknown arguments: {', '.join(sorted(kwargs))}.")
        if aggregation not in ("none", "mean", "sum", "only_first_replica"):
            raise ValueError(
                f'[Variable] `aggregation` is "{aggregation}"; it must be none, mean, sum or only_first_replica.'
            )
        name = name if name is not None else auto_name("variable")
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f'[Variable] `name` is {name!r}; it must be a string without "/".')
        kind = None if dtype is None else standardize_dtype(dtype)
        if isinstance(initializer, str):
            from . import initializers

            initializer = initializers.get(initializer)
        self._initializer = initializer if callable(initializer) else None
        with tracing.outside():
            if self._initializer is not None:
                if shape is None:
                    raise ValueError("[Variable] `shape` is needed where `initializer` is a function.")
                shape = (shape,) if isinstance(shape, int) else tuple(shape)
                if any(not isinstance(n, (int, np.integer)) or n < 0 for n in shape):
                    raise ValueError(f"[Variable] `shape` is {shape}; every size must be known and not negative.")
                value = initializer(tuple(int(n) for n in shape), dtype=kind or config.floatx())
            else:
                value = initializer
            value = _core.as_tensor(value, kind)
            if shape is not None and tuple(value.shape) != tuple([shape] if isinstance(shape, int) else shape):
                raise ValueError(f"[Variable] the value has shape {tuple(value.shape)}; `shape` is {tuple(shape)}.")
        super().__init__(value, trainable=bool(trainable), name=name)
        self._path: str | None = None
        self._autocast = bool(autocast)
        self._aggregation = aggregation
        self._synchronization = synchronization
        self._regularizer: Any = None
        self._constraint: Any = None
        self._overwrite_with_gradient = False

    # --- what it is ---

    shape = _core.VariableBase._shape
    dtype = _core.VariableBase._dtype
    trainable = _core.VariableBase._trainable

    @property
    def ndim(self) -> int:
        return len(self._shape)

    @property
    def size(self) -> int:
        return int(np.prod(self._shape, dtype=np.int64))

    @property
    def name(self) -> str:
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    @property
    def path(self) -> str:
        """The name under the names of the layers that hold it: `dense/kernel`."""
        return self._path if self._path is not None else self._name

    @path.setter
    def path(self, value: str) -> None:
        self._path = value

    @property
    def initializer(self) -> Any:
        return self._initializer

    @property
    def aggregation(self) -> str:
        return self._aggregation

    @property
    def synchronization(self) -> str:
        return self._synchronization

    @property
    def autocast(self) -> bool:
        return self._autocast

    @property
    def overwrite_with_gradient(self) -> bool:
        return self._overwrite_with_gradient

    @overwrite_with_gradient.setter
    def overwrite_with_gradient(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"[Variable] `overwrite_with_gradient` must be a bool, got {type(value).__name__}.")
        self._overwrite_with_gradient = value

    @property
    def regularizer(self) -> Any:
        return self._regularizer

    @regularizer.setter
    def regularizer(self, value: Any) -> None:
        if value is not None and not callable(value):
            raise ValueError(f"[Variable] `regularizer` must be a function or None, got {value!r}.")
        self._regularizer = value

    @property
    def constraint(self) -> Any:
        return self._constraint

    @constraint.setter
    def constraint(self, value: Any) -> None:
        if value is not None and not callable(value):
            raise ValueError(f"[Variable] `constraint` must be a function or None, got {value!r}.")
        self._constraint = value

    # --- its value ---

    @property
    def value(self) -> Any:
        """The value as a Tensor: a copy, or inside a traced function the value of the plan."""
        return _core.as_tensor(self)

    def numpy(self) -> np.ndarray:
        """A copy of the value."""
        if _core.in_trace():
            raise TypeError(
                f'[Variable "{self.path}"] numpy() inside a function being traced: it has no value before the function '
                "runs."
            )
        return self._numpy()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        value = self.numpy()
        return value if dtype is None else value.astype(dtype, copy=False)

    def assign(self, value: Any) -> Variable:
        """Sets the value; the shape must be the variable's, the dtype is cast."""
        self._assign(value)
        return self

    def assign_add(self, value: Any) -> Variable:
        return self.assign(_core.ops.add(self, value))

    def assign_sub(self, value: Any) -> Variable:
        return self.assign(_core.ops.subtract(self, value))

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of a variable without axes")
        return self._shape[0]

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __repr__(self) -> str:
        if _core.in_trace():
            return f"<Variable path={self.path}, shape={self._shape}, dtype={self._dtype}>"
        return f"<Variable path={self.path}, shape={self._shape}, dtype={self._dtype}, value={self._numpy()}>"

    __hash__ = object.__hash__


add_operators(Variable)


def flatten_variables(variables: list[Variable]) -> Variable:
    """A 1-D Variable in whose memory the given ones, all of one dtype, lie one after another from now on.

    Assigning either is seen by the other. Optimizers update many variables in one pass this way.
    """
    flat = Variable(np.zeros(0, variables[0].dtype if variables[0].dtype != "bfloat16" else "float32"), name="flat")
    _core.flatten_into(flat, variables)
    return flat
