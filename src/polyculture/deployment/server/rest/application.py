"""How does a request over HTTP find its answer? Inference by a short way, everything else through FastAPI."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any

from polyculture.errors import PolycultureError, visible

from ..protocol.requests import read_request
from ..protocol.responses import error_body, write_response
from ..refusals import RefusedRequestError, refusal_of, sentence
from ..service import Service
from .access import Access
from .bodies import BodyReader, Receive, discard

log = logging.getLogger("polyculture.serve")

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
LARGE = 2**20
"""Bytes of a request from which on it is read next to the event loop, which goes on."""
CANCELLED = 499
"""What is counted where the server has stopped before the answer."""
JSON, BINARY = b"application/json", b"application/octet-stream"
HEADER_LENGTH = b"inference-header-content-length"
_PREFIX, _SUFFIX = "/v2/models/", "/infer"


class Application:
    """The server as an ASGI application.

    Parameters
    ----------
    service : what answers.
    routes : the ASGI application for all other routes.
    """

    def __init__(self, service: Service, routes: Any) -> None:
        options = service.options
        self.service, self._routes = service, routes
        self._bodies = BodyReader(options.max_bytes, options.timeout)
        self._access = Access(options.api_keys)
        self.tasks: Collection[Any] | None = None
        """Requests that are under way, as uvicorn counts them."""
        self._plain_path = f"{_PREFIX}{service.name}{_SUFFIX}"

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        headers = dict(scope["headers"])
        if scope["method"] == "POST" and path.endswith(_SUFFIX) and path.startswith(_PREFIX):
            await self._infer(path, headers, receive, send)
            return
        try:
            self._access.check(path, headers)
            scope["polyculture.body"] = self._bodies
            await self._routes(scope, receive, send)
        except RefusedRequestError as refusal:
            await discard(receive)
            await self._refuse(scope["method"], path, refusal, send)
        except Exception as error:  # it has been answered with 500
            log.error("%s %s: %s: %s", scope["method"], visible(path[:200]), type(error).__name__, sentence(error))

    async def _infer(self, path: str, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> None:
        service, start = self.service, time.perf_counter()
        rows = size = 0
        code = CANCELLED
        try:
            try:
                self._access.check(path, headers)
                if path != self._plain_path:
                    service.check_model(*_model(path))
            except RefusedRequestError:
                await discard(receive)  # a client that still sends would not read why it was refused
                raise
            body = await self._bodies.read(headers, receive)
            size = len(body)
            self._bodies.held += size
            length = headers.get(HEADER_LENGTH)
            if size < LARGE:
                request = read_request(body, length)
            else:
                request = await asyncio.to_thread(read_request, body, length)
            rows = request.rows
            is_last = self.tasks is not None and len(self.tasks) <= service.pending + 1
            answers = await service.infer(request, start, is_last)
            if size < LARGE:
                content, json_length = write_response(service.name, request, answers)
            else:
                content, json_length = await asyncio.to_thread(write_response, service.name, request, answers)
            await send(_start(content, json_length, service.draining))
            await send({"type": "http.response.body", "body": content})
            code = 200
        except PolycultureError as error:
            refusal = refusal_of(error)
            code = refusal.status
            await self._refuse("POST", path, refusal, send)
        except Exception as error:  # a fault of the server: one line in its log
            code = 500
            log.error("POST %s: %s: %s", visible(path[:200]), type(error).__name__, sentence(error))
            refusal = RefusedRequestError(500, "the server cannot answer this request", "", "its log says why")
            await self._refuse("POST", path, refusal, send)
        finally:
            self._bodies.held -= size
            service.count("rest", code, rows, time.perf_counter() - start)

    async def _refuse(self, method: str, path: str, refusal: RefusedRequestError, send: Send) -> None:
        content = error_body(sentence(refusal))
        headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(content))]
        if refusal.retry_after:
            headers.append((b"retry-after", b"%d" % refusal.retry_after))
        if refusal.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if refusal.status in (408, 413):  # more of the body may come
            headers.append((b"connection", b"close"))
        log.log(_level(refusal.status), "%s %s %d: %s", method, visible(path[:200]), refusal.status, sentence(refusal))
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _level(status: int) -> int:
    """Refusals of what is wrong or too much are the business of the client; counters have them."""
    return logging.WARNING if status in (500, 504) else logging.DEBUG


def _start(content: bytes, length: int | None, draining: bool) -> dict[str, Any]:
    """The head of a response; `length` of its JSON where raw bytes follow it."""
    headers = [(b"content-type", JSON if length is None else BINARY), (b"content-length", b"%d" % len(content))]
    if length is not None:
        headers.append((HEADER_LENGTH, b"%d" % length))
    if draining:  # the client should go on elsewhere
        headers.append((b"connection", b"close"))
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _model(path: str) -> tuple[str, str]:
    """Name and version of the model in the path of an inference request."""
    middle = path[len(_PREFIX) : -len(_SUFFIX)]
    name, _, version = middle.partition("/versions/")
    return name, version
