"""The losses and metrics given to `compile`, made into objects once the shapes of targets and outputs are known."""

from __future__ import annotations

from typing import Any

from falconet import losses as losses_module, metrics as metrics_module, ops, tree
from falconet.models.labels import LabelRange, check_kind, label_range
from falconet.models.per_output import Outputs


def _kind(y_true: Any, y_pred: Any) -> str:
    """What "accuracy" and "crossentropy" mean for these shapes: binary, sparse_categorical or categorical."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if pred and pred[-1] == 1:
        return "binary"
    if len(true) < len(pred) or (true and true[-1] == 1 and pred[-1] != 1):
        return "sparse_categorical"
    return "categorical"


def _name_of(thing: Any) -> str:
    return getattr(thing, "name", None) or getattr(thing, "__name__", None) or type(thing).__name__


def make_loss(given: Any, y_true: Any, y_pred: Any) -> Any:
    """A loss object from a name, a function or a loss; None stays None."""
    if given is None:
        return None
    name = given if isinstance(given, str) else None
    if name is not None and name.lower() in ("crossentropy", "ce"):
        loss = getattr(losses_module, f"{_kind(y_true, y_pred)}_crossentropy")
    else:
        loss = losses_module.get(given)
    if not isinstance(loss, losses_module.Loss):
        loss = losses_module.LossFunctionWrapper(loss, name=name or _name_of(loss))
    return loss


_ACCURACIES = {
    "binary": "BinaryAccuracy",
    "sparse_categorical": "SparseCategoricalAccuracy",
    "categorical": "CategoricalAccuracy",
}


def make_metric(given: Any, y_true: Any, y_pred: Any) -> Any:
    """A metric object from a name, a function or a metric; "accuracy" is resolved by shapes."""
    if given is None:
        raise ValueError("[compile] a metric is None; give its name, a function (y_true, y_pred), or a Metric.")
    name = given if isinstance(given, str) else None
    if name is not None and name.lower() in ("accuracy", "acc"):
        return getattr(metrics_module, _ACCURACIES[_kind(y_true, y_pred)])(name=name)
    metric = metrics_module.get(given)
    if isinstance(metric, type):
        metric = metric()
    if not isinstance(metric, metrics_module.Metric):
        metric = metrics_module.MeanMetricWrapper(metric, name=name or _name_of(metric))
    elif name is not None:
        metric.name = name
    return metric


class CompiledLoss:
    """The weighted sum of the losses of all outputs.

    total = sum over outputs and their losses of weight * loss(y_true, y_pred, sample_weight)
    With more than one loss, a Mean per loss records the unweighted values as `<output>_loss`.
    """

    def __init__(self, loss: Any, loss_weights: Any, output_names: list[str] | None) -> None:
        if loss_weights is not None and not isinstance(loss_weights, (int, float, list, tuple, dict)):
            raise ValueError(
                f"[compile] `loss_weights` must be a number, a list or a dictionary, got {type(loss_weights).__name__}."
            )
        self._loss = loss
        self._weights = loss_weights
        self._output_names = output_names
        self.built = False
        self.metrics: list[Any] = []
        self._entries: list[tuple[int, Any, Any]] = []  # output, loss, weight
        self._label_ranges: list[tuple[int, LabelRange]] = []

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Makes the losses for targets and outputs of these shapes."""
        outputs = Outputs(y_pred, self._output_names)
        predictions = tree.flatten(y_pred)
        given = outputs.spread(self._loss, "loss")
        used = [one is not None for one in given]
        targets = outputs.align(y_true, "y", used)
        weights = self._spread_weights(outputs, given)
        entries, names, ranges = [], [], []
        order = list(range(outputs.count))
        if isinstance(self._loss, dict):  # then Keras goes by the order in which they were given
            keys = list(self._loss)
            order.sort(key=lambda i: keys.index(outputs.names[i]) if outputs.names[i] in keys else len(keys))
        for i in order:
            one, weight, target = given[i], weights[i], targets[i]
            several = isinstance(one, (list, tuple))
            for j, single in enumerate(one if several else [one]):
                if single is None:
                    continue
                if target is None:
                    raise ValueError(
                        f"[fit] the loss of output {outputs.names[i] or i} needs a target `y`, but none came."
                    )
                loss = make_loss(single, target, predictions[i])
                shown = outputs.names[i] or str(i)
                check_kind(loss, target, predictions[i], shown)
                allowed = label_range(loss, predictions[i], shown)
                if allowed is not None:
                    ranges.append((i, allowed))
                entries.append((i, loss, weight[j] if several and isinstance(weight, (list, tuple)) else weight))
                names.append(outputs.loss_names[i] or loss.name)
        if len(entries) > 1:
            self.metrics = [metrics_module.Mean(name=f"{name}_loss") for name in names]
        self._outputs, self._used, self._entries, self._label_ranges = outputs, used, entries, ranges
        self.built = True

    def check_labels(self, y_true: Any, owner: str) -> None:
        """Raises ValueError where an array of class indices holds one that the output has no class for."""
        if not self._label_ranges or y_true is None:
            return
        targets = self._outputs.align(y_true, "y", self._used)
        for i, allowed in self._label_ranges:
            allowed.check(targets[i], owner)

    def _spread_weights(self, outputs: Outputs, given: list[Any]) -> list[Any]:
        if self._weights is None:
            return [None] * outputs.count
        if isinstance(self._weights, (list, tuple)):
            if outputs.count == 1 and isinstance(given[0], (list, tuple)):
                return [self._weights]
            if len(self._weights) == sum(one is not None for one in given) != outputs.count:
                remaining = iter(self._weights)
                return [None if one is None else next(remaining) for one in given]
            if outputs.count == 1 and len(self._weights) == 1:
                return [self._weights[0]]
        return outputs.spread(self._weights, "loss_weights")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if not self.built:
            self.build(y_true, y_pred)
        predictions = tree.flatten(y_pred)
        targets = self._outputs.align(y_true, "y", self._used)
        weights = self._outputs.align(sample_weight, "sample_weight", self._used)
        total = None
        for position, (i, loss, weight) in enumerate(self._entries):
            if targets[i] is None:
                raise ValueError(
                    f"[fit] the loss of output {self._outputs.names[i] or i} needs a target `y`, but none came."
                )
            value = loss(targets[i], predictions[i], weights[i])
            if self.metrics:
                self.metrics[position].update_state(value, sample_weight=predictions[i].shape[0])
            if weight is not None:
                value = ops.multiply(value, weight)
            total = value if total is None else ops.add(total, value)
        return total


class CompiledMetrics:
    """The metrics of all outputs: `metrics` see no sample weights, `weighted_metrics` do."""

    name = "compile_metrics"

    def __init__(self, metrics: Any, weighted_metrics: Any, output_names: list[str] | None) -> None:
        for what, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if value and not isinstance(value, (list, tuple, dict)):
                raise ValueError(
                    f"[compile] `{what}` must be a list or a dictionary, such as [{value!r}]; got {value!r}."
                )
        self._given = (metrics, weighted_metrics)
        self._output_names = output_names
        self.built = False
        self._entries: list[tuple[int, Any, bool]] = []  # output, metric, weighted

    @property
    def metrics(self) -> list[Any]:
        return [metric for _, metric, _ in self._entries]

    @property
    def variables(self) -> list[Any]:
        return [v for metric in self.metrics for v in metric.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Makes the metrics for targets and outputs of these shapes."""
        outputs = Outputs(y_pred, self._output_names)
        predictions = tree.flatten(y_pred)
        entries = []
        for given, weighted in zip(self._given, (False, True), strict=False):
            what = "weighted_metrics" if weighted else "metrics"
            per_output = self._spread(outputs, given, what)
            used = [bool(one) for one in per_output]
            if not any(used):
                continue
            targets = outputs.align(y_true, "y", used)
            for i, several in enumerate(per_output):
                for one in several:
                    if targets[i] is None:
                        raise ValueError(f"[fit] metric {_name_of(one)!r} needs a target `y`, but none came.")
                    entries.append((i, make_metric(one, targets[i], predictions[i]), weighted))
        self._outputs, self._entries = outputs, entries
        self.built = True

    @staticmethod
    def _spread(outputs: Outputs, given: Any, what: str) -> list[list[Any]]:
        if not given:
            return [[]] * outputs.count
        if outputs.count == 1:
            return [tree.flatten(given)]
        per_output = outputs.spread(given, what)
        return [[] if one is None else tree.flatten(one) for one in per_output]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if not self.built:
            self.build(y_true, y_pred)
        predictions = tree.flatten(y_pred)
        used = [any(i == output for output, _, _ in self._entries) for i in range(len(predictions))]
        targets = self._outputs.align(y_true, "y", used)
        weights = self._outputs.align(sample_weight, "sample_weight", used)
        for i, metric, weighted in self._entries:
            if weighted:
                metric.update_state(targets[i], predictions[i], weights[i])
            else:
                metric.update_state(targets[i], predictions[i])

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """Values by name: `<output>_<metric>` with several outputs; a name met again is numbered, or marked
        `weighted_`."""
        counts: dict[str, int] = {}
        results: dict[str, Any] = {}
        several = self._outputs.count > 1 if self.built else False
        for i, metric, weighted in self._entries:
            output = self._outputs.names[i] if several else None
            name = f"{output}_{metric.name}" if output else metric.name
            if name in counts and weighted:
                name = f"{output}_weighted_{metric.name}" if output else f"weighted_{metric.name}"
            if name in counts:
                counts[name] += 1
                name = f"{name}_{counts[name] - 1}"
            else:
                counts[name] = 1
            results[name] = metric.result()
        return results
