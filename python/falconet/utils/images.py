"""Images between files, arrays and Pillow's objects.

Pillow (`falconet[images]`) is needed except to write PNG files.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .. import config
from .png import encode_png

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}


def _pillow(owner: str) -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(f"[{owner}] this needs Pillow: pip install 'falconet[images]'.") from error
    return Image


def _last(x: Any, data_format: str | None, owner: str, dtype: Any = None) -> np.ndarray:
    """One image with its channels last."""
    x = np.asarray(x, dtype=dtype or config.floatx())
    if x.ndim != 3:
        raise ValueError(f"[{owner}] the image has shape {x.shape}; it must have three axes.")
    if _format(data_format, owner) == "channels_first":
        x = x.transpose(1, 2, 0)
    if x.shape[2] not in (1, 3, 4):
        raise ValueError(f"[{owner}] the image has {x.shape[2]} channels; it must have 1, 3 or 4.")
    return x


def _format(data_format: str | None, owner: str) -> str:
    data_format = data_format or config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(f'[{owner}] `data_format` must be "channels_last" or "channels_first", got {data_format!r}.')
    return data_format


def _stretched(x: np.ndarray) -> np.ndarray:
    """From least value to largest, to 0 to 255."""
    x = x - x.min()
    return x * (255 / x.max()) if x.max() else x


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """A Pillow image of an array (height, width, channels) or (channels, height, width), by `data_format`.

    scale: stretch the values to 0 to 255; without it they are taken as they are. dtype: to compute in, `floatx()` by
    default. A single channel that goes beyond 255 makes an image of 32-bit integers.
    """
    image = _pillow("array_to_img")
    x = _last(x, data_format, "array_to_img", dtype)
    x = _stretched(x) if scale else x
    if x.shape[2] == 1:
        return image.fromarray(x[:, :, 0].astype("int32" if x.max() > 255 else "uint8"))
    return image.fromarray(x.astype("uint8"))


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """An array (height, width, channels), or (channels, height, width) by `data_format`, of a Pillow image.

    dtype: by default `floatx()`. The values are those of the image, 0 to 255.
    """
    x = np.asarray(img, dtype=dtype or config.floatx())
    if x.ndim not in (2, 3):
        raise ValueError(f"[img_to_array] the image has shape {x.shape}; it must have two or three axes.")
    x = x[:, :, None] if x.ndim == 2 else x
    return x.transpose(2, 0, 1) if _format(data_format, "img_to_array") == "channels_first" else x


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any
) -> None:
    """Writes an array as an image file (see `array_to_img`).

    path: a path, or a file open for writing. file_format: by default what the ending of the path says. PNG files are
    written without Pillow; kwargs are for Pillow's `save` and need it.
    """
    ending = os.path.splitext(os.fspath(path))[1] if isinstance(path, (str, os.PathLike)) else ""
    kind = (file_format or ending).lstrip(".").lower()
    if kind == "png" and not kwargs:
        values = _last(x, data_format, "save_img")
        data = encode_png((_stretched(values) if scale else values).astype(np.uint8))
        if hasattr(path, "write"):
            path.write(data)
            return
        with open(path, "wb") as file:
            file.write(data)
        return
    image = array_to_img(x, data_format, scale)
    if image.mode == "RGBA" and kind in ("jpg", "jpeg"):
        image = image.convert("RGB")  # JPEG has no transparency
    image.save(path, format={"jpg": "jpeg"}.get(kind, kind) or None, **kwargs)


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """A Pillow image from a path or an open file.

    color_mode: "grayscale", "rgb" or "rgba". target_size: (height, width) to resize to, by `interpolation`.
    keep_aspect_ratio: cut off what is too much at the sides instead of distorting.
    """
    image = _pillow("load_img")
    if color_mode not in _MODES:
        raise ValueError(f'[load_img] `color_mode` must be "grayscale", "rgb" or "rgba", got {color_mode!r}.')
    if interpolation not in _INTERPOLATIONS:
        known = ", ".join(_INTERPOLATIONS)
        raise ValueError(f"[load_img] `interpolation` must be one of {known}; got {interpolation!r}.")
    with image.open(path) as file:
        file.load()
        is_grey = color_mode == "grayscale" and file.mode in ("L", "I;16", "I")
        img = file.copy() if is_grey else file.convert(_MODES[color_mode])
    if target_size is None or img.size == (target_size[1], target_size[0]):
        return img
    height, width = target_size
    box = None
    if keep_aspect_ratio:
        kept_height = min(img.height, img.width * height // width)
        kept_width = min(img.width, img.height * width // height)
        left, top = (img.width - kept_width) // 2, (img.height - kept_height) // 2
        box = (left, top, left + kept_width, top + kept_height)
    return img.resize((width, height), getattr(image.Resampling, interpolation.upper()), box=box)
