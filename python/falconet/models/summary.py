"""The table of a model's layers, as text."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable
from typing import Any

from falconet import dtypes, tree
from falconet.models.graph import OpCall

_BITS = {"bool": 8, "bfloat16": 16}


def _count(weights: Any) -> int:
    return sum(math.prod(v.shape) for v in weights)


def bytes_of(weights: Any) -> float:
    """Bytes of some variables' values, each variable once."""
    total = 0
    for v in {id(v): v for v in weights}.values():
        dtype = dtypes.standardize_dtype(v.dtype)
        bits = _BITS.get(dtype) or int(re.sub(r"\D", "", dtype))
        total += math.prod(v.shape) * bits
    return total / 8


def _readable(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def _shape_text(shapes: Any) -> str:
    def one(shape: Any) -> str:
        return f"({', '.join(str(d) for d in shape)})"

    flat = [one(s) for s in tree.flatten(tree.map_shape_structure(lambda s: _Leaf(s), shapes))]
    if len(flat) == 1:
        return flat[0]
    return str(tree.map_shape_structure(lambda s: one(s), shapes)).replace("'", "")


class _Leaf(tuple):
    """A shape that nested-structure functions leave whole."""

    __slots__ = ()


def _output_shape(layer: Any, calls: list[Any]) -> str:
    if calls:
        outputs = tree.map_structure(lambda x: f"({', '.join(str(d) for d in x.shape)})", calls[-1])
        flat = tree.flatten(outputs)
        return flat[0] if len(flat) == 1 else str(outputs).replace("'", "")
    shapes = getattr(layer, "_build_shapes", None)
    if not shapes or len(shapes) != 1:
        return "?"
    try:
        found = layer.compute_output_shape(next(iter(shapes.values())))
    except Exception:  # a layer whose output cannot be told from its shape alone has no entry
        return "?"
    return f"({', '.join(str(d) for d in found)})" if isinstance(found, tuple) else str(found)


def _wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters, broken at spaces; a word longer than a line is cut, with an ellipsis."""
    lines, line = [], ""
    for word in re.findall(r"\S+\s*|\s+", text):
        if len(line) + len(word.rstrip()) <= width:
            line += word
            continue
        if line:
            lines.append(line.rstrip())
        line = word if len(word.rstrip()) <= width else f"{word[: width - 1]}…"
    return [*lines, line.rstrip()] if line or not lines else lines


def _column_widths(line_length: int, positions: list[float]) -> list[int]:
    """Inner widths of the columns, so that the table with its borders is `line_length` wide."""
    widths, at = [], 0
    for position in positions:
        width = int(position * line_length) - at
        if width < 4:
            raise ValueError(f"[summary] `line_length` {line_length} is too narrow for {len(positions)} columns.")
        widths.append(width + 2)
        at += width
    excess, left = sum(widths) - (line_length - len(widths) - 1), len(widths)
    for i in range(len(widths)):
        cut = round(excess / left)
        widths[i] -= cut
        excess -= cut
        left -= 1
    return widths


def _table(rows: list[list[str]], header: list[str], alignment: list[str], widths: list[int]) -> str:
    def ruler(left: str, line: str, cross: str, right: str) -> str:
        return left + cross.join(line * w for w in widths) + right

    def cells(row: list[str], bar: str) -> list[str]:
        wrapped = [_wrap(text, w - 2) for text, w in zip(row, widths, strict=False)]
        lines = []
        for i in range(max(len(w) for w in wrapped)):
            parts = []
            for text, align, width in zip(wrapped, alignment, widths, strict=False):
                piece = text[i] if i < len(text) else ""
                place = {"left": str.ljust, "right": str.rjust, "center": str.center}[align]
                parts.append(f" {place(piece, width - 2)} ")
            lines.append(bar + bar.join(parts) + bar)
        return lines

    out = [ruler("┏", "━", "┳", "┓"), *cells(header, "┃"), ruler("┡", "━", "╇", "┩")]
    for i, row in enumerate(rows):
        if i:
            out.append(ruler("├", "─", "┼", "┤"))
        out += cells(row, "│")
    return "\n".join([*out, ruler("└", "─", "┴", "┘")])


def _is_chain(graph: Any) -> bool:
    """Whether every depth has one call, with one input, of a layer used once."""
    calls = [c for group in graph.depths for c in group]
    if any(len(group) > 1 for group in graph.depths) or any(len(c.parents) > 1 for c in calls):
        return False
    operations = [id(c.operation) for c in calls]
    return len(set(operations)) == len(operations)


def _connections(graph: Any, operation: Any) -> str:
    found = []
    for call in graph.calls_of(operation):
        for parent in call.parents:
            made_by = graph.producer(parent)
            index = [id(c) for c in graph.calls_of(made_by.operation)].index(id(made_by))
            position = [id(x) for x in made_by.outputs].index(id(parent))
            found.append(f"{made_by.operation.name}[{index}][{position}]")
    return ", ".join(found) or "-"


def _rows(model: Any, layers: list[Any], connected: bool, trainable: bool, expand: bool) -> list[list[str]]:
    graph = model._graph

    def row(layer: Any, level: int) -> list[str]:
        prefix = "   " * level + "└ " if level else ""
        kind = layer.kind if isinstance(layer, OpCall) else type(layer).__name__
        params = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
        outputs = [r.outputs for r in getattr(layer, "_records", ())]
        if not outputs and graph is not None and not level:
            outputs = [c.outputs[0] if len(c.outputs) == 1 else c.outputs for c in graph.calls_of(layer)]
        fields = [f"{prefix}{layer.name} ({kind})", _output_shape(layer, outputs), params]
        if connected:
            fields.append("-" if level else _connections(graph, layer))
        if trainable:
            fields.append(("Y" if layer.trainable else "N") if len(layer.weights) else "-")
        return fields

    def rows(layer: Any, level: int) -> list[list[str]]:
        found = [row(layer, level)]
        if expand:
            for inner in getattr(layer, "layers", ()):
                found += rows(inner, level + 1)
        return found

    return [r for layer in layers for r in rows(layer, 0)]


def _in_range(layers: list[Any], layer_range: Any) -> list[Any]:
    if layer_range is None:
        return layers
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"[summary] `layer_range` must be two layer names, got {layer_range!r}.")
    places = [[i for i, layer in enumerate(layers) if re.match(name, layer.name)] for name in layer_range]
    if not all(places):
        raise ValueError(f"[summary] `layer_range` {layer_range} does not match the model's layers.")
    low, high = sorted((min(places[0]), max(places[1])))
    return layers[low : high + 1]


def summary_text(
    model: Any, line_length: int | None = None, positions: list[float] | None = None, expand_nested: bool = False,
    show_trainable: bool = False, layer_range: Any = None,
) -> str:  # fmt: skip
    """The table with the totals below it."""
    from falconet.models.sequential import Sequential

    graph = model._graph
    functional = graph is not None and not isinstance(model, Sequential)
    layers = graph.operations if functional else model.layers
    connected = functional and not _is_chain(graph)
    header, alignment = ["Layer (type)", "Output Shape", "Param #"], ["left", "left", "right"]
    default, edges = 88, [0.45, 0.80, 1.0]
    if connected:
        header, alignment = [*header, "Connected to"], [*alignment, "left"]
        default, edges = 108, [0.3, 0.56, 0.74, 1.0]
    edges = list(positions or edges)
    if show_trainable:
        header, alignment = [*header, "Trainable"], [*alignment, "center"]
        default, edges = default + 12, [e * 0.90 for e in edges] + [1.0]
    length = line_length or min(default, shutil.get_terminal_size().columns - 4)
    rows = _rows(model, _in_range(layers, layer_range), connected, show_trainable, expand_nested)
    table = _table(rows, header, alignment, _column_widths(length, edges))
    groups = [("Trainable", model.trainable_weights), ("Non-trainable", model.non_trainable_weights)]
    optimizer = model.optimizer if model.compiled else None
    if optimizer is not None and getattr(optimizer, "built", False):
        groups.append(("Optimizer", optimizer.variables))
    total = sum(_count(w) for _, w in groups), sum(bytes_of(w) for _, w in groups)
    lines = [f" Total params: {total[0]:,} ({_readable(total[1])})"]
    lines += [f" {name} params: {_count(w):,} ({_readable(bytes_of(w))})" for name, w in groups]
    return f'Model: "{model.name}"\n{table}\n' + "\n".join(lines) + "\n"


def print_summary(
    model: Any, line_length: int | None, positions: list[float] | None, print_fn: Callable[[str], Any] | None,
    expand_nested: bool, show_trainable: bool, layer_range: Any,
) -> None:  # fmt: skip
    """Prints `summary_text`, or hands it to `print_fn`."""
    text = summary_text(model, line_length, positions, expand_nested, show_trainable, layer_range)
    if print_fn is None:
        print(text, end="")
    else:
        print_fn(text)
