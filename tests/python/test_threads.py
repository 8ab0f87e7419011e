"""One model in several threads: what one of them does to it, or to the process, while the others are inside it."""

import contextlib
import os
import signal
import threading

import numpy as np
import pytest

import falconet as keras

ROWS = 2048  # a prediction of milliseconds, so that the others meet it running


@pytest.fixture
def model():
    keras.utils.set_random_seed(7)
    made = keras.Sequential(
        [keras.Input((64,)), *(keras.layers.Dense(256, activation="relu") for _ in range(2)), keras.layers.Dense(1)]
    )
    made.compile("sgd", "mse")
    return made


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((ROWS, 64)).astype("float32")


@pytest.fixture
def two_threads():
    before = keras.num_threads()
    keras.set_num_threads(2)
    yield
    keras.set_num_threads(before)


def predict(model, x):
    return model.predict(x, batch_size=ROWS, verbose=0)


@contextlib.contextmanager
def elsewhere(work):
    """Two other threads that repeat `work` meanwhile. Yields the list of what they returned."""
    stop, results, errors = threading.Event(), [], []

    def repeat():
        try:
            while not stop.is_set():
                results.append(work())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=repeat) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield results
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert results and not errors, errors


def test_predictions_of_one_model_are_each_threads_own(model, x):
    want = predict(model, x)
    counts = (1, 7, 100)
    wants = {n: predict(model, x[:n]) for n in counts}
    with elsewhere(lambda: np.array_equal(predict(model, x), want)) as same:
        for i in range(60):
            n = counts[i % 3]
            assert np.array_equal(predict(model, x[:n]), wants[n])
            assert np.array_equal(np.asarray(model(x[:n])), wants[n])
    assert all(same)


def test_the_number_of_threads_changes_while_a_model_predicts(model, x, two_threads):
    """Plans are made anew then, and those that run meanwhile must not go away."""
    want = predict(model, x)
    with elsewhere(lambda: np.array_equal(predict(model, x), want)) as same:
        for i in range(30):
            keras.set_num_threads(1 + i % 2)
            assert np.array_equal(predict(model, x), want)
    assert all(same)


def test_a_model_is_compiled_and_fitted_while_it_predicts(model, x):
    """The first fit lays all weights out in one memory; whoever reads the old one must be able to."""
    y = np.zeros((ROWS, 1), "float32")
    with elsewhere(lambda: np.isfinite(predict(model, x)).all()) as finite:
        for optimizer in ("sgd", "adam", "rmsprop") * 4:
            model.compile(optimizer, "mse")
            model.fit(x, y, batch_size=256, verbose=0)
    assert all(finite)


def test_a_model_is_compiled_anew_while_another_thread_fits_it(model, x):
    y = np.zeros((ROWS, 1), "float32")
    model.fit(x, y, batch_size=64, verbose=0)
    with elsewhere(lambda: predict(model, x).shape):
        for _ in range(10):
            fit = threading.Thread(target=lambda: model.fit(x, y, batch_size=64, epochs=2, verbose=0))
            fit.start()
            model.compile("sgd", "mse")
            fit.join()
    assert np.isfinite(predict(model, x)).all()


def test_models_are_fitted_in_threads_of_their_own(x, two_threads):
    y = x[:, :1].copy()

    def train():
        made = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, activation="tanh"), keras.layers.Dense(1)])
        made.set_weights([np.full(w.shape, 0.01, "float32") for w in made.get_weights()])
        made.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
        history = made.fit(x, y, batch_size=128, epochs=2, shuffle=False, validation_split=0.1, verbose=0)
        return [*made.get_weights(), *(np.array(v) for v in history.history.values())]

    want = train()
    with elsewhere(train) as results:
        for _ in range(3):
            results.append(train())
    for result in results:
        assert all(np.array_equal(a, b) for a, b in zip(result, want, strict=True))


def test_variables_and_ops_in_many_threads(x):
    """Eager ops share their plans; results are as in one thread."""

    def work():
        a = keras.ops.convert_to_tensor(x[:50])
        return [np.asarray(f) for f in (keras.ops.matmul(a, keras.ops.transpose(a)), keras.ops.softmax(a), a * 2 + 1)]

    want = work()
    with elsewhere(work) as results:
        for _ in range(50):
            results.append(work())
    for result in results:
        assert all(np.array_equal(a, b) for a, b in zip(result, want, strict=True))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_uses_the_model_that_another_thread_was_inside_at_the_fork(model, x):
    """Promise F1: the thread that was inside it is not in the child, which waits for it if nobody notes."""
    y = np.zeros((ROWS, 1), "float32")
    want = predict(model, x)

    def in_child():
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            code = 1
            try:
                same = np.array_equal(predict(model, x), want)
                model.fit(x, y, batch_size=256, verbose=0)
                code = 0 if same and np.isfinite(predict(model, x)).all() else 2
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    with elsewhere(lambda: np.array_equal(predict(model, x), want)) as same:
        codes = []
        while len(codes) < 20 and not any(codes):
            codes.append(in_child())
    assert codes == [0] * 20
    assert all(same)
