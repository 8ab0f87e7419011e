"""The model file: what is exported computes the same as the model at any batch size, and nothing else is read."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

import falconet as keras
from falconet import _core, inspect, layers, ops

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "golden")]

from model_cases import MODELS, layer_cases, set_fixed_weights  # noqa: E402

import numpy_reader  # noqa: E402

# The loaded graph runs the same kernels on the same numbers: the same bits, but where the model ran op by op, what
# fuses rounds once where it rounded twice. Short sums of values of order 1 in float32.
RTOL, ATOL = 2e-5, 2e-6


def outputs_of(path, inputs, rows, signature="predict"):
    return [np.asarray(y) for y in _core.run_model(str(path), signature, inputs, rows)]


def repeated(array, rows):
    """`rows` rows, of which the first are those of `array`."""
    return np.resize(array, (rows, *array.shape[1:])).astype(array.dtype)


# --- what is computed ---


def _layer_names():
    return sorted(name for name, (_, _, kwargs) in layer_cases(keras).items() if not kwargs)


@pytest.mark.parametrize("name", _layer_names())
def test_every_layer_at_any_batch_size(name, tmp_path):
    layer, args, _ = layer_cases(keras)[name]
    inputs = keras.tree.map_structure(lambda a: layers.Input(a.shape[1:], dtype=str(a.dtype)), args[0])
    model = keras.Model(inputs, layer(inputs))
    set_fixed_weights(model)
    path = tmp_path / "m.falconet"
    model.export(path)
    assert _core.check_model(str(path)) == ""
    for rows in (1, 2, 9):
        x = keras.tree.map_structure(lambda a, rows=rows: repeated(a, rows), args[0])
        (y,) = outputs_of(path, keras.tree.flatten(x), rows)
        np.testing.assert_allclose(y, model.predict(x, batch_size=rows), RTOL, ATOL)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_models_after_training_predict_train_and_evaluate(name, tmp_path):
    model, x, y, options = MODELS[name](keras)
    options = {key: value for key, value in options.items() if key not in ("class_weight", "validation_split")}
    model.fit(x, y, epochs=1, verbose=0, **options)
    weight = (options["sample_weight"],) if "sample_weight" in options else ()
    path = tmp_path / "m.falconet"
    model.export(path, training=(x, y, *weight))
    assert _core.check_model(str(path)) == ""
    for rows in (1, 5, 12):
        batch = keras.tree.map_structure(lambda a, rows=rows: repeated(np.asarray(a), rows), (x, y, *weight))
        wanted = keras.tree.flatten(model.predict(batch[0], batch_size=rows))
        if isinstance(model.output, dict):
            wanted = [model.predict(batch[0], batch_size=rows)[key] for key in sorted(model.output)]
        found = outputs_of(path, as_ports(path, batch[0], "predict"), rows)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, RTOL, ATOL)
        model.reset_metrics()
        fresh = tmp_path / "fresh.falconet"
        model.export(fresh, training=(x, y, *weight))
        evaluated = outputs_of(fresh, as_ports(fresh, batch, "evaluate"), rows, "evaluate")
        logs = model.test_on_batch(*batch, return_dict=True)
        names = [p["name"] for p in _core.describe_model(str(fresh))["signatures"]["evaluate"]["outputs"]]
        np.testing.assert_allclose([float(v) for v in evaluated], [logs[n] for n in names], RTOL, ATOL)


def as_ports(path, batch, signature):
    """The arrays of a batch in the dtypes that a signature takes."""
    ports = _core.describe_model(str(path))["signatures"][signature]["inputs"]
    return [a.astype(port["dtype"]) for a, port in zip(keras.tree.flatten(batch), ports, strict=True)]


def test_a_step_of_training_and_its_metrics(tmp_path):
    model, x, y, _ = MODELS["classifier"](keras)
    model.fit(x, y, batch_size=20, epochs=2, verbose=0)
    model.reset_metrics()
    path = tmp_path / "m.falconet"
    model.export(path, training=(x, y))
    found = outputs_of(path, [x[:7], y[:7]], 7, "train")
    logs = model.train_on_batch(x[:7], y[:7], return_dict=True)
    ports = _core.describe_model(str(path))["signatures"]["train"]["outputs"]
    assert [p["name"] for p in ports] == ["accuracy", "loss"]
    np.testing.assert_allclose([float(v) for v in found], [logs["accuracy"], logs["loss"]], rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lamb", "adafactor", "muon", "lion"])
def test_optimizers_whose_slots_are_flat_or_not(optimizer, tmp_path):
    model = keras.Sequential([layers.Input((4,)), layers.Dense(6, activation="relu"), layers.Dense(2)])
    model.compile(optimizer, "mse")
    x, y = np.ones((5, 4), "float32"), np.ones((5, 2), "float32")
    model.fit(x, y, epochs=2, verbose=0)
    model.reset_metrics()
    path = tmp_path / "m.falconet"
    model.export(path, training=True)
    (loss,) = outputs_of(path, [x, y], 5, "train")
    np.testing.assert_allclose(loss, model.train_on_batch(x, y), rtol=1e-6)
    roles = {v["name"]: v["role"] for v in _core.describe_model(str(path))["variables"]}
    assert "optimizer" in roles.values() and "weight" in roles.values()


def test_float64(tmp_path):
    keras.config.set_floatx("float64")
    try:
        x = layers.Input((3,))
        model = keras.Model(x, layers.Dense(2)(x))
    finally:
        keras.config.set_floatx("float32")
    model.export(tmp_path / "m.falconet")
    data = np.random.default_rng(0).standard_normal((4, 3))
    (y,) = outputs_of(tmp_path / "m.falconet", [data], 4)
    assert y.dtype == np.float64
    w, b = model.get_weights()
    np.testing.assert_allclose(y, data @ w + b, rtol=1e-14)


class Two(keras.Model):
    """A model with its own call, two inputs by name and two outputs."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        y = self.dense(x["a"])
        return {"sum": y + x["b"], "product": y * x["b"]}


def test_a_model_with_its_own_call(tmp_path):
    model = Two()
    x = {"a": np.ones((2, 4), "float32"), "b": np.full((2, 3), 2, "float32")}
    model(x)
    path = tmp_path / "m.falconet"
    with pytest.raises(ValueError, match="`input_signature`"):
        model.export(path)
    spec = {"a": keras.InputSpec(shape=(None, 4)), "b": keras.InputSpec(shape=(None, 3))}
    model.export(path, input_signature=[spec])
    found = _core.describe_model(str(path))["signatures"]["predict"]
    assert [p["name"] for p in found["inputs"]] == ["a", "b"]
    assert [p["name"] for p in found["outputs"]] == ["product", "sum"]
    product, total = outputs_of(path, [x["a"], x["b"]], 2)
    wanted = model(x)
    np.testing.assert_array_equal(product, np.asarray(wanted["product"]))
    np.testing.assert_array_equal(total, np.asarray(wanted["sum"]))


class Running(layers.Layer):
    """A scan over time: y_t = y_(t-1) / 2 + x_t."""

    def call(self, x):
        rows = ops.transpose(x, (1, 0, 2))
        _, ys = keras.ops.scan(lambda c, r: (c * 0.5 + r, c * 0.5 + r), ops.zeros_like(rows[0]), rows)
        return ops.transpose(ys, (1, 0, 2))


class Halving(layers.Layer):
    """Halves until the largest element is below 1, then the smaller of two branches."""

    def __init__(self, maximum_iterations=None):
        super().__init__()
        self.maximum_iterations = maximum_iterations

    def call(self, x):
        (y,) = ops.while_loop(lambda v: ops.max(v) > 1, lambda v: (v / 2,), (x,), self.maximum_iterations)
        return ops.cond(ops.sum(y) > 0, lambda: y * 3, lambda: y - 1)


def test_loops_and_branches(tmp_path):
    x = layers.Input((5, 2))
    model = keras.Model(x, Halving(40)(Running()(x)))
    path = tmp_path / "m.falconet"
    model.export(path)
    assert _core.check_model(str(path)) == ""
    for rows in (1, 6):
        data = np.random.default_rng(rows).standard_normal((rows, 5, 2)).astype("float32") * 20
        (y,) = outputs_of(path, [data], rows)
        np.testing.assert_allclose(y, model.predict(data, batch_size=rows), RTOL, ATOL)


def test_a_loop_without_a_bound_is_not_written(tmp_path):
    x = layers.Input((5,))
    model = keras.Model(x, Halving()(x))
    with pytest.raises(ValueError, match=r"\[while_loop\] `maximum_iterations` is -1; a saved loop needs a bound"):
        model.export(tmp_path / "m.falconet")
    assert list(tmp_path.iterdir()) == []


def test_custom_gradients_fall_away(tmp_path):
    @ops.custom_gradient
    def doubled(x):
        return x * 2, lambda dy: dy * 3

    class Doubling(layers.Layer):
        def call(self, x):
            return doubled(x)

    model = keras.Sequential([layers.Input((2,)), layers.Dense(2), Doubling()])
    model.compile("sgd", "mse")
    model.fit(np.ones((2, 2)), np.ones((2, 2)), verbose=0)
    model.reset_metrics()
    path = tmp_path / "m.falconet"
    model.export(path, training=True)
    graph = json.loads(numpy_reader.read_arrays(path)[0]["falconet/graph"].tobytes())
    assert not any(n["op"] == "with_gradient" for s in graph["signatures"].values() for n in s["nodes"])
    x = np.ones((2, 2), "float32")
    (loss,) = outputs_of(path, [x, x], 2, "train")
    np.testing.assert_allclose(loss, model.train_on_batch(x, x), rtol=1e-6)


def test_random_layers_draw_what_they_would_have(tmp_path):
    model = keras.Sequential([layers.Input((6,)), layers.Dense(6), layers.Dropout(0.5, seed=3), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 6), "float32"), np.ones((4, 1), "float32")
    model.fit(x, y, verbose=0)
    model.reset_metrics()
    path = tmp_path / "m.falconet"
    model.export(path, training=True)
    assert "seed" in [v["role"] for v in _core.describe_model(str(path))["variables"]]
    (loss,) = outputs_of(path, [x, y], 4, "train")
    np.testing.assert_allclose(loss, model.train_on_batch(x, y), rtol=1e-6)


def test_a_fixed_batch(tmp_path):
    x = layers.Input(batch_shape=(4, 3))
    model = keras.Model(x, layers.Dense(2)(x))
    path = tmp_path / "m.falconet"
    model.export(path)
    assert _core.describe_model(str(path))["signatures"]["predict"]["inputs"][0]["shape"] == (4, 3)
    data = np.ones((4, 3), "float32")
    (y,) = outputs_of(path, [data], 4)
    np.testing.assert_allclose(y, model.predict(data), RTOL, ATOL)


# --- the page, by another reader ---


def test_numpy_reader(tmp_path):
    x, ids = layers.Input((4,), name="x"), layers.Input((3,), dtype="int32", name="ids")
    y = layers.Dense(16, activation="relu")(x)
    y = layers.LayerNormalization()(layers.Dense(16, activation="tanh")(y))
    y = layers.Concatenate()([y, layers.Flatten()(layers.Embedding(5, 2)(ids))])
    model = keras.Model([x, ids], layers.Dense(3, activation="softmax")(layers.BatchNormalization()(y)))
    model.export(tmp_path / "m.falconet", metadata={"owner": "tests"})
    predict = numpy_reader.load(tmp_path / "m.falconet")
    assert predict.metadata["user.owner"] == "tests"
    inputs, outputs = predict.test
    np.testing.assert_allclose(predict(*inputs)[0], outputs[0], atol=1e-5)
    random = np.random.default_rng(1)
    for rows in (1, 8):
        a = random.standard_normal((rows, 4)).astype("float32")
        b = random.integers(0, 5, (rows, 3)).astype("int32")
        np.testing.assert_allclose(predict(a, b)[0], model.predict([a, b], batch_size=rows), atol=1e-5)


def test_numpy_reader_is_short():
    assert len((ROOT / "numpy_reader.py").read_text().splitlines()) <= 200


def test_safetensors_reads_it(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy", reason="the safetensors package is not installed")
    model = keras.Sequential([layers.Input((4,)), layers.Dense(3)])
    model.export(tmp_path / "m.falconet")
    found = safetensors.load_file(tmp_path / "m.falconet")
    for variable in model.weights:
        np.testing.assert_array_equal(found[variable.path], variable.numpy())


# --- arguments ---


def small():
    return keras.Sequential([layers.Input((4,)), layers.Dense(3)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "onnx"}, r"`format` is 'onnx'; only \"falconet\" is written"),
        ({"metadata": {"a": 1}}, "`metadata` must be a dictionary from strings to strings"),
        ({"training": True}, r"call compile\(optimizer, loss\) before export"),
        ({"test_data": np.ones((2, 5), "float32")}, r"input .* is float32\(2, 5\); it needs float32\(2, 4\)"),
        ({"test_data": [np.ones((2, 4)), np.ones((2, 4))]}, "`test_data` has 2 arrays; the model has 1 inputs"),
        ({"input_signature": ["x"]}, "`input_signature` holds 'x'"),
    ],
)
def test_bad_arguments(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        small().export(tmp_path / "m.falconet", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_training_needs_an_example_where_y_does_not_follow(tmp_path):
    model = Two()
    model({"a": np.ones((2, 4), "float32"), "b": np.ones((2, 3), "float32")})
    model.compile("sgd", "mse")
    spec = {"a": keras.InputSpec(shape=(None, 4)), "b": keras.InputSpec(shape=(None, 3))}
    for training, message in (
        (True, r"give training=\(x, y\), an example"),
        (3, "`training` must be True, or an example"),
    ):
        with pytest.raises(ValueError, match=message):
            model.export(tmp_path / "m.falconet", input_signature=[spec], training=training)


def test_unknown_sizes_need_a_signature(tmp_path):
    x = layers.Input((None, 4))
    model = keras.Model(x, layers.Dense(2)(x))
    with pytest.raises(ValueError, match=r"an input has shape \(None, None, 4\); only the first axis may be unknown"):
        model.export(tmp_path / "m.falconet")
    model.export(tmp_path / "m.falconet", input_signature=[keras.InputSpec(shape=(None, 7, 4))])
    (y,) = outputs_of(tmp_path / "m.falconet", [np.ones((2, 7, 4), "float32")], 2)
    assert y.shape == (2, 7, 2)


def test_a_model_without_weights(tmp_path):
    with pytest.raises(ValueError, match="has no weights yet"):
        keras.Sequential([layers.Dense(3)]).export(tmp_path / "m", input_signature=[keras.InputSpec(shape=(None, 4))])


class ByRows(layers.Layer):
    def call(self, x):
        return x * np.arange(x.shape[0], dtype="float32")[:, None]


class Squared(layers.Layer):
    def call(self, x):
        return ops.reshape(ops.reshape(ops.matmul(x, ops.transpose(x)), (-1,)), (x.shape[0], -1))


def test_what_depends_on_the_batch_otherwise_is_refused(tmp_path):
    for layer, message in (
        (ByRows(), "a constant of .* differs between batch sizes"),
        (Squared(), "`shape` of reshape is .* it must be a fixed number plus a fixed number for each row"),
    ):
        model = keras.Sequential([layers.Input((4,)), layers.Dense(3), layer])
        with pytest.raises(ValueError, match=message):
            model.export(tmp_path / "m.falconet")


def test_an_interrupted_export_leaves_the_old_file(tmp_path):
    path = tmp_path / "m.falconet"
    small().export(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="it needs float32"):
        small().export(path, test_data=np.ones((1, 9), "float32"))
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="cannot be written"):
        small().export(tmp_path / "missing" / "m.falconet")
    assert [p.name for p in tmp_path.iterdir()] == ["m.falconet"]


# --- reading ---


def test_inspect(tmp_path, capsys):
    path = tmp_path / "m.falconet"
    small().export(path, metadata={"owner": "tests"}, verbose=True)
    assert "signatures predict" in capsys.readouterr().out
    assert inspect.main([str(path), "--check"]) == 0
    printed = capsys.readouterr().out
    for part in (
        "owner = tests",
        "float32 (n, 4)",
        "/kernel: float32 (4, 3), 48 bytes, trainable weight",
        "the test holds",
    ):
        assert part in printed
    path.write_bytes(path.read_bytes()[:-1])
    assert inspect.main([str(path)]) == 1
    assert "ValueError" not in capsys.readouterr().err


def test_damage_is_seen(tmp_path):
    path = tmp_path / "m.falconet"
    small().export(path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[at] ^= 4
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=r"\[load\]"):
            _core.describe_model(str(path))
    for length in range(0, len(whole), 61):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"\[load\]"):
            _core.describe_model(str(path))


def test_a_test_that_fails_is_told(tmp_path):
    path = tmp_path / "m.falconet"
    small().export(path)
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    name = next(name for name in header if name.endswith("/kernel"))
    begin = 8 + length + header[name]["data_offsets"][0]
    data[begin : begin + 4] = np.float32(9).tobytes()
    path.write_bytes(resealed(data))
    assert "instead of" in _core.check_model(str(path))


def resealed(data):
    """With the checksum that the contents have."""
    at = bytes(data).index(b"crc32:") + len("crc32:")
    data[at : at + 8] = b"00000000"
    data[at : at + 8] = f"{zlib.crc32(data):08x}".encode()
    return bytes(data)


def test_exported_and_saved_files_are_told_apart(tmp_path):
    model = small()
    model.export(tmp_path / "exported.falconet")
    with pytest.raises(ValueError, match="open it with falconet.Predictor"):
        keras.models.load_model(tmp_path / "exported.falconet")
    with pytest.raises(ValueError, match="open it with falconet.Predictor"):
        model.load_weights(tmp_path / "exported.falconet")
    model.save(tmp_path / "saved.falconet")
    with pytest.raises(ValueError, match="the file holds a model that `save` wrote"):
        _core.describe_model(str(tmp_path / "saved.falconet"))


def test_not_a_file(tmp_path):
    for path, message in ((tmp_path, "not an ordinary file"), (tmp_path / "missing", "cannot be opened")):
        with pytest.raises(ValueError, match=message):
            _core.describe_model(str(path))
    small().save(tmp_path / "saved.keras")
    with pytest.raises(ValueError, match=r"\[load\]"):
        _core.describe_model(str(tmp_path / "saved.keras"))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
def test_a_pipe_does_not_hang(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    script = f"from falconet import _core; _core.describe_model({str(tmp_path / 'pipe')!r})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "not an ordinary file" in done.stderr


# --- numbers that are no numbers ---


def test_indices_out_of_range_are_errors_and_read_nothing(tmp_path):
    x = layers.Input((2,), dtype="int64")
    model = keras.Model(x, layers.Embedding(5, 3)(x))
    path = tmp_path / "m.falconet"
    model.export(path)
    for bad in (5, -6, 2**31, -(2**31), 2**62, -(2**63)):
        with pytest.raises(ValueError, match="out of range"):
            _core.run_model(str(path), "predict", [np.array([[0, bad]])], 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
def test_floats_as_indices(value, tmp_path):
    x = layers.Input((2,))
    model = keras.Model(x, layers.Embedding(5, 3)(x))
    path = tmp_path / "m.falconet"
    model.export(path)
    data = np.array([[0, value]], "float32")
    if np.isnan(value):  # a cast makes it 0
        assert np.isfinite(outputs_of(path, [data], 1)[0]).all()
    else:
        with pytest.raises(ValueError, match="out of range"):
            _core.run_model(str(path), "predict", [data], 1)
