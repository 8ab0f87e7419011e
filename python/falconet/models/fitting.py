"""The loops over epochs and batches: fit, evaluate, predict.

A whole epoch is one call into the compiled program. Python is entered between batches only where a callback overrides a
per-batch hook; a progress bar cuts the epoch into pieces of about a tenth of a second instead.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from falconet import config, ops, tree
from falconet.callbacks.callback_list import CallbackList, plain_logs
from falconet.layers import call_state
from falconet.models.arrays import as_arrays, on_disk
from falconet.models.data import is_batch_source, make_data, split_validation
from falconet.models.programs import EagerProgram
from falconet.models.training_state import TrainingState
from falconet.utils.packing import unpack_x_y_sample_weight

_ENDLESS = 1 << 40  # more steps than any data set has
_PIECE_SECONDS = 0.1  # a progress bar is drawn at most ten times a second


class _EndOfEpoch(Exception):  # noqa: N818 - a signal, not an error
    """Raised between batches when a callback sets `stop_training`: (outputs of the last step, steps run)."""


def to_numpy(value: Any) -> Any:
    return None if value is None else np.asarray(ops.convert_to_numpy(value))


def finish_logs(model: Any, logs: Any, return_dict: bool) -> Any:
    """Logs as a dictionary, or as values in the order of the model's metrics (one value alone, not in a list)."""
    logs = plain_logs(logs)
    if return_dict:
        return logs
    if len(logs) == 1:
        return next(iter(logs.values()))
    key = (call_state.version[0], *logs)
    if key not in model._log_orders:
        model._log_orders[key] = _log_order(model, logs)
    return [logs[name] for name in model._log_orders[key]]


def _log_order(model: Any, logs: dict[str, Any]) -> list[str]:
    names: list[str] = []
    for metric in model.metrics:
        names += [m.name for m in metric.metrics] if metric is model._compile_metrics else [metric.name]
    known = [name for name in names if name in logs]
    return known + [name for name in sorted(logs) if name not in names]


def resolve_verbose(verbose: Any, method: str) -> int:
    """0, 1 (bar) or 2 (a line per epoch)."""
    if verbose == "auto":
        return 1 if config.is_interactive_logging_enabled() else 2
    if verbose not in (0, 1, 2):
        raise ValueError(f'[{method}] `verbose` must be "auto", 0, 1 or 2, got {verbose!r}.')
    return int(verbose)


# --- preparation
# -------------------------------------------------------------------------------------------------------


def prepare(model: Any, batch: Any, training: bool) -> None:
    """Creates what is still missing before a step is traced: weights, loss, metrics and the optimizer's slots."""
    x, y, _ = batch
    kind = (training, y is None)
    if model._prepared.get(kind) == call_state.version[0]:
        return
    y_pred = _build_weights(model, x)
    for compiled in (model._compile_loss, model._compile_metrics):
        if compiled is None or compiled.built or y is None:
            continue
        if y_pred is None:
            y_pred = _outputs_for(model, x)
        if y_pred is None:
            continue
        try:
            compiled.build(y, y_pred)
        except ValueError:
            if not _has_own(model, "train_step", "test_step"):
                raise
            continue  # the user's own step may give the loss something else than y and the output
        for metric in compiled.metrics:
            if hasattr(metric, "build") and not getattr(metric, "built", True) and len(tree.flatten(y_pred)) == 1:
                metric.build(tree.flatten(y)[0].shape, tree.flatten(y_pred)[0].shape)
    if training and model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    model._prepared[kind] = call_state.version[0]


def label_check(model: Any) -> Any:
    """What looks at class labels on their way to the compiled loss; nothing where the user's own methods decide what
    the loss gets."""
    compiled = model._compile_loss
    if compiled is None or not compiled.built or _has_own(model, "train_step", "test_step", "compute_loss"):
        return lambda y: None
    return lambda y: compiled.check_labels(y, model.label)


def _has_own(model: Any, *methods: str) -> bool:
    from falconet.models.trainer import Trainer

    return any(getattr(type(model), name) is not getattr(Trainer, name) for name in methods)


def _build_weights(model: Any, x: Any) -> Any:
    """Builds the weights by a call on the first batch; the outputs, where that call was needed."""
    if model.built and all(layer.built for layer in model._flatten_layers()):
        return None
    if hasattr(x, "shape") and getattr(model, "builds_from_shape", False):
        model.build((None, *x.shape[1:]))
        return None
    return _outputs_for(model, x)


def _outputs_for(model: Any, x: Any) -> Any:
    """The outputs for a batch, symbolic where the model knows them; None where the model has no call()."""
    if model._graph is not None:
        return model._graph.outputs_struct
    try:
        return model._forward(tree.map_structure(lambda v: None if v is None else ops.convert_to_tensor(v), x), False)
    except NotImplementedError:
        return None
    finally:
        model._clear_losses()


# --- one epoch
# ---------------------------------------------------------------------------------------------------------


class _BatchHooks:
    """Calls a callback list's per-batch hooks between steps, and ends the epoch where one of them stops the
    training."""

    def __init__(self, model: Any, hooks: Any, wanted: int | None, kind: str, state: TrainingState | None) -> None:
        self._model, self._wanted, self._kind, self._state = model, wanted, kind, state
        self._begin, self._end = hooks
        self._step = 0 if state is None else state.step
        if self._begin is not None and (wanted is None or self._step < wanted):
            self._begin(self._step, None)

    def __call__(self, _: int, outputs: Any) -> None:
        step, self._step = self._step, self._step + 1
        is_last = self._wanted is not None and step + 1 >= self._wanted
        if (step + 1) % self._model.steps_per_execution and not is_last:
            return
        if self._end is not None:
            logs = {"outputs": outputs} if self._kind == "predict" else plain_logs(outputs)
            if self._state is not None:
                self._state.step, self._state.logs = step + 1, logs
            self._end(step, logs)
        if self._model.stop_training and self._kind == "train":
            raise _EndOfEpoch(outputs, step + 1)
        if self._begin is not None and not is_last:
            self._begin(step + 1, None)


def _run_epoch(
    model: Any, data: Any, program: Any, callbacks: CallbackList, kind: str, state: TrainingState | None = None
) -> tuple[Any, int]:
    """Runs the steps of one epoch, or those that are left of it; the outputs of the last step, and how many there have
    been."""
    done, piece, outputs = (0, 1, None) if state is None or not state.step else (state.step, 1, state.logs)
    if not done and data.restart_wanted():
        data.begin_epoch()
    wanted: int | None = data.steps
    batch_hooks = callbacks.batch_hooks(kind)
    hooks = None if batch_hooks == (None, None) else _BatchHooks(model, batch_hooks, wanted, kind, state)
    shows_progress = callbacks.shows_progress
    try:
        while (wanted is None or done < wanted) and not data.exhausted:
            left = _ENDLESS if wanted is None else wanted - done
            began = time.perf_counter()
            steps, found = data.run(program, min(left, piece) if shows_progress else left, hooks)
            outputs = found if steps else outputs
            done += steps
            if shows_progress and steps:
                took = max(time.perf_counter() - began, 1e-6)
                piece = max(1, min(int(steps * _PIECE_SECONDS / took), 4 * piece))
                callbacks.progress(done, wanted, {} if kind == "predict" else outputs)
    except _EndOfEpoch as ended:
        outputs, done = ended.args
    data.end_epoch()
    if wanted is not None and done < wanted and data.exhausted:
        data.warn_short(wanted, done)
    callbacks.epoch_ran(kind, done)
    return outputs, done


# --- fit
# ---------------------------------------------------------------------------------------------------------------


def _should_validate(epoch: int, frequency: Any) -> bool:
    if isinstance(frequency, int) and not isinstance(frequency, bool) and frequency >= 1:
        return (epoch + 1) % frequency == 0
    if isinstance(frequency, (list, tuple, set)) and all(isinstance(one, (int, np.integer)) for one in frequency):
        return epoch + 1 in frequency
    raise ValueError(
        f"[fit] `validation_freq` must be an integer >= 1 or a list of epochs (from 1), got {frequency!r}."
    )


def fit(
    model: Any, x: Any, y: Any, batch_size: Any, epochs: int, verbose: Any, callbacks: Any, validation_split: float,
    validation_data: Any, shuffle: Any, class_weight: Any, sample_weight: Any, initial_epoch: int, steps_per_epoch: Any,
    validation_steps: Any, validation_batch_size: Any, validation_freq: Any,
) -> Any:  # fmt: skip
    """`Model.fit`."""
    model._require_compiled("fit")
    owner = model.label
    for value, argument in ((epochs, "epochs"), (initial_epoch, "initial_epoch")):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise ValueError(f"[{owner}] `{argument}` must be an integer >= 0, got {value!r}.")
    verbose = resolve_verbose(verbose, "fit")
    if validation_split and validation_data is None:
        (x, y, sample_weight), validation_data = split_validation(x, y, sample_weight, validation_split, owner)
    data = make_data(x, y, sample_weight, batch_size, steps_per_epoch, shuffle, owner, class_weight, wraps=True)
    validation = None
    if validation_data is not None:
        _should_validate(0, validation_freq)
        validation = _validation_data(validation_data, validation_batch_size or batch_size, validation_steps, owner)
    prepare(model, data.first_batch(), training=True)
    data.check_targets(label_check(model))
    if validation is not None:
        validation.check_targets(label_check(model))
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=model,
            verbose=verbose,
            epochs=epochs,
            steps=data.steps,
        )
    model.stop_training = False
    model._batch_source = data
    model._initial_epoch = None
    state = TrainingState(model, data, validation, callbacks, initial_epoch)
    object.__setattr__(model, "_training_state", state)
    try:
        callbacks.on_train_begin()
        if model._initial_epoch is not None:  # a callback may set it, as in Keras
            state.epoch = model._initial_epoch
        state.start()
        while state.epoch < epochs and not model.stop_training:
            epoch = state.epoch
            if not state.step:
                model.reset_metrics()
                callbacks.on_epoch_begin(epoch)
            program = model._program("train", check=True)
            outputs, steps = _run_epoch(model, data, program, callbacks, "train", state)
            if not steps:
                break  # a generator that gave its last batch to the epoch before
            logs = plain_logs(outputs)
            if validation is not None and _should_validate(epoch, validation_freq):
                found = _evaluate(model, validation, callbacks)
                logs = plain_logs({**logs, **{f"val_{name}": value for name, value in found.items()}})
            state.epoch, state.step, state.logs = epoch + 1, 0, logs
            callbacks.on_epoch_end(epoch, dict(logs))  # callbacks add to them, for one another
            if data.is_generator and data.exhausted and state.epoch < epochs:
                if data.steps is None:  # else the warning has been given
                    data.warn_short(epochs, state.epoch, "epoch")
                break
        if state.epoch > initial_epoch and hasattr(model.optimizer, "finalize_variable_values"):
            model.optimizer.finalize_variable_values(model.trainable_weights)
        callbacks.on_train_end(state.logs)
    finally:
        object.__setattr__(model, "_training_state", None)
        model._batch_source = None
        callbacks.close()
        data.close()
        if validation is not None:
            validation.close()
    return model.history


def _validation_data(given: Any, batch_size: Any, steps: Any, owner: str) -> Any:
    if isinstance(given, (list, tuple)):
        x, y, sample_weight = unpack_x_y_sample_weight(tuple(given))
    else:
        x, y, sample_weight = given, None, None
    if hasattr(x, "__next__"):
        batch_size = None
    return make_data(x, y, sample_weight, batch_size, steps, False, f"{owner} validation_data")


def _evaluate(model: Any, data: Any, callbacks: CallbackList) -> dict[str, Any]:
    data.begin_epoch()  # validation sees the same rows each time
    prepare(model, data.first_batch(), training=False)
    callbacks.on_test_begin()
    model.reset_metrics()
    logs = plain_logs(_run_epoch(model, data, model._program("test"), callbacks, "test")[0])
    callbacks.on_test_end(logs)
    return logs


def evaluate(
    model: Any, x: Any, y: Any, batch_size: Any, verbose: Any, sample_weight: Any, steps: Any, callbacks: Any,
    return_dict: bool,
) -> Any:  # fmt: skip
    """`Model.evaluate`."""
    model._require_compiled("evaluate")
    verbose = resolve_verbose(verbose, "evaluate")
    data = make_data(x, y, sample_weight, batch_size, steps, False, model.label)
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=1, steps=data.steps
        )
    try:
        prepare(model, data.first_batch(), training=False)
        data.check_targets(label_check(model))
        logs = _evaluate(model, data, callbacks)
    finally:
        callbacks.close()
        data.close()
    return finish_logs(model, logs, return_dict)


def predict(model: Any, x: Any, batch_size: Any, verbose: Any, steps: Any, callbacks: Any) -> Any:
    """`Model.predict`. A loop of small predictions is a supported use: it stays silent unless asked."""
    verbose = 0 if verbose == "auto" else resolve_verbose(verbose, "predict")
    if callbacks is None and verbose == 0 and steps is None and not is_batch_source(x):
        x = as_arrays(x, None, None, model.label)[0]
        if not any(on_disk(leaf) for leaf in tree.flatten(x)):
            prepare(model, (x, None, None), training=False)
            return model._program("predict").map((x,), 32 if batch_size is None else _size(batch_size, model.label))
    data = make_data(x, None, None, batch_size, steps, False, model.label)
    prepare(model, data.first_batch(), training=False)
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=1, steps=data.steps
        )
    program = model._program("predict")
    parts: list[Any] = []

    def step(x: Any, *_: Any) -> Any:
        parts.append(tree.map_structure(to_numpy, program(x)))
        return parts[-1]

    callbacks.on_predict_begin()
    try:
        _run_epoch(model, data, EagerProgram(step), callbacks, "predict")
    finally:
        callbacks.close()
        data.close()
    callbacks.on_predict_end()
    return tree.map_structure(lambda *leaves: np.concatenate(leaves), *parts)


def _size(batch_size: Any, owner: str) -> int:
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ValueError(f"[{owner}] `batch_size` must be an integer >= 1, got {batch_size!r}.")
    return int(batch_size)
