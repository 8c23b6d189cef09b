"""What does the watch say now? Everything that the live page and `/metrics` show, as plain JSON values.

The members are those of `WatchStatus` in polyculture.deployment.server, and beyond them: `latency_ms`,
`co_disagreement`, `n_eff_dissent`, `labelled_total`, `over_requests`, `drift`, `unmatched_labels`, `relabelled`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from polyculture.measures.effective import EffectiveNumber, effective
from polyculture.stats import Interval, jeffreys, n_eff_interval, percent

from .alarm_status import RECENT, alarm_statuses, number_status, position
from .answer_columns import FOREIGN_LABEL
from .detection.drift import DriftTest
from .drift_tests import drift_tests
from .reference import pair_counts
from .request_windows import request_windows

if TYPE_CHECKING:
    from .live import LiveWatch

MOST_HARD = 20
LATEST = 100
"""Answers by which a member is called silent."""
FEWEST_LABELS = 30
"""Labelled answers from which on the effective number is given."""
DISSENT = "of dissent from the portfolio's answer, not of errors: compare it with its own reference only"


def status(watch: LiveWatch) -> dict[str, Any]:
    """The status of a watch; see `LiveWatch.status`."""
    rows, reference = watch.window.rows, watch.reference
    time, disagreeing = rows.column("time", RECENT), rows.column("disagreeing", RECENT)
    labelled = rows.column("label", RECENT)
    return {
        "time": float(time[-1]) if len(time) else 0.0,
        "since": float(time[0]) if len(time) else None,
        "answers": len(time),
        "labelled": int((~np.isnan(labelled)).sum()),
        "labelled_total": watch.labels.n,
        "unmatched_labels": watch.unmatched,
        "relabelled": watch.relabelled,
        "task": watch.manifest.task,
        "n_eff": number_status(n_eff_of_labelled(watch), reference.get("n_eff")),
        "n_eff_dissent": number_status(n_eff_of_dissent(watch), reference.get("n_eff_dissent")),
        "disagreement": number_status(_share(disagreeing, "no answers"), reference.get("disagreement")),
        "co_disagreement": co_disagreement(watch),
        "all_wrong": number_status(watch.labels.all_wrong(), reference.get("all_wrong")),
        "error": number_status(watch.labels.error(), reference.get("error")),
        "gain": number_status(watch.labels.gain(), reference.get("gain")),
        "members": [_member(watch, member) for member in range(len(watch.manifest.members))],
        "alarms": alarm_statuses(watch),
        "groups": group_numbers(watch),
        "over_time": watch.buckets.points(),
        "step_s": watch.buckets.step,
        "over_requests": request_windows(watch),
        "quorum": _quorum(watch),
        "latency_ms": _latency(rows.column("latency_ms", RECENT)),
        "drift": [_test(test) for test in drift_tests(watch)],
        "hardest": _hardest(watch),
    }


def _share(events: Any, reason: str) -> Interval:
    """Share of 1 among what is defined, with Jeffreys limits."""
    n = int((events >= 0).sum())
    return jeffreys(int((events == 1).sum()), n) if n else Interval.undefined(reason)


def effective_of_labelled(watch: LiveWatch) -> EffectiveNumber | None:
    """The effective number of the remembered labelled answers, given the true class; None with too few of them."""
    rows = watch.window.rows
    label = rows.column("label")
    labelled = ~np.isnan(label)
    if labelled.sum() < FEWEST_LABELS:
        return None
    wrong = rows.column("wrong")[labelled]
    strata = None if watch.manifest.task == "regression" else label[labelled].astype(np.int64)
    return effective((wrong == 1).T, strata, (wrong >= 0).T)


def n_eff_of_labelled(watch: LiveWatch) -> Interval:
    """Effective number of independent members given the true class, of the labelled answers that are remembered."""
    estimate = effective_of_labelled(watch)
    if estimate is None:
        return Interval.undefined(f"fewer than {FEWEST_LABELS} labelled answers", watch.labels.n)
    return _n_eff_interval(estimate)


def _n_eff_interval(estimate: EffectiveNumber) -> Interval:
    if math.isnan(estimate.design_effect):
        return Interval.undefined(estimate.reason)
    return n_eff_interval(estimate.n_models, estimate.design_effect, estimate.influence)


def n_eff_of_dissent(watch: LiveWatch) -> Interval:
    """The same number of dissent from the portfolio's answer in place of errors; it needs no labels."""
    dissent = watch.window.rows.column("dissent", RECENT)
    if len(dissent) < FEWEST_LABELS:
        return Interval.undefined(f"fewer than {FEWEST_LABELS} answers", len(dissent))
    interval = _n_eff_interval(effective((dissent == 1).T, None, (dissent >= 0).T))
    return Interval(
        interval.estimate, interval.low, interval.high, interval.level, interval.n, interval.method,
        f"{interval.reason}; {DISSENT}" if interval.reason else DISSENT,
    )  # fmt: skip


def co_disagreement(watch: LiveWatch) -> dict[str, Any]:
    """Share of recent answers from which both members of a pair differ, by pair, next to the reference."""
    joint, observed = pair_counts(watch.window.rows.column("dissent", RECENT))
    shares = np.divide(joint, observed, out=np.full(joint.shape, np.nan), where=observed > 0)
    reference = watch.reference.get("co_disagreement")
    table = [[None if math.isnan(share) else share for share in row] for row in shares.tolist()]
    return {"members": list(watch.manifest.ids), "share": table, "reference": reference}


def group_numbers(watch: LiveWatch) -> list[dict[str, Any]]:
    """Disagreement and all-wrong rate of every group of the remembered answers, as `GroupStatus`."""
    rows, certified = watch.window.rows, watch.reference.get("groups") or {}
    disagreeing, wrong = rows.column("disagreeing"), rows.column("wrong")
    failed = np.where((wrong == 0).any(axis=1), 0, np.where((wrong == 1).all(axis=1), 1, -1))
    table = []
    for place, (column, levels) in enumerate(watch.window.group_columns.items()):
        masks = watch.masks(place)
        for value, code in levels.items():
            if code in masks:
                reference = (certified.get(column) or {}).get(value) or {}
                numbers = {"disagreement": _share(disagreeing[masks[code]], "no answers")}
                numbers["all_wrong"] = _share(failed[masks[code]], "no labels")
                row = {name: number_status(i, reference.get(name)) for name, i in numbers.items()}
                table.append({"column": column, "value": value, "n": int(masks[code].sum())} | row)
    return table


def _member(watch: LiveWatch, member: int) -> dict[str, Any]:
    """Health of a member, as `MemberStatus`."""
    entry, rows = watch.manifest.members[member], watch.window.rows
    absent = rows.column("absent", RECENT)[:, member]
    absent = absent[absent >= 0] == 1
    dissent = _share(rows.column("dissent", RECENT)[:, member], "no answers")
    drifting, drift = _member_alarm(watch, entry.id)
    state, reason = "ok", ""
    if drifting:
        state, reason = "drift", f"It differs from the portfolio on {percent(dissent.estimate)} of its recent answers."
    if absent.any():
        state, reason = "failing", f"It gave no answer to {int(absent.sum()):,} of the last {len(absent):,} requests."
    if len(absent) and absent[-LATEST:].all():
        state, reason = "silent", f"It gave no answer to any of the last {min(LATEST, len(absent)):,} requests."
    certified = watch.reference.get("dissent") or []
    errors = watch.reference.get("members_error") or []
    return {
        "id": entry.id,
        "name": entry.name,
        "answered": int(watch.answered[member]),
        "failed": int(watch.failed[member]),
        "state": state,
        "reason": reason,
        "dissent": dissent.estimate if dissent.defined else None,
        "dissent_reference": certified[member] if member < len(certified) else None,
        "error": number_status(watch.labels.member_error(member), errors[member] if member < len(errors) else None),
        "drift": drift,
        "remote": entry.remote is not None,
    }


def _member_alarm(watch: LiveWatch, member: str) -> tuple[bool, float | None]:
    """Whether the alarm on a member's drift is up, and its level; None where it is not watched."""
    alarm = next((w for w in watch.on_answers if w.name == f"member_drift:{member}"), None)
    if alarm is None:
        return False, None
    raised, level, _ = position(watch, alarm)
    return raised, level


def _quorum(watch: LiveWatch) -> dict[str, Any]:
    members = len(watch.manifest.members)
    quorum = np.clip(watch.window.rows.column("quorum", RECENT), 0, members)
    counts = np.bincount(quorum, minlength=members + 1).tolist()
    return {"least": watch.manifest.quorum, "members": members, "counts": counts}


def _latency(latency: Any) -> dict[str, float | None]:
    timed = latency[np.isfinite(latency)]
    levels = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    return {name: float(np.quantile(timed, q)) if len(timed) else None for name, q in levels.items()}


def _test(test: DriftTest) -> dict[str, Any]:
    numbers = {name: getattr(test, name) for name in ("statistic", "p", "effect", "psi", "adjusted")}
    finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    words = {"name": test.name, "test": test.test, "n": test.n, "size": test.size, "reason": test.reason}
    return words | finite


def _hardest(watch: LiveWatch) -> list[dict[str, Any]]:
    """Recent answers on which the members disagree most, the latest first among equals, as `HardAnswer`."""
    rows = watch.window.rows
    count = min(len(rows), RECENT)
    answers, dissent = rows.column("member_answers", count), rows.column("dissent", count)
    disagreement = _disagreement(answers, dissent)
    order = np.lexsort((-np.arange(count), -np.nan_to_num(disagreement, nan=-1.0)))[:MOST_HARD]
    order = order[np.nan_to_num(disagreement[order]) > 0]
    numbers = (rows.total - count + order).tolist()
    cells = {name: watch.window.at(name, numbers) for name in ("time", "answer", "value", "confidence", "label")}
    values = watch.window.at("member_values", numbers)
    return [
        {
            "id": name,
            "time": float(cells["time"][k]),
            "answer": _word(watch, cells["answer"][k], cells["value"][k]) or "",
            "confidence": None if math.isnan(cells["confidence"][k]) else float(cells["confidence"][k]),
            "disagreement": float(disagreement[order[k]]),
            "member_answers": [_word(watch, *pair) for pair in zip(answers[order[k]], values[k], strict=True)],
            "label": None if math.isnan(cells["label"][k]) else _label(watch, float(cells["label"][k])),
        }
        for k, name in enumerate(watch.window.ids(numbers))
    ]


def _disagreement(answers: Any, dissent: Any) -> Any:
    """Share of the answering members that do not give the most common answer; of numbers, that dissent."""
    if not (answers >= 0).any():
        defined = (dissent >= 0).sum(axis=1)
        return np.divide((dissent == 1).sum(axis=1), defined, out=np.full(len(answers), np.nan), where=defined > 0)
    equal = (answers[:, :, None] == answers[:, None, :]) & (answers >= 0)[:, :, None]
    defined = (answers >= 0).sum(axis=1)
    top = equal.sum(axis=2).max(axis=1)
    return np.divide(defined - top, defined, out=np.full(len(answers), np.nan), where=defined > 0)


def _word(watch: LiveWatch, code: Any, value: Any) -> str | None:
    if watch.manifest.task == "regression":
        return None if math.isnan(value) else f"{float(value):.6g}"
    return watch.manifest.classes[code] if 0 <= code < len(watch.manifest.classes) else None


def _label(watch: LiveWatch, label: float) -> str:
    if label == FOREIGN_LABEL and watch.manifest.task != "regression":
        return "(another class)"
    return _word(watch, int(label) if watch.manifest.task != "regression" else 0, label) or ""
