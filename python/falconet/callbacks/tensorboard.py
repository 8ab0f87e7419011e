"""Logs for TensorBoard: curves, histograms and images of weights, the model's graph, embeddings, a profile."""

from __future__ import annotations

import os
import time
import warnings
from typing import Any

import numpy as np

from falconet.callbacks.base import Callback, Logs
from falconet.callbacks.event_file import EventFile
from falconet.callbacks.schedules import learning_rates


class TensorBoard(Callback):
    """Writes what TensorBoard shows: `tensorboard --logdir logs`. TensorFlow is not needed.

    Args:
        log_dir: the folder; training goes to its `train`, validation to its `validation`.
        histogram_freq: write a histogram of each weight every so many epochs; 0: never.
        write_graph: write the graph of a Sequential or functional model.
        write_images: with the histograms, write weights of 1 to 3 axes as images too.
        write_steps_per_second: write the speed, per epoch and, with a numeric `update_freq`, per batch.
        update_freq: "epoch"; or every how many batches the logs of the running epoch are written ("batch": 1).
        profile_batch: the batch, counted from 1 over all epochs, whose training step is measured instruction by
            instruction, or a pair (first, last): both are. The table is a text, the timeline a file
            `train/batch_<n>.trace.json` for chrome://tracing.
        embeddings_freq: write the vectors of `Embedding` layers for the projector every so many epochs; 0: never.
        embeddings_metadata: a file of labels for the vectors, or by the name of the layer a dictionary of them.

    Tags are Keras's: `epoch_<log>`, `batch_<log>`, `evaluation_<log>_vs_iterations`.
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        for name, value in (("histogram_freq", histogram_freq), ("embeddings_freq", embeddings_freq)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"[TensorBoard] `{name}` must be a number of epochs >= 0, got {value!r}.")
        frequency = 1 if update_freq == "batch" else update_freq
        if frequency != "epoch" and (isinstance(frequency, bool) or not isinstance(frequency, int) or frequency < 1):
            raise ValueError(
                '[TensorBoard] `update_freq` must be "epoch", "batch" or a number of batches >= 1, got '
                f"{update_freq!r}."
            )
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq, self.write_graph, self.write_images = histogram_freq, write_graph, write_images
        self.write_steps_per_second, self.update_freq = write_steps_per_second, frequency
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        self._profiled = _batches(profile_batch)
        self._files = {name: EventFile(os.path.join(self.log_dir, name)) for name in ("train", "validation")}
        self._batch = 0  # counted from 1 over all epochs
        self._began = self._batch_began = 0.0
        self._iterations = 0
        self._graph_written = False
        if frequency != "epoch" and write_steps_per_second:
            self.on_train_batch_begin = self._before_batch  # type: ignore[method-assign]
        if frequency != "epoch" or self._profiled:
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def get_state(self) -> Any:
        return {"batch": self._batch, "iterations": self._iterations}

    def set_state(self, state: Any) -> None:
        self._batch, self._iterations = state["batch"], state["iterations"]

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._graph_written = False

    def on_train_begin(self, logs: Logs = None) -> None:
        self._batch = 0
        if self.write_graph and not self._graph_written and self.model._graph is not None:
            self._graph_written = True
            self._files["train"].graph(graph_nodes(self.model))
            self._write_config()
        if self.embeddings_freq:
            self._configure_projector()

    def _write_config(self) -> None:
        try:
            config = self.model.to_json()
        except (TypeError, ValueError) as error:
            warnings.warn(f"[TensorBoard] the model's configuration is left out: {error}", stacklevel=4)
            return
        self._files["train"].keras_model("keras", config, 0)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._began = time.perf_counter()
        self._iterations = self._steps_taken()

    def _steps_taken(self) -> int:
        optimizer = self.model.optimizer
        return int(optimizer.iterations) if hasattr(optimizer, "iterations") else 0

    def _before_batch(self, batch: int, logs: Logs = None) -> None:
        self._batch_began = time.perf_counter()

    def _after_batch(self, batch: int, logs: Logs = None) -> None:
        # With `steps_per_execution` a hook stands for several batches; `batch` is the last of them.
        self._batch += self.model.steps_per_execution
        train = self._files["train"]
        if self.update_freq != "epoch" and self._batch % self.update_freq == 0:
            if self.write_steps_per_second:
                seconds = max(time.perf_counter() - self._batch_began, 1e-9)
                train.scalar("batch_steps_per_second", self.model.steps_per_execution / seconds, self._batch)
            for name, value in (logs or {}).items():
                if np.ndim(value) == 0:
                    train.scalar(f"batch_{name}", value, self._batch)
        if self._batch in self._profiled:
            self._profile(batch)

    def _profile(self, batch: int) -> None:
        import contextlib
        import io

        from falconet.profiling import profile

        given = [part for part in self.model._batch_source.batch(batch) if part is not None]
        os.makedirs(os.path.join(self.log_dir, "train"), exist_ok=True)
        trace = os.path.join(self.log_dir, "train", f"batch_{self._batch}.trace.json")
        table = io.StringIO()
        with contextlib.redirect_stdout(table):
            profile(self.model, *given, trace=trace)
        text = "\n".join(f"    {line}" for line in table.getvalue().splitlines())  # Markdown for text as it is
        self._files["train"].text(f"profile/batch_{self._batch}", text, self._batch)

    def on_test_end(self, logs: Logs = None) -> None:
        step = self._steps_taken()
        for name, value in (logs or {}).items():
            if np.ndim(value) == 0:
                self._files["validation"].scalar(f"evaluation_{name}_vs_iterations", value, step)
        self._files["validation"].flush()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        train, validation = self._files["train"], self._files["validation"]
        found = {name: value for name, value in (logs or {}).items() if np.ndim(value) == 0}
        if hasattr(self.model.optimizer, "iterations"):
            found |= learning_rates(self.model, "TensorBoard")
        if self.write_steps_per_second:
            seconds = max(time.perf_counter() - self._began, 1e-9)
            found["steps_per_second"] = (self._steps_taken() - self._iterations) / seconds
        for name, value in found.items():
            if name.startswith("val_"):
                validation.scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
            else:
                train.scalar(f"epoch_{name}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        train.flush()
        validation.flush()

    def _write_weights(self, epoch: int) -> None:
        for layer in self.model.layers:
            for weight in layer.weights:
                value = np.asarray(weight.numpy(), np.float64)
                self._files["train"].histogram(f"{weight.path}/histogram", value, epoch)
                images = weight_images(value) if self.write_images else []
                if images:
                    self._files["train"].image(f"{weight.path}/image", images, epoch)

    # --- the projector -----------------------------------------------------------------------------------------------

    def _embeddings(self) -> list[Any]:
        return [layer for layer in self.model._flatten_layers() if type(layer).__name__ == "Embedding"]

    def _configure_projector(self) -> None:
        given = self.embeddings_metadata
        labels = dict(given) if isinstance(given, dict) else {}
        entries = []
        for layer in self._embeddings():
            found = labels.pop(layer.name, None) if isinstance(given, dict) else given
            entry = f'  tensor_name: "{layer.name}"\n  tensor_path: "train/{layer.name}.tsv"\n'
            entry += f'  metadata_path: "{os.fspath(found)}"\n' if found is not None else ""
            entries.append(f"embeddings {{\n{entry}}}\n")
        if labels:
            raise ValueError(
                f"[TensorBoard] `embeddings_metadata` names {sorted(labels)}, which are no Embedding layers."
            )
        os.makedirs(self.log_dir, exist_ok=True)
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w", encoding="utf-8") as file:
            file.write("".join(entries))

    def _write_embeddings(self) -> None:
        os.makedirs(os.path.join(self.log_dir, "train"), exist_ok=True)
        for layer in self._embeddings():
            path = os.path.join(self.log_dir, "train", f"{layer.name}.tsv")
            np.savetxt(path, np.asarray(layer.weights[0].numpy(), np.float64), "%.6g", "\t")

    def release(self) -> None:
        for file in self._files.values():
            file.close()


def _batches(profile_batch: Any) -> set[int]:
    """The batches to profile: none for 0, one, or the ends of a range (also as text, "10,20")."""
    given = profile_batch
    if isinstance(given, str):
        given = tuple(int(part) if part.strip().isdigit() else -1 for part in given.split(","))
    ends = (given,) if isinstance(given, int) else tuple(given) if isinstance(given, (tuple, list)) else (-1,)
    is_range = 1 <= len(ends) <= 2 and all(type(end) is int and end >= 0 for end in ends) and ends[0] <= ends[-1]
    if not is_range:
        raise ValueError(
            "[TensorBoard] `profile_batch` must be a number >= 0 or a pair (first, last) of them, got "
            f"{profile_batch!r}."
        )
    return set(ends) - {0}


def weight_images(value: np.ndarray) -> list[np.ndarray]:
    """A weight of 1 to 3 axes (those of length 1 left out) as grey images, (height, width, 1) of uint8 from its least
    value to its largest; three axes are one image for each entry of the last. [] for any other weight."""
    value = np.squeeze(value)
    if not 1 <= value.ndim <= 3 or not value.size:
        return []
    finite = value[np.isfinite(value)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    scaled = np.nan_to_num((value - low) / (high - low)) if high > low else np.zeros_like(value)
    grey = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    if grey.ndim == 1:
        return [grey[None, :, None]]
    if grey.ndim == 2:
        return [(grey.T if grey.shape[0] > grey.shape[1] else grey)[:, :, None]]
    return [grey[:, :, i, None] for i in range(grey.shape[2])]


def graph_nodes(model: Any) -> list[tuple[str, str, list[str], str]]:
    """Name, kind, sources and output shapes of the nodes of a model's graph; models inside it are groups of nodes."""
    found: list[tuple[str, str, list[str], str]] = []
    _add_nodes(model, "", {}, found)
    return found


def _add_nodes(model: Any, scope: str, entering: dict[int, str], found: list[Any]) -> list[str]:
    """Appends a model's nodes to `found`; the names of those that make its outputs. entering: the names of the nodes
    that its inputs, by id, stand for."""
    graph = model._graph
    made_by = dict(entering)  # id of a symbolic tensor -> name of its node
    calls = [call for call in map(graph.producer, graph.inputs) if id(call.outputs[0]) not in entering] + graph.calls
    for call in calls:
        operation = call.operation
        index = [id(one) for one in graph.calls_of(operation)].index(id(call))
        name = f"{scope}{operation.name}" + (f"_{index}" if index else "")
        sources = [made_by[id(x)] for x in call.parents]
        inner = getattr(operation, "_graph", None)
        if inner is not None:
            names = dict(zip((id(x) for x in inner.inputs), sources, strict=True))
            outputs = _add_nodes(operation, f"{name}/", names, found)
        else:
            kind = getattr(operation, "kind", None) or type(operation).__name__
            found.append((name, kind, sources, ", ".join(str(tuple(x.shape)) for x in call.outputs)))
            outputs = [name] * len(call.outputs)
        made_by |= {id(x): node for x, node in zip(call.outputs, outputs, strict=True)}
    return [made_by[id(graph._sources.get(id(x), x))] for x in graph.outputs]
