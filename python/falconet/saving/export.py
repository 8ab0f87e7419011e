"""The model file: what a model computes, recorded for any batch size, with its weights, in one file.

`docs/model_file.md` is the format. Falconet's Predictor and Learner load it from Python, C and C++ without layers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _core, tree
from ..tracing import KerasTensor
from .model_io import _target

# Batch sizes that recordings are made at: primes, so that no size of the model is mistaken for one.
_ROWS = (1009, 1511, 2017)
_TEST_ROWS = 3
_TEST_SEED = 20_250_101


def export_model(
    model: Any,
    filepath: Any,
    format: str = "falconet",
    verbose: bool | None = None,
    input_signature: Any = None,
    training: Any = False,
    metadata: dict[str, str] | None = None,
    test_data: Any = None,
) -> None:
    """Writes what `Model.export` says."""
    if format != "falconet":
        raise ValueError(f'[export] `format` is {format!r}; only "falconet" is written.')
    path = _target(filepath, True, "export")
    names = _encode(model, path, input_signature, training, _checked_metadata(metadata), test_data)
    if verbose:
        print(f"{path}: {os.path.getsize(path):,} bytes, signatures {', '.join(names)}")


def export_bytes(model: Any, training: Any = False) -> bytes:
    """What `Model.export` would write."""
    content: bytes = _encode(model, None, None, training, {}, None)
    return content


def _encode(
    model: Any, path: Any, input_signature: Any, training: Any, metadata: dict[str, str], test_data: Any
) -> Any:
    """Writes the file and returns the names of its signatures; without a path, returns its bytes."""
    x = _input_specs(model, input_signature)
    names = _input_names(model, x)
    signatures: dict[str, Any] = {"predict": _record(model._predict_data, (x,), names)}
    signatures["predict"]["outputs"] = _output_names(model, signatures["predict"].pop("result"))
    if training is not False and training is not None:
        signatures |= _training_signatures(model, x, names, training)
    given, rows = _test_inputs(x, test_data)
    signatures["predict"] |= {"test": given, "test_rows": rows}
    variables = _variables(model)
    try:
        content = _core.encode_model(path, variables, signatures, metadata)
    except ValueError:
        if test_data is not None or all(np.asarray(value).dtype.kind == "f" for value in given):
            raise
        # An index of 1 may be one too many: 0 is always there.
        signatures["predict"]["test"] = [v if v.dtype.kind == "f" else np.zeros_like(v) for v in given]
        content = _core.encode_model(path, variables, signatures, metadata)
    return list(signatures) if content is None else content


# --- what goes in ---


def _input_specs(model: Any, input_signature: Any) -> Any:
    """The structure of the model's inputs, KerasTensors with at most the first axis unknown."""
    if input_signature is None:
        if model._graph is not None:
            x = model._graph.inputs_struct
            x = x[0] if isinstance(x, list) and len(x) == 1 else x
        else:
            shapes = getattr(model, "_build_shapes", None) or {}
            shape = shapes.get("input_shape") if len(shapes) == 1 else None
            if not isinstance(shape, (tuple, list)) or not all(d is None or isinstance(d, int) for d in shape):
                raise ValueError(
                    f"[export] {model.label} does not say what it is called with: give `input_signature`, for example "
                    '[InputSpec(shape=(None, 4), dtype="float32")].'
                )
            x = KerasTensor((None, *shape[1:]), "float32")
    else:
        one = isinstance(input_signature, (list, tuple)) and len(input_signature) == 1
        x = tree.map_structure(_as_symbol, input_signature[0] if one else input_signature)
    if not model.built:
        raise ValueError(f"[export] {model.label} has no weights yet: call it, fit it or build(input_shape) it first.")
    for symbol in tree.flatten(x):
        if None in symbol.shape[1:]:
            raise ValueError(
                f"[export] an input has shape {tuple(symbol.shape)}; only the first axis may be unknown. Give "
                "`input_signature` with the sizes to export for."
            )
    return x


def _as_symbol(spec: Any) -> KerasTensor:
    shape, dtype = getattr(spec, "shape", None), getattr(spec, "dtype", None)
    if shape is None:
        raise ValueError(f"[export] `input_signature` holds {spec!r}; it needs InputSpecs or KerasTensors with shapes.")
    return KerasTensor(tuple(shape), str(dtype or "float32"))


def _input_names(model: Any, x: Any) -> list[str]:
    if model._graph is not None and len(model.input_names) == len(tree.flatten(x)):
        return model.input_names
    return _names(x, "input")


def _output_names(model: Any, outputs: Any) -> list[str]:
    if model._graph is not None and not isinstance(outputs, dict):
        names = model.output_names
        if len(names) == len(set(names)) == len(tree.flatten(outputs)):
            return names
    return _names(outputs, "output")


def _names(structure: Any, stem: str) -> list[str]:
    """Names of leaves: the stem for one alone, else keys and positions."""
    paths = [path for path, _ in tree.flatten_with_path(structure)]
    if paths == [()]:
        return [stem]
    return ["/".join(map(str, path if isinstance(path[0], str) else (stem, *path))) for path in paths]


def _checked_metadata(metadata: Any) -> dict[str, str]:
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not all(
        isinstance(k, str) and isinstance(v, str) for k, v in metadata.items()
    ):
        raise ValueError(f"[export] `metadata` must be a dictionary from strings to strings, got {metadata!r}.")
    if len(metadata) > 200 or any(len(v.encode()) > 1 << 20 for v in metadata.values()):
        raise ValueError("[export] `metadata` may have 200 entries of at most 1 MiB.")
    return metadata


# --- recording ---


def _record(fn: Callable[..., Any], args: tuple[Any, ...], names: list[str]) -> dict[str, Any]:
    """fn's graphs at three batch sizes, and the structure of its results. Unknown first axes have the batch's size."""
    found = _record_at_sizes(fn, args, names, records_all=False)
    reason = _core.why_not_any_batch(found)
    if not reason:
        return found
    # What was computed while recording depends on the batch size: `zeros_like` of a batch, an `arange` of its rows. As
    # part of the graph it may; then nothing in fn can look at a value.
    try:
        again = _record_at_sizes(fn, args, names, records_all=True)
    except (TypeError, ValueError):
        raise ValueError(reason) from None
    reason = _core.why_not_any_batch(again)
    if reason:
        raise ValueError(reason)
    return again


def _record_at_sizes(fn: Callable[..., Any], args: tuple[Any, ...], names: list[str], records_all: bool) -> Any:
    graphs = []
    for rows in _ROWS:
        with _core.Graph(records_all=records_all) as graph:

            def feed(symbol: Any, graph: Any = graph, rows: int = rows) -> Any:
                if symbol is None:
                    return None
                return graph.input(tuple(rows if d is None else d for d in symbol.shape), symbol.dtype)

            result = fn(*(tree.map_structure(feed, a) for a in args))
            graph.set_outputs(tree.flatten(result))
        graphs.append(graph)
    return {"graphs": graphs, "rows": list(_ROWS), "inputs": names, "result": result}


def _training_signatures(model: Any, x: Any, names: list[str], training: Any) -> dict[str, Any]:
    from ..models import fitting

    model._require_compiled("export(training=True)")
    y, weight = _targets(model, x, training)
    stand_in = [tree.map_structure(_zeros, part) for part in (x, y, weight)]
    fitting.prepare(model, tuple(stand_in), training=True)
    ports = list(names)
    for part, stem in ((y, "y"), (weight, "sample_weight")):
        ports += [name if name == stem else f"{stem}/{name.removeprefix(stem + '/')}" for name in _names(part, stem)]
    if weight is None:
        ports.pop()
    found = {}
    for name, step in (("train", model._train_data), ("evaluate", model._test_data)):
        if step == model._train_data or model._compile_loss is not None:
            signature = found[name] = _record(step, (x, y, weight), ports)
            signature["outputs"] = _names(signature.pop("result"), "loss")
    return found


def _targets(model: Any, x: Any, training: Any) -> tuple[Any, Any]:
    """What `y` and `sample_weight` are like: of the example given, or as the losses need them."""
    if training is not True:
        if not isinstance(training, (tuple, list)) or len(training) not in (2, 3):
            raise ValueError(
                "[export] `training` must be True, or an example (x, y) or (x, y, sample_weight) of what the model is "
                f"trained on, got {type(training).__name__}."
            )
        from ..models.arrays import as_arrays

        x, y, weight = (*training, None)[:3]
        _, y, weight = as_arrays(x, y, weight, model.label)
        like = lambda a: KerasTensor((None, *a.shape[1:]), str(a.dtype))  # noqa: E731
        return tree.map_structure(like, y), None if weight is None else tree.map_structure(like, weight)
    outputs = model._graph.outputs_struct if model._graph is not None else None
    losses = tree.flatten(model.loss)
    if outputs is None or len(losses) not in (1, len(tree.flatten(outputs))) or any(loss is None for loss in losses):
        raise ValueError(
            "[export] the shapes of `y` do not follow from this model and its losses: give training=(x, y), an example."
        )
    losses = losses * len(tree.flatten(outputs)) if len(losses) == 1 else losses
    specs = []
    for symbol, loss in zip(tree.flatten(outputs), losses, strict=True):
        label = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
        sparse = "sparse" in label.lower()
        specs.append(KerasTensor(symbol.shape[:-1], "int32") if sparse else KerasTensor(symbol.shape, symbol.dtype))
    return tree.pack_sequence_as(outputs, specs), None


def _zeros(symbol: Any) -> Any:
    return None if symbol is None else np.zeros(tuple(2 if d is None else d for d in symbol.shape), symbol.dtype)


# --- variables and tests ---


def _variables(model: Any) -> list[tuple[Any, str, str, bool]]:
    """(variable, name, role, trainable) of all that may stand in a file."""
    roles: dict[int, tuple[Any, str, str, bool]] = {}

    def add(variables: Any, role: str) -> None:
        for v in variables:
            roles.setdefault(id(v), (v, v.path, role, bool(v.trainable) and role == "weight"))

    add(model.weights, "weight")
    add(model.variables, "seed")
    if model.compiled:
        add([v for metric in model.metrics for v in metric.variables], "metric")
        if getattr(model.optimizer, "built", False):
            add(model.optimizer.variables, "optimizer")
    return list(roles.values())


def _test_inputs(x: Any, test_data: Any) -> tuple[list[np.ndarray], int]:
    """Inputs of the test vector, and their number of rows: standard normal numbers, for integers 0 and 1."""
    symbols = tree.flatten(x)
    if test_data is not None:
        given = tree.flatten(test_data)
        if len(given) != len(symbols):
            raise ValueError(f"[export] `test_data` has {len(given)} arrays; the model has {len(symbols)} inputs.")
        arrays = [np.ascontiguousarray(value, symbol.dtype) for value, symbol in zip(given, symbols, strict=True)]
        rows = {a.shape[0] for a, symbol in zip(arrays, symbols, strict=True) if symbol.shape[:1] == (None,)}
        if len(rows) > 1 or any(a.ndim == 0 and symbol.shape for a, symbol in zip(arrays, symbols, strict=True)):
            raise ValueError(f"[export] `test_data` has arrays of {sorted(rows)} rows; they need one number of rows.")
        return arrays, rows.pop() if rows else _TEST_ROWS
    random = np.random.default_rng(_TEST_SEED)
    arrays = []
    for symbol in symbols:
        shape = tuple(_TEST_ROWS if d is None else d for d in symbol.shape)
        if "float" in symbol.dtype:
            arrays.append(_as_dtype(random.standard_normal(shape), symbol.dtype))
        else:
            arrays.append(random.integers(0, 2, shape).astype(symbol.dtype))
    return arrays, _TEST_ROWS


def _as_dtype(values: np.ndarray, dtype: str) -> Any:
    if dtype == "bfloat16":
        return _core.as_tensor(values.astype("float32"), dtype="bfloat16")
    return values.astype(dtype)
