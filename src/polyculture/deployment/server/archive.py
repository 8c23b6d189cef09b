"""Where do answers go once they are given? To the store, and to the watch that looks at each of them as it comes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from polyculture.errors import FileError

from .colleagues import Colleagues, stores_together
from .labels import HandedLabels
from .options import ServerOptions
from .refusals import RefusedRequestError

if TYPE_CHECKING:
    from ..bundle.bundle import Bundle
    from ..store.columns import StoredAnswers
    from ..store.records import AnswerRecord
    from ..watch.live import AlarmChange

log = logging.getLogger("polyculture.serve")

OVERLAP = 10.0
"""Seconds before the last look from which on labels are looked for again: an answer may be written after its label."""
MOST_SHOWN = 100_000
"""Labels that are remembered as shown."""


class AnswerArchive:
    """The store of a server, and its watch.

    Parameters
    ----------
    options : which store, and whether inputs are kept.
    bundle : whose answers come.
    colleagues : workers that write to the same store, of which one watches for all; None where each is by itself.
    """

    def __init__(self, options: ServerOptions, bundle: Bundle, colleagues: Colleagues | None = None) -> None:
        self._options, self._colleagues = options, colleagues
        self.watches = colleagues is None or colleagues.watches
        self._position: dict[int, int] = {}
        self._lock = threading.Lock()
        self._looked = time.time()
        self._shown: dict[str, None] = {}
        self._watch: Any = None
        self._writer: Any = None
        self._sender = _webhook_sender(options.webhooks, bundle.manifest.name)
        if options.store is not None:
            self._open(options.store)
        self.use(bundle)

    def _open(self, url: str) -> None:
        from ..store import Masking, Store, Writer, WriterOptions, open_store
        from ..store.store import DEFAULT_URL

        try:
            store = open_store(url or DEFAULT_URL)
        except FileError as error:  # it may come back; answers wait for it
            log.warning("the store is away: %s", error)
            store = Store(url or DEFAULT_URL)
        retention = WriterOptions(days=self._options.keep_days, rows=self._options.keep_rows)
        self._writer = Writer(store, retention, Masking(keep_inputs=self._options.keep_inputs))

    def use(self, bundle: Bundle) -> None:
        """Expect the answers of another bundle from now on."""
        if self.watches:
            from ..watch.live import LiveWatch

            self._watch = LiveWatch(bundle.manifest, bundle.reference, on_change=self._changed)
        self.name(bundle)

    def name(self, bundle: Bundle) -> None:
        """Tell the store what the codes of this bundle's answers stand for."""
        if self._writer is not None:
            from ..store import Masking

            masked = bundle.manifest.masked
            masking = Masking(masked, keep_inputs=self._options.keep_inputs, profile=bundle.profile_names)
            self._writer.use(self._names(bundle), masking)

    @staticmethod
    def _names(bundle: Bundle) -> Any:
        from ..store.columns import VersionNames

        manifest = bundle.manifest
        return VersionNames(manifest.version, manifest.task, manifest.classes, manifest.ids)

    @property
    def sinks(self) -> list[Callable[[Sequence[AnswerRecord]], None]]:
        """Who gets every record."""
        watching = [self._watch_records] if self.watches else []
        return [*watching, *([self._writer.put] if self._writer is not None else [])]

    def _watch_records(self, records: Sequence[AnswerRecord]) -> None:
        watch = self._watch
        if not records[0].shadow and records[0].version == watch.manifest.version:  # not of a bundle that has gone
            watch.observe(records)

    def label(self, handed: HandedLabels) -> dict[str, Any]:
        """Take true labels; blocks until the store has them."""
        if self._writer is None:
            matched = self._watch.label(handed.ids, handed.labels)
            sentence = f"There is no store; the watch knows {matched:,} of {len(handed.ids):,} ids."
            return {"sentence": sentence, "matched": matched, "pending": 0}
        try:
            report = self._writer.store.label(handed.ids, handed.labels, handed.times)
        except FileError as error:
            raise RefusedRequestError(503, error.wrong, error.expected, error.cure, retry_after=5) from error
        self.follow()
        return {"sentence": report.sentence, "matched": report.matched, "pending": report.pending}

    def follow(self) -> None:
        """Show the watch what the store has got, from whomever: answers of other workers, and labels."""
        if self._writer is None or not self.watches:
            return
        with self._lock:
            start = time.time()
            try:
                self._follow_answers()
                for part in self._writer.store.labelled_since(self._looked - OVERLAP):
                    self._follow_answers()  # none of these labels comes before its answer
                    self._show(part)
            except FileError:
                return  # the writer says that the store is away
            self._looked = start

    def _follow_answers(self) -> None:
        """Show the watch what other workers have answered, each answer once."""
        if self._colleagues is None:
            return
        from ..watch.stored import observe_stored

        writers = {int(report["writer"]) for report in self._colleagues.others()}
        store = self._writer.store
        if writers - set(self._position):  # new ones, or all of them where this worker was started again
            latest = store.position()
            for writer in writers - set(self._position):
                self._position[writer] = max(0, latest.get(writer, 0) - MOST_SHOWN)
        for piece in store.following(self._position, writers=writers):
            self._shown.update(dict.fromkeys(observe_stored(self._watch, piece)))

    def _show(self, part: StoredAnswers) -> None:
        """Show the watch labels that it has not been shown before."""
        labels = part.label_values if part.names.task == "regression" else part.labels
        labels_by_id = {
            str(name): label for name, label in zip(part.ids, labels.tolist(), strict=True) if name not in self._shown
        }
        if labels_by_id:
            self._watch.label(list(labels_by_id), list(labels_by_id.values()))
        self._shown.update(dict.fromkeys(labels_by_id))
        while len(self._shown) > MOST_SHOWN:
            del self._shown[next(iter(self._shown))]

    def tell(self, counts: Mapping[str, Mapping[str, Any]]) -> None:
        """Let the other workers know what this one counts, and what the watch says."""
        if self._colleagues is not None:
            self._colleagues.say({**counts, "writer": self._writer.identity, "store": self._health()})
            if self.watches:
                self._colleagues.publish(self._watch.status())

    def others(self) -> list[dict[str, Any]]:
        """What the other workers count."""
        return self._colleagues.others() if self._colleagues is not None else []

    def status(self) -> dict[str, Any]:
        """What the watch says, and how the store is."""
        watched = self._watch.status() if self._colleagues is None else self._colleagues.watched()
        return {**watched, "store": self._stores()}

    def _stores(self) -> dict[str, Any]:
        return self._health() if self._colleagues is None else stores_together(self._health(), self.others())

    def _health(self) -> dict[str, Any]:
        """How the store is to this worker."""
        return self._writer.health().as_dict() if self._writer is not None else {"state": "off"}

    def alarms(self) -> dict[str, bool]:
        """By name of an alarm whether it is up."""
        names = set(self._watch.alarms_up)
        return {watched.name: watched.name in names for watched in self._watch.watched}

    def _changed(self, change: AlarmChange) -> None:
        """Note that an alarm went up or down, and tell those who asked for it."""
        log.warning("alarm %s %s: %s", change.name, "is up" if change.up else "is over", change.why)
        self.event(change.time, "alarm" if change.up else "recovery", change.name)
        if self._sender is not None:
            self._sender.put(change)

    def event(self, moment: float, kind: str, name: str) -> None:
        """Note something that happened to the server."""
        if self._writer is not None:
            from ..store.records import EventRecord

            self._writer.put_event(EventRecord(moment, kind, name))

    def close(self) -> None:
        """Write what waits, and send it."""
        if self._sender is not None:
            self._sender.close(5.0)
        if self._writer is not None and not self._writer.close():
            log.warning("some answers could not be written: %s", self._writer.health().reason)


def _webhook_sender(urls: Sequence[str], name: str) -> Any:
    """Sends changes of alarms to these addresses; None for none."""
    if not urls:
        return None
    from ..watch.alerting.webhooks import Webhook, WebhookSender

    return WebhookSender([Webhook(url) for url in urls], name)
