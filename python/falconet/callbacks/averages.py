"""Puts the moving averages of the weights, which the optimizer keeps, in their place while the model is evaluated."""

from __future__ import annotations

from typing import Any

from falconet.callbacks.base import Callback, Logs
from falconet.optimizers.state import AVERAGES


class SwapEMAWeights(Callback):
    """Swaps weights and their moving averages before evaluation (or validation) and prediction, and back after it.

    The optimizer must have been made with `use_ema=True`.

    Args:
        swap_on_epoch: swap at the end of every epoch too and back at the begin of the next, so that callbacks that save
            the model at the end of an epoch save the averages. They come after this one in the list.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._averages_in_model = False
        self._kept: list[Any] = []  # the averages of the last epoch, for the end of training

    def get_state(self) -> Any:
        return {"averages_in_model": self._averages_in_model}

    def set_state(self, state: Any) -> None:
        self._averages_in_model = state["averages_in_model"]
        if self._averages_in_model:
            self._kept = [variable.numpy() for variable, _ in self._pairs()]

    def _pairs(self) -> list[tuple[Any, Any]]:
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        averaging = [one for one in getattr(optimizer, "optimizers", [optimizer]) if getattr(one, "use_ema", False)]
        if not averaging:
            raise ValueError(
                f"[SwapEMAWeights] the optimizer {getattr(optimizer, 'name', optimizer)!r} keeps no averages; make it "
                "with use_ema=True."
            )
        return [
            (variable, average)
            for one in averaging
            for variable, average in zip(one._trainable_variables, getattr(one, AVERAGES, ()), strict=False)
            if average is not None
        ]

    def _put(self, averages: bool) -> None:
        if averages == self._averages_in_model:
            return
        for variable, average in self._pairs():
            value = variable.numpy()
            variable.assign(average)
            average.assign(value)
        self._averages_in_model = averages

    def on_train_begin(self, logs: Logs = None) -> None:
        self._pairs()  # a missing use_ema is an error before the first step
        self._averages_in_model = False

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self.swap_on_epoch:
            self._put(averages=False)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.swap_on_epoch:
            self._put(averages=True)
            self._kept = [variable.numpy() for variable, _ in self._pairs()]

    def on_train_end(self, logs: Logs = None) -> None:
        """`fit` ends with the averages in the model: here they have been swapped away once too often by then."""
        if self._averages_in_model:
            for (variable, average), value in zip(self._pairs(), self._kept, strict=True):
                variable.assign(value)
                average.assign(value)
        self._averages_in_model, self._kept = False, []

    def on_test_begin(self, logs: Logs = None) -> None:
        self._put(averages=True)

    def on_test_end(self, logs: Logs = None) -> None:
        self._put(averages=False)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._put(averages=True)

    def on_predict_end(self, logs: Logs = None) -> None:
        self._put(averages=False)
