"""A model in service over HTTP/1.1 with nothing but asyncio.

    python examples/service/http_app.py model.falconet --port 8000
    curl -d '{"inputs": [[0.1, 0.2]]}' http://127.0.0.1:8000/predict

GET /health and GET /metrics tell how it is. SIGTERM and SIGINT end it when what is under way has been answered. The
part of RFC 9112 that clients of such a service use: connections are kept, a body has a Content-Length, chunked ones are
refused with 411.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from http import HTTPStatus
from typing import Any

from service import MAX_BODY, Reply, Service

MAX_HEAD = 16 * 1024  # bytes of the request line and the headers
READ_SECONDS = 60.0  # that a connection may be silent or take over a request
GRACE_SECONDS = 10.0  # for what is under way at the end
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Refused(Exception):
    """A request that cannot be read further: it is answered, and the connection closed."""

    def __init__(self, status: int, text: str) -> None:
        self.reply = Reply.of_json(status, {"error": text})


class Application:
    """Serves connections until `close`."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._waiting: set[asyncio.Task[Any]] = set()  # for the next request of a kept connection
        self._closing = False

    async def listen(self, host: str, port: int) -> int:
        """Begins to serve; returns the port, which the system chooses for 0."""
        self._server = await asyncio.start_server(self._connection, host, port, limit=MAX_HEAD, backlog=1024)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def close(self) -> None:
        """Accepts nothing more; answers what was asked for, for at most GRACE_SECONDS."""
        assert self._server is not None
        self._closing = True
        self._server.close()
        for task in self._waiting:
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while not self._closing and await self._exchange(task, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or we are closing
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _exchange(
        self, task: asyncio.Task[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One request and its answer; whether the connection goes on."""
        keep = False
        timer = asyncio.get_running_loop().call_later(READ_SECONDS, task.cancel)
        try:
            self._waiting.add(task)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                raise _Refused(431, f"the headers have more than {MAX_HEAD} bytes") from None
            finally:
                self._waiting.discard(task)
            method, path, headers, keep = _parsed(head)
            size = _body_size(headers)
            if size and headers.get("expect", "").lower() == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(size)
            timer.cancel()
            reply = await self.service.reply("GET" if method == "HEAD" else method, path, body)
        except _Refused as refused:
            method, keep, reply = "", False, refused.reply
            self.service.replies["other", reply.status] += 1
        finally:
            timer.cancel()
        keep = keep and not self._closing
        writer.write(_response(reply, keep, with_body=method != "HEAD"))
        await writer.drain()
        return keep


def _parsed(head: bytes) -> tuple[str, str, dict[str, str], bool]:
    """Method, path without its query, headers by lower-case name, and whether the client keeps the connection."""
    first, *rest = head[:-4].decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise _Refused(400, "the request line is not of HTTP/1.1")
    headers: dict[str, str] = {}
    for line in rest:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name != name.strip() or (name == "content-length" and name in headers):
            raise _Refused(400, f"the header {line!r} is malformed or came twice")
        headers[name] = value.strip()
    connection = headers.get("connection", "").lower()
    keep = connection != "close" if parts[2] == "HTTP/1.1" else connection == "keep-alive"
    return parts[0], parts[1].partition("?")[0], headers, keep


def _body_size(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise _Refused(411, "a body needs a Content-Length")
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()):
        raise _Refused(400, f"Content-Length is {text!r}")
    if len(text) > 10 or int(text) > MAX_BODY:
        raise _Refused(413, f"the body has more than {MAX_BODY} bytes")
    return int(text)


def _response(reply: Reply, keep: bool, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        f"Content-Type: {reply.content_type}\r\n"
        f"Content-Length: {len(reply.body)}\r\n"
        f"{'Retry-After: 1' + chr(13) + chr(10) if reply.status == 503 else ''}"
        f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    )
    return head.encode("latin-1") + (reply.body if with_body else b"")


async def serve(arguments: argparse.Namespace) -> None:
    """Serves until a signal comes."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    async with Service(arguments.model, arguments.poll, max_latency=arguments.max_latency) as service:
        application = Application(service)
        port = await application.listen(arguments.host, arguments.port)
        print(f"model {service.version} on http://{arguments.host}:{port}", flush=True)
        await stop.wait()
        await application.close()
    print("closed", flush=True)
    for number in _SIGNALS:  # another one while the loop is taken apart changes nothing
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves a model file over HTTP.")
    parser.add_argument("model")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: one that is free")
    parser.add_argument("--poll", type=float, default=1.0, help="seconds between looks at the model file")
    parser.add_argument("--max-latency", type=float, default=0.002, help="seconds that a request waits for others")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
