"""Requests of an asyncio program, gathered into batches.

A request waits in a queue until `max_batch_size` rows have come together or the oldest has waited long enough: for
`max_latency`, or for as long as the batch would take to compute, if that has been measured to be less. To wait longer
than that costs more than company could save; and while one batch is computed, the next one gathers.

The batch then runs in the event loop's own thread where such batches have been measured to be short, else in a
worker's: handing over costs some 100 microseconds, and the loop serves nobody while it computes.
"""

from __future__ import annotations

import asyncio
import time
from ast import literal_eval
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from falconet.serving.function import Port, as_port_array
from falconet.serving.predictor import Predictor
from falconet.serving.statistics import BatcherStatistics

_TIMER_SECONDS = 0.001  # the resolution of asyncio's timers; what is shorter is the loop's next pass


class Overloaded(RuntimeError):
    """As many rows wait as the batcher's `max_queue` allows."""


class _Request:
    __slots__ = ("arrays", "rows", "size", "is_single", "future", "arrived")

    def __init__(self, arrays: list[np.ndarray], rows: int, is_single: bool, future: asyncio.Future[Any], at: float):
        self.arrays, self.rows, self.is_single, self.future, self.arrived = arrays, rows, is_single, future, at
        self.size = max(rows, 1)  # so that requests of no rows are bounded too


class Batcher:
    """Awaited with a few rows, it gives their predictions, computed together with those of other requests.

    `await batcher(x)` takes what the predictor takes, in up to `max_batch_size` rows, or one row without the axis of
    rows, whose result comes without it too. The results' bits are those of `predictor(x)`, whatever else is in the
    batch. A request that does not fit the model fails at once, alone; one that the predictor refuses (an index out of
    range) fails alone too. A cancelled request leaves the queue. Arrays must not be changed until they are answered.

    One batcher belongs to one event loop. `async with` closes it at the end, `aclose()` does by hand.

    Args:
        predictor: of a model without a state, whose inputs and outputs all have the rows as their first axis. It is
            tried with zeros here.
        max_batch_size: rows of a batch, at least 1.
        max_latency: seconds that a request waits for others at most, from 0: what comes in one pass of the event loop.
        max_queue: rows that wait; at least `max_batch_size`.
        overload: what a request beyond these does: "wait" for its turn, or "raise" `Overloaded` at once.
        workers: batches under way in threads at the same time, at least 1.
        max_inline: seconds, as measured, up to which a batch runs in the event loop's thread.

    Raises:
        TypeError, ValueError: an argument is not as above.

    >>> import asyncio
    >>> model = falconet.Sequential([falconet.Input((4,)), falconet.layers.Dense(2)])
    >>> p = falconet.Predictor(model)
    >>> async def main(x):
    ...     async with falconet.serving.Batcher(p) as batcher:
    ...         return await asyncio.gather(*(batcher(row) for row in x))
    >>> x = np.eye(4, dtype="float32")
    >>> np.array_equal(asyncio.run(main(x)), p(x))
    True
    """

    def __init__(
        self,
        predictor: Predictor,
        max_batch_size: int = 64,
        max_latency: float = 0.002,
        max_queue: int = 1024,
        overload: str = "wait",
        workers: int = 1,
        max_inline: float = 0.0002,
    ) -> None:
        self.max_batch_size = _whole(max_batch_size, "max_batch_size", 1)
        self.max_queue = _whole(max_queue, "max_queue", self.max_batch_size)
        self.workers = _whole(workers, "workers", 1)
        self.max_latency = _seconds(max_latency, "max_latency")
        self.max_inline = _seconds(max_inline, "max_inline")
        if overload not in ("wait", "raise"):
            raise ValueError(f'[Batcher] `overload` is {overload!r}; it must be "wait" or "raise".')
        self.overload = overload
        self.stats = BatcherStatistics()
        self._row_shapes = _checked_predictor(predictor)
        self._predictor = predictor
        self._seconds: dict[int, float] = {}  # that a batch takes, by the bits of its number of rows
        # In order of arrival: those that may be taken into the next batch, and those for whom there was no room.
        self._queue: OrderedDict[_Request, None] = OrderedDict()
        self._outside: OrderedDict[_Request, None] = OrderedDict()
        self._queued = 0  # rows in _queue
        self._running = 0  # batches in threads
        self._threads: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next: asyncio.Handle | None = None
        self._next_is_now = False
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    # --- for callers ---

    async def __call__(self, *args: Any, **named: Any) -> Any:
        """The predictions for one row or a few.

        Raises:
            TypeError, ValueError: the input does not fit the model; naming it, what came and what is needed.
            Overloaded: the queue is full, where `overload="raise"`.
            RuntimeError: the batcher is closed, or belongs to another event loop.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                raise RuntimeError("[Batcher] belongs to another event loop: make one for each.")
            self._loop = loop
        if self._closing:
            raise RuntimeError("[Batcher] is closed.")
        arrays, rows, is_single = self._checked(args, named)
        request = _Request(arrays, rows, is_single, loop.create_future(), loop.time())
        if self._outside or self._queued + request.size > self.max_queue:
            if self.overload == "raise":
                self.stats.overloaded += 1
                raise Overloaded(f"[Batcher] {self._queued} rows wait; `max_queue` is {self.max_queue}.")
            self._outside[request] = None
        else:
            self._enqueue(request)
        self.stats.requests += 1
        self._idle.clear()
        self._schedule()
        try:
            return await request.future
        except asyncio.CancelledError:
            self.stats.cancelled += 1
            self._withdraw(request)
            raise

    @property
    def predictor(self) -> Predictor:
        """The predictor in use."""
        return self._predictor

    def swap(self, predictor: Predictor) -> None:
        """Puts another predictor in place; batches under way end with the old one, waiting requests get the new one.

        Raises:
            ValueError: its inputs or outputs are of other shapes or dtypes, or several and of other names.
        """
        _checked_predictor(predictor)
        old = self._predictor
        if _form(predictor.inputs) != _form(old.inputs) or _form(predictor.outputs) != _form(old.outputs):
            raise ValueError(
                f"[Batcher] {predictor!r} cannot take the place of {old!r}: inputs and outputs must agree."
            )
        self._predictor = predictor
        self._seconds = {}

    @property
    def waiting(self) -> int:
        """The number of requests that wait, those without room in the queue included."""
        return len(self._queue) + len(self._outside)

    async def aclose(self) -> None:
        """Refuses new requests, and waits until those that came before are answered."""
        self._closing = True
        self._schedule()
        await self._idle.wait()
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

    async def __aenter__(self) -> Batcher:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Batcher of {self._predictor!r}, {self.waiting} requests waiting>"

    # --- the queue ---

    def _checked(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[list[np.ndarray], int, bool]:
        """Arrays of the ports' dtypes with the same number of rows, that number, and whether it was one bare row."""
        ports = self._predictor.inputs
        arrays: list[np.ndarray] = []
        is_single, rows = False, 0
        for value, port, shape in zip(self._predictor._by_port(args, named), ports, self._row_shapes, strict=True):
            array = as_port_array(value, port, "Batcher")
            bare = array.shape == shape
            if not bare and (array.ndim != len(shape) + 1 or array.shape[1:] != shape):
                raise ValueError(
                    f'[Batcher] input "{port.name}" has shape {array.shape}; {port.dtype} of shape {port.shape}, or '
                    f"{shape} for one row, is needed."
                )
            if bare:
                array = array[None]
            if not arrays:
                is_single, rows = bare, len(array)
                if rows > self.max_batch_size:
                    raise ValueError(
                        f'[Batcher] input "{port.name}" has {rows} rows; `max_batch_size` is {self.max_batch_size}.'
                    )
            elif len(array) != rows or bare != is_single:
                raise ValueError(
                    f'[Batcher] input "{port.name}" has shape {np.shape(value)}, input "{ports[0].name}" '
                    f"{arrays[0].shape[is_single:]}; the same number of rows is needed."
                )
            arrays.append(array)
        return arrays, rows, is_single

    def _enqueue(self, request: _Request) -> None:
        self._queue[request] = None
        self._queued += request.size

    def _dequeue(self, request: _Request) -> None:
        del self._queue[request]
        self._queued -= request.size

    def _admit(self) -> None:
        """Lets requests in for which there is room now, in their order."""
        while self._outside:
            request = next(iter(self._outside))
            if self._queued + request.size > self.max_queue:
                return
            del self._outside[request]
            self._enqueue(request)

    def _withdraw(self, request: _Request) -> None:
        if request in self._queue:
            self._dequeue(request)
        else:
            self._outside.pop(request, None)
        self._admit()
        self._schedule()

    def _take(self) -> list[_Request]:
        """The next batch."""
        batch: list[_Request] = []
        rows = 0
        while self._queue:
            request = next(iter(self._queue))
            if not request.future.done():  # else cancelled a moment ago
                if rows + request.size > self.max_batch_size:
                    break
                rows += request.size
                batch.append(request)
            self._dequeue(request)
        self._admit()
        return batch

    # --- batches ---

    def _due(self) -> float:
        """The loop's time at which the next batch is to go; there are requests in the queue."""
        # A queue whose next request would not fit is full too, but to find it out costs a walk; its time comes soon.
        if self._closing or self._queued >= self.max_batch_size:
            return 0.0
        wait = min(self.max_latency, self._seconds.get(self._queued.bit_length(), self.max_latency))
        if wait < _TIMER_SECONDS:
            wait = 0.0
        return next(iter(self._queue)).arrived + wait

    def _schedule(self) -> None:
        """Arranges for the next batch: in the loop's next pass where it is due, else when the oldest has waited."""
        if not self._queue:
            if not self._running and not self._outside:
                self._idle.set()
            return
        if self._running >= self.workers or self._next_is_now:
            return
        loop = self._loop
        assert loop is not None  # there was a request
        due = self._due()
        is_now = due <= loop.time()
        if self._next is not None:
            if not is_now:
                return  # the timer of an older request: there will be another then
            self._next.cancel()
        self._next_is_now = is_now
        if is_now:
            self._next = loop.call_soon(self._run_next)
        else:
            self._next = loop.call_at(due, self._run_next)

    def _run_next(self) -> None:
        self._next, self._next_is_now = None, False
        loop = self._loop
        assert loop is not None
        if self._queue and self._running < self.workers and self._due() <= loop.time():
            batch = self._take()
            if batch:
                bits = sum(request.rows for request in batch).bit_length()
                if self._seconds.get(bits, float("inf")) <= self.max_inline:
                    self._finish(batch, bits, *self._answer(self._predictor, batch))
                else:
                    self._hand_over(loop, batch, bits)
        self._schedule()

    def _hand_over(self, loop: asyncio.AbstractEventLoop, batch: list[_Request], bits: int) -> None:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="falconet-batcher")
        self._running += 1
        self.stats.batches_in_threads += 1

        def finish(done: asyncio.Future[tuple[list[Any], float]]) -> None:
            self._running -= 1
            self._finish(batch, bits, *done.result())
            self._schedule()

        loop.run_in_executor(self._threads, self._answer, self._predictor, batch).add_done_callback(finish)

    def _answer(self, predictor: Predictor, batch: list[_Request]) -> tuple[list[Any], float]:
        """A result or an exception for each request, and the seconds that the batch took."""
        start = time.perf_counter()
        try:
            return self._predict(predictor, batch), time.perf_counter() - start
        except Exception as error:
            if len(batch) == 1:
                return [error], time.perf_counter() - start
        # One of them is at fault: each by itself.
        return [self._answer(predictor, [request])[0][0] for request in batch], time.perf_counter() - start

    def _predict(self, predictor: Predictor, batch: list[_Request]) -> list[Any]:
        if len(batch) == 1:
            arrays = batch[0].arrays
        else:
            arrays = [np.concatenate(parts) for parts in zip(*(request.arrays for request in batch), strict=True)]
        rows = len(arrays[0])
        if (more := self._planned_rows(rows) - rows) > 0:
            arrays = [np.concatenate((a, np.zeros((more, *a.shape[1:]), a.dtype))) for a in arrays]
        outputs = predictor(*arrays)
        results = []
        end = 0
        for request in batch:
            start, end = end, end + request.rows
            if isinstance(outputs, dict):
                results.append({n: _cut(y, start, end, request.is_single) for n, y in outputs.items()})
            else:
                results.append(_cut(outputs, start, end, request.is_single))
        return results

    def _planned_rows(self, rows: int) -> int:
        """Rows to run for so many: a predictor keeps the plans of 64 sizes, and making one takes longer than it runs.

        Where more sizes are possible, those above 16 are rounded up to one of four to an octave.
        """
        if self.max_batch_size <= 64 or rows <= 16:
            return rows
        step = 1 << (rows.bit_length() - 3)
        return -(-rows // step) * step

    def _finish(self, batch: list[_Request], bits: int, results: list[Any], seconds: float) -> None:
        # What is short is believed at once; a long time may be another program's, and counts little by little.
        before = self._seconds.get(bits, seconds)
        self._seconds[bits] = min(seconds, before + (seconds - before) / 8)
        stats = self.stats
        stats.batches += 1
        assert self._loop is not None
        now = self._loop.time()
        for request, result in zip(batch, results, strict=True):
            stats.rows += request.rows
            if request.future.done():  # cancelled while it was computed
                continue
            stats.latency.observe(now - request.arrived)
            if isinstance(result, Exception):
                stats.failed += 1
                request.future.set_exception(result)
            else:
                stats.answered += 1
                request.future.set_result(result)


def _cut(output: np.ndarray, start: int, end: int, is_single: bool) -> Any:
    """Rows as the caller's own: a view would keep the whole batch alive."""
    if is_single:
        return output[start].copy()
    return output if end - start == len(output) else output[start:end].copy()


def _form(ports: tuple[Port, ...]) -> list[Port]:
    """What callers rely on: the name of an only port is often one that was counted up, like "dense_3"."""
    return [port if len(ports) > 1 else port._replace(name="") for port in ports]


def _whole(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"[Batcher] `{name}` is {value!r}; it must be a whole number of at least {least}.")
    return int(value)


def _seconds(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < float("inf"):
        raise ValueError(f"[Batcher] `{name}` is {value!r}; it must be a number of seconds from 0.")
    return float(value)


def _checked_predictor(predictor: Any) -> list[tuple[int, ...]]:
    """The shapes of one row of each input."""
    if not isinstance(predictor, Predictor):
        raise TypeError(f"[Batcher] a Predictor is needed, got {type(predictor).__name__}.")
    if predictor.state:
        names = ", ".join(predictor.state)
        raise ValueError(f"[Batcher] {predictor!r} carries a state ({names}), which rows of a batch would share.")
    shapes = [literal_eval(port.shape) for port in predictor.inputs]
    if not all(len(shape) and shape[0] is None and None not in shape[1:] for shape in shapes):
        raise ValueError(f"[Batcher] {predictor!r} has an input whose first axis is not the rows, any number of them.")
    rows = [shape[1:] for shape in shapes]
    for n in (1, 2):
        zeros = [np.zeros((n, *shape), p.numpy_dtype) for shape, p in zip(rows, predictor.inputs, strict=True)]
        outputs = predictor(*zeros)
        for y in outputs.values() if isinstance(outputs, dict) else [outputs]:
            if y.ndim == 0 or len(y) != n:
                raise ValueError(f"[Batcher] an output of {predictor!r} has shape {y.shape} for {n} rows.")
    return rows
