"""In which order are the calls made? All within each judge's limits, or judge after judge until it is decided."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from polyculture.studies.progress import Progress

from ..remote.answer import SERVICE_FAILURES
from .ledger import CallKey, CallRecord, Ledger
from .stopping import StoppingRule
from .verdicts import order_codes, verdict_codes

Ask = Callable[[CallKey], Awaitable[CallRecord]]


@dataclass(eq=False)
class Interview:
    """The calls that a panel needs, made once each.

    Parameters
    ----------
    ledger : where outcomes go, and come from.
    ask : makes one call; never raises.
    judges, ids : in the order in which they are asked.
    shape : orders, repeats, classes.
    tie : position of the class that says tie, or -1.
    passes : times that a call is made if the service fails.
    progress : called after every call.
    """

    ledger: Ledger
    ask: Ask
    judges: Sequence[str]
    ids: Sequence[str]
    shape: tuple[int, int, int]
    tie: int = -1
    passes: int = 3
    progress: Progress | None = None
    finished: int = field(default=0, init=False)

    def keys(self, judge: str, item: str) -> list[CallKey]:
        """The calls about an item that a judge is asked."""
        orders, repeats, _ = self.shape
        return [CallKey(judge, item, order + 1, r + 1) for order in range(orders) for r in range(repeats)]

    async def all_of(self, ids: Sequence[str], concurrency: Mapping[str, int]) -> None:
        """Ask all judges about these items; each judge at most as many at a time as it allows."""
        calls = {judge: iter([key for item in ids for key in self.keys(judge, item)]) for judge in self.judges}
        await _together(self._work(calls[judge]) for judge in self.judges for _ in range(concurrency[judge]))

    async def in_sequence(self, ids: Sequence[str], rule: StoppingRule, workers: int) -> None:
        """Ask judge after judge about each of these items until the rule says that it is decided."""
        items = iter(ids)
        await _together(self._decide(items, rule) for _ in range(workers))

    async def answer(self, key: CallKey) -> CallRecord:
        """The outcome of a call: from the ledger where it was paid for, else from the judge."""
        record = self.ledger.records.get(key)
        if record is None or not record.paid:
            for _ in range(self.passes):
                self.ledger.start(key)
                record = await self.ask(key)
                self.ledger.finish(record)
                if record.reason not in SERVICE_FAILURES:
                    break
        self._advance(1, key.judge)
        assert record is not None
        return record

    async def _work(self, calls: Iterator[CallKey]) -> None:
        for key in calls:
            await self.answer(key)

    async def _decide(self, items: Iterator[str], rule: StoppingRule) -> None:
        for item in items:
            counts = np.zeros(rule.classes, int)
            for asked, judge in enumerate(self.judges, 1):
                await asyncio.gather(*(self.answer(key) for key in self.keys(judge, item)))
                vote = self._vote(judge, item)
                if vote >= 0:
                    counts[vote] += 1
                if rule.stops(counts, asked):
                    self._advance((len(self.judges) - asked) * len(self.keys(judge, item)), "")
                    break

    def _vote(self, judge: str, item: str) -> int:
        codes = order_codes(self.ledger.records, [judge], [item], self.shape)
        return int(verdict_codes(codes, self.tie)[0, 0])

    def _advance(self, calls: int, judge: str) -> None:
        self.finished += calls
        if self.progress is not None:
            total = len(self.judges) * len(self.ids) * self.shape[0] * self.shape[1]
            self.progress("asking", self.finished, total, judge)


async def _together(work: Iterable[Awaitable[None]]) -> None:
    """All of these at once; the first error stops the others."""

    async def run(part: Awaitable[None]) -> None:
        await part

    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(run(part))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
