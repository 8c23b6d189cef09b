"""What does the server do, whichever protocol a request comes by? Check it, queue it, answer it, record it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyculture.errors import InputError

from .answers import RequestAnswers
from .archive import AnswerArchive
from .batching import Batcher, QueuedRequest
from .colleagues import counted_together
from .engine import Engine, freeze_memory
from .labels import HandedLabels
from .metrics import Metrics
from .options import ServerOptions
from .page.status import SCHEMA as STATUS_SCHEMA
from .protocol.explanations import MOST_AT_ONCE, budget_of
from .protocol.requests import InferRequest
from .recording import IdMaker, RecordedRequest, Recorder, groups_of, ids_of
from .refusals import RefusedRequestError, excerpt
from .shadow import Challenger

if TYPE_CHECKING:
    from ..bundle.manifest import Manifest
    from .elsewhere import ScatteredMembers

log = logging.getLogger("polyculture.serve")

LARGE = 512
"""Instances from which on records are made next to the event loop, which goes on."""


class Service:
    """A bundle that answers, on an event loop.

    Parameters
    ----------
    engine : the bundle, loaded.
    options : how it is served.
    archive : where the answers go.
    challenger : a bundle in shadow mode; None for none.
    """

    def __init__(
        self, engine: Engine, options: ServerOptions, archive: AnswerArchive, challenger: Challenger | None = None
    ) -> None:
        self.engine, self.options, self.archive, self.challenger = engine, options, archive, challenger
        self.recorder = Recorder(archive.sinks, options.keep_inputs)
        self.name = engine.manifest.name
        self.started = time.time()
        self.draining = False
        self._explaining = 0
        self.scope = ""
        self.answered = self.refused = self.failed = 0
        self.metrics = Metrics(self.name, engine.manifest)
        self.ids = IdMaker()
        self._swapping = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._chores: set[asyncio.Task[None]] = set()
        self._retired: set[Engine] = set()
        self._batcher = Batcher(
            self._compute,
            self._gather,
            max_rows=options.max_batch,
            limit=options.queue,
            timeout=options.timeout,
            observe=self._observe,
        )
        self.metrics.ready.set(1)

    @property
    def version(self) -> str:
        """Version of the bundle that answers now."""
        return self.engine.manifest.version

    @property
    def pending(self) -> int:
        """Requests that have no answers yet."""
        return self._batcher.pending

    def check_model(self, name: str, version: str = "") -> None:
        """Refuse another model, or another version of it, than the one that is served."""
        if name != self.name:
            raise RefusedRequestError(404, f"there is no model {excerpt(name)}", f"the model {self.name!r}")
        if version and version != self.version:
            wrong = f"the model {name!r} has no version {excerpt(version)}"
            raise RefusedRequestError(404, wrong, f"version {self.version!r}, or none")

    async def infer(self, request: InferRequest, arrival: float, is_last: bool = False) -> RequestAnswers:
        """The answers to a request; RefusedRequestError says why there are none.

        Parameters
        ----------
        arrival : time (of `time.perf_counter`) at which it came.
        is_last : whether no other request has been received that is not queued yet.
        """
        rows, parameters = request.rows, request.parameters
        if rows > self.options.max_rows:
            wrong = f"the request has {rows:,} instances"
            raise RefusedRequestError(413, wrong, f"at most {self.options.max_rows:,}", "send fewer at a time")
        ids, groups, budget, engine = None, [], 0.0, self.engine
        if parameters:
            budget = budget_of(parameters, engine.manifest)
            if budget and self._explaining >= MOST_AT_ONCE:
                wrong = f"{MOST_AT_ONCE} explanations are under way"
                raise RefusedRequestError(503, wrong, "fewer", "send it again later", retry_after=1)
            ids, groups = ids_of(parameters, rows), groups_of(parameters, rows)
        record = RecordedRequest(request.tensors, rows, arrival, ids or self.ids(rows), groups)
        answers: RequestAnswers = await self._batcher.submit(record, rows, arrival, request.size, is_last)
        answers.ids = record.ids
        if budget:
            seconds = min(budget, self.options.timeout / 2)
            answers.explanation = await self._explain(engine, request, answers, seconds)
        return answers

    async def _explain(
        self, engine: Engine, request: InferRequest, answers: RequestAnswers, seconds: float
    ) -> dict[str, Any]:
        """What the set looked at, by the bundle that answered; the event loop goes on."""
        if answers.batch.manifest is not engine.manifest:  # swapped while the request waited
            engine = self.engine
        self._explaining += 1
        try:
            explain = partial(engine.explain, request.tensors, answers, seconds)
            return await self._loop.run_in_executor(None, explain)
        finally:
            self._explaining -= 1

    def count(self, protocol: str, code: int, rows: int, seconds: float) -> None:
        """Take a request into account that was answered or refused."""
        if code == 200:
            self.answered += rows
        elif code == 503:
            self.refused += 1
        elif code >= 500:
            self.failed += 1
        self.metrics.count(protocol, code, seconds)

    def _compute(self, records: Sequence[RecordedRequest]) -> Sequence[RequestAnswers | Exception]:
        return self.engine.compute([record.tensors for record in records])

    def _gather(self, records: Sequence[RecordedRequest]) -> Awaitable[Sequence[Any]] | None:
        engine = self.engine
        return None if engine.scattered is None else engine.gather([record.tensors for record in records])

    def _observe(self, batch: Sequence[QueuedRequest], results: Sequence[Any], seconds: float) -> None:
        """After the answers of a batch have been handed out."""
        answers = [result for result in results if isinstance(result, RequestAnswers)]
        if not answers:
            return
        self.metrics.observe(answers, seconds)
        records = [request.payload for request in batch]
        if sum(request.rows for request in batch) > LARGE:
            self._loop.run_in_executor(None, self.recorder.record, records, results)
        else:
            self.recorder.record(records, results)
        if self.challenger is not None:
            self.challenger.submit(records)

    async def swap(self, path: Path) -> str:
        """Answer with another bundle from now on; what is under way is answered by the one before.

        The new one is checked, loaded and warmed up first: FileError says why it cannot be served, InputError that
        it is of another task or modality, and nothing has changed. Returns its version.
        """
        async with self._swapping:
            loop = asyncio.get_running_loop()
            engine = await loop.run_in_executor(None, Engine.load, path, self.options.max_batch)
            _check_kind(engine.manifest, self.engine.manifest)
            self.archive.use(engine.bundle)
            former, self.engine = self.engine, engine
            self._batcher.pace.forget()
            self.metrics.use(engine.manifest)
            self.archive.event(time.time(), "swap", engine.manifest.version)
            self._retire(former)
            freeze_memory()
            log.info(
                "serving %s %s in place of %s", engine.manifest.name, engine.manifest.version, former.manifest.version
            )
            return engine.manifest.version

    def label(self, handed: HandedLabels) -> dict[str, Any]:
        """Take true labels of answers; blocks until the store has them."""
        return self.archive.label(handed)

    def status(self) -> dict[str, Any]:
        """What `GET /status` says; see `ServerStatus`."""
        status, reports = self.archive.status(), [self.report(), *self.archive.others()]
        costs = counted_together(reports, f"costs {self.version}")
        reasons = {name: reason for report in reports[::-1] for name, reason in report["reasons"].items()}
        if costs or reasons:
            status["members"] = [_elsewhere(member, reasons, costs) for member in status.get("members", ())]
        return status | {
            "schema": STATUS_SCHEMA,
            "time": time.time(),
            "name": self.name,
            "version": self.version,
            "started": min(report["started"] for report in reports),
            "challenger": self.challenger.version if self.challenger is not None else "",
            "scope": self.scope,
            "requests": counted_together(reports, "requests"),
        }

    def report(self) -> dict[str, Any]:
        """What this process counts, for the status of all workers."""
        scattered = self.engine.scattered
        return {
            "started": self.started,
            "requests": {"answered": self.answered, "refused": self.refused, "failed": self.failed},
            "reasons": dict(scattered.reasons) if scattered is not None else {},
            f"costs {self.version}": scattered.costs if scattered is not None else {},
        }

    def follow(self) -> None:
        """Look what other workers have answered and which labels have come, and tell them; may take a while."""
        self.archive.follow()
        self.archive.tell(self.report())

    def metrics_text(self) -> bytes:
        """What `GET /metrics` says, after `flush_metrics`; may take a while."""
        self.refresh_metrics()
        return self.metrics.text()

    def flush_metrics(self) -> None:
        """Let the counters have what was gathered; on the event loop."""
        self.metrics.queue.set(self._batcher.waiting)
        self.metrics.flush()
        challengers = [self.challenger.engine] if self.challenger is not None else []
        for engine in (self.engine, *challengers, *self._retired):
            if engine.scattered is not None:
                self.metrics.spend(engine.manifest.version, engine.scattered.take_costs())

    def refresh_metrics(self) -> None:
        """Let the gauges repeat what the watch says now; may take a while."""
        if self.archive.watches:
            self.metrics.use_status(self.archive.status(), self.archive.alarms())

    def _retire(self, engine: Engine) -> None:
        """Close the connections of a bundle that answers no more, once its last answers are given."""
        if engine.scattered is not None:
            self._retired.add(engine)
            self._loop.call_later(self.options.timeout, self._discard, engine, engine.scattered)

    def _discard(self, engine: Engine, scattered: ScatteredMembers) -> None:
        self.flush_metrics()  # its last calls have their price, too
        self._retired.discard(engine)
        self._chores.add(self._loop.create_task(scattered.aclose()))

    def drain(self) -> None:
        """Say that no more requests should be sent here."""
        self.draining = True
        self.metrics.ready.set(0)

    def close(self) -> None:
        """Stop; what still waits is refused, and what was answered is written."""
        self._batcher.close()
        if self.challenger is not None:
            self.challenger.close()
        self.archive.close()


def _elsewhere(member: dict[str, Any], reasons: Mapping[str, str], costs: Mapping[str, float]) -> dict[str, Any]:
    """The status of a member with what it cost, and the reason why it did not answer the latest instances."""
    name = member["id"]
    member = member | {"cost": costs[name]} if name in costs else member
    return member | {"reason": reasons[name]} if reasons.get(name) else member


def _check_kind(manifest: Manifest, former: Manifest) -> None:
    """Refuse a bundle of which clients could make nothing."""
    kind, expected = (f"{m.task} of {m.modality}" for m in (manifest, former))
    if kind != expected:
        raise InputError(f"the bundle {manifest.name!r} is a {kind}", f"a {expected}", "start another server for it")
