"""Services on real sockets that answer as they are told, for tests of members that are elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")


@dataclass
class Service:
    """A service on a real socket that answers as it is told: a function from request number and body to a response."""

    respond: Callable[[int, dict[str, Any]], tuple[int, dict[str, str], bytes]]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0
    seconds: float = 0.0
    parts: int = 1

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        content, more = b"", True
        while more:
            message = await receive()
            content, more = content + message.get("body", b""), message.get("more_body", False)
        number = len(self.requests)
        self.requests.append(json.loads(content))
        self.headers.append({k.decode(): v.decode() for k, v in scope["headers"]})
        self.paths.append(scope["path"])
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            status, headers, body = self.respond(number, self.requests[-1])
            pairs = [(k.encode(), v.encode()) for k, v in headers.items()]
            await send({"type": "http.response.start", "status": status, "headers": pairs})
            size = math.ceil(len(body) / self.parts)
            for part in range(self.parts):
                await asyncio.sleep(self.seconds)
                more = part + 1 < self.parts
                piece = body[part * size : (part + 1) * size]
                await send({"type": "http.response.body", "body": piece, "more_body": more})
        finally:
            self.busy -= 1


@contextlib.contextmanager
def services() -> Iterator[Callable[..., Service]]:
    """Starts services; all are stopped at the end."""
    with contextlib.ExitStack() as stack:

        def start(respond: Any, **options: Any) -> Service:
            service = Service(respond, **options)
            settings = uvicorn.Config(service, port=0, log_level="critical", lifespan="off", ws="none")
            server = uvicorn.Server(settings)
            thread = threading.Thread(target=server.run, daemon=True)
            thread.start()
            deadline = time.monotonic() + 30
            while not server.started and time.monotonic() < deadline:
                time.sleep(0.005)

            def stop() -> None:
                server.should_exit = server.force_exit = True
                thread.join(20)

            stack.callback(stop)
            service.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            return service

        yield start


def completion(text: Any, usage: tuple[int, int] = (0, 0), **choice: Any) -> tuple[int, dict[str, str], bytes]:
    """What an OpenAI-compatible endpoint answers."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}],
        "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)},
    }
    return 200, {"content-type": "application/json"}, json.dumps(body).encode()


def status(code: int, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return code, {name.replace("_", "-"): value for name, value in headers.items()}, b'{"error": "no"}'
