"""How do requests share a call of the graphs? What is queued is taken at once; nobody waits for others to come.

A batcher that waits a fixed time makes a lone client wait as well. Here a call begins as soon as the one before it has
ended, with everything that came in the meantime: under load batches grow by themselves, and without load there is no
delay. Fast calls run on the event loop itself, slow ones on one thread next to it, so that the loop can go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .refusals import RefusedRequestError, sentence

log = logging.getLogger("polyculture.serve")

SLOW = 0.003
"""Seconds from which on a call leaves the event loop: the hop to a thread costs a tenth of it."""
HEAVY = 2**19
"""Bytes of the requests of a batch from which on its call leaves the event loop, whatever its number of instances."""
CONTENTION = 0.05
"""Seconds from which on waiting counts: below it is waiting for the processor, or for the interpreter's lock."""
MOST_GATHERED = 32
"""Computations that wait for others at a time."""
MEMORY = 0.2
"""Weight of the newest duration in their running mean."""


@dataclass(slots=True, eq=False)
class QueuedRequest:
    """A request that waits for its answers.

    Parameters
    ----------
    payload : what the computation reads.
    rows : number of instances.
    size : bytes; how long a text or a file takes is not a matter of their number.
    answers : set when they are there, or with the reason why there are none.
    arrival : time (of `time.perf_counter`) at which it came.
    """

    payload: Any
    rows: int
    size: int
    answers: asyncio.Future[Any]
    arrival: float = field(default_factory=time.perf_counter)


class Pace:
    """How long does a batch take? A running mean of seconds by the size of the batch, in powers of two."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def record(self, rows: int, seconds: float) -> None:
        """Take another duration into account."""
        size = rows.bit_length()
        mean = self._seconds.get(size)
        self._seconds[size] = seconds if mean is None else mean + MEMORY * (seconds - mean)

    def expected(self, rows: int) -> float:
        """Seconds that so many instances take; infinite before the first call."""
        size = rows.bit_length()
        if size in self._seconds:
            return self._seconds[size]
        smaller = [key for key in self._seconds if key < size]
        if smaller:
            return float(self._seconds[max(smaller)] * 2 ** (size - max(smaller)))
        return min(self._seconds.values(), default=float("inf"))

    def forget(self) -> None:
        """Begin anew, for another bundle."""
        self._seconds.clear()


class Batcher:
    """Gathers requests into calls of one function.

    Parameters
    ----------
    compute : from the payloads of a batch, what each of them gets: answers, or an exception. Runs on the event loop or
        on one thread, never twice at a time.
    gather : the same for payloads whose computation waits for others: a coroutine, several of which run at a time; None
        where `compute` does it.
    max_rows : most instances of a batch; a larger request is a batch of its own.
    limit : requests that wait; more are refused with 503.
    timeout : seconds after which a request that waits is refused with 504.
    observe : called on the event loop after each batch, with its requests, their results and the seconds it took.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Any]], Sequence[Any]],
        gather: Callable[[Sequence[Any]], Awaitable[Sequence[Any]] | None],
        *,
        max_rows: int,
        limit: int,
        timeout: float,
        observe: Callable[[Sequence[QueuedRequest], Sequence[Any], float], None],
    ) -> None:
        self._compute, self._gather, self._observe = compute, gather, observe
        self._max_rows, self._most, self._timeout = max_rows, limit, timeout
        self._queue: deque[QueuedRequest] = deque()
        self._pending: set[QueuedRequest] = set()
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._calls: queue.SimpleQueue[list[QueuedRequest] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="graphs", daemon=True).start()
        self._sweep: asyncio.TimerHandle | None = None
        self.pace = Pace()

    @property
    def waiting(self) -> int:
        """Number of requests in the queue."""
        return len(self._queue)

    @property
    def pending(self) -> int:
        """Number of requests that have no answers yet."""
        return len(self._pending)

    def submit(
        self, payload: Any, rows: int, arrival: float, size: int = 0, is_last: bool = False
    ) -> asyncio.Future[Any]:
        """Queue a request; the future has its answers, or the RefusedRequestError that says why there are none.

        Parameters
        ----------
        rows, size : number of instances, and bytes.
        arrival : time (of `time.perf_counter`) at which it came.
        is_last : whether no other request has been received that is not queued yet: it need not be waited for.
        """
        if len(self._queue) >= self._most:
            wrong = f"{len(self._queue):,} requests are waiting"
            raise RefusedRequestError(503, wrong, f"at most {self._most:,}", "send it again later", retry_after=1)
        request = QueuedRequest(payload, rows, size, self._loop.create_future(), arrival)
        self._queue.append(request)
        self._pending.add(request)
        if not self._busy:
            self._busy = True
            if is_last:
                self._next()
            else:
                self._loop.call_soon(self._next)  # after all that is already received has been read
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._timeout / 8, self._expire)
        return request.answers

    def _next(self) -> None:
        """Begin a batch with what is queued."""
        batch = self._taken()
        if not batch:
            self._busy = False
            return
        waiting = self._gather([request.payload for request in batch])
        if waiting is not None:
            self._wait_for(waiting, batch)
            return
        rows = sum(request.rows for request in batch)
        if self.pace.expected(rows) < SLOW and sum(request.size for request in batch) < HEAVY:
            self._finish(batch, *self._timed(batch), rows)
            return
        self._calls.put(batch)

    def _wait_for(self, waiting: Awaitable[Sequence[Any]], batch: Sequence[QueuedRequest]) -> None:
        """Let a computation that waits for others run next to others of its kind."""
        task = asyncio.ensure_future(self._gathered(waiting, batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._busy = len(self._tasks) >= MOST_GATHERED
        if self._queue and not self._busy:
            self._busy = True
            self._loop.call_soon(self._next)

    async def _gathered(self, waiting: Awaitable[Sequence[Any]], batch: Sequence[QueuedRequest]) -> None:
        start = time.perf_counter()
        try:
            results = await waiting
        except Exception as error:
            results = [error] * len(batch)
        self._finish(batch, results, time.perf_counter() - start, 0)

    def _work(self) -> None:
        """What the thread does: one batch after the other, until there is none."""
        while (batch := self._calls.get()) is not None:
            results, seconds = self._timed(batch)
            rows = sum(request.rows for request in batch)
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                self._loop.call_soon_threadsafe(self._finish, batch, results, seconds, rows)

    def _taken(self) -> list[QueuedRequest]:
        batch: list[QueuedRequest] = []
        rows = 0
        while self._queue:
            request = self._queue[0]
            if request.answers.done():  # too late, or the client has gone
                self._queue.popleft()
                self._pending.discard(request)
                continue
            if batch and rows + request.rows > self._max_rows:
                break
            batch.append(self._queue.popleft())
            rows += request.rows
        return batch

    def _results(self, batch: Sequence[QueuedRequest]) -> Sequence[Any]:
        try:
            return self._compute([request.payload for request in batch])
        except Exception as error:  # every request of the batch learns of it
            return [error] * len(batch)

    def _timed(self, batch: Sequence[QueuedRequest]) -> tuple[Sequence[Any], float]:
        """The results of a batch, and the seconds of the processor that they took, or all of them if it waited."""
        start, processor = time.perf_counter(), time.thread_time()
        results = self._results(batch)
        seconds, busy = time.perf_counter() - start, time.thread_time() - processor
        return results, seconds if seconds > CONTENTION else busy

    def _finish(self, batch: Sequence[QueuedRequest], results: Sequence[Any], seconds: float, rows: int) -> None:
        if rows:
            self.pace.record(rows, seconds)
        for request, result in zip(batch, results, strict=True):
            self._pending.discard(request)
            if request.answers.done():
                continue
            if isinstance(result, Exception):
                request.answers.set_exception(result)
            else:
                request.answers.set_result(result)
        if self._queue:
            self._loop.call_soon(self._next)
        else:
            self._busy = False
        try:
            self._observe(batch, results, seconds)
        except Exception as error:  # the answers have been given
            log.error("answers are not observed: %s: %s", type(error).__name__, sentence(error))

    def _expire(self) -> None:
        """Refuse what waits for too long."""
        self._sweep = None
        oldest = time.perf_counter() - self._timeout
        for request in [request for request in self._pending if request.arrival < oldest]:
            self._pending.discard(request)
            if not request.answers.done():
                wrong = f"there are no answers after {self._timeout:g} seconds"
                refusal = RefusedRequestError(504, wrong, "", "send it again later, or fewer instances")
                request.answers.set_exception(refusal)
        if self._pending:
            self._sweep = self._loop.call_later(self._timeout / 8, self._expire)

    def close(self) -> None:
        """Let the thread go; requests that still wait are refused."""
        if self._sweep is not None:
            self._sweep.cancel()
        refusal = RefusedRequestError(503, "the server stops", "", "send it to another one")
        for request in self._pending:
            if not request.answers.done():
                request.answers.set_exception(refusal)
        self._calls.put(None)
