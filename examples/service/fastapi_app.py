"""A model in service with FastAPI and uvicorn: pip install 'falconet[service]'.

    FALCONET_MODEL=model.falconet uvicorn --app-dir examples/service fastapi_app:app
    python examples/service/fastapi_app.py model.falconet --port 8000

The paths and answers are those of `http_app.py`. uvicorn ends on SIGTERM when what is under way has been answered.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request, Response
from service import MAX_BODY, Service


def make_app(path: str, poll_seconds: float = 1.0, max_latency: float = 0.002) -> FastAPI:
    """An application that serves the model file at `path` while it runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Service(path, poll_seconds, max_latency=max_latency) as service:
            app.state.service = service
            yield

    app = FastAPI(title="falconet", lifespan=lifespan)

    async def answer(request: Request) -> Response:
        service: Service = request.app.state.service
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return Response(f"the body has more than {MAX_BODY} bytes", 413)
        reply = await service.reply(request.method, request.url.path, bytes(body))
        headers = {"Retry-After": "1"} if reply.status == 503 else None
        return Response(reply.body, reply.status, headers, reply.content_type)

    app.add_api_route("/predict", answer, methods=["POST"])
    app.add_api_route("/health", answer, methods=["GET"])
    app.add_api_route("/metrics", answer, methods=["GET"])
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves a model file over HTTP.")
    parser.add_argument("model")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--poll", type=float, default=1.0, help="seconds between looks at the model file")
    parser.add_argument("--max-latency", type=float, default=0.002, help="seconds that a request waits for others")
    given = parser.parse_args()
    app = make_app(given.model, given.poll, given.max_latency)
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
elif "FALCONET_MODEL" in os.environ:
    app = make_app(os.environ["FALCONET_MODEL"])
