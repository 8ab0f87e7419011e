"""Writes `files/*.falconet`: for each way in which loaders of other systems were broken, a file that tries it.

    python tests/hostile/make_hostile.py

`cases` says what each is and the words that its error must have; `ACCEPTED` are files that must load. A checksum that
is right does not make a file good: these have one, but where the checksum is the point. `tests/python/test_hostile.py`
loads them; they are also the fuzzer's corpus.
"""

import json
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
CODES = {"bool": "BOOL", "uint8": "U8", "int32": "I32", "int64": "I64", "float32": "F32", "float64": "F64"}


def x_input(shape=("n", 2), dtype="float32"):
    return {"op": "input", "dtype": dtype, "shape": list(shape)}


def node(op, inputs, **attrs):
    return {"op": op, "in": list(inputs), **({"attrs": attrs} if attrs else {})}


def variable(i):
    return {"op": "variable", "variable": i}


def graph_of(nodes, results=None, inputs=None, outputs=None, variables=None, **more):
    """A graph of one signature that computes `nodes`; the last value is the result."""
    first = next(n for n in nodes if n["op"] == "input")
    port = {"name": "x", "dtype": first["dtype"], "shape": first["shape"]}
    signature = {
        "inputs": inputs or [port],
        "outputs": outputs or [{"name": "y", "dtype": "float32", "shape": ["n", 2]}],
        "nodes": nodes,
        "results": [len(nodes) - 1] if results is None else results,
        **more,
    }
    weights = [{"name": "w", "role": "weight"}, {"name": "b", "role": "weight"}]
    return {"variables": weights if variables is None else variables, "signatures": {"predict": signature}}


def good_graph():
    gemm = node("gemm", [0, 1], transpose_a=False, transpose_b=False)
    return graph_of([x_input(), variable(0), gemm, variable(1), node("add", [2, 3])])


def arrays_of():
    return {"w": np.eye(2, dtype="float32"), "b": np.zeros(2, "float32")}


class File:
    """A model file in parts, any of which may be made wrong before it is put together."""

    def __init__(self, graph=None, arrays=None):
        self.arrays = arrays_of() if arrays is None else arrays
        self.graph = json.dumps(good_graph() if graph is None else graph)
        self.metadata = {
            "checksum": "crc32:00000000",
            "format": "falconet",
            "version": "1",
            "kind": "graph",
            "producer": "hostile",
        }
        self.text = self.length = None
        self.align = 64

    def lay_out(self):
        """Header and payload of what is there."""
        text = self.graph if isinstance(self.graph, bytes) else self.graph.encode()
        arrays = {**self.arrays, "falconet/graph": np.frombuffer(text, "uint8")}
        header, payload, pads = {"__metadata__": dict(self.metadata)}, b"", 0
        for name, array in arrays.items():
            raw = array.tobytes()
            header[name] = {
                "dtype": CODES[array.dtype.name],
                "shape": list(array.shape),
                "data_offsets": [len(payload), len(payload) + len(raw)],
            }
            payload += raw
            gap = -len(payload) % self.align
            if gap:
                header[f"__pad__/{pads}"] = {
                    "dtype": "U8",
                    "shape": [gap],
                    "data_offsets": [len(payload), len(payload) + gap],
                }
                payload, pads = payload + bytes(gap), pads + 1
        return header, payload

    def bytes(self, change=None, seal=True):
        """The file; change(header) alters its header first."""
        header, payload = self.lay_out()
        if change:
            header = change(header) or header
        text = self.text(header) if self.text else json.dumps(header)
        raw = text if isinstance(text, bytes) else text.encode()
        raw += b" " * (-(8 + len(raw)) % self.align)
        length = len(raw) if self.length is None else self.length
        data = length.to_bytes(8, "little") + raw + payload
        return sealed(data) if seal else data


def sealed(data):
    at = data.find(b"crc32:")
    if at < 0:
        return data
    at += 6
    zeroed = data[:at] + b"00000000" + data[at + 8 :]
    return zeroed[:at] + f"{zlib.crc32(zeroed):08x}".encode() + zeroed[at + 8 :]


def misaligned():
    """As good as any, but that no array lies at a multiple of its element's size."""
    file = File()
    file.align = 1
    data = file.bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    if start % 2:
        return data
    file.metadata["producer"] += "s"
    return file.bytes()


def with_entry(name, **members):
    def change(header):
        header[name] = {**header.get(name, {}), **members}

    return change


def with_graph(**members):
    graph = good_graph()
    graph["signatures"]["predict"].update(members)
    return File(graph).bytes()


def with_nodes(nodes, **more):
    """A file of these nodes and the usual variables, which are read so that nothing is left over."""
    return File(graph_of(nodes, **more)).bytes()


def with_text(text):
    file = File()
    file.graph = text
    return file.bytes()


def with_metadata(**members):
    file = File()
    file.metadata.update(members)
    return file.bytes()


def raw_header(text):
    file = File()
    file.text = lambda header: text
    return file.bytes()


def claimed_length(length):
    file = File()
    file.length = length
    return file.bytes(seal=False)


def body(nodes, results):
    return {"nodes": nodes, "results": results}


def nested_scan(depth, length):
    inner = body([x_input((2,)), node("negative", [0])], [1])
    for _ in range(depth):
        attrs = {"body_graph": inner, "num_carries": 1, "num_xs": 0, "length": length, "reverse": False}
        inner = body([x_input((2,)), node("scan", [0], **attrs)], [1])
    return inner


def loop(**changes):
    zero = {"op": "constant", "dtype": "float32", "value": 0}
    largest = node("reduce_max", [0], axis=[0, 1], keepdims=False)
    attrs = {
        "cond_graph": body([x_input(), largest, zero, node("less", [2, 1])], [3]),
        "body_graph": body([x_input(), node("negative", [0])], [1]),
        "num_values": 1, "num_cond": 0, "maximum_iterations": 4, **changes,
    }  # fmt: skip
    return [x_input(), node("while_loop", [0], **attrs)]


def many_tensors(count):
    def text(header):
        parts = [json.dumps({"__metadata__": header["__metadata__"]})[:-1]]
        parts += [f'"{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' for i in range(count)]
        return ",".join(parts) + "}"

    file = File()
    file.text = text
    return file.bytes()


def cases():
    """name -> (file, words of the error, class)."""
    deep = "[" * 5000
    flat = [
        {"name": "f", "role": "flat"},
        {"name": "w", "role": "weight", "flat": [0, 1 << 60]},
        {"name": "b", "role": "weight", "flat": [0, 4]},
    ]
    gemm = node("gemm", [0, 1], transpose_a=False, transpose_b=False)
    return {
        # code, names and switches
        "code_op": (with_nodes([x_input(), node("lambda", [0], code="4wEAAAAA")]), "there is no op"),
        "code_callback": (
            with_nodes([x_input(), node("with_gradient", [0], rule="os.system", num_outputs=1)]),
            "needs a function",
        ),
        "module_lookup": (with_nodes([x_input(), node("falconet.layers.Lambda", [0])]), "there is no op"),
        "composite_op": (with_nodes([x_input(), node("mean", [0], axis=[0])]), "does not stand in files"),
        "safe_mode_switch": (with_metadata(safe_mode="false"), "unknown metadata"),
        "switch_in_graph": (with_text(json.dumps({**good_graph(), "safe_mode": False})), "unknown key"),
        "setattr_key": (with_graph(__class__="x"), "unknown key"),
        "setattr_node_key": (with_nodes([{**x_input(), "__dict__": 1}]), "unknown key"),
        "setattr_attribute": (with_nodes([x_input(), node("negative", [0], __init__=1)]), "has no attribute"),
        "old_version": (with_metadata(version="0"), "has format version 0"),
        "new_version": (with_metadata(version="99999999999999999999"), "has format version"),
        "other_kind": (with_metadata(kind="weights"), "that `save` wrote"),
        "other_format": (with_metadata(format="pickle"), "not a Falconet model file"),
        # paths and archives
        "external_data_path": (File().bytes(with_entry("w", location="../../etc/passwd")), "unknown key"),
        "constant_path": (with_nodes([x_input(), {"op": "constant", "tensor": "../../../etc/passwd"}]), "is missing"),
        "tar_archive": (b"../../etc/cron.d/x".ljust(257, b"\0") + b"ustar\x0000" + bytes(248), "not a model file"),
        "zip_archive": (b"PK\x03\x04" + bytes(60), "not a model file"),
        "gzip": (b"\x1f\x8b\x08" + bytes(61), "not a model file"),
        "pickle": (b"\x80\x04\x95" + b"\xff" * 61, "not a model file"),
        "empty": (b"", "not a model file"),
        "seven_bytes": (bytes(7), "not a model file"),
        "root_unverified": (b"\x04\x00\x00\x00\xff\xff\xff\x7f", "not a model file"),
        # sizes
        "dims_product_wraps": (File().bytes(with_entry("w", shape=[1 << 42, 1 << 42])), "has the shape"),
        "dims_product_wraps_to_size": (File().bytes(with_entry("w", shape=[1 << 32, 1 << 32, 4])), "has the shape"),
        "dims_zero_and_huge": (File().bytes(with_entry("w", shape=[0, 1 << 62])), "has the shape"),
        "dims_negative": (File().bytes(with_entry("w", shape=[-2, -2])), "has the shape"),
        "dims_not_integers": (File().bytes(with_entry("w", shape=[2.0, 2])), "is not an integer"),
        "dims_too_large_to_read": (File().bytes(with_entry("w", shape=[10**30])), "is not an integer"),
        "rank_nine": (File().bytes(with_entry("w", shape=[1] * 7 + [2, 2])), "more than 8 axes"),
        "rank_nine_input": (with_nodes([x_input(["n", *[1] * 8])]), "more than 8 axes"),
        "too_many_tensors": (many_tensors(65537 * 2), "more than"),
        "declared_length_beyond_file": (claimed_length(1 << 40), "the header claims"),
        "declared_length_all_ones": (claimed_length((1 << 64) - 1), "the header claims"),
        "header_too_large": (claimed_length((16 << 20) + 1), "the header claims"),
        "declared_tensor_beyond_file": (
            File().bytes(with_entry("w", shape=[1 << 30], data_offsets=[0, 1 << 32])),
            "has the shape",
        ),
        "offset_beyond_file": (
            File().bytes(with_entry("w", data_offsets=[1 << 20, (1 << 20) + 16])),
            "its offsets are",
        ),
        "offset_wraps": (File().bytes(with_entry("w", data_offsets=[(1 << 63) - 8, (1 << 63) - 1])), "its offsets are"),
        "offsets_reversed": (File().bytes(with_entry("w", data_offsets=[16, 0])), "its offsets are"),
        "offsets_three": (File().bytes(with_entry("w", data_offsets=[0, 16, 16])), "more than two offsets"),
        "offsets_overlap": (File().bytes(with_entry("b", data_offsets=[8, 16])), "starts at byte"),
        "offsets_hole": (File().bytes(lambda h: {k: v for k, v in h.items() if k != "__pad__/0"}), "starts at byte"),
        "payload_longer": (File().bytes() + b"secret", "the file was cut or changed"),
        "element_type_larger": (File().bytes(with_entry("w", dtype="F64")), "larger than|its offsets are"),
        "element_type_unknown": (File().bytes(with_entry("w", dtype="F8_E4M3")), "unknown dtype"),
        "element_type_of_graph": (File().bytes(with_entry("falconet/graph", dtype="I8")), "it must be uint8"),
        "element_type_of_role": (with_nodes([x_input(dtype="int32"), variable(0), gemm]), "needs two operands|float32"),
        "bool_of_seven": (
            File(
                graph_of([x_input(), {"op": "constant", "tensor": "c"}]),
                {**arrays_of(), "c": np.full(2, 7, "uint8").view("bool")},
            ).bytes(),
            "besides 0 and 1",
        ),
        # shapes that the file claims
        "output_shape_claimed": (
            with_graph(outputs=[{"name": "y", "dtype": "float32", "shape": ["n", 1000000]}]),
            "is said to be",
        ),
        "output_dtype_claimed": (
            with_graph(outputs=[{"name": "y", "dtype": "float64", "shape": ["n", 2]}]),
            "is said to be",
        ),
        "input_shape_claimed": (
            with_graph(inputs=[{"name": "x", "dtype": "float32", "shape": ["n", 3]}]),
            "are not those of its graph",
        ),
        "reshape_rank": (with_nodes([x_input(), node("reshape", [0], shape=[*[1] * 22, "2n"])]), "axes"),
        "reshape_wraps": (
            with_nodes([x_input(), node("reshape", [0], shape=[1 << 32, 1 << 32, "2n"])]),
            "cannot take the shape",
        ),
        "broadcast_bomb": (
            with_nodes([x_input(), node("broadcast_to", [0], shape=[1 << 20, 1 << 20, "n", 2])]),
            "has more than the",
        ),
        "pad_bomb": (
            with_nodes([x_input(), node("pad_constant", [0], low=[1 << 40, 0], high=[0, 0], value=0)]),
            "has more than the",
        ),
        "pad_wraps": (
            with_nodes(
                [x_input(), node("pad_constant", [0], low=[(1 << 63) - 1, 0], high=[(1 << 63) - 1, 0], value=0)]
            ),
            "more than 2\\^46",
        ),
        "rows_wrap": (with_nodes([x_input([f"{1 << 62}n", 2])]), "64 bits|has more than the"),
        "slice_grad_outside": (
            with_nodes(
                [x_input(), node("slice_grad", [0], shape=[1, 1], start=[1 << 40, 0], stop=[1 << 41, 2], step=[1, 1])]
            ),
            "dy has shape",
        ),
        "slice_step_smallest": (
            with_nodes([x_input(), node("slice", [0], start=[0, 0], stop=[-(1 << 63), 1], step=[-(1 << 63), 1])]),
            "is said to be",
        ),
        "gather_bomb": (
            with_nodes([x_input(dtype="int32"), node("one_hot_rows", [0], num_classes=1 << 50, dtype="float32")]),
            "has more than the",
        ),
        "dtypes_differ": (with_nodes([x_input(dtype="float64"), variable(0), node("add", [0, 1])]), "operands must be"),
        "pointwise_on_bool": (with_nodes([x_input(dtype="bool"), node("sqrt", [0])]), "operands must be"),
        "reduction_of_small_integers": (
            with_nodes([x_input(dtype="int8"), node("reduce_sum", [0], axis=[0], keepdims=False)]),
            "must be float32",
        ),
        # references
        "value_of_later": (with_nodes([x_input(), node("negative", [1])]), "reads value 1"),
        "value_negative": (with_nodes([x_input(), node("negative", [-1])]), "reads value -1"),
        "result_missing": (with_graph(results=[99]), "value 99 is used"),
        "variable_missing": (with_nodes([x_input(), variable(7)]), "variable 7 is read"),
        "update_missing": (with_graph(updates=[[9, 0]]), "variable 9 is updated"),
        "update_other_shape": (with_graph(updates=[[1, 2]]), "its update is"),
        "update_twice": (with_graph(updates=[[0, 1], [0, 1]]), "updated twice"),
        "too_many_results": (with_nodes([x_input(), {**node("negative", [0]), "out": 60000}]), "has 1 results"),
        "operands_missing": (with_nodes([x_input(), node("add", [0])]), "has 1 operands"),
        "operands_none": (with_nodes([x_input(), node("concatenate", [], axis=0)]), "has 0 operands"),
        "attribute_of_other_kind": (with_nodes([x_input(), node("gather", [0, 0], axis="float32")]), "is no number"),
        "attribute_missing": (with_nodes([x_input(), node("gemm", [0, 0])]), "which is not what it takes"),
        "flat_outside": (File({**good_graph(), "variables": flat}).bytes(), "lies at"),
        "flat_of_no_flat": (
            File(
                {
                    **good_graph(),
                    "variables": [{"name": "w", "role": "weight", "flat": [1, 0]}, {"name": "b", "role": "weight"}],
                }
            ).bytes(),
            "not a flat one",
        ),
        "tensor_used_twice": (
            File({**good_graph(), "variables": [{"name": "w", "role": "weight"}] * 2}).bytes(),
            "used twice",
        ),
        "tensor_unused": (File(arrays={**arrays_of(), "extra": np.zeros(4, "float32")}).bytes(), "belongs to nothing"),
        # loops
        "loop_without_end": (with_nodes(loop(maximum_iterations=-1)), "needs a bound"),
        "loop_of_2_62": (with_nodes(loop(maximum_iterations=1 << 62)), "needs a bound"),
        "loop_counts_operands_wrong": (with_nodes(loop(num_values=1000)), "`num_values` is 1000"),
        "loop_counts_negative": (with_nodes(loop(num_cond=-1)), "`num_cond` is -1"),
        "loop_body_of_other_shape": (
            with_nodes(loop(body_graph=body([x_input((9, 9)), node("negative", [0])], [1]))),
            "into|recorded for",
        ),
        "nested_loops": (with_nodes([x_input(), *nested_scan(5, 4096)["nodes"][1:]]), "needs a bound"),
        "scan_of_other_rows": (
            with_nodes(
                [
                    x_input(),
                    node(
                        "scan",
                        [0],
                        body_graph=body([x_input((2,))], [0]),
                        num_carries=0,
                        num_xs=1,
                        length=1 << 30,
                        reverse=False,
                    ),
                ]
            ),
            "needs a bound|must have",
        ),
        "cond_counts_wrong": (
            with_nodes(
                [
                    x_input((), "bool"),
                    node("cond", [0], true_graph=body([x_input((2,))], [0]), false_graph=body([], []), num_true=5),
                ]
            ),
            "`num_true` is 5",
        ),
        # JSON
        "json_deep": (with_text(deep), "nested more than|'\\{' is needed"),
        "json_deep_bodies": (with_nodes([x_input(), *nested_scan(40, 2)["nodes"][1:]]), "nested more than"),
        "json_deep_header": (raw_header(deep), "'{' is needed"),
        "json_long_number": (with_text('{"variables":[],"signatures":' + "1" * 5000), "'\\{' is needed"),
        "json_number_of_digits": (
            with_nodes([x_input(), {"op": "constant", "dtype": "float32", "value": 0}]).replace(
                b'"value": 0', b'"value": 1'
            ),
            "checksum|said to be",
        ),
        "json_duplicate_key": (raw_header('{"__metadata__":{},"__metadata__":{}}'), "comes twice"),
        "json_duplicate_tensor": (
            raw_header(
                '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'
            ),
            "cut or changed|comes twice",
        ),
        "json_not_utf8": (with_text(b'{"variables\xff":[]}'), "not UTF-8"),
        "json_overlong_utf8": (with_text(b'{"\xc0\xaf":[]}'), "not UTF-8"),
        "json_control_character": (with_text('{"a\x00b":[]}'), "control character"),
        "json_half_surrogate": (with_text('{"\\ud800":[]}'), "half of a surrogate"),
        "json_ends": (with_text('{"variables":['), "value is needed|is needed"),
        "json_trailing": (with_text(json.dumps(good_graph()) + " {}"), "something follows"),
        "json_infinity": (
            with_text(json.dumps(good_graph()).replace('"variable": 0', '"variable": Infinity')),
            "a digit is needed",
        ),
        "json_many_values": (
            with_text(
                '{"variables":[],"signatures":{"predict":{"nodes":[],"results":[' + ",".join(["0"] * 50000) + "]}}}"
            ),
            "value 0 is used",
        ),
        "nodes_bomb": (with_nodes([x_input(), *[node("abs", [0])] * 60000]), "more than a file of its size"),
        # the checksum
        "checksum_wrong": (File().bytes(seal=False), "the checksum is"),
        "checksum_missing": (
            File().bytes(lambda h: h["__metadata__"].pop("checksum") and None),
            "the checksum is missing",
        ),
        "checksum_of_other_kind": (with_metadata(checksum="none"), "the checksum must be given"),
        "checksum_escaped": (
            raw_header('{"__metadata__":{"checksum":"crc32:0000\\u0030000"}}'),
            "the checksum must be given",
        ),
    }


GOOD = File().bytes()
ACCEPTED = {"good": GOOD, "misaligned": misaligned()}

if __name__ == "__main__":
    folder = HERE / "files"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.falconet"):
        old.unlink()
    for name, data in ACCEPTED.items():
        (folder / f"{name}.falconet").write_bytes(data)
    for name, (data, *_) in cases().items():
        if len(data) <= 16384:  # large ones are made anew by the test
            (folder / f"{name}.falconet").write_bytes(data)
