"""What does a remote member answer? It never raises: what failed leaves a row of nan and a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from polyculture.errors import InputError, need

from .answer import RemoteAnswer, Reply, joined, price
from .batch import Batch, NamedColumn, as_batch
from .breaker import CircuitBreaker
from .chat import chat_body, read_completion, used_tokens
from .event_loop import run
from .open_inference import infer_body, infer_url, read_response
from .specification import RemoteSpec


class RemoteMember:
    """A member of a portfolio that another service answers for.

    Parameters
    ----------
    spec : where it is and how it is asked; a mapping is read as in the manifest.
    classes : names of the classes; empty in regression.
    table : the columns of a table whose instances come as an array of numbers; empty else.

    Raises InputError where the specification and the classes do not fit.

    Examples
    --------
    >>> from polyculture.deployment.remote import RemoteMember
    >>> spec = {"kind": "v2", "url": "http://127.0.0.1:9", "model": "m", "retries": 0}
    >>> answer = RemoteMember(spec, ["no", "yes"]).ask([[0.5, 1.0]])  # nothing listens there
    >>> answer.probabilities, answer.reason
    (array([[nan, nan]], dtype=float32), 'unreachable')
    """

    def __init__(
        self,
        spec: RemoteSpec | Mapping[str, Any],
        classes: Sequence[str] = (),
        table: Sequence[NamedColumn] = (),
    ) -> None:
        need("httpx", extra="serve")
        self.spec = spec if isinstance(spec, RemoteSpec) else RemoteSpec.from_dict(spec)
        if self.spec.requests_per_minute:
            need("aiolimiter", extra="serve")
        self.classes = tuple(map(str, classes))
        if self.spec.kind == "chat":
            self.spec.parser.check(self.classes)
        self._table = tuple(table)
        self.breaker = CircuitBreaker(self.spec.break_after, self.spec.break_s)
        self.spent = Decimal(0)
        """Price of all answers so far, exact."""
        self._client: Any = None
        self._limiter: Any = None
        self._limit = asyncio.Semaphore(self.spec.concurrency)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, raw: Any) -> RemoteAnswer:
        """What the member says about these instances.

        Parameters
        ----------
        raw : an array (n, …), texts, records (a mapping each), or a mapping of columns.

        Raises InputError only where `raw` is none of these; failures of the service are in the answer.
        """
        self._connect()
        batch, key = as_batch(raw, self._table), self.spec.key()
        if key is None or not (key.isascii() and key.isprintable()):
            detail = f"the environment variable {self.spec.key_env} holds no key"
            replies = [self._failed(batch.n, "no_key", detail)]
        elif self.spec.kind == "v2":
            replies = await self._ask_server(batch, key) if batch.n else []
        else:
            replies = await asyncio.gather(*(self._ask_chat(record, key) for record in batch.records()))
        answer = joined(replies, self._rates, len(self.classes) or 1)
        self.spent += price(answer.calls, answer.tokens, *self._rates)
        return answer

    def ask(self, raw: Any) -> RemoteAnswer:
        """The same for callers that cannot wait; the connections are closed afterwards."""

        async def once() -> RemoteAnswer:
            try:
                return await self(raw)
            finally:
                await self.aclose()

        return run(once())

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def _rates(self) -> tuple[float, tuple[float, float]]:
        """Price per call, and per 1,000 tokens of prompts and of answers."""
        spec = self.spec
        return spec.price_per_call, (spec.price_per_1k_input, spec.price_per_1k_output)

    def _connect(self) -> None:
        """Connections and limit belong to an event loop: another one gets its own."""
        import httpx

        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            limits = httpx.Limits(max_connections=self.spec.concurrency)
            self._client = httpx.AsyncClient(timeout=None, follow_redirects=False, limits=limits)
            self._limit, self._loop = asyncio.Semaphore(self.spec.concurrency), loop
            if self.spec.requests_per_minute:
                from aiolimiter import AsyncLimiter

                self._limiter = AsyncLimiter(1, 60 / self.spec.requests_per_minute)

    def _failed(self, n: int, reason: str, detail: str) -> Reply:
        return Reply(np.full((n, len(self.classes) or 1), np.nan), reason, detail)

    async def ask_record(self, record: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Reply:
        """What a chat member says about one instance.

        Parameters
        ----------
        record : the instance: values by column.
        headers : further headers of the request, such as an Idempotency-Key.
        """
        self._connect()
        key = self.spec.key()
        if key is None or not (key.isascii() and key.isprintable()):
            return self._failed(1, "no_key", f"the environment variable {self.spec.key_env} holds no key")
        reply = await self._ask_chat(record, key, headers)
        self.spent += price(reply.calls, reply.tokens, *self._rates)
        return reply

    async def _ask_chat(self, record: Mapping[str, Any], key: str, headers: Mapping[str, str] | None = None) -> Reply:
        """One instance, one request."""
        from .exchange import exchange

        try:
            content = chat_body(self.spec, record, self.classes)
        except (InputError, TypeError, ValueError) as error:
            return self._failed(1, "bad_input", str(error))
        async with self._limit:
            result = await exchange(
                *(self._client, self.spec, self.spec.url, content, key, self.breaker),
                headers=headers,
                limiter=self._limiter,
            )
        if result.reason:
            row, reason, detail = None, result.reason, result.detail
        else:
            row, reason, detail = read_completion(result.body, self.spec, self.classes)
        rows = self._failed(1, "", "").rows if row is None else row[None]
        return Reply(rows, reason, detail, result.calls, used_tokens(result.body), result.attempts)

    async def _ask_server(self, batch: Batch, key: str) -> list[Reply]:
        """All instances in one request; one with a missing number, which JSON cannot have, is left out."""
        from .exchange import exchange

        usable = batch.usable
        complete = batch if usable.all() else batch.take(usable)
        try:
            content = infer_body(self.spec, complete)
        except (InputError, TypeError, ValueError) as error:
            return [self._failed(batch.n, "bad_input", str(error))]
        rows = self._failed(batch.n, "", "").rows
        if not complete.n:
            return [Reply(rows, "bad_input", "a number is missing")]
        async with self._limit:
            url = infer_url(self.spec)
            result = await exchange(self._client, self.spec, url, content, key, self.breaker, limiter=self._limiter)
        probabilities = None if result.reason else read_response(result.body, self.spec, complete.n, self.classes)
        reason, detail = result.reason, result.detail
        if probabilities is not None:
            rows[usable] = probabilities
        elif not reason:
            reason, detail = "bad_response", f"{self.spec.host} gave no {self.spec.output!r} for these instances"
        if reason:
            return [Reply(rows, reason, detail, result.calls, (0, 0), result.attempts)]
        return _by_row(rows, usable, result.calls, result.attempts)


def _by_row(rows: np.ndarray, usable: np.ndarray, calls: int, attempts: int) -> list[Reply]:
    """A reply for each row of one response; the first carries its cost."""
    failures = {True: ("unparsable", "these numbers are no probabilities"), False: ("bad_input", "a number is missing")}
    replies = []
    for position, (row, complete) in enumerate(zip(rows, usable.tolist(), strict=True)):
        reason, detail = ("", "") if np.isfinite(row).all() else failures[complete]
        costs = (calls, (0, 0), attempts) if position == 0 else (0, (0, 0), 0)
        replies.append(Reply(row[None], reason, detail, *costs))
    return replies
