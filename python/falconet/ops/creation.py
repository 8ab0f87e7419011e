"""Tensors made from sizes and numbers: constants, ranges, triangles, grids and windows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import config
from ..dtypes import FLOATS, result_type, standardize_dtype
from ..tracing import symbolic
from .basic import Tensor, core, dtype, number_of, size_of, tensor

tril = core.tril
triu = core.triu


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor of one value."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return core.broadcast_to(tensor(fill_value, standardize_dtype(dtype)), shape=shape)


def zeros(shape: Any, dtype: Any = None) -> Any:
    """A tensor of zeros."""
    return full(shape, 0, dtype)


def ones(shape: Any, dtype: Any = None) -> Any:
    """A tensor of ones."""
    return full(shape, 1, dtype)


def empty(shape: Any, dtype: Any = None) -> Any:
    """A tensor of zeros: memory is never shown unset."""
    return full(shape, 0, dtype)


@symbolic
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor of one value and of x's shape, in x's dtype unless another is given."""
    x = tensor(x)
    kind = x.dtype if dtype is None else standardize_dtype(dtype)
    return core.broadcast_to(tensor(fill_value, kind), shape=tuple(x.shape))


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of x's shape."""
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones of x's shape."""
    return full_like(x, 1, dtype)


def empty_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of x's shape: memory is never shown unset."""
    return full_like(x, 0, dtype)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """An N by M matrix (M = N if None) of ones on its k-th diagonal, zeros elsewhere."""
    return core.cast(core.equal(*_row_and_column(N, M, k)), dtype=standardize_dtype(dtype))


def identity(n: int, dtype: Any = None) -> Any:
    """The n by n identity matrix."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """An N by M matrix of ones at and below its k-th diagonal, zeros above."""
    return core.cast(core.greater_equal(*_row_and_column(N, M, k)), dtype=standardize_dtype(dtype))


def _row_and_column(rows: int, columns: int | None, k: int) -> tuple[Any, Any]:
    """Row indices (rows, 1) shifted by k, and column indices (columns,)."""
    row = core.reshape(core.iota(shape=(rows,), dtype="int32"), shape=(rows, 1))
    return row + k, core.iota(shape=(rows if columns is None else columns,), dtype="int32")


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """start, start + step, ... below stop (above it for a negative step); with one argument, 0 to start."""
    numbers = [start, *(n for n in (stop, step) if n is not None)]
    kind = result_type(*(_kind(n) for n in numbers)) if dtype is None else standardize_dtype(dtype)
    first, last = (0, start) if stop is None else (start, stop)
    first, last, by = _number(first), _number(last), 1 if step is None else _number(step)
    if by == 0:
        raise ValueError("[arange] `step` is 0; it must be another number.")
    count = max(0, math.ceil((last - first) / by))
    if kind in FLOATS:
        # The product rounds once where a running sum would drift; computed wider than 16-bit floats count.
        wide = result_type(kind, "float32")
        return core.cast(first + by * core.iota(shape=(count,), dtype=wide), dtype=kind)
    wide = "int64" if kind != "uint64" else kind
    return core.cast(int(first) + int(by) * core.iota(shape=(count,), dtype=wide), dtype=kind)


def _kind(number: Any) -> Any:
    return type(number) if type(number) in (int, float) else dtype(number)


def _number(x: Any) -> Any:
    """x as a Python number."""
    if isinstance(x, (int, float)):
        return x
    x = tensor(x)
    return x.item() if isinstance(x, Tensor) and not x.is_traced else number_of("arange", x)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` evenly spaced numbers from start to stop, with or without stop itself; with `retstep`, also the step."""
    kind = result_type(_kind(start), _kind(stop), float) if dtype is None else standardize_dtype(dtype)
    # Integers are rounded down from float64, which counts exactly as far as anyone counts.
    work = kind if kind in FLOATS else "float64"
    start, stop = tensor(start, work), tensor(stop, work)
    steps = num - 1 if endpoint else num
    step = core.divide(stop - start, steps) if steps > 0 else core.multiply(stop - start, math.nan)
    rank = max(len(start.shape), len(stop.shape))
    fraction = core.iota(shape=(num,), dtype=result_type(work, "float32")) / max(steps, 1)
    fraction = core.reshape(core.cast(fraction, dtype=work), shape=(num,) + (1,) * rank)
    # Both ends are met exactly: one term vanishes at each.
    line = start * (1 - fraction) + stop * fraction
    if kind != work:
        line = core.cast(core.floor(line), dtype=kind)
    if axis not in (0, -rank - 1):
        from .shaping import moveaxis

        line = moveaxis(line, 0, axis)
    return (line, step) if retstep else line


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None, axis: int = 0
) -> Any:
    """base to the powers that linspace(start, stop, num) gives."""
    kind = result_type(_kind(start), _kind(stop), float) if dtype is None else standardize_dtype(dtype)
    work = kind if kind in FLOATS else "float64"
    powers = linspace(start, stop, num, endpoint, dtype=work, axis=axis)
    return core.cast(core.power(tensor(base, work), powers), dtype=kind)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """`num` numbers from start to stop, each the one before times a constant; start and stop of one sign, not 0."""
    kind = result_type(_kind(start), _kind(stop), float) if dtype is None else standardize_dtype(dtype)
    work = kind if kind in FLOATS else "float64"
    start, stop = tensor(start, work), tensor(stop, work)
    rank = max(len(start.shape), len(stop.shape))
    exponent = linspace(0.0, 1.0, num, endpoint, dtype=work)
    exponent = core.reshape(exponent, shape=(num,) + (1,) * rank)
    line = start * core.power(stop / start, exponent)
    # The power of the last step need not be exactly stop / start.
    line = core.where(core.equal(exponent, 1), stop, line)
    if axis not in (0, -rank - 1):
        from .shaping import moveaxis

        line = moveaxis(line, 0, axis)
    return core.cast(line, dtype=kind)


@symbolic
def meshgrid(*x: Any, indexing: str = "xy") -> list[Any]:
    """One array per 1-D operand, of shape (n1, n2, ...): operand i varies along axis i ("ij"; in "xy" 0 and 1 swap)."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f'[meshgrid] `indexing` is {indexing!r}; it must be "xy" or "ij".')
    xs = [tensor(v) for v in x]
    xs = [core.reshape(v, shape=(size_of(v.shape),)) for v in xs]
    order = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        order[:2] = 1, 0
    sizes = [0] * len(xs)
    for v, axis in zip(xs, order, strict=True):
        sizes[axis] = v.shape[0]
    grids = []
    for v, axis in zip(xs, order, strict=True):
        column = core.reshape(v, shape=tuple(v.shape[0] if i == axis else 1 for i in range(len(xs))))
        grids.append(core.broadcast_to(column, shape=tuple(sizes)))
    return grids


@symbolic
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Powers of x (n,) as columns (n, N): x^(N-1), ..., x, 1, or the other way round."""
    x = tensor(x)
    if len(x.shape) != 1:
        raise ValueError(f"[vander] x has shape {tuple(x.shape)}; it must have 1 axis.")
    count = x.shape[0] if N is None else N
    powers = core.iota(shape=(count,), dtype="int32")
    powers = core.cast(powers if increasing else count - 1 - powers, dtype=result_type(x.dtype, int))
    return core.power(core.reshape(x, shape=(x.shape[0], 1)), powers)


def _window(x: Any, formula: Any) -> Any:
    """formula(n, M) for n = 0 ... M - 1 in float64, then in `floatx()`; 1 where M = 1."""
    count = int(_number(x))
    made = np.ones(max(count, 0)) if count <= 1 else formula(np.arange(count), count)
    return tensor(np.asarray(made, "float64"), config.floatx())


def bartlett(x: Any) -> Any:
    """The triangular window of x points, 0 at both ends."""
    return _window(x, lambda n, m: 1 - np.abs(2 * n / (m - 1) - 1))


def hamming(x: Any) -> Any:
    """The window 0.54 - 0.46 cos(2 pi n / (x - 1))."""
    return _window(x, lambda n, m: 0.54 - 0.46 * np.cos(2 * np.pi * n / (m - 1)))


def hanning(x: Any) -> Any:
    """The window 0.5 - 0.5 cos(2 pi n / (x - 1))."""
    return _window(x, lambda n, m: 0.5 - 0.5 * np.cos(2 * np.pi * n / (m - 1)))


def blackman(x: Any) -> Any:
    """The window 0.42 - 0.5 cos(2 pi n / (x - 1)) + 0.08 cos(4 pi n / (x - 1))."""
    return _window(
        x, lambda n, m: 0.42 - 0.5 * np.cos(2 * np.pi * n / (m - 1)) + 0.08 * np.cos(4 * np.pi * n / (m - 1))
    )


def kaiser(x: Any, beta: Any) -> Any:
    """The window I0(beta sqrt(1 - (2 n / (x - 1) - 1)^2)) / I0(beta)."""
    scale = float(_number(beta))
    return _window(x, lambda n, m: np.i0(scale * np.sqrt(1 - (2 * n / (m - 1) - 1) ** 2)) / np.i0(scale))
