"""Contests: contenders do the same work in turns, a slice of time each a round, so that whatever else the machine does
befalls all of them alike. What is told is the median of the rounds, and the ratio of times within a round.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import subprocess
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from falconet import _core
from falconet.version import __version__

OURS = "falconet"
Builder = Callable[[], Callable[[], Any]]


@dataclass(frozen=True)
class Workload:
    """The same work for every contender. A builder makes, once, the call that does all `units` of it."""

    name: str
    contenders: dict[str, Builder]
    units: int = 1  # steps or calls in one call of what a builder made
    flops: float = 0.0  # of a unit
    bytes: float = 0.0  # read and written by a unit
    ceiling: str = ""  # of these, by name, where a share of it says something
    tells_seconds: bool = False  # a call returns the seconds that count, instead of being timed from outside


@dataclass(frozen=True)
class Measurement:
    """What one contender took for a unit of a workload, in seconds, a number a round."""

    workload: Workload
    contender: str
    seconds: list[float]
    ratio: float  # the median over rounds of this contender's time by ours; 1 for ourselves
    first_call: float  # with whatever was compiled then
    share: float | None = None  # of the workload's ceiling

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """The distance between the quartiles, as a share of the median."""
        low, _, high = statistics.quantiles(self.seconds, n=4) if len(self.seconds) > 1 else (0.0, 0.0, 0.0)
        return (high - low) / self.median

    def record(self) -> dict[str, Any]:
        """As plain values, the machine included."""
        values: dict[str, Any] = {
            **machine(),
            "workload": self.workload.name,
            "contender": self.contender,
            "median_s": self.median,
            "minimum_s": min(self.seconds),
            "spread": round(self.spread, 4),
            "rounds": len(self.seconds),
            "ratio": round(self.ratio, 4),
            "first_call_s": self.first_call,
        }
        if self.workload.flops:
            values["gflops"] = self.workload.flops / self.median * 1e-9
        if self.workload.bytes:
            values["gbytes_per_s"] = self.workload.bytes / self.median * 1e-9
        if self.share is not None:
            values.update(share=round(self.share, 4), ceiling=self.workload.ceiling)
        return values


@dataclass(frozen=True)
class Budget:
    """How long a contest lasts. A contender that takes longer than a slice for one call has fewer rounds."""

    seconds: float = 3.0  # for all contenders together
    slice: float = 0.01
    fewest: int = 5
    most: int = 51


QUICK = Budget(seconds=0.6, slice=0.002, fewest=3, most=15)


class _Contender:
    """A warmed-up call, and how many of it make a slice."""

    def __init__(self, workload: Workload, build: Builder, slice_: float) -> None:
        self._call = build()
        self._timer = timeit.Timer(self._call)
        self._workload = workload
        self.first_call = self._timer.timeit(1)
        self._number = 1 if workload.tells_seconds else _calls_in(self._timer, slice_)

    def round(self) -> float:
        """Seconds of a unit."""
        if self._workload.tells_seconds:
            return float(self._call())
        number = self._number
        if number > 1:
            self._timer.timeit(1 + number // 8)  # brings caches and clock to where a loop of these calls has them
        return self._timer.timeit(number) / (number * self._workload.units)


def contest(
    workload: Workload,
    budget: Budget = Budget(),  # noqa: B008 - frozen
    ceilings: dict[str, float] | None = None,
) -> list[Measurement]:
    """Measures every contender of a workload. ceilings: by name, in 1e9 operations or bytes a second."""
    contenders = {name: _Contender(workload, build, budget.slice) for name, build in workload.contenders.items()}
    names = list(contenders)
    rounds: dict[str, list[float]] = {name: [] for name in names}
    end = time.perf_counter() + budget.seconds
    turn = 0
    gc.collect()
    while turn < budget.fewest or (turn < budget.most and time.perf_counter() < end):
        for i in range(len(names)):
            name = names[(i + turn) % len(names)]  # nobody always comes after the same one
            _settle()
            rounds[name].append(contenders[name].round())
        turn += 1
    ours = rounds[OURS]
    work = workload.flops if workload.ceiling == "fma" else workload.bytes
    ceiling = (ceilings or {}).get(workload.ceiling)
    return [
        Measurement(
            workload,
            name,
            seconds,
            statistics.median(t / o for t, o in zip(seconds, ours, strict=True)),
            contenders[name].first_call,
            work / statistics.median(seconds) * 1e-9 / ceiling if ceiling else None,
        )
        for name, seconds in rounds.items()
    ]


def _settle() -> None:
    """Waits until the threads of whoever came before are asleep: OpenBLAS's spin for some 100 ms after their last work,
    and others have half the machine meanwhile. Not longer than half a second: some never sleep."""
    for _ in range(50):
        busy = time.process_time()
        time.sleep(0.01)  # well above the tick, often 4 ms, at which the time of running threads is told
        if time.process_time() - busy < 0.002:
            return


def _calls_in(timer: timeit.Timer, seconds: float) -> int:
    """How many calls take about this long, warmed up on the way."""
    number = 1
    while True:
        took = timer.timeit(number)
        if took >= seconds / 2:
            return max(1, round(number * seconds / took))
        number *= 2


# The machine and its threads.


def threads() -> int:
    """How many threads every contender may use."""
    return _core.num_threads()


def limit_threads(count: int) -> None:
    """Gives Falconet and NumPy `count` threads; peers follow when they are imported."""
    _core.set_num_threads(count)
    # JAX reads these when its processor client is made.
    os.environ["NPROC"] = str(count)
    if count == 1 and "multi_thread_eigen" not in os.environ.get("XLA_FLAGS", ""):
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    try:
        import threadpoolctl
    except ImportError:
        wanted = os.environ.get("OPENBLAS_NUM_THREADS", str(os.cpu_count()))
        if wanted != str(count):
            raise RuntimeError(
                f"[bench] NumPy has {wanted} threads, and {count} are asked for: install threadpoolctl, or set "
                f"OPENBLAS_NUM_THREADS={count} (for other builds of NumPy OMP_NUM_THREADS or MKL_NUM_THREADS)."
            ) from None
        return
    threadpoolctl.threadpool_limits(count)


_machine: dict[str, Any] = {}


def machine() -> dict[str, Any]:
    """What a measurement depends on beside the work."""
    if not _machine:
        _machine.update(version=__version__, commit=_commit(), cpu=_processor(), numpy=np.__version__)
        _machine.update(python=platform.python_version())
    return {**_machine, "isa": _core.isa(), "threads": threads()}


def _commit() -> str:
    """The commit of the sources, where this package lies in a checkout of them."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


# Telling.


class Report:
    """Collects measurements, and writes each as a line of JSON where a file is named."""

    def __init__(self, path: str | None = None) -> None:
        self.measurements: list[Measurement] = []
        self._path = path
        if path:
            Path(path).write_text("")

    def add(self, measurements: list[Measurement]) -> None:
        self.measurements += measurements
        if self._path:
            with open(self._path, "a") as file:
                file.writelines(json.dumps(m.record()) + "\n" for m in measurements)

    def lines(self) -> list[str]:
        """A row for each workload, in the order of their first measurement."""
        found: dict[str, list[Measurement]] = {}
        for m in self.measurements:
            found.setdefault(m.workload.name, []).append(m)
        width = max((len(name) for name in found), default=0)
        return [line(measurements, width) for measurements in found.values()]


def line(measurements: list[Measurement], width: int) -> str:
    """What a unit of a workload takes us, our share of the ceiling, then each peer's time and the ratio to ours.
    A row in which a peer is ahead is marked; 3 % is the noise of a quiet machine."""
    ours = next(m for m in measurements if m.contender == OURS)
    rest = [m for m in measurements if m is not ours]
    mark = "-" if any(m.ratio < 0.97 and not m.contender.startswith(OURS) for m in rest) else " "
    share = "" if ours.share is None else f"{ours.share:.0%}"
    told = "".join(f"  {m.contender} {human(m.median)} ({m.ratio:.2f}x)" for m in rest)
    return f"{mark} {ours.workload.name:{width}}  {human(ours.median):>7} {share:>4}{told}"


def human(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"
