"""A load test: kept connections that ask as fast as they are answered.

    python examples/service/load.py http://127.0.0.1:8000 '{"inputs": [[0.1, 0.2]]}' --connections 32 --seconds 5

Prints requests per second and the latency's median, 99 %, 99.9 % and largest, of the requests after the warm-up. Each
connection waits for its answer before it asks again, so latencies are those at the throughput that is printed, not at
a rate of your choice. The client takes a processor for itself: leave it one.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from urllib.parse import urlsplit

import numpy as np


async def connection(host: str, port: int, request: bytes, until: float, begins: float) -> tuple[list[float], int]:
    """Seconds of each request that began after `begins`, and how many of them were not answered with 200."""
    reader, writer = await asyncio.open_connection(host, port)
    seconds: list[float] = []
    failures = 0
    try:
        while (start := time.perf_counter()) < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lower = head.lower()
            size = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(size)
            if start >= begins:
                seconds.append(time.perf_counter() - start)
                failures += head.split(b" ", 2)[1] != b"200"
    finally:
        writer.close()
        await writer.wait_closed()
    return seconds, failures


async def run(url: str, body: str, connections: int, seconds: float, warm_up: float = 0.5) -> dict[str, float]:
    """What was measured, by name; latencies in seconds."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    content = body.encode()
    head = (
        f"POST {parts.path.rstrip('/')}/predict HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
    )
    request = f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
    begins = time.perf_counter() + warm_up
    answers = await asyncio.gather(
        *(connection(host, port, request, begins + seconds, begins) for _ in range(connections))
    )
    latencies = np.array([value for found, _ in answers for value in found])
    if not latencies.size:
        raise RuntimeError(f"no request was answered within {seconds} seconds")
    p50, p99, p999 = np.quantile(latencies, (0.5, 0.99, 0.999))
    return {
        "requests_per_second": len(latencies) / seconds,
        "p50": p50,
        "p99": p99,
        "p99.9": p999,
        "max": latencies.max(),
        "failures": sum(failures for _, failures in answers),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures a service under load.")
    parser.add_argument("url")
    parser.add_argument("body", help="of POST /predict")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    found = asyncio.run(run(given.url, given.body, given.connections, given.seconds))
    print(f"{found['requests_per_second']:.0f} requests/s, {given.connections} connections")
    print(", ".join(f"{name} {found[name] * 1e3:.3f} ms" for name in ("p50", "p99", "p99.9", "max")))
    if found["failures"]:
        raise SystemExit(f"{found['failures']} were not answered with 200")


if __name__ == "__main__":
    main()
