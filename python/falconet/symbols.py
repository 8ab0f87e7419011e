"""KerasTensors, the records of how they came about, and operators for everything that stands for an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core, tree
from .dtypes import standardize_dtype
from .naming import auto_name


class Record:
    """A call on KerasTensors: what was called, with what, and what came out."""

    __slots__ = ("operation", "args", "kwargs", "outputs", "op_call")

    def __init__(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.outputs = outputs
        self.op_call: Any = None


def record_call(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> Record:
    """Notes on each output that this call made it."""
    record = Record(operation, args, kwargs, outputs)
    for y in tree.flatten(outputs):
        if isinstance(y, KerasTensor):
            y.record = record
    return record


class Operators:
    """Base of what `add_operators` completes: says to type checkers which operators there are."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __add__(self, other: Any) -> Any: ...
        def __getitem__(self, key: Any) -> Any: ...
        def __neg__(self) -> Any: ...

        __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = __matmul__ = __add__
        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = __rmatmul__ = __add__
        __and__ = __or__ = __xor__ = __lshift__ = __rshift__ = __add__
        __rand__ = __ror__ = __rxor__ = __rlshift__ = __rrshift__ = __add__
        __lt__ = __le__ = __gt__ = __ge__ = __add__
        __pos__ = __abs__ = __invert__ = __neg__


class KerasTensor(Operators):
    """A symbolic tensor: a shape, in which None is an unknown size, and a dtype.

    Args:
        shape: sizes, None where unknown.
        dtype: a dtype's name.
        name: by default "keras_tensor", numbered.
    """

    def __init__(
        self,
        shape: Any,
        dtype: str = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ) -> None:
        if sparse or ragged:
            raise ValueError("[KerasTensor] sparse and ragged tensors are not supported; make the data dense.")
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        for n in shape:
            if n is not None and (not isinstance(n, (int, np.integer)) or n < 0):
                raise ValueError(f"[KerasTensor] `shape` is {shape}; sizes must be None or not negative.")
        self.shape = tuple(None if n is None else int(n) for n in shape)
        self.dtype = standardize_dtype(dtype)
        self.name = name or auto_name("keras_tensor")
        self.record: Record | None = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def sparse(self) -> bool:
        return False

    @property
    def ragged(self) -> bool:
        return False

    def reshape(self, newshape: Any) -> Any:
        from . import ops

        return ops.reshape(self, newshape)

    def squeeze(self, axis: Any = None) -> Any:
        from . import ops

        return ops.squeeze(self, axis)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise ValueError(
            f"A symbolic tensor ({self!r}) has no values. Use falconet.ops and layers on it instead of NumPy, and "
            "build a Model to compute values."
        )

    def __bool__(self) -> bool:
        raise TypeError(f"A symbolic tensor ({self!r}) has no truth value. Use ops.cond or ops.where.")

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise TypeError(f"The length of {self!r} is unknown.")
        return self.shape[0]

    def __iter__(self) -> Any:
        raise TypeError(f"A symbolic tensor ({self!r}) cannot be iterated over. Use ops.unstack or ops.scan.")

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    __hash__ = object.__hash__


def _invert(x: Any) -> Any:
    return _core.ops.logical_not(x) if x.dtype == "bool" else _core.ops.bitwise_not(x)


def _divide(a: Any, b: Any) -> Any:
    return _core.ops.divide(a, b)


def _by_kind(logical: Any, bitwise: Any) -> Any:
    def call(a: Any, b: Any) -> Any:
        return logical(a, b) if getattr(a, "dtype", None) == "bool" else bitwise(a, b)

    return call


def _get_item(x: Any, key: Any) -> Any:
    from . import ops

    return ops.get_item(x, key)


def add_operators(cls: Any) -> None:
    """Gives a class the operators of an array, forward and reflected; comparisons are element by element."""
    core = _core.ops
    binary = {
        "add": core.add,
        "sub": core.subtract,
        "mul": core.multiply,
        "truediv": _divide,
        "floordiv": core.floor_divide,
        "mod": core.mod,
        "pow": core.power,
        "matmul": core.matmul,
        "and": _by_kind(core.logical_and, core.bitwise_and),
        "or": _by_kind(core.logical_or, core.bitwise_or),
        "xor": _by_kind(core.logical_xor, core.bitwise_xor),
        "lshift": core.left_shift,
        "rshift": core.right_shift,
    }
    for name, op in binary.items():
        setattr(cls, f"__{name}__", lambda a, b, op=op: op(a, b))
        setattr(cls, f"__r{name}__", lambda a, b, op=op: op(b, a))
    compare = {
        "lt": core.less,
        "le": core.less_equal,
        "gt": core.greater,
        "ge": core.greater_equal,
        "eq": core.equal,
        "ne": core.not_equal,
    }
    for name, op in compare.items():
        setattr(cls, f"__{name}__", lambda a, b, op=op: op(a, b))
    cls.__neg__ = lambda x: core.negative(x)
    cls.__pos__ = lambda x: x
    cls.__abs__ = lambda x: core.abs(x)
    cls.__invert__ = lambda x: _invert(x)
    cls.__getitem__ = lambda x, key: _get_item(x, key)
    cls.__hash__ = object.__hash__
    # NumPy arrays on the left leave the operation to us.
    cls.__array_priority__ = 100
    cls.__array_ufunc__ = None


def _add_tensor_face(cls: Any) -> None:
    """What makes a Tensor a good citizen beside NumPy arrays."""

    def scalar(x: Any, what: str) -> Any:
        if x.size != 1:
            raise TypeError(f"only a tensor of one element can become {what}; this one has shape {x.shape}")
        return x.numpy().item()

    def array(x: Any, dtype: Any = None, copy: Any = None) -> np.ndarray:
        value = x.numpy()
        if dtype is not None and value.dtype != dtype:
            return value.astype(dtype)
        return value.copy() if copy else value

    def iterate(x: Any) -> Any:
        if not x.shape:
            raise TypeError("iteration over a tensor without axes")
        return (x[i] for i in range(x.shape[0]))

    def length(x: Any) -> int:
        if not x.shape:
            raise TypeError("len() of a tensor without axes")
        return x.shape[0]

    def show(x: Any) -> str:
        if x.is_traced:
            return f"<Tensor shape={x.shape}, dtype={x.dtype}, traced>"
        return f"<Tensor shape={x.shape}, dtype={x.dtype}, value={x.numpy()}>"

    cls.__array__ = array
    cls.__float__ = lambda x: float(scalar(x, "a float"))
    cls.__int__ = lambda x: int(scalar(x, "an int"))
    cls.__bool__ = lambda x: bool(scalar(x, "a bool"))
    cls.__index__ = lambda x: scalar(x, "an index").__index__()
    cls.__len__ = length
    cls.__iter__ = iterate
    cls.__repr__ = show
    cls.__format__ = lambda x, spec: format(scalar(x, "a formatted number"), spec) if spec else str(x)
    cls.__dlpack__ = lambda x, **kwargs: x.numpy().__dlpack__(**kwargs)
    cls.__dlpack_device__ = lambda x: (1, 0)
    cls.__copy__ = lambda x: x
    cls.__deepcopy__ = lambda x, memo: x
    cls.__reduce__ = lambda x: (_core.as_tensor, (x.numpy(), x.dtype))
    cls.item = lambda x: scalar(x, "a Python number")
    cls.tolist = lambda x: x.numpy().tolist()
    cls.astype = lambda x, dtype: _core.ops.cast(x, dtype=standardize_dtype(dtype))


add_operators(_core.Tensor)
add_operators(KerasTensor)
_add_tensor_face(_core.Tensor)
