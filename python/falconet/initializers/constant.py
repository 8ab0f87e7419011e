"""Initial values that involve no chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..dtypes import standardize_dtype
from .base import Initializer


class Constant(Initializer):
    """Every element is `value`: a number, or an array that broadcasts to the variable's shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        dtype = standardize_dtype(dtype)
        return ops.broadcast_to(ops.convert_to_tensor(self.value, dtype=dtype), tuple(shape))


class Zeros(Initializer):
    """Every element is 0."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        return ops.zeros(shape, dtype=standardize_dtype(dtype))


class Ones(Initializer):
    """Every element is 1."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        return ops.ones(shape, dtype=standardize_dtype(dtype))


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        if len(shape) != 2:
            raise ValueError(f"[Identity] `shape` is {tuple(shape)}; only a matrix, of 2 axes, can be an identity.")
        return self.gain * ops.eye(*shape, dtype=standardize_dtype(dtype))


# Windows that are sums of cosines: w[t] = sum_k (-1)^k a_k cos(2 pi k t / n)  (Harris 1978, table I).
_COSINE_WINDOWS = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}


def _window(name: str, length: int, periodic: bool) -> np.ndarray:
    if length == 1:
        return np.ones(1)
    angle = 2 * np.pi * np.arange(length) / (length if periodic else length - 1)
    return sum((-1) ** k * a * np.cos(k * angle) for k, a in enumerate(_COSINE_WINDOWS[name]))


class STFT(Initializer):
    """Kernel (frame, 1, bins) of a convolution that takes the short-time Fourier transform of a signal.

    kernel[t, 0, f] = cos or sin(-2 pi t f / n) * window[t] / scale, with n = 2 (bins - 1).

    Args:
        side: "real" (cosines) or "imag" (sines).
        window: name of a sum-of-cosines window ("hann", "hamming", "blackman", "boxcar", "nuttall", "blackmanharris",
            "flattop"), an array of `frame` values, or None.
        scaling: "density" divides by the window's 2-norm, "spectrum" by its sum, None by nothing.
        periodic: whether a named window is periodic (for analysis) rather than symmetric.
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ):
        if side not in ("real", "imag"):
            raise ValueError(f"[STFT] `side` is {side!r}; it must be 'real' or 'imag'.")
        if isinstance(window, str) and window not in _COSINE_WINDOWS:
            raise ValueError(f"[STFT] `window` is {window!r}; it must be one of {tuple(_COSINE_WINDOWS)} or an array.")
        if scaling not in (None, "density", "spectrum"):
            raise ValueError(f"[STFT] `scaling` is {scaling!r}; it must be 'density', 'spectrum' or None.")
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        frame, _, bins = shape
        time = np.arange(frame).reshape(-1, 1, 1)
        angle = -2 * np.pi * time * np.arange(bins) / (2 * (bins - 1))
        kernel = np.cos(angle) if self.side == "real" else np.sin(angle)
        if self.window is not None:
            named = isinstance(self.window, str)
            window = _window(self.window, frame, self.periodic) if named else np.asarray(self.window, "float64")
            if window.shape != (frame,):
                raise ValueError(f"[STFT] `window` has shape {window.shape}; the kernel needs {(frame,)}.")
            norm = np.sqrt(np.sum(window**2)) if self.scaling == "density" else np.sum(np.abs(window))
            kernel = kernel * window.reshape(-1, 1, 1) / (norm if self.scaling else 1.0)
        return ops.convert_to_tensor(np.broadcast_to(kernel, shape), dtype=standardize_dtype(dtype))
