"""Pictures of models, curves and tables of classifiers, and what a model says of its memory."""

import shutil
import xml.etree.ElementTree as xml

import numpy as np
import pytest

import falconet as keras
from falconet import layers, plots
from falconet.models.drawing import picture_of

SHOW = {"shapes": True, "dtype": False, "layer_names": True, "layer_activations": False, "trainable": False}


def residual():
    a, b = layers.Input((4,), name="a"), layers.Input((5,), name="b")
    inner = keras.Sequential([layers.Input((5,)), layers.Dense(3, name="one", activation="relu"),
                              layers.Dense(5, name="two")], name="inner")  # fmt: skip
    x = layers.Add(name="sum")([layers.Dense(5, name="wide")(a), b])
    return keras.Model([a, b], layers.Add(name="end")([layers.Dense(5, name="more")(inner(x)), x, b]), name="model")


def boxes(nodes):
    return [(n.x, n.y, n.x + n.width, n.y + n.height) for n in nodes]


@pytest.mark.parametrize("direction", ["TB", "BT", "LR", "RL"])
@pytest.mark.parametrize("expand", [False, True])
def test_nodes_and_edges_do_not_cross(direction, expand):
    picture = picture_of(residual(), SHOW, direction, expand)
    found = boxes(picture.nodes)
    for i, (x0, y0, x1, y1) in enumerate(found):
        assert 0 <= x0 < x1 <= picture.width and 0 <= y0 < y1 <= picture.height
        for u0, v0, u1, v1 in found[i + 1 :]:
            assert x1 <= u0 or u1 <= x0 or y1 <= v0 or v1 <= y0
    for node in picture.nodes:
        for points in node.edges:
            for (px, py), (qx, qy) in zip(points[1:-1], points[2:-1], strict=False):  # beside other nodes' rows
                for x0, y0, x1, y1 in found:
                    for t in np.linspace(0, 1, 9):
                        x, y = px + t * (qx - px), py + t * (qy - py)
                        assert not (x0 < x < x1 and y0 < y < y1)
    order = {node.name: (node.y if direction in ("TB", "BT") else node.x) for node in picture.nodes}
    inwards = order["a"] < order["wide"] < order["sum"] < order["inner"] < order["end"]
    assert inwards if direction in ("TB", "LR") else order["a"] > order["wide"] > order["end"]


@pytest.mark.parametrize("splines", ["ortho", "curved", "line"])
def test_svg(tmp_path, splines):
    path = tmp_path / "m.svg"
    drawing = keras.utils.plot_model(
        residual(), path, show_shapes=True, show_dtype=True, show_layer_names=True, expand_nested=True,
        show_layer_activations=True, show_trainable=True, splines=splines,
    )  # fmt: skip
    assert path.read_text() == drawing.svg == drawing._repr_svg_()
    root = xml.fromstring(drawing.svg)
    space = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in root.iter(f"{space}text")]
    for wanted in ("wide (Dense)", "Input shape: (None, 5), (None, 5), (None, 5)", "Output shape: (None, 3)", "inner",
                   "Activation: relu", "Output dtype: float32", "Trainable"):  # fmt: skip
        assert wanted in texts
    assert sum(path.get("marker-end") is not None for path in root.iter(f"{space}path")) == 9 + 1
    plain = keras.utils.plot_model(residual(), None)
    assert [t.text for t in xml.fromstring(plain.svg).iter(f"{space}text")].count("Dense") == 2 and plain.path is None


def test_names_are_escaped_in_pictures(tmp_path):
    model = keras.Sequential([layers.Input((2,)), layers.Dense(1, name='<b>"x"&')])
    assert xml.fromstring(keras.utils.plot_model(model, None, show_layer_names=True).svg) is not None
    keras.utils.plot_model(model, tmp_path / "m.dot", show_layer_names=True)
    assert '[label="<b>\\"x\\"& (Dense)"]' in (tmp_path / "m.dot").read_text()


def test_dot(tmp_path, monkeypatch):
    keras.utils.plot_model(residual(), tmp_path / "m.dot", rankdir="LR", expand_nested=True, dpi=99)
    text = (tmp_path / "m.dot").read_text()
    assert "rankdir=LR" in text and "dpi=99" in text and "subgraph cluster_" in text and text.count("->") == 8 + 2
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.warns(UserWarning, match=r"graphviz's program `dot`.*m\.svg is written instead"):
        drawing = keras.utils.plot_model(residual(), tmp_path / "m.png")
    assert drawing.path.endswith("m.svg") and not (tmp_path / "m.png").exists()


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz's program `dot` is not installed")
def test_dot_writes_other_formats(tmp_path):
    keras.utils.plot_model(residual(), tmp_path / "m.png", expand_nested=True)
    assert (tmp_path / "m.png").read_bytes()[:4] == b"\x89PNG"


class Own(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)


def test_models_that_cannot_be_drawn():
    model = Own()
    with pytest.raises(ValueError, match='Own "own" is not built yet'):
        keras.utils.plot_model(model, None)
    model(np.ones((1, 2), "float32"))
    assert "own (Own)" in keras.utils.plot_model(model, None, show_layer_names=True).svg
    for wrong in ({"rankdir": "up"}, {"splines": "straight"}, {"dpi": 0}):
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
            keras.utils.plot_model(residual(), None, **wrong)
    with pytest.raises(ValueError, match="must be a model"):
        keras.utils.plot_model(layers.Dense(1), None)


# --- curves ----------------------------------------------------------------------------------------------------------


def scored(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    return y, np.round(rng.normal(size=rows) + y, 1)  # with ties


def test_numbers_of_curves_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    y, score = scored()
    fpr, tpr, thresholds, area = plots.roc_curve(y, score)
    found = metrics.roc_curve(y, score, drop_intermediate=False)
    for ours, theirs in zip((fpr, tpr, thresholds), found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    assert abs(area - metrics.roc_auc_score(y, score)) < 1e-14
    precision, recall, _, average = plots.precision_recall_curve(y, score)
    theirs = metrics.precision_recall_curve(y, score)
    np.testing.assert_allclose(precision[::-1], theirs[0][:-1], rtol=1e-14)
    np.testing.assert_allclose(recall[::-1], theirs[1][:-1], rtol=1e-14)
    assert abs(average - metrics.average_precision_score(y, score)) < 1e-14
    classes = np.random.default_rng(1).integers(0, 4, (2, 50))
    np.testing.assert_array_equal(plots.confusion_matrix(*classes), metrics.confusion_matrix(*classes))


def test_confusion_of_every_form():
    wanted = [[1, 1], [0, 2]]
    true, pred = [0, 0, 1, 1], [0, 1, 1, 1]
    for y in (true, np.eye(2)[true], np.array(true)[:, None]):
        for p in (pred, np.eye(2)[pred] * 0.8, [0.1, 0.5, 0.9, 0.7]):
            np.testing.assert_array_equal(plots.confusion_matrix(y, p), wanted)
    assert plots.confusion_matrix(true, pred, num_classes=3).shape == (3, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.confusion_matrix([0, 1], [0]), "`y_true` has 2 samples and `y_pred` 1"),
        (lambda: plots.confusion_matrix([], []), "no samples"),
        (lambda: plots.confusion_matrix([0, -1], [0, 1]), "must be integers >= 0"),
        (lambda: plots.confusion_matrix([0, 5], [0, 1], num_classes=2), "class 5 occurs"),
        (lambda: plots.roc_curve([0, 1], [0.5]), "`y_true` has 2 samples and `y_score` 1"),
        (lambda: plots.roc_curve([0, 2], [0.5, 1]), "must be 0 and 1"),
        (lambda: plots.roc_curve([0, 1], [0.5, np.nan]), "finite numbers"),
        (lambda: plots.precision_recall_curve([1, 1], [0.5, 1]), "all samples are of class 1"),
        (lambda: keras.callbacks.History().plot(), "no epoch has been run"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_drawings(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (pip install 'falconet[plot]')")
    model = keras.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.ones((4, 2))
    history = model.fit(x, x[:, :1], epochs=4, verbose=0, validation_data=(x, x[:, :1]), validation_freq=[2, 4])
    figure = history.plot()
    assert [axis.get_title() for axis in figure.axes] == ["loss", "mae"]
    lines = {line.get_label(): list(line.get_xdata()) for line in figure.axes[0].get_lines()}
    assert lines == {"loss": [1, 2, 3, 4], "val_loss": [2, 4]}
    y, score = scored()
    drawings = [
        lambda **k: history.plot(**k), lambda **k: plots.plot_roc(y, score, **k),
        lambda **k: plots.plot_precision_recall(y, score, **k),
        lambda **k: plots.plot_confusion_matrix(y, score > 0, class_names=["no", "yes"], normalize=True, **k),
    ]  # fmt: skip
    for i, draw in enumerate(drawings):
        assert draw(path=tmp_path / f"{i}.png") is None
        assert (tmp_path / f"{i}.png").read_bytes()[:4] == b"\x89PNG"
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []  # nothing stays behind


def test_drawing_without_matplotlib(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'falconet\[plot\]'"):
        plots.plot_roc(*scored())


# --- memory ----------------------------------------------------------------------------------------------------------


def test_memory():
    model = keras.Sequential([layers.Input((100,)), layers.Dense(200, activation="relu"), layers.Dense(10)])
    weights = 4 * (100 * 200 + 200 + 200 * 10 + 10)
    found = model.memory(64)
    assert found["weights"] == weights and set(found) == {"weights", "predict"}
    assert found["predict"] >= 64 * 200 * 4
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    small, large = model.memory(64), model.memory(256)
    assert small["optimizer"] == 2 * weights + 4 + 4 and small["predict"] == found["predict"]
    assert large["train"] > small["train"] >= 2 * 64 * 200 * 4 and large["weights"] == weights
    before = model.get_weights()
    model.memory(8, y=np.zeros(8, "int32"))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(model.optimizer.iterations) == 0


def test_memory_is_what_the_programs_hold():
    model = keras.Sequential([layers.Input((30,)), layers.Dense(50, activation="tanh"), layers.Dense(1)])
    model.compile("sgd", "mse")
    said = model.memory(16)
    model.fit(np.ones((16, 30)), np.ones((16, 1)), batch_size=16, verbose=0)
    assert 0.5 * said["train"] <= model._programs["train"][2]._native.arena_bytes <= said["train"] * 1.5


def test_memory_needs_inputs():
    with pytest.raises(ValueError, match="has no defined inputs"):
        Own().memory()
    with pytest.raises(ValueError, match="`batch_size` must be an integer >= 1"):
        keras.Sequential([layers.Input((2,)), layers.Dense(1)]).memory(0)
