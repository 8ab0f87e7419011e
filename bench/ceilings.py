"""What the machine can do: its multiply-adds, and bytes from the last cache and from memory.

Measured by loops of cpp/ceilings.cpp, compiled for this machine with $CXX, c++, g++ or clang++; a build of them is kept
in a temporary folder for the session. Where there is no such compiler there are no ceilings, and no shares of them.
`python bench/ceilings.py [threads]` prints them.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

_SOURCE = Path(__file__).parent / "cpp" / "ceilings.cpp"
_FLAGS = ["-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC"]
_L3_BYTES = 6 << 20  # of all threads together: beyond the second caches, within the last
_DRAM_BYTES = 256 << 20
_TRIALS = 15

NAMES = {
    "fma": "float32 multiply-adds, GFLOP/s",
    "read L3": "reads of 6 MiB, GB/s",
    "read DRAM": "reads of 256 MiB, GB/s",
    "copy DRAM": "memcpy of 128 MiB, read and written, GB/s",
    "triad L3": "y += 3 x in 6 MiB, read and written, GB/s",
    "triad DRAM": "y += 3 x in 256 MiB, read and written, GB/s",
}


@functools.cache
def _library() -> ctypes.CDLL | None:
    """The compiled loops, or None where nothing compiles them."""
    compilers = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    found = next((path for name in compilers if name and (path := shutil.which(name))), None)
    if found is None or os.name == "nt":
        return None
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "ceilings.so"
        try:
            subprocess.run([found, *_FLAGS, str(_SOURCE), "-o", str(output)], check=True, capture_output=True)
        except subprocess.CalledProcessError:
            return None
        library = ctypes.CDLL(str(output))
    for name in ("fma", "read", "copy", "triad"):
        getattr(library, name).restype = ctypes.c_double
    library.fma_flops.restype = ctypes.c_int64
    return library


def _rate(work: float, run, threads: int) -> float:
    """Work a second of `threads` threads that run(index) at once: each tells its seconds. The best of several trials:
    a ceiling is what the machine can do when left alone."""
    best = 0.0
    for _ in range(_TRIALS):
        barrier, seconds = threading.Barrier(threads), [0.0] * threads

        def body(index: int, barrier=barrier, seconds=seconds) -> None:
            barrier.wait()
            seconds[index] = run(index)

        workers = [threading.Thread(target=body, args=(i,)) for i in range(1, threads)]
        for worker in workers:
            worker.start()
        body(0)
        for worker in workers:
            worker.join()
        best = max(best, threads * work / max(seconds))
    return best


def _floats(nbytes: int) -> np.ndarray:
    """Zeros that have memory, on a cache line's boundary."""
    memory = np.zeros(nbytes // 4 + 16, np.float32)
    memory += 0
    skip = -memory.ctypes.data % 64 // 4
    return memory[skip : skip + nbytes // 4]


@functools.cache
def ceilings(threads: int) -> dict[str, float]:
    """The rates of NAMES, for so many threads; empty where they cannot be measured."""
    library = _library()
    if library is None:
        return {}

    def pointer(x: np.ndarray) -> ctypes.c_void_p:
        return ctypes.c_void_p(x.ctypes.data)

    def count(n: int) -> ctypes.c_int64:
        return ctypes.c_int64(n)

    steps = 200_000
    rates = {"fma": _rate(library.fma_flops() * steps, lambda i: library.fma(count(steps)), threads)}
    for place, size in (("L3", _L3_BYTES), ("DRAM", _DRAM_BYTES)):
        nbytes = size // threads // 4096 * 4096
        half, times = nbytes // 2, max(1, (1 << 28) // size)
        x = [_floats(nbytes) for _ in range(threads)]
        y = [_floats(half) for _ in range(threads)]
        rates[f"read {place}"] = _rate(
            nbytes * times, lambda i, x=x, n=nbytes, t=times: library.read(pointer(x[i]), count(n), count(t)), threads
        )
        loops = {"triad": (library.triad, 3)}
        if place == "DRAM":
            loops["copy"] = (library.copy, 2)
        for name, (loop, moved) in loops.items():
            rates[f"{name} {place}"] = _rate(
                moved * half * times,
                lambda i, f=loop, x=x, y=y, n=half, t=times: f(pointer(y[i]), pointer(x[i]), count(n), count(t)),
                threads,
            )
    return {name: rate * 1e-9 for name, rate in rates.items()}


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    for key, value in ceilings(number).items():
        print(f"{key:12} {value:8.1f}  {NAMES[key]}")
