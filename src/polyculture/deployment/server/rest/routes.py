"""Which routes are there next to inference? Metadata, health, labels, metrics, status, and a change of bundle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from polyculture.errors import PolycultureError, visible
from polyculture.version import __version__

from ..labels import read_labels
from ..metrics import CONTENT_TYPE
from ..page.live_page import live_page
from ..protocol.metadata import model_metadata, repository_index, server_metadata
from ..protocol.responses import error_body
from ..refusals import RefusedRequestError, excerpt, malformed, sentence
from ..service import Service
from .access import Access
from .documentation import INFER_SCHEMA, LABELS_SCHEMA, documentation_page

log = logging.getLogger("polyculture.serve")
Swap = Callable[[Path], Awaitable[str]]
_MODELS = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")


def make_routes(service: Service, swap: Swap) -> FastAPI:
    """The FastAPI application with all routes but inference, which it only documents.

    Parameters
    ----------
    swap : what `POST /admin/bundle` calls: checks and serves the bundle of a folder, and returns its version.
    """
    app = FastAPI(
        title=f"polyculture: {service.name}", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    _add_errors(app)
    _add_health(app, service)
    _add_models(app, service)
    _add_repository(app, service)
    _add_own(app, service)
    _add_admin(app, Access(service.options.api_keys), swap)
    return app


def as_json(value: Any, status: int = 200) -> Response:
    """A response of JSON."""
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), status, media_type="application/json")


def _add_errors(app: FastAPI) -> None:
    """Every error is one sentence, as in the protocol."""

    def refused(_: Request, error: Exception) -> Response:
        status = error.status if isinstance(error, RefusedRequestError) else 400
        return Response(error_body(sentence(error)), status, media_type="application/json")

    def unknown(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        words = {404: "there is no such page", 405: f"{request.method} is not possible here", 500: "the log says why"}
        text = f"{words.get(status, 'the request is refused')}: {visible(excerpt(request.url.path, 120))}."
        headers = error.headers if isinstance(error, HTTPException) else None
        return Response(error_body(text), status, headers, media_type="application/json")

    app.add_exception_handler(PolycultureError, refused)
    app.add_exception_handler(HTTPException, unknown)
    app.add_exception_handler(Exception, unknown)


async def _body(request: Request) -> bytes:
    """The body of a request, within the limits of the server."""
    content: bytes = await request.scope["polyculture.body"].read(dict(request.scope["headers"]), request.receive)
    return content


def _add_health(app: FastAPI, service: Service) -> None:
    @app.head("/v2/health/live", include_in_schema=False)
    @app.get("/v2/health/live", summary="Whether the process answers.")
    async def live() -> Response:
        return as_json({"live": True})

    @app.head("/v2/health/ready", include_in_schema=False)
    @app.get("/v2/health/ready", summary="Whether requests should be sent here; 503 once the server stops.")
    async def ready() -> Response:
        return as_json({"ready": not service.draining}, 503 if service.draining else 200)

    @app.get("/v2", summary="Name, version and extensions of the server.")
    @app.get("/v2/", include_in_schema=False)
    async def server() -> Response:
        return as_json(server_metadata())


def _add_models(app: FastAPI, service: Service) -> None:
    async def metadata(name: str, version: str = "") -> Response:
        service.check_model(name, version)
        return as_json(model_metadata(service.name, service.engine.manifest))

    async def ready(name: str, version: str = "") -> Response:
        service.check_model(name, version)
        document = {"name": service.name, "ready": not service.draining}
        return as_json(document, 503 if service.draining else 200)

    async def infer() -> Response:
        raise RefusedRequestError(404, "there is no such model")  # the application answers before it comes here

    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": INFER_SCHEMA}}}}
    for path in _MODELS:
        app.get(path, summary="Inputs and outputs of the model.")(metadata)
        app.get(f"{path}/ready", summary="Whether the model answers.")(ready)
        app.post(f"{path}/infer", summary="Answers to instances; JSON, or JSON and raw bytes.", openapi_extra=body)(
            infer
        )


def _add_repository(app: FastAPI, service: Service) -> None:
    @app.post("/v2/repository/index", summary="The models of the server: one.")
    async def index() -> Response:
        return as_json(repository_index(service.name, service.engine.manifest, service.draining))

    @app.post("/v2/repository/models/{name}/load", include_in_schema=False)
    @app.post("/v2/repository/models/{name}/unload", include_in_schema=False)
    async def load(name: str) -> Response:
        service.check_model(name)
        raise malformed("models are not loaded and unloaded here", "", "change the bundle by POST /admin/bundle")


def _add_own(app: FastAPI, service: Service) -> None:
    """What the protocol does not have."""
    schema = {"requestBody": {"required": True, "content": {"application/json": {"schema": LABELS_SCHEMA}}}}

    @app.post("/v2/models/{name}/labels", summary="True labels of answers, by their ids.", openapi_extra=schema)
    async def labels(name: str, request: Request) -> Response:
        service.check_model(name)
        handed = read_labels(await _body(request))
        return as_json(await asyncio.to_thread(service.label, handed))

    @app.get("/metrics", summary="Numbers for Prometheus.")
    async def metrics() -> Response:
        service.flush_metrics()
        text = await asyncio.to_thread(service.metrics_text)
        return Response(text, headers={"content-type": CONTENT_TYPE.decode()})

    @app.get("/status", summary="What the watch says, and how the server is.")
    async def status() -> Response:
        return as_json(await asyncio.to_thread(service.status))

    @app.get("/", include_in_schema=False)
    async def front() -> Response:
        page = live_page()
        return Response(page.content, headers=dict(page.headers))

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> Response:
        return Response(documentation_page(app.openapi()), media_type="text/html")


def _add_admin(app: FastAPI, access: Access, swap: Swap) -> None:
    @app.post("/admin/bundle", summary="Serve another bundle, a folder on the server; what is under way is finished.")
    async def bundle(request: Request) -> Response:
        client = request.client.host if request.client else ""
        access.check_admin(client, dict(request.scope["headers"]))
        try:
            document = orjson.loads(await _body(request))
            path = document["path"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise malformed("the request names no bundle", '{"path": "FOLDER"}') from error
        if not isinstance(path, str) or not path or "\x00" in path:
            raise malformed(f"the path is {excerpt(path)}", "a folder on the server")
        return as_json({"version": await swap(Path(path))})
