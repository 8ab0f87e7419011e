"""Predictor and Learner: values, arguments, errors, threads, weights, state."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import falconet as keras
from falconet import _core, layers, ops


def mlp(widths=(8, 16, 3), seed=1, compiled=False):
    keras.utils.set_random_seed(seed)
    hidden = [layers.Dense(n, activation="relu") for n in widths[1:-1]]
    model = keras.Sequential([keras.Input((widths[0],)), *hidden, layers.Dense(widths[-1])])
    if compiled:
        model.compile("adam", "mse", metrics=["mae"])
    return model


def two_in_two_out():
    keras.utils.set_random_seed(2)
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b", dtype="int32")
    h = layers.Concatenate()([layers.Dense(5)(a), ops.cast(b, "float32")])
    return keras.Model([a, b], {"mean": layers.Dense(1)(h), "twice": ops.multiply(b, 2)})


class RunningSum(layers.Layer):
    def build(self, shape):
        self.total = self.add_weight(shape=(shape[-1],), initializer="zeros", trainable=False, name="total")

    def call(self, x):
        self.total.assign(self.total + ops.sum(x, 0))
        return ops.add(x * 0.0, self.total)


def rows(n, width, seed=0):
    return np.random.default_rng(seed).standard_normal((n, width)).astype("float32")


@pytest.fixture
def pool():
    before = _core.num_threads()
    yield _core.set_num_threads
    _core.set_num_threads(before)


# --- values ---


@pytest.mark.parametrize("n", [1, 2, 3, 64, 200])
def test_gives_what_the_model_gives(n):
    model, x = mlp(), rows(n, 8)
    p = keras.Predictor(model)
    np.testing.assert_array_equal(p(x), model.predict_on_batch(x))
    out = np.empty((n, 3), "float32")
    assert p(x, out=out) is out
    np.testing.assert_array_equal(out, p(x))


def test_a_file_and_the_model_give_the_same(tmp_path):
    model, x = mlp(), rows(5, 8)
    model.export(tmp_path / "m.falconet", metadata={"author": "me"})
    p = keras.Predictor(tmp_path / "m.falconet")
    np.testing.assert_array_equal(p(x), keras.Predictor(model)(x))
    assert p.metadata == {"author": "me"}
    assert "float32(None, 8)" in repr(p)


def test_a_row_has_the_same_bits_in_every_batch_and_with_every_number_of_threads(pool):
    x = rows(257, 40)
    model = mlp((40, 300, 300, 5))
    alone = None
    for threads in (1, 2, 7):
        pool(threads)
        p = keras.Predictor(model, batch_sizes=(1, 257))
        if alone is None:
            alone = np.concatenate([p(x[i : i + 1]) for i in range(257)])
        for n in range(1, 258, 1 if threads == 1 else 16):
            np.testing.assert_array_equal(p(x[257 - n :]), alone[257 - n :])


def test_no_rows_give_no_rows():
    assert keras.Predictor(mlp())(np.zeros((0, 8), "float32")).shape == (0, 3)


def test_inputs_by_position_and_name_outputs_by_name():
    model = two_in_two_out()
    p = keras.Predictor(model)
    a, b = rows(3, 4), np.array([[1, 2], [3, 4], [5, 6]], "int32")
    first = p(a, b)
    assert list(first) == [port.name for port in p.outputs]
    np.testing.assert_array_equal(first["twice"], 2 * b)
    for other in (p(a=a, b=b), p(a, b=b), p({"b": b, "a": a}), p([a, b])):
        for name in first:
            np.testing.assert_array_equal(other[name], first[name])
    outs = {"mean": np.empty((3, 1), "float32"), "twice": np.empty((3, 2), "int32")}
    given = p(a, b, out=outs)
    assert given["mean"] is outs["mean"]
    np.testing.assert_array_equal(outs["twice"], 2 * b)


def test_other_kinds_of_input_are_cast_by_one_rule():
    model, x = mlp(), rows(2, 8)
    p = keras.Predictor(model)
    want = p(x)
    for same in (x.astype("float64"), x.tolist(), np.asfortranarray(x), ops.convert_to_tensor(x)):
        np.testing.assert_array_equal(p(same), want)
    np.testing.assert_array_equal(p(np.repeat(x, 2, axis=0)[::2]), want)
    whole = np.arange(16).reshape(2, 8)
    np.testing.assert_array_equal(p(whole), p(whole.astype("float32")))
    np.testing.assert_array_equal(p(whole > 3), p((whole > 3).astype("float32")))
    np.testing.assert_array_equal(p(x.astype(">f4")), want)
    unaligned = np.frombuffer(b"." + x.tobytes(), "float32", offset=1).reshape(2, 8)
    np.testing.assert_array_equal(p(unaligned), want)
    q = keras.Predictor(two_in_two_out())
    a = rows(1, 4)
    np.testing.assert_array_equal(q(a, np.array([[1, 2]], "int64"))["twice"], [[2, 4]])


def test_data_frames_are_accepted():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    x = rows(3, 8)
    p = keras.Predictor(mlp())
    np.testing.assert_array_equal(p(pandas.DataFrame(x)), p(x))


# --- errors ---

_ERRORS = [
    (lambda p: p(rows(1, 4)[0], [[1, 2]]), ValueError, r"\"a\" has shape \(4,\); \(None, 4\) is needed. For a single"),
    (lambda p: p(rows(1, 5), [[1, 2]]), ValueError, r"\"a\" has shape \(1, 5\); \(None, 4\) is needed"),
    (lambda p: p(rows(2, 4), [[1, 2]]), ValueError, r"\"b\" has shape \(1, 2\); \(2, 2\) is needed for 2 rows"),
    (lambda p: p(rows(1, 4), [[1.5, 2]]), TypeError, r"\"b\" has dtype float64, which is not cast to int32"),
    (lambda p: p(rows(1, 4), [[1 << 40, 2]]), ValueError, r"\"b\" has values from 2 to 1099511627776; int32 holds"),
    (lambda p: p(rows(1, 4).astype("complex64"), [[1, 2]]), TypeError, r"\"a\" has dtype complex64"),
    (lambda p: p([["a"] * 4], [[1, 2]]), TypeError, r"\"a\" has dtype <U1"),
    (lambda p: p([[1, 2], [3]], [[1, 2]]), ValueError, r"\"a\" cannot be made an array"),
    (lambda p: p(rows(1, 4)), TypeError, r"\"b\" is missing; int32 of shape \(None, 2\) is needed"),
    (lambda p: p(1, 2, 3), TypeError, "got 3 inputs by position; the model has 2: a, b"),
    (lambda p: p(rows(1, 4), c=1), TypeError, r"there is no input \"c\"; the inputs are a, b"),
    (lambda p: p(rows(1, 4), a=1), TypeError, r"input \"a\" came twice"),
    (lambda p: p(rows(1, 4), [[1, 2]], out=np.empty(3)), ValueError, "`out` has 1 arrays; the model has 2 outputs"),
    (lambda p: p(rows(1, 4), [[1, 2]], out={"mean": 1}), ValueError, "`out` has the keys"),
    (lambda p: p(rows(1, 4), [[1, 2]], out=[1, 2]), TypeError, "`out` must be NumPy arrays, got int"),
]


@pytest.mark.parametrize(("call", "kind", "text"), _ERRORS)
def test_what_does_not_fit_is_refused(call, kind, text):
    p = keras.Predictor(two_in_two_out())
    with pytest.raises(kind, match=text):
        call(p)


def test_an_out_that_does_not_fit_is_refused():
    p, x = keras.Predictor(mlp((8, 16, 8))), rows(2, 8)
    for out, kind, text in (
        (np.empty((2, 8)), TypeError, "`out` for .* is an array of float64; float32 in C order"),
        (np.empty((3, 8), "float32"), ValueError, r"`out` for .* has shape \(3, 8\); \(2, 8\) is needed"),
        (np.empty((8, 2), "float32").T, TypeError, "not contiguous or not writable"),
        (x, ValueError, "shares memory with input"),
    ):
        with pytest.raises(kind, match=text):
            p(x, out=out)
    fixed = np.empty((2, 8), "float32")
    fixed.flags.writeable = False
    with pytest.raises(TypeError, match="not writable"):
        p(x, out=fixed)


def test_models_that_cannot_be_served_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        keras.Predictor(tmp_path / "none.falconet")
    with pytest.raises(TypeError, match="a model, the path of a model file or its bytes is needed, got int"):
        keras.Predictor(3)
    (tmp_path / "bad.falconet").write_bytes(b"\0" * 100)
    with pytest.raises(ValueError):
        keras.Predictor(tmp_path / "bad.falconet")
    for threads in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="`threads` is"):
            keras.Predictor(mlp(), threads=threads)
    with pytest.raises(ValueError, match="`batch_sizes` holds 0"):
        keras.Predictor(mlp(), batch_sizes=(1, 0))
    with pytest.raises(TypeError, match="never initialised"):
        keras.Predictor.__new__(keras.Predictor)(1)
    p = keras.Predictor(mlp())
    with pytest.raises(TypeError, match="initialised already"):
        p.__init__(mlp())
    model = mlp()
    model.export(tmp_path / "m.falconet")
    with pytest.raises(ValueError, match="exported without one. Export it with training=True"):
        keras.Learner(tmp_path / "m.falconet")


def test_an_index_out_of_range_is_an_error_and_the_next_call_works():
    model = keras.Sequential([keras.Input((2,), dtype="int32"), layers.Embedding(5, 3)])
    p = keras.Predictor(model)
    good = np.array([[0, 4]], "int32")
    want = p(good)
    for bad in ([[0, 5]], [[-6, 0]], [[0, 2**31 - 1]]):
        with pytest.raises(ValueError, match="out of range"):
            p(np.array(bad, "int32"))
    np.testing.assert_array_equal(p(good), want)


# --- weights ---


def test_weights_are_replaced_by_a_model_a_file_a_dictionary_or_a_list(tmp_path):
    a, b, x = mlp(seed=1), mlp(seed=2), rows(3, 8)
    old, new = a.predict_on_batch(x), b.predict_on_batch(x)
    b.export(tmp_path / "b.falconet")
    p = keras.Predictor(a, batch_sizes=(1, 3))
    as_names = dict(zip(p.weights, b.get_weights(), strict=True))
    for weights in (as_names, b.get_weights()):
        p.update(weights)
        np.testing.assert_array_equal(p(x), new)
        p.update(a.get_weights())
        np.testing.assert_array_equal(p(x), old)
    renamed = mlp(seed=2)
    renamed.set_weights(b.get_weights())
    a.set_weights(b.get_weights())
    p.update(a)
    np.testing.assert_array_equal(p(x), new)
    assert not next(iter(p.weights.values())).flags.writeable
    a.set_weights([w * 0 for w in a.get_weights()])
    np.testing.assert_array_equal(p(x), new)  # it has its own


def test_weights_that_do_not_fit_are_refused():
    p = keras.Predictor(mlp())
    names, arrays = list(p.weights), list(p.weights.values())
    for weights, text in (
        (arrays[1:], "got 3 weights; the model has 4"),
        ({**dict(zip(names, arrays, strict=True)), "more": arrays[0]}, 'has an unknown weight "more"'),
        ({names[0]: arrays[0]}, f'lacks "{names[1]}"'),
        ([arrays[1], *arrays[1:]], r"came as float32\(16,\); float32\(8, 16\) is needed"),
        ([arrays[0].astype("complex64"), *arrays[1:]], "came as complex64"),
    ):
        with pytest.raises(ValueError, match=text):
            p.update(weights)


@pytest.mark.parametrize("n", [1, 300])
def test_threads_see_the_old_or_the_new_weights(n):
    """8 threads; below 300 rows the interpreter's lock is kept, above it is released."""
    a, b, x = mlp((64, 128, 128, 4), 1), mlp((64, 128, 128, 4), 2), rows(n, 64)
    p = keras.Predictor(a, batch_sizes=(1, n))
    wanted = [a.predict_on_batch(x).tobytes(), b.predict_on_batch(x).tobytes()]
    both = [a.get_weights(), b.get_weights()]
    wrong, done = [], threading.Event()

    def work():
        while not done.is_set():
            got = p(x).tobytes()
            if got not in wanted:
                wrong.append(got)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for i in range(300):
        p.update(both[i % 2])
    done.set()
    for t in threads:
        t.join()
    assert not wrong
    assert p.memory()["contexts"] <= 9


def test_every_thread_gets_its_own_answer():
    model = mlp((32, 256, 256, 4))
    p = keras.Predictor(model)
    inputs = [rows(100 + 10 * i, 32, i) for i in range(8)]
    want = [model.predict_on_batch(x) for x in inputs]
    wrong = []

    def work(i):
        for _ in range(50):
            if not np.array_equal(p(inputs[i]), want[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# --- state ---


def streaming():
    return keras.Sequential([keras.Input((2,)), RunningSum()])


def test_state_is_carried_reset_replaced_and_copied():
    p = keras.Predictor(streaming())
    one = np.array([[1, 2]], "float32")
    (name,) = p.state
    np.testing.assert_array_equal(p(one), [[1, 2]])
    np.testing.assert_array_equal(p(one), [[2, 4]])
    kept = p.state
    other = p.copy()
    np.testing.assert_array_equal(p(one), [[3, 6]])
    np.testing.assert_array_equal(other(one), [[3, 6]])
    p.state = kept
    np.testing.assert_array_equal(p.state[name], [2, 4])
    p.reset()
    np.testing.assert_array_equal(p(one), [[1, 2]])
    with pytest.raises(ValueError, match="the names are"):
        p.state = {}
    with pytest.raises(ValueError, match=r"came as float32\(3,\)"):
        p.state = {name: np.zeros(3, "float32")}


def test_calls_with_a_state_take_turns():
    p = keras.Predictor(streaming())
    one = np.ones((1, 2), "float32")

    def work():
        for _ in range(500):
            p(one)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    np.testing.assert_array_equal(p(one), [[2001, 2001]])


def test_models_without_a_state_say_so():
    p = keras.Predictor(mlp())
    assert p.state == {}
    p.reset()


# --- memory ---


def test_memory_is_told_and_given_back():
    p = keras.Predictor(mlp((32, 64, 64, 1)), batch_sizes=(1, 10))
    m = p.memory()
    assert m["weights"] == 4 * (32 * 64 + 64 + 64 * 64 + 64 + 64 + 1)
    assert m["contexts"] == 1 and m["plans"] >= 2 and m["arenas"] > 0
    p.release()
    assert p.memory()["arenas"] == 0
    assert p(rows(1, 32)).shape == (1, 1)


def test_a_predictor_is_not_pickled():
    import pickle

    with pytest.raises(TypeError, match="send the model file's path"):
        pickle.dumps(keras.Predictor(mlp()))


# --- Learner ---


def test_steps_are_those_of_train_on_batch():
    model = mlp(compiled=True)
    learner = keras.Learner(model)
    for i in range(20):
        x, y = rows(4, 8, i), rows(4, 3, 100 + i)
        want = model.train_on_batch(x, y, return_dict=True)
        learner.reset_metrics()
        assert learner.step(x, y) == {name: float(value) for name, value in want.items()}
    x = rows(7, 8)
    np.testing.assert_array_equal(learner.predict(x), model.predict_on_batch(x))
    want = model.test_on_batch(x, rows(7, 3), return_dict=True)
    learner.reset_metrics()
    assert learner.evaluate(x, rows(7, 3)) == {name: float(value) for name, value in want.items()}


def test_loss_and_metrics_are_averages_since_they_were_reset():
    learner, same = keras.Learner(mlp(compiled=True)), keras.Learner(mlp(compiled=True))
    losses = []
    for i in range(3):
        x, y = rows(4, 8, i), rows(4, 3, 100 + i)
        losses.append(same.step(x, y)["loss"])
        same.reset_metrics()
        told = learner.step(x, y)["loss"]
    np.testing.assert_allclose(told, np.mean(losses), rtol=1e-6)  # three additions and a division in float32


def test_a_learner_goes_on_exactly_where_it_was_saved(tmp_path):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(16, activation="relu"), layers.Dropout(0.5), layers.BatchNormalization(),
         layers.Dense(3)]
    )  # fmt: skip
    model.compile("adam", "mse", metrics=["mae"])
    whole = keras.Learner(model)
    batches = [(rows(6, 8, i), rows(6, 3, 50 + i)) for i in range(20)]
    for x, y in batches[:10]:
        whole.step(x, y)
    whole.save(tmp_path / "half.falconet")
    resumed = keras.Learner(tmp_path / "half.falconet")
    for x, y in batches[10:]:
        assert whole.step(x, y) == resumed.step(x, y)
    for name, value in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], value)
    np.testing.assert_array_equal(keras.Predictor(tmp_path / "half.falconet")(rows(1, 8)).shape, (1, 3))


def test_what_was_learnt_goes_into_a_live_predictor():
    model, x = mlp(compiled=True), rows(40, 8)
    learner, p = keras.Learner(model), keras.Predictor(model)
    old, wrong, done = p(x), [], threading.Event()
    answers = {old.tobytes()}

    def work():
        while not done.is_set():
            if p(x).tobytes() not in answers:
                wrong.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    for i in range(50):
        learner.step(rows(4, 8, i), rows(4, 3, i))
        answers.add(learner.predict(x).tobytes())
        learner.snapshot(p)
    done.set()
    thread.join()
    assert not wrong
    np.testing.assert_array_equal(p(x), learner.predict(x))
    assert not np.array_equal(p(x), old)
    with pytest.raises(ValueError, match="of another model"):
        learner.snapshot(keras.Predictor(two_in_two_out()))
    with pytest.raises(TypeError, match="a Predictor is needed, got int"):
        learner.snapshot(3)


def test_arguments_of_a_step_that_do_not_fit_are_refused():
    learner = keras.Learner(mlp(compiled=True))
    before = learner.weights
    for call, text in (
        (lambda: learner.step(rows(2, 8)), "`y` is missing"),
        (lambda: learner.step(rows(2, 8), rows(3, 3)), r"\"y\" has shape \(3, 3\); \(2, 3\) is needed for 2 rows"),
        (lambda: learner.step(rows(2, 7), rows(2, 3)), r"has shape \(2, 7\); \(None, 8\) is needed"),
        (lambda: learner.step(rows(2, 8), rows(2, 3), np.ones(2)), "exported without `sample_weight`"),
        (lambda: learner.step({"z": rows(2, 8)}, rows(2, 3)), "`x` has the keys"),
    ):
        with pytest.raises(ValueError, match=text):
            call()
    for name, value in learner.weights.items():
        np.testing.assert_array_equal(value, before[name])


def test_sample_weights_where_the_model_was_exported_with_them(tmp_path):
    model = mlp(compiled=True)
    x, y, w = rows(4, 8), rows(4, 3), np.array([1, 0, 2, 0.5], "float32")
    model.export(tmp_path / "w.falconet", training=(x, y, w))
    learner = keras.Learner(tmp_path / "w.falconet")
    want = model.train_on_batch(x, y, sample_weight=w, return_dict=True)
    assert learner.step(x, y, sample_weight=w) == {name: float(value) for name, value in want.items()}
