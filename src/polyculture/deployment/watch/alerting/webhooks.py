"""How does somebody hear of an alarm? By a webhook: the API of Alertmanager, or plain JSON; with retries.

What could not be delivered is written down, and said in one sentence.
"""

from __future__ import annotations

import json
import queue
import threading
import time as clock
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyculture.errors import InputError, need

if TYPE_CHECKING:
    from ..live import AlarmChange

SCHEMA = 1
ALERTMANAGER = "/api/v2/alerts"
"""End of the address of Alertmanager's API; alerts are posted in its format there."""
SEVERITIES = {"quorum": "critical", "all_wrong": "critical", "error": "critical"}
"""Severity by the kind of the alarm; "warning" for the others."""
LONGEST_WAIT = 60.0
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
MOST_QUEUED = 1_000


@dataclass(frozen=True)
class Webhook:
    """Where changes of alarms are sent, and how patiently.

    Parameters
    ----------
    url : ``http://…`` or ``https://…``; one that ends in ``/api/v2/alerts`` gets Alertmanager's format.
    attempts : at most, at least 1.
    backoff : seconds before the second attempt, doubled before each further one; a ``Retry-After`` counts if longer.
    timeout : seconds of one attempt.
    dead_letters : file to which undelivered changes are appended, as JSON lines; none if None.

    Raises InputError for another kind of URL.
    """

    url: str
    attempts: int = 5
    backoff: float = 0.5
    timeout: float = 5.0
    dead_letters: Path | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise InputError(f"the webhook {self.url!r}", "an address such as https://host/path")
        if self.attempts < 1:
            raise InputError(f"{self.attempts} attempts", "at least 1")

    def payload(self, changes: Sequence[AlarmChange], bundle: str = "") -> Any:
        """The JSON that is posted."""
        if self.url.split("?")[0].rstrip("/").endswith(ALERTMANAGER):
            return [alertmanager_alert(change, bundle) for change in changes]
        return {"source": "polyculture", "schema": SCHEMA, "bundle": bundle, "alarms": [plain(c) for c in changes]}

    def send(self, changes: Sequence[AlarmChange], bundle: str = "") -> str:
        """Post changes of alarms; returns "" if they were taken, else why not, in a sentence.

        Parameters
        ----------
        bundle : name of the bundle.

        Blocks for as long as the attempts take. Failures that may pass (no connection, 429, 5xx) are tried again.
        """
        if not changes:
            return ""
        need("httpx", extra="serve")
        import httpx

        content, reason, wait = json.dumps(self.payload(changes, bundle)).encode(), "", self.backoff
        headers = {"Content-Type": "application/json", "User-Agent": "polyculture"}
        for attempt in range(1, self.attempts + 1):
            pause = wait
            try:
                response = httpx.post(self.url, content=content, headers=headers, timeout=self.timeout)
                if response.is_success:
                    return ""
                reason = f"it answered {response.status_code}"
                if response.status_code not in TRANSIENT:
                    return self._bury(changes, bundle, f"{reason} after {attempt} attempt{'s' if attempt > 1 else ''}")
                pause = max(wait, _seconds(response.headers.get("Retry-After", "")))
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = f"{type(error).__name__}: {error}"
            if attempt < self.attempts:
                clock.sleep(min(pause, LONGEST_WAIT))
            wait *= 2
        return self._bury(changes, bundle, f"{reason} after {self.attempts} attempts")

    def _bury(self, changes: Sequence[AlarmChange], bundle: str, reason: str) -> str:
        """Write down what could not be delivered."""
        sentence = (
            f"The webhook {self.url} did not take {len(changes)} change{'s' if len(changes) > 1 else ''}: {reason}."
        )
        if self.dead_letters is None:
            return sentence
        line = {"url": self.url, "reason": reason, "bundle": bundle, "alarms": [plain(c) for c in changes]}
        with self.dead_letters.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        return f"{sentence[:-1]}; they are in {self.dead_letters}."


def plain(change: AlarmChange) -> dict[str, Any]:
    """A change of an alarm as JSON, with its time in words."""
    return {**asdict(change), "at": _stamp(change.time)}


def alertmanager_alert(change: AlarmChange, bundle: str = "") -> dict[str, Any]:
    """A change of an alarm as an alert of Alertmanager's API v2; one that is down again has an end."""
    kind = change.name.partition(":")[0]
    name = "Polyculture" + "".join(word.capitalize() for word in kind.split("_"))
    labels = {"alertname": name, "alarm": change.name, "bundle": bundle, "severity": SEVERITIES.get(kind, "warning")}
    annotations = {"summary": change.title, "description": change.why, "runbook": change.action}
    ends = {} if change.up else {"endsAt": _stamp(change.time)}
    starts = {"startsAt": _stamp(change.time)} if change.up else {}
    return {"labels": {k: v for k, v in labels.items() if v}, "annotations": annotations, **starts, **ends}


def _stamp(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat().replace("+00:00", "Z")


def _seconds(text: str) -> float:
    """The seconds of a ``Retry-After``; 0 where it is a date or nothing."""
    return float(text) if text.isascii() and text.isdigit() else 0.0


class WebhookSender:
    """Sends changes of alarms in a thread of its own, so that nobody waits: `put` fits `LiveWatch(on_change=…)`.

    Parameters
    ----------
    webhooks : each gets every change.
    bundle : name of the bundle.
    """

    def __init__(self, webhooks: Sequence[Webhook], bundle: str = "") -> None:
        self.webhooks, self.bundle = tuple(webhooks), bundle
        self.notes: list[str] = []
        """What could not be delivered, a sentence each; the last hundred."""
        self._changes: queue.Queue[AlarmChange | None] = queue.Queue(MOST_QUEUED)
        self._thread = threading.Thread(target=self._run, name="polyculture-webhooks", daemon=True)
        self._thread.start()

    def put(self, change: AlarmChange) -> None:
        """Send a change soon; if a thousand are waiting, it is noted and left out."""
        try:
            self._changes.put_nowait(change)
        except queue.Full:
            self._note(f"The change of the alarm {change.name} was not sent: {MOST_QUEUED:,} are waiting.")

    def _run(self) -> None:
        while (change := self._changes.get()) is not None:
            for webhook in self.webhooks:
                try:
                    note = webhook.send([change], self.bundle)
                except OSError as error:  # the dead letters cannot be written
                    note = f"The webhook {webhook.url} failed: {error}."
                if note:
                    self._note(note)

    def _note(self, note: str) -> None:
        self.notes = [*self.notes, note][-100:]

    def close(self, timeout: float = 30.0) -> None:
        """Send what waits, for that many seconds at most."""
        try:
            self._changes.put(None, timeout=timeout)
        except queue.Full:
            return
        self._thread.join(timeout)
