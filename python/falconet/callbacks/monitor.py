"""What callbacks share that follow one number: which way is better, and finding the number in the logs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

_UP = ("accuracy", "acc", "auc", "precision", "recall", "fmeasure", "iou", "r2_score")


class Monitor:
    """Follows `logs[name]`. mode: "min", "max" or "auto" (from the name and the model's metrics)."""

    def __init__(self, owner: str, name: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f'[{owner}] `mode` must be "auto", "min" or "max", got {mode!r}.')
        self.owner, self.name, self.mode, self.min_delta = owner, name, mode, abs(min_delta)
        self._better: Callable[[float, float], bool] | None = None
        self._warned = False

    def resolve(self, model: Any) -> None:
        """Decides which way is better; raises ValueError where that cannot be told."""
        if self._better is not None:
            return
        direction = {"min": "down", "max": "up"}.get(self.mode)
        if direction is None:
            direction = self.direction_of(model)
        if direction is None:
            raise ValueError(
                f'[{self.owner}] cannot tell whether a larger or a smaller {self.name!r} is better; pass mode="min" or '
                '"max".'
            )
        delta = self.min_delta
        self._better = (
            (lambda new, old: new > old + delta) if direction == "up" else (lambda new, old: new < old - delta)
        )
        self.worst = float("-inf") if direction == "up" else float("inf")

    def direction_of(self, model: Any) -> str | None:
        """Whether "up" or "down" is better, as the name and the model's metrics tell; None where they do not."""
        name = self.name.removeprefix("val_")
        if name == "loss" or name.endswith("_loss"):
            return "down"
        known: list[Any] = []
        for metric in getattr(model, "metrics", ()):
            known += metric.metrics if hasattr(metric, "metrics") else [metric]
        for metric in known:
            if name == metric.name or name.endswith(f"_{metric.name}"):
                direction = getattr(metric, "_direction", None)
                if direction is not None:
                    return direction
        return "up" if name.endswith(_UP) else None

    def better(self, new: float, old: float) -> bool:
        assert self._better is not None
        return self._better(new, old)

    def value(self, logs: dict[str, Any] | None) -> float | None:
        """The number in the logs; None, with one warning, where it is not there."""
        found = (logs or {}).get(self.name)
        if found is None and not self._warned:
            self._warned = True
            warnings.warn(
                f"[{self.owner}] there is no {self.name!r} in the logs, which have {sorted(logs or {})}.", stacklevel=4
            )
        return found
