"""How do answers reach the store without making the server wait? In batches, by a thread, which outlives the store.

A batch is written when 500 answers wait or the first of them has waited for 50 ms: what a process that is killed has
not written by then is lost, and nothing else. While the store is full, locked or gone, answers wait in memory, the
newest 100,000 of them; the writer tries again after .1 s, .2 s, … up to 5 s, and catches up when the store is back.
"""

from __future__ import annotations

import logging
import os
import secrets
import struct
import threading
import time as clock
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import sqlalchemy as sa

from polyculture.errors import FileError, InputError

from .columns import VersionNames, row_of
from .database import FORK_CURE
from .masking import Masking
from .records import AnswerRecord, EventRecord
from .store import Store

_LOG = logging.getLogger("polyculture.store")
_CATCH_UP = 5_000
"""Answers in one transaction at most."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_RETENTION_S = 60.0
_DELETED = 10_000
"""Answers that are deleted at most between two batches."""
_CHORES = 1_000
"""Events that wait at most."""
_UNWRITABLE = (sa.exc.DataError, sa.exc.IntegrityError, TypeError, ValueError, OverflowError, struct.error)
"""Errors of a row, not of the store: it would fail at every attempt."""

_Waiting = tuple[int, float, AnswerRecord, int]
"""Number, when it was queued, the answer, and as how many answers it counts."""


@dataclass(frozen=True)
class WriterOptions:
    """How a writer batches, waits and retains.

    Parameters
    ----------
    window_s : how long the first answer of a batch waits.
    batch : number of waiting answers that are written at once.
    backlog : number of answers that wait at most; beyond it the oldest are dropped, and counted. Where inputs are kept,
        every 1,000 bytes or so of them count as a further answer, so that memory stays bounded.
    days, rows : what the store retains (default: everything).
    """

    window_s: float | int = 0.05
    batch: int = 500
    backlog: int = 100_000
    days: float | int | None = None
    rows: int | None = None

    def __post_init__(self) -> None:
        if not (self.window_s >= 0 and 1 <= self.batch <= self.backlog):
            raise InputError(
                f"a writer with a window of {self.window_s} s, batches of {self.batch} and a backlog of {self.backlog}",
                "a window that is not negative, and 1 ≤ batch ≤ backlog",
            )


@dataclass(frozen=True)
class WriterHealth:
    """How a writer is.

    Parameters
    ----------
    state : ok; behind: more answers wait than a few batches; gone: the store cannot be written, and `reason` says why.
    url : of the store, without password.
    queued, written, dropped : answers that wait, that are in the store, and that will never be, since the start.
    refused : those of the dropped ones that no database would take.
    since : when the store went away, in seconds since 1970; None while it is there.
    reason : why it is away, or what was last refused.
    """

    state: Literal["ok", "behind", "gone"]
    url: str
    queued: int
    written: int
    dropped: int
    refused: int = 0
    since: float | None = None
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON, as `StoreStatus`."""
        return asdict(self)


class Writer:
    """A thread that writes answers in batches. `put` never waits and never fails.

    Parameters
    ----------
    store : where to; it may be away.
    options : see `WriterOptions`.
    masking : what becomes of the inputs and of masked fields (default: inputs are not kept).
    names : what the codes of the bundle's answers stand for; see `use`.

    Examples
    --------
    >>> import tempfile
    >>> from polyculture.deployment.store import AnswerRecord, Writer, open_store
    >>> store = open_store(tempfile.mkdtemp() + "/answers.sqlite")
    >>> with Writer(store) as writer:
    ...     writer.put([AnswerRecord("a", 0.0, "1", answer=1)])
    >>> writer.health().written
    1
    """

    def __init__(
        self,
        store: Store,
        options: WriterOptions | None = None,
        masking: Masking | None = None,
        names: VersionNames | None = None,
    ) -> None:
        self.store = store
        self.options = options or WriterOptions()
        self.masking = masking or Masking()
        self._maskings: dict[str, Masking] = {}
        self._number = self._written = self._dropped = self._refused = self._flush_to = 0
        self._process = os.getpid()
        self._identity = secrets.randbits(62)
        self._condition = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._batch: list[_Waiting] = []
        self._rows: list[tuple[Any, ...]] = []
        self._chores: deque[Callable[[], None]] = deque()
        self._weight = 0
        self._closing = False
        self._gone_since: float | None = None
        self._reason = ""
        self._pause = 0.0
        self._next_attempt = 0.0
        self._next_retention = clock.monotonic()
        if names is not None:
            self.use(names)
        self._thread = threading.Thread(target=self._run, name="polyculture-store", daemon=True)
        self._thread.start()

    @property
    def identity(self) -> int:
        """By which the store knows its answers."""
        return self._identity

    @property
    def _is_forked(self) -> bool:
        """Whether this is a fork of the process with the thread: here nothing is written, and locks may be held."""
        return self._process != os.getpid()

    # What the server calls

    def put(self, records: Sequence[AnswerRecord]) -> None:
        """Queue answers. If too many wait, the oldest are dropped and counted."""
        if self._is_forked:
            self._dropped += len(records)
            return
        masked = [self._maskings.get(record.version, self.masking).masked(record) for record in records]
        weights = [1 if record.inputs is None else 1 + size_of(record.inputs) // 1000 for record in masked]
        now = clock.monotonic()
        with self._condition:
            length = len(self._queue)
            if self._closing:
                self._dropped += len(masked)
                return
            for record, weight in zip(masked, weights, strict=True):
                self._number += 1
                self._queue.append((self._number, now, record, weight))
            self._weight += sum(weights)
            while self._queue and self._weight > self.options.backlog:
                self._weight -= self._queue.popleft()[3]
                self._dropped += 1
            if length == 0 or length < self.options.batch <= len(self._queue):
                self._condition.notify_all()

    def use(self, names: VersionNames, masking: Masking | None = None) -> None:
        """Say what the codes of a new bundle stand for, and what is masked; to be called before its first answer."""
        if masking is not None:
            self._maskings[names.version] = masking
        if not self._is_forked:
            self._add_chore(lambda: self.store.register(names))

    def put_event(self, event: EventRecord) -> None:
        """Queue an event; it is written with the next batch."""
        if not self._is_forked:
            self._add_chore(lambda: self.store.append_events([event]))

    def _add_chore(self, chore: Callable[[], None]) -> None:
        with self._condition:
            if len(self._chores) < _CHORES:
                self._chores.append(chore)
            self._condition.notify_all()

    def flush(self, timeout: float | int = 10.0) -> bool:
        """Wait until all that was put before is in the store, or dropped; whether that was so in time."""
        if self._is_forked:
            return False
        with self._condition:
            last = self._flush_to = self._number
            self._next_attempt = 0.0
            self._condition.notify_all()
            return self._condition.wait_for(lambda: self._is_settled(last), timeout)

    def _is_settled(self, last: int) -> bool:
        oldest = self._batch[0][0] if self._batch else self._queue[0][0] if self._queue else last + 1
        return oldest > last and not self._chores

    def close(self, timeout: float | int = 10.0) -> bool:
        """Write what waits and stop; whether all of it was written in time. What was not counts as dropped."""
        if self._is_forked:
            return False
        complete = self.flush(timeout)
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join(timeout)
        with self._condition:
            self._dropped += len(self._queue) + len(self._batch)
            self._queue.clear()
            self._batch, self._weight = [], 0
        return complete

    def health(self) -> WriterHealth:
        """How the writer is; takes no time."""
        if self._is_forked:
            fault = f"the process was forked after its writer was started; {FORK_CURE}"
            return WriterHealth("gone", self.store.name, 0, 0, self._dropped, reason=fault)
        with self._condition:
            queued = len(self._queue) + len(self._batch)
            behind = queued > max(_CATCH_UP, 4 * self.options.batch)
            return WriterHealth(
                state="gone" if self._gone_since is not None else "behind" if behind else "ok",
                url=self.store.name,
                queued=queued,
                written=self._written,
                dropped=self._dropped,
                refused=self._refused,
                since=self._gone_since,
                reason=self._reason,
            )

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What the thread does

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._closing and (wait := self._wait_s()) > 0:
                    self._condition.wait(wait)
                if self._closing:
                    return
                self._take()
            try:
                self._work()
            except Exception as error:  # the thread must outlive whatever a driver raises
                self._lose(error)

    def _wait_s(self) -> float:
        """Seconds until there is something to do; 0 for now."""
        now = clock.monotonic()
        if now < self._next_attempt:
            return self._next_attempt - now
        if self._chores or self._batch or len(self._queue) >= self.options.batch:
            return 0.0
        waits = [_RETENTION_S]
        if self._queue:
            number, queued_at, _, _ = self._queue[0]
            waits.append(0.0 if number <= self._flush_to else queued_at + self.options.window_s - now)
        if self._retains:
            waits.append(self._next_retention - now)
        return max(0.0, min(waits))

    @property
    def _retains(self) -> bool:
        return self.options.days is not None or self.options.rows is not None

    def _take(self) -> None:
        """Move the oldest answers from the queue to the batch, unless a batch is still to be written."""
        if not self._batch:
            weight = 0
            while self._queue and weight < _CATCH_UP:
                weight += self._queue[0][3]
                self._batch.append(self._queue.popleft())

    def _work(self) -> None:
        if not self._rows:
            rows = [self._row(number, record) for number, _, record, _ in self._batch]
            with self._condition:
                self._weight -= sum(w[3] for w, row in zip(self._batch, rows, strict=True) if row is None)
                self._batch = [waiting for waiting, row in zip(self._batch, rows, strict=True) if row is not None]
            self._rows = [row for row in rows if row is not None]
        while self._chores:
            self._attempt(self._chores[0])
            with self._condition:
                self._chores.popleft()
        self._write_batch()
        with self._condition:
            self._gone_since, self._pause = None, 0.0
            self._reason = self._reason if self._refused else ""
            self._condition.notify_all()
        if self._retains and clock.monotonic() >= self._next_retention:
            self._retain()

    def _row(self, number: int, record: AnswerRecord) -> tuple[Any, ...] | None:
        try:
            return row_of(self._identity, number, record)
        except (AttributeError, *_UNWRITABLE) as error:
            self._refuse(error)
            return None

    def _write_batch(self) -> None:
        """Write the batch; where the database refuses a row of it, the others around it."""
        size = len(self._rows)
        while self._rows:
            try:
                self.store.write(self._rows[:size], self._dropped)
            except (FileError, *_UNWRITABLE) as error:
                if not isinstance(error.__cause__ or error, _UNWRITABLE):
                    raise
                if size == 1:
                    self._refuse(error)
                    self._complete(1)
                size = max(1, size // 2)
                continue
            with self._condition:
                self._written += min(size, len(self._rows))
                self._complete(size)
            size *= 2

    def _complete(self, size: int) -> None:
        """Take the first rows off the batch."""
        with self._condition:
            self._weight -= sum(waiting[3] for waiting in self._batch[:size])
            del self._rows[:size], self._batch[:size]
            self._condition.notify_all()

    def _attempt(self, chore: Callable[[], None]) -> None:
        """Do a chore; one that would fail at every attempt is left out."""
        try:
            chore()
        except (FileError, *_UNWRITABLE) as error:
            if not isinstance(error.__cause__ or error, _UNWRITABLE):
                raise
            _LOG.warning("an event was not written: %s", error)

    def _refuse(self, error: Exception) -> None:
        with self._condition:
            self._dropped += 1
            self._refused += 1
            self._reason = f"an answer was refused: {error}"

    def _lose(self, error: Exception) -> None:
        """The store is away: try again later."""
        self.store.database.forget()
        with self._condition:
            if self._gone_since is None:
                self._gone_since = clock.time()
                _LOG.warning("answers wait in memory: %s", error)
            self._reason = str(error)
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            self._next_attempt = clock.monotonic() + self._pause

    def _retain(self) -> None:
        options = self.options
        deleted = 0
        try:
            deleted = self.store.retain(options.days, options.rows, limit=_DELETED)
        except FileError as error:
            _LOG.warning("old answers were not deleted: %s", error)
        self._next_retention = clock.monotonic() + (0.0 if deleted >= _DELETED else _RETENTION_S)


def size_of(value: Any) -> int:
    """About how many bytes of memory a value takes: of a long list as many as its first part suggests."""
    if isinstance(value, Mapping):
        return sum(100 + size_of(part) for part in value.values())
    if isinstance(value, (list, tuple)):
        return len(value) * (8 + size_of(value[0])) if value else 56
    return int(getattr(value, "nbytes", 0)) or (len(value) if isinstance(value, (str, bytes)) else 32)
