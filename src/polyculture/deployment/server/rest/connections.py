"""How does uvicorn read connections here? With limits on headers, and on the time that a client takes to send them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from ..service import Service

MOST_HEADER_BYTES = 64 * 1024
_UPGRADE = re.compile(rb"(\r\n)upgrade:", re.IGNORECASE)
_STOPPING = (signal.SIGTERM, signal.SIGINT)


class JoinedTransport:
    """A transport that sends the head of a response together with its body: half of the system calls and packets.

    Parameters
    ----------
    transport : what it writes to.
    loop : at whose next turn is sent what nothing has followed.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop, self._head = transport, loop, b""

    def write(self, content: bytes) -> None:
        """Send the content, or, where nothing waits, let it wait for what follows in the same turn of the loop."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + content)
        elif content:
            self._head = content
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what waits."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Send what waits, and close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class LimitedConnection(HttpToolsProtocol):  # type: ignore[misc]
    """A connection whose headers have an end."""

    header_bytes = 0
    waiting_since: float | None = None
    """Time of the loop at which it was opened, or a request began whose headers are not complete."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(JoinedTransport(transport, self.loop))
        self.waiting_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        is_first = self.cycle is None or self.cycle.response_complete
        super().data_received(_without_upgrade(data) if is_first and b"pgrade:" in data else data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.header_bytes = 0
        self.waiting_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.waiting_since = None
        super().on_headers_complete()

    def eof_received(self) -> bool:
        """A client that has sent all of its request may close its half, and still be answered; not over TLS."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body or self.scheme == "https":
            return False
        cycle.keep_alive = False
        return True

    def _grow(self, size: int) -> None:
        self.header_bytes += size
        if self.header_bytes > MOST_HEADER_BYTES:
            raise ValueError("the headers are too long")  # httptools answers with 400

    def close_if_slow(self, start: float) -> None:
        """Close a connection that has not sent its headers since then."""
        if self.waiting_since is not None and self.waiting_since < start:
            self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    """A request that offers another protocol, such as HTTP/2, without the offer: the parser would drop its body."""
    head, end, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\\1X-Upgrade:", head) + end + body


class DrainingServer(uvicorn.Server):  # type: ignore[misc]
    """A server that, asked to stop, first says that it is not ready, and goes on for a while.

    Parameters
    ----------
    settings : of uvicorn.
    service : what answers.
    """

    def __init__(self, settings: uvicorn.Config, service: Service) -> None:
        super().__init__(settings)
        self._service = service

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The first signal to stop begins to drain, the second one stops."""
        loop = asyncio.get_running_loop()
        for number in _STOPPING:
            loop.add_signal_handler(number, self.stop)
        yield
        for number in _STOPPING:
            loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Drain, and then stop; called again, stop at once."""
        if self._service.draining:
            self.should_exit = True
            return
        self._service.drain()
        asyncio.get_running_loop().call_later(self._service.options.drain, self._exit)

    def _exit(self) -> None:
        self.should_exit = True

    def close_slow_connections(self, seconds: float) -> None:
        """Close connections whose headers have not come for so long."""
        start = asyncio.get_running_loop().time() - seconds
        for connection in list(self.server_state.connections):
            if isinstance(connection, LimitedConnection):
                connection.close_if_slow(start)


def settings(app: Any, service: Service) -> uvicorn.Config:
    """How uvicorn serves the application."""
    options = service.options
    return uvicorn.Config(
        app,
        http=LimitedConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(options.timeout) + 1,
        ssl_certfile=options.tls_cert,
        ssl_keyfile=options.tls_key,
        backlog=2048,
    )
