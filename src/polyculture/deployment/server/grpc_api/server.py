"""How does a request over gRPC find its answer? By the same service, in the same process, on the same event loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc

from polyculture.errors import FileError, PolycultureError

from ..protocol.metadata import model_metadata, repository_index, server_metadata
from ..refusals import RefusedRequestError, refusal_of, sentence
from ..rest.access import Access
from ..service import Service
from .messages import METHODS, PACKAGE, SERVICE, message_classes
from .translation import read_message, write_message

log = logging.getLogger("polyculture.serve")

CANCELLED = 499
"""What is counted where the client has gone before its answer."""
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""By status of HTTP the code of gRPC."""
OPEN_METHODS = ("ServerLive", "ServerReady")
Method = Callable[[Any], Awaitable[Any]]


class InferenceServicer:
    """The methods of the service.

    Parameters
    ----------
    service : what answers.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._classes: Mapping[str, Any] = message_classes()
        self._access = Access(service.options.api_keys)

    async def call(self, method: str, request: Any, context: Any) -> Any:
        """What a method answers; refusals become codes of gRPC."""
        code, start = CANCELLED, time.perf_counter()
        try:
            if method not in OPEN_METHODS:
                self._access.check("", {k.encode(): v.encode() for k, v in _metadata(context)})
            response = await self._methods[method](request)
            code = 200
            return response
        except PolycultureError as error:
            refusal = refusal_of(error)
            code = refusal.status
        except Exception as error:  # a fault of the server: one line in its log
            code = 500
            log.error("gRPC %s: %s: %s", method, type(error).__name__, sentence(error))
            refusal = RefusedRequestError(500, "the server cannot answer this request", "", "its log says why")
        finally:
            if method == "ModelInfer":
                rows = int(request.inputs[0].shape[0]) if code == 200 else 0
                self._service.count("grpc", code, rows, time.perf_counter() - start)
        return await context.abort(CODES.get(refusal.status, grpc.StatusCode.INTERNAL), sentence(refusal))

    @property
    def _methods(self) -> Mapping[str, Method]:
        return {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
            "RepositoryIndex": self._index,
        }

    async def _live(self, _: Any) -> Any:
        return self._classes["ServerLiveResponse"](live=True)

    async def _ready(self, _: Any) -> Any:
        return self._classes["ServerReadyResponse"](ready=not self._service.draining)

    async def _model_ready(self, request: Any) -> Any:
        self._service.check_model(request.name, request.version)
        return self._classes["ModelReadyResponse"](ready=not self._service.draining)

    async def _server_metadata(self, _: Any) -> Any:
        return self._classes["ServerMetadataResponse"](**server_metadata())

    async def _model_metadata(self, request: Any) -> Any:
        self._service.check_model(request.name, request.version)
        metadata = model_metadata(self._service.name, self._service.engine.manifest)
        del metadata["parameters"]  # which the message does not have
        return self._classes["ModelMetadataResponse"](**metadata)

    async def _index(self, _: Any) -> Any:
        service = self._service
        models = repository_index(service.name, service.engine.manifest, service.draining)
        return self._classes["RepositoryIndexResponse"](models=models)

    async def _infer(self, message: Any) -> Any:
        arrival = time.perf_counter()
        self._service.check_model(message.model_name, message.model_version)
        request = read_message(message)
        answers = await self._service.infer(request, arrival)
        return write_message(self._classes, self._service.name, request, answers)


async def start_grpc(service: Service, port: int, shared_port: bool = False) -> Any:
    """Answer gRPC at this port; FileError where it cannot be had.

    Parameters
    ----------
    shared_port : whether other processes of the server answer at the same port.
    """
    options = service.options
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", options.max_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", int(shared_port)),
        ],
        maximum_concurrent_rpcs=2 * options.queue,
    )
    server.add_generic_rpc_handlers((_handlers(InferenceServicer(service)),))
    host = f"[{options.host}]" if ":" in options.host else options.host
    try:
        if options.tls_cert is not None and options.tls_key is not None:
            server.add_secure_port(f"{host}:{port}", _credentials(options.tls_cert, options.tls_key))
        else:
            server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise FileError(f"cannot listen at {host}:{port}", "a port that is not in use", "give --grpc-port") from error
    await server.start()
    return server


def _handlers(servicer: InferenceServicer) -> Any:
    classes = message_classes()

    def handler(method: str) -> Any:
        async def call(request: Any, context: Any) -> Any:
            return await servicer.call(method, request, context)

        read = classes[f"{method}Request"].FromString
        return grpc.unary_unary_rpc_method_handler(call, read, lambda response: response.SerializeToString())

    return grpc.method_handlers_generic_handler(f"{PACKAGE}.{SERVICE}", {method: handler(method) for method in METHODS})


def _credentials(certificate: Path, key: Path) -> Any:
    return grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])


def _metadata(context: Any) -> list[tuple[str, str]]:
    return [(k.lower(), v) for k, v in context.invocation_metadata() or () if isinstance(v, str)]
