"""The scikit-learn estimators: scikit-learn's own checks, and what users do with estimators."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

import falconet as keras
from falconet import layers

sklearn = pytest.importorskip("sklearn", "1.6", reason="the wrappers need scikit-learn: pip install '.[sklearn]'")
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris  # noqa: E402
from sklearn.ensemble import BaggingClassifier  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

from falconet.wrappers import (  # noqa: E402
    FalconetClassifier,
    FalconetRegressor,
    FalconetTransformer,
    SKLearnClassifier,
    SKLearnRegressor,
    SKLearnTransformer,
)


def network(X, y, loss="mse", activation=None, units=16, outputs=None, optimizer="adam"):
    """A dense network whose output is as wide as y."""
    outputs = outputs or (y.shape[1] if y.ndim > 1 else 1)
    model = keras.Sequential(
        [
            keras.Input(X.shape[1:]),
            layers.Dense(units, activation="relu"),
            layers.Dense(outputs, activation=activation),
        ]
    )
    model.compile(optimizer, loss)
    return model


PROBABILITIES = {"loss": "categorical_crossentropy", "activation": "softmax"}
# Repeating a row changes which batches there are, and sums are those of float32; the check wants seven digits.
# test_a_weight_counts_as_so_many_rows has what holds.
WEIGHTS = {"check_sample_weight_equivalence_on_dense_data": "holds for whole batches, within float32's rounding"}
# Keras's classes have no seed, so two fits differ.
UNSEEDED = {
    name: "two fits without a seed differ"
    for name in (
        "check_classifier_data_not_an_array", "check_fit_idempotent", "check_regressor_data_not_an_array",
        "check_regressors_int", "check_supervised_y_2d", "check_classifiers_classes",
    )
}  # fmt: skip


@pytest.mark.parametrize(
    "estimator, failing",
    [
        (FalconetClassifier(network, model_kwargs=PROBABILITIES, fit_kwargs={"epochs": 5}, random_state=0), WEIGHTS),
        (FalconetRegressor(network, random_state=0), WEIGHTS),
        (FalconetTransformer(network, random_state=0), WEIGHTS),
        (SKLearnClassifier(network, model_kwargs=PROBABILITIES, fit_kwargs={"epochs": 5}), WEIGHTS | UNSEEDED),
        (SKLearnRegressor(network), WEIGHTS | UNSEEDED),
        (SKLearnTransformer(network), WEIGHTS | UNSEEDED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_scikit_learns_own_checks(estimator, failing):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's remarks on the checks it leaves out
        results = check_estimator(estimator, expected_failed_checks=failing, on_fail=None)
    assert len(results) > 45
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] == "failed"] == []


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), np.array(["malignant", "benign"])[y]


# The ways a model may be made for two classes: softmax and sigmoid, probabilities and logits, one-hot and indices.
TWO_CLASSES = {
    "softmax": PROBABILITIES,
    "sparse": {"loss": "sparse_categorical_crossentropy", "activation": "softmax"},
    "crossentropy": {"loss": "crossentropy", "activation": "softmax"},
    "sparse logits": {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
    "sigmoid": {"loss": "binary_crossentropy", "activation": "sigmoid", "outputs": 1},
    "sigmoid logits": {"loss": keras.losses.BinaryCrossentropy(from_logits=True), "outputs": 1},
}


@pytest.mark.parametrize("kwargs", TWO_CLASSES.values(), ids=TWO_CLASSES)
def test_classifiers_of_every_form(cancer, kwargs):
    X, y = cancer
    classifier = FalconetClassifier(network, model_kwargs=kwargs, random_state=3).fit(X, y, epochs=10)
    assert classifier.classes_.tolist() == ["benign", "malignant"] and classifier.n_features_in_ == 30
    assert classifier.epoch_ == 10 and len(classifier.history_.history["loss"]) == 10
    assert classifier.score(X, y) > 0.96
    probabilities, decision = classifier.predict_proba(X), classifier.decision_function(X)
    assert probabilities.shape == (569, 2) and decision.shape == (569,)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(classifier.predict(X) == "malignant", decision > 0)
    assert roc_auc_score(y == "malignant", decision) > 0.99
    # Log-odds, within what float32 probabilities next to 0 and 1 still tell.
    some = np.abs(decision) < 5
    np.testing.assert_allclose(1 / (1 + np.exp(-decision[some])), probabilities[some, 1], rtol=1e-3)


def test_pickles_clones_and_the_same_seed_predict_the_same(cancer):
    X, y = cancer
    state = np.random.get_state()[1].copy()
    classifier = FalconetClassifier(network, model_kwargs=PROBABILITIES, random_state=7).fit(X, y)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    expected = classifier.predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(classifier)).predict_proba(X), expected)
    copy = clone(classifier)
    assert not hasattr(copy, "model_") and copy.get_params(deep=False) == classifier.get_params(deep=False)
    np.testing.assert_array_equal(copy.fit(X, y).predict_proba(X), expected)
    other = clone(classifier).set_params(random_state=8).fit(X, y)
    assert not np.array_equal(other.predict_proba(X), expected)


def test_a_model_is_copied_with_fresh_weights_unless_warm_start(cancer):
    X, y = cancer
    model = network(X, np.zeros((1, 2)), **PROBABILITIES)
    weights = model.get_weights()
    classifier = FalconetClassifier(model, random_state=0).fit(X, y)
    for kept, now, fitted in zip(weights, model.get_weights(), classifier.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, now)
        assert not np.array_equal(now, fitted)
    warm = SKLearnClassifier(model, warm_start=True).fit(X, y, epochs=2)
    assert warm.model_ is model and warm.epoch_ == 2
    warm.fit(X, y)
    assert warm.model_ is model and warm.epoch_ == 3 and int(model.optimizer.iterations.numpy()) == 3 * 18


def test_grid_search_in_two_processes(cancer):
    X, y = cancer
    pipeline = make_pipeline(
        StandardScaler(), FalconetClassifier(network, model_kwargs=dict(PROBABILITIES), random_state=0)
    )
    grid = {
        "falconetclassifier__model_kwargs__units": [1, 16],
        "falconetclassifier__fit_kwargs__epochs": [1, 8],
    }
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2, scoring="roc_auc", error_score="raise").fit(X, y)
    assert search.best_params_["falconetclassifier__fit_kwargs__epochs"] == 8
    assert search.best_score_ > 0.98
    # Seeds make it the same in this process.
    alone = cross_val_score(search.best_estimator_, X, y, cv=3, scoring="roc_auc")
    np.testing.assert_array_equal(alone.mean(), search.best_score_)


def test_parameters_inside_the_dictionaries():
    shared = {"units": 4}
    first, second = FalconetRegressor(network, model_kwargs=shared), FalconetRegressor(network, model_kwargs=shared)
    first.set_params(model_kwargs__units=8, fit_kwargs__epochs=3)
    assert first.get_params()["model_kwargs__units"] == 8 and first.fit_kwargs == {"epochs": 3}
    assert second.model_kwargs == {"units": 4} and "model_kwargs__units" not in first.get_params(deep=False)
    with pytest.raises(ValueError, match="Invalid parameter 'units'"):
        first.set_params(units=3)


def test_regressors_of_one_and_several_targets():
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    regressor = FalconetRegressor(network, fit_kwargs={"epochs": 30}, random_state=0).fit(X, y)
    assert regressor.predict(X).shape == y.shape and regressor.score(X, y) > 0.45
    both = np.stack([y, -y], axis=1)
    regressor = FalconetRegressor(network, fit_kwargs={"epochs": 30}, random_state=0).fit(X, both)
    assert regressor.predict(X).shape == both.shape and regressor.score(X, both) > 0.45


def test_a_weight_counts_as_so_many_rows(cancer):
    """In one batch, with a loss that divides by the sum of the weights: to the rounding of sums of some 100 terms."""
    X, y = cancer[0][:60], cancer[1][:60]
    counts = np.arange(60) % 3
    kwargs = PROBABILITIES | {
        "loss": keras.losses.CategoricalCrossentropy(reduction="mean_with_sample_weight"), "optimizer": "sgd",
    }  # fmt: skip
    fit_kwargs = {"epochs": 5, "batch_size": 1000, "shuffle": False}
    classifier = FalconetClassifier(network, model_kwargs=kwargs, fit_kwargs=fit_kwargs, random_state=0)
    weighted = clone(classifier).fit(X, y, sample_weight=counts).predict_proba(X)
    repeated = clone(classifier).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts)).predict_proba(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-4, atol=1e-6)
    assert np.abs(weighted - clone(classifier).fit(X, y).predict_proba(X)).max() > 1e-3


def test_sample_weight_goes_through_meta_estimators(cancer):
    X, y = cancer
    classifier = FalconetClassifier(network, model_kwargs=PROBABILITIES, fit_kwargs={"epochs": 3}, random_state=0)
    bagging = BaggingClassifier(classifier, n_estimators=2, random_state=0).fit(X, y, sample_weight=np.ones(len(X)))
    assert bagging.score(X, y) > 0.9
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), clone(classifier).set_fit_request(sample_weight=True)
        )
        only_one = pipeline.fit(X, y, sample_weight=(y == "benign").astype(float)).predict(X)
    assert np.mean(only_one == "benign") > np.mean(bagging.predict(X) == "benign") + 0.1


def test_partial_fit_meets_the_classes_one_after_another():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    classifier = FalconetClassifier(network, model_kwargs=PROBABILITIES, random_state=0)
    classifier.partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert classifier.classes_.tolist() == [0, 1, 2]
    for _ in range(100):
        classifier.partial_fit(X, y)
    assert classifier.epoch_ == 101 and classifier.score(X, y) > 0.9
    with pytest.raises(ValueError, match=r"y has the classes \[3\], which are not among \[0 1 2\]"):
        classifier.partial_fit(X[:2], [0, 3])
    with pytest.raises(ValueError, match="the first call had"):
        classifier.partial_fit(X[:2], [0, 1], classes=[0, 1])
    regressor = FalconetRegressor(network, random_state=0)
    for _ in range(60):
        regressor.partial_fit(X, y)
    assert regressor.epoch_ == 60 and regressor.score(X, y) > 0.8


def test_transformers_in_pipelines(cancer):
    X, y = cancer

    def autoencoder(X, y, units):
        return network(X, y, units=units)

    features = FalconetTransformer(autoencoder, model_kwargs={"units": 8}, fit_kwargs={"epochs": 3}, random_state=0)
    pipeline = make_pipeline(features, LogisticRegression()).fit(X, y == "benign")
    assert pipeline.score(X, y == "benign") > 0.8
    rebuilt = features.fit_transform(X)  # without targets it rebuilds its input
    assert rebuilt.shape == X.shape and features.history_.history["loss"][-1] < features.history_.history["loss"][0]
    with pytest.raises(NotFittedError, match="call fit first"):
        clone(features).transform(X)
    trained = features.model_
    as_given = SKLearnTransformer(trained, warm_start=True)
    np.testing.assert_array_equal(as_given.transform(X), trained.predict(X))


def test_data_frames_and_images():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame, y = load_iris(return_X_y=True, as_frame=True)
    classifier = FalconetClassifier(network, model_kwargs=PROBABILITIES, random_state=0).fit(frame, y)
    assert classifier.feature_names_in_.tolist() == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame.rename(columns={frame.columns[0]: "other"}))
    assert isinstance(frame, pandas.DataFrame)

    def convolution(X, y):
        model = keras.Sequential([keras.Input(X.shape[1:]), layers.Flatten(), layers.Dense(2, activation="softmax")])
        model.compile("adam", "categorical_crossentropy")
        return model

    images = np.random.default_rng(0).random((12, 4, 4, 1))
    assert FalconetClassifier(convolution).fit(images, np.arange(12) % 2).predict(images).shape == (12,)


def uncompiled(X, y):
    return keras.Sequential([keras.Input(X.shape[1:]), layers.Dense(2)])


@pytest.mark.parametrize(
    "estimator, error, message",
    [
        (SKLearnClassifier(3), TypeError, "`model` is 3; it must be a Model or a callable"),
        (SKLearnClassifier(lambda X, y: None), TypeError, "`model` returned None; it must return a Model"),
        (SKLearnClassifier(uncompiled), RuntimeError, "returned a model that is not compiled"),
        (SKLearnClassifier(uncompiled(np.ones((1, 4)), None)), RuntimeError, "`model` is not compiled"),
        (SKLearnClassifier(network, model_kwargs=PROBABILITIES | {"outputs": 5}), ValueError, "there are 3 classes"),
        (SKLearnRegressor(network, model_kwargs={"outputs": 2}), ValueError, r"1 target\(s\), and the model's output"),
        (FalconetRegressor(network, random_state=-1), ValueError, "`random_state` is -1"),
        (FalconetRegressor(network, random_state="a"), ValueError, "`random_state` is 'a'"),
        (SKLearnRegressor(network, fit_kwargs={"batch_size": 0}), ValueError, "batch_size"),
    ],
)
def test_misuse_is_an_error_before_training(estimator, error, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(error, match=message):
        estimator.fit(X, y)
    assert not hasattr(estimator, "model_")


def test_labels_that_are_no_classes():
    X, y = load_iris(return_X_y=True)
    classifier = SKLearnClassifier(network, model_kwargs=PROBABILITIES, warm_start=True)
    with pytest.raises(ValueError, match="Unknown label type"):
        classifier.fit(X, X[:, 0])
    with pytest.raises(ValueError, match="only one class"):
        classifier.fit(X, np.zeros(len(X)))
    classifier.fit(X, y)
    with pytest.raises(ValueError, match="with warm_start they must stay"):
        classifier.fit(X[:100], y[:100])


def test_without_scikit_learn_the_error_names_the_extra():
    script = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from falconet import wrappers\n"
        "try:\n    wrappers.SKLearnClassifier\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'falconet[sklearn]'" in done.stdout
