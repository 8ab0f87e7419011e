import numpy as np
import pytest
from keras_golden import array, assert_close, label, load

import falconet
from falconet import losses, ops
from falconet.masks import get_mask, set_mask

ROWS = load("losses")


@pytest.mark.parametrize("row", ROWS, ids=label)
@pytest.mark.parametrize("reduction", ["none", "sum", "sum_over_batch_size", "mean_with_sample_weight"])
def test_loss_is_that_of_keras(row, reduction):
    y_true, y_pred = array(row["y_true"]), array(row["y_pred"])
    loss = getattr(losses, row["name"])(reduction=reduction, **row["arguments"])
    weights = np.array([0.5, 2.0, 1.0, 0.0, 1.5, 3.0], "float32")
    if reduction in row["results"]:
        assert_close(loss(y_true, y_pred), row["results"][reduction])
    wanted = row["results"].get(f"weighted {reduction}")
    if wanted is not None:
        values = row["results"]["none"]
        weights = weights[: len(values)]
        assert_close(loss(y_true, y_pred, weights[:, None] if np.ndim(values) == 2 else weights), wanted)


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_loss_is_made_again_from_its_config(row):
    loss = getattr(losses, row["name"])(**row["arguments"], name="mine")
    again = losses.deserialize(losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    y_true, y_pred = array(row["y_true"]), array(row["y_pred"])
    np.testing.assert_array_equal(np.asarray(again(y_true, y_pred)), np.asarray(loss(y_true, y_pred)))


def test_function_and_object_agree():
    y_true, y_pred = np.ones((3, 2), "float32"), np.zeros((3, 2), "float32")
    assert_close(losses.mean_squared_error(y_true, y_pred), [1, 1, 1])
    assert losses.get("mse") is losses.mean_squared_error
    assert losses.get("MeanSquaredError").name == "mean_squared_error"
    assert isinstance(losses.get(losses.Huber), losses.Huber)


def test_masked_values_do_not_count():
    y_pred = ops.convert_to_tensor(np.array([[1.0], [2.0], [3.0]], "float32"))
    set_mask(y_pred, ops.convert_to_tensor(np.array([True, False, True])))
    y_true = np.zeros((3, 1), "float32")
    assert_close(losses.MeanSquaredError()(y_true, y_pred), 5.0)
    assert_close(losses.MeanSquaredError(reduction="sum")(y_true, y_pred), 10.0)
    assert_close(losses.MeanSquaredError(reduction="none")(y_true, y_pred), [1.0, 0.0, 9.0])


def test_ignored_class_is_masked():
    y_true, y_pred = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5]], "float32")
    values = losses.sparse_categorical_crossentropy(y_true, y_pred, ignore_class=1)
    assert np.asarray(get_mask(values)).tolist() == [True, False, False]
    assert_close(losses.SparseCategoricalCrossentropy(ignore_class=1)(y_true, y_pred), -np.log(0.9))


def test_large_class_indices_survive():
    # 2^24 + 1 is not a float32; class indices must not pass through one.
    loss = losses.SparseCategoricalCrossentropy()
    kept = loss._convert_target(np.array([2**24 + 1], "int32"))
    assert np.asarray(kept).tolist() == [2**24 + 1]


@pytest.mark.parametrize("target", [[1, 2], [1, 1], [2, 0], [0, 0]], ids=str)
def test_ctc_sums_over_all_alignments(target):
    logits = np.random.default_rng(1).normal(size=(1, 4, 3)).astype("float32")
    p = np.exp(logits[0].astype("float64"))
    p /= p.sum(-1, keepdims=True)
    wanted = 0.0
    for path in np.ndindex(3, 3, 3, 3):
        merged = [c for i, c in enumerate(path) if c != 0 and (i == 0 or path[i - 1] != c)]
        if merged == [c for c in target if c]:
            wanted += np.prod(p[np.arange(4), path])
    assert_close(losses.ctc(np.array([target]), logits), [-np.log(wanted)])


def test_identities_of_weights():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(2, 5, 3)).astype("float32")
    loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    doubled = np.concatenate([y_true, y_true[:1]]), np.concatenate([y_pred, y_pred[:1]])
    assert_close(loss(y_true, y_pred, np.array([2.0, 1, 1, 1, 1], "float32")), loss(*doubled))
    assert_close(loss(y_true, y_pred, np.array([0.0, 1, 1, 1, 1], "float32")), loss(y_true[1:], y_pred[1:]))
    assert_close(loss(y_true, y_pred, np.full(5, 3.0, "float32")), loss(y_true, y_pred))


def test_own_loss():
    class Cubed(losses.Loss):
        def __init__(self, scale=1.0, **kwargs):
            super().__init__(**kwargs)
            self.scale = scale

        def call(self, y_true, y_pred):
            return self.scale * ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)

    loss = Cubed(2.0)
    assert_close(loss(np.ones((2, 2)), np.zeros((2, 2))), 2.0)
    assert loss.get_config() == {
        "scale": 2.0,
        "name": loss.name,
        "reduction": "sum_over_batch_size",
        "dtype": "float32",
    }
    assert loss.name.startswith("cubed")


def test_dtype_is_that_of_the_computation():
    loss = losses.MeanSquaredError(dtype="float64")
    assert loss.dtype == "float64"
    assert str(loss(np.ones((2, 2)), np.zeros((2, 2))).dtype) == "float64"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: losses.MeanSquaredError(reduction="avg"), r"`reduction` is 'avg'; it must be one of"),
        (
            lambda: losses.get("mean_squared_eror"),
            r"no loss called 'mean_squared_eror'. Did you mean 'mean_squared_error'",
        ),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1.5), r"`q` is 1.5"),
        (lambda: losses.get(3), r"\[losses.get\] cannot read 3 as a loss"),
        (lambda: losses.ctc(np.ones((2, 3, 1)), np.ones((2, 3, 4))), r"\(2, 3, 1\)"),
    ],
)
def test_errors_say_what_came_and_what_is_needed(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize("from_logits", [False, True])
def test_labels_without_a_class_give_nan(from_logits):
    y_pred = np.full((4, 3), 1 / 3, "float32")
    values = losses.sparse_categorical_crossentropy(np.array([0, 3, -1, 2]), y_pred, from_logits=from_logits)
    assert np.isnan(np.asarray(values)).tolist() == [False, True, True, False]
    ignoring = losses.sparse_categorical_crossentropy(np.array([0, -1]), y_pred[:2], from_logits, ignore_class=-1)
    assert np.asarray(ignoring)[1] == 0


def test_fit_leaves_out_the_ignored_class():
    model = falconet.Sequential([falconet.Input((3,)), falconet.layers.Dense(2)])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1))
    history = model.fit(np.ones((4, 3), "float32"), np.array([-1, 0, 1, -1]), verbose=0).history
    assert np.isfinite(history["loss"][0])
