"""How much memory a model takes: its weights, its optimizer's slots, and what a batch needs while it is computed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from falconet import losses, tree
from falconet.models import fitting
from falconet.models.summary import bytes_of
from falconet.tracing import Program


def memory(model: Any, batch_size: int = 32, y: Any = None) -> dict[str, int]:
    """`Model.memory`."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ValueError(f"[{model.label}] memory: `batch_size` must be an integer >= 1, got {batch_size!r}.")
    if not model.built or model._graph is None:
        raise ValueError(
            f"[{model.label}] memory: the model has no defined inputs; build it with an Input, or as Model(inputs, "
            "outputs)."
        )
    x = tree.map_structure(lambda t: _zeros(t.shape, t.dtype, int(batch_size)), model._graph.inputs_struct)
    found = {"weights": int(bytes_of(model.weights)), "predict": _arena(model._predict_data, x)}
    if model.compiled and model.optimizer is not None:
        if y is None:
            y = _targets(model, int(batch_size))
        fitting.prepare(model, (x, y, None), training=True)
        found["optimizer"] = int(bytes_of(model.optimizer.variables))
        found["train"] = _arena(model._train_data, x, y, None)
    return found


def _zeros(shape: Any, dtype: str, rows: int) -> np.ndarray:
    sizes = [rows, *(1 if size is None else size for size in shape[1:])]
    return np.zeros(sizes, "float32" if dtype == "bfloat16" else dtype)


def _targets(model: Any, rows: int) -> Any:
    """Targets as the losses want them: shaped like the outputs, or a class index where the loss takes one."""
    outputs = tree.flatten(model._graph.outputs_struct)
    given = model.loss
    if isinstance(given, dict):
        given = [given.get(name) for name in model.output_names]
    per_output = given if isinstance(given, (list, tuple)) and len(given) == len(outputs) else [given] * len(outputs)
    found = []
    for output, loss in zip(outputs, per_output, strict=True):
        resolved = losses.get(loss) if isinstance(loss, str) and loss.lower() not in ("crossentropy", "ce") else loss
        name = getattr(resolved, "__name__", None) or type(resolved).__name__
        is_sparse = "sparse" in name.lower()
        shape, dtype = (output.shape[:-1], "int32") if is_sparse else (output.shape, "float32")
        found.append(_zeros(shape, dtype, rows))
    return tree.pack_sequence_as(model._graph.outputs_struct, found)


def _arena(step: Any, *args: Any) -> int:
    """Bytes of the plan's arena for these arguments; nothing is computed."""
    sizes = re.findall(r"^arena (\d+) bytes$", Program(step).text(*args), re.MULTILINE)
    return sum(map(int, sizes))
