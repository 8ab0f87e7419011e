"""What a service counts: events, and how long they took."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Sequence

LATENCY_BOUNDS = tuple(m * 10.0**e for e in range(-5, 1) for m in (1.0, 2.5, 5.0)) + (10.0,)
"""Upper bounds in seconds: 10 microseconds to 10 seconds, three to a decade."""


class Histogram:
    """Counts of values by size: `counts[i]` values are at most `bounds[i]` and above the bound before it.

    The last count is of the values above all bounds. `sum` is of all values.

    Args:
        bounds: upper bounds, each above the one before it.

    >>> h = Histogram((1.0, 2.0))
    >>> for value in (0.5, 1.0, 1.5, 9.0):
    ...     h.observe(value)
    >>> h.counts, h.count, h.sum
    ([2, 1, 1], 4, 12.0)
    """

    def __init__(self, bounds: Sequence[float] = LATENCY_BOUNDS) -> None:
        self.bounds = tuple(float(bound) for bound in bounds)
        if not self.bounds or any(a >= b for a, b in zip(self.bounds, self.bounds[1:], strict=False)):
            raise ValueError(f"[Histogram] `bounds` is {self.bounds}; each must be above the one before it.")
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    @property
    def count(self) -> int:
        """The number of values."""
        return sum(self.counts)

    def observe(self, value: float) -> None:
        """Counts a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def quantile(self, q: float) -> float:
        """The bound that at least a share q (0 to 1) of the values are below or at: inf above all bounds, nan of none.

        Raises:
            ValueError: q is not from 0 to 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"[Histogram] `q` is {q}; it must be from 0 to 1.")
        wanted, seen = q * self.count, 0
        if not self.count:
            return float("nan")
        for bound, count in zip(self.bounds, self.counts, strict=False):
            seen += count
            if seen and seen >= wanted:
                return bound
        return float("inf")


@dataclasses.dataclass
class BatcherStatistics:
    """What a batcher has done so far. `latency` is in seconds, from a request's call to its answer."""

    requests: int = 0
    """accepted: answered, failed, cancelled or still waiting"""
    answered: int = 0
    failed: int = 0
    """ended with an error of the predictor; what is refused before it waits is not counted"""
    cancelled: int = 0
    overloaded: int = 0
    """refused with `Overloaded`"""
    batches: int = 0
    rows: int = 0
    """in those batches"""
    batches_in_threads: int = 0
    latency: Histogram = dataclasses.field(default_factory=Histogram)
