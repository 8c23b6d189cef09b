"""How is the body of a request read? As far as it is allowed to be long, and no longer than the client may take."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from ..refusals import RefusedRequestError, excerpt, malformed

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
MOST_HELD = 256 * 2**20
"""Bytes of all requests that are being read or answered, beyond one of the largest; more are refused with 503."""
MOST_DISCARDED = 64 * 2**20
"""Bytes of a refused body that are read all the same: a client that still sends would not read why it was refused."""


class BodyReader:
    """Reads bodies, and knows how many bytes are held at the moment.

    Parameters
    ----------
    limit : bytes of one body, packed and unpacked.
    timeout : seconds in which it has to arrive.
    """

    def __init__(self, limit: int, timeout: float) -> None:
        self._most, self._timeout = limit, timeout
        self.held = 0

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """The whole body, unpacked. Its bytes count as held until `release`."""
        length = headers.get(b"content-length", b"0").strip()
        if length.isdigit() and int(length[:20]) > self._most:
            await discard(receive)
            raise self._too_large(f"{int(length[:20]):,}")
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            try:
                async with asyncio.timeout(self._timeout):
                    body = await self._rest(body, receive)
            except TimeoutError as error:
                wrong = f"the request has not arrived after {self._timeout:g} seconds"
                raise RefusedRequestError(408, wrong, "", "send it faster") from error
        elif message["type"] != "http.request":
            raise malformed("the client has gone")
        if len(body) > self._most:
            raise self._too_large(f"{len(body):,}")
        encoding = headers.get(b"content-encoding")
        if encoding is not None:
            body = self._unpacked(body, encoding)
        if self.held + len(body) > MOST_HELD + self._most:
            raise _busy()
        return body

    async def _rest(self, first: bytes, receive: Receive) -> bytes:
        chunks, length = [first], len(first)
        self.held += length
        try:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise malformed("the client has gone")
                chunk = message.get("body", b"")
                chunks.append(chunk)
                length += len(chunk)
                self.held += len(chunk)
                refusal = self._refusal(length)
                if refusal is not None:
                    if message.get("more_body"):
                        chunks.clear()
                        await discard(receive)
                    raise refusal
                if not message.get("more_body"):
                    return b"".join(chunks)
        finally:
            self.held -= length

    def _refusal(self, length: int) -> RefusedRequestError | None:
        if length > self._most:
            return self._too_large(f"more than {self._most:,}")
        return _busy() if self.held > MOST_HELD + self._most else None

    def _too_large(self, size: str) -> RefusedRequestError:
        return RefusedRequestError(
            413, f"the request has {size} bytes", f"at most {self._most:,}", "send fewer instances at a time"
        )

    def _unpacked(self, body: bytes, encoding: bytes) -> bytes:
        kind = encoding.strip().lower()
        if kind == b"identity":
            return body
        if kind not in (b"gzip", b"deflate"):
            text = excerpt(encoding.decode("latin-1"))
            raise RefusedRequestError(415, f"the content encoding is {text}", "gzip, deflate or none")
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        try:
            content = unpacker.decompress(body, self._most + 1)
        except zlib.error as error:
            raise malformed(f"the body is no {kind.decode()}", "a body packed as its header says") from error
        if len(content) > self._most:
            raise self._too_large(f"more than {self._most:,} unpacked")
        if not unpacker.eof or unpacker.unused_data:
            raise malformed(f"the {kind.decode()} of the body is cut short, or followed by more", "one packed body")
        return content


def _busy() -> RefusedRequestError:
    wrong = "too many bytes of requests are held"
    return RefusedRequestError(503, wrong, f"at most {MOST_HELD:,}", "send it again later", retry_after=1)


async def discard(receive: Receive, seconds: float = 2.0) -> None:
    """Read what is left of a refused body, within limits."""
    length = 0
    try:
        async with asyncio.timeout(seconds):
            while length < MOST_DISCARDED:
                message = await receive()
                length += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
    except TimeoutError:
        return
