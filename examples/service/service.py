"""A model file in service: predictions from JSON, a new file taken over when it changes, counts for Prometheus.

What an application needs, whatever speaks HTTP for it: `http_app.py` and `fastapi_app.py` share this module.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import falconet
from falconet.serving import Batcher, Histogram, Overloaded

MAX_BODY = 4 * 1024 * 1024  # bytes of a request


class Reply(NamedTuple):
    """What a request is answered with."""

    status: int
    content_type: str
    body: bytes

    @classmethod
    def of_json(cls, status: int, value: Any) -> Reply:
        return cls(status, "application/json", json.dumps(value, allow_nan=False).encode())


class Service:
    """One model file, its batcher, its counts.

    POST /predict takes `{"inputs": rows}`, or `{"inputs": {name: rows}}`, and answers `{"outputs": ..., "model":
    version}` likewise; numbers that JSON has not are null. The version is the beginning of the file's SHA-256.

    Start it inside the event loop: `async with Service(path) as service`.

    Args:
        path: a model file (`Model.export`).
        poll_seconds: how often to look whether the file has changed.
        batcher: arguments of `falconet.serving.Batcher`.
    """

    def __init__(self, path: str | os.PathLike[str], poll_seconds: float = 1.0, **batcher: Any) -> None:
        self.path = Path(path)
        self.poll_seconds = poll_seconds
        self.replies: Counter[tuple[str, int]] = Counter()
        self.latency = Histogram()
        self.reloads = 0
        self.failed_reloads = 0
        self.last_error: str | None = None
        self._seen = self._identity()
        predictor, self.version = self._load()
        self.loaded_at = time.time()
        self.batcher = Batcher(predictor, **{"overload": "raise", **batcher})
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Service:
        # What is there now stays: the collector need not look at it again, which takes tens of milliseconds.
        gc.collect()
        gc.freeze()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Answers what is under way."""
        assert self._watcher is not None
        self._watcher.cancel()
        await asyncio.gather(self._watcher, return_exceptions=True)
        await self.batcher.aclose()

    # --- requests ---

    async def reply(self, method: str, path: str, body: bytes) -> Reply:
        """The answer to a request; it is counted, whatever it is."""
        start = time.perf_counter()
        route = path if path in ("/predict", "/health", "/metrics") else "other"
        try:
            found = await self._route(method, route, path, body)
        except Exception as error:  # a mistake of ours must not end the connection without an answer
            found = Reply.of_json(500, {"error": f"{type(error).__name__}: {error}"})
        self.replies[route, found.status] += 1
        if route == "/predict":
            self.latency.observe(time.perf_counter() - start)
        return found

    async def _route(self, method: str, route: str, path: str, body: bytes) -> Reply:
        if route == "other":
            return Reply.of_json(404, {"error": f"there is no {path}; there are /predict, /health and /metrics"})
        needed = "POST" if route == "/predict" else "GET"
        if method != needed:
            return Reply.of_json(405, {"error": f"{route} takes {needed}, not {method}"})
        if route == "/health":
            return Reply.of_json(200, self.health())
        if route == "/metrics":
            return Reply(200, "text/plain; version=0.0.4; charset=utf-8", self.metrics().encode())
        return await self.predict(body)

    async def predict(self, body: bytes) -> Reply:
        """The answer to the body of POST /predict."""
        try:
            given = json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            return Reply.of_json(400, {"error": f"the body is not JSON: {error}"})
        if not isinstance(given, dict) or list(given) != ["inputs"]:
            return Reply.of_json(400, {"error": 'the body must be {"inputs": rows} or {"inputs": {name: rows}}'})
        try:
            outputs = await self.batcher(given["inputs"])
        except Overloaded as error:
            return Reply.of_json(503, {"error": str(error)})
        except (ValueError, TypeError) as error:
            return Reply.of_json(400, {"error": str(error)})
        values = {n: _as_json(y) for n, y in outputs.items()} if isinstance(outputs, dict) else _as_json(outputs)
        return Reply.of_json(200, {"outputs": values, "model": self.version})

    def health(self) -> dict[str, Any]:
        """What GET /health tells; `last_error` is why the file as it is now is not in use."""
        return {"status": "ok", "model": self.version, "loaded_at": self.loaded_at, "last_error": self.last_error}

    # --- the model file ---

    def _identity(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _load(self) -> tuple[falconet.Predictor, str]:
        # From bytes: a mapped file that somebody writes to in place would change under the predictions.
        content = self.path.read_bytes()
        return falconet.Predictor(content, batch_sizes=(1, 2)), hashlib.sha256(content).hexdigest()[:12]

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.poll_seconds)
            await self.reload_if_changed()

    async def reload_if_changed(self) -> None:
        """Takes the file over where it is another than the one seen last; a bad one is counted, and the model stays."""
        identity = self._identity()
        if identity == self._seen:
            return
        self._seen = identity
        try:
            predictor, version = await asyncio.to_thread(self._load)
            self.batcher.swap(predictor)
        except Exception as error:
            self.failed_reloads += 1
            self.last_error = f"{type(error).__name__}: {error}"
            return
        self.version, self.loaded_at, self.last_error = version, time.time(), None
        self.reloads += 1

    # --- counts ---

    def metrics(self) -> str:
        """All counts in Prometheus's text format, version 0.0.4."""
        stats = self.batcher.stats
        lines = ["# TYPE falconet_replies_total counter"]
        for (route, status), count in sorted(self.replies.items()):
            lines.append(f'falconet_replies_total{{path="{route}",status="{status}"}} {count}')
        lines += _histogram("falconet_predict_seconds", "from a body to its answer", self.latency)
        lines += _histogram("falconet_batcher_seconds", "from a request to its rows' results", stats.latency)
        for name, text, count in (
            ("requests", "accepted by the batcher", stats.requests),
            ("failed_requests", "refused by the predictor", stats.failed),
            ("cancelled_requests", "cancelled by their callers", stats.cancelled),
            ("overloaded_requests", "refused as the queue was full", stats.overloaded),
            ("batches", "computed", stats.batches),
            ("rows", "computed", stats.rows),
            ("reloads", "of the model file", self.reloads),
            ("failed_reloads", "of the model file", self.failed_reloads),
        ):
            lines += [
                f"# HELP falconet_{name}_total {text}",
                f"# TYPE falconet_{name}_total counter",
                f"falconet_{name}_total {count}",
            ]
        lines += [
            "# TYPE falconet_waiting_requests gauge",
            f"falconet_waiting_requests {self.batcher.waiting}",
            "# TYPE falconet_model_loaded_timestamp_seconds gauge",
            f"falconet_model_loaded_timestamp_seconds {self.loaded_at:.3f}",
            "# TYPE falconet_model_info gauge",
            f'falconet_model_info{{version="{self.version}"}} 1',
        ]
        return "\n".join(lines) + "\n"


def _histogram(name: str, text: str, histogram: Histogram) -> list[str]:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} histogram"]
    seen = 0
    for bound, count in zip((*histogram.bounds, float("inf")), histogram.counts, strict=True):
        seen += count
        lines.append(f'{name}_bucket{{le="{"+Inf" if bound == float("inf") else f"{bound:g}"}"}} {seen}')
    return [*lines, f"{name}_sum {histogram.sum:.9g}", f"{name}_count {seen}"]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _as_json(array: np.ndarray) -> Any:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return np.where(np.isfinite(array), array.astype(object), None).tolist()
    return array.tolist()
