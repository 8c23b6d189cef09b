"""What does the watch answer, as a section of an audit? Live numbers next to those at certification, alarms, drift."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from polyculture.results import Finding, Section, SectionSpec, TableSpec
from polyculture.stats import Interval, jeffreys, percent

from .member_names import names_of_status
from .watched import JOINT, LABELLED

WINDOWED = ("disagreement", "error", "all_wrong")
"""Shares that are followed from request to request."""
SHARES = ("disagreement", "all_wrong", "error", "gain")
SPEC = SectionSpec(
    "watch",
    "Is it still what it was when it was certified?",
    numbers={
        "disagreement": "answers on which two models differ",
        "n_eff": "n_eff of the labelled answers, given the true class",
        "n_eff_dissent": "n_eff of dissent from the portfolio's answer",
        "all_wrong": "labelled answers that no model gets right",
        "error": "error of the portfolio",
        "gain": "gain over the best single model",
        "domain_auc": "AUC of a classifier that tells live inputs from those at certification",
    },
    percent=SHARES,
    tables={
        "live": TableSpec(
            "Reference: the same number when the portfolio was certified. Numbers that need labels have limits that "
            "hold at every time of looking, as long as the rate stays the same.",
        ),
        "alarms": TableSpec(
            "Level: how far the alarm is from its threshold; at 1 it goes up. Together they give at most one false "
            "alarm in the number of requests that the bundle promises, if requests are independent.",
            percent=("value", "reference"),
            times=("since", "until"),
            ranked=True,
        ),
        "members": TableSpec(
            "Dissent: share of a member's answers that differ from the portfolio's.",
            percent=("dissent", "reference", "error", "error_reference"),
        ),
        "pairs": TableSpec("Share of answers from which both members differ.", percent=("live", "reference")),
        "groups": TableSpec(percent=("disagreement", "disagreement_reference", "all_wrong", "all_wrong_reference")),
        "drift": TableSpec(
            "Effect: distance D of the distribution functions, or Cramér's V; small below 0.1. p is corrected for the "
            "number of tests (Holm). PSI: population stability index, above 0.25 large.",
            ranked=True,
        ),
        "over_requests": TableSpec(
            "Windows of equal numbers of answers; request: of the first one. Low and high: 95 % limits (Jeffreys). "
            "Alarm: what went up in that window, and is up still.",
            percent=tuple(f"{name}{end}" for name in WINDOWED for end in ("", "_low", "_high", "_certified")),
            times=("time",),
        ),
        "over_time": TableSpec(percent=("disagreement", "all_wrong", "certified"), times=("time",)),
    },
)
FINDINGS = {
    "PW001": "alarm on joint behaviour",
    "PW002": "alarm on a member, an input or the service",
    "PW003": "members that gave no answer",
    "PW004": "inputs that differ from those at certification",
    "PW005": "the portfolio is worse than its best member",
}
"""Titles of the findings of a watch, by code."""
NUMBERS = ("disagreement", "n_eff", "n_eff_dissent", "all_wrong", "error", "gain")


def watch_section(status: Mapping[str, Any], domain_auc: Interval) -> Section:
    """The section of a status.

    Parameters
    ----------
    status : of `LiveWatch.status`, or what a server says.
    domain_auc : how well recent inputs can be told from those at certification.
    """
    if not status.get("answers"):
        return SPEC.skip("there are no answers yet")
    numbers = {name: _interval(status.get(name) or {}) for name in NUMBERS} | {"domain_auc": domain_auc}
    tables = {
        "live": _live_table(numbers, status),
        "alarms": _alarm_table(status),
        "members": _member_table(status),
        "pairs": _pair_table(status),
        "groups": _group_table(status),
        "drift": _drift_table(status),
        "over_requests": _window_table(status),
        "over_time": _time_table(status),
    }
    return SPEC.answer(_sentence(status), numbers, {k: table for k, table in tables.items() if len(table)})


def _interval(number: Mapping[str, Any]) -> Interval:
    """A `StatusNumber` as an interval."""
    estimate, low, high = (
        math.nan if number.get(name) is None else float(number[name]) for name in ("estimate", "low", "high")
    )
    method, reason = (str(number.get(name, "")) for name in ("method", "reason"))
    return Interval(estimate, low, high, float(number.get("level", 0.95)), int(number.get("n", 0)), method, reason)


def _sentence(status: Mapping[str, Any]) -> str:
    """Disagreement now and at certification, the alarms, and what labels say."""
    number, members = status["disagreement"], len(status["members"])
    models = "The model disagrees" if members == 1 else f"The {_count_word(members)} models disagree"
    interval = _interval(number)
    text = f"{models} on {_percents(interval)} of {status['answers']:,} recent answers"
    if number.get("reference") is not None:
        text += f", {percent(number['reference'])} when they were certified"
    raised = [alarm for alarm in status["alarms"] if alarm.get("up")]
    text += ": no alarm." if not raised and status["alarms"] else "." if not raised else f": {_alarm_words(raised)}."
    if status.get("labelled_total"):
        error, all_wrong = _interval(status["error"]), _interval(status["all_wrong"])
        text += (
            f" Of {status['labelled_total']:,} labelled answers {_percents(error)} are wrong, and no model is right on "
        )
        text += f"{_percents(all_wrong)}."
    return text


def _percents(interval: Interval) -> str:
    """A share with its limits, in percent."""
    limits = f" [{percent(interval.low)}, {percent(interval.high)}]" if interval.defined else ""
    return percent(interval.estimate) + limits


def _count_word(count: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[count] if count < len(words) else f"{count:,}"


def _alarm_words(raised: list[dict[str, Any]]) -> str:
    """The first alarm that went up, and how many others are up."""
    first = min(raised, key=lambda alarm: (alarm["name"] != "disagreement", alarm.get("since") or 0.0))
    further = f", and {len(raised) - 1} more" if len(raised) > 1 else ""
    title = "" if first["name"] == "disagreement" else f" ({first['title']})"
    return f"alarm since {_moment(first)}{title}{further}"


def _moment(alarm: Mapping[str, Any]) -> str:
    """At which request, or label, an alarm went up."""
    number = alarm.get("request")
    unit = "label" if alarm["name"] in LABELLED else "request"
    return f"{unit} {number:,}" if number else "an earlier run"


def _live_table(numbers: dict[str, Interval], status: Mapping[str, Any]) -> pd.DataFrame:
    """One row per joint number: live with limits, reference, what it rests on."""
    rows = []
    for name, interval in numbers.items():
        if not interval.defined:
            continue
        reference = 0.5 if name == "domain_auc" else status[name].get("reference")
        values = (interval.estimate, interval.low, interval.high, math.nan if reference is None else reference)
        estimate, low, high, certified = (_cell(name, value) for value in values)
        row = {"number": SPEC.numbers[name], "live": f"{estimate} [{low}, {high}]"}
        rows.append(row | {"at certification": certified, "n": interval.n})
    return pd.DataFrame(rows)


def _cell(name: str, value: float) -> str:
    if not math.isfinite(value):
        return "–"
    return percent(value) if name in SHARES else f"{value:.2f}"


def _alarm_table(status: Mapping[str, Any]) -> pd.DataFrame:
    columns = ("title", "up", "level", "value", "reference", "request", "since", "until", "why", "action", "name")
    rows = [{name: alarm.get(name) for name in columns} for alarm in status["alarms"]]
    numbers = ("level", "value", "reference", "request", "since", "until")
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, float))


def _member_table(status: Mapping[str, Any]) -> pd.DataFrame:
    names = names_of_status(status)
    rows = [
        {"name": names[member["id"]]}
        | {name: member[name] for name in ("id", "state", "answered", "failed", "dissent")}
        | {"reference": member["dissent_reference"], "drift": member["drift"], "error": member["error"]["estimate"]}
        | {"error_reference": member["error"]["reference"], "reason": member["reason"]}
        for member in status["members"]
    ]
    floats = dict.fromkeys(("dissent", "reference", "drift", "error", "error_reference"), float)
    return pd.DataFrame(rows).astype(floats)


def _pair_table(status: Mapping[str, Any]) -> pd.DataFrame:
    """Co-disagreement of every pair, next to the reference."""
    table = status.get("co_disagreement") or {"members": [], "share": [], "reference": None}
    names, share, reference = names_of_status(status), table["share"], table["reference"]
    members = [names.get(member, member) for member in table["members"]]
    pairs = [(a, b) for a in range(len(members)) for b in range(a + 1, len(members))]
    rows = [
        {"model_a": members[a], "model_b": members[b], "live": share[a][b]}
        | {"reference": reference[a][b] if reference else None}
        for a, b in pairs
        if share[a][b] is not None
    ]
    return pd.DataFrame(rows, columns=["model_a", "model_b", "live", "reference"]).astype(
        {"live": float, "reference": float}
    )


def _group_table(status: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for group in status["groups"]:
        row = {name: group[name] for name in ("column", "value", "n")}
        for name in ("disagreement", "all_wrong"):
            row |= {name: group[name]["estimate"], f"{name}_reference": group[name]["reference"]}
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.astype({c: float for c in frame.columns if c not in ("column", "value", "n")})


def _drift_table(status: Mapping[str, Any]) -> pd.DataFrame:
    columns = ["name", "test", "effect", "size", "psi", "adjusted", "n", "reason"]
    frame = pd.DataFrame(status.get("drift", ()), columns=columns).astype(
        {"effect": float, "psi": float, "adjusted": float}
    )
    frame = frame.sort_values("effect", ascending=False, kind="stable").rename(columns={"adjusted": "p"})
    return frame if frame["reason"].any() else frame.drop(columns="reason")


def watch_findings(status: Mapping[str, Any], section: Section) -> tuple[Finding, ...]:
    """What deserves attention in a status, most severe first."""
    findings = []
    for alarm in status["alarms"]:
        if alarm.get("up"):
            code = "PW001" if alarm["name"] in JOINT else "PW002"
            sentence = f"Since {_moment(alarm)} {alarm['title']}. {alarm['why']} {alarm['action']}"
            findings.append(Finding(code, FINDINGS[code], sentence, "alert"))
    members = [m for m in status["members"] if m["state"] in ("failing", "silent")]
    names = names_of_status(status)
    findings += [Finding("PW003", FINDINGS["PW003"], f"{names[m['id']]}: {m['reason']}", "warning") for m in members]
    findings += _drift_findings(status, section)
    gain = section.numbers.get("gain")
    if gain is not None and gain.high < 0:
        sentence = f"Its gain over the best single member is {gain.format('.4f')} at every time of looking."
        findings.append(Finding("PW005", FINDINGS["PW005"], sentence, "warning"))
    order = ("alert", "warning", "note")
    return tuple(sorted(findings, key=lambda finding: (order.index(finding.severity), finding.code)))


def _time_table(status: Mapping[str, Any]) -> pd.DataFrame:
    """One row per stretch of time, with the disagreement at certification next to it."""
    frame = pd.DataFrame(status.get("over_time", ()))
    certified = status["disagreement"].get("reference")
    return frame.assign(certified=math.nan if certified is None else certified) if len(frame) else frame


def _window_table(status: Mapping[str, Any]) -> pd.DataFrame:
    """One row per window of answers: shares with limits, what they were at certification, and alarms that went up."""
    windows = status.get("over_requests") or ()
    raised = [alarm for alarm in status["alarms"] if alarm.get("up") and alarm["name"] not in LABELLED]
    rows = []
    for window in windows:
        first, last = window["request"], window["request"] + window["n"] - 1
        row: dict[str, Any] = {"request": first, "last": last, "time": window["time"], "n": window["n"]}
        for name in WINDOWED:
            events, total = window[name]
            interval = jeffreys(events, total) if total else Interval.undefined("not known")
            certified = (status.get(name) or {}).get("reference")
            row |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
            row |= {f"{name}_n": total, f"{name}_certified": math.nan if certified is None else certified}
        signals = sorted((a for a in raised if first <= (a.get("request") or 0) <= last), key=lambda a: a["request"])
        joint = next((alarm["request"] for alarm in signals if alarm["name"] in JOINT), None)
        row |= {"alarm": ", ".join(alarm["title"] for alarm in signals), "alarm_request": joint}
        rows.append(row)
    frame = pd.DataFrame(rows)
    if not len(frame):
        return frame
    unknown = [name for name in WINDOWED if not frame[f"{name}_n"].any()]
    frame = frame.drop(columns=[c for name in unknown for c in frame if str(c).startswith(name)])
    return frame.astype({"alarm_request": float})


def _drift_findings(status: Mapping[str, Any], section: Section) -> list[Finding]:
    """Columns with a large effect, or a classifier that tells live inputs from those at certification."""
    large = [t for t in status.get("drift", ()) if t["size"] == "large" and t["adjusted"] < 0.05]
    auc = section.numbers.get("domain_auc")
    if auc is None or not auc.low > 0.5:
        auc = None
    if not large and auc is None:
        return []
    names = ", ".join(f"{t['name']} ({t['effect']:.2f})" for t in large[:5])
    parts = [f"Large differences (D or V): {names}."] if large else []
    parts += (
        [f"A classifier tells live inputs from those at certification with an AUC of {auc}."] if auc is not None else []
    )
    return [Finding("PW004", FINDINGS["PW004"], " ".join(parts), "warning" if large else "note")]
