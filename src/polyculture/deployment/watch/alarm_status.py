"""What does an alarm say? Its state, the rate since the change, and why, in a sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from polyculture.stats import Interval, jeffreys, percent

from .watched import JOINT, LABELLED, WatchedAlarm

if TYPE_CHECKING:
    from .live import LiveWatch

RECENT = 5_000
"""Answers that count as recent."""


def alarm_statuses(watch: LiveWatch) -> list[dict[str, Any]]:
    """Every alarm as `AlarmStatus`: up before down, joint behaviour before the rest, then by its distance."""
    rows = [_alarm_status(watch, watched) for watched in watch.watched]
    return sorted(rows, key=lambda row: (not row["up"], row["name"] not in JOINT, -(row["level"] or 0.0)))


def position(watch: LiveWatch, watched: WatchedAlarm) -> tuple[bool, float, int]:
    """Whether an alarm is up, its level, and since which answer (or label) its rate has been rising, from 0."""
    bank = watch.label_bank if watched.name in LABELLED else watch.answer_bank
    j = watch.places[watched.name]
    return bool(bank.up[j]), bank.level_of(j), int(bank.changed[j])


def rate_since_change(watch: LiveWatch, watched: WatchedAlarm) -> Interval:
    """The rate that an alarm follows: since the change where it is up, else over the recent answers (all labels)."""
    raised, _, changed = position(watch, watched)
    if watched.name in LABELLED:
        if not raised:
            return watch.labels.error() if watched.name == "error" else watch.labels.all_wrong()
        rows, total = watch.label_events, watch.label_bank.requests
    else:
        rows, total = watch.window.rows, watch.answer_bank.requests
    events = rows.column("events", total - changed if raised else RECENT, watch.places[watched.name])
    return jeffreys(int((events == 1).sum()), int((events >= 0).sum()))


def why(watch: LiveWatch, watched: WatchedAlarm, rate: Interval) -> str:
    """One sentence with the numbers of an alarm, whose rate is that of `rate_since_change`."""
    raised, _, changed = position(watch, watched)
    unit = "label" if watched.name in LABELLED else "answer"
    if not rate.defined:
        return f"The {watched.rate} is not known yet."
    limits = f"{percent(rate.estimate)} [{percent(rate.low)}, {percent(rate.high)}]"
    since = f" since {unit} {changed + 1:,}" if raised else ""
    return f"The {watched.rate} is {limits}{since}; it was {percent(watched.certified)} at certification."


def _alarm_status(watch: LiveWatch, watched: WatchedAlarm) -> dict[str, Any]:
    row: dict[str, Any] = {"name": watched.name, "up": False, "since": None, "until": None, "level": None}
    row |= {"value": None, "reference": None if math.isnan(watched.certified) else watched.certified}
    if watched.alarm is None:
        return row | {"title": watched.name, "why": f"Not watched: {watched.reason.rstrip('.')}.", "action": ""}
    raised, level, _ = position(watch, watched)
    times, rate = watch.times.get(watched.name, {}), rate_since_change(watch, watched)
    return row | {
        "title": watched.title,
        "up": raised,
        "since": times.get("since"),
        "until": None if raised else times.get("until"),
        "request": times.get("request"),
        "level": level,
        "value": rate.estimate if rate.defined else None,
        "why": why(watch, watched, rate),
        "action": watched.action,
        "false_alarms_per": watched.alarm.false_alarms_per,
    }


def number_status(interval: Interval, reference: Any = None) -> dict[str, Any]:
    """An interval as `StatusNumber`."""
    values = {name: getattr(interval, name) for name in ("estimate", "low", "high")}
    finite = {name: float(value) if np.isfinite(value) else None for name, value in values.items()}
    details = {"level": interval.level, "n": interval.n, "reason": interval.reason, "method": interval.method}
    finite_reference = isinstance(reference, (int, float)) and math.isfinite(reference)
    return finite | details | {"reference": float(reference) if finite_reference else None}
