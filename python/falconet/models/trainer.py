"""What a model adds to a layer for training: compile, the steps that are traced, and the methods that run them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from falconet import losses as losses_module, metrics as metrics_module, ops, optimizers, tree
from falconet.layers import call_state
from falconet.models import fitting
from falconet.models.arrays import as_arrays, class_weights
from falconet.models.compiled import CompiledLoss, CompiledMetrics
from falconet.models.programs import make_program, num_rows
from falconet.tracing import GradientTape
from falconet.utils.packing import pack_x_y_sample_weight, unpack_x_y_sample_weight

_STEPS = {
    "train": "_train_data",
    "test": "_test_data",
    "predict": "_predict_data",
    "train_afresh": "_train_afresh",
    "test_afresh": "_test_afresh",
}


class Trainer:
    """The training half of `Model`."""

    _programs: dict[str, Any]
    _prepared: dict[Any, Any]
    _log_orders: dict[Any, list[str]]
    _compile_loss: Any
    _compile_metrics: Any
    _loss_tracker: Any
    _compile_config: Any
    _predict_one: Any
    _predict_version: int
    _training_state: Any
    if TYPE_CHECKING:  # of the layer that the other half is

        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
        def __getattr__(self, name: str) -> Any: ...

    def __init__(self) -> None:
        self.compiled = False
        self.optimizer: Any = None
        self.loss: Any = None
        self.stop_training = False
        self.history: Any = None
        self._run_eagerly = False
        self._jit_compile: Any = "auto"
        self.steps_per_execution = 1
        self._initial_epoch: int | None = None
        state: dict[str, Any] = {
            "_compile_loss": None,
            "_compile_metrics": None,
            "_loss_tracker": None,
            "_compile_config": None,
            "_programs": {},
            "_prepared": {},
            "_log_orders": {},
            "_predict_one": None,
            "_predict_version": -1,
            "_training_state": None,
        }
        for name, value in state.items():
            object.__setattr__(self, name, value)  # none of it is state of the layer

    # --- compile -----------------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Says how the model is trained.

        optimizer: a name or an Optimizer. loss: a name, function or Loss; per output a list or dictionary of them.
        loss_weights: factors of the losses in their sum. metrics: names, functions or Metrics; weighted_metrics: those
        that see sample weights. run_eagerly: run the steps as plain Python, op by op, for debugging.
        steps_per_execution: batches between two calls of the per-batch callback hooks.
        jit_compile, auto_scale_loss: of no effect here: plans need no compiler, and float32 losses no scaling.
        """
        if isinstance(steps_per_execution, bool) or not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ValueError(f"[compile] `steps_per_execution` must be an integer >= 1, got {steps_per_execution!r}.")
        names = self.output_names if getattr(self, "_graph", None) is not None else None
        compiled_loss = CompiledLoss(loss, loss_weights, names) if loss is not None else None
        if compiled_loss is not None:
            for one in tree.flatten(loss):
                if isinstance(one, str) and one.lower() not in ("crossentropy", "ce"):
                    losses_module.get(one)
        given_metrics = metrics is not None or weighted_metrics is not None
        compiled_metrics = CompiledMetrics(metrics, weighted_metrics, names) if given_metrics else None
        optimizer = optimizers.get(optimizer)
        config = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        tracker = metrics_module.Mean(name="loss")
        for name, value in {
            "optimizer": optimizer,
            "loss": loss,
            "_compile_loss": compiled_loss,
            "_compile_metrics": compiled_metrics,
            "_loss_tracker": tracker,
            "_compile_config": config,
        }.items():
            object.__setattr__(self, name, value)
        self.run_eagerly = bool(run_eagerly)
        self.steps_per_execution = steps_per_execution
        self.jit_compile = jit_compile
        self.stop_training = False
        self.compiled = True
        self._invalidate_programs()

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as plain values."""
        from falconet.saving.serialization import serialize_keras_object

        if not self.compiled or self._compile_config is None:
            return None
        return {name: serialize_keras_object(value) for name, value in self._compile_config.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with what `get_compile_config` returned."""
        from falconet.saving.serialization import deserialize_keras_object

        if type(self).compile is not Trainer.compile:
            warnings.warn(
                f"[{self.label}] has its own compile(); it is not called on loading. Override compile_from_config(), "
                "or call compile() yourself.",
                stacklevel=2,
            )
            return
        self.compile(**{name: deserialize_keras_object(value) for name, value in config.items()})
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    @property
    def run_eagerly(self) -> bool:
        """Whether steps run as plain Python, op by op."""
        return self._run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self._run_eagerly = bool(value)

    @property
    def jit_compile(self) -> Any:
        """What compile() was given; plans need no compiler."""
        return self._jit_compile

    @jit_compile.setter
    def jit_compile(self, value: Any) -> None:
        self._jit_compile = value

    def _require_compiled(self, what: str) -> None:
        if not self.compiled:
            raise ValueError(f"[{self.label}] call compile(optimizer, loss) before {what}().")

    # --- metrics -----------------------------------------------------------------------------------------------------

    @property
    def metrics(self) -> list[Any]:
        """The loss tracker, then the compiled metrics, then the metrics of model and layers."""
        found = []
        if self.compiled:
            found += [m for m in (self._loss_tracker, self._compile_metrics) if m is not None]
            if self._compile_loss is not None:
                found += self._compile_loss.metrics
        found += self._tracker.metrics
        for layer in self._flatten_layers(include_self=False):
            if not isinstance(layer, Trainer):
                found += layer._tracker.metrics
        return found

    @property
    def metrics_names(self) -> list[str]:
        return [m.name for m in self.metrics]

    def reset_metrics(self) -> None:
        """Sets all metrics back to their start."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """Values of all metrics by name."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            results.update(value if isinstance(value, dict) else {metric.name: value})
        return results

    # --- steps -------------------------------------------------------------------------------------------------------

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled loss plus the losses of the layers. Subclasses may override it."""
        total = None
        if self._compile_loss is not None:
            total = self._compile_loss(y, y_pred, sample_weight)
        for loss in self.losses:
            loss = ops.sum(loss if "float" in str(loss.dtype) else ops.cast(loss, "float32"))
            total = loss if total is None else ops.add(total, loss)
        if total is None:
            raise ValueError(
                f"[{self.label}] there is no loss to train on: give compile() a `loss`, or add_loss() in a layer."
            )
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Updates the compiled metrics and returns all results. Subclasses may override it."""
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _forward(self, x: Any, training: bool) -> Any:
        from falconet.signature import signature_of

        signature = signature_of(self.call)
        takes_training = "training" in signature.names or signature.var_keyword
        return self(x, training=training) if takes_training else self(x)

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """`compute_loss`, also where a subclass wrote it without `training`."""
        from falconet.signature import signature_of

        signature = signature_of(self.compute_loss)
        takes = "training" in signature.names or signature.var_keyword
        return self.compute_loss(x, y, y_pred, sample_weight, **({"training": training} if takes else {}))

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of training on a batch: what `fit` traces. `data` is x, (x, y) or (x, y, sample_weight)."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self._forward(x, training=True)
            loss = self._loss_of(x, y, y_pred, sample_weight, training=True)
            scaled = loss if self.optimizer is None else self.optimizer.scale_loss(loss)
        self._loss_tracker.update_state(loss, sample_weight=num_rows(x))
        variables = self.trainable_weights
        if variables and self.optimizer is not None:
            self.optimizer.apply(tape.gradient(scaled, variables), variables)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """One step of evaluation on a batch."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._forward(x, training=False)
        loss = self._loss_of(x, y, y_pred, sample_weight, training=False)
        self._loss_tracker.update_state(loss, sample_weight=num_rows(x))
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """The outputs for a batch."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self._forward(x, training=False)

    def _train_data(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        return self._run_step(self.train_step, pack_x_y_sample_weight(x, y, sample_weight))

    def _test_data(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        return self._run_step(self.test_step, pack_x_y_sample_weight(x, y, sample_weight))

    def _predict_data(self, x: Any) -> Any:
        return self._run_step(self.predict_step, pack_x_y_sample_weight(x))

    def _train_afresh(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        self.reset_metrics()  # part of the step, so it costs nothing
        return self._train_data(x, y, sample_weight)

    def _test_afresh(self, x: Any, y: Any = None, sample_weight: Any = None) -> Any:
        self.reset_metrics()
        return self._test_data(x, y, sample_weight)

    def _run_step(self, step: Any, data: Any) -> Any:
        result = step(data)
        self._clear_losses()  # they are values of this step only
        return result

    # --- programs ----------------------------------------------------------------------------------------------------

    def _invalidate_programs(self) -> None:
        self._programs.clear()
        self._prepared.clear()
        self._log_orders.clear()
        object.__setattr__(self, "_predict_one", None)
        object.__setattr__(self, "_inference", None)

    def _program(self, kind: str, check: bool = False) -> Any:
        """The compiled step "train", "test" or "predict", or "train_afresh" or "test_afresh" with metrics that start
        over, made again where the model has changed since. check: look at the `trainable` flags of variables too, which
        users may have set behind the layers' backs."""
        held = self._programs.get(kind)
        version = call_state.version[0]
        if held is not None and held[0] == version and held[1] == self._run_eagerly and not check:
            return held[2]
        flags = [v.trainable for v in self.variables]
        if held is None or held[:2] != (version, self._run_eagerly) or held[3] != flags:
            step = getattr(self, _STEPS[kind])
            held = self._programs[kind] = (
                version,
                self._run_eagerly,
                make_program(step, eager=self._run_eagerly),
                flags,
            )
        return held[2]

    # --- loops -------------------------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> Any:
        """Trains for `epochs - initial_epoch` epochs and returns a History.

        x, y: arrays (or lists or dictionaries of arrays), or x an iterable of batches (x, y[, sample_weight]).
        batch_size: rows per step, 32 by default. verbose: 0 silent, 1 a progress bar, 2 a line per epoch, "auto" a bar
        on terminals and notebooks and a line elsewhere. validation_split: this fraction of the rows, the last ones, is
        kept for validation. class_weight: factor per class index (or per output such a dictionary). epochs: index of
        the last epoch, exclusive. steps_per_epoch: batches that make an epoch, by default all of the data.
        """
        arguments = dict(locals())
        del arguments["self"]
        return fitting.fit(self, **arguments)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data: a number, a list in the order of `metrics_names`, or a dictionary."""
        arguments = dict(locals())
        del arguments["self"]
        return fitting.evaluate(self, **arguments)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Outputs for all rows of x, as NumPy arrays. Silent unless verbose=1."""
        return fitting.predict(self, x, batch_size, verbose, steps, callbacks)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One training step on one batch; returns loss and metrics of this batch, as Keras 3.15 does."""
        self._require_compiled("train_on_batch")
        x, y, sample_weight = as_arrays(x, y, sample_weight, self.label)
        if class_weight is not None:
            sample_weight = class_weights(y, class_weight, sample_weight)
        fitting.prepare(self, (x, y, sample_weight), training=True)
        fitting.label_check(self)(y)
        return fitting.finish_logs(self, self._program("train_afresh")(x, y, sample_weight), return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """One evaluation step on one batch; returns loss and metrics of this batch, as Keras 3.15 does."""
        self._require_compiled("test_on_batch")
        x, y, sample_weight = as_arrays(x, y, sample_weight, self.label)
        fitting.prepare(self, (x, y, sample_weight), training=False)
        fitting.label_check(self)(y)
        return fitting.finish_logs(self, self._program("test_afresh")(x, y, sample_weight), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch, as NumPy arrays."""
        predict = self._predict_one
        if predict is not None and self._predict_version == call_state.version[0]:
            return predict(x)
        return self._first_predict_on_batch(x)

    def _first_predict_on_batch(self, x: Any) -> Any:
        """Any input; where both input and output are single arrays, later calls go straight to the compiled program."""
        x, _, _ = as_arrays(x, None, None, self.label)
        fitting.prepare(self, (x, None, None), training=False)
        program = self._program("predict")
        result = tree.map_structure(fitting.to_numpy, program(x))
        if isinstance(x, np.ndarray) and isinstance(result, np.ndarray) and not self.run_eagerly:
            object.__setattr__(self, "_predict_version", call_state.version[0])
            object.__setattr__(self, "_predict_one", program.predict)
        return result
