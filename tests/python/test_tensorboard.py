"""TensorBoard's event files: written byte by byte as the formats say, and read by TensorBoard itself."""

import json
import struct
import zlib

import numpy as np
import pytest

import falconet as keras
from falconet import callbacks, layers
from falconet.callbacks.event_file import EventFile, crc32c, histogram
from falconet.callbacks.tensorboard import graph_nodes, weight_images
from falconet.utils.png import encode_png


def setup():
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    model = keras.Sequential([layers.Input((3,)), layers.Dense(4, activation="relu", name="first"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model, x, x[:, :1]


def test_crc32c():
    # RFC 3720, appendix B.4, and the check value of the catalogue of CRCs
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283


def records(path):
    data, found = path.read_bytes(), []
    while data:
        (length,), head = struct.unpack("<Q", data[:8]), data[:8]
        body = data[12 : 12 + length]
        for part, crc in ((head, data[8:12]), (body, data[12 + length : 16 + length])):
            plain = crc32c(part)
            assert struct.unpack("<I", crc)[0] == ((plain >> 15 | plain << 17) + 0xA282EAD8) & 0xFFFFFFFF
        found.append(body)
        data = data[16 + length :]
    return found


def test_records(tmp_path):
    file = EventFile(str(tmp_path))
    file.scalar("loss", 0.5, 3)
    file.close()
    first, second = records(next(tmp_path.iterdir()))
    assert b"brain.Event:2" in first
    # step 3; tag; a scalar float tensor with its bytes
    assert second[9:11] == b"\x10\x03" and b"\x0a\x04loss" in second and b"\x22\x04" + struct.pack("<f", 0.5) in second
    assert b"scalars" in second


def test_histograms():
    rows = histogram(np.array([0.0, 1.0, 1.0, 3.0, np.nan, np.inf]))
    assert rows.shape == (30, 3) and rows[0, 0] == 0 and rows[-1, 1] == 3 and rows[:, 2].sum() == 4
    np.testing.assert_allclose(rows[1:, 0], rows[:-1, 1])
    np.testing.assert_array_equal(histogram(np.full(5, 2.0)), [[1.5, 2.5, 5]])
    assert histogram(np.zeros(0)).shape == (0, 3)


def test_png():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    data = encode_png(image)
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", data[16:24]) == (7, 5)
    at = data.index(b"IDAT")
    length = struct.unpack(">I", data[at - 4 : at])[0]
    rows = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + length]), np.uint8).reshape(5, 22)
    np.testing.assert_array_equal(rows[:, 1:].reshape(5, 7, 3), image)
    for wrong in (image[0], image.astype("float32"), np.zeros((2, 2, 5), np.uint8), np.zeros((0, 2, 3), np.uint8)):
        with pytest.raises(ValueError, match="it must be"):
            encode_png(wrong)


def test_images_of_weights():
    assert [i.shape for i in weight_images(np.arange(6.0).reshape(3, 2))] == [(2, 3, 1)]
    assert [i.shape for i in weight_images(np.zeros((2, 3, 4)))] == [(2, 3, 1)] * 4
    assert weight_images(np.array([1.0, 2.0, 3.0]))[0].reshape(-1).tolist() == [0, 128, 255]
    assert weight_images(np.float32(2.0)) == [] and weight_images(np.zeros((2, 2, 2, 2))) == []


def test_nodes_of_nested_models():
    a = layers.Input((3,), name="a")
    inner = keras.Sequential([layers.Input((3,)), layers.Dense(3, name="d"), layers.Dense(3, name="e")], name="inner")
    model = keras.Model(a, layers.Add(name="sum")([inner(inner(a)), a]))
    nodes = {name: (kind, sources) for name, kind, sources, _ in graph_nodes(model)}
    assert nodes == {
        "a": ("InputLayer", []), "inner/d": ("Dense", ["a"]), "inner/e": ("Dense", ["inner/d"]),
        "inner_1/d": ("Dense", ["inner/e"]), "inner_1/e": ("Dense", ["inner_1/d"]), "sum": ("Add", ["inner_1/e", "a"]),
    }  # fmt: skip


def read(folder):
    """What TensorBoard finds in a folder: (scalars, tags by plugin, the reader)."""
    reading = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    from tensorboard.util import tensor_util

    found = reading.EventAccumulator(str(folder), size_guidance={reading.TENSORS: 0})
    found.Reload()
    tags = {plugin: sorted(found.PluginTagToContent(plugin)) for plugin in found._plugin_to_tag_to_content}
    scalars = {
        tag: [(e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in found.Tensors(tag)]
        for tag in tags.get("scalars", ())
    }
    return scalars, tags, found


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_a_training(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    model, x, y = setup()
    history = model.fit(
        x, y, batch_size=10, epochs=3, verbose=0, validation_data=(x, y),
        callbacks=[callbacks.TensorBoard(tmp_path, histogram_freq=2, write_images=True, update_freq=2,
                                         write_steps_per_second=True, profile_batch=(2, 5))],
    ).history  # fmt: skip
    scalars, tags, reader = read(tmp_path / "train")
    assert [step for step, _ in scalars["epoch_loss"]] == [0, 1, 2]
    np.testing.assert_array_equal([v for _, v in scalars["epoch_loss"]], np.float32(history["loss"]))
    np.testing.assert_allclose([v for _, v in scalars["epoch_learning_rate"]], 0.001, rtol=1e-6)
    assert [step for step, _ in scalars["batch_mae"]] == [2, 4, 6, 8, 10, 12]
    assert scalars["batch_loss"][1][1] == np.float32(history["loss"][0])  # the last batch of the first epoch
    assert all(v > 0 for _, v in scalars["epoch_steps_per_second"] + scalars["batch_steps_per_second"])
    assert tags["histograms"] == sorted(f"{w.path}/histogram" for w in model.weights)
    assert tags["images"] == sorted(f"{w.path}/image" for w in model.weights if w.size > 1)
    assert tags["text"] == ["profile/batch_2", "profile/batch_5"]
    from tensorboard.util import tensor_util

    kernel = [tensor_util.make_ndarray(e.tensor_proto) for e in reader.Tensors(f"{model.weights[0].path}/histogram")]
    assert [k[:, 2].sum() for k in kernel] == [12, 12]
    events = reader.Tensors(tags["images"][0])
    assert events[0].tensor_proto.string_val[2].startswith(b"\x89PNG")
    graph = {node.name: (node.op, list(node.input)) for node in _graph(reader)}
    names = [layer.name for layer in model.layers]
    assert len(graph) == 3 and graph["first"][0] == "Dense" and graph[names[1]] == ("Dense", ["first"])
    config = reader.Tensors("keras")[0].tensor_proto.string_val[0]
    assert json.loads(config) == json.loads(model.to_json())
    trace = json.loads((tmp_path / "train" / "batch_2.trace.json").read_text())
    assert trace
    scalars, tags, _ = read(tmp_path / "validation")
    np.testing.assert_array_equal([v for _, v in scalars["epoch_loss"]], np.float32(history["val_loss"]))
    assert [step for step, _ in scalars["evaluation_loss_vs_iterations"]] == [4, 8, 12]


def _graph(reader):
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    graph = reader.Graph()
    return graph.node if isinstance(graph, GraphDef) else GraphDef.FromString(graph).node


def test_embeddings(tmp_path):
    model = keras.Sequential([layers.Input((2,), dtype="int32"), layers.Embedding(5, 3, name="words"), layers.Flatten(),
                              layers.Dense(1)])  # fmt: skip
    model.compile("sgd", "mse")
    arguments = (np.ones((4, 2), "int32"), np.ones((4, 1)))
    model.fit(*arguments, verbose=0, callbacks=[
        callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"words": "words.tsv"})
    ])  # fmt: skip
    vectors = np.loadtxt(tmp_path / "train" / "words.tsv")
    np.testing.assert_allclose(vectors, model.get_weights()[0], rtol=1e-5)
    assert 'metadata_path: "words.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()
    with pytest.raises(ValueError, match=r"names \['other'\], which are no Embedding layers"):
        model.fit(*arguments, verbose=0, callbacks=[
            callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"other": "o.tsv"})
        ])  # fmt: skip


def test_no_batch_hooks_unless_asked():
    for callback, wanted in (
        (callbacks.TensorBoard(), (None, None)), (callbacks.TensorBoard(write_steps_per_second=True), (None, None))
    ):  # fmt: skip
        assert callbacks.CallbackList([callback]).batch_hooks("train") == wanted
    begin, end = callbacks.CallbackList([callbacks.TensorBoard(update_freq=5)]).batch_hooks("train")
    assert begin is None and end is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"update_freq": 0}, '`update_freq` must be "epoch", "batch" or'),
        ({"update_freq": "day"}, "`update_freq` must be"),
        ({"histogram_freq": -1}, "`histogram_freq` must be a number of epochs"),
        ({"embeddings_freq": True}, "`embeddings_freq` must be"),
        ({"profile_batch": -1}, "`profile_batch` must be"),
        ({"profile_batch": (5, 2)}, "`profile_batch` must be"),
        ({"profile_batch": "a,b"}, "`profile_batch` must be"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        callbacks.TensorBoard(**arguments)


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    model, x, y = setup()
    before = model.get_weights()
    with pytest.raises(OSError):
        model.fit(x, y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path / "file" / "logs")])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])  # it is noticed before the first step
