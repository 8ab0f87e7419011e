"""Model files: what comes back is what was saved; what is not a model file is refused before anything is allocated."""

import json
import os
import pickle
import struct

import numpy as np
import pytest

import falconet as keras
from falconet import layers
from falconet.saving import file_format


def trained(optimizer="adam"):
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(5, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer, "mse", metrics=["mae"])
    x = np.random.RandomState(0).randn(30, 4).astype("float32")
    model.fit(x, x[:, :1], epochs=2, verbose=0)
    return model, x


def assert_same(a, b, x):
    assert len(a.weights) == len(b.weights)
    for one, two in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(a.predict(x), b.predict(x))


def test_model_round_trip_and_exact_resume(tmp_path):
    model, x = trained()
    path = tmp_path / "model.keras"
    model.save(path)
    copy = keras.models.load_model(path)
    assert_same(model, copy, x)
    assert type(copy.optimizer).__name__ == "Adam" and int(copy.optimizer.iterations) == int(model.optimizer.iterations)
    for m in (model, copy):
        m.fit(x, x[:, :1], epochs=2, shuffle=False, verbose=0)
    assert_same(model, copy, x)  # slots and the dropout's seed came along
    assert keras.models.load_model(path, compile=False).compiled is False


@pytest.mark.parametrize("kind", ["functional", "subclass", "nested"])
def test_other_models(tmp_path, kind):
    x = np.ones((3, 4), "float32")
    if kind == "functional":
        a = layers.Input((4,))
        model = keras.Model(a, [layers.Dense(2)(a), layers.Concatenate()([a, layers.Dense(1)(a)])])
    elif kind == "nested":
        a = layers.Input((4,))
        model = keras.Sequential([layers.Input((4,)), keras.Model(a, layers.Dense(3)(a)), layers.Dense(1)])
    else:
        model = Registered(6)
        model(x)
    path = tmp_path / "m.keras"
    model.save(path)
    copy = keras.models.load_model(path)
    for one, two in zip(keras.tree.flatten(model.predict(x)), keras.tree.flatten(copy.predict(x)), strict=True):
        np.testing.assert_array_equal(one, two)


@keras.saving.register_keras_serializable("tests")
class Registered(keras.Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units)
        self.out = [layers.Dense(1)]

    def call(self, x):
        return self.out[0](self.dense(x))


def test_unregistered_classes_are_not_looked_up(tmp_path):
    class Stranger(layers.Layer):
        def call(self, x):
            return x

    model = keras.Sequential([layers.Input((2,)), Stranger(), layers.Dense(1)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(TypeError, match="no class 'Stranger'"):
        keras.models.load_model(tmp_path / "m.keras")
    copy = keras.models.load_model(tmp_path / "m.keras", custom_objects={"Stranger": Stranger})
    assert_same(model, copy, np.ones((2, 2), "float32"))


def test_weights_files(tmp_path):
    model, x = trained()
    path = tmp_path / "w.falconet"
    model.save_weights(path)
    other, _ = trained("sgd")
    other.load_weights(path)
    assert_same(model, other, x)
    with pytest.raises(ValueError, match="weights only"):
        keras.models.load_model(path)
    narrow = keras.Sequential(
        [layers.Input((4,)), layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.1), layers.Dense(1)]
    )
    with pytest.raises(ValueError, match=r"has shape \(4, 5\) in the file"):
        narrow.load_weights(path)
    with pytest.warns(UserWarning, match="keeps its value"):
        narrow.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(narrow.get_weights()[-1], model.get_weights()[-1])


def test_pickle(tmp_path):
    model, x = trained()
    assert_same(model, pickle.loads(pickle.dumps(model)), x)


def test_atomic_write_leaves_the_old_file(tmp_path, monkeypatch):
    model, x = trained()
    path = tmp_path / "m.keras"
    model.save(path)
    before = path.read_bytes()

    def fail(fd):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        model.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]
    monkeypatch.undo()
    with pytest.raises(ValueError, match="exists"):
        model.save(path, overwrite=False)


def test_format_is_safetensors(tmp_path):
    path = tmp_path / "t"
    tensors = {"a": np.arange(6, dtype="float32").reshape(2, 3), "b": np.array(True), "c": np.zeros((0, 3), "int64")}
    file_format.write(str(path), tensors, {"k": "v"})
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    assert (8 + length) % 64 == 0 and header["__metadata__"].keys() == {"k", "checksum"}
    assert header["a"]["dtype"] == "F32" and header["a"]["data_offsets"] == [0, 24]
    assert all(header[name]["data_offsets"][0] % 64 == 0 for name in tensors)
    found, metadata = file_format.read(str(path))
    assert metadata == {"k": "v"} and set(found) == set(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype and found[name].shape == value.shape


def hostile_header(text, payload=b""):
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    return len(text).to_bytes(8, "little") + text + payload


F = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
HOSTILE = {
    "empty": b"",
    "short": b"abc",
    "length_beyond_file": (1 << 62).to_bytes(8, "little") + b"{}",
    "length_slightly_beyond": (3).to_bytes(8, "little") + b"{}",
    "not_json": hostile_header(b"{]"),
    "not_utf8": hostile_header(b'{"\xff": 1}'),
    "not_a_table": hostile_header([1, 2]),
    "deep": hostile_header(b"[" * 100000),
    "huge_number": hostile_header(b'{"a": ' + b"9" * 10000 + b"}"),
    "twice": hostile_header(b'{"a": 1, "a": 2}'),
    "entry_not_a_table": hostile_header({"a": 3}),
    "unknown_dtype": hostile_header({"a": {**F, "dtype": "X9"}}, b"\0" * 8),
    "dtype_not_text": hostile_header({"a": {**F, "dtype": [1]}}, b"\0" * 8),
    "negative_size": hostile_header({"a": {**F, "shape": [-2]}}, b"\0" * 8),
    "size_overflow": hostile_header({"a": {**F, "shape": [1 << 61, 8]}}, b"\0" * 8),
    "float_size": hostile_header({"a": {**F, "shape": [2.0]}}, b"\0" * 8),
    "boolean_size": hostile_header({"a": {**F, "shape": [True, 2]}}, b"\0" * 8),
    "rank": hostile_header({"a": {**F, "shape": [1] * 20 + [2]}}, b"\0" * 8),
    "shape_too_big": hostile_header({"a": {**F, "shape": [3]}}, b"\0" * 8),
    "beyond_payload": hostile_header({"a": F}, b"\0" * 4),
    "rest_after": hostile_header({"a": F}, b"\0" * 12),
    "overlap": hostile_header({"a": F, "b": {**F, "data_offsets": [4, 12]}}, b"\0" * 12),
    "hole": hostile_header({"a": F, "b": {**F, "data_offsets": [12, 20]}}, b"\0" * 20),
    "backwards": hostile_header({"a": {**F, "data_offsets": [8, 0]}}, b"\0" * 8),
    "metadata_not_text": hostile_header({"__metadata__": {"format": 1}}),
    "wrong_format": hostile_header({"__metadata__": {"format": "other"}}),
    "newer": hostile_header({"__metadata__": {"format": "falconet", "version": "999"}}),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_files_are_refused(tmp_path, name):
    path = tmp_path / "hostile"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ValueError, match=r"\[load"):
        keras.models.load_model(path)


def with_config(config, tensors=None):
    metadata = {"format": "falconet", "version": "1", "kind": "model", "config": json.dumps(config)}
    return file_format.to_bytes(tensors or {}, metadata)


SEQUENTIAL = {"module": "keras", "class_name": "Sequential", "registered_name": None}
DENSE = {"module": "keras.layers", "class_name": "Dense", "registered_name": None}
BAD_CONFIGS = {
    "list": [1],
    "text": "Sequential",
    "no_layers": {**SEQUENTIAL, "config": {}},
    "layers_number": {**SEQUENTIAL, "config": {"name": "m", "layers": 7}},
    "huge_dense": {
        **SEQUENTIAL,
        "config": {"name": "m", "layers": [{**DENSE, "config": {"units": 10**9}}], "build_input_shape": [None, 10**6]},
    },
    "not_a_model": {**DENSE, "config": {"units": 2}},
    "lambda": {"class_name": "__lambda__", "config": {"value": "x"}},
    "op": {
        "module": "keras", "class_name": "Functional", "registered_name": None,
        "config": {
            "name": "f", "trainable": True, "input_layers": [], "output_layers": [],
            "layers": [
                {"class_name": "__op__", "config": {"function": "ops.__loader__"}, "name": "x", "inbound_nodes": []}
            ],
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BAD_CONFIGS))
def test_hostile_configurations_are_refused(tmp_path, name):
    path = tmp_path / "hostile"
    path.write_bytes(with_config(BAD_CONFIGS[name]))
    with pytest.raises((ValueError, TypeError)):
        keras.models.load_model(path)


def test_every_truncation_and_many_flips(tmp_path):
    model = keras.Sequential([layers.Input((2,)), layers.Dense(2)])
    path = tmp_path / "m.keras"
    model.save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError):
            keras.models.load_model(path)
    generator = np.random.RandomState(0)
    refused = 0
    for position in generator.choice(len(whole), 300, replace=False):
        path.write_bytes(
            whole[:position] + bytes([whole[position] ^ 1 << generator.randint(8)]) + whole[position + 1 :]
        )
        try:
            keras.models.load_model(path).predict(np.ones((1, 2)))
        except (ValueError, TypeError):
            refused += 1
    assert refused > 100
