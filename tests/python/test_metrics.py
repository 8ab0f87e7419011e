import numpy as np
import pytest
from keras_golden import array, assert_close, label, load

from falconet import losses, metrics, ops, tracing

ROWS = load("metrics")


def make(row):
    return getattr(metrics, row["name"])(**row["arguments"])


def update(metric, step):
    weight = step["sample_weight"]
    metric.update_state(*(array(x) for x in step["inputs"]), sample_weight=None if weight is None else array(weight))


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_metric_is_that_of_keras_over_several_updates(row):
    metric = make(row)
    for _ in range(2):  # the second time after a reset
        for step, wanted in zip(row["updates"], row["results"], strict=True):
            update(metric, step)
            assert_close(metric.result(), wanted)
        assert [[v.name, list(v.shape)] for v in metric.variables] == row["variables"]
        metric.reset_state()


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_compiled_updates_are_those_of_keras(row):
    metric = make(row)
    update(metric, row["updates"][0])  # some make their variables at the first update
    metric.reset_state()

    @tracing.jit
    def step(inputs, weight):
        metric.update_state(*inputs, sample_weight=weight)
        return metric.result()

    for given, wanted in zip(row["updates"], row["results"], strict=True):
        weight = given["sample_weight"]
        inside = step([array(x) for x in given["inputs"]], None if weight is None else array(weight))
        assert_close(inside, wanted)
        assert_close(metric.result(), wanted)


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_metric_is_made_again_from_its_config(row):
    metric = make(row)
    again = metrics.deserialize(metrics.serialize(metric))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    update(again, row["updates"][0])
    assert_close(again.result(), row["results"][0])


@pytest.mark.parametrize("name", ["IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"])
def test_iou_along_another_axis(name):
    rng = np.random.RandomState(0)
    y_true, y_pred = np.eye(3, dtype="float32")[rng.randint(0, 3, (6, 4))], rng.rand(6, 4, 3).astype("float32")
    arguments = {} if "OneHot" in name else {"sparse_y_true": False, "sparse_y_pred": False}
    classes = range(3) if "Mean" in name else (0, 2)
    if "Mean" not in name:
        arguments["target_class_ids"] = classes
    last = getattr(metrics, name)(num_classes=3, **arguments)
    first = getattr(metrics, name)(num_classes=3, axis=1, **arguments)
    last.update_state(y_true, y_pred)
    first.update_state(np.moveaxis(y_true, -1, 1), np.moveaxis(y_pred, -1, 1))
    one, other = y_true.argmax(-1), y_pred.argmax(-1)
    shares = [((one == k) & (other == k)).sum() / ((one == k) | (other == k)).sum() for k in classes]
    assert_close(last.result(), np.mean(shares))
    assert_close(first.result(), np.mean(shares))


def test_metric_of_a_function():
    metric = metrics.MeanMetricWrapper(losses.huber, name="mine", delta=2.0)
    y_true, y_pred = np.zeros((2, 1), "float32"), np.array([[1.0], [4.0]], "float32")
    assert_close(metric(y_true, y_pred), (0.5 + 6.0) / 2)
    again = metrics.deserialize(metrics.serialize(metric))
    assert_close(again(y_true, y_pred), (0.5 + 6.0) / 2)
    assert again.name == "mine"


def test_names_and_directions():
    assert metrics.get("mse").name == "mean_squared_error"
    assert isinstance(metrics.get("sparse_categorical_accuracy"), metrics.SparseCategoricalAccuracy)
    assert metrics.get("AUC")._direction == "up"
    assert metrics.get("mae")._direction == "down"


def test_own_metric_owns_variables_and_metrics():
    class Largest(metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.seen = self.add_weight(name="seen")
            self.mean = metrics.Mean()

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.seen.assign(ops.maximum(self.seen, ops.max(y_pred)))
            self.mean.update_state(y_pred)

        def result(self):
            return self.seen

    metric = Largest()
    metric.update_state(None, np.array([1.0, 5.0], "float32"))
    assert len(metric.variables) == 3
    assert_close(metric.result(), 5.0)
    metric.reset_state()
    assert_close(metric.result(), 0.0)


def test_stateless_calls_keep_the_state():
    metric = metrics.Mean()
    metric.update_state(np.array([1.0, 3.0], "float32"))
    state = metric.stateless_update_state([0.0, 0.0], np.array([10.0], "float32"))
    assert [float(x) for x in state] == [10.0, 1.0]
    assert float(metric.stateless_result(state)) == 10.0
    assert [float(x) for x in metric.stateless_reset_state()] == [0.0, 0.0]
    assert_close(metric.result(), 2.0)


def test_mean_without_samples_is_zero():
    assert_close(metrics.Mean().result(), 0.0)


def test_predictions_on_a_threshold_or_beyond_the_buckets():
    # At 200 even thresholds, 0 is above none, and 1 above all but the last.
    metric = metrics.AUC()
    metric.update_state(np.array([0, 0, 1, 1]), np.array([0.0, 0.5, 0.3, 1.0], "float32"))
    assert_close(metric.result(), 0.75)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: metrics.Precision(thresholds=[0.5, 1.5]), r"\[Precision\] `thresholds` holds \[1.5\]"),
        (lambda: metrics.AUC(curve="XYZ"), r"`curve` is 'XYZ'"),
        (lambda: metrics.FBetaScore(beta=1), r"`beta` is 1; it must be a float > 0"),
        (lambda: metrics.IoU(2, [2]), r"`target_class_ids` holds 2"),
        (lambda: metrics.get("acuracy"), r"Did you mean 'accuracy'"),
        (lambda: metrics.F1Score().update_state(np.ones(3), np.ones(3)), r"\(3,\)"),
    ],
)
def test_errors_say_what_came_and_what_is_needed(make, text):
    with pytest.raises(ValueError, match=text):
        make()
