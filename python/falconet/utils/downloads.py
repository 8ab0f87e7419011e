"""Files from the network, kept in a folder and checked by their hash."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import tarfile
import zipfile
from typing import Any

from ..saving.file_format import replacing

_ALGORITHMS = {32: "md5", 64: "sha256"}  # by the number of hexadecimal digits


def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """The path of a file from `origin`, which is downloaded where it is not in the cache yet.

    Args:
        fname: its name in the cache; by default the last part of `origin`.
        origin: a URL ("https:", "http:" or "file:").
        untar, extract: unpack the archive (as tar; as what it is) and return the folder instead.
        md5_hash, file_hash: what the file must hash to, in hexadecimal digits; a cached file that does not is
            downloaded again. Prefer SHA-256.
        cache_subdir: folder below `cache_dir`, which is ~/.keras by default.
        hash_algorithm: "sha256", "md5", or "auto": by the number of digits.
        archive_format: "auto", "tar", "zip", a list of them, or None for no unpacking.
        force_download: even where the file is in the cache.

    Raises ValueError where the file does not have the hash, or is no such archive, or the archive has a member that
    would be written outside its folder. A file takes its place whole, after its hash has been checked.
    """
    from urllib.parse import unquote, urlsplit

    if not isinstance(origin, str) or "://" not in origin:
        raise ValueError(f"[get_file] `origin` must be a URL, got {origin!r}.")
    name = fname or os.path.basename(unquote(urlsplit(origin).path).rstrip("/"))
    if not name or name in (".", "..") or "/" in name or os.sep in name:
        raise ValueError(f"[get_file] `fname` must be the name of a file without folders, got {name!r}.")
    if hash_algorithm not in ("auto", "sha256", "md5"):
        raise ValueError(f'[get_file] `hash_algorithm` must be "auto", "sha256" or "md5", got {hash_algorithm!r}.')
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    kinds = ["tar"] if untar else _kinds(archive_format)
    base = os.path.expanduser(cache_dir or os.path.join("~", ".keras"))
    folder = os.path.join(base, cache_subdir)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    if force_download or not os.path.exists(path) or not _matches(path, file_hash, hash_algorithm):
        _download(origin, path, file_hash, hash_algorithm)
    if not (untar or extract):
        return path
    target = os.path.join(folder, f"{name.split('.')[0]}_extracted")
    _extract(path, target, kinds)
    return target


def _kinds(archive_format: Any) -> list[str]:
    given = ["tar", "zip"] if archive_format == "auto" else archive_format or []
    kinds = [given] if isinstance(given, str) else list(given)
    if not set(kinds) <= {"tar", "zip"}:
        raise ValueError(f'[get_file] `archive_format` must be "auto", "tar", "zip" or None, got {archive_format!r}.')
    return kinds


def _matches(path: str, file_hash: str | None, algorithm: str) -> bool:
    if file_hash is None:
        return True
    kind = _ALGORITHMS.get(len(file_hash)) if algorithm == "auto" else algorithm
    if kind is None:
        raise ValueError(f"[get_file] `file_hash` has {len(file_hash)} digits; SHA-256 has 64, MD5 has 32.")
    digest = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return hmac.compare_digest(digest.hexdigest(), file_hash.lower())


def _download(origin: str, path: str, file_hash: str | None, algorithm: str) -> None:
    from urllib.request import urlopen

    try:
        response = urlopen(origin, timeout=60)
    except OSError as error:
        raise OSError(f"[get_file] {origin} could not be fetched: {error}.") from error
    with response, replacing(path) as file:
        shutil.copyfileobj(response, file, 1 << 20)
        file.flush()
        if not _matches(file.name, file_hash, algorithm):
            raise ValueError(f"[get_file] {origin} does not have the hash {file_hash}; it was cut short or changed.")


def _extract(path: str, target: str, kinds: list[str]) -> None:
    root = os.path.realpath(target)
    if "tar" in kinds and tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                if not (member.isfile() or member.isdir()):
                    raise ValueError(f"[get_file] {path}: {member.name!r} is a link or device, which is not unpacked.")
                _check_inside(root, member.name, path)
            for member in archive.getmembers():
                member.mode = 0o755 if member.isdir() else 0o644
                safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
                archive.extract(member, target, set_attrs=False, **safe)
        return
    if "zip" in kinds and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as zipped:
            for name in zipped.namelist():
                _check_inside(root, name, path)
            zipped.extractall(target)
        return
    raise ValueError(f"[get_file] {path} is not an archive of the format {' or '.join(kinds) or None}.")


def _check_inside(root: str, name: str, path: str) -> None:
    if os.path.isabs(name) or os.path.commonpath([root, os.path.realpath(os.path.join(root, name))]) != root:
        raise ValueError(f"[get_file] {path}: the member {name!r} would be written outside its folder.")
