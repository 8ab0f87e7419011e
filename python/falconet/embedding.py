"""Where the headers and libraries for C and C++ are. `docs/embedding.md` shows how to use them."""

from __future__ import annotations

import os

from falconet import _core


def get_include() -> str:
    """The folder for a compiler's `-I`: it holds `falconet/falconet.h` and `falconet/falconet.hpp`.

    Raises:
        FileNotFoundError: Falconet was built without the libraries.
    """
    return _folder("include")


def get_cmake_dir() -> str:
    """The folder with falconetConfig.cmake: `cmake -Dfalconet_DIR=...`, after which `find_package(falconet)` works.

    The libraries are two folders above, and `falconet.pc` for pkg-config is in `../../pkgconfig`.

    Raises:
        FileNotFoundError: Falconet was built without the libraries.
    """
    return _folder("lib", "cmake", "falconet")


def _folder(*parts: str) -> str:
    # Beside the extension: in an editable install that is not where the sources are.
    path = os.path.join(os.path.dirname(os.path.abspath(_core.__file__)), *parts)
    if not os.path.isdir(path):
        raise FileNotFoundError(
            f"[falconet] this installation has no {os.path.join(*parts)!r}: it was built with FALCONET_LIBRARIES=OFF, "
            "or by hand. Wheels and `pip install` have it."
        )
    return path
