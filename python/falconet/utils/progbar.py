"""A progress bar in one line of text."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import numpy as np

from falconet import config


def is_terminal() -> bool:
    """Whether standard output can show a line that changes: a terminal, or a notebook."""
    if not config.is_interactive_logging_enabled():
        return False
    is_tty = hasattr(sys.stdout, "isatty") and sys.stdout.isatty()
    return is_tty or "ipykernel" in sys.modules or "PYCHARM_HOSTED" in os.environ


def format_values(values: dict[str, Any]) -> str:
    """` - loss: 0.1234 - accuracy: 0.9876`."""
    out = ""
    for name, value in values.items():
        value = float(np.mean(value))
        out += f" - {name}: {value:.4f}" if value == 0 or abs(value) > 1e-3 else f" - {name}: {value:.4e}"
    return out


def _duration(seconds: float) -> str:
    if seconds > 3600:
        return f"{seconds // 3600:.0f}:{seconds % 3600 // 60:02.0f}:{seconds % 60:02.0f}"
    return f"{seconds // 60:.0f}:{seconds % 60:02.0f}" if seconds > 60 else f"{seconds:.0f}s"


def _per_unit(seconds: float, unit: str) -> str:
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/{unit}"
    return f"{seconds * 1e3:.0f}ms/{unit}" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/{unit}"


class Progbar:
    """Draws a bar as work gets on.

    target: how many units there are, None where unknown. width: characters of the bar. verbose: 0 silent, 1 the bar, 2
    one line at the end. interval: least seconds between two drawings. stateful_metrics: names shown as given, the
    others as averages over units; stateless_metrics: names shown as averages, the others as given.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Any = None,
        stateless_metrics: Any = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("[Progbar] pass `stateful_metrics` or `stateless_metrics`, not both.")
        self.target, self.width, self.verbose, self.interval, self.unit_name = (
            target,
            width,
            verbose,
            interval,
            unit_name,
        )
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._as_given = set(stateful_metrics or ())
        self._values: dict[str, list[float]] = {}
        self._start = time.perf_counter()
        self._last = 0.0
        self._shown = 0
        self.seen = 0
        self.line_open = False

    def _is_averaged(self, name: str) -> bool:
        return name in self._averaged if self._averaged is not None else name not in self._as_given

    def update(self, current: int, values: Any = None, finalize: bool | None = None) -> None:
        """Work has got to unit `current`; values are (name, value) pairs. finalize: this is the last drawing."""
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or []:
            if self._is_averaged(name):
                weight = max(current - self.seen, 1)
                total = self._values.setdefault(name, [0.0, 0.0])
                total[0] += float(np.mean(value)) * weight
                total[1] += weight
            else:
                self._values[name] = [float(np.mean(value)), 1.0]
        self.seen = current
        now = time.perf_counter()
        if self.verbose == 0 or (not finalize and (self.verbose == 2 or now - self._last < self.interval)):
            return
        self._last = now
        self._draw(current, now - self._start, finalize)

    def _draw(self, current: int, seconds: float, finalize: bool) -> None:
        text = f"{current}/{'Unknown' if self.target is None else self.target}"
        if self.target is not None:
            text = text.rjust(2 * len(str(self.target)) + 1)
            if self.verbose == 1:
                done = min(int(self.width * current / max(self.target, 1)), self.width)
                text += " " + "━" * done + ("" if done == self.width else " " * (self.width - done))
        per_unit = seconds / max(current, 1)
        if finalize or self.target is None:
            text += f" {_duration(seconds)} {_per_unit(per_unit, self.unit_name)}"
        else:
            text += f" {_duration(per_unit * (self.target - current))} {_per_unit(per_unit, self.unit_name)}"
        text += format_values({name: total / max(weight, 1) for name, (total, weight) in self._values.items()})
        if self.verbose == 1:
            sys.stdout.write("\r" + text + " " * max(self._shown - len(text), 0))
        else:
            sys.stdout.write(text)
        self._shown = len(text)
        self.line_open = not finalize
        if finalize:
            sys.stdout.write("\n")
            self._shown = 0
        sys.stdout.flush()

    def add(self, n: int, values: Any = None) -> None:
        """Another `n` units are done."""
        self.update(self.seen + n, values)
