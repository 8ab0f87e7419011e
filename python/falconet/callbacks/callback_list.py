"""All callbacks of one call of fit, evaluate or predict, as one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from falconet.callbacks.base import Callback, History, Logs, overrides
from falconet.callbacks.progress import ProgbarLogger

_ALIASES = {"train": ("on_batch_{}",), "test": (), "predict": ()}


def plain_logs(logs: Any) -> dict[str, Any]:
    """Logs in the order of their names, as Keras gives them to callbacks, with Python floats for scalars and arrays for
    the rest."""
    if logs is None:
        return {}
    if not isinstance(logs, dict):
        raise ValueError(f"[fit] a step must return a dictionary of logs, got {type(logs).__name__}.")
    found = {}
    for name in sorted(logs):
        value = logs[name]
        if not isinstance(value, float):
            value = np.asarray(value)
            value = value.item() if value.size == 1 else value
        found[name] = float(value) if isinstance(value, (int, bool)) else value
    return found


class CallbackList(Callback):
    """Calls the hooks of its callbacks in order. add_history, add_progbar: with a History and a ProgbarLogger of its
    own."""

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        given = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks] if callbacks is not None else []
        self.callbacks: list[Callback] = []
        for callback in given:
            for one in callback if isinstance(callback, (list, tuple)) else [callback]:
                if not isinstance(one, Callback):
                    raise TypeError(
                        f"[fit] `callbacks` must hold Callback objects, got {one!r}"
                        + (f"; did you mean {one.__name__}()?" if isinstance(one, type) else ".")
                    )
                self.callbacks.append(one)
        self._progbar = next((c for c in self.callbacks if isinstance(c, ProgbarLogger)), None)
        history = next((c for c in self.callbacks if isinstance(c, History)), None)
        if add_history and history is None:
            history = History()
            self.callbacks.append(history)
        if add_progbar and self._progbar is None:
            self._progbar = ProgbarLogger()
            self.callbacks.append(self._progbar)
        self._in_training = False
        if model is not None:
            self.set_model(model)
            if history is not None:
                model.history = history
        self.set_params(params)

    def append(self, callback: Callback) -> None:
        """Adds one more callback."""
        self.callbacks.append(callback)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    # --- what the loops ask ------------------------------------------------------------------------------------------

    def batch_hooks(self, kind: str) -> tuple[Callable[..., None] | None, Callable[..., None] | None]:
        """The per-batch hooks for "train", "test" or "predict"; None where no callback has one of its own."""
        found = []
        for moment in ("begin", "end"):
            names = (f"on_{kind}_batch_{moment}", *(alias.format(moment) for alias in _ALIASES[kind]))
            order = self.callbacks if moment == "begin" else self._last_last
            wanted = [getattr(c, names[0]) for c in order if overrides(c, *names)]
            found.append(_together(wanted) if wanted else None)
        return found[0], found[1]

    @property
    def shows_progress(self) -> bool:
        """Whether a progress bar wants to be told how far an epoch has got."""
        return self._progbar is not None and self._progbar.is_dynamic

    def progress(self, done: int, wanted: int | None, logs: Any) -> None:
        """Tells the progress bar how far the epoch has got."""
        if self._progbar is not None:
            self._progbar.progress(done, wanted, plain_logs(logs))

    def epoch_ran(self, kind: str, steps: int) -> None:
        """How many steps an epoch of "train", "test" or "predict" had; validation does not count as one."""
        if self._progbar is not None and not (self._in_training and kind == "test"):
            self._progbar.steps_seen = steps

    def close(self) -> None:
        """Called however the loop ends."""
        for callback in self.callbacks:
            callback.release()

    @property
    def _last_last(self) -> list[Callback]:
        return sorted(self.callbacks, key=lambda callback: callback.runs_last)

    # --- checkpoints -------------------------------------------------------------------------------------------------

    def _named(self) -> dict[str, Callback]:
        """The callbacks by class and number, as a checkpoint calls them."""
        found: dict[str, Callback] = {}
        for callback in self.callbacks:
            kind = type(callback).__name__
            found[f"{kind}/{sum(name.startswith(f'{kind}/') for name in found)}"] = callback
        return found

    def get_state(self) -> dict[str, Any]:
        states = {name: callback.get_state() for name, callback in self._named().items()}
        return {name: state for name, state in states.items() if state is not None}

    def set_state(self, state: dict[str, Any]) -> None:
        named = self._named()
        unknown = sorted(set(state) - set(named))
        if unknown:
            warnings.warn(
                f"[fit] the backup has the state of callbacks {unknown}, which this call of fit() does not have.",
                stacklevel=2,
            )
        for name in state:
            if name in named:
                named[name].set_state(state[name])

    # --- hooks -------------------------------------------------------------------------------------------------------

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        for callback in self._last_last:
            callback.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        for callback in self.callbacks:
            callback.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        for callback in self._last_last:
            callback.on_train_batch_end(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        for callback in self.callbacks:
            callback.on_test_batch_begin(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        for callback in self.callbacks:
            callback.on_test_batch_end(batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        for callback in self.callbacks:
            callback.on_predict_batch_begin(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        for callback in self.callbacks:
            callback.on_predict_batch_end(batch, logs)

    def on_train_begin(self, logs: Logs = None) -> None:
        self._in_training = True
        for callback in self.callbacks:
            callback.on_train_begin(logs)

    def on_train_end(self, logs: Logs = None) -> None:
        self._in_training = False
        for callback in self._last_last:
            callback.on_train_end(logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        for callback in self.callbacks:
            callback.on_test_begin(logs)

    def on_test_end(self, logs: Logs = None) -> None:
        for callback in self.callbacks:
            callback.on_test_end(logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        for callback in self.callbacks:
            callback.on_predict_begin(logs)

    def on_predict_end(self, logs: Logs = None) -> None:
        for callback in self.callbacks:
            callback.on_predict_end(logs)


def _together(hooks: list[Callable[..., None]]) -> Callable[..., None]:
    def call(batch: int, logs: Any) -> None:
        for hook in hooks:
            hook(batch, logs)

    return call
