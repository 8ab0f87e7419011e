"""TensorBoard's event files, written without TensorFlow.

A file is a sequence of TFRecords; each holds one `Event`, a protocol buffer. Of both only what is needed here is
written: the format of a record is in TensorFlow's `tensorflow/core/lib/io/record_writer.h`, the messages and their
field numbers in `event.proto`, `summary.proto`, `tensor.proto` and `graph.proto` of the same project.

    record   length (uint64), masked CRC of the length (uint32), data, masked CRC of the data (uint32); little-endian
    masked   rotate(crc32c, right by 15) + 0xa282ead8, modulo 2^32
    field    key = number * 8 + type (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes), then the value

Scalars, histograms, images and text are tensors with the name of the plugin that shows them, as TensorFlow 2 writes
them.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

_DT_FLOAT, _DT_DOUBLE, _DT_STRING = 1, 2, 7
_SCALAR, _TENSOR, _BLOBS = 1, 2, 3  # what TensorBoard calls the class of the data
_BUCKETS = 30


def _crc_table() -> tuple[int, ...]:
    """CRC-32C of each byte: the polynomial 0x1edc6f41 with its bits reversed (RFC 3720, appendix B.4)."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_table: list[tuple[int, ...]] = []


def crc32c(data: bytes) -> int:
    """The CRC-32C (Castagnoli) of some bytes.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    if not _table:
        _table.append(_crc_table())
    table, crc = _table[0], 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF  # negative numbers as 64 bits of two's complement
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _int(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def _bytes(number: int, value: bytes | str) -> bytes:
    data = value.encode("utf-8") if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _tensor(dtype: int, shape: Sequence[int], content: bytes) -> bytes:
    """A TensorProto; content: its encoded field of values."""
    dimensions = b"".join(_bytes(2, _int(1, size)) for size in shape)
    return _int(1, dtype) + _bytes(2, dimensions) + content


def _numbers(array: np.ndarray) -> bytes:
    dtype = _DT_FLOAT if array.dtype == np.float32 else _DT_DOUBLE
    return _tensor(dtype, array.shape, _bytes(4, array.astype(array.dtype.newbyteorder("<")).tobytes()))


def _texts(values: Iterable[bytes | str], shape: Sequence[int]) -> bytes:
    return _tensor(_DT_STRING, shape, b"".join(_bytes(8, value) for value in values))


def _summary(tag: str, tensor: bytes, plugin: str, kind: int, content: bytes = b"") -> bytes:
    data = _bytes(1, plugin) + (_bytes(2, content) if content else b"")
    metadata = _bytes(1, data) + _int(4, kind)
    return _bytes(1, _bytes(1, tag) + _bytes(8, tensor) + _bytes(9, metadata))


def histogram(values: np.ndarray) -> np.ndarray:
    """Rows of left edge, right edge, count: 30 buckets of equal width over the finite values; (0, 3) for none."""
    values = np.asarray(values, np.float64).reshape(-1)
    values = values[np.isfinite(values)]
    if not values.size:
        return np.zeros((0, 3))
    low, high = values.min(), values.max()
    if low == high:
        return np.array([[low - 0.5, high + 0.5, values.size]])
    counts, edges = np.histogram(values, _BUCKETS, (low, high))
    return np.stack([edges[:-1], edges[1:], counts.astype(np.float64)], axis=1)


class EventFile:
    """A file of events in a folder, named as TensorBoard expects; made at the first event.

    step: the number on TensorBoard's horizontal axis.
    """

    _number = 0

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._file: Any = None

    def _write(self, event: bytes) -> None:
        if self._file is None:
            os.makedirs(self._folder, exist_ok=True)
            EventFile._number += 1
            name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{self._number}.v2"
            self._file = open(os.path.join(self._folder, name), "wb")  # noqa: SIM115 - closed by close()
            self._record(_double(1, time.time()) + _bytes(3, "brain.Event:2"))
        self._record(event)

    def _record(self, data: bytes) -> None:
        length = struct.pack("<Q", len(data))
        self._file.write(length + _masked(length) + data + _masked(data))

    def _event(self, step: int, payload: bytes) -> None:
        self._write(_double(1, time.time()) + _int(2, step) + payload)

    def scalar(self, tag: str, value: float, step: int) -> None:
        tensor = _numbers(np.asarray(value, np.float32))
        self._event(step, _bytes(5, _summary(tag, tensor, "scalars", _SCALAR)))

    def histogram(self, tag: str, values: Any, step: int) -> None:
        tensor = _numbers(histogram(np.asarray(values)))
        self._event(step, _bytes(5, _summary(tag, tensor, "histograms", _TENSOR)))

    def text(self, tag: str, text: str, step: int) -> None:
        """text: Markdown."""
        self._event(step, _bytes(5, _summary(tag, _texts([text], ()), "text", _TENSOR)))

    def image(self, tag: str, images: Sequence[np.ndarray], step: int) -> None:
        """images: (height, width, channels) of uint8 with 1, 3 or 4 channels, all of one size."""
        from falconet.utils.png import encode_png

        height, width = images[0].shape[:2]
        values: list[bytes | str] = [str(width), str(height), *map(encode_png, images)]
        self._event(step, _bytes(5, _summary(tag, _texts(values, (len(values),)), "images", _BLOBS)))

    def keras_model(self, tag: str, config: str, step: int) -> None:
        """config: a model's JSON, which TensorBoard draws as its conceptual graph."""
        self._event(step, _bytes(5, _summary(tag, _texts([config], ()), "graph_keras_model", _TENSOR, b"1")))

    def graph(self, nodes: Iterable[tuple[str, str, list[str], str]]) -> None:
        """nodes: name, kind, names of the nodes whose outputs it takes, and a text shown with it."""
        found = b""
        for name, kind, inputs, shown in nodes:
            attribute = _bytes(1, "output shape") + _bytes(2, _bytes(2, shown))
            node = _bytes(1, name) + _bytes(2, kind) + b"".join(_bytes(3, one) for one in inputs) + _bytes(5, attribute)
            found += _bytes(1, node)
        versions = _bytes(4, _int(1, 22))
        self._event(0, _bytes(4, found + versions))

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
