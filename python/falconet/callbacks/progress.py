"""Shows how training gets on: a bar on terminals and notebooks, one line per epoch elsewhere."""

from __future__ import annotations

import time
from typing import Any

from falconet.callbacks.base import Callback, Logs
from falconet.utils.progbar import Progbar, format_values, is_terminal


class ProgbarLogger(Callback):
    """Prints the state of the loop. verbose (from the loop's parameters): 1 a bar that moves, 2 a line per epoch."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Progbar | None = None
        self._training = False
        self._epoch = 0
        self._began = 0.0
        self.steps_seen = 0

    @property
    def is_dynamic(self) -> bool:
        """Whether the output can show a line that changes."""
        return self.params.get("verbose", 1) == 1 and is_terminal()

    def _begin(self) -> None:
        self._bar = Progbar(self.params.get("steps"), stateless_metrics=[]) if self.is_dynamic else None
        self._began = time.perf_counter()

    def on_train_begin(self, logs: Logs = None) -> None:
        self._training = True

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._epoch = epoch
        self._begin()
        if self._bar is not None:
            print(f"Epoch {epoch + 1}/{self.params.get('epochs', epoch + 1)}")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self._bar is not None:
            self._bar.target = self._bar.target or self.steps_seen
            self._bar.update(self._bar.target, list((logs or {}).items()), finalize=True)
            self._bar = None
        elif self.params.get("verbose", 1):
            print(
                f"Epoch {epoch + 1}/{self.params.get('epochs', epoch + 1)} - {self._line(self.steps_seen, logs)}",
                flush=True,
            )

    def _line(self, steps: int, logs: Logs) -> str:
        seconds = time.perf_counter() - self._began
        per_step = seconds / max(steps, 1)
        shown = (
            f"{per_step:.0f}s"
            if per_step >= 1
            else f"{per_step * 1e3:.0f}ms"
            if per_step >= 1e-3
            else f"{per_step * 1e6:.0f}us"
        )
        return f"{steps}/{self.params.get('steps') or steps} - {seconds:.0f}s - {shown}/step{format_values(logs or {})}"

    def on_test_begin(self, logs: Logs = None) -> None:
        if not self._training:
            self._begin()

    def on_test_end(self, logs: Logs = None) -> None:
        if not self._training:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._begin()

    def on_predict_end(self, logs: Logs = None) -> None:
        self._finish({})

    def _finish(self, logs: Logs) -> None:
        if self._bar is not None:
            self._bar.target = self._bar.target or self._bar.seen
            self._bar.update(self._bar.target, list((logs or {}).items()), finalize=True)
            self._bar = None
        elif self.params.get("verbose", 1):
            print(self._line(self.steps_seen, logs), flush=True)

    def progress(self, done: int, wanted: int | None, logs: dict[str, Any]) -> None:
        """The epoch has got to step `done`."""
        if self._bar is not None and (wanted is None or done < wanted):
            self._bar.update(done, list(logs.items()), finalize=False)

    def release(self) -> None:
        """Ends a line that was left open by an interruption."""
        if self._bar is not None and self._bar.line_open:
            print(flush=True)
        self._bar = None
