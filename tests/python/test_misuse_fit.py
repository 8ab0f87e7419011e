"""Misuse of compile, fit, evaluate, predict, the batch methods and falconet.data: what is raised, and its text.

Each message names who complains, what came and what was needed.
"""

import numpy as np
import pytest

import falconet as keras
from falconet import layers, ops
from falconet.data import Dataset

X, Y = np.random.RandomState(0).rand(8, 3).astype("float32"), np.ones((8, 1), "float32")
LABELS = np.arange(8) % 3
HOT = np.eye(3, dtype="float32")[LABELS]


def compiled(units=1, loss="mse", activation=None, **options):
    model = keras.Sequential([layers.Input((3,)), layers.Dense(units, activation=activation, name="out")], name="m")
    model.compile("sgd", loss, **options)
    return model


def classifier(loss="sparse_categorical_crossentropy", **options):
    return compiled(3, loss, "softmax", **options)


def two(**options):
    p, q = layers.Input((3,), name="p"), layers.Input((3,), name="q")
    total = layers.Add()([p, q])
    model = keras.Model([p, q], [layers.Dense(1, name="a")(total), layers.Dense(2, name="b")(total)], name="two")
    model.compile("sgd", **{"loss": "mse", **options})
    return model


def uncompiled():
    return keras.Sequential([layers.Input((3,)), layers.Dense(1)], name="m")


def fit(model=None, x=X, y=Y, **options):
    return (model or compiled()).fit(x, y, **{"verbose": 0, **options})


def gen(*items):
    yield from items


class Short(keras.utils.PyDataset):
    def __init__(self, item, length=2):
        super().__init__()
        self.item, self.length = item, length

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        return self.item


class OwnStep(keras.Model):
    def __init__(self, returned):
        super().__init__()
        self.dense, self.returned = layers.Dense(1), returned

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        return self.returned


def own_step(returned):
    model = OwnStep(returned)
    model.compile("sgd", "mse")
    return model


def raising(hook, error):
    def raises(*args, **kwargs):
        raise error

    return keras.callbacks.LambdaCallback(**{hook: raises})


P, Q, B2 = X, X, np.ones((8, 2), "float32")

CASES = {
    # compile
    "compile_optimizer_number": (lambda: compiled().compile(0.1, "mse"), (ValueError, TypeError), r"0\.1"),
    "compile_optimizer_class_typo": (lambda: compiled().compile("adamm"), ValueError, r"adamm"),
    "compile_loss_number": (lambda: fit(compiled(loss=3)), (ValueError, TypeError), r"3"),
    "compile_loss_typo": (lambda: compiled(loss="mean_square_error"), ValueError, r"mean_square_error"),
    "compile_metrics_object": (lambda: compiled(metrics=keras.metrics.Mean()), ValueError, r"must be a list or a dict"),
    "compile_weighted_text": (
        lambda: compiled(weighted_metrics="mae"), ValueError,
        r"`weighted_metrics` must be a list",
    ),
    "compile_metric_none": (lambda: fit(compiled(metrics=[None])), ValueError, r"a metric is None"),
    "compile_metric_typo": (lambda: fit(compiled(metrics=["accurcy"])), ValueError, r"accurcy"),
    "compile_steps_zero": (lambda: compiled(steps_per_execution=0), ValueError, r"integer >= 1, got 0"),
    "compile_steps_text": (lambda: compiled(steps_per_execution="2"), ValueError, r"integer >= 1, got '2'"),
    "compile_steps_bool": (lambda: compiled(steps_per_execution=True), ValueError, r"integer >= 1, got True"),
    "compile_unknown_argument": (lambda: compiled(metric=["mae"]), TypeError, r"metric"),
    "compile_loss_weights_text": (
        lambda: compiled(loss_weights="half"), ValueError,
        r"`loss_weights` must be a number",
    ),
    "compile_loss_weights_count": (
        lambda: fit(two(loss=["mse", "mse"], loss_weights=[1.0, 2.0, 3.0]), [P, Q], [Y, B2]), ValueError,
        r"`loss_weights` has 3 entries, but the model has 2 outputs \['a', 'b'\]",
    ),
    "compile_loss_weights_key": (
        lambda: fit(two(loss_weights={"a": 1.0, "c": 1.0}), [P, Q], [Y, B2]), ValueError,
        r"`loss_weights` has a key 'c'",
    ),
    "compile_metrics_count": (
        lambda: fit(two(metrics=[["mae"], ["mae"], ["mae"]]), [P, Q], [Y, B2]), ValueError, r"`metrics` has 3 entries",
    ),
    "compile_weighted_key": (
        lambda: fit(two(weighted_metrics={"x": ["mae"]}), [P, Q], [Y, B2]), ValueError,
        r"`weighted_metrics` has a key 'x'",
    ),
    # forgotten compile
    "fit_uncompiled": (lambda: fit(uncompiled()), ValueError, r"call compile\(optimizer, loss\) before fit\(\)"),
    "evaluate_uncompiled": (lambda: uncompiled().evaluate(X, Y), ValueError, r"before evaluate\(\)"),
    "train_on_batch_uncompiled": (lambda: uncompiled().train_on_batch(X, Y), ValueError, r"before train_on_batch\(\)"),
    "test_on_batch_uncompiled": (lambda: uncompiled().test_on_batch(X, Y), ValueError, r"before test_on_batch\(\)"),
    "fit_without_loss": (
        lambda: fit(compiled(loss=None)), ValueError,
        r"no loss to train on: give compile\(\) a `loss`",
    ),
    "evaluate_without_loss": (lambda: compiled(loss=None).evaluate(X, Y, verbose=0), ValueError, r"no loss"),
    # the loss and the shape of the output
    "sparse_loss_on_one_hot": (
        lambda: fit(classifier(), y=HOT), ValueError,
        r"sparse_categorical_crossentropy.*\(8, 3\).*categorical_crossentropy",
    ),
    "categorical_loss_on_labels": (
        lambda: fit(classifier("categorical_crossentropy"), y=LABELS), ValueError,
        r"categorical_crossentropy.*sparse_categorical_crossentropy",
    ),
    "categorical_loss_one_unit": (
        lambda: fit(compiled(loss="categorical_crossentropy"), y=Y), SyntaxWarning,
        r"a single class.*binary_crossentropy",
    ),
    "sparse_loss_one_unit": (
        lambda: fit(compiled(loss="sparse_categorical_crossentropy"), y=LABELS % 2), ValueError,
        r"1 classes.*binary_crossentropy",
    ),
    "mse_widths": (lambda: fit(compiled(2), y=np.ones((8, 3))), ValueError, r"\(8, 3\).*\(8, 2\)|\(8, 2\).*\(8, 3\)"),
    "mse_ranks": (
        lambda: fit(compiled(2), y=np.ones((8, 5, 2))), ValueError, r"\(8, 5, 2\).*\(8, 2\)|\(8, 2\).*\(8, 5, 2\)",
    ),
    "binary_widths": (
        lambda: fit(compiled(2, "binary_crossentropy", "sigmoid"), y=np.ones((8, 3))), ValueError,
        r"\(8, 3\).*\(8, 2\)|\(8, 2\).*\(8, 3\)",
    ),
    "metric_widths": (
        lambda: fit(compiled(loss=lambda t, p: ops.mean(p, -1), metrics=["mse"]), y=np.ones((8, 4, 2))), ValueError,
        r"\(8, 4, 2\)",
    ),
    # labels
    "label_too_large": (
        lambda: fit(classifier(), y=LABELS + 1), ValueError,
        r"holds the label 3, and output out has 3 classes; labels must be in \[0, 2\].* row 2",
    ),
    "label_negative": (lambda: fit(classifier(), y=LABELS - 1), ValueError, r"label -1,.* row 0"),
    "label_in_last_rows": (
        lambda: fit(classifier(), y=np.array([0] * 7 + [9]), batch_size=2), ValueError, r"label 9,.* row 7",
    ),
    "label_evaluate": (lambda: classifier().evaluate(X, LABELS + 1, verbose=0), ValueError, r"label 3,.* row 2"),
    "label_validation": (lambda: fit(classifier(), y=LABELS, validation_data=(X, LABELS + 1)), ValueError, r"label 3"),
    "label_on_batch": (lambda: classifier().train_on_batch(X, LABELS + 1), ValueError, r"label 3"),
    "label_float": (lambda: fit(classifier(), y=LABELS + 1.0), ValueError, r"label 3"),
    "label_generator": (lambda: fit(classifier(), gen((X, LABELS), (X, LABELS + 1)), None), ValueError, r"label 3"),
    "label_dataset": (
        lambda: fit(classifier(), Dataset.from_arrays(X, LABELS + 1).batch(2), None), ValueError,
        r"label 3",
    ),
    "label_text": (lambda: fit(classifier(), y=np.array(list("abcabcab"))), ValueError, r"`y` has dtype <U1"),
    # arrays
    "x_none": (lambda: fit(x=None), ValueError, r"no data: `x` is None"),
    "x_none_alone": (lambda: fit(x=None, y=None), ValueError, r"no data: `x` is None"),
    "x_text": (lambda: fit(x=np.array([["a"] * 3] * 8)), ValueError, r"`x` has dtype <U1; it needs numbers"),
    "x_text_list": (lambda: fit(x=[["a"] * 3] * 8), ValueError, r"`x` has dtype <U1; it needs numbers"),
    "x_string": (lambda: fit(x="data.csv"), ValueError, r"`x`"),
    "x_objects": (lambda: fit(x=np.array([[None] * 3] * 8)), ValueError, r"`x` has dtype object"),
    "x_dates": (
        lambda: fit(x=np.zeros((8, 3), "datetime64[s]")), ValueError,
        r"dtype datetime64\[s\]; it needs numbers",
    ),
    "x_complex": (lambda: fit(x=np.zeros((8, 3), complex)), ValueError, r"dtype complex128; it needs numbers"),
    "x_records": (lambda: fit(x=np.zeros(8, [("a", "f4")])), ValueError, r"`x` has dtype \[\('a'"),
    "x_number": (lambda: fit(x=3.0), ValueError, r"`x` is a single number"),
    "x_ragged": (lambda: fit(x=[[1.0, 2.0], [3.0]], y=[1.0, 2.0]), ValueError, r"`x` cannot be made an array"),
    "x_set": (lambda: fit(x={1.0, 2.0}), (ValueError, TypeError), r"set|yields"),
    "x_empty": (lambda: fit(x=X[:0], y=Y[:0]), ValueError, r"`x` has 0 rows"),
    "x_empty_list": (lambda: fit(x=[], y=[]), ValueError, r"`x` has 0 rows"),
    "x_width": (lambda: fit(x=np.ones((8, 4))), ValueError, r"shape \(8, 4\); it needs shape \(None, 3\)"),
    "x_rank": (lambda: fit(x=np.ones((8, 3, 2))), ValueError, r"shape \(8, 3, 2\); it needs shape \(None, 3\)"),
    "x_one_sample": (lambda: compiled().predict(np.ones(3)), ValueError, r"x\[None, \.\.\.\]"),
    "x_on_batch_one_sample": (lambda: compiled().predict_on_batch(np.ones(3)), ValueError, r"x\[None, \.\.\.\]"),
    "x_nothing_inside": (lambda: compiled().predict([None]), ValueError, r"no data|not optional"),
    "y_none": (lambda: fit(y=None), ValueError, r"needs a target `y`"),
    "y_number": (lambda: fit(y=1.0), ValueError, r"`y` is a single number"),
    "y_rows": (lambda: fit(y=Y[:5]), ValueError, r"`x` has 8, `y` has 5"),
    "y_objects": (lambda: fit(y=np.array([None] * 8)), ValueError, r"`y` has dtype object"),
    "batch_rows": (lambda: compiled().train_on_batch(X, Y[:3]), ValueError, r"`x` has 8, `y` has 3"),
    "batch_y_none": (lambda: compiled().train_on_batch(X), ValueError, r"needs a target `y`"),
    "predict_text": (lambda: compiled().predict(np.array([["a"] * 3])), ValueError, r"`x` has dtype <U1"),
    # weights
    "weights_rows": (lambda: fit(sample_weight=np.ones(3)), ValueError, r"`sample_weight` has 3"),
    "weights_text": (lambda: fit(sample_weight=["a"] * 8), ValueError, r"`sample_weight` has dtype <U1"),
    "weights_shape": (lambda: fit(sample_weight=np.ones((8, 5))), ValueError, r"\(8, 5\)"),
    "class_weight_list": (
        lambda: fit(classifier(), y=LABELS, class_weight=[1, 2]), ValueError,
        r"must be a dictionary",
    ),
    "class_weight_balanced": (lambda: fit(classifier(), y=LABELS, class_weight="balanced"), ValueError, r"got str"),
    "class_weight_names": (
        lambda: fit(classifier(), y=LABELS, class_weight={"cat": 2.0}), ValueError,
        r"class indices to numbers, got 'cat'",
    ),
    "class_weight_value": (
        lambda: fit(classifier(), y=LABELS, class_weight={0: "big"}), ValueError, r"got 0: 'big'",
    ),
    "class_weight_without_y": (lambda: fit(y=None, class_weight={0: 1.0}), ValueError, r"`class_weight` needs targets"),
    "class_weight_outputs": (
        lambda: fit(two(), [P, Q], [Y, B2], class_weight={0: 1.0}), ValueError,
        r"several outputs: give `class_weight` per",
    ),
    "class_weight_key": (
        lambda: fit(two(), [P, Q], {"a": Y, "b": B2}, class_weight={"z": {0: 1.0}}), ValueError, r"has a key 'z'",
    ),
    # several inputs and outputs
    "inputs_missing": (
        lambda: two().predict({"p": P}), ValueError,
        r"needs inputs \['p', 'q'\], got \['p'\]: 'q' is miss",
    ),
    "inputs_misspelt": (lambda: two().predict({"p": P, "Q": Q}), ValueError, r"'q' is missing"),
    "inputs_few": (lambda: two().predict([P]), ValueError, r"needs 2 input\(s\) \['p', 'q'\], got 1"),
    "inputs_many": (lambda: two().predict([P, Q, P]), ValueError, r"needs 2 input\(s\) \['p', 'q'\], got 3"),
    "inputs_single": (lambda: two().predict(P), ValueError, r"needs 2 input\(s\)"),
    "inputs_rows": (lambda: two().predict([P, Q[:3]]), ValueError, r"`x\[0\]` has 8, `x\[1\]` has 3"),
    "inputs_dict_text": (lambda: two().predict({"p": P, "q": ["a"] * 8}), ValueError, r"`x\['q'\]` has dtype <U1"),
    "targets_one": (lambda: fit(two(), [P, Q], Y), ValueError, r"`y` is one array, but the model has 2 outputs"),
    "targets_three": (lambda: fit(two(), [P, Q], [Y, B2, Y]), ValueError, r"`y` has 3 arrays"),
    "targets_key": (lambda: fit(two(), [P, Q], {"a": Y, "z": B2}), ValueError, r"keys \['a', 'z'\]"),
    "targets_missing": (lambda: fit(two(), [P, Q], {"a": Y}), ValueError, r"output b needs a target"),
    "targets_swapped": (lambda: fit(two(), [P, Q], [B2, np.ones((8, 3))]), ValueError, r"\(8, 3\)"),
    "weights_key": (
        lambda: fit(two(), [P, Q], {"a": Y, "b": B2}, sample_weight={"c": np.ones(8)}), ValueError,
        r"`sample_weight`.*'c'",
    ),
    "weights_count": (
        lambda: fit(two(), [P, Q], [Y, B2], sample_weight=[np.ones(8)] * 3), ValueError,
        r"`sample_weight` has 3 arrays",
    ),
    # numbers of fit
    "epochs_float": (lambda: fit(epochs=1.5), ValueError, r"`epochs` must be an integer >= 0, got 1\.5"),
    "epochs_negative": (lambda: fit(epochs=-1), ValueError, r"`epochs` must be an integer >= 0, got -1"),
    "epochs_text": (lambda: fit(epochs="10"), ValueError, r"got '10'"),
    "epochs_none": (lambda: fit(epochs=None), ValueError, r"got None"),
    "initial_epoch_float": (
        lambda: fit(initial_epoch=0.5), ValueError,
        r"`initial_epoch` must be an integer >= 0, got 0\.5",
    ),
    "initial_epoch_negative": (lambda: fit(initial_epoch=-2), ValueError, r"`initial_epoch` must be an integer >= 0"),
    "batch_size_zero": (lambda: fit(batch_size=0), ValueError, r"`batch_size` must be an integer >= 1, got 0"),
    "batch_size_float": (lambda: fit(batch_size=32.0), ValueError, r"got 32\.0"),
    "batch_size_text": (lambda: fit(batch_size="all"), ValueError, r"got 'all'"),
    "batch_size_bool": (lambda: fit(batch_size=True), ValueError, r"got True"),
    "predict_batch_size": (lambda: compiled().predict(X, batch_size=0), ValueError, r"got 0"),
    "evaluate_batch_size": (lambda: compiled().evaluate(X, Y, batch_size=-4, verbose=0), ValueError, r"got -4"),
    "validation_batch_size": (
        lambda: fit(validation_data=(X, Y), validation_batch_size=-1), ValueError, r"validation_data.*got -1",
    ),
    "steps_zero": (lambda: fit(steps_per_epoch=0), ValueError, r"number of steps must be an integer >= 1, got 0"),
    "steps_float": (lambda: fit(steps_per_epoch=2.5), ValueError, r"got 2\.5"),
    "evaluate_steps": (lambda: compiled().evaluate(X, Y, steps=-1, verbose=0), ValueError, r"got -1"),
    "predict_steps": (lambda: compiled().predict(X, steps=0), ValueError, r"got 0"),
    "validation_steps": (
        lambda: fit(validation_data=(X, Y), validation_steps=0), ValueError,
        r"validation_data.*steps must be an integer",
    ),
    "verbose_text": (lambda: fit(verbose="loud"), ValueError, r'`verbose` must be "auto", 0, 1 or 2, got \'loud\''),
    "verbose_three": (lambda: compiled().evaluate(X, Y, verbose=3), ValueError, r"got 3"),
    "shuffle_text": (
        lambda: fit(shuffle="rows"), ValueError,
        r'`shuffle` must be True, False or "batch", got \'rows\'',
    ),
    # validation
    "split_large": (lambda: fit(validation_split=1.5), ValueError, r"between 0 and 1, got 1\.5"),
    "split_negative": (lambda: fit(validation_split=-0.1), ValueError, r"between 0 and 1, got -0\.1"),
    "split_text": (lambda: fit(validation_split="10%"), ValueError, r"between 0 and 1, got '10%'"),
    "split_tiny": (lambda: fit(x=X[:1], y=Y[:1], validation_split=0.1), ValueError, r"one part would be empty"),
    "split_generator": (
        lambda: fit(x=gen((X, Y)), y=None, validation_split=0.1), ValueError,
        r"needs arrays, got generator",
    ),
    "split_dataset": (
        lambda: fit(x=Dataset.from_arrays(X, Y).batch(4), y=None, validation_split=0.1), ValueError,
        r"needs arrays, got Data",
    ),
    "freq_zero": (lambda: fit(validation_data=(X, Y), validation_freq=0), ValueError, r"`validation_freq` must be"),
    "freq_text": (lambda: fit(validation_data=(X, Y), validation_freq="2"), ValueError, r"got '2'"),
    "freq_list": (lambda: fit(validation_data=(X, Y), validation_freq=["a"]), ValueError, r"got \['a'\]"),
    "validation_four": (lambda: fit(validation_data=(X, Y, Y, Y)), ValueError, r"a tuple of 4"),
    "validation_x_alone": (lambda: fit(validation_data=(X,)), ValueError, r"needs a target `y`"),
    "validation_rows": (
        lambda: fit(validation_data=(X, Y[:2])), ValueError,
        r"validation_data\] all arrays.*`y` has 2",
    ),
    "validation_width": (lambda: fit(validation_data=(np.ones((8, 4)), Y)), ValueError, r"shape \(8, 4\)"),
    "validation_empty": (
        lambda: fit(validation_data=(X[:0], Y[:0])), ValueError,
        r"validation_data\] there is no data",
    ),
    "validation_number": (lambda: fit(validation_data=0.2), ValueError, r"single number"),
    # iterables
    "generator_with_y": (lambda: fit(x=gen((X, Y))), ValueError, r"`x` yields batches; put `y` into them"),
    "generator_with_weights": (
        lambda: fit(x=gen((X, Y)), y=None, sample_weight=np.ones(8)), ValueError, r"put `sample_weight` into them",
    ),
    "generator_with_batch_size": (
        lambda: fit(x=gen((X, Y)), y=None, batch_size=4), ValueError,
        r"decided by the iterable",
    ),
    "generator_empty": (lambda: fit(x=gen(), y=None), ValueError, r"the iterable yielded no batch"),
    "generator_four": (lambda: fit(x=gen((X, Y, Y, Y)), y=None), ValueError, r"got a tuple of 4"),
    "generator_nothing": (lambda: fit(x=gen(()), y=None), ValueError, r"got a tuple of 0"),
    "generator_x_alone": (lambda: fit(x=gen(X), y=None), ValueError, r"needs a target `y`"),
    "generator_none": (lambda: fit(x=gen(None), y=None), ValueError, r"`x` is None"),
    "generator_text": (lambda: fit(x=gen(("a", "b")), y=None), ValueError, r"`x`"),
    "generator_rows": (lambda: fit(x=gen((X, Y[:3])), y=None), ValueError, r"`x` has 8, `y` has 3"),
    "generator_later_rows": (lambda: fit(x=gen((X, Y), (X, Y[:3])), y=None), ValueError, r"`y` has 3"),
    "generator_later_width": (lambda: fit(x=gen((X, Y), (X[:, :2], Y)), y=None), ValueError, r"shape \(8, 2\)"),
    "generator_later_arity": (lambda: fit(x=gen((X, Y), X), y=None), ValueError, r"needs a target `y`|target"),
    "dataset_empty": (lambda: fit(x=Short((X, Y), 0), y=None), ValueError, r"the data set has 0 batches"),
    "dataset_arity": (lambda: fit(x=Short((X, Y, Y, Y)), y=None), ValueError, r"a tuple of 4"),
    "dataset_unwritten": (lambda: fit(x=keras.utils.PyDataset(), y=None), NotImplementedError, r"__len__"),
    "dataset_unbatched": (lambda: fit(x=Dataset.from_arrays(X, Y), y=None), ValueError, r"`x` has 3, `y` has 1"),
    "dataset_of_nothing": (lambda: fit(x=Dataset.from_arrays(X[:0], Y[:0]).batch(2), y=None), ValueError, r"0 batches"),
    "dataset_with_y": (lambda: fit(x=Dataset.from_arrays(X, Y).batch(2)), ValueError, r"put `y` into them"),
    # callbacks and steps of one's own
    "callback_number": (lambda: fit(callbacks=[3]), TypeError, r"must hold Callback objects, got 3"),
    "callback_class": (
        lambda: fit(callbacks=[keras.callbacks.TerminateOnNaN]), TypeError,
        r"did you mean TerminateOnNaN\(\)",
    ),
    "callback_function": (lambda: fit(callbacks=print), TypeError, r"must hold Callback objects"),
    "callback_raises_epoch": (lambda: fit(callbacks=[raising("on_epoch_end", KeyError("mine"))]), KeyError, r"mine"),
    "callback_raises_batch": (
        lambda: fit(callbacks=[raising("on_train_batch_end", RuntimeError("mine"))]), RuntimeError, r"mine",
    ),
    "callback_raises_begin": (lambda: fit(callbacks=[raising("on_train_begin", OSError("mine"))]), OSError, r"mine"),
    "step_returns_number": (lambda: fit(own_step(3.0)), ValueError, r"must return a dictionary of logs, got"),
    "step_returns_list": (lambda: fit(own_step([1.0])), ValueError, r"must return a dictionary of logs, got list"),
    "loss_function_arguments": (lambda: fit(compiled(loss=lambda y: y)), TypeError, r"argument"),
    "loss_function_text": (lambda: fit(compiled(loss=lambda a, b: "x")), (TypeError, ValueError), r"."),
    # falconet.data
    "data_no_arrays": (lambda: Dataset.from_arrays(), ValueError, r"there are no arrays"),
    "data_rows": (lambda: Dataset.from_arrays(X, Y[:2]), ValueError, r"\[Dataset.from_arrays\].*\(8, 3\), \(2, 1\)"),
    "data_scalar": (lambda: Dataset.from_arrays(3), ValueError, r"3 is a single value"),
    "data_iterator": (lambda: Dataset.from_generator(gen(1)), TypeError, r"an iterator, which can be used once"),
    "data_generator_number": (lambda: Dataset.from_generator(3), TypeError, r"function or an iterable, got int"),
    "data_batch_zero": (
        lambda: Dataset.range(3).batch(0), ValueError,
        r"\[Dataset.batch\] `batch_size` .* >= 1, got 0",
    ),
    "data_buffer": (lambda: Dataset.range(3).shuffle(0), ValueError, r"`buffer_size` must be an integer >= 1, got 0"),
    "data_seed": (
        lambda: Dataset.range(3).shuffle(3, seed="a"), ValueError,
        r"`seed` must be an integer or None, got 'a'",
    ),
    "data_map": (lambda: Dataset.range(3).map(3), TypeError, r"`map_func` must be a function, got int"),
    "data_workers": (lambda: Dataset.range(3).map(abs, 0), ValueError, r"`num_parallel_calls` must be an integer >= 1"),
    "data_take": (lambda: Dataset.range(3).take(-2), ValueError, r"`count` must be an integer >= 0, got -2"),
    "data_repeat": (lambda: Dataset.range(3).repeat(1.5), ValueError, r"got 1\.5"),
    "data_zip": (lambda: Dataset.zip(Dataset.range(3), [1]), TypeError, r"needs data sets, got int"),
    "data_interleave": (
        lambda: list(Dataset.range(2).interleave(lambda i: [i])), TypeError,
        r"must return a Dataset, got list",
    ),
    "data_no_file": (lambda: Dataset.from_files("nowhere.csv", "csv"), ValueError, r"there is no file 'nowhere.csv'"),
    "data_format": (lambda: Dataset.from_files("x", "parquet"), ValueError, r"`format` must be one of"),
    "data_prefetch": (lambda: Dataset.range(3).prefetch(-3), ValueError, r"`buffer_size` must be an integer >= 0"),
    "data_ragged": (
        lambda: list(Dataset.range(3).map(lambda i: np.zeros(int(i))).batch(2)), ValueError, r"use padded_batch\(\)",
    ),
    "data_unbatch": (lambda: list(Dataset.range(3).unbatch()), ValueError, r"\[Dataset.unbatch\] all arrays need"),
}  # fmt: skip


def test_the_table_is_long_enough():
    assert len(CASES) >= 120


@pytest.mark.parametrize("name", list(CASES))
def test_misuse(name):
    act, error, message = CASES[name]
    with pytest.raises(error, match=f"(?s){message}"):
        act()


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end"])
def test_after_a_callback_raised_weights_and_history_are_usable(hook):
    calls = []

    def third(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("mine")

    model = compiled()
    with pytest.raises(RuntimeError, match="mine"):
        fit(model, epochs=5, batch_size=8, callbacks=[keras.callbacks.LambdaCallback(**{hook: third})])
    assert len(model.history.history["loss"]) == 2
    assert np.isfinite(model.get_weights()[0]).all()
    fit(model, epochs=2)
    assert len(model.history.history["loss"]) == 2


def test_after_bad_data_the_model_trains_on():
    model = classifier()
    with pytest.raises(ValueError, match="label 3"):
        fit(model, gen((X, LABELS), (X, LABELS + 1)), None)
    with pytest.raises(ValueError, match=r"shape \(8, 2\)"):
        fit(model, gen((X, LABELS), (X[:, :2], LABELS)), None)
    assert np.isfinite(fit(model, y=LABELS, epochs=3).history["loss"]).all()
    with pytest.warns(UserWarning, match="ran out of data at step 1 of 2"):
        assert len(fit(model, gen((X, LABELS)), None, steps_per_epoch=2, epochs=2).history["loss"]) == 1


def test_ignored_labels_and_labels_by_position_are_no_mistake():
    ignoring = classifier(keras.losses.SparseCategoricalCrossentropy(ignore_class=-1))
    assert np.isfinite(fit(ignoring, y=LABELS - (LABELS == 0)).history["loss"]).all()
    steps = keras.Sequential([layers.Input((4, 3)), layers.Dense(5, activation="softmax")])
    steps.compile("sgd", "sparse_categorical_crossentropy")
    labels = np.random.RandomState(0).randint(0, 5, (8, 4))
    steps.fit(np.ones((8, 4, 3)), labels, verbose=0)
    labels[6, 2] = 5
    with pytest.raises(ValueError, match=r"label 5, and output dense\w* has 5 classes.* row 6"):
        steps.fit(np.ones((8, 4, 3)), labels, verbose=0)


def test_a_changed_optimizer_is_followed_or_refused():
    model = compiled()
    fit(model)
    model.optimizer = keras.optimizers.Adam(0.1)
    fit(model)
    assert model.optimizer.iterations.numpy() == 1
    other = compiled()
    other.compile(model.optimizer, "mse")
    with pytest.raises(ValueError, match=r"optimizer|variable"):
        fit(other)


def test_nan_is_reported_with_batch_layer_and_op():
    x = np.ones((24, 3), "float32")
    x[17, 1] = np.nan
    for source in ((x, np.ones((24, 1))), (Dataset.from_arrays(x, np.ones((24, 1))).batch(8),)):
        options = {"batch_size": 8} if len(source) == 2 else {}
        stop = keras.callbacks.TerminateOnNaN(explain=True, raise_error=True)
        with pytest.raises(Exception, match=r"(?s)batch 2.*the data: `x` has values that are not finite"):
            compiled().fit(*source, shuffle=False, callbacks=[stop], verbose=0, **options)
    model = keras.Sequential([layers.Input((3,)), layers.Lambda(lambda v: ops.log(v - 2), name="bad"), layers.Dense(1)])
    model.compile("sgd", "mse")
    stop = keras.callbacks.TerminateOnNaN(explain=True, raise_error=True)
    with pytest.raises(Exception, match=r'(?s)batch 0.*"bad", op log'):
        fit(model, callbacks=[stop])
