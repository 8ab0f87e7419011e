"""A model as one file of C99 that needs nothing but <math.h>: for places where no library can go.

The graph of one row is written as loops over arrays of fixed sizes, weights as tables. Rows are computed one after the
other, so the file is for small models and small machines; `docs/embedding.md` compares it with the library.
"""

from __future__ import annotations

import math
import os
import re
from typing import Any

import numpy as np

from .. import _core
from ..serving.predictor import Predictor
from ..version import __version__
from .c_ops import C_TYPES, WRITERS, Array, Lines, number, why_not
from .export import export_bytes
from .model_io import _target

# Elements of weights and constants: beyond, a table in C takes compilers minutes.
_MOST_ELEMENTS = 4_000_000
# Bytes of one row's intermediate values, which live on the stack.
_MOST_SCRATCH = 1 << 20


def export_c(model: Any, filepath: Any, name: str | None = None) -> None:
    """Writes what `Model.export_c` says."""
    path = _target(filepath, True, "export_c")
    if name is None:
        name = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0])
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"[export_c] `name` is {name!r}; it must be a name in C, as functions begin with it.")
    content = export_bytes(model)
    graph = _core.list_graph(content, "predict", 1)
    text = _CFile(graph, name, model.label).text()
    _check_rows(content, graph, model.label)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "w", encoding="ascii", newline="\n") as file:
            file.write(text)
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def _check_rows(content: bytes, graph: dict[str, Any], label: str) -> None:
    """Whether each row alone gives what it gives among others: only then rows can be computed one by one."""
    predictor = Predictor(content)
    inputs = graph["test_inputs"]
    for row in range(graph["test_rows"]):
        alone = predictor(*(x[row : row + 1] for x in inputs))
        alone = list(alone.values()) if isinstance(alone, dict) else [alone]
        for (port, *_), got, among in zip(graph["outputs"], alone, graph["test_outputs"], strict=True):
            if not np.array_equal(got[0], among[row], equal_nan=got.dtype.kind == "f"):
                raise ValueError(
                    f'[export_c] output "{port}" of {label} depends on the other rows of the batch; the C file '
                    "computes one row at a time."
                )


class _CFile:
    def __init__(self, graph: dict[str, Any], name: str, label: str) -> None:
        self.graph, self.name, self.label = graph, name, label
        self.specs: list[tuple[str, tuple[int, ...]]] = graph["values"]
        self.nodes = [node for node in graph["nodes"] if node[0] != "input"]
        self._check()
        self.arrays: dict[int, Array] = {}
        self.tables: Lines = []
        self.declarations: Lines = []
        self.scratch: dict[str, int] = {}
        self.elements = self.num_tables = 0

    # --- what cannot be written ---

    def _check(self) -> None:
        graph = self.graph
        if graph["num_updates"]:
            raise ValueError(
                f"[export_c] {self.label} carries a state from call to call, which the C file has no form for."
            )
        for kind in ("inputs", "outputs"):
            for port, has_rows, is_fixed in graph[kind]:
                if not is_fixed or not has_rows:
                    raise ValueError(
                        f'[export_c] {kind[:-1]} "{port}" of {self.label} needs the rows as its first axis and as no '
                        "other: the C file computes one row at a time."
                    )
        refused: dict[str, str] = {}
        for op, attrs, inputs, outputs, array, _ in self.nodes:
            named = [Array("", *self.specs[v]) for v in inputs], [Array("", *self.specs[v]) for v in outputs]
            reason = None
            if array is not None:
                dtype = self.specs[outputs[0]][0]
                reason = None if dtype in C_TYPES else f"C99 has no {dtype}"
            elif op != "reshape":
                reason = why_not(op, attrs, *named)
            if reason:
                refused.setdefault(op, reason)
        if refused:
            what = "; ".join(f'"{op}": {reason}' for op, reason in sorted(refused.items()))
            raise ValueError(f"[export_c] {self.label} cannot be written as C: {what}.")

    # --- storage ---

    def _place(self) -> None:
        """Names an array for each value: a table, a caller's array, or a part of one scratch array for each dtype."""
        graph = self.graph
        for (port, *_), v in zip(graph["inputs"], graph["arguments"], strict=True):
            self.arrays[v] = Array(f"x_{_identifier(port)}", *self.specs[v])
        root = list(range(len(self.specs)))  # whose memory a value is in
        last_use = [-1] * len(self.specs)
        for at, (op, _, inputs, outputs, _, _) in enumerate(self.nodes):
            if op == "reshape":
                root[outputs[0]] = root[inputs[0]]
            for v in inputs:
                last_use[root[v]] = at
        for v in graph["results"]:
            last_use[root[v]] = len(self.nodes)
        taken: dict[str, list[tuple[int, int, int]]] = {}  # dtype: (begin, end, last use)
        for at, (op, _, inputs, outputs, array, variable) in enumerate(self.nodes):
            if array is not None:
                self.arrays[outputs[0]] = self._table(array, variable, self.specs[outputs[0]])
                continue
            if op == "reshape":
                self.arrays[outputs[0]] = Array(self.arrays[inputs[0]].name, *self.specs[outputs[0]])
                continue
            for v in outputs:
                dtype, shape = self.specs[v]
                size = math.prod(shape)
                live = sorted(part for part in taken.get(dtype, []) if part[2] >= at)
                begin = 0
                for other_begin, other_end, _ in live:
                    if begin + size <= other_begin:
                        break
                    begin = max(begin, other_end)
                taken[dtype] = [*live, (begin, begin + size, max(last_use[v], at))]
                self.scratch[dtype] = max(self.scratch.get(dtype, 0), begin + size)
                self.arrays[v] = Array(f"v{v}", dtype, shape)
                self.declarations.append(f"{C_TYPES[dtype]}* const v{v} = {dtype}_scratch + {begin};")
        total = sum(size * np.dtype(dtype).itemsize for dtype, size in self.scratch.items())
        if total > _MOST_SCRATCH:
            raise ValueError(
                f"[export_c] one row of {self.label} needs {total:,} bytes of intermediate values; the C file keeps at "
                f"most {_MOST_SCRATCH:,} on the stack. Use the library: Model.export and falconet.h."
            )

    def _table(self, array: np.ndarray, variable: str | None, spec: tuple[str, tuple[int, ...]]) -> Array:
        self.elements += array.size
        if self.elements > _MOST_ELEMENTS:
            raise ValueError(
                f"[export_c] {self.label} has more than {_MOST_ELEMENTS:,} weights, which is too many for tables in C. "
                "Use the library: Model.export and falconet.h."
            )
        name = f"{self.name}_w{self.num_tables}"
        self.num_tables += 1
        values = [number(v, spec[0]) for v in array.reshape(-1).tolist()]
        if variable:
            self.tables.append(f"/* {_comment(variable)}: {spec[0]}{spec[1]} */")
        self.tables.append(f"static const {C_TYPES[spec[0]]} {name}[{max(1, len(values))}] = {{")
        self.tables += _wrapped(values)
        self.tables.append("};")
        return Array(name, *spec)

    # --- the file ---

    def text(self) -> str:
        self._place()
        graph, name = self.graph, self.name
        steps: Lines = []
        for op, attrs, inputs, outputs, array, _ in self.nodes:
            if array is None and op != "reshape":
                steps.append(f"/* {op} */")
                steps += WRITERS[op](op, attrs, [self.arrays[v] for v in inputs], [self.arrays[v] for v in outputs])
        for (port, *_), v in zip(graph["outputs"], graph["results"], strict=True):
            a = self.arrays[v]
            steps.append(f"for (int i = 0; i < {a.size}; ++i) y_{_identifier(port)}[i] = {a.name}[i];")
        ports = [("x_", p[0], self.specs[v]) for p, v in zip(graph["inputs"], graph["arguments"], strict=True)]
        ports += [("y_", p[0], self.specs[v]) for p, v in zip(graph["outputs"], graph["results"], strict=True)]
        parameters = [
            f"{'const ' if start == 'x_' else ''}{C_TYPES[spec[0]]}* {start}{_identifier(port)}"
            for start, port, spec in ports
        ]
        advance = [
            f"{start}{_identifier(port)} + (size_t)r * {_size_name(name, start, port)}" for start, port, _ in ports
        ]
        signature = f"void {name}_predict({', '.join(parameters)}, int batch)"
        scratch = [f"{C_TYPES[dtype]} {dtype}_scratch[{size}];" for dtype, size in self.scratch.items()]
        lines = [
            f"/* {_comment(self.label)}, written by falconet {__version__}. C99; needs <math.h> and nothing else.",
            " *",
            f" *   {signature};",
            " *",
            " * Arrays are contiguous, one row of the batch after the other; the sizes of a row are below. Calls share",
            " * nothing that changes, so any number of threads may make them. An index out of range (of an embedding)",
            f" * gives NaN. With -D{name.upper()}_SELF_TEST the file is a program that compares itself with what",
            " * Falconet computed. */",
            "#include <math.h>",
            "#include <stddef.h>",
            "#include <stdint.h>",
            "",
            *[
                f"#define {_size_name(name, start, port)} {math.prod(spec[1])} /* {spec[0]}{spec[1][1:]} */"
                for start, port, spec in ports
            ],
            "",
            *self.tables,
            "",
            f"static void {name}_row({', '.join(parameters)}) {{",
            *["  " + line for line in [*scratch, *self.declarations, *steps]],
            "}",
            "",
            f"{signature};",
            f"{signature} {{",
            f"  for (int r = 0; r < batch; ++r) {name}_row({', '.join(advance)});",
            "}",
            "",
            *self._self_test(ports),
        ]
        return "\n".join(lines) + "\n"

    def _self_test(self, ports: list[tuple[str, str, tuple[str, tuple[int, ...]]]]) -> Lines:
        graph, name, lines = self.graph, self.name, [f"#ifdef {self.name.upper()}_SELF_TEST", "#include <stdio.h>"]
        given = [*graph["test_inputs"], *graph["test_outputs"]]
        for (start, port, spec), array in zip(ports, given, strict=True):
            values = [number(v, spec[0]) for v in array.reshape(-1).tolist()]
            lines.append(f"static const {C_TYPES[spec[0]]} test_{start}{_identifier(port)}[{len(values)}] = {{")
            lines += [*_wrapped(values), "};"]
        outputs = [
            (f"y_{_identifier(p)}", spec, array) for (s, p, spec), array in zip(ports, given, strict=True) if s == "y_"
        ]
        arguments = [f"test_x_{_identifier(p)}" for s, p, _ in ports if s == "x_"] + [y for y, _, _ in outputs]
        lines += ["int main(void) {"]
        lines += [f"  static {C_TYPES[spec[0]]} {y}[{array.size}];" for y, spec, array in outputs]
        lines += ["  double worst = 0;", f"  {name}_predict({', '.join(arguments)}, {graph['test_rows']});"]
        for y, _, array in outputs:
            finite = np.abs(array[np.isfinite(array)].astype(np.float64))
            scale = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
            lines += [
                f"  for (int i = 0; i < {array.size}; ++i) {{",
                f"    const double got = (double){y}[i], want = (double)test_{y}[i];",
                "    const double far = got == want || (got != got && want != want) ? 0 : fabs(got - want);",
                f"    const double off = far / {scale!r};",
                "    if (!(off <= worst)) worst = off;",
                "  }",
            ]
        return [
            *lines,
            '  printf("largest difference, as a share of the largest output: %.3g\\n", worst);',
            "  return worst <= 1e-5 ? 0 : 1;",
            "}",
            "#endif",
        ]


def _identifier(port: str) -> str:
    return re.sub(r"\W", "_", port, flags=re.ASCII)


def _size_name(name: str, start: str, port: str) -> str:
    return f"{name}_{start}{_identifier(port)}_size".upper()


def _comment(text: str) -> str:
    return text.encode("ascii", "replace").decode().replace("*/", "* /").replace("\n", " ")


def _wrapped(values: list[str]) -> Lines:
    lines, line = [], " "
    for value in values or ["0"]:
        if len(line) + len(value) + 2 > 118:
            lines.append(line)
            line = " "
        line += f" {value},"
    return [*lines, line]
