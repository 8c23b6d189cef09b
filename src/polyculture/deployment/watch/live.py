"""Is the portfolio what it was at certification? A watch that sees every answer, in bounded memory and time.

Answers are gathered and added some dozens at a time; alarms are exact all the same, as their scores depend on the order
of answers only. A status is computed when somebody asks for it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from polyculture.deployment.bundle.manifest import Manifest
from polyculture.deployment.store.labels import label_texts
from polyculture.errors import InputError

from .answer_columns import FOREIGN_LABEL, AnswerColumns, absences, wrong_answers
from .answer_window import AnswerWindow
from .detection.alarms import CusumBank, Signal
from .detection.drift import DriftTest
from .label_counts import LabelCounts
from .reference import all_wrong
from .ring_buffer import RingBuffer
from .time_buckets import TimeBuckets
from .watched import LABELLED, AlarmEvents, WatchedAlarm, watched_alarms

GATHERED = 64
"""Answers that are added at once."""
REMEMBERED = 20_000
"""Answers that a label may still refer to."""


@dataclass(frozen=True)
class AlarmChange:
    """An alarm went up, or down again.

    Parameters
    ----------
    name, title : of the alarm, and in a few words.
    up : whether it went up.
    time : of the answer at which it did, seconds since 1970.
    request : number of that answer (of alarms on labels: of that label), from 1.
    why, action : what was found and what to do, in a sentence each.
    version : of the bundle.
    """

    name: str
    title: str
    up: bool
    time: float
    request: int
    why: str
    action: str
    version: str


class LiveWatch:
    """Watches the joint behaviour of a portfolio's members, answer by answer.

    Parameters
    ----------
    manifest : of the bundle that answers.
    reference : its statistics at certification, `Bundle.reference`; what it lacks is not compared.
    remembered : answers that a label may still refer to, and the most that joint numbers are computed from.
    on_change : called with every `AlarmChange`, in the thread that observes; it must not block.

    Several threads may call it. Where several processes answer, each has a watch of its own: their alarms keep the
    promise together, as it is per request, and `merge_labels` adds up what is known of labels.
    """

    def __init__(
        self,
        manifest: Manifest,
        reference: Mapping[str, Any],
        *,
        remembered: int = REMEMBERED,
        on_change: Callable[[AlarmChange], None] | None = None,
    ) -> None:
        if remembered < GATHERED:
            raise InputError(f"{remembered} remembered answers", f"at least {GATHERED}")
        self.manifest, self.reference = manifest, reference
        self.tolerance = float(reference.get("tolerance") or math.nan) if manifest.task == "regression" else math.nan
        self.events = AlarmEvents.of(manifest, reference)
        self.watched = watched_alarms(manifest, reference)
        active = [w for w in self.watched if w.alarm is not None]
        self.on_answers = tuple(w for w in active if w.name not in LABELLED)
        self.on_labels = tuple(w for w in active if w.name in LABELLED)
        self.places = {w.name: j for alarms in (self.on_answers, self.on_labels) for j, w in enumerate(alarms)}
        """By alarm its place in its bank."""
        self.answer_bank = CusumBank([w.alarm for w in self.on_answers if w.alarm])
        self.label_bank = CusumBank([w.alarm for w in self.on_labels if w.alarm])
        m, profile = len(manifest.members), len(self.events.profile_names)
        self.window = AnswerWindow(remembered, m, profile, len(self.on_answers))
        self.buckets = TimeBuckets(m, len(manifest.classes))
        self.labels = LabelCounts(m)
        self.label_events = RingBuffer(remembered, {"events": ((len(self.on_labels),), np.int8)})
        self.answered, self.failed = np.zeros((2, m), np.int64)
        self.relabelled = self.unmatched = 0
        self.times: dict[str, dict[str, float]] = {}
        """By alarm when it went up last (`since`, `request`) and when down again (`until`)."""
        self.on_change = on_change
        self.classes = {name: code for code, name in enumerate(manifest.classes)}
        self.lock = threading.RLock()
        self._gathered: list[Any] = []
        self.drift: tuple[int, tuple[DriftTest, ...]] = (-1, ())
        """Answers at the last tests of drift, and these tests."""
        self._status: dict[str, Any] = {}
        self._status_version: tuple[int, ...] = ()

    def observe(self, records: Sequence[Any]) -> None:
        """Add answers, in their order; those of a challenger in shadow mode are left out.

        Parameters
        ----------
        records : `AnswerRecord`s.
        """
        with self.lock:
            self._gathered += [record for record in records if not record.shadow]
            if len(self._gathered) >= GATHERED:
                self.flush()

    def flush(self) -> None:
        """Add the answers that were gathered."""
        with self.lock:
            records, self._gathered = self._gathered, []
            if records:
                profile = len(self.events.profile_names)
                self.observe_columns(AnswerColumns.of_records(records, len(self.manifest.members), profile))

    def observe_columns(self, columns: AnswerColumns) -> None:
        """Add answers as columns, such as a store gives them."""
        with self.lock:
            dissent = self.events.dissent(columns)
            disagreeing = self.events.disagreeing(columns, dissent)
            events = self.events([w.name for w in self.on_answers], columns, dissent)
            absent = absences(columns.member_answers, columns.member_values, columns.quorum)
            self.answered += (absent == 0).sum(axis=0)
            self.failed += (absent == 1).sum(axis=0)
            first = self.answer_bank.requests
            self.window.append(
                columns, {"dissent": dissent, "disagreeing": disagreeing, "absent": absent, "events": events}
            )
            self.buckets.add(columns.time, disagreeing, columns.latency_ms)
            for signal in self.answer_bank.update(events):
                self._changed(self.on_answers[signal.alarm], signal, float(columns.time[signal.request - 1 - first]))

    def label(self, ids: Sequence[str], labels: Sequence[Any], times: Sequence[float] | None = None) -> int:
        """Add true labels; returns to how many answers they belong.

        Parameters
        ----------
        ids : of answers; those that are not remembered, or never were, are counted as `unmatched`.
        labels : names of classes (texts), their codes (whole numbers; -2 for a class that the bundle does not know, of
            which every answer is wrong), or true numbers. Names that may be numbers have to be texts.
        times : when they came; the times of the answers, if None.

        The first label of an answer counts, a second one only as `relabelled`. Raises InputError for sequences of
        different length, and for a label that is no class, or no number; nothing is added then.
        """
        if len(ids) != len(labels) or (times is not None and len(times) != len(ids)):
            raise InputError(f"{len(ids)} ids and {len(labels)} labels", "a label for each id")
        codes = self._codes(labels)
        with self.lock:
            self.flush()
            rows: dict[int, tuple[float, float]] = {}
            for k, (name, code) in enumerate(zip(ids, codes, strict=True)):
                numbers = self.window.numbers(str(name))
                self.unmatched += not numbers
                for number in numbers:
                    if number in rows or not math.isnan(self.window.at("label", [number])[0]):
                        self.relabelled += 1
                    else:
                        rows[number] = code, math.nan if times is None else float(times[k])
            if rows:
                self._add_labels(
                    list(rows), np.array([code for code, _ in rows.values()]), [t for _, t in rows.values()]
                )
            return len(rows)

    def _codes(self, labels: Sequence[Any]) -> list[float]:
        """The codes of the classes, or the numbers; names are read as the store reads them."""
        task, classes = self.manifest.task, self.manifest.classes
        if task == "regression":
            return [float(text) for text in label_texts(labels, task, classes)]
        names = label_texts([label for label in labels if isinstance(label, str)], task, classes)
        codes = iter([float(self.classes[name]) for name in names])
        return [next(codes) if isinstance(label, str) else self._code(label) for label in labels]

    def _code(self, label: Any) -> float:
        """A code as it is, if it is that of a class, or of none of them."""
        number = label.item() if hasattr(label, "item") else label
        integral = isinstance(number, (int, float)) and not isinstance(number, bool) and number == number // 1
        if not integral or not (number >= 0 or number == FOREIGN_LABEL):
            codes = f"a code from 0 to {len(self.classes) - 1}, or {FOREIGN_LABEL} for another class"
            raise InputError(f"label {label!r}", f"the name of a class, {codes}")
        # A code of another bundle, which has more classes, is no class of this one.
        return float(number) if number < len(self.classes) else float(FOREIGN_LABEL)

    def _add_labels(self, numbers: list[int], codes: Float[np.ndarray, " k"], times: list[float]) -> None:
        cells = {name: self.window.at(name, numbers) for name in ("answer", "value", "member_answers", "member_values")}
        wrong = wrong_answers(codes, cells["member_answers"], cells["member_values"], self.tolerance)
        portfolio_wrong = wrong_answers(codes, cells["answer"], cells["value"], self.tolerance)
        failed = all_wrong(wrong)
        for name, values in (("label", codes), ("wrong", wrong), ("own_wrong", portfolio_wrong)):
            self.window.put(name, numbers, values)
        self.labels.add(portfolio_wrong, wrong, failed)
        answer_times = self.window.at("time", numbers)
        regression = self.manifest.task == "regression"
        self.buckets.add_labels(answer_times, wrong, np.zeros(len(codes), int) if regression else codes.astype(int))
        events = np.column_stack(
            [{"error": portfolio_wrong, "all_wrong": failed}[w.name] for w in self.on_labels] or [portfolio_wrong]
        )
        first, events = self.label_bank.requests, events[:, : len(self.on_labels)]
        self.label_events.append({"events": events})
        for signal in self.label_bank.update(events):
            place = signal.request - 1 - first
            time = answer_times[place] if math.isnan(times[place]) else times[place]
            self._changed(self.on_labels[signal.alarm], signal, float(time))

    def _changed(self, watched: WatchedAlarm, signal: Signal, time: float) -> None:
        if signal.up:
            self.times[watched.name] = {"since": time, "request": signal.request}
        else:
            self.times.setdefault(watched.name, {})["until"] = time
        from .alarm_status import rate_since_change, why

        reason = why(self, watched, rate_since_change(self, watched))
        change = AlarmChange(
            watched.name, watched.title, signal.up, time, signal.request, reason, watched.action, self.manifest.version
        )
        if self.on_change is not None:
            self.on_change(change)

    @property
    def alarms_up(self) -> tuple[str, ...]:
        """Names of the alarms that are up."""
        with self.lock:
            self.flush()
            pairs = ((self.on_answers, self.answer_bank.up), (self.on_labels, self.label_bank.up))
            return tuple(w.name for alarms, flags in pairs for w, is_up in zip(alarms, flags, strict=True) if is_up)

    def reset(self, name: str = "") -> None:
        """Take an alarm down (all, without a name): its score starts at 0."""
        with self.lock:
            self.flush()
            self.answer_bank.reset(name)
            self.label_bank.reset(name)

    def merge_labels(self, state: Mapping[str, Any]) -> None:
        """Add the label counts of another worker, its `LabelCounts.state`."""
        with self.lock:
            self.labels.add_state(state)

    def status(self, now: float | None = None) -> dict[str, Any]:
        """Everything that the page and `/metrics` show, as JSON: a `WatchStatus` of polyculture.deployment.server.

        Parameters
        ----------
        now : time of the status; that of the last answer, if None.
        """
        from .status import status

        with self.lock:
            self.flush()
            banks = [
                number for bank in (self.answer_bank, self.label_bank) for number in (bank.requests, *bank.up.tolist())
            ]
            version = (*banks, self.labels.n, self.unmatched, self.relabelled)
            if version != self._status_version:
                self._status, self._status_version = status(self), version
            return self._status | ({} if now is None else {"time": now})

    def state(self) -> dict[str, Any]:
        """Scores of alarms and counts of labels as JSON, to go on after a restart."""
        with self.lock:
            self.flush()
            return {
                "version": self.manifest.version,
                "answers": self.answer_bank.state(),
                "labels": self.label_bank.state(),
                "counts": self.labels.state(),
                "times": self.times,
            }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from the `state` of a watch of the same bundle; of another bundle nothing is taken over."""
        if state.get("version") != self.manifest.version:
            return
        with self.lock:
            self.answer_bank.restore(state["answers"])
            self.label_bank.restore(state["labels"])
            self.labels.add_state(state["counts"])
            self.times.update(state["times"])

    def masks(self, column: int) -> dict[int, Bool[np.ndarray, " n"]]:
        """Recent answers by the code of their group in a column."""
        codes: Int[np.ndarray, " n"] = self.window.rows.column("groups")[:, column]
        return {int(code): codes == code for code in np.unique(codes) if code >= 0}
