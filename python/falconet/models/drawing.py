"""Pictures of models: the graph as nodes, laid out in layers and written as SVG, or as text for graphviz.

A model inside a model is one node, or with `expand_nested` a box with its own picture in it.
"""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import warnings
from dataclasses import dataclass, field
from typing import Any

_LINE, _PAD, _CHAR, _GAP_X, _GAP_Y, _PASSAGE = 16.0, 8.0, 6.9, 28.0, 34.0, 4.0  # in pixels, for 12 pixel type
_DIRECTIONS = ("TB", "BT", "LR", "RL")
_SPLINES = ("ortho", "curved", "polyline", "line", "spline", "true", "false", "none")


@dataclass
class Node:
    """A call of a layer or op: the lines of its label, where its inputs come from, and its picture where expanded."""

    name: str
    lines: list[str]
    sources: list[int]  # positions in the list of nodes
    inner: Picture | None = None
    x: float = 0.0  # of the upper left corner
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    ways: list[list[int]] = field(default_factory=list)  # for each source the passages of its edge
    points: list[tuple[float, float]] = field(default_factory=list)  # where edges come in and go out
    edges: list[list[tuple[float, float]]] = field(default_factory=list)  # for each source the points of its edge


@dataclass
class Picture:
    """Nodes with places, and the size of the whole."""

    nodes: list[Node]
    title: str = ""
    width: float = 0.0
    height: float = 0.0


class Drawing:
    """A model as a picture: `svg` is its text, and notebooks show it."""

    def __init__(self, svg: str, path: str | None) -> None:
        self.svg, self.path = svg, path

    def _repr_svg_(self) -> str:
        return self.svg


# --- nodes -----------------------------------------------------------------------------------------------------------


def _shapes(tensors: list[Any], what: str) -> str:
    found = [str(tuple(x.shape)) for x in tensors]
    return f"{what}: {', '.join(found) or '-'}"


def _lines(operation: Any, call: Any, show: dict[str, Any]) -> list[str]:
    kind = getattr(operation, "kind", None) or type(operation).__name__
    lines = [f"{operation.name} ({kind})" if show["layer_names"] else kind]
    activation = getattr(operation, "activation", None)
    if show["layer_activations"] and activation is not None:
        lines.append(f"Activation: {getattr(activation, '__name__', None) or type(activation).__name__}")
    if show["shapes"] and call is not None:
        lines += [_shapes(call.parents, "Input shape")] if call.parents else []
        lines.append(_shapes(call.outputs, "Output shape"))
    if show["dtype"] and call is not None:
        lines.append(f"Output dtype: {', '.join(dict.fromkeys(str(x.dtype) for x in call.outputs))}")
    if show["trainable"] and getattr(operation, "weights", None):
        lines.append("Trainable" if operation.trainable else "Non-trainable")
    return lines


def picture_of(model: Any, show: dict[str, Any], direction: str, expand: bool, title: str = "") -> Picture:
    """A model's picture with all places decided."""
    graph = model._graph
    if graph is None:
        picture = Picture([Node(model.name, _lines(model, None, show), [])], title)
        _place(picture, direction)
        return picture
    nodes: list[Node] = []
    made_by: dict[int, int] = {}
    for call in [*map(graph.producer, graph.inputs), *graph.calls]:
        operation = call.operation
        inner = None
        if expand and getattr(operation, "_graph", None) is not None:
            inner = picture_of(operation, show, direction, expand, operation.name)
        sources = list(dict.fromkeys(made_by[id(x)] for x in call.parents))
        made_by |= {id(x): len(nodes) for x in call.outputs}
        nodes.append(Node(operation.name, _lines(operation, call, show), sources, inner))
    picture = Picture(nodes, title)
    _place(picture, direction)
    return picture


# --- places ----------------------------------------------------------------------------------------------------------


def _with_passages(nodes: list[Node]) -> tuple[list[Node], list[int]]:
    """The nodes, with one of no content in each row that an edge passes through; and the row of each.

    Rows are the longest ways from an input. Edges then lead from one row to the next only, and keep clear of nodes.
    """
    depths: list[int] = []
    for node in nodes:
        depths.append(1 + max((depths[i] for i in node.sources), default=-1))
    found = list(nodes)
    for i, node in enumerate(nodes):
        for source in node.sources:
            way = []
            last = source
            for depth in range(depths[source] + 1, depths[i]):
                found.append(Node("", [], [last], width=_PASSAGE, height=_PASSAGE))
                depths.append(depth)
                last = len(found) - 1
                way.append(last)
            node.ways.append(way)
    return found, depths


def _place(picture: Picture, direction: str) -> None:
    """Gives each node its place, in its row near the nodes that it takes from, and each edge its way."""
    sideways = direction in ("LR", "RL")
    for node in picture.nodes:
        if node.inner is not None:
            node.width, node.height = node.inner.width, node.inner.height
        else:
            node.width = max(60.0, 2 * _PAD + _CHAR * max(map(len, node.lines)))
            node.height = _PAD + _LINE * len(node.lines)
    nodes, depths = _with_passages(picture.nodes)
    rows: list[list[int]] = [[] for _ in range(max(depths, default=-1) + 1)]
    for i, depth in enumerate(depths):
        rows[depth].append(i)
    across = [node.height if sideways else node.width for node in nodes]
    along = [node.width if sideways else node.height for node in nodes]
    near = [
        [way[-1] if way else source for source, way in zip(node.sources, node.ways or [[]], strict=False)]
        for node in nodes
    ]
    centres = _centres(rows, near, across)
    starts, ends, at = [], [], 0.0
    for row in rows:
        starts.append(at)
        ends.append(at + max(along[i] for i in row))
        at = ends[-1] + _GAP_Y
    length = max(at - _GAP_Y, 0.0)
    left = min((centres[i] - size / 2 for i, size in enumerate(across)), default=0.0)
    right = max((centres[i] + size / 2 for i, size in enumerate(across)), default=0.0)
    margin, top = 12.0, 12.0 + (_LINE if picture.title else 0.0)

    def point(a: float, b: float) -> tuple[float, float]:
        """From (across, along) to pixels."""
        b = length - b if direction in ("BT", "RL") else b
        return (b + margin, a - left + top) if sideways else (a - left + margin, b + top)

    for i, node in enumerate(nodes):
        begin, end = starts[depths[i]], ends[depths[i]]
        if not node.lines and node.inner is None:
            node.points = [point(centres[i], begin), point(centres[i], end)]
            continue
        x0, y0 = point(centres[i] - across[i] / 2, begin)
        x1, y1 = point(centres[i] + across[i] / 2, begin + along[i])
        node.x, node.y = min(x0, x1), min(y0, y1)
        node.points = [point(centres[i], begin), point(centres[i], begin + along[i])]
    for node in picture.nodes:
        node.edges = [
            [nodes[source].points[1], *(p for i in way for p in nodes[i].points), node.points[0]]
            for source, way in zip(node.sources, node.ways, strict=True)
        ]
    size = (length, right - left) if sideways else (right - left, length)
    picture.width = max(size[0], _CHAR * len(picture.title)) + 2 * margin
    picture.height = size[1] + top + margin


def _centres(rows: list[list[int]], near: list[list[int]], across: list[float]) -> dict[int, float]:
    """Where the middle of each node is in its row: as near to the nodes it takes from as its neighbours allow."""
    centres: dict[int, float] = {}
    for row in rows:
        wished = {i: _mean([centres[s] for s in near[i]]) for i in row}
        row.sort(key=lambda i: wished[i])
        position = 0.0
        for i in row:
            centres[i] = position + across[i] / 2
            position += across[i] + _GAP_X
        bound = [i for i in row if near[i]]
        if bound:
            shift = _mean([wished[i] for i in bound]) - _mean([centres[i] for i in bound])
            for i in row:
                centres[i] += shift
    return centres


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


# --- SVG -------------------------------------------------------------------------------------------------------------


def _edge(points: list[tuple[float, float]], direction: str, splines: str) -> str:
    """A line through the points: along a row they differ in one coordinate, between rows perhaps in both."""
    sideways = direction in ("LR", "RL")
    back = _GAP_Y / 2 * (-1 if direction in ("LR", "TB") else 1)
    way = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        straight = y0 == y1 if sideways else x0 == x1
        if straight or splines in ("line", "false", "none", "polyline"):
            way += f" L{x1:.1f},{y1:.1f}"
        elif splines == "ortho":  # it turns in the gap before the next row
            way += f" H{x1 + back:.1f} V{y1:.1f} H{x1:.1f}" if sideways else f" V{y1 + back:.1f} H{x1:.1f} V{y1:.1f}"
        else:
            middle = (x0 + x1) / 2 if sideways else (y0 + y1) / 2
            first = f"{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f}" if sideways else None
            way += f" C{first or f'{x0:.1f},{middle:.1f} {x1:.1f},{middle:.1f}'} {x1:.1f},{y1:.1f}"
    return f'<path d="{way}" fill="none" stroke="#555" marker-end="url(#arrow)"/>'


def _body(picture: Picture, direction: str, splines: str) -> list[str]:
    out = []
    for node in picture.nodes:
        out += [_edge(points, direction, splines) for points in node.edges]
    for node in picture.nodes:
        place = f'x="{node.x:.1f}" y="{node.y:.1f}" width="{node.width:.1f}" height="{node.height:.1f}"'
        if node.inner is not None:
            out.append(f'<rect {place} rx="6" fill="#f4f6fa" stroke="#8a94a6" stroke-dasharray="4 3"/>')
            out.append(f'<g transform="translate({node.x:.1f} {node.y:.1f})">')
            out.append(f'<text x="12" y="20" font-style="italic">{html.escape(node.inner.title)}</text>')
            out += [*_body(node.inner, direction, splines), "</g>"]
            continue
        out.append(f'<rect {place} rx="4" fill="white" stroke="black"/>')
        for i, line in enumerate(node.lines):
            at = f'x="{node.x + node.width / 2:.1f}" y="{node.y + _LINE * (i + 1) - 1:.1f}"'
            weight = ' font-weight="bold"' if i == 0 else ""
            out.append(f'<text {at} text-anchor="middle"{weight}>{html.escape(line)}</text>')
    return out


def to_svg(picture: Picture, direction: str, splines: str) -> str:
    """The picture as an SVG document."""
    size = f'width="{picture.width:.0f}" height="{picture.height:.0f}"'
    box = f'viewBox="0 0 {picture.width:.0f} {picture.height:.0f}"'
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} font-family="Helvetica, Arial, sans-serif" '
        'font-size="12">',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
        *_body(picture, direction, splines),
        "</svg>\n",
    ])  # fmt: skip


# --- graphviz --------------------------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def to_dot(picture: Picture, direction: str, splines: str, dpi: int) -> str:
    """The picture's graph in graphviz's language."""
    out = [
        "digraph model {",
        f"  rankdir={direction}; splines={_quoted(splines)}; dpi={dpi}; compound=true;",
        '  node [shape=box, fontname="Helvetica", fontsize=10];',
    ]
    _dot_body(picture, "n", out)
    return "\n".join([*out, "}\n"])


def _dot_body(picture: Picture, prefix: str, out: list[str]) -> None:
    for i, node in enumerate(picture.nodes):
        if node.inner is None:
            out.append(f"  {prefix}{i} [label={_quoted(chr(10).join(node.lines))}];".replace("\n", "\\n"))
        else:
            out.append(f"  subgraph cluster_{prefix}{i} {{ label={_quoted(node.name)}; style=dashed;")
            _dot_body(node.inner, f"{prefix}{i}_", out)
            out.append("  }")
    for i, node in enumerate(picture.nodes):
        for source in node.sources:
            start, end = _dot_end(picture, prefix, source, -1), _dot_end(picture, prefix, i, 0)
            out.append(f"  {start} -> {end};")


def _dot_end(picture: Picture, prefix: str, i: int, which: int) -> str:
    """The node that stands for node i in an edge: of a model inside, its first or last."""
    inner = picture.nodes[i].inner
    if inner is None:
        return f"{prefix}{i}"
    return _dot_end(inner, f"{prefix}{i}_", which % len(inner.nodes), which)


def _run_dot(text: str, path: str, kind: str) -> None:
    done = subprocess.run(["dot", f"-T{kind}", "-o", path], input=text, text=True, capture_output=True)
    if done.returncode:
        raise ValueError(f"[plot_model] graphviz could not write {path!r}: {done.stderr.strip()[:500]}")


# --- the public function ---------------------------------------------------------------------------------------------


def plot_model(
    model: Any,
    to_file: Any = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Drawing:
    """Draws a model's graph; the returned `Drawing` has it as SVG, and notebooks show it.

    Args:
        model: a built model. One without a graph (a subclass with a `call` of its own) is a single node.
        to_file: the file to write, or None. ".svg" is written here, ".dot" is text for graphviz; other endings
            (".png", ".pdf") need graphviz's program `dot`; without it an SVG of the same name is written, with a
            warning.
        show_shapes, show_dtype, show_layer_activations, show_trainable: what a node says besides its class.
        show_layer_names: the name before the class.
        rankdir: "TB" (inputs at the top), "BT", "LR" or "RL".
        expand_nested: draw the models inside the model.
        dpi: dots per inch of what `dot` writes.
        splines: how edges run: "ortho", "curved", "line", ...
    """
    if not hasattr(model, "_graph"):
        raise ValueError(f"[plot_model] `model` must be a model, got {model!r}.")
    if not model.built:
        raise ValueError(f"[plot_model] {model.label} is not built yet: call it or build(input_shape) it first.")
    for name, value, known in (("rankdir", rankdir, _DIRECTIONS), ("splines", splines, _SPLINES)):
        if value not in known:
            raise ValueError(f"[plot_model] `{name}` must be one of {', '.join(known)}; got {value!r}.")
    if isinstance(dpi, bool) or not isinstance(dpi, int) or dpi < 1:
        raise ValueError(f"[plot_model] `dpi` must be an integer >= 1, got {dpi!r}.")
    show = {
        "shapes": show_shapes, "dtype": show_dtype, "layer_names": show_layer_names,
        "layer_activations": show_layer_activations, "trainable": show_trainable,
    }  # fmt: skip
    picture = picture_of(model, show, rankdir, expand_nested)
    svg = to_svg(picture, rankdir, splines)
    if to_file is None:
        return Drawing(svg, None)
    path = os.fspath(to_file)
    stem, ending = os.path.splitext(path)
    if ending not in (".svg", ".dot", ".gv") and shutil.which("dot") is None:
        warnings.warn(
            f"[plot_model] {ending or 'this'} files need graphviz's program `dot`, which is not installed; "
            f"{stem}.svg is written instead.",
            stacklevel=2,
        )
        path, ending = f"{stem}.svg", ".svg"
    if ending == ".svg":
        _write(path, svg)
    elif ending in (".dot", ".gv"):
        _write(path, to_dot(picture, rankdir, splines, dpi))
    else:
        _run_dot(to_dot(picture, rankdir, splines, dpi), path, ending[1:] or "png")
    return Drawing(svg, path)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
