"""The instruction sets whose kernels this build has and this machine runs."""

from __future__ import annotations

from . import _core

__all__ = ["available", "isa", "use_isa"]


def isa() -> str:
    """The instruction set in use: "portable", "avx2", "avx512" or "neon"."""
    return _core.isa()


def available() -> list[str]:
    """Every instruction set that can be used here, widest first; the first is the default."""
    return _core.available_isas()


def use_isa(name: str) -> None:
    """Switches this process to the kernels of an instruction set; plans are made anew when next needed.

    For tests and measurements: results of different instruction sets agree to rounding only (docs/numerics.md). The
    environment variable FALCONET_ISA does the same from the start.
    """
    _core.use_isa(name)
