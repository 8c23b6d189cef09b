"""What becomes of answers once they are listed? Records for the store and the watch, and nothing that delays others."""

from __future__ import annotations

import itertools
import logging
import math
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from .answers import BatchAnswers, RequestAnswers
from .inputs import plain_inputs
from .refusals import excerpt, malformed, sentence

if TYPE_CHECKING:
    import numpy as np

    from ..store.records import AnswerRecord

log = logging.getLogger("polyculture.serve")

LONGEST_ID = 128
MOST_GROUPS = 32


class RecordSink(Protocol):
    """Something that takes records without waiting, such as `Writer.put` or `LiveWatch.observe`."""

    def __call__(self, records: Sequence[AnswerRecord], /) -> None: ...


@dataclass(slots=True, eq=False)
class RecordedRequest:
    """A request with what is kept of it.

    Parameters
    ----------
    tensors : by name; what is encoded, and what is kept where inputs are.
    rows : number of instances.
    arrival : time (of `time.perf_counter`) at which it came.
    ids : of its instances.
    groups : of each instance by column; empty, one for all instances, or one for each.
    """

    tensors: Mapping[str, np.ndarray]
    rows: int
    arrival: float
    ids: Sequence[str]
    groups: Sequence[Mapping[str, str]] = field(default_factory=tuple)


class IdMaker:
    """Makes ids that no other process makes, in the order of time."""

    def __init__(self) -> None:
        self._prefix = f"{int(time.time()):x}{secrets.token_hex(3)}{os.getpid() & 0xFFFF:x}-"
        self._numbers = itertools.count()

    def __call__(self, rows: int) -> list[str]:
        prefix, numbers = self._prefix, self._numbers
        return [f"{prefix}{next(numbers):x}" for _ in range(rows)]


def ids_of(parameters: Mapping[str, Any], rows: int) -> list[str] | None:
    """The ids that a client gives its instances by the parameter ``ids``; None where it gives none."""
    listed = _listed(parameters.get("ids"))
    if listed is None:
        return None
    ids = listed if isinstance(listed, list) else [listed]
    if len(ids) != rows or not all(isinstance(i, str) and 0 < len(i) <= LONGEST_ID for i in ids):
        raise malformed(f"the ids are {excerpt(listed)}", f"{rows} texts of up to {LONGEST_ID} characters")
    return ids


def groups_of(parameters: Mapping[str, Any], rows: int) -> list[dict[str, str]]:
    """The groups of each instance, from the parameter ``groups``: by column a value, or one per instance."""
    listed = _listed(parameters.get("groups"))
    if listed is None:
        return []
    if not isinstance(listed, dict) or len(listed) > MOST_GROUPS:
        raise malformed(f"the groups are {excerpt(listed)}", 'an object such as {"site": "A"}')
    columns = {}
    for name, value in listed.items():
        values = value if isinstance(value, list) else [value] * rows
        if len(values) != rows or not all(isinstance(v, (str, int, float)) for v in values):
            raise malformed(f"the groups of {excerpt(name)} are {excerpt(value)}", f"a text, or {rows} of them")
        columns[name] = [str(v)[:LONGEST_ID] for v in values]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _listed(value: Any) -> Any:
    """A list or an object that gRPC carries as a text of JSON."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


class Recorder:
    """Hands records to those who keep or watch them.

    Parameters
    ----------
    sinks : each gets all records of a batch; one that fails is reported once and not asked again until it is renewed.
    keep_inputs : whether records have the inputs.
    """

    def __init__(self, sinks: Sequence[RecordSink] = (), keep_inputs: bool = False) -> None:
        self.sinks: list[RecordSink] = list(sinks)
        self.keep_inputs = keep_inputs
        self._faults: set[str] = set()

    def record(
        self, requests: Sequence[RecordedRequest], results: Sequence[RequestAnswers | Exception], shadow: bool = False
    ) -> None:
        """Make the records of a batch and hand them on."""
        if not self.sinks:
            return
        now, moment = time.time(), time.perf_counter()
        records: list[AnswerRecord] = []
        for request, result in zip(requests, results, strict=True):
            if isinstance(result, RequestAnswers):
                records += self._records(request, result, now, moment, shadow)
        if not records:
            return
        for sink in self.sinks:
            try:
                sink(records)
            except Exception as error:  # answers are worth more than their records
                self._report(sink, error)

    def _report(self, sink: RecordSink, error: Exception) -> None:
        fault = f"{getattr(sink, '__qualname__', sink)}: {type(error).__name__}"
        if fault not in self._faults:
            self._faults.add(fault)
            log.error("answers are not recorded: %s: %s", fault, sentence(error))

    def _records(
        self, request: RecordedRequest, result: RequestAnswers, now: float, moment: float, shadow: bool
    ) -> list[AnswerRecord]:
        from ..store.records import AnswerRecord

        batch, version = result.batch, result.batch.manifest.version
        latency = (moment - request.arrival) * 1000
        regression, nested = batch.manifest.task == "regression", batch.manifest.task == "tagging"
        groups = request.groups
        records = []
        for row in range(request.rows):
            place = result.start + row
            code = batch.codes[place]
            records.append(
                AnswerRecord(
                    request.ids[row],
                    now,
                    version,
                    -1 if nested else code,
                    math.nan if nested else batch.confidence[place],
                    float(batch.combined[place, 0]) if regression else math.nan,
                    () if regression or nested else tuple(batch.member_answers[place]),
                    tuple(batch.members[place, :, 0].tolist()) if regression else (),
                    batch.disagreement[place],
                    batch.quorum[place],
                    latency,
                    groups[row] if groups else {},
                    tuple(batch.profile[place]) if batch.profile else (),
                    self._inputs(batch, request, row) if self.keep_inputs else None,
                    shadow,
                )
            )
        return records

    def _inputs(self, batch: BatchAnswers, request: RecordedRequest, row: int) -> dict[str, Any]:
        return plain_inputs(batch.manifest, request.tensors, row)
