"""Keras 3's `.keras` files: a zip archive of metadata, configuration and weights, written and read.

Members are `metadata.json`, `config.json` and `model.weights.h5`, stored without compression as Keras does. Reading
accepts these names alone, so no path is ever followed; lengths are bounded before anything is read; and the
configuration is read by the same code as any other, which makes Falconet's own classes and registered ones only.
"""

from __future__ import annotations

import io
import json
import zipfile
from datetime import datetime
from typing import Any

from .file_format import replacing
from .keras_weights import read_weights, require_h5py, weights_bytes

_KERAS_VERSION = "3.15.1"  # whose layout is written
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MAX_TEXT = 64 << 20
_MAX_EXPANSION = 100  # of a compressed member; Keras stores without compression


def write_archive(path: str, model: Any, config: dict[str, Any]) -> None:
    """Writes a `.keras` archive, whole or not at all."""
    require_h5py("save_model")
    metadata = {"keras_version": _KERAS_VERSION, "date_saved": datetime.now().strftime("%Y-%m-%d@%H:%M:%S")}
    weights = weights_bytes(model, "save_model")
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(_METADATA, json.dumps(metadata))
        archive.writestr(_CONFIG, json.dumps(config))
        archive.writestr(_WEIGHTS, weights)


class Archive:
    """An open archive: its configuration, and its weights to be put into a model.

    Raises ValueError where the file is anything but a well-formed archive of the three members.
    """

    def __init__(self, path: str) -> None:
        require_h5py("load_model")
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ValueError(f"[load] {path}: not a .keras archive, or cut short: {error}.") from None
        try:
            self._members = self._checked_members()
        except BaseException:
            self._zip.close()
            raise

    def _checked_members(self) -> dict[str, zipfile.ZipInfo]:
        found: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            name = member.filename
            if name not in (_CONFIG, _METADATA, _WEIGHTS):
                raise ValueError(
                    f"[load] {self._path}: the archive has a member {name[:200]!r}; only {_METADATA}, {_CONFIG} and "
                    f"{_WEIGHTS} are read (assets of layers are not supported)."
                )
            if name in found:
                raise ValueError(f"[load] {self._path}: the member {name!r} occurs twice.")
            if member.flag_bits & 1:
                raise ValueError(f"[load] {self._path}: the member {name!r} is encrypted.")
            if member.file_size > (1 << 20) and member.file_size > _MAX_EXPANSION * member.compress_size:
                raise ValueError(
                    f"[load] {self._path}: the member {name!r} would expand from {member.compress_size} to "
                    f"{member.file_size} bytes."
                )
            found[name] = member
        missing = [name for name in (_CONFIG, _WEIGHTS) if name not in found]
        if missing:
            raise ValueError(f"[load] {self._path}: the archive lacks {' and '.join(missing)}.")
        if found[_CONFIG].file_size > _MAX_TEXT:
            raise ValueError(
                f"[load] {self._path}: {_CONFIG} has {found[_CONFIG].file_size} bytes; it may have {_MAX_TEXT}."
            )
        return found

    def _read(self, name: str) -> bytes:
        member = self._members[name]
        try:
            with self._zip.open(member) as file:
                data = file.read(member.file_size + 1)
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"[load] {self._path}: the member {name!r} is broken: {error}.") from None
        except Exception as error:
            if type(error).__module__ in ("zlib", "lzma", "_lzma", "_bz2"):
                raise ValueError(f"[load] {self._path}: the member {name!r} is broken: {error}.") from None
            raise
        if len(data) != member.file_size:
            raise ValueError(f"[load] {self._path}: the member {name!r} is not as long as the archive says.")
        return data

    def config(self) -> dict[str, Any]:
        """The model's configuration."""
        try:
            found = json.loads(self._read(_CONFIG).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"[load] {self._path}: {_CONFIG} is not valid: {error}.") from None
        if not isinstance(found, dict):
            raise ValueError(f"[load] {self._path}: {_CONFIG} does not describe a model.")
        return found

    def weights_size(self) -> int:
        """Numbers that the weights can have at most, by the bytes that are there (of one byte each at least)."""
        return self._members[_WEIGHTS].file_size

    def read_weights(self, model: Any, skip_mismatch: bool = False, optimizer: bool = True) -> None:
        """Puts the weights into a model."""
        read_weights(model, io.BytesIO(self._read(_WEIGHTS)), self._path, skip_mismatch, optimizer)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: Any) -> None:
        self._zip.close()
