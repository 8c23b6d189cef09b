"""How is a service asked, and asked again? One request with a time limit, retries, and a circuit breaker."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import httpx

from .answer import SERVICE_FAILURES
from .breaker import CircuitBreaker
from .specification import RemoteSpec

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Status codes after which the same request may succeed."""
REJECTED = frozenset({400, 413, 422})
"""Status codes that are about this request, not about the service."""


class RequestLimiter(Protocol):
    """Spaces requests out, as ``aiolimiter.AsyncLimiter`` does."""

    async def acquire(self) -> None:
        """Returns when the next request may be sent."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a service sent back, or why it sent nothing.

    Parameters
    ----------
    body : the JSON of the response; None where there is none.
    reason, detail : as in `polyculture.deployment.remote.answer.Reply`; empty where there is a body.
    attempts : requests that were sent.
    calls : responses with status 200.
    retriable : whether the same request may succeed later.
    retry_after : seconds that the service asks to wait for; None where it asks for nothing.
    """

    body: Any = None
    reason: str = ""
    detail: str = ""
    attempts: int = 0
    calls: int = 0
    retriable: bool = False
    retry_after: float | None = None


def request_headers(key: str) -> dict[str, str]:
    """Headers of a request; responses are asked for uncompressed, so that a small one cannot grow."""
    headers = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
    return headers | ({"authorization": f"Bearer {key}"} if key else {})


async def exchange(
    client: httpx.AsyncClient,
    spec: RemoteSpec,
    url: str,
    content: bytes,
    key: str,
    breaker: CircuitBreaker,
    *,
    headers: Mapping[str, str] | None = None,
    limiter: RequestLimiter | None = None,
) -> Exchange:
    """The response of the service to this request; never raises but when it is cancelled.

    The wait for the limiter counts towards no time limit.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + spec.deadline_s
    every_header = request_headers(key) | dict(headers or {})
    result = Exchange()
    for attempt in range(spec.retries + 1):
        if limiter is not None:
            start = loop.time()
            await limiter.acquire()
            deadline += loop.time() - start
        if not breaker.acquire():
            closed = Exchange(reason="breaker_open", detail=f"{spec.host} failed {spec.break_after} times in a row")
            return replace(result if result.reason else closed, attempts=attempt)
        try:
            seconds = min(spec.timeout_s, max(deadline - loop.time(), 0.001))
            result = await _attempt(client, spec, url, content, every_header, seconds)
        except BaseException:
            breaker.release()
            raise
        (breaker.fail if result.reason in SERVICE_FAILURES else breaker.succeed)()
        result = replace(result, attempts=attempt + 1)
        wait = _wait(spec, attempt, result.retry_after)
        if not result.retriable or attempt == spec.retries or loop.time() + wait >= deadline:
            break
        await asyncio.sleep(wait)
    return result


def _wait(spec: RemoteSpec, attempt: int, retry_after: float | None) -> float:
    """Seconds until the next attempt: as asked for, or drawn from 0 to a limit that doubles (full jitter)."""
    return retry_after if retry_after is not None else random.uniform(0, spec.backoff_s * 2 ** (attempt + 1))


async def _attempt(
    client: httpx.AsyncClient, spec: RemoteSpec, url: str, content: bytes, headers: Mapping[str, str], seconds: float
) -> Exchange:
    """One request, from the connection to the last byte within these seconds."""
    try:
        async with asyncio.timeout(seconds), client.stream("POST", url, content=content, headers=headers) as response:
            if response.status_code != 200:
                return _failure(response, spec)
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                return Exchange(reason="bad_response", detail=f"{spec.host} compressed its answer", calls=1)
            received = bytearray()
            async for part in response.aiter_raw():
                received += part
                if len(received) > spec.max_response_bytes:
                    detail = f"{spec.host} answered with more than {spec.max_response_bytes:,} bytes"
                    return Exchange(reason="bad_response", detail=detail, calls=1)
    except TimeoutError:
        return Exchange(reason="timeout", detail=f"{spec.host} took more than {seconds:.3g} s", retriable=True)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError, ValueError) as error:
        detail = f"{spec.host} cannot be reached: {type(error).__name__}"
        return Exchange(reason="unreachable", detail=detail, retriable=True)
    try:
        return Exchange(json.loads(received), calls=1)
    except (ValueError, RecursionError):
        return Exchange(reason="bad_response", detail=f"{spec.host} did not answer with JSON", calls=1)


def _failure(response: httpx.Response, spec: RemoteSpec) -> Exchange:
    """What a status code other than 200 says."""
    code = response.status_code
    reason = "rate_limited" if code == 429 else "rejected" if code in REJECTED else "status"
    retry_after = seconds_until(response.headers.get("retry-after", "")) if code in RETRIED else None
    detail = f"{spec.host} answered with status {code}"
    return Exchange(reason=reason, detail=detail, retriable=code in RETRIED, retry_after=retry_after)


def seconds_until(text: str, now: datetime | None = None) -> float | None:
    """Seconds of a Retry-After header, which has a number or a date (RFC 9110, section 10.2.3); None if neither."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max((date - (now or datetime.now(UTC))).total_seconds(), 0.0)
