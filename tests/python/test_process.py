"""What Falconet does to the process it runs in: import cost, fork, floating-point mode, threads, neighbours, exit.

Each test looks at a process of its own. FALCONET_FORKS sets how often the fork tests fork (default 50).
"""

import importlib.util
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import textwrap

import pytest

NUM_FORKS = int(os.environ.get("FALCONET_FORKS", "50"))
TIMEOUT_S = 120 + NUM_FORKS // 2  # a bound on hangs, not a measure of speed

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux's /proc")
needs_x86_linux = pytest.mark.skipif(
    not (sys.platform == "linux" and platform.machine() == "x86_64"), reason="reads MXCSR by x86-64 code"
)

# A model whose batches are cut into several chunks, with data to train it on.
MODEL = """
import numpy as np
import falconet as keras

keras.utils.set_random_seed(7)
model = keras.Sequential([
    keras.Input((64,)),
    keras.layers.Dense(256, activation="relu"),
    keras.layers.Dense(256, activation="relu"),
    keras.layers.Dense(1),
])
model.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse")
rng = np.random.default_rng(3)
x = rng.standard_normal((512, 64)).astype("float32")
y = rng.standard_normal((512, 1)).astype("float32")

def train():
    model.fit(x, y, batch_size=256, epochs=1, shuffle=False, verbose=0)

def predict():
    return np.asarray(model.predict(x, batch_size=256, verbose=0))
"""


def run(script, *flags, cwd=None, **environment):
    """The finished process of `script`; warnings are errors there."""
    env = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-W", "error", *flags, "-c", script],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=env,
        cwd=cwd,
    )


def output_of(script, *flags, **kwargs):
    """What a script printed, once it has ended well and without a word on stderr."""
    done = run(script, *flags, **kwargs)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout
    return done.stdout


# Import


def test_import_is_silent():
    assert output_of("import falconet") == ""


def test_import_leaves_no_file(tmp_path):
    output_of("import falconet", "-B", cwd=tmp_path, HOME=str(tmp_path), TMPDIR=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_import_needs_numpy_alone():
    script = (
        "import json, sys, numpy; old = set(sys.modules); import falconet; print(json.dumps([*set(sys.modules) - old]))"
    )
    loaded = {name.partition(".")[0] for name in json.loads(output_of(script))}
    foreign = {name for name in loaded - set(sys.stdlib_module_names) if not name.startswith("_")}
    assert foreign <= {"falconet", "numpy"}


def test_import_starts_no_thread():
    script = "import threading, numpy, falconet; print(threading.active_count())"
    assert output_of(script) == "1\n"


_MODEL = """
import falconet as keras
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
"""


@pytest.mark.parametrize("script, most", [("import falconet", 0.05), (_MODEL, 0.45)], ids=["import", "model"])
@pytest.mark.footprint
def test_start_up_time_beside_numpy(script, most, tmp_path):
    # The thread's own time for both in one process, so that the machine's speed cancels; the least of several runs, as
    # a neighbour can only add to it.
    timed = f"""
from time import thread_time as now
a = now()
import numpy
b = now()
{script}
print(b - a, now() - b)
"""
    # The first run compiles both to bytecode, which an environment may not let Python keep beside the sources.
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    runs = [[float(word) for word in output_of(timed, **kept).split()] for _ in range(9)]
    numpy, own = (min(column) for column in zip(*runs, strict=True))
    assert own <= most * numpy, f"{1e3 * own:.1f} ms, import numpy takes {1e3 * numpy:.1f} ms"


@needs_proc
@pytest.mark.parametrize("script, most", [("import falconet", 4), (_MODEL, 10)], ids=["import", "model"])
@pytest.mark.footprint
def test_start_up_memory_beside_numpy(script, most):
    timed = f"""
import pathlib

def resident():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

import numpy
before = resident()
{script}
print(resident() - before)
"""
    kib = statistics.median(int(output_of(timed)) for _ in range(3))
    assert kib <= most * 1024, f"{kib / 1024:.1f} MiB"


@pytest.mark.footprint
def test_installed_size():
    folder = pathlib.Path(importlib.util.find_spec("falconet").origin).parent
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= 15 << 20
    assert (folder / "py.typed").exists()
    python, libraries = {".py", ".pyi", ".so", ".pyd", ".typed", ".json"}, {".a", ".lib", ".dll", ".dylib"}
    strays = {path.suffix for path in files} - python - libraries - {".h", ".hpp", ".cmake", ".pc"}
    assert not strays


# Settings that come from the environment


REPORTING = """
try:
{}
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("value", ["0", "-2", "many", "2.5"])
def test_bad_thread_count_is_a_value_error(value):
    text = output_of(REPORTING.format(textwrap.indent(MODEL + "train()", "    ")), FALCONET_THREADS=value)
    assert "FALCONET_THREADS" in text and f'"{value}"' in text


def test_bad_isa_is_a_value_error_with_the_choices():
    text = output_of(REPORTING.format(textwrap.indent(MODEL + "train()", "    ")), FALCONET_ISA="z80")
    available = output_of("import falconet; print(*falconet.cpu.available(), sep=', ')").strip()
    assert "z80" in text and f"available: {available}." in text


def test_thread_counts_agree_to_the_bit():
    script = MODEL + "\nimport hashlib\ntrain()\nprint(hashlib.sha256(predict().tobytes()).hexdigest())\n"
    assert len({output_of(script, FALCONET_THREADS=str(n)) for n in (1, 2, 7)}) == 1


# Threads


@needs_proc
def test_small_predictions_start_no_thread():
    script = """
import os
import numpy as np
import falconet as keras

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
x = np.zeros((1, 4), "float32")
before = len(os.listdir("/proc/self/task"))
for _ in range(10):
    model.predict(x, verbose=0)
print(len(os.listdir("/proc/self/task")) - before)
"""
    assert output_of(script, FALCONET_THREADS="8") == "0\n"


def test_idle_workers_use_a_thousandth_of_a_processor_at_most():
    script = (
        MODEL
        + """
import time
train()
time.sleep(0.01)
before = time.process_time()
time.sleep(2.0)
print((time.process_time() - before) / 2)
"""
    )
    # NumPy's own threads look for work for some milliseconds after they were started.
    assert float(output_of(script, FALCONET_THREADS="4", OPENBLAS_NUM_THREADS="1")) <= 0.001


# Fork

FORK = """
import os

def same(a, b):
    return all(np.array_equal(p, q) for p, q in zip(a, b, strict=True))

train()
start = model.get_weights()
train()
trained, predicted = model.get_weights(), predict()
model.set_weights(start)

def works():
    model.set_weights(start)
    train()
    return same(model.get_weights(), trained) and np.array_equal(predict(), predicted)

def fork_once():
    child = os.fork()
    if child == 0:
        code = 3
        try:
            code = 0 if works() else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
"""


@needs_fork
def test_fork_after_training():
    # Under -W error: a thread alive at the fork would be a DeprecationWarning from Python 3.12 on.
    script = (
        MODEL
        + FORK
        + f"""
codes = [fork_once() if works() else "parent" for _ in range({NUM_FORKS})]
assert codes == [0] * len(codes), codes
assert works()
"""
    )
    output_of(script, FALCONET_THREADS="8")


@needs_fork
def test_fork_from_another_thread():
    script = (
        MODEL
        + FORK
        + f"""
from concurrent.futures import ThreadPoolExecutor
executor = ThreadPoolExecutor(1)
codes = [executor.submit(fork_once).result() for _ in range({max(NUM_FORKS // 5, 1)})]
assert codes == [0] * len(codes), codes
"""
    )
    # The other thread is Python's own, so the warning about it is right and not what this is about.
    output_of(script, "-W", "ignore::DeprecationWarning", FALCONET_THREADS="8")


@needs_fork
def test_fork_while_another_thread_predicts():
    script = (
        MODEL
        + FORK
        + f"""
import threading
stop, wrong = threading.Event(), []

def keep_predicting():
    while not stop.is_set():
        if not np.array_equal(predict(), before):
            wrong.append(1)

before = predict()
thread = threading.Thread(target=keep_predicting)
thread.start()

def fork_and_predict():
    child = os.fork()
    if child == 0:
        code = 3
        try:
            other = keras.Sequential([keras.Input((64,)), keras.layers.Dense(256), keras.layers.Dense(1)])
            other.predict(x, batch_size=256, verbose=0)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

codes = [fork_and_predict() for _ in range({max(NUM_FORKS // 5, 1)})]
stop.set()
thread.join()
assert codes == [0] * len(codes) and not wrong, (codes, len(wrong))
"""
    )
    output_of(script, "-W", "ignore::DeprecationWarning", FALCONET_THREADS="8")


@needs_fork
def test_multiprocessing_children_of_a_trained_parent():
    script = (
        MODEL
        + """
import multiprocessing
train()
expected = predict()

def child(_):
    return np.array_equal(predict(), expected)

with multiprocessing.get_context("fork").Pool(2) as processes:
    print(all(processes.map(child, range(8))))
"""
    )
    # A process pool starts threads of its own in the parent, and forks the second child after the first.
    assert output_of(script, "-W", "ignore::DeprecationWarning", FALCONET_THREADS="4") == "True\n"


# The floating-point mode


def test_denormals_and_rounding_stay_as_they_were():
    script = (
        MODEL
        + """
def check(when):
    with np.errstate(all="ignore"):
        assert 5e-324 > 0 and 5e-324 * 1.0 > 0, when
        assert np.float32(1e-45) * np.float32(1) > 0, when
        assert (np.full(64, 1e-39, "float32") * np.float32(0.5)).min() > 0, when
        assert 1.0 / 3.0 == float.fromhex("0x1.5555555555555p-2"), when

check("import")
train(); check("fit")
predict(); check("predict")
model.train_on_batch(x, y); check("train_on_batch")
model(x); check("call")
keras.ops.matmul(x, x.T); check("op")
try:
    model.predict(np.zeros((2, 65), "float32"), verbose=0)
except ValueError:
    check("exception")
else:
    raise AssertionError("a wrong shape was taken")
"""
    )
    output_of(script, FALCONET_THREADS="4")


@needs_x86_linux
def test_mxcsr_control_bits_stay_as_they_were():
    script = (
        """
import ctypes, mmap, sys
try:
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except OSError:
    print("refused")
    sys.exit()
page.write(b"\\x0f\\xae\\x1f\\xc3")  # stmxcsr [rdi]; ret
call = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(page)))

def mxcsr():
    word = ctypes.c_uint32()
    call(ctypes.addressof(word))
    return word.value & ~0x3F  # the low bits are sticky flags, which any arithmetic of Python sets

import numpy
modes = [mxcsr()]
"""
        + MODEL
        + """
modes.append(mxcsr())
train()
modes.append(mxcsr())
predict()
modes.append(mxcsr())
model.train_on_batch(x, y)
modes.append(mxcsr())
try:
    model.predict(np.zeros((2, 65), "float32"), verbose=0)
except ValueError:
    modes.append(mxcsr())
print(len(modes), len(set(modes)))
"""
    )
    text = output_of(script, FALCONET_THREADS="4")
    if text == "refused\n":
        pytest.skip("this system allows no page that is writable and executable")
    assert text == "6 1\n"


# Neighbours


@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("peer", ["sklearn.linear_model", "torch"])
def test_import_beside(peer, first):
    if importlib.util.find_spec(peer.partition(".")[0]) is None:
        pytest.skip(f"{peer} is not installed")
    lines = ["import falconet", f"import {peer}"]
    script = "\n".join(lines if first else lines[::-1]) + MODEL + "\ntrain()\nassert predict().shape == (512, 1)\n"
    output_of(script, "-W", "ignore")  # the peer's own warnings are not ours to judge


# Exit


@pytest.mark.parametrize("threads", ["1", "8"])
def test_exit_with_a_global_model(threads):
    for _ in range(5):
        assert output_of(MODEL + "\ntrain()\npredict()\n", FALCONET_THREADS=threads) == ""


def test_exit_status_is_the_callers():
    done = run(MODEL + "\ntrain()\nimport sys\nsys.exit(3)\n", FALCONET_THREADS="8")
    assert (done.returncode, done.stderr) == (3, "")


def test_exit_while_a_daemon_thread_predicts():
    script = (
        MODEL
        + """
import threading, time
def forever():
    while True:
        predict()
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.2)
"""
    )
    for _ in range(5):
        output_of(script, FALCONET_THREADS="4")


@needs_fork
def test_a_forked_child_exits_as_usual():
    script = (
        MODEL
        + """
import os, sys
train()
child = os.fork()
if child == 0:
    train()
    sys.exit(5)  # finalizers and static destructors run
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    )
    assert output_of(script, FALCONET_THREADS="8") == "5\n"
