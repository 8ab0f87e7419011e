"""Images as PNG files (ISO/IEC 15948), written with zlib alone."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> PNG's colour type


def encode_png(image: np.ndarray) -> bytes:
    """A PNG file of an image of shape (height, width, channels), uint8: grey, grey and alpha, RGB or RGBA.

    Raises ValueError for any other shape or dtype.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] not in _COLOURS or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(
            f"[encode_png] the image has shape {image.shape} and dtype {image.dtype}; it must be (height, width, "
            "channels) with 1 to 4 channels, of uint8."
        )
    height, width, channels = image.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # a row begins with its filter: 0, none
    rows[:, 1:] = image.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
