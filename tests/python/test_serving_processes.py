"""Predictors across processes: fork and its relatives, gunicorn, joblib; what children share; clean exits."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")

_ENVIRONMENT = {**os.environ, "FALCONET_THREADS": "4", "OPENBLAS_NUM_THREADS": "1"}

_SETUP = """
import os, sys, threading, time, multiprocessing, numpy as np
import falconet as keras
from falconet import layers
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((64,)), layers.Dense(512, activation="relu"),
                          layers.Dense(512, activation="relu"), layers.Dense(10)])
x = np.random.default_rng(0).standard_normal((64, 64)).astype("float32")
p = keras.Predictor(model, batch_sizes=(1, 64))
want = p(x)
def same(_=None):
    return bool(np.array_equal(p(x), want) and np.array_equal(p(x[:1]), want[:1]))
"""


def run(body, *, flags=(), timeout=120):
    result = subprocess.run(
        [sys.executable, *flags, "-c", _SETUP + body],
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


_FORKS = """
def child(check):
    pid = os.fork()
    if pid == 0:
        import signal
        signal.alarm(30)
        try:
            os._exit(0 if check() else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_children_predict_and_learn_while_the_parent_is_at_work(count):
    """Promise F1: from the main thread and others, with a thread inside predict; the first answer within a second."""
    out = run(
        _FORKS
        + f"""
model.compile("adam", "mse")
y = np.zeros((64, 10), "float32")
model.fit(x, y, verbose=0)
learner = keras.Learner(model)
learner.step(x, y)
expected = keras.Learner(model)
expected.step(x, y)
expected = expected.step(x, y)
done = threading.Event()
def work():
    while not done.is_set():
        p(x)
thread = threading.Thread(target=work)
thread.start()
import warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # it is: by `work`
def soon():
    begin = time.monotonic()
    good = same()
    return good and time.monotonic() - begin <= 1
codes = [child(lambda: soon() and learner.step(x, y) == expected) for _ in range({count} // 2)]
def from_here():
    codes.extend(child(soon) for _ in range({count} // 2))
other = threading.Thread(target=from_here)
other.start()
other.join()
done.set()
thread.join()
print(len(codes), sum(code != 0 for code in codes), same())
""",
        timeout=120 + count,
    )
    assert out.split() == [str(count), "0", "True"]


def test_a_fork_warns_of_no_thread():
    """Promise F2. Python looks from 3.12 on."""
    out = run(_FORKS + "\nprint([child(same) for _ in range(5)], same())", flags=("-W", "error"))
    assert out.strip() == "[0, 0, 0, 0, 0] True"


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="there is no /proc/self/task to count threads in")
def test_no_worker_is_alive_at_a_fork():
    """Promise F2, counted where Python counts: in the parent, after the fork. The next region has its workers again."""
    out = run(
        _FORKS
        + """
def threads():
    return len(os.listdir("/proc/self/task"))
wide = np.repeat(x, 16, axis=0)
p(wide)
working, seen = threads(), []
os.register_at_fork(after_in_parent=lambda: seen.append(threads()))
codes = [child(same) for _ in range(3)]
p(wide)
print(working > 1, seen, codes, threads() == working)
"""
    )
    assert out.strip() == "True [1, 1, 1] [0, 0, 0] True"


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="there is no /proc/self/smaps to look at")
@pytest.mark.footprint
def test_children_share_the_pages_of_weights_and_their_packed_forms(tmp_path):
    """Promise F3: after a thousand predictions a child has written to none of their pages."""
    out = run(
        f"""
wide = keras.Sequential([keras.Input((64,)), layers.Dense(4096), layers.Dense(1024)])
wide.export({str(tmp_path / "wide.falconet")!r})
def private_kb(addresses):
    total, inside = 0, False
    for line in open("/proc/self/smaps"):
        first = line.split()[0]
        if "-" in first and not first.endswith(":"):
            begin, end = (int(part, 16) for part in first.split("-"))
            inside = any(begin <= a < end for a in addresses)
        elif first == "Private_Dirty:" and inside:
            total += int(line.split()[1])
    return total
def all_private_kb():
    return sum(int(l.split()[1]) for l in open("/proc/self/smaps") if l.startswith("Private_Dirty:"))
for source in (wide, {str(tmp_path / "wide.falconet")!r}):
    q = keras.Predictor(source, threads=1, batch_sizes=(1, 64))
    assert q.memory()["packed"] > 16 << 20
    kernel = max(q.weights.values(), key=lambda w: w.size)
    address = kernel.ctypes.data + kernel.nbytes // 2
    read, write = os.pipe()
    if os.fork() == 0:
        before = all_private_kb()
        for _ in range(500):
            q(x); q(x[:1])
        os.write(write, f"{{private_kb([address])}} {{all_private_kb() - before}}".encode())
        os._exit(0)
    os.wait()
    weights, grown = map(int, os.read(read, 100).decode().split())
    print(weights, grown)
"""
    )
    for line in out.splitlines():
        weights, grown = map(int, line.split())
        assert weights < 64, "pages around the 16 MiB of weights are private"  # neighbours in one mapping aside
        assert grown < 4096, "kB written, where weights and packed forms have 33,000"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method, tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(
        _SETUP
        + f"""
if __name__ == "__main__":
    with multiprocessing.get_context({method!r}).Pool(2) as workers:
        print(workers.map(same, range(8)))
"""
    )
    result = subprocess.run(
        [sys.executable, script], env=_ENVIRONMENT, capture_output=True, text=True, timeout=120, check=True
    )
    assert result.stdout.strip() == str([True] * 8), result.stderr


@pytest.mark.skipif(importlib.util.find_spec("joblib") is None, reason="joblib is not installed")
@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_joblib(backend, tmp_path):
    (tmp_path / "worker.py").write_text(_SETUP)
    out = subprocess.run(
        [
            sys.executable,
            "-c",
            "import joblib, worker\n"
            f"print(joblib.Parallel(2, backend={backend!r})(joblib.delayed(worker.same)(i) for i in range(8)))",
        ],
        env={**_ENVIRONMENT, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert out.stdout.strip() == str([True] * 8), out.stderr


_SERVERS = {
    "gunicorn": [sys.executable, "-m", "gunicorn", "--preload", "-w", "3", "-b", "127.0.0.1:{port}", "app:app"],
    # It forks after the application was loaded, unless told to be lazy.
    "uwsgi": ["uwsgi", "--http-socket", "127.0.0.1:{port}", "--master", "--processes", "3", "--enable-threads",
              "--need-app", "--die-on-term", "--disable-logging", "--module", "app:app", "--home", sys.prefix],
}  # fmt: skip


@pytest.mark.parametrize("server", _SERVERS)
def test_servers_that_load_before_they_fork(server, tmp_path):
    """Promise F4: the application loads and predicts in the parent; every worker gives the same."""
    if importlib.util.find_spec(server) is None and shutil.which(server) is None:
        pytest.skip(f"{server} is not installed")
    (tmp_path / "app.py").write_text(
        _SETUP
        + """
import json
parent = os.getpid()
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"pid": os.getpid(), "parent": parent, "same": same()}).encode()]
"""
    )
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen(
        [word.format(port=port) for word in _SERVERS[server]],
        cwd=tmp_path,
        env=_ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        answers, end = [], time.monotonic() + 60
        while len(answers) < 40 and time.monotonic() < end:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/")
                answers.append(json.load(connection.getresponse()))
                connection.close()
            except OSError:
                time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert len(answers) == 40, f"the server did not answer: {errors}"
    assert all(a["same"] for a in answers)
    assert {a["parent"] for a in answers} == {process.pid}, "it was loaded in the workers"
    assert process.pid not in {a["pid"] for a in answers}
    assert "Traceback" not in errors, errors


@pytest.mark.parametrize("count", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_processes_end_cleanly_with_a_global_predictor(count):
    """Promise Z1."""
    body = "import falconet as k, numpy as np\nm=k.Sequential([k.Input((4,)),k.layers.Dense(2)])\n"
    body += "p=k.Predictor(m,batch_sizes=(1,));p(np.ones((1,4),'float32'))"
    for _ in range(count):
        subprocess.run([sys.executable, "-c", body], env=_ENVIRONMENT, timeout=60, check=True)


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="there is no /proc/self/task to count threads in")
def test_small_work_starts_no_thread_and_one_thread_is_one(tmp_path):
    """Promise T2: below the limit, and with threads=1 always."""
    path = str(tmp_path / "m.falconet")
    small = str(tmp_path / "small.falconet")
    run(
        f"model.export({path!r})\n"
        f"keras.Sequential([keras.Input((64,)), layers.Dense(64), layers.Dense(1)]).export({small!r})"
    )
    body = f"""
import os, numpy as np, falconet as keras
def threads():
    return len(os.listdir("/proc/self/task"))
before = threads()  # the libraries' own
x = np.ones((512, 64), "float32")
keras.Predictor({path!r}, threads=1, batch_sizes=(1, 512))(x)
keras.Predictor({small!r})(x[:8])
print(threads() - before)
keras.Predictor({path!r}, threads=2)(x)
print(threads() > before)
"""
    result = subprocess.run(
        [sys.executable, "-c", body], env=_ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.split() == ["0", "True"]


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="there is no /proc/self/statm to look at")
@pytest.mark.parametrize("count", [3000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.footprint
def test_memory_does_not_grow_with_the_variety_of_batch_sizes(count):
    """Promise M1."""
    out = run(
        f"""
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
small = keras.Sequential([keras.Input((16,)), layers.Dense(32, activation="relu"), layers.Dense(1)])
q = keras.Predictor(small, threads=1)
big, out = np.zeros((4096, 16), "float32"), np.empty((4096, 1), "float32")
sizes = np.random.default_rng(0).integers(1, 4097, {count})
q(big, out=out)
for n in sizes[:200]:
    q(big[:n], out=out[:n])
before = rss()
for n in sizes:
    q(big[:n], out=out[:n])
print(rss() - before)
"""
        , timeout=1000,
    )  # fmt: skip
    assert int(out) <= 1 << 20


def test_the_floating_point_mode_of_the_caller_is_left_alone():
    """Promise N1, seen from Python: denormals are neither lost before nor after."""
    out = run(
        "p(x); p(x[:1]); print(5e-324 > 0, np.float32(1e-45) > 0, float(np.float32(1e-39) * np.float32(0.5)) > 0)"
    )
    assert out.strip() == "True True True"
    assert np.float32(1e-45) > 0


_SIDE_BY_SIDE = """
def rate():
    p = keras.Predictor(model, threads=1, batch_sizes=(1,))
    row, y, count = x[:1], np.empty((1, 10), "float32"), 0
    sys.stdin.readline()  # all start together
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        for _ in range(100):
            p(row, out=y)
        count += 100
    return count
print("ready", flush=True)
print(rate())
"""


@pytest.mark.slow
def test_single_threaded_processes_leave_one_another_alone():
    """As many as there are processors, each with one thread: 0.95 of the sum of what each does alone."""
    cpus = len(os.sched_getaffinity(0))
    if cpus < 2:
        pytest.skip("one processor")

    def total(processes):
        running = [
            subprocess.Popen(
                [sys.executable, "-c", _SETUP + _SIDE_BY_SIDE],
                env={**_ENVIRONMENT, "FALCONET_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(processes)
        ]
        for process in running:
            assert process.stdout.readline() == "ready\n"
        for process in running:
            process.stdin.write("\n")
            process.stdin.flush()
        return sum(int(process.communicate(timeout=60)[0]) for process in running)

    # The best of some rounds: others may be using the machine.
    shares = [total(cpus) / (cpus * total(1)) for _ in range(5)]
    assert max(shares) >= 0.95, shares
