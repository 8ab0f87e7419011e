"""A reader of model files in NumPy and json, written from docs/model_file.md: `load(path)` gives a function of arrays.

It knows the ops that multilayer perceptrons, embeddings and normalisation become, and refuses others by name.
"""

import json
import pathlib
import re
import zlib

import numpy as np

DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4", "I32": "i4", "U64": "u8", "I64": "i8",
    "F16": "f2", "F32": "f4", "F64": "f8",
}  # fmt: skip


def read_arrays(path):
    """(arrays by name, metadata) of a safetensors file whose checksum holds."""
    data = pathlib.Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__")
    digits = metadata["checksum"].removeprefix("crc32:")
    at = data.index(b"crc32:" + digits.encode()) + len("crc32:")
    if zlib.crc32(data[:at] + b"00000000" + data[at + 8 :]) != int(digits, 16):
        raise ValueError(f"{path}: damaged")
    if (metadata["format"], metadata["version"], metadata["kind"]) != ("falconet", "1", "graph"):
        raise ValueError(f"{path}: not a model file of version 1")
    payload, arrays = data[8 + length :], {}
    for name, entry in header.items():
        if not name.startswith("__pad__/"):
            begin, end = entry["data_offsets"]
            array = np.frombuffer(payload[begin:end], "<" + DTYPES[entry["dtype"]])
            arrays[name] = array.reshape(entry["shape"])
    return arrays, metadata


def size(value, n):
    """An integer, or one that depends on the number of rows: "n", "12n+3"."""
    if not isinstance(value, str):
        return value
    factor, rest = re.fullmatch(r"(-?\d*)n([+-]\d+)?", value).groups()
    return int({"": 1, "-": -1}.get(factor, factor)) * n + int(rest or 0)


def sizes(values, n):
    return tuple(size(v, n) for v in values)


def axes(attrs):
    return tuple(attrs["axis"])


def gemm(a, x, y):
    x = np.swapaxes(x, -1, -2) if a["transpose_a"] else x
    y = np.swapaxes(y, -1, -2) if a["transpose_b"] else y
    return x @ y


def row_softmax(a, x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm_rows(a, x, gamma, beta):
    mean = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + a["epsilon"])
    return ((x - mean) * rstd * gamma + beta, mean[..., 0], rstd[..., 0])


def window(a, x):
    index = []
    for start, stop, step, length in zip(a["start"], a["stop"], a["step"], x.shape, strict=True):
        index.append(slice(start, stop if stop >= 0 or step > 0 else None, step))
        assert stop >= 0 or stop == -length - 1
    return x[tuple(index)]


# Each takes the attributes, sizes filled in, and the operands.
OPS = {
    "gemm": gemm,
    "add": lambda a, x, y: x + y,
    "subtract": lambda a, x, y: x - y,
    "multiply": lambda a, x, y: x * y,
    "divide": lambda a, x, y: x / y,
    "maximum": lambda a, x, y: np.maximum(x, y),
    "minimum": lambda a, x, y: np.minimum(x, y),
    "relu": lambda a, x: np.maximum(x, 0),
    "tanh": lambda a, x: np.tanh(x),
    "sigmoid": lambda a, x: 1 / (1 + np.exp(-x)),
    "exp": lambda a, x: np.exp(x),
    "expm1": lambda a, x: np.expm1(x),
    "log1p": lambda a, x: np.log1p(x),
    "sqrt": lambda a, x: np.sqrt(x),
    "rsqrt": lambda a, x: 1 / np.sqrt(x),
    "square": lambda a, x: x * x,
    "negative": lambda a, x: -x,
    "greater": lambda a, x, y: x > y,
    "less": lambda a, x, y: x < y,
    "where": lambda a, c, x, y: np.where(c, x, y),
    "cast": lambda a, x: x.astype(a["dtype"]),
    "reshape": lambda a, x: x.reshape(a["shape"]),
    "transpose": lambda a, x: x.transpose(a["axes"]),
    "broadcast_to": lambda a, x: np.broadcast_to(x, a["shape"]),
    "slice": window,
    "concatenate": lambda a, *xs: np.concatenate(xs, a["axis"]),
    "gather": lambda a, x, i: np.take(x, i, a["axis"]),
    "reduce_sum": lambda a, x: x.sum(axes(a), keepdims=a["keepdims"]),
    "reduce_max": lambda a, x: x.max(axes(a), keepdims=a["keepdims"]),
    "row_softmax": row_softmax,
    "layer_norm_rows": layer_norm_rows,
}


def attributes(node, n):
    found = {}
    for name, value in node.get("attrs", {}).items():
        listed = isinstance(value, list)
        text = isinstance(value, str) and not re.fullmatch(r"-?\d*n([+-]\d+)?", value)
        found[name] = sizes(value, n) if listed else value if text else size(value, n)
    return found


def load(path, signature="predict"):
    """A function of the signature's inputs, by position, that returns the list of its outputs. `updates` are not kept.

    Its attribute `test` is the (inputs, outputs) that the file carries, `metadata` the file's.
    """
    arrays, metadata = read_arrays(path)
    graph = json.loads(arrays["falconet/graph"].tobytes())
    chosen = graph["signatures"][signature]

    def run(*inputs):
        rows = [x.shape[0] for x, p in zip(inputs, chosen["inputs"], strict=True) if p["shape"][:1] == ["n"]]
        n = rows[0] if rows else 0
        feed, values = iter(inputs), []
        for node in chosen["nodes"]:
            op = node["op"]
            if op == "input":
                x = np.asarray(next(feed), node["dtype"])
                if x.shape != sizes(node["shape"], n):
                    raise ValueError(f"an input has shape {x.shape}; {sizes(node['shape'], n)} is needed")
                values.append(x)
            elif op == "variable":
                values.append(arrays[graph["variables"][node["variable"]]["name"]])
            elif op == "constant":
                is_array = "tensor" in node
                number = 0 if is_array else node["value"]
                number = float(number) if number in ("inf", "-inf", "nan") else size(number, n)
                values.append(arrays[node["tensor"]] if is_array else np.array(number, node["dtype"]))
            elif op in OPS:
                made = OPS[op](attributes(node, n), *(values[i] for i in node["in"]))
                values += made if isinstance(made, tuple) else [made]
            else:
                raise NotImplementedError(f"this reader does not know the op {op!r}")
        return [values[i] for i in chosen["results"]]

    test = chosen.get("test")
    if test:
        run.test = [[arrays[name] for name in test[part]] for part in ("inputs", "outputs")]
    run.metadata = metadata
    return run
