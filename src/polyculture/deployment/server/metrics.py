"""What does Prometheus read? Counters, histograms and gauges of one server, of all its workers together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from ..watch.alerting.gauges import GAUGES, gauge_values

if TYPE_CHECKING:
    from ..bundle.manifest import Manifest
    from .answers import BatchAnswers, RequestAnswers

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable with the folder in which workers leave their numbers; prometheus-client reads it on import."""
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The numbers of one process.

    Parameters
    ----------
    name : under which the bundle is served.
    manifest : of the bundle.
    """

    def __init__(self, name: str, manifest: Manifest) -> None:
        self.registry = CollectorRegistry()
        self._name = name
        registry: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter(
            "polyculture_requests", "Inference requests, by status code.", ["model", "protocol", "code"], **registry
        )
        self.seconds = Histogram(
            "polyculture_request_seconds", "From arrival to answer.", ["model"], buckets=SECONDS, **registry
        ).labels(name)
        self.batch_rows = Histogram(
            "polyculture_batch_rows", "Instances in one call of the graphs.", ["model"], buckets=ROWS, **registry
        ).labels(name)
        self.batch_seconds = Histogram(
            "polyculture_batch_seconds", "Duration of one call of the graphs.", ["model"], buckets=SECONDS, **registry
        ).labels(name)
        self.instances = Counter("polyculture_instances", "Instances answered.", ["model"], **registry).labels(name)
        self.disagreement = Counter(
            "polyculture_disagreement",
            "Sum over instances of the share of members that dissent.",
            ["model"],
            **registry,
        ).labels(name)
        self._answered = Counter(
            "polyculture_member_answered", "Instances that a member answered.", ["model", "member"], **registry
        )
        self._failed = Counter(
            "polyculture_member_failed", "Instances that a member did not answer.", ["model", "member"], **registry
        )
        self._cost = Counter(
            "polyculture_member_cost",
            "Price of the calls of a member that answers elsewhere, in the currency of its specification.",
            ["model", "version", "member"],
            **registry,
        )
        self._gauges(registry)
        self._codes: dict[tuple[str, int], Any] = {}
        self._members: list[tuple[Any, Any]] = []
        self._version: str | None = None
        self.use(manifest)

    def _gauges(self, registry: Mapping[str, Any]) -> None:
        def gauge(name: str, words: str, labels: Sequence[str], mode: Any) -> Gauge:
            return Gauge(name, words, ["model", *labels], multiprocess_mode=mode, **registry)

        name = self._name
        self.queue = gauge("polyculture_queue", "Requests that wait.", [], "livesum").labels(name)
        self.quorum = gauge("polyculture_quorum", "Members behind the latest answer.", [], "livemin").labels(name)
        self.least = gauge("polyculture_quorum_least", "Members that have to answer.", [], "livemax").labels(name)
        self.ready = gauge("polyculture_ready", "Whether requests are taken.", [], "livemin").labels(name)
        self.version = gauge("polyculture_bundle_info", "1 for the version that answers.", ["version"], "livemax")
        self.alarm = gauge("polyculture_alarm", "1 while an alarm is up.", ["alarm"], "livemax")
        self._watched = {n: gauge(n, words, labels, "livemostrecent") for n, (words, labels) in GAUGES.items()}

    def use(self, manifest: Manifest) -> None:
        """Count for another bundle from now on."""
        if self._version is not None:
            self.flush()
            self.version.labels(self._name, self._version).set(0)
        self._version = manifest.version
        self.version.labels(self._name, manifest.version).set(1)
        self.least.set(manifest.quorum)
        ids = manifest.ids
        self._members = [(self._answered.labels(self._name, i), self._failed.labels(self._name, i)) for i in ids]
        self._gathered = _Gathered(len(ids))

    def count(self, protocol: str, code: int, seconds: float) -> None:
        """Take a request into account that was answered or refused."""
        counter = self._codes.get((protocol, code))
        if counter is None:
            counter = self._codes[protocol, code] = self.requests.labels(self._name, protocol, str(code))
        counter.inc()
        if code == 200:
            self.seconds.observe(seconds)

    def observe(self, answers: Sequence[RequestAnswers], seconds: float) -> None:
        """Take a batch into account; counters follow when they are read."""
        rows = sum(part.stop - part.start for part in answers)
        self.batch_rows.observe(rows)
        self.batch_seconds.observe(seconds)
        gathered = self._gathered
        gathered.rows += rows
        gathered.quorum = answers[-1].batch.quorum[-1]
        for batch in {id(part.batch): part.batch for part in answers}.values():
            if batch.manifest.task != "regression":
                gathered.dissent += sum(share for share in batch.disagreement if share > 0)
            gathered.add_members(batch)

    def flush(self) -> None:
        """Let counters and gauges have what was gathered; called on the event loop."""
        gathered, self._gathered = self._gathered, _Gathered(len(self._members))
        self.instances.inc(gathered.rows)
        self.disagreement.inc(gathered.dissent)
        if gathered.quorum is not None:
            self.quorum.set(gathered.quorum)
        for (answered, failed), count, missing in zip(self._members, gathered.given, gathered.missing, strict=True):
            answered.inc(count + gathered.complete)
            failed.inc(missing)

    def spend(self, version: str, costs: Mapping[str, float]) -> None:
        """Take the price of calls into account, by member of the bundle of this version."""
        for member, cost in costs.items():
            self._cost.labels(self._name, version, member).inc(max(cost, 0.0))

    def use_status(self, status: Mapping[str, Any], alarms: Mapping[str, bool]) -> None:
        """Repeat what the watch says."""
        for alarm, is_up in alarms.items():
            self.alarm.labels(self._name, alarm).set(float(is_up))
        for value in gauge_values(status):
            self._watched[value.name].labels(self._name, *value.labels).set(value.value)

    def text(self) -> bytes:
        """All numbers in the text format of Prometheus; with several workers those of all of them."""
        if os.environ.get(FOLDER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(self.registry)


class _Gathered:
    """What was counted since the counters were written; plain numbers, as a counter takes its time.

    Parameters
    ----------
    members : their number.
    """

    def __init__(self, members: int) -> None:
        self.rows = self.complete = 0
        self.dissent = 0.0
        self.quorum: int | None = None
        self.given, self.missing = [0] * members, [0] * members

    def add_members(self, batch: BatchAnswers) -> None:
        """Count which members answered."""
        n, m = batch.members.shape[:2]
        if m != len(self.given):  # the answer of a bundle that answers no more
            return
        if min(batch.quorum, default=m) == m:
            self.complete += n
            return
        absent = np.isnan(batch.members.reshape(n, m, -1)).any(axis=2).sum(axis=0).tolist()
        self.given = [count + n - missing for count, missing in zip(self.given, absent, strict=True)]
        self.missing = [count + missing for count, missing in zip(self.missing, absent, strict=True)]
