"""The applications of `examples/service`, each in a process of its own: answers, counts, a new model file, the end."""

import contextlib
import http.client
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import falconet as keras
from falconet import layers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to end a service with")

FOLDER = Path(__file__).parents[2] / "examples" / "service"
HAS_FASTAPI = all(importlib.util.find_spec(name) for name in ("fastapi", "uvicorn"))
APPS = [
    "http_app.py",
    pytest.param(
        "fastapi_app.py",
        marks=pytest.mark.skipif(
            not HAS_FASTAPI, reason="fastapi or uvicorn is not installed: pip install '.[service]'"
        ),
    ),
]
X = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")


def make_model(seed, units=2):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="tanh"), layers.Dense(units)])


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} seconds for {what}"
        time.sleep(0.02)


class Running:
    """An application that serves `path`."""

    def __init__(self, app, path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, str(FOLDER / app), str(path), "--port", str(self.port), "--poll", "0.05"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        wait_for(self.listens, "the application to listen")

    def listens(self):
        assert self.process.poll() is None, self.process.communicate()[0]
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def connect(self):
        return contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10))

    def ask(self, method, path, body=None, connection=None):
        """Status and content: of JSON, or text."""
        if connection is None:
            with self.connect() as once:
                return self.ask(method, path, body, once)
        connection.request(method, path, body if body is None or isinstance(body, (str, bytes)) else json.dumps(body))
        answer = connection.getresponse()
        content = answer.read()
        is_json = answer.getheader("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(content) if is_json else content.decode()

    def health(self):
        return self.ask("GET", "/health")[1]

    def metrics(self):
        """Each sample by its name and labels."""
        status, text = self.ask("GET", "/metrics")
        assert status == 200
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture(params=APPS)
def running(request, tmp_path):
    path = tmp_path / "m.falconet"
    make_model(1).export(str(path))
    app = Running(request.param, path)
    app.path = path
    yield app
    app.end()


def check_answers(running, connection):
    """Of one kept connection; returns the first answer."""
    want = keras.Predictor(str(running.path))(X)
    status, answer = running.ask("POST", "/predict", {"inputs": X.tolist()}, connection)
    assert status == 200
    np.testing.assert_array_equal(np.array(answer["outputs"], "float32"), want)
    (name,) = (port.name for port in keras.Predictor(str(running.path)).inputs)
    status, by_name = running.ask("POST", "/predict", {"inputs": {name: X[0].tolist()}}, connection)
    np.testing.assert_array_equal(np.array(by_name["outputs"], "float32"), want[0])
    assert running.health() | {"loaded_at": 0} == {
        "status": "ok",
        "model": answer["model"],
        "loaded_at": 0,
        "last_error": None,
    }

    for body, text in [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"inputs": [[NaN, 0, 0, 0]]}', "NaN is no JSON number"),
        ({"input": []}, "the body must be"),
        ([1], "the body must be"),
        ({"inputs": [[1, 2, 3]]}, "has shape (1, 3)"),
        ({"inputs": [[1, 2, 3, "4"]]}, "dtype"),
        ({"inputs": {"self": [1]}}, 'there is no input "self"'),
    ]:
        status, refused = running.ask("POST", "/predict", body, connection)
        assert status == 400 and text in refused["error"]
    assert running.ask("GET", "/predict")[0] == 405
    assert running.ask("GET", "/else")[0] == 404
    return answer


def test_a_service_from_start_to_end(running):
    with running.connect() as connection:
        answer = check_answers(running, connection)
    metrics = running.metrics()
    assert metrics['falconet_replies_total{path="/predict",status="200"}'] == 2
    assert metrics['falconet_replies_total{path="/predict",status="400"}'] == 8
    assert metrics["falconet_predict_seconds_count"] >= 10
    assert metrics['falconet_predict_seconds_bucket{le="+Inf"}'] == metrics["falconet_predict_seconds_count"]
    assert metrics["falconet_rows_total"] == 4 and metrics["falconet_requests_total"] == 2
    assert metrics[f'falconet_model_info{{version="{answer["model"]}"}}'] == 1
    buckets = [v for k, v in metrics.items() if k.startswith("falconet_batcher_seconds_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] == 2

    running.process.send_signal(signal.SIGTERM)
    printed, _ = running.process.communicate(timeout=20)
    # uvicorn raises the signal again once it has closed.
    assert running.process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in printed
    if "http_app.py" in running.process.args[1]:
        assert running.process.returncode == 0 and printed.endswith("closed\n")


def test_a_new_file_is_taken_over_and_a_bad_one_is_not(running):
    def predict():
        status, answer = running.ask("POST", "/predict", {"inputs": X.tolist()})
        assert status == 200
        return answer

    first = predict()
    other = running.path.with_name("other")
    make_model(2).export(str(other))
    want = keras.Predictor(str(other))(X)
    os.replace(other, running.path)
    wait_for(lambda: running.health()["model"] != first["model"], "the new model")
    second = predict()
    np.testing.assert_array_equal(np.array(second["outputs"], "float32"), want)
    assert second["model"] != first["model"]

    # Damaged in place, of other outputs, and gone: the model that is served stays.
    running.path.write_bytes(running.path.read_bytes()[:-100])
    wait_for(lambda: running.health()["last_error"], "the bad file to be seen")
    seen = running.health()["last_error"]
    make_model(3, units=5).export(str(other))
    os.replace(other, running.path)
    wait_for(lambda: running.health()["last_error"] != seen, "the other outputs to be seen")
    assert "inputs and outputs must agree" in running.health()["last_error"]
    running.path.unlink()
    wait_for(lambda: "FileNotFoundError" in running.health()["last_error"], "the missing file to be seen")
    assert predict() == second
    metrics = running.metrics()
    assert metrics["falconet_reloads_total"] == 1 and metrics["falconet_failed_reloads_total"] >= 3

    make_model(1).export(str(running.path))
    wait_for(lambda: running.health()["last_error"] is None, "a good file again")
    assert predict()["outputs"] == first["outputs"]


def test_requests_under_way_are_answered_at_the_end(tmp_path):
    path = tmp_path / "m.falconet"
    make_model(1).export(str(path))
    app = Running("http_app.py", path)
    try:
        answered, stop = [], threading.Event()

        def client():
            # Refused after the end began.
            with app.connect() as connection, contextlib.suppress(OSError, http.client.HTTPException):
                while not stop.is_set():
                    answered.append(app.ask("POST", "/predict", {"inputs": X.tolist()}, connection)[0])

        idle = socket.create_connection(("127.0.0.1", app.port), 5)  # says nothing and must not keep it alive
        slow = socket.create_connection(("127.0.0.1", app.port), 5)
        body = json.dumps({"inputs": X.tolist()}).encode()
        slow.sendall(b"POST /predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body))
        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        wait_for(lambda: len(answered) > 20, "some answers")
        app.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not app.listens(), "the end to begin")
        app.process.send_signal(signal.SIGTERM)  # changes nothing
        slow.sendall(body)  # its headers came before the end began
        head = slow.recv(65536)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"Connection: close\r\n" in head
        assert idle.recv(1) == b""
        assert app.process.communicate(timeout=20)[0].endswith("closed\n") and app.process.returncode == 0
        stop.set()
        for thread in threads:
            thread.join(10)
        assert set(answered) == {200}
        idle.close()
        slow.close()
    finally:
        app.end()


def test_what_is_not_http_is_refused(tmp_path):
    path = tmp_path / "m.falconet"
    make_model(1).export(str(path))
    app = Running("http_app.py", path)
    try:
        for sent, status in [
            (b"hello\r\n\r\n", 400),
            (b"GET /health HTTP/2\r\n\r\n", 400),
            (b"GET /health HTTP/1.1\r\nbad header\r\n\r\n", 400),
            (b"GET /health HTTP/1.1\r\nContent-Length : 0\r\n\r\n", 400),
            (b"POST /predict HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", 400),
            (b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (b"POST /predict HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
            (b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
            (b"GET /health HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        ]:
            with socket.create_connection(("127.0.0.1", app.port), 5) as client:
                client.sendall(sent)
                assert client.recv(65536).startswith(b"HTTP/1.1 %d " % status)
        with socket.create_connection(("127.0.0.1", app.port), 5) as client:  # two at once, in order; HEAD has no body
            client.sendall(b"HEAD /health HTTP/1.1\r\n\r\nGET /health?a=b HTTP/1.0\r\n\r\n")
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2 and answer.count(b'"status"') == 1
        assert app.health()["status"] == "ok"
    finally:
        app.end()


@pytest.mark.parametrize("app", APPS)
def test_load(app, tmp_path):
    path = tmp_path / "m.falconet"
    make_model(1).export(str(path))
    running = Running(app, path)
    try:
        body = json.dumps({"inputs": X[:1].tolist()})
        command = [sys.executable, str(FOLDER / "load.py"), f"http://127.0.0.1:{running.port}", body]
        load = subprocess.run(
            [*command, "--connections", "8", "--seconds", "0.3"], capture_output=True, text=True, timeout=30
        )
        assert load.returncode == 0, load.stderr
        assert "requests/s, 8 connections" in load.stdout and "p99.9" in load.stdout
        metrics = running.metrics()
        assert metrics["falconet_rows_total"] == metrics["falconet_requests_total"] > 8
        assert metrics["falconet_batches_total"] < metrics["falconet_rows_total"]
    finally:
        running.end()
