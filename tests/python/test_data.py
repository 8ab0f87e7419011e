"""`falconet.data`: what stages give, exact states, threads and forks, files, and data sets in fit."""

import os
import pickle
import threading
import time

import numpy as np
import pytest

import falconet as keras
from falconet.data import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset


def listed(dataset):
    return [keras.tree.map_structure(lambda v: np.asarray(v).tolist(), e) for e in dataset]


def upto(n):
    """0 to n - 1 as elements that are no rows of arrays."""
    return Dataset.from_generator(range, (n,))


def threads():
    return [t for t in threading.enumerate() if t.name.startswith("falconet-data")]


def test_arrays_in_every_structure():
    x, y = np.arange(6.0).reshape(3, 2), [4, 5, 6]
    assert listed(Dataset.from_arrays(x, y)) == [([0.0, 1.0], 4), ([2.0, 3.0], 5), ([4.0, 5.0], 6)]
    assert listed(Dataset.from_arrays({"a": x, "b": y}))[2] == {"a": [4.0, 5.0], "b": 6}
    assert listed(Dataset.from_tensor_slices(x).batch(2)) == [[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0]]]
    batch = next(iter(Dataset.from_arrays(x).batch(2)))
    assert np.shares_memory(batch, x)  # cut, not copied
    assert len(Dataset.from_arrays(x, y)) == 3 and Dataset.range(2, 8, 3).cardinality() == 2


@pytest.mark.parametrize("source", [Dataset.range, upto])
def test_stages_of_rows_and_of_elements_agree(source):
    ten = source(10)
    assert listed(ten.skip(2).take(5)) == [2, 3, 4, 5, 6]
    assert listed(ten.take(3).repeat(2)) == [0, 1, 2, 0, 1, 2]
    assert listed(ten.take(0).repeat()) == []
    assert listed(ten.take(4).repeat().take(9)) == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert listed(ten.take(3).repeat(0)) == []
    assert listed(ten.batch(4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert listed(ten.batch(4, drop_remainder=True)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert listed(ten.take(4).repeat(2).batch(3)) == [[0, 1, 2], [3, 0, 1], [2, 3]]
    assert listed(ten.map(lambda i: i * i).filter(lambda i: i % 2 == 0)) == [0, 4, 16, 36, 64]
    assert listed(ten.batch(4).unbatch()) == list(range(10))
    assert listed(ten.take(2).concatenate(ten.skip(8))) == [0, 1, 8, 9]
    assert listed(ten.take(2).enumerate(start=5)) == [(5, 0), (6, 1)]
    assert listed(Dataset.zip(ten, ten.skip(7))) == [(0, 7), (1, 8), (2, 9)]
    assert listed(Dataset.zip({"a": ten.take(1), "b": ten}).batch(2)) == [{"a": [0], "b": [0]}]
    assert listed(ten.prefetch(3)) == list(range(10))


def test_rows_of_arrays_stay_rows_through_zip():
    x, y = np.arange(8.0), np.arange(8)
    steps = iter(Dataset.zip(Dataset.from_arrays(x), Dataset.from_arrays(y)).shuffle(8, seed=1).batch(4))
    assert steps.row_arrays is not None and steps.chunk(2)[1].shape == (8,)


def test_interleave_is_in_the_order_of_tf_data():
    found = listed(upto(6).skip(1).interleave(lambda i: Dataset.from_arrays([i]).repeat(6), 2, block_length=4))
    assert found == [1] * 4 + [2] * 4 + [1] * 2 + [2] * 2 + [3] * 4 + [4] * 4 + [3] * 2 + [4] * 2 + [5] * 6
    assert listed(upto(3).flat_map(Dataset.range)) == [0, 0, 1]


def test_padded_batches():
    ragged = upto(4).map(lambda i: np.arange(i + 1))
    assert listed(ragged.padded_batch(3)) == [[[0, 0, 0], [0, 1, 0], [0, 1, 2]], [[0, 1, 2, 3]]]
    assert listed(ragged.padded_batch(4, padded_shapes=(5,), padding_values=-1))[0][0] == [0, -1, -1, -1, -1]
    pairs = ragged.map(lambda a: (a, len(a)))
    assert listed(pairs.padded_batch(2, ((None,), ()), (9, 0)))[0] == ([[0, 9], [0, 1]], [1, 2])
    with pytest.raises(ValueError, match=r"has size 4 where `padded_shapes` \(2,\) allows 2"):
        listed(ragged.padded_batch(4, padded_shapes=(2,)))


def test_cardinality():
    assert Dataset.range(10).repeat().cardinality() == INFINITE_CARDINALITY
    assert upto(3).cardinality() == UNKNOWN_CARDINALITY
    assert [len(Dataset.range(10).batch(4)), len(Dataset.range(10).batch(4, drop_remainder=True))] == [3, 2]
    assert len(Dataset.zip(Dataset.range(10).repeat(), Dataset.range(3))) == 3
    assert len(Dataset.range(10).repeat().take(7)) == 7
    for endless in (Dataset.range(3).repeat(), upto(3)):
        with pytest.raises(TypeError, match="the data set has"):
            len(endless)


# --- random order ---


@pytest.mark.parametrize("size", [1, 3, 10, 50])
def test_shuffled_rows_and_shuffled_elements_agree(size):
    orders = [
        listed(source(40).shuffle(size, seed=3).take(40)) for source in (lambda n: Dataset.range(n).skip(0), upto)
    ]
    assert orders[0] == orders[1] and sorted(orders[0]) == list(range(40))
    for place, value in enumerate(orders[0]):
        assert value < place + size  # a buffer of `size` cannot look further ahead


def test_a_full_shuffle_is_uniform():
    counts = np.zeros((4, 4))
    data = Dataset.range(4).shuffle(4, seed=0)
    for _ in range(4000):
        counts[np.arange(4), listed(data)] += 1
    # Each cell is binomial(4000, 1/4): standard deviation 27.4; 16 cells stay within 4.5 deviations but once in 10^4.
    assert np.abs(counts - 1000).max() < 4.5 * 27.4
    window = np.zeros((4, 4))
    data = upto(4).shuffle(4, seed=0)
    for _ in range(4000):
        window[np.arange(4), listed(data)] += 1
    assert np.abs(window - 1000).max() < 4.5 * 27.4


def test_seeds_and_reshuffling():
    again = Dataset.range(20).shuffle(20, seed=5)
    first, second = listed(again), listed(again)
    assert first != second and listed(Dataset.range(20).shuffle(20, seed=5)) == first
    fixed = Dataset.range(20).shuffle(7, seed=5, reshuffle_each_iteration=False)
    assert listed(fixed) == listed(fixed)
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(11)
        runs.append(listed(Dataset.range(20).shuffle(20)))
    assert runs[0] == runs[1]


def test_cache_runs_what_is_before_it_once():
    calls = []
    data = upto(5).map(lambda i: calls.append(i) or i).cache()
    assert listed(data) == listed(data) == list(range(5)) and len(calls) == 5
    fixed = upto(8).shuffle(8, seed=1).cache()
    assert listed(fixed) == listed(fixed)


# --- states ---

CHAINS = {
    "rows": lambda: Dataset.range(23).shuffle(23, seed=1).batch(4),
    "window": lambda: Dataset.range(40).skip(1).shuffle(6, seed=2).batch(3).repeat(2),
    "repeat": lambda: Dataset.range(7).shuffle(7, seed=1).repeat(4).batch(3),
    "elements": lambda: upto(30).shuffle(5, seed=2).map(lambda i: i + 1).batch(4, drop_remainder=True),
    "parallel": lambda: upto(30).shuffle(5, seed=2).map(lambda i: i * 2, num_parallel_calls=3).batch(4).prefetch(2),
    "prefetch": lambda: Dataset.range(30).map(lambda i: -i).shuffle(9, seed=4).prefetch(4),
    "interleave": lambda: upto(6).interleave(lambda i: Dataset.range(i, i + 9).shuffle(4, seed=7), 3, 2).batch(5),
    "zip": lambda: Dataset.zip(upto(20).shuffle(4, seed=1), Dataset.range(20).shuffle(20, seed=9).skip(1)).batch(3),
    "cache": lambda: upto(12).shuffle(12, seed=5).cache().repeat(3).batch(5),
    "unbatch": lambda: Dataset.range(20).batch(6).unbatch().enumerate().filter(lambda n, v: v % 3 != 0),
    "chain": lambda: Dataset.range(9).shuffle(9, seed=3).concatenate(upto(8).shuffle(3, seed=6)).batch(2),
    "padded": lambda: upto(12).map(lambda i: np.arange(i % 4)).shuffle(5, seed=6).padded_batch(3),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_run_goes_on_from_its_state_exactly(name):
    """From every place: the rest of this run and the whole of the next are those of the run that was never stopped."""
    whole = CHAINS[name]()
    first, second = listed(whole), listed(whole)
    for place in range(len(first) + 1):
        data = CHAINS[name]()
        steps = iter(data)
        for _ in range(place):
            next(steps)
        saved = pickle.dumps(data.state_dict())
        other = CHAINS[name]()
        other.load_state_dict(pickle.loads(saved))
        assert first[:place] + listed(other) == first
        assert listed(other) == second
        steps.close()
    assert not threads()


def test_a_state_between_runs_keeps_the_next_order():
    data = Dataset.range(10).shuffle(10, seed=1)
    listed(data)
    state = data.state_dict()
    second, other = listed(data), Dataset.range(10).shuffle(10, seed=1)
    other.load_state_dict(state)
    assert listed(other) == second


def test_states_of_other_data_sets_are_refused():
    state = Dataset.range(4).shuffle(4).state_dict()
    with pytest.raises(ValueError, match="a data set with 1 shuffles; this one has 0"):
        Dataset.range(4).load_state_dict(state)
    with pytest.raises(ValueError, match="not what state_dict"):
        Dataset.range(4).load_state_dict({})
    short = upto(3)
    with pytest.raises(ValueError, match="after 5 elements, but the generator yields 3"):
        short.load_state_dict({"run": {"at": 5}, "shuffles": []})
        next(iter(short))


# --- threads ---


def test_parallel_map_keeps_the_order_and_uses_its_threads():
    seen = set()

    def slow(i):
        seen.add(threading.get_ident())
        time.sleep(0.002 * (i % 3))
        return i

    assert listed(upto(40).map(slow, num_parallel_calls=4)) == list(range(40))
    assert len(seen) > 1 and threading.get_ident() not in seen and not threads()
    assert listed(Dataset.range(5).map(lambda i: i, num_parallel_calls=AUTOTUNE)) == list(range(5))


@pytest.mark.parametrize("workers", [None, 3])
@pytest.mark.parametrize("ahead", [0, 2])
def test_errors_come_with_the_place_of_the_element(workers, ahead):
    def fails(i):
        if i == 7:
            raise KeyError("no such row") if ahead else ValueError("no such row")
        return i

    steps = iter(upto(20).map(fails, num_parallel_calls=workers).prefetch(ahead))
    assert [next(steps) for _ in range(7)] == list(range(7))
    with pytest.raises((KeyError, ValueError), match=r"no such row \(\[Dataset.map\] element 7\)"):
        next(steps)
    steps.close()
    deadline = time.monotonic() + 5
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not threads()


def test_errors_of_generators_and_shapes_have_their_place():
    def bad():
        yield 1
        raise OSError("disk gone")

    with pytest.raises(OSError, match=r"disk gone \(element 1 of the generator\)"):
        listed(Dataset.from_generator(bad))
    with pytest.raises(ValueError, match=r"different shapes: \(0,\) and, 1 further on, \(1,\)"):
        listed(upto(3).map(lambda i: np.zeros(i)).batch(2))


def test_a_dropped_run_ends_its_threads():
    steps = iter(upto(10**9).map(lambda i: i, num_parallel_calls=2).prefetch(4))
    assert next(steps) == 0 and threads()
    del steps
    deadline = time.monotonic() + 5
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not threads()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_fork_goes_on_from_the_same_element():
    for workers, ahead in ((None, 3), (2, 0), (2, 3)):
        steps = iter(upto(60).map(lambda i: i * 3, num_parallel_calls=workers).prefetch(ahead))
        for _ in range(9):
            next(steps)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(write, repr(list(steps)).encode())
            finally:
                os._exit(0)
        assert list(steps) == [3 * i for i in range(9, 60)]
        os.waitpid(child, 0)
        os.close(write)
        assert os.read(read, 65536).decode() == repr([3 * i for i in range(9, 60)])
        os.close(read)


# --- files ---


def test_lines_csv_and_npy(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\r\n\nlast")
    (tmp_path / "b.txt").write_text("more\n")
    lines = Dataset.from_files([tmp_path / "a.txt", tmp_path / "b.txt"])
    assert list(lines) == ["one", "two", "", "last", "more"]
    steps = iter(lines)
    next(steps), next(steps)
    resumed = Dataset.from_files([tmp_path / "a.txt", tmp_path / "b.txt"])
    resumed.load_state_dict(lines.state_dict())
    assert list(resumed) == ["", "last", "more"]

    (tmp_path / "t.csv").write_text('age,"height, cm",kind\n1,2.5,0\n\n3,,1\n')
    table = Dataset.from_files(tmp_path / "t.csv", "csv", label="kind")
    (x0, y0), (x1, y1) = list(table)
    assert x0.tolist() == [1, 2.5] and (float(y0), float(y1)) == (0, 1) and np.isnan(x1[1]) and x0.dtype == "float32"
    assert listed(Dataset.from_files(tmp_path / "t.csv", "csv", columns=[2, "age"])) == [[0, 1], [1, 3]]
    (tmp_path / "bad.csv").write_text("a,b\n1,x\n")
    with pytest.raises(ValueError, match=r"bad.csv, line 2, column 'b': 'x' is not a number"):
        list(Dataset.from_files(tmp_path / "bad.csv", "csv"))
    (tmp_path / "bad.csv").write_text("a,b\n1\n")
    with pytest.raises(ValueError, match=r"line 2: 1 columns where there are 2"):
        list(Dataset.from_files(tmp_path / "bad.csv", "csv"))

    np.save(tmp_path / "x.npy", np.arange(6).reshape(3, 2))
    np.save(tmp_path / "y.npy", np.arange(6, 8).reshape(1, 2))
    parts = Dataset.from_files([str(tmp_path / "x.npy"), str(tmp_path / "y.npy")], "npy")
    assert listed(parts) == [[0, 1], [2, 3], [4, 5], [6, 7]] and len(parts) == 4


def test_bytes_read_count_across_a_state_with_a_header(tmp_path):
    (tmp_path / "t.csv").write_text("a\n" + "".join(f"{i}\n" for i in range(10)))
    table = Dataset.from_files(tmp_path / "t.csv", "csv").batch(3)
    steps = iter(table)
    next(steps)
    other = Dataset.from_files(tmp_path / "t.csv", "csv").batch(3)
    other.load_state_dict(table.state_dict())
    assert [b.ravel().tolist() for b in other] == [[3, 4, 5], [6, 7, 8], [9]]
