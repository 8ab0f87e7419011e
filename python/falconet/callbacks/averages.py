"""Averages of weights: those that the optimizer keeps, and those of the last epochs."""

from __future__ import annotations

from typing import Any

import numpy as np

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


class WeightMean:
    """The mean of lists of arrays of equal shapes, kept in float64; of arrays that are not floats the last one.

    mean_n = mean_{n-1} + (weights_n - mean_{n-1}) / n
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: list[np.ndarray] = []
        self._dtypes: list[Any] = []

    def add(self, weights: list[Any]) -> None:
        """Takes one more into the mean."""
        arrays = [np.asarray(weight) for weight in weights]
        self.count += 1
        if self.count == 1:
            self._dtypes = [array.dtype for array in arrays]
            self._mean = [array.astype(np.float64) if _averaged(array) else array.copy() for array in arrays]
            return
        for i, array in enumerate(arrays):
            if _averaged(array):
                self._mean[i] += (array - self._mean[i]) / self.count
            else:
                self._mean[i] = array.copy()

    def result(self) -> list[np.ndarray]:
        """The mean, in the dtypes of the first arrays."""
        return [mean.astype(dtype) for mean, dtype in zip(self._mean, self._dtypes, strict=True)]

    def get_state(self) -> Any:
        return {"count": self.count, "mean": self._mean, "dtypes": [str(dtype) for dtype in self._dtypes]}

    def set_state(self, state: Any) -> None:
        self.count = state["count"]
        self._mean = [np.array(mean) for mean in state["mean"]]
        self._dtypes = [np.dtype(name) for name in state["dtypes"]]


def _averaged(array: np.ndarray) -> bool:
    return np.issubdtype(array.dtype, np.floating)


class StochasticWeightAveraging(Callback):
    """Averages the weights at the ends of the last epochs; `fit` ends with the averages in the model.

    Its place is a training whose learning rate stays high, or goes up and down, in those epochs: the weights then move
    around a wide minimum, and their mean is nearer its middle. Moving statistics, as of BatchNormalization, are
    averaged like weights. Source: Izmailov et al., Averaging Weights Leads to Wider Optima, 2018 (arXiv:1803.05407).

    Args:
        start_epoch: the first epoch, counted from 0, whose weights count.
        every: count the weights of every so many epochs, from `start_epoch` on; with a cyclic learning rate the
            length of a cycle.
    """

    def __init__(self, start_epoch: int = 0, every: int = 1) -> None:
        super().__init__()
        for name, value, least in (("start_epoch", start_epoch, 0), ("every", every, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"[StochasticWeightAveraging] `{name}` must be an integer >= {least}, got {value!r}.")
        self.start_epoch = start_epoch
        self.every = every
        self._mean = WeightMean()

    @property
    def num_averaged(self) -> int:
        """Of how many epochs the weights are in the average."""
        return self._mean.count

    def get_state(self) -> Any:
        return self._mean.get_state()

    def set_state(self, state: Any) -> None:
        self._mean.set_state(state)

    def on_train_begin(self, logs: Logs = None) -> None:
        self._mean = WeightMean()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if epoch >= self.start_epoch and (epoch - self.start_epoch) % self.every == 0:
            self._mean.add(self.model.get_weights())

    def on_train_end(self, logs: Logs = None) -> None:
        if self._mean.count:
            self.model.set_weights(self._mean.result())
