"""The ops of the table as C: for each, loops over arrays of fixed sizes. `export_c` writes files of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

# C99's types of the dtypes; 16-bit floats have none.
C_TYPES = {
    "bool": "uint8_t", "uint8": "uint8_t", "int8": "int8_t", "uint16": "uint16_t", "int16": "int16_t",
    "uint32": "uint32_t", "int32": "int32_t", "uint64": "uint64_t", "int64": "int64_t", "float32": "float",
    "float64": "double",
}  # fmt: skip


class Array(NamedTuple):
    """A value in the C file: its name, dtype and shape, contiguous and row-major."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_float(self) -> bool:
        return self.dtype.startswith("float")

    @property
    def zero(self) -> str:
        return number(0.0, self.dtype)


Lines = list[str]


def number(value: Any, dtype: str) -> str:
    """A literal of C that reads back as exactly the value."""
    if not dtype.startswith("float"):
        text = str(int(value))
        limits = {-(2**63): "(-INT64_C(9223372036854775807) - 1)", -(2**31): "(-INT32_C(2147483647) - 1)"}
        if int(value) in limits:
            return limits[int(value)]
        return f"INT64_C({text})" if dtype == "int64" else f"UINT64_C({text})" if dtype == "uint64" else text
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    text = f"{float(value):.9g}" if dtype == "float32" else f"{float(value):.17g}"
    if not any(c in text for c in ".e"):
        text += ".0"
    return text + ("f" if dtype == "float32" else "")


def function(name: str, dtype: str) -> str:
    """A function of <math.h> for the dtype."""
    return name + "f" if dtype == "float32" else name


def strides(shape: Sequence[int]) -> list[int]:
    found, step = [], 1
    for size in reversed(shape):
        found.append(step)
        step *= size
    return found[::-1]


def position(indices: Sequence[str], steps: Sequence[int], start: int = 0) -> str:
    """An index expression: the sum of indices times steps."""
    terms = [index if step == 1 else f"{index} * {step}" for index, step in zip(indices, steps, strict=True) if step]
    if start or not terms:
        terms.append(str(start))
    return " + ".join(terms)


def nest(sizes: Sequence[int], body: Callable[[list[str]], Lines], letter: str = "i") -> Lines:
    """Loops over an index space around what body(index names) gives. Axes of length one have the index 0."""
    names = [f"{letter}{d}" if size != 1 else "0" for d, size in enumerate(sizes)]
    lines, depth = [], 0
    for size, name in zip(sizes, names, strict=True):
        if size != 1:
            lines.append("  " * depth + f"for (int {name} = 0; {name} < {size}; ++{name}) {{")
            depth += 1
    lines += ["  " * depth + line for line in body(names)]
    return lines + ["  " * d + "}" for d in reversed(range(depth))]


def indexed(array: Array, indices: Sequence[str], shape: Sequence[int]) -> str:
    """The element of an array that broadcasts to `shape`."""
    own = [0] * (len(shape) - len(array.shape)) + [
        0 if size == 1 else step for size, step in zip(array.shape, strides(array.shape), strict=True)
    ]
    return f"{array.name}[{position(indices, own)}]"


# --- pointwise: an expression of operands a, b, c for a result of dtype t ---


def _math(name: str) -> Callable[..., str]:
    return lambda t, *x: f"{function(name, t)}({', '.join(x)})"


def _wrapping(sign: str) -> Callable[..., str]:
    def expression(t: str, a: str, b: str) -> str:
        if t.startswith("float"):
            return f"{a} {sign} {b}"
        return f"({C_TYPES[t]})((uint64_t){a} {sign} (uint64_t){b})"  # where signed numbers would overflow

    return expression


def _larger(sign: str) -> Callable[..., str]:
    def expression(t: str, a: str, b: str) -> str:
        nan = f" || {a} != {a}" if t.startswith("float") else ""
        return f"{a} {sign} {b}{nan} ? {a} : {b}"

    return expression


def _cast(t: str, a: str) -> str:
    return f"{a} != 0" if t == "bool" else f"({C_TYPES[t]}){a}"


def _one(t: str) -> str:
    return number(1.0, t)


# Results of floats, or of the operands' dtype.
POINTWISE: dict[str, Callable[..., str]] = {
    "add": _wrapping("+"),
    "subtract": _wrapping("-"),
    "multiply": _wrapping("*"),
    "maximum": _larger(">"),
    "minimum": _larger("<"),
    "where": lambda t, c, a, b: f"{c} ? {a} : {b}",
    "cast": _cast,
    **dict.fromkeys(["copy", "stop_gradient", "broadcast_to", "spread"], lambda t, a: a),
    "equal": lambda t, a, b: f"{a} == {b}",
    "not_equal": lambda t, a, b: f"{a} != {b}",
    "less": lambda t, a, b: f"{a} < {b}",
    "less_equal": lambda t, a, b: f"{a} <= {b}",
    "greater": lambda t, a, b: f"{a} > {b}",
    "greater_equal": lambda t, a, b: f"{a} >= {b}",
    "logical_and": lambda t, a, b: f"{a} && {b}",
    "logical_or": lambda t, a, b: f"{a} || {b}",
    "logical_xor": lambda t, a, b: f"!{a} != !{b}",
    "logical_not": lambda t, a: f"!{a}",
    "isnan": lambda t, a: f"{a} != {a}",
    "isinf": lambda t, a: f"isinf({a}) != 0",
    "isfinite": lambda t, a: f"isfinite({a}) != 0",
}
FLOAT_ONLY: dict[str, Any] = {
    "divide": lambda t, a, b: f"{a} / {b}",
    "negative": lambda t, a: f"-{a}",
    "sign": lambda t, a: f"{a} != {a} ? {a} : ({C_TYPES[t]})(({a} > 0) - ({a} < 0))",
    "square": lambda t, a: f"{a} * {a}",
    "rsqrt": lambda t, a: f"{_one(t)} / {function('sqrt', t)}({a})",
    "reciprocal": lambda t, a: f"{_one(t)} / {a}",
    "relu": lambda t, a: f"{a} < 0 ? 0 : {a}",
    "sigmoid": lambda t, a: f"{_one(t)} / ({_one(t)} + {function('exp', t)}(-{a}))",
    "softplus": lambda t, a: (
        f"{function('log1p', t)}({function('exp', t)}(-{function('fabs', t)}({a}))) + ({a} > 0 ? {a} : 0)"
    ),
    "floor_divide": lambda t, a, b: f"{function('floor', t)}({a} / {b})",
} | {
    name: _math(c)
    for name, c in {
        "sqrt": "sqrt", "cbrt": "cbrt", "floor": "floor", "ceil": "ceil", "round": "rint", "trunc": "trunc",
        "abs": "fabs", "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2",
        "log10": "log10", "log1p": "log1p", "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin",
        "arccos": "acos", "arctan": "atan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "arcsinh": "asinh",
        "arccosh": "acosh", "arctanh": "atanh", "erf": "erf", "erfc": "erfc", "lgamma": "lgamma", "power": "pow",
        "fmod": "fmod", "arctan2": "atan2", "hypot": "hypot", "copysign": "copysign", "fmin": "fmin",
        "fmax": "fmax",
    }.items()
}  # fmt: skip


def _pointwise(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    expression = FLOAT_ONLY.get(op) or POINTWISE[op]
    out = y[0]
    if all(a.size in (out.size, 1) for a in x):  # then nothing broadcasts but numbers
        flat = [a.name + ("[0]" if a.size == 1 else "[i]") for a in x]
        return [f"for (int i = 0; i < {out.size}; ++i) {out.name}[i] = {expression(out.dtype, *flat)};"]

    def body(indices: list[str]) -> Lines:
        operands = [indexed(a, indices, out.shape) for a in x]
        return [f"{indexed(out, indices, out.shape)} = {expression(out.dtype, *operands)};"]

    return nest(out.shape, body)


# --- products ---


def _gemm(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    a, b, out = x[0], x[1], y[0]
    batch = out.shape[:-2]
    m, n = out.shape[-2:]
    k = a.shape[-2 if attrs["transpose_a"] else -1]
    a_step = (1, m) if attrs["transpose_a"] else (k, 1)
    b_step = (1, k) if attrs["transpose_b"] else (n, 1)

    def start(array: Array, indices: list[str]) -> str:
        lead = array.shape[:-2]
        steps = [
            0 if size == 1 else step * array.shape[-1] * array.shape[-2]
            for size, step in zip(lead, strides(lead), strict=True)
        ]
        return position(indices[len(batch) - len(lead) :], steps)

    def body(indices: list[str]) -> Lines:
        row = f"{out.name} + {start(out, indices)} + m * {n}"
        return [
            f"for (int m = 0; m < {m}; ++m) {{",
            f"  {C_TYPES[out.dtype]}* const row = {row};",
            f"  for (int n = 0; n < {n}; ++n) row[n] = 0;",
            f"  for (int k = 0; k < {k}; ++k) {{",
            f"    const {C_TYPES[a.dtype]} factor = {a.name}[{start(a, indices)} + m * {a_step[0]} + k * {a_step[1]}];",
            f"    for (int n = 0; n < {n}; ++n) "
            f"row[n] += factor * {b.name}[{start(b, indices)} + k * {b_step[0]} + n * {b_step[1]}];",
            "  }",
            "}",
        ]

    return nest(batch, body)


# --- movement ---


def _transpose(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    axes = attrs["axes"] or tuple(reversed(range(len(x[0].shape))))
    from_steps = [strides(x[0].shape)[axis] for axis in axes]
    return nest(
        y[0].shape,
        lambda i: [f"{y[0].name}[{position(i, strides(y[0].shape))}] = {x[0].name}[{position(i, from_steps)}];"],
    )


def _slice(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    shape = x[0].shape
    given = zip(attrs["start"], attrs["stop"], attrs["step"] or (1,) * len(attrs["start"]), strict=True)
    steps, begin = strides(shape), 0
    for d, (start, stop, step) in enumerate(given):
        begin += slice(start, stop, step).indices(shape[d])[0] * steps[d]
        steps[d] *= step
    return nest(
        y[0].shape,
        lambda i: [f"{y[0].name}[{position(i, strides(y[0].shape))}] = {x[0].name}[{position(i, steps, begin)}];"],
    )


def _concatenate(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    out = y[0]
    axis, lines, begin = attrs["axis"] % len(out.shape), [], 0
    for a in x:
        at = begin * strides(out.shape)[axis]
        lines += nest(
            a.shape,
            lambda i, a=a, at=at: [  # type: ignore[misc]
                f"{out.name}[{position(i, strides(out.shape), at)}] = {a.name}[{position(i, strides(a.shape))}];"
            ],
        )
        begin += a.shape[axis]
    return lines


def _pad_constant(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    out = y[0]
    at = sum(low * step for low, step in zip(attrs["low"], strides(out.shape), strict=True))
    fill = number(attrs["value"], out.dtype)
    return [f"for (int i = 0; i < {out.size}; ++i) {out.name}[i] = {fill};"] + nest(
        x[0].shape,
        lambda i: [
            f"{out.name}[{position(i, strides(out.shape), at)}] = {x[0].name}[{position(i, strides(x[0].shape))}];"
        ],
    )


def _gather(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    source, index, out = x[0], x[1], y[0]
    axis = attrs["axis"] % len(source.shape)
    size, steps = source.shape[axis], strides(source.shape)
    along = op == "gather_along"

    def body(i: list[str]) -> Lines:
        picks = i[axis : axis + len(index.shape)]
        which = indexed(index, i, out.shape) if along else f"{index.name}[{position(picks, strides(index.shape))}]"
        rest = [*i[:axis], "k", *i[axis + 1 :]] if along else [*i[:axis], "k", *i[axis + len(index.shape) :]]
        none = "NAN" if out.is_float else "0"
        return [
            f"const int64_t given = (int64_t){which}, k = given < 0 ? given + {size} : given;",
            f"{out.name}[{position(i, strides(out.shape))}] = "
            f"k < 0 || k >= {size} ? {none} : {source.name}[{position(rest, steps)}];",
        ]

    lines = nest(out.shape, body)
    return lines if len(lines) > 2 else ["{", *["  " + line for line in lines], "}"]


def _one_hot_rows(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    depth = attrs["num_classes"]
    return nest(
        (x[0].size, depth),
        lambda i: [f"{y[0].name}[{position(i, (depth, 1))}] = (int64_t){x[0].name}[{i[0]}] == {i[1]};"],
    )


def _iota(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    return [f"for (int i = 0; i < {y[0].size}; ++i) {y[0].name}[i] = ({C_TYPES[y[0].dtype]})i;"]


# --- reductions and rows ---

_REDUCTIONS: dict[str, tuple[Any, Callable[[str, str], str]]] = {
    "reduce_sum": (0.0, lambda a, v: f"{a} += {v};"),
    "reduce_prod": (1.0, lambda a, v: f"{a} *= {v};"),
    "reduce_max": (None, lambda a, v: f"if ({v} > {a} || {v} != {v}) {a} = {v};"),
    "reduce_min": (None, lambda a, v: f"if ({v} < {a} || {v} != {v}) {a} = {v};"),
    "reduce_any": (0, lambda a, v: f"if ({v}) {a} = 1;"),
    "reduce_all": (1, lambda a, v: f"if (!{v}) {a} = 0;"),
}


def _reduce(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    source, out = x[0], y[0]
    axes = range(len(source.shape)) if attrs["axis"] is None else [axis % len(source.shape) for axis in attrs["axis"]]
    kept = [d for d in range(len(source.shape)) if d not in axes]
    steps = strides(source.shape)
    first, join = _REDUCTIONS[op]
    kept_shape = [source.shape[d] for d in kept]

    def body(i: list[str]) -> Lines:
        base = position(i, [steps[d] for d in kept])
        start = f"{source.name}[{base}]" if first is None else number(first, out.dtype)

        def inner(j: list[str]) -> Lines:
            return [join("total", f"{source.name}[{base} + {position(j, [steps[d] for d in axes])}]")]

        return [
            "{",
            f"  {C_TYPES[out.dtype]} total = {start};",
            *["  " + line for line in nest([source.shape[d] for d in axes], inner, "j")],
            f"  {out.name}[{position(i, strides(kept_shape))}] = total;",
            "}",
        ]

    return nest(kept_shape, body)


def _reduce_arg(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    source, out = x[0], y[0]
    axis = attrs["axis"] % len(source.shape)
    steps, sign = strides(source.shape), ">" if op == "reduce_argmax" else "<"
    kept = [d for d in range(len(source.shape)) if d != axis]

    def body(i: list[str]) -> Lines:
        base = position(i, [steps[d] for d in kept])
        return [
            "{",
            f"  {C_TYPES[source.dtype]} best = {source.name}[{base}];",
            "  int at = 0;",
            f"  for (int j = 1; j < {source.shape[axis]}; ++j) {{",
            f"    const {C_TYPES[source.dtype]} v = {source.name}[{base} + j * {steps[axis]}];",
            f"    if (v {sign} best || (v != v && best == best)) {{",
            "      best = v;",
            "      at = j;",
            "    }",
            "  }",
            f"  {out.name}[{position(i, strides([source.shape[d] for d in kept]))}] = at;",
            "}",
        ]

    return nest([source.shape[d] for d in kept], body)


def _rows(array: Array) -> tuple[int, int]:
    width = array.shape[-1]
    return array.size // width if width else 0, width


def _row_softmax(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    rows, width = _rows(x[0])
    t, source, out = C_TYPES[x[0].dtype], x[0].name, y[0].name
    exp, log = function("exp", x[0].dtype), function("log", x[0].dtype)
    lines = [
        f"for (int r = 0; r < {rows}; ++r) {{",
        f"  const {t}* const row = {source} + r * {width};",
        f"  {t} most = row[0], total = 0;",
        f"  for (int i = 1; i < {width}; ++i) if (row[i] > most || row[i] != row[i]) most = row[i];",
    ]
    sum_up = f"  for (int i = 0; i < {width}; ++i) total += {exp}(row[i] - most);"
    if op == "row_softmax":
        lines += [
            f"  for (int i = 0; i < {width}; ++i) total += {out}[r * {width} + i] = {exp}(row[i] - most);",
            f"  for (int i = 0; i < {width}; ++i) {out}[r * {width} + i] /= total;",
        ]
    elif op == "row_log_softmax":
        lines += [
            sum_up,
            f"  total = {log}(total);",
            f"  for (int i = 0; i < {width}; ++i) {out}[r * {width} + i] = row[i] - most - total;",
        ]
    else:
        lines += [
            "  if (isfinite(most)) {",
            "  " + sum_up,
            f"    {out}[r] = most + {log}(total);",
            "  } else {",
            f"    {out}[r] = most;",
            "  }",
        ]
    return [*lines, "}"]


def _norm_rows(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    rows, width = _rows(x[0])
    t = C_TYPES[x[0].dtype]
    source, gamma, out = x[0].name, x[1].name, y[0].name
    epsilon, sqrt = number(attrs["epsilon"], x[0].dtype), function("sqrt", x[0].dtype)
    centred = op == "layer_norm_rows"
    lines = [f"for (int r = 0; r < {rows}; ++r) {{", f"  const {t}* const row = {source} + r * {width};"]
    minus = ""
    if centred:
        lines += [
            f"  {t} mean = 0;",
            f"  for (int i = 0; i < {width}; ++i) mean += row[i];",
            f"  mean /= {width};",
            f"  {y[1].name}[r] = mean;",
        ]
        minus = " - mean"
    shift = f" + {x[2].name}[i]" if centred else ""
    return [
        *lines,
        f"  {t} squares = 0;",
        f"  for (int i = 0; i < {width}; ++i) squares += (row[i]{minus}) * (row[i]{minus});",
        f"  const {t} scale = 1 / {sqrt}(squares / {width} + {epsilon});",
        f"  {y[-1].name}[r] = scale;",
        f"  for (int i = 0; i < {width}; ++i) {out}[r * {width} + i] = (row[i]{minus}) * scale * {gamma}[i]{shift};",
        "}",
    ]


def _scan(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> Lines:
    source, out = x[0], y[0]
    axis = attrs["axis"] % len(source.shape)
    steps, length = strides(source.shape), source.shape[axis]
    others = [size for d, size in enumerate(source.shape) if d != axis]
    join = _REDUCTIONS["reduce_" + op.removeprefix("scan_")][1]

    def body(i: list[str]) -> Lines:
        base = position(i, [step for d, step in enumerate(steps) if d != axis])
        at = f"({length - 1} - j)" if attrs["reverse"] else "j"
        first = (length - 1 if attrs["reverse"] else 0) * steps[axis]
        element = f"[{base} + {at} * {steps[axis]}]"
        return [
            "{",
            f"  {C_TYPES[out.dtype]} total = {source.name}[{base} + {first}];",
            f"  {out.name}[{base} + {first}] = total;",
            f"  for (int j = 1; j < {length}; ++j) {{",
            f"    {join('total', source.name + element)}",
            f"    {out.name}{element} = total;",
            "  }",
            "}",
        ]

    return nest(others, body)


Writer = Callable[[str, dict[str, Any], list[Array], list[Array]], Lines]
WRITERS: dict[str, Writer] = {
    **dict.fromkeys([*POINTWISE, *FLOAT_ONLY], _pointwise),
    **dict.fromkeys(_REDUCTIONS, _reduce),
    **dict.fromkeys(["reduce_argmax", "reduce_argmin"], _reduce_arg),
    **dict.fromkeys(["row_softmax", "row_log_softmax", "row_logsumexp"], _row_softmax),
    **dict.fromkeys(["layer_norm_rows", "rms_norm_rows"], _norm_rows),
    **dict.fromkeys(["scan_sum", "scan_prod", "scan_max", "scan_min"], _scan),
    **dict.fromkeys(["gather", "gather_along"], _gather),
    "gemm": _gemm,
    "transpose": _transpose,
    "slice": _slice,
    "concatenate": _concatenate,
    "pad_constant": _pad_constant,
    "one_hot_rows": _one_hot_rows,
    "iota": _iota,
}


def why_not(op: str, attrs: dict[str, Any], x: list[Array], y: list[Array]) -> str | None:
    """Why a node has no C form here; None where it has."""
    if op not in WRITERS:
        return "there is no C form of the op"
    wrong = [a.dtype for a in (*x, *y) if a.dtype not in C_TYPES]
    if wrong:
        return f"C99 has no {wrong[0]}"
    if op in FLOAT_ONLY and not all(a.is_float for a in (*x, *y)):
        return f"its C form is of floats, not of {next(a.dtype for a in (*x, *y) if not a.is_float)}"
    if any(a.size == 0 for a in (*x, *y)):
        return "it has an array without elements"
    if op == "pad_constant" and min((*attrs["low"], *attrs["high"])) < 0:
        return "its padding is negative"
    return None
