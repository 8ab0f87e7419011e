"""One file with named arrays and text: the layout of safetensors, read as if it came from an enemy.

    bytes 0..8        length of the header, little-endian unsigned
    header            JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__":
    {...}} payload           the arrays, little-endian, one after the other without gaps, to the end of the file

The header is padded with spaces so that the payload starts at a multiple of 64 bytes, and entries named `__pad__/<i>`
fill up to the next multiple between arrays. Metadata maps strings to strings. There is no code, no path, no compression
in it.

Reading trusts nothing: lengths are compared with the bytes at hand before anything is allocated for them, offsets must
follow one another exactly, names must be distinct, and shapes must have the size of their bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

ALIGNMENT = 64
MAX_HEADER = 64 << 20
MAX_TENSORS = 65536
MAX_RANK = 8
_PAD = "__pad__/"

_CODES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
_NAMES = {code: name for name, code in _CODES.items()}
_SIZES = {code: {"bool": 1, "bfloat16": 2}.get(name) or np.dtype(name).itemsize for name, code in _CODES.items()}


def encode(tensors: dict[str, Any], metadata: dict[str, str]) -> list[Any]:
    """The file's contents, as a list of byte strings and arrays to be written one after the other."""
    import json

    header: dict[str, Any] = {"__metadata__": metadata}
    parts: list[Any] = []
    at = pads = 0
    for name, value in tensors.items():
        if name in header or name.startswith(_PAD):
            raise ValueError(f"[save] tensor name {name!r} is used twice or reserved.")
        array = np.asarray(value)
        code = _CODES.get(array.dtype.name)
        if code is None:
            raise ValueError(f"[save] tensor {name!r} has dtype {array.dtype}, which the file format does not have.")
        data = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [at, at + data.nbytes]}
        parts.append(data)
        at += data.nbytes
        gap = -at % ALIGNMENT
        if gap:
            header[f"{_PAD}{pads}"] = {"dtype": "U8", "shape": [gap], "data_offsets": [at, at + gap]}
            parts.append(bytes(gap))
            pads += 1
            at += gap
    text = json.dumps(header, separators=(",", ":"), allow_nan=True).encode("utf-8")
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return [len(text).to_bytes(8, "little"), text, *parts]


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
            file.write(part if isinstance(part, bytes) else part.reshape(-1).view(np.uint8).data if part.size else b"")


def to_bytes(tensors: dict[str, Any], metadata: dict[str, str]) -> bytes:
    """The same contents as one byte string."""
    return b"".join(part if isinstance(part, bytes) else part.tobytes() for part in encode(tensors, metadata))


def read(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(tensors, metadata) of a file; ValueError where it is anything but well-formed."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        text = _header_text(file.read(8), size, path, file.read)
        start = 8 + len(text)
        tensors, metadata = _parse(text, size - start, path)
        payload = np.fromfile(file, dtype=np.uint8, count=size - start)
    return _views(tensors, payload, path), metadata


def from_bytes(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(tensors, metadata) of contents held in memory."""
    name, size = "bytes", len(data)
    text = _header_text(data[:8], size, name, lambda n: data[8 : 8 + n])
    tensors, metadata = _parse(text, size - 8 - len(text), name)
    return _views(tensors, np.frombuffer(data, np.uint8, offset=8 + len(text)), name), metadata


def _header_text(head: bytes, size: int, path: str, read: Any) -> bytes:
    if len(head) < 8:
        raise ValueError(f"[load] {path}: not a model file: it has {size} bytes.")
    length = int.from_bytes(head, "little")
    if length > min(size - 8, MAX_HEADER):
        raise ValueError(
            f"[load] {path}: not a model file, or cut short: the header claims {length} bytes, the file has {size - 8} "
            f"more (at most {MAX_HEADER} are allowed)."
        )
    return read(length)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _parse(text: bytes, payload: int, path: str) -> tuple[dict[str, Any], dict[str, str]]:
    import json

    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"[load] {path}: the header is not valid: {error}.") from None
    if not isinstance(header, dict) or len(header) > 2 * MAX_TENSORS:
        raise ValueError(f"[load] {path}: the header is not a table of at most {MAX_TENSORS} tensors.")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"[load] {path}: the metadata must map strings to strings.")
    at = 0
    entries = [(name, *_entry(name, entry, path)) for name, entry in header.items()]
    tensors: dict[str, Any] = {}
    for name, code, shape, begin, end in sorted(entries, key=lambda e: (e[3], e[4])):
        if begin != at:
            raise ValueError(f"[load] {path}: tensor {name!r} starts at byte {begin}; the one before it ends at {at}.")
        at = end
        if not name.startswith(_PAD):
            tensors[name] = (code, shape, begin, end)
    if at != payload:
        raise ValueError(
            f"[load] {path}: the tensors have {at} bytes, the file has {payload} for them; it was cut or changed."
        )
    return tensors, metadata


def _entry(name: str, entry: Any, path: str) -> tuple[str, tuple[int, ...], int, int]:
    try:
        code, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        known = len(entry) == 3 and code in _SIZES and isinstance(shape, list) and len(shape) <= MAX_RANK
        numbers = [*shape, begin, end] if known else []
    except (TypeError, KeyError, ValueError):
        known, numbers = False, []
    if not known or any(type(n) is not int or not 0 <= n < 1 << 62 for n in numbers):
        raise ValueError(f"[load] {path}: the entry of tensor {name!r} is not valid: {str(entry)[:200]}.")
    size = _SIZES[code]
    for dimension in shape:
        size *= dimension  # Python integers do not overflow
    if size != end - begin:
        raise ValueError(
            f"[load] {path}: tensor {name!r} of shape {shape} needs {size} bytes, its place has {end - begin}."
        )
    return code, tuple(shape), begin, end


def _views(tensors: dict[str, Any], payload: np.ndarray, path: str) -> dict[str, np.ndarray]:
    found = {}
    for name, (code, shape, begin, end) in tensors.items():
        if end > payload.size:
            raise ValueError(f"[load] {path}: the file was cut while it was read.")
        data = payload[begin:end]
        if code == "BF16":  # the upper half of a float32
            wide = data.view("<u2").astype(np.uint32) << 16
            found[name] = wide.view(np.float32).reshape(shape)
        elif code == "BOOL":
            found[name] = (data != 0).reshape(shape)
        else:
            found[name] = data.view(np.dtype(_NAMES[code]).newbyteorder("<")).reshape(shape)
    return found
