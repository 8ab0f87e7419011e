"""Ensembles: who sees which rows, what is averaged, and that the whole is a model like any other."""

import numpy as np
import pytest

import falconet as keras
from falconet import ensembles, layers


def classifier(seed=None, units=8, name=None, inputs=4, outputs=3):
    def dense(units, activation, seed):
        initializer = keras.initializers.GlorotUniform(seed)
        return layers.Dense(units, activation=activation, kernel_initializer=initializer)

    model = keras.Sequential(
        [keras.Input((inputs,)), dense(units, "tanh", seed), dense(outputs, "softmax", seed)], name=name
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def data():
    """Three overlapping clouds in four dimensions: 90 rows."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 30)
    x = rng.normal(size=(90, 4)) + 1.5 * np.eye(3, 4)[y]
    return x.astype("float32"), y.astype("int32")


def marking():
    """A regressor of one weight that one step of training sets to the mean of its targets."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    return model


def test_k_fold_predicts_rows_with_members_that_have_not_seen_them():
    # A step from 0 on (w x - y)^2 with x = 1 and rate 0.5 gives w = mean(y): of the other rows, if folds are kept out.
    x, y = np.ones((10, 1)), 2.0 ** np.arange(10)
    members = ensembles.k_fold(marking(), x, y, folds=5, seed=0, batch_size=10, verbose=0)
    assert len(members.models) == len(members.histories) == 5 and members.predictions.shape == (10, 1)
    groups = {}
    for row, predicted in enumerate(members.predictions[:, 0]):
        groups.setdefault(predicted, []).append(row)
    assert sorted(map(len, groups.values())) == [2] * 5
    for predicted, rows in groups.items():
        np.testing.assert_allclose(predicted, np.delete(y, rows).mean(), rtol=1e-6)
    assert all("val_loss" in history.history for history in members.histories)
    again = ensembles.k_fold(marking, x, y, folds=5, seed=0, batch_size=10, verbose=0)
    np.testing.assert_array_equal(again.predictions, members.predictions)
    other = ensembles.k_fold(marking, x, y, folds=5, seed=1, batch_size=10, verbose=0)
    assert not np.array_equal(other.predictions, members.predictions)


def test_stratified_folds_have_every_label_in_proportion():
    x, y = np.ones((20, 1)), np.array([0.0] * 15 + [1.0] * 5)
    members = ensembles.k_fold(marking(), x, y, folds=5, stratify=y, seed=3, batch_size=20, verbose=0)
    np.testing.assert_allclose(members.predictions, 0.25, rtol=1e-6)  # every fold holds 3 zeros and a one


def test_weights_and_structures_are_split_with_the_rows():
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    model = keras.Model({"a": a, "b": b}, layers.Dense(1, use_bias=False, kernel_initializer="zeros")(a + b))
    model.compile(keras.optimizers.SGD(0.5), "mse")
    x, y = {"a": np.ones((6, 1)), "b": np.zeros((6, 1))}, np.arange(6.0)
    weights = np.array([1.0, 0, 1, 0, 1, 0])
    members = ensembles.k_fold(model, x, y, folds=6, seed=0, sample_weight=weights, batch_size=6, verbose=0)
    without = [(weights * y).sum() - weights[i] * y[i] for i in range(6)]
    np.testing.assert_allclose(members.predictions[:, 0], np.array(without) / 5, rtol=1e-6)


def test_bagging_predicts_rows_by_the_members_that_did_not_draw_them():
    x, y = np.ones((12, 1)), 3.0 ** np.arange(12)
    members = ensembles.bagging(marking(), x, y, members=4, seed=1, batch_size=12, verbose=0)
    rng, sums, counts = np.random.default_rng(1), np.zeros(12), np.zeros(12)
    for _ in range(4):
        bag = rng.integers(0, 12, 12)
        outside = np.setdiff1d(np.arange(12), bag)
        sums[outside] += y[bag].mean()
        counts[outside] += 1
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(members.predictions[:, 0], sums / counts, rtol=1e-6)
    small = ensembles.bagging(marking(), x, y, members=1, fraction=0.25, seed=0, verbose=0)
    assert np.isfinite(small.predictions).sum() >= 9


def test_voting_is_the_weighted_mean_in_one_model(data, tmp_path):
    x, y = data
    members = [classifier(seed, name="same") for seed in range(3)]
    outputs = [member.predict(x) for member in members]
    joined = ensembles.voting(members)
    np.testing.assert_allclose(joined.predict(x), np.mean(outputs, axis=0), rtol=1e-6)
    weighted = ensembles.voting(members, weights=[2, 1, 1])
    expected = np.average(outputs, axis=0, weights=[2, 1, 1])
    np.testing.assert_allclose(weighted.predict(x), expected, rtol=1e-6)
    assert set(joined.evaluate(x, y, return_dict=True, verbose=0)) == {"loss", "accuracy"}

    weighted.save(tmp_path / "voting.falconet")
    loaded = keras.models.load_model(tmp_path / "voting.falconet")
    np.testing.assert_array_equal(loaded.predict(x), weighted.predict(x))
    weighted.export(tmp_path / "voting.flc")
    np.testing.assert_allclose(keras.Predictor(str(tmp_path / "voting.flc"))(x), expected, rtol=1e-5)

    members[0].set_weights([np.zeros_like(w) for w in members[0].get_weights()])
    np.testing.assert_allclose(weighted.predict(x), expected, rtol=1e-6)  # it has copies
    assert [member.name for member in members] == ["same"] * 3


def test_stacking_beats_the_weak_member_and_trains_only_the_head(data):
    x, y = data
    keras.utils.set_random_seed(0)

    def seeing(columns):  # a member that sees some of the columns
        inputs = keras.Input((4,))
        outputs = layers.Dense(3, activation="softmax")(layers.Dense(8, activation="tanh")(inputs[:, columns]))
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    models = [seeing(slice(0, 1)), seeing(slice(1, 4))]
    head = classifier(1, inputs=6)
    untouched = [model.get_weights() for model in models]
    joined = ensembles.stacking(
        models, head, x, y, folds=3, stratify=y, seed=0, head_kwargs={"epochs": 60, "verbose": 0}, epochs=20, verbose=0
    )
    accuracy = joined.evaluate(x, y, return_dict=True, verbose=0)["accuracy"]
    alone = ensembles.k_fold(models[0], x, y, 3, y, 0, epochs=20, verbose=0).predictions.argmax(axis=1)
    assert accuracy > np.mean(alone == y) + 0.1
    assert len(joined.trainable_weights) == len(head.weights)
    for model, weights in zip(models, untouched, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))


def test_soups_average_weights(data):
    x, y = data
    base = classifier(0)
    base.fit(x, y, epochs=60, verbose=0)
    tuned = []
    for seed in range(3):
        keras.utils.set_random_seed(seed)
        model = keras.models.clone_model(base)
        model.set_weights(base.get_weights())
        model.fit(x, y, epochs=3, verbose=0)
        tuned.append(model)
    soup = ensembles.uniform_soup(tuned)
    for got, *parts in zip(soup.get_weights(), *(model.get_weights() for model in tuned), strict=True):
        np.testing.assert_allclose(got, np.mean(parts, axis=0, dtype=np.float64).astype("float32"), rtol=1e-6)

    def score(model):
        return model.evaluate(x, y, return_dict=True, verbose=0)["accuracy"]

    tuned.append(classifier(9))  # one that would spoil the soup
    greedy = ensembles.greedy_soup(tuned, score)
    assert score(greedy) >= max(map(score, tuned)) > score(ensembles.uniform_soup([tuned[3], tuned[3]]))
    assert greedy is not tuned[0] and greedy.compiled


def test_greedy_soup_keeps_what_does_no_harm():
    """Models of one weight, by their names a score: the soup is where the score says."""

    def weight(value):
        made = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False)])
        made.set_weights([np.array([[value]], "float32")])
        return made

    def score(model):  # the nearer to 2, the better
        return -abs(model.get_weights()[0].item() - 2)

    # 1.5 is best; with 3.0 the mean is 2.25, better; with -9.0 it would be worse.
    assert ensembles.greedy_soup([weight(-9.0), weight(3.0), weight(1.5)], score).get_weights()[0].item() == 2.25
    with pytest.raises(ValueError, match="none may be NaN"):
        ensembles.greedy_soup([weight(1.0)], lambda model: float("nan"))


class Record(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


@pytest.mark.parametrize("start, every, epochs", [(0, 1, [0, 1, 2, 3, 4]), (2, 1, [2, 3, 4]), (1, 2, [1, 3])])
def test_stochastic_weight_averaging(data, start, every, epochs):
    x, y = data
    record, averaging = Record(), keras.callbacks.StochasticWeightAveraging(start, every)
    model = keras.Sequential([keras.Input((4,)), layers.BatchNormalization(), layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=5, callbacks=[record, averaging], verbose=0)
    assert averaging.num_averaged == len(epochs)
    for i, got in enumerate(model.get_weights()):
        expected = np.mean([record.weights[epoch][i] for epoch in epochs], axis=0, dtype=np.float64)
        np.testing.assert_allclose(got, expected.astype("float32"), rtol=1e-6)
    resumed = keras.callbacks.StochasticWeightAveraging(start, every)
    resumed.set_state(averaging.get_state())
    assert resumed.num_averaged == len(epochs)
    # Averages that never began leave the weights alone.
    late = keras.callbacks.StochasticWeightAveraging(start_epoch=7)
    model.fit(x, y, epochs=2, callbacks=[record, late], verbose=0)
    assert late.num_averaged == 0
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), record.weights[-1], strict=True))


def test_clones_are_compiled_as_their_model_is(data):
    x, y = data

    def loss(y_true, y_pred):  # of no registered name
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    model = classifier()
    model.compile(keras.optimizers.SGD(0.25, momentum=0.5), loss, metrics=[keras.metrics.SparseCategoricalAccuracy()])
    model.fit(x, y, verbose=0)
    copy = keras.models.clone_model(model)
    assert copy.optimizer is not model.optimizer and copy.optimizer.get_config() == model.optimizer.get_config()
    before = model.evaluate(x, y, verbose=0)
    assert set(copy.fit(x, y, verbose=0).history) == {"loss", "sparse_categorical_accuracy"}
    assert model.evaluate(x, y, verbose=0) == before
    assert not keras.models.clone_model(keras.Sequential([keras.Input((2,)), layers.Dense(1)])).compiled


X, Y = np.ones((6, 4), "float32"), np.arange(6) % 3


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda m: ensembles.k_fold(m, X, Y, folds=7), ValueError, "from 2 to the number of rows, 6; got 7"),
        (lambda m: ensembles.k_fold(m, X, Y, folds=1), ValueError, "got 1"),
        (lambda m: ensembles.k_fold(m, X, Y[:5]), ValueError, r"they have \[6, 5\]"),
        (lambda m: ensembles.k_fold(m, X, Y, stratify=Y[:2]), ValueError, r"`stratify` has shape \(2,\)"),
        (lambda m: ensembles.k_fold(m, X, Y, validation_split=0.1), ValueError, "those of its fold"),
        (lambda m: ensembles.k_fold(3, X, Y), TypeError, "`model` is 3"),
        (lambda m: ensembles.k_fold(lambda: 3, X, Y), TypeError, "`model` returned 3"),
        (lambda m: ensembles.k_fold(keras.Sequential([layers.Dense(1)]), X, Y), ValueError, "not compiled"),
        (lambda m: ensembles.bagging(m, X, Y, members=0), ValueError, "`members` must be an integer >= 1, got 0"),
        (lambda m: ensembles.bagging(m, X, Y, fraction=0), ValueError, "`fraction` must be a number > 0, got 0"),
        (lambda m: ensembles.voting([]), ValueError, "a list of one model or more"),
        (lambda m: ensembles.voting([m, 3]), ValueError, "model 1 must be a built functional"),
        (lambda m: ensembles.voting([m, classifier(outputs=2)]), ValueError, r"model 1 has the output shape \(None, 2"),
        (lambda m: ensembles.voting([m, classifier(inputs=5)]), ValueError, r"model 1 has the input shape \(None, 5"),
        (lambda m: ensembles.voting([m, m], weights=[1]), ValueError, "`weights` must be 2 numbers"),
        (lambda m: ensembles.voting([m, m], weights=[0, 0]), ValueError, "not all 0"),
        (lambda m: ensembles.stacking([m], classifier(inputs=4), X, Y), ValueError, r"it must take \(None, 3\)"),
        (lambda m: ensembles.stacking([m], 3, X, Y), ValueError, "`head` must be a compiled Model"),
        (lambda m: ensembles.uniform_soup([m, classifier(units=9)]), ValueError, "model 1 has weights of shapes"),
        (lambda m: ensembles.average_weights(m), ValueError, "a list of one model or more"),
        (lambda m: ensembles.greedy_soup([3], len), ValueError, "model 0 must be a Model"),
        (lambda m: keras.callbacks.StochasticWeightAveraging(-1), ValueError, "`start_epoch` must be an integer >= 0"),
        (lambda m: keras.callbacks.StochasticWeightAveraging(every=0), ValueError, "`every` must be an integer >= 1"),
    ],
)
def test_misuse(call, error, message):
    with pytest.raises(error, match=message):
        call(classifier())
