"""What serving takes and leaves: memory of loading, of many models and of contexts; the interpreter's lock; threads."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import falconet as keras
from falconet import layers

needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's /proc")


def output_of(script, *arguments, timeout=1000, **environment):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def small():
    return keras.Sequential([keras.Input((16,)), layers.Dense(32, activation="relu"), layers.Dense(1)])


# --- memory ---


@needs_proc
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.footprint
def test_models_that_were_loaded_and_dropped_leave_nothing(count, tmp_path):
    """Promise M2: from a file, from memory, with an update, and with a learner."""
    model = small()
    model.compile("adam", "mse")
    model.export(tmp_path / "m.falconet", training=True)
    grown = output_of(
        """
        import os, sys, numpy as np, falconet as keras
        path, count = sys.argv[1], int(sys.argv[2])
        content = open(path, "rb").read()
        x, y = np.ones((3, 16), "float32"), np.ones((3, 1), "float32")
        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        def once(i):
            p = keras.Predictor(content if i % 2 else path)
            p(x)
            learner = keras.Learner(path)
            learner.step(x, y)
            learner.snapshot(p)
        for i in range(100):
            once(i)
        before = resident()
        for i in range(count):
            once(i)
        print(resident() - before)
        """,
        tmp_path / "m.falconet",
        count,
    )
    assert int(grown) <= 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts mappings on Linux alone")
def test_reading_a_large_file_takes_little_memory_and_time(tmp_path):
    """Promise S1: a quarter of the file and 1 MiB, kept by the system's own limit; a second for 100 MB."""
    n = 4096
    keras.Sequential([keras.Input((n,)), layers.Dense(n)]).export(tmp_path / "m.falconet")  # 64 MiB
    damaged = bytearray((tmp_path / "m.falconet").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "damaged.falconet").write_bytes(damaged)
    for name, kind in (("m", "read"), ("damaged", "ValueError")):
        out = output_of(
            """
            import os, resource, sys, time
            from falconet import _core
            path = sys.argv[1]
            bytes_ = os.path.getsize(path)
            try:
                _core.describe_model("none")  # whatever the first error and the first call need
            except ValueError:
                pass
            now = [int(l.split()[1]) * 1024 for l in open("/proc/self/status") if l.startswith("VmData")][0]
            limit = now + bytes_ // 4 + (1 << 20)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
            begin, kind = time.process_time(), "read"
            try:
                _core.describe_model(path)
            except ValueError as error:
                kind = "ValueError"
            seconds = time.process_time() - begin
            try:
                bytearray(bytes_)
            except MemoryError:
                print(kind, seconds / (bytes_ / 1e8))
            """,
            tmp_path / f"{name}.falconet",
        )
        told, seconds = out.split()  # nothing is printed where the limit does not hold
        assert told == kind
        assert float(seconds) <= 1


def test_released_memory_is_what_memory_told():
    """Promise M3: an arena is as large as the largest need among the batch sizes that its context met."""
    p = keras.Predictor(keras.Sequential([keras.Input((64,)), layers.Dense(2048, activation="tanh"), layers.Dense(1)]))
    few = p.memory()["arenas"]
    p.prepare([1000])
    many = p.memory()["arenas"]
    assert few < 1 << 16 < 1000 * 2048 // 8 < many  # of a hidden layer for 1000 rows, in tiles at least
    p.prepare([10])
    assert p.memory()["arenas"] == many
    p.prepare([1000], contexts=3)
    assert p.memory()["contexts"] == 3 and p.memory()["arenas"] == 3 * many
    p.release()
    assert p.memory()["arenas"] == 0 and p.memory()["plans"] == 0


# --- the interpreter's lock ---


def test_short_work_keeps_the_interpreters_lock_and_long_work_gives_it_up():
    """Promise G4. A thread that waits for the lock is let in by whoever gives it up, and by no timer here."""
    out = output_of(
        """
        import sys, threading, numpy as np, falconet as keras
        from falconet import layers
        def mlp(width):
            return keras.Sequential([keras.Input((width,)), layers.Dense(width, activation="relu"), layers.Dense(1)])
        short, long = keras.Predictor(mlp(64), threads=1), keras.Predictor(mlp(512), threads=1, batch_sizes=(512,))
        x, wide = np.ones((1, 64), "float32"), np.ones((512, 512), "float32")
        out, wide_out = np.empty((1, 1), "float32"), np.empty((512, 1), "float32")
        ready, go, told = threading.Lock(), threading.Lock(), []
        ready.acquire(); go.acquire()
        def other():
            ready.release()
            go.acquire()
            told.append(1)
        sys.setswitchinterval(1000)
        thread = threading.Thread(target=other)
        thread.start()
        ready.acquire()
        go.release()
        for _ in range(20000):  # long enough for the other to be waiting
            short(x, out=out)
            short(x)
        kept = not told
        for _ in range(100):
            if not told:
                long(wide, out=wide_out)
        print(kept, bool(told))
        thread.join()
        """
    )
    assert out.split() == ["True", "True"]


@pytest.mark.parametrize("count", [2000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_sixteen_threads_on_one_model(count):
    """Promise G2, without its sanitizer (tests/cpp has that) and without its scaling (which is the lock's to give)."""
    out = output_of(
        """
        import sys, threading, numpy as np, falconet as keras
        from falconet import layers
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((16,)), layers.Dense(32, activation="relu"), layers.Dense(2)])
        p = keras.Predictor(model)
        inputs = np.random.default_rng(0).standard_normal((16, 1, 16)).astype("float32")
        wanted = [p(x) for x in inputs]
        wrong = []
        sys.setswitchinterval(1e-5)
        def work(i):
            x, want, out = inputs[i], wanted[i].tobytes(), np.empty((1, 2), "float32")
            for n in range(int(sys.argv[1])):
                if (p(x, out=out) if n % 2 else p(x)).tobytes() != want:
                    wrong.append(i)
        threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
        for t in threads: t.start()
        for t in threads: t.join()
        print(len(wrong), p.memory()["contexts"] <= 16)
        """,
        count,
    )
    assert out.split() == ["0", "True"]


def test_python_goes_on_during_a_fit():
    """Promise G3, as time that the interpreter's lock is not held: a thread that asks for it 1000 times is let in."""
    out = output_of(
        """
        import sys, threading, time, numpy as np, falconet as keras
        from falconet import layers
        model = keras.Sequential([keras.Input((256,)), layers.Dense(512, activation="relu"), layers.Dense(1)])
        model.compile("adam", "mse")
        x, y = np.ones((20000, 256), "float32"), np.ones((20000, 1), "float32")
        model.fit(x[:2000], y[:2000], batch_size=100, verbose=0)
        turns, done = [], threading.Event()
        def other():
            while not done.is_set():
                time.sleep(0)  # gives the lock up and asks for it
                turns.append(1)
        sys.setswitchinterval(1000)  # nobody is made to give it up
        thread = threading.Thread(target=other)
        thread.start()
        before = len(turns)
        model.fit(x, y, batch_size=100, epochs=2, verbose=0)
        during = len(turns) - before
        done.set()
        thread.join()
        print(during)
        """,
        FALCONET_THREADS="1",
    )
    assert int(out) >= 1000


# --- threads ---


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity masks")
def test_the_affinity_mask_is_obeyed_and_left_alone():
    """Promise T1."""
    allowed = sorted(os.sched_getaffinity(0))
    out = output_of(
        """
        import os, sys
        mask = {int(sys.argv[1])}
        os.sched_setaffinity(0, mask)
        import numpy as np, falconet as keras
        from falconet import layers
        before = keras.num_threads()
        model = keras.Sequential([keras.Input((64,)), layers.Dense(256), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.ones((512, 64), "float32"), np.ones((512, 1), "float32"), verbose=0)
        keras.Predictor(model)(np.ones((512, 64), "float32"))
        print(before, os.sched_getaffinity(0) == mask)
        """,
        allowed[-1],
        FALCONET_THREADS="",
        OMP_NUM_THREADS="",
    )
    assert out.split() == ["1", "True"]


def test_one_variable_and_one_function_set_the_threads():
    """Promise T6."""
    ask = "import falconet; print(falconet.num_threads())"
    assert output_of(ask, FALCONET_THREADS="5", OMP_NUM_THREADS="1").strip() == "5"
    assert output_of(ask, FALCONET_THREADS="", OMP_NUM_THREADS="1").strip() == "1"
    assert output_of("import falconet; falconet.set_num_threads(3); print(falconet.num_threads())").strip() == "3"


def test_no_source_reassociates_arithmetic():
    """Promise N2: no flag of a build and no pragma allows it."""
    root = os.path.join(os.path.dirname(__file__), "..", "..")
    words = (
        "-ffast-math",
        "-Ofast",
        "-funsafe-math",
        "-fassociative-math",
        "/fp:fast",
        'optimize("fast',
        "float_control",
    )
    files = [os.path.join(root, "CMakeLists.txt"), os.path.join(root, "pyproject.toml")]
    for folder in ("cpp", "cmake"):
        files += [os.path.join(at, name) for at, _, names in os.walk(os.path.join(root, folder)) for name in names]
    assert len(files) > 100
    for path in files:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        assert not [word for word in words if word in text], path
    build = np.float32(1e8) + np.float32(1) - np.float32(1e8)  # the words alone would not prove much
    kept = keras.ops.subtract(keras.ops.add(np.float32([1e8] * 9), np.float32(1)), np.float32(1e8))
    assert np.all(np.asarray(kept) == build)


def test_a_predictor_needs_no_asyncio():
    """It costs a process that only predicts as much memory and time as Falconet itself."""
    out = output_of("import sys, falconet; falconet.Predictor, falconet.Learner; print('asyncio' in sys.modules)")
    assert out.strip() == "False"
