"""The base of all callbacks: hooks called while a model trains, evaluates or predicts."""

from __future__ import annotations

from typing import Any

Logs = dict[str, Any] | None


class Callback:
    """Override the hooks you need. `self.model` is the model, `self.params` has verbose, epochs and steps.

    A per-batch hook makes the training loop return to Python after every batch; the others cost nothing.
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    #: Whether the hooks at the end of batches, epochs and training are called after those of the other callbacks.
    runs_last = False

    def get_state(self) -> Any:
        """What a checkpoint keeps of this callback: None for nothing, or numbers, text, arrays, and lists and
        dictionaries (with text as keys) of them."""
        return None

    def set_state(self, state: Any) -> None:
        """Takes back what `get_state` returned: before `on_epoch_begin` of the epoch that comes next, or, where
        training goes on within an epoch, after it."""

    def release(self) -> None:
        """Called however the loop ends: by its end, by an exception, by an interruption. Close files here."""

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self._model = model

    @property
    def model(self) -> Any:
        return self.__dict__.get("_model")

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """The same as on_train_batch_begin."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The same as on_train_batch_end."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Called before an epoch of training; `epoch` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Called after an epoch of training; `logs` are its results, those of validation prefixed by `val_`."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a training step."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a training step; `logs` are the results of the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a step of evaluation (or validation)."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a step of evaluation (or validation)."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a step of prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a step of prediction; `logs["outputs"]` are its outputs."""

    def on_train_begin(self, logs: Logs = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Called after the last epoch."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Called before evaluation (or validation)."""

    def on_test_end(self, logs: Logs = None) -> None:
        """Called after evaluation (or validation)."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Called before prediction."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """Called after prediction."""


class History(Callback):
    """What `fit` returns: `history` has a list per metric with one number per epoch, `epoch` the indices of the epochs.

    >>> History().history
    {}
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}
        self._epochs: dict[str, list[int]] = {}

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch = []
        self.history = {}
        self._epochs = {}

    def get_state(self) -> Any:
        return {"epoch": self.epoch, "history": self.history, "epochs": self._epochs}

    def set_state(self, state: Any) -> None:
        self.epoch, self.history, self._epochs = state["epoch"], state["history"], state["epochs"]

    def epochs_of(self, name: str) -> list[int]:
        """The indices of the epochs that `history[name]` has values of: validation may be rarer than training."""
        return list(self._epochs.get(name, ()))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self._epochs.setdefault(name, []).append(epoch)
        self.model.history = self

    def plot(self, path: Any = None) -> Any:
        """Draws the curves with matplotlib (`falconet[plot]`); writes them to `path` where given, else returns the
        figure."""
        from falconet.plots import plot_history

        return plot_history(self, path)


class LambdaCallback(Callback):
    """A callback made of functions: LambdaCallback(on_epoch_end=lambda epoch, logs: ...)."""

    def __init__(
        self,
        on_epoch_begin: Any = None,
        on_epoch_end: Any = None,
        on_train_begin: Any = None,
        on_train_end: Any = None,
        on_train_batch_begin: Any = None,
        on_train_batch_end: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, hook in hooks.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                raise ValueError(f"[LambdaCallback] there is no hook {name!r}.")
            if hook is not None:
                setattr(self, name, hook)


def overrides(callback: Callback, *names: str) -> bool:
    """Whether a callback has hooks of its own under any of these names."""
    return any(
        name in callback.__dict__ or getattr(type(callback), name, None) is not getattr(Callback, name)
        for name in names
    )
