"""Runs that work ahead: a function of elements on several threads, and a buffer that a thread keeps full.

State and forks see whole elements only: a thread holds its lock from drawing an element until the element is in the
buffer, and a fork waits for that. In the child threads start again when they are next needed.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from falconet.data.elements import located
from falconet.data.steps import Over, Steps, apply


class ParallelMapSteps(Over):
    """A function of each element on `workers` threads; results come in the order of the elements."""

    def __init__(self, source: Steps, function: Callable[..., Any], workers: int) -> None:
        super().__init__(source)
        self._function, self._workers, self._at = function, workers, 0
        self._pending: deque[list[Any]] = deque()  # [element, future]
        self._executor: Any = None
        self._process = 0

    def _wake(self) -> Any:
        """The threads of this process, at work on all that is pending."""
        if self._executor is None or self._process != os.getpid():
            from concurrent.futures import ThreadPoolExecutor

            self._executor = ThreadPoolExecutor(self._workers, thread_name_prefix="falconet-data")
            self._process = os.getpid()
            for held in self._pending:  # of before a fork, or from a state
                held[1] = self._executor.submit(apply, self._function, held[0])
        return self._executor

    def next(self) -> Any:
        executor = self._wake()
        while len(self._pending) < 2 * self._workers:
            try:
                element = self._source.next()
            except StopIteration:
                break
            self._pending.append([element, executor.submit(apply, self._function, element)])
        if not self._pending:
            self._end(wait=True)
            raise StopIteration
        try:
            result = self._pending[0][1].result()
        except BaseException as error:  # at Ctrl-C too, what waits is dropped and what runs is let go
            self.close()
            if isinstance(error, Exception):
                raise located(error, f"[Dataset.map] element {self._at}") from error.__cause__
            raise
        self._pending.popleft()
        self._at += 1
        return result

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "pending": [held[0] for held in self._pending], "at": self._at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.close()
        super().load_state_dict(state)
        self._at = state["at"]
        self._pending = deque([element, None] for element in state["pending"])

    def close(self) -> None:
        self._end(wait=False)
        self._pending.clear()
        super().close()

    def _end(self, wait: bool) -> None:
        if self._executor is not None and self._process == os.getpid():
            self._executor.shutdown(wait=wait, cancel_futures=True)
        self._executor = None


class _Buffer:
    """What a prefetching thread and its consumer share. The thread holds no reference to the consumer, so that a run
    which is dropped ends its thread."""

    def __init__(self, source: Steps, size: int) -> None:
        self.source, self.size = source, size
        self.items: deque[Any] = deque()
        self.ended = self.stopped = False
        self.error: BaseException | None = None
        self.thread: threading.Thread | None = None
        self.renew_locks()
        _buffers.add(self)

    def renew_locks(self) -> None:
        """Locks that nobody holds: at the start, and in the child of a fork."""
        self.drawing = threading.RLock()  # held from drawing an element until it is in `items`
        self.changed = threading.Condition()

    def start(self) -> None:
        """Starts the thread where none runs: at first use, after `load_state_dict`, after a fork."""
        if self.thread is None or not self.thread.is_alive():
            self.stopped = False
            self.thread = threading.Thread(target=_keep_full, args=(self,), name="falconet-data", daemon=True)
            self.thread.start()

    def stop(self, wait: bool) -> None:
        """Ends the thread, which may be at work on one more element."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
        if wait and self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join()


_buffers: weakref.WeakSet[_Buffer] = weakref.WeakSet()
_held: list[_Buffer] = []


def _before_fork() -> None:
    for buffer in list(_buffers):
        buffer.drawing.acquire()
        buffer.changed.acquire()
        _held.append(buffer)


def _after_fork_in_parent() -> None:
    while _held:
        buffer = _held.pop()
        buffer.changed.release()
        buffer.drawing.release()


def _after_fork_in_child() -> None:
    while _held:
        buffer = _held.pop()
        buffer.renew_locks()
        buffer.thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def _keep_full(buffer: _Buffer) -> None:
    """The thread: draws elements while there is room."""
    while True:
        with buffer.changed:
            while len(buffer.items) >= buffer.size and not buffer.stopped:
                buffer.changed.wait()
            if buffer.stopped:
                return
        with buffer.drawing:
            try:
                buffer.items.append(buffer.source.next())
            except StopIteration:
                buffer.ended = True
            except BaseException as error:
                buffer.error = error
            with buffer.changed:
                buffer.changed.notify_all()
            if buffer.ended or buffer.error is not None:
                return


class PrefetchSteps(Steps):
    """Up to `size` elements ahead, drawn by a thread."""

    def __init__(self, source: Steps, size: int) -> None:
        self._buffer = _Buffer(source, size)

    def next(self) -> Any:
        buffer = self._buffer
        if not buffer.ended and buffer.error is None:
            buffer.start()
        with buffer.changed:
            while not buffer.items and not buffer.ended and buffer.error is None:
                buffer.changed.wait()
            if buffer.items:
                element = buffer.items.popleft()
                buffer.changed.notify_all()
                return element
        if buffer.error is not None:
            error, buffer.error, buffer.ended = buffer.error, None, True
            raise error
        buffer.stop(wait=True)
        raise StopIteration

    def state_dict(self) -> dict[str, Any]:
        buffer = self._buffer
        with buffer.drawing, buffer.changed:
            return {"source": buffer.source.state_dict(), "items": list(buffer.items), "ended": buffer.ended}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        buffer = self._buffer
        buffer.stop(wait=True)
        buffer.source.load_state_dict(state["source"])
        buffer.items, buffer.ended, buffer.error = deque(state["items"]), state["ended"], None

    def close(self) -> None:
        self._buffer.stop(wait=False)
        with self._buffer.drawing:
            self._buffer.source.close()

    def __del__(self) -> None:
        self._buffer.stop(wait=False)
