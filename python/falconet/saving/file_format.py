"""One file with named arrays and text: the layout of safetensors, read as if it came from an enemy.

`cpp/format/container.h` has the layout, and reads and checks it for this module as for model files: a header in JSON
with a checksum over the whole file, then the arrays, little-endian, each at a multiple of 64 bytes. There is no code,
no path, no compression in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from .. import _core

ALIGNMENT = 64


def encode(tensors: dict[str, Any], metadata: dict[str, str]) -> list[Any]:
    """The file's contents, as byte strings and arrays of bytes to be written one after the other."""
    entries: list[Any] = []
    parts: list[Any] = []
    for name, value in tensors.items():
        array = np.asarray(value)
        data = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
        raw = data.reshape(-1).view(np.uint8) if data.size else np.zeros(0, np.uint8)
        entries.append((name, array.dtype.name, array.shape, raw))
        parts += [raw, bytes(-raw.size % ALIGNMENT)]
    return [_core.container_head(entries, metadata), *parts]


@contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when all has been written and is on disk, or not at all."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def write(path: str, tensors: dict[str, Any], metadata: dict[str, str]) -> None:
    """Writes the file whole or not at all: to a temporary file beside it, flushed to disk, then put in its place."""
    parts = encode(tensors, metadata)
    with replacing(path) as file:
        for part in parts:
            file.write(part)


def to_bytes(tensors: dict[str, Any], metadata: dict[str, str]) -> bytes:
    """The same contents as one byte string."""
    return b"".join(bytes(part) for part in encode(tensors, metadata))


def read(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(tensors, metadata) of a file; ValueError where it is anything but well-formed."""
    try:
        return _decode(np.fromfile(path, dtype=np.uint8))
    except ValueError as error:
        raise ValueError(f"{error} (in {path})") from None


def from_bytes(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(tensors, metadata) of contents held in memory."""
    return _decode(np.frombuffer(data, np.uint8))


def _decode(data: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    entries, metadata = _core.parse_arrays(data)
    tensors = {}
    for name, dtype, shape, begin in entries:
        size = int(np.prod(shape, dtype=np.int64))
        if dtype == "bfloat16":  # the upper half of a float32
            wide = np.frombuffer(data, "<u2", size, begin).astype(np.uint32) << 16
            tensors[name] = wide.view(np.float32).reshape(shape)
        elif dtype == "bool":
            tensors[name] = (np.frombuffer(data, np.uint8, size, begin) != 0).reshape(shape)
        else:
            tensors[name] = np.frombuffer(data, np.dtype(dtype).newbyteorder("<"), size, begin).reshape(shape)
    return tensors, metadata
