"""What fit, evaluate and predict may be given, and that no array is copied without need."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pytest

import falconet as keras
from falconet import layers
from falconet.data import Dataset
from falconet.models.arrays import as_array, as_arrays, in_memory


def regression(rows=40, seed=0):
    x = np.random.RandomState(seed).randn(rows, 3).astype("float32")
    return x, (x @ [[1.0], [-2.0], [0.5]]).astype("float32")


def linear(**kwargs):
    model = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse", **kwargs)
    model.set_weights([np.full((3, 1), 0.1, "float32"), np.zeros(1, "float32")])
    return model


def expected(x, y, **kwargs):
    model = linear()
    history = model.fit(x, y, batch_size=8, shuffle=False, verbose=0, **kwargs)
    return history.history["loss"], model.get_weights()[0]


# --- arrays ---


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.astype("float64"),
        lambda a: a.astype("longdouble"),
        lambda a: a.astype(">f4"),
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: np.hstack([a, a])[:, : a.shape[1]],
        lambda a: a[::-1].copy()[::-1],
        lambda a: a.tolist(),
        lambda a: [list(row) for row in a],
        lambda a: keras.ops.convert_to_tensor(a),
        lambda a: tuple(map(tuple, a.tolist())),
    ],
)
def test_forms_of_one_array_train_alike(change):
    x, y = regression()
    losses, kernel = expected(x, y, epochs=2)
    model = linear()
    history = model.fit(change(x), change(y), batch_size=8, shuffle=False, epochs=2, verbose=0)
    assert history.history["loss"] == losses
    np.testing.assert_array_equal(model.get_weights()[0], kernel)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float16"])
def test_numbers_of_every_kind_are_accepted(dtype):
    x = np.random.RandomState(1).randint(0, 2, (20, 3))
    model = linear()
    np.testing.assert_array_equal(model.predict(x.astype(dtype)), model.predict(x.astype("float32")))
    assert as_array(x.astype(dtype), "x", "m").dtype == dtype


def test_arrays_are_not_copied_without_need():
    x = np.ones((8, 3), "float32")
    for same in (x, x[2:], np.ones((8, 3), "int64"), np.ones(4, bool)):
        assert np.shares_memory(as_array(same, "x", "m"), same)
    found = as_arrays({"a": x, "b": [x, x]}, x, None, "m")
    assert found[0]["b"][1] is x
    # One cast is one copy: no more memory than the result, whatever the layout.
    for make in (
        np.ones,
        lambda shape: np.asfortranarray(np.ones(shape)),
        lambda shape: np.ones((shape[1], shape[0])).T,
    ):
        big = make((200_000, 4))
        tracemalloc.start()
        as_array(big, "x", "m")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1.1 * big.nbytes / 2


def test_structures_of_lists_and_dictionaries():
    a, b = layers.Input((2,), name="a"), layers.Input((1,), name="b")
    model = keras.Model({"a": a, "b": b}, layers.Dense(1)(layers.Concatenate()([a, b])))
    x, y = np.random.RandomState(0).rand(12, 3), np.ones(12)
    one = model.predict({"a": x[:, :2], "b": x[:, 2]})
    for other in (
        {"a": x[:, :2].tolist(), "b": x[:, 2].tolist()},
        {"b": x[:, 2:], "a": x[:, :2], "unused": np.zeros(12)},
        [x[:, :2], x[:, 2:]],
        (x[:, :2], x[:, 2]),
    ):
        np.testing.assert_array_equal(model.predict(other), one)
    model.compile("sgd", "mse")
    model.fit({"a": x[:, :2].tolist(), "b": x[:, 2].tolist()}, y.tolist(), validation_split=0.25, verbose=0)


def test_pandas_frames_and_series():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    x, y = regression()
    losses, kernel = expected(x, y)
    frame, series = pandas.DataFrame(x, columns=["p", "q", "r"]), pandas.Series(y[:, 0], name="target")
    for given in (frame, frame.astype("float64"), frame.assign(p=frame.p.astype("Float32"))):
        model = linear()
        history = model.fit(given, series, batch_size=8, shuffle=False, verbose=0, sample_weight=series * 0 + 1)
        assert history.history["loss"] == pytest.approx(losses, rel=1e-6)
        np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-6)
    mixed = pandas.DataFrame({"n": [1, 2], "yes": [True, False], "x": [0.5, 1.5]})
    np.testing.assert_array_equal(as_array(mixed, "x", "m"), [[1, 1, 0.5], [2, 0, 1.5]])
    missing = pandas.DataFrame({"n": pandas.array([1, None], dtype="Int64"), "x": [0.5, 1.5]})
    np.testing.assert_array_equal(as_array(missing, "x", "m"), [[1, 0.5], [np.nan, 1.5]])
    assert as_array(pandas.Series([1, 2, 3]), "y", "m").shape == (3, 1)
    with pytest.raises(ValueError, match=r"columns that are not numbers: 'city' \(.*\)\. Drop or encode them first"):
        linear().fit(pandas.DataFrame({"city": ["a", "b"], "x": [1.0, 2.0]}), np.ones(2), verbose=0)
    inputs = {n: layers.Input((1,), name=n) for n in "pqr"}
    named = keras.Model(inputs, layers.Dense(1)(layers.Concatenate()(list(inputs.values()))))
    assert named.predict(dict(frame)).shape == (40, 1)


def test_tensors_of_other_libraries_and_sparse_matrices():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x, y = regression()
    losses, _ = expected(x, y)
    model = linear()
    found = model.fit(torch.from_numpy(x), torch.from_numpy(y), batch_size=8, shuffle=False, verbose=0)
    assert found.history["loss"] == losses
    with pytest.raises(ValueError, match="cannot be made an array"):
        model.predict(torch.ones(2, 3, requires_grad=True))

    class Sparse:
        def tocoo(self):
            raise AssertionError("not to be called")

    with pytest.raises(ValueError, match=r"`x` is a sparse matrix; pass x.toarray\(\)"):
        model.predict(Sparse())


# --- files larger than memory ---

MAPPED = """
import sys
import numpy as np, resource
import falconet as keras
from falconet import layers
kind, dtype, path, rows = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
x = np.memmap(path, dtype, "r", shape=(rows, 64))
y = np.zeros((rows, 1), "float32")
model = keras.Sequential([layers.Input((64,)), layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x[:4096], y[:4096], batch_size=1024, verbose=0)
resource.setrlimit(resource.RLIMIT_DATA, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + (96 << 20),) * 2)
if kind == "fit":
    model.fit(x, y, batch_size=1024, shuffle=False, validation_split=0.01, verbose=0)
elif kind == "shuffled":
    model.fit(x[: rows // 4], y[: rows // 4], batch_size=1024, steps_per_epoch=50, verbose=0)
else:
    assert model.predict(x[: 500_000], batch_size=4096).shape == (500_000, 1)
print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of data memory are Linux's")
@pytest.mark.parametrize("kind", ["fit", "shuffled", "predict"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.footprint
def test_a_mapped_file_is_not_read_into_memory(tmp_path, kind, dtype):
    """0.5 GB (float64: 1 GB) of holes on disk, with 96 MB of memory to allocate."""
    rows = 2_000_000
    path = tmp_path / "x.bin"
    with open(path, "wb") as file:
        file.truncate(rows * 64 * np.dtype(dtype).itemsize)
    done = subprocess.run(
        [sys.executable, "-c", MAPPED, kind, dtype, str(path), str(rows)], capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "done\n", done.stderr


def test_a_mapped_file_of_another_dtype_trains_as_its_array_does(tmp_path):
    x, y = regression(100)
    np.save(tmp_path / "x.npy", x.astype("float64"))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    runs = []
    for given in (x, mapped):
        keras.utils.set_random_seed(3)
        model = linear(metrics=["mae"])
        history = model.fit(given, y, batch_size=7, epochs=2, validation_split=0.2, verbose=0).history
        runs.append((history, model.get_weights()[0].tolist(), model.predict(given).tolist()))
    assert runs[0] == runs[1]
    assert in_memory(mapped[3:5]).dtype == "float32"


# --- iterables of batches ---


def batches(x, y, size=8):
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


class Counted(keras.utils.PyDataset):
    """Batches that note what is called, in which order."""

    def __init__(self, parts, **kwargs):
        super().__init__(**kwargs)
        self.parts, self.calls = parts, []

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, i):
        self.calls.append(i)
        return self.parts[i]

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


def test_epochs_of_a_dataset_are_announced():
    source = Counted(batches(*regression(24)))
    linear().fit(source, epochs=2, shuffle=False, verbose=0)
    assert source.calls == ["begin", 0, 1, 2, "end"] * 2
    source.calls.clear()
    linear().evaluate(source, verbose=0)
    assert source.calls == ["begin", 0, 1, 2, "end"]
    source.calls.clear()
    linear().fit(source, epochs=3, steps_per_epoch=2, shuffle=False, verbose=0)
    assert source.calls == ["begin", 0, 1, "end", "begin", 2, 0, "end", "begin", 1, 2, "end"]


def test_validation_sees_the_same_batches_every_epoch():
    parts = batches(*regression(40))
    for source in (
        Counted(parts),
        Dataset.from_generator(lambda: iter(parts)),
        Dataset.from_arrays(*regression()).batch(8),
    ):
        model = linear()
        model.optimizer.learning_rate = 0.0
        history = model.fit(*regression(), epochs=3, validation_data=source, validation_steps=2, verbose=0).history
        assert len(set(history["val_loss"])) == 1
        assert history["val_loss"][0] == pytest.approx(
            model.evaluate(*regression(40), steps=2, batch_size=8, verbose=0)
        )


@pytest.mark.parametrize("options", [{"workers": 3}, {"workers": 2, "max_queue_size": 1}])
def test_threads_of_a_dataset_keep_the_order(options):
    x, y = regression()
    losses, _ = expected(x, y, epochs=3)
    history = linear().fit(Counted(batches(x, y), **options), epochs=3, shuffle=False, verbose=0)
    assert history.history["loss"] == losses
    assert not [t for t in threading.enumerate() if t.name.startswith("falconet-data")]


class Slow(keras.utils.PyDataset):
    def __len__(self):
        return 50

    def __getitem__(self, i):
        if i == 3:
            raise RuntimeError("row lost")
        return np.full((2, 3), float(i), "float32"), np.full((2, 1), float(os.getpid()), "float64")


@pytest.mark.skipif(sys.platform != "linux", reason="the test's data set reaches its processes by fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_processes_of_a_dataset():
    source = Slow(workers=2, use_multiprocessing=True)
    made = source.iterate_batches(False)
    owners = {int(next(made)[1][0, 0]) for _ in range(3)}
    assert os.getpid() not in owners
    with pytest.raises(RuntimeError, match=r"row lost \(\[Slow\] batch 3\)"):
        next(made)


def test_a_generator_that_runs_dry_warns_once_and_keeps_the_history():
    parts = batches(*regression(24))
    for options, epochs_run in (
        ({"steps_per_epoch": 2}, [0, 1]),  # 3 batches: the second epoch is short, the third does not begin
        ({}, [0]),
        ({"steps_per_epoch": 3}, [0]),
        ({"steps_per_epoch": 5}, [0]),
    ):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            history = linear().fit((p for p in parts), epochs=4, verbose=0, **options)
        assert [str(w.message).count("ran out of data") for w in seen] == [1], options
        assert history.epoch == epochs_run and len(history.history["loss"]) == len(epochs_run)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linear().fit((p for p in parts), epochs=1, verbose=0)
        linear().fit(itertools.cycle(parts), epochs=3, steps_per_epoch=4, verbose=0)


def test_evaluation_does_not_count_rows_twice():
    x, y = regression(24)
    model = linear()
    for source in ((x, y), (Counted(batches(x, y)),), (Dataset.from_arrays(x, y).batch(8),)):
        with pytest.warns(UserWarning, match="ran out of data at step 3 of 5"):
            found = model.evaluate(*source, steps=5, batch_size=8 if len(source) == 2 else None, verbose=0)
        assert found == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)


def test_data_loaders_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x, y = regression()
    losses, kernel = expected(x, y, epochs=2)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=8
    )
    model = linear()
    assert model.fit(loader, epochs=2, verbose=0).history["loss"] == losses
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    assert model.evaluate(loader, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    inputs_only = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.from_numpy(x)), batch_size=8)
    np.testing.assert_array_equal(model.predict(inputs_only), model.predict(x))


# --- falconet.data in the loops ---


def test_a_dataset_trains_as_its_arrays_do():
    x, y = regression(37)
    losses, kernel = expected(x, y, epochs=3)
    rows = Dataset.from_arrays(x, y).batch(8)
    elements = Dataset.from_generator(lambda: zip(x, y, strict=True)).batch(8)
    for source in (rows, elements, elements.prefetch(2), rows.map(lambda a, b: (a, b), num_parallel_calls=2)):
        model = linear()
        assert model.fit(source, epochs=3, verbose=0).history["loss"] == pytest.approx(losses, rel=1e-6)
        np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-6)
        np.testing.assert_array_equal(model.predict(source), model.predict(x, batch_size=8))
        assert model.evaluate(source, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-6)


@pytest.mark.parametrize("hooked", [False, True])
def test_rows_go_to_the_native_loop_in_the_order_of_the_dataset(hooked):
    x, y = regression(50)
    data = (
        Dataset.from_arrays(x.astype("float64"), y).skip(3).shuffle(9, seed=2).repeat(2).batch(8, drop_remainder=True)
    )
    order = [b for b in Dataset.from_arrays(x, y).skip(3).shuffle(9, seed=2).repeat(2).batch(8, drop_remainder=True)]
    one, other = linear(), linear()
    seen = []
    hooks = [keras.callbacks.LambdaCallback(on_train_batch_end=lambda n, logs: seen.append(n))] if hooked else []
    history = one.fit(data, verbose=0, callbacks=hooks)
    for batch in order:
        other.train_on_batch(*batch)
    np.testing.assert_allclose(one.get_weights()[0], other.get_weights()[0], rtol=1e-6)
    assert len(order) == 11 and history.params["steps"] == 11 and seen == (list(range(11)) if hooked else [])


def test_class_weight_and_sample_weight_in_datasets():
    x, y = regression(24)
    labels = (y > 0).astype("int64")
    runs = []
    for source, options in (
        ((x, labels), {"class_weight": {0: 0.5, 1: 2.0}, "batch_size": 8}),
        ((Dataset.from_arrays(x, labels).batch(8),), {"class_weight": {0: 0.5, 1: 2.0}}),
        ((Dataset.from_arrays(x, labels, np.where(labels[:, 0], 2.0, 0.5)).batch(8),), {}),
    ):
        model = linear(weighted_metrics=["mae"])
        runs.append(model.fit(*source, shuffle=False, verbose=0, **options).history)
    assert runs[0] == runs[1] == runs[2]


def test_a_resumed_dataset_goes_on_in_fit():
    x, y = regression(40)
    make = lambda: Dataset.from_arrays(x, y).shuffle(40, seed=1).batch(8).repeat()  # noqa: E731
    whole, part = linear(), linear()
    whole.fit(make(), steps_per_epoch=3, epochs=4, verbose=0)
    data = make()
    state = {}
    hook = keras.callbacks.LambdaCallback(on_epoch_end=lambda n, logs: state.update(n=data.state_dict()))
    part.fit(data, steps_per_epoch=3, epochs=2, verbose=0, callbacks=[hook])
    again = make()
    again.load_state_dict(state["n"])
    part.fit(again, steps_per_epoch=3, epochs=4, initial_epoch=2, verbose=0)
    np.testing.assert_array_equal(whole.get_weights()[0], part.get_weights()[0])


# --- Ctrl-C ---


@pytest.mark.parametrize("kind", ["generator", "prefetch", "threads", "parallel", "rows"])
def test_ctrl_c_returns_within_a_tenth_of_a_second(kind):
    x, y = regression(64)

    def forever():
        while True:
            time.sleep(0.001)
            yield x, y

    if kind == "generator":
        source = forever()
    elif kind == "threads":
        source = Counted([(x, y)] * 10**5, workers=2)
    elif kind == "rows":
        source = Dataset.from_arrays(x, y).repeat().shuffle(100).batch(8)
    else:
        source = Dataset.from_generator(forever)
        source = source.prefetch(4) if kind == "prefetch" else source.map(lambda a, b: (a, b), num_parallel_calls=3)
    model = linear()
    model.fit(x, y, verbose=0)
    pressed = []

    def press():
        time.sleep(0.4)
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(source, steps_per_epoch=10**8 if kind != "threads" else None, verbose=0)
    took = time.perf_counter() - pressed[0]
    thread.join()
    assert took < 0.1 and np.isfinite(model.get_weights()[0]).all()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and [t for t in threading.enumerate() if t.name.startswith("falconet-data")]:
        time.sleep(0.01)
    assert not [t for t in threading.enumerate() if t.name.startswith("falconet-data")]
