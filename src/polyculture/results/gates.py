"""Which bounds does an audit keep, judged by its intervals? A line per gate, JUnit XML and Markdown for a pipeline."""

from __future__ import annotations

import dataclasses
import math
import typing
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

import pandas as pd

from polyculture.errors import InputError, visible
from polyculture.stats import Interval

from . import summary
from .encoding import from_json, to_json

Side = Literal["min", "max"]
Status = Literal["broken", "undecided", "kept"]
WORDS = {"broken": "broken", "undecided": "cannot tell", "kept": "kept"}
"""What a status is called, worst first."""
SIDES = {"min": "at least", "max": "at most"}
EXIT_CODES = {"kept": 0, "broken": 1, "undecided": 3}
"""Exit code of `polyculture check` by the worst status; 2 is for input that cannot be used."""


@dataclass(frozen=True)
class Gate:
    """A bound on one number of an audit.

    Parameters
    ----------
    number : its name, such as ``"n_eff"`` or ``"all_wrong@noise@3"``; docs/guide/check.md lists them.
    side : ``"min"`` where the number must be at least the bound, ``"max"`` where it must be at most the bound.
    bound : in the unit of the number; shares are in [0, 1].

    Raises InputError for another side, and for a bound that is no finite number.

    Examples
    --------
    >>> print(pc.Gate("n_eff", "min", 2))
    n_eff at least 2
    """

    number: str
    side: Side
    bound: float | int

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise InputError(f"side {self.side!r} of the gate on {self.number}", "'min' or 'max'")
        numeric = isinstance(self.bound, (int, float)) and not isinstance(self.bound, bool)
        if not numeric or not math.isfinite(self.bound):
            raise InputError(f"{self.side} {self.number} = {self.bound!r}", "a finite number, such as 0.05")
        object.__setattr__(self, "bound", float(self.bound))

    def __str__(self) -> str:
        return f"{self.number} {SIDES[self.side]} {self.bound:.6g}"


@dataclass(frozen=True)
class GateResult:
    """One gate, the number that it bounds, and whether it is kept.

    Parameters
    ----------
    gate : the bound.
    interval : the number with its limits.
    status : ``"kept"``, ``"broken"``, or ``"undecided"`` where the number or the limit that decides is undefined.
    subject : which models or instances the number belongs to, where its name does not say it.
    remark : how the interval lies, or why it cannot be told.
    """

    gate: Gate
    interval: Interval
    status: Status
    subject: str = ""
    remark: str = ""

    @classmethod
    def judged(cls, gate: Gate, interval: Interval, judge: str = "shown", subject: str = "") -> GateResult:
        """The gate judged by the interval: by what it shows, or by what it cannot rule out.

        Parameters
        ----------
        judge : as in `polyculture.check`.
        """
        status, remark = _judgement(gate, interval, judge)
        return cls(gate, interval, status, subject, remark)

    @property
    def line(self) -> str:
        """Status, estimate with interval, and bound on one line."""
        subject = f" ({self.subject})" if self.subject else ""
        number = self.interval.format(".4g")
        expected = f"expected {SIDES[self.gate.side]} {self.gate.bound:.6g}"
        remark = f" ({self.remark})" if self.remark and self.interval.defined else ""
        return visible(f"{WORDS[self.status]}: {self.gate.number} is {number}{subject}, {expected}{remark}")

    def __str__(self) -> str:
        return self.line


def _judgement(gate: Gate, interval: Interval, judge: str) -> tuple[Status, str]:
    """Status of a gate, and a remark."""
    if not interval.defined:
        return "undecided", interval.reason or "the number is undefined"
    low, high, bound = interval.low, interval.high, gate.bound
    if gate.side == "max":
        near_end, far_end, side = low, high, "above"
    else:  # mirrored, so that larger is worse
        near_end, far_end, bound, side = -high, -low, -bound, "below"
    # A comparison with nan is false, so an end that is undefined shows nothing.
    if near_end > bound:
        return "broken", f"the whole interval is {side} the bound"
    if far_end <= bound:
        return "kept", ""
    exceeds = interval.estimate > bound if gate.side == "max" else -interval.estimate > bound
    overlap = f"the interval does not exclude values {side} the bound"
    if not math.isnan(near_end if judge == "shown" else far_end):
        return ("kept", overlap) if judge == "shown" else ("broken", overlap)
    # An interval holds its estimate: one within the bound is not shown to be beyond it, whatever the limits are.
    reason = f"it has no {'lower' if (gate.side == 'max') == (judge == 'shown') else 'upper'} limit"
    reason += f": {interval.reason}" if interval.reason else ""
    if judge == "shown":
        return ("undecided" if exceeds else "kept"), reason
    return ("broken" if exceeds else "undecided"), reason


@dataclass(frozen=True)
class CheckResult:
    """The gates of an audit, each judged by the interval of its number.

    Parameters
    ----------
    source : what was audited.
    judge : ``"shown"`` (a gate is broken where the interval shows it) or ``"safe"`` (kept where the interval shows it).
    gates : one result per gate, in the order in which they were given.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> result = pc.check(pc.audit(tiny_predictions()), {"min": {"n_eff": 2}, "max": {"all_wrong": 0.0001}})
    >>> result.exit_code, [gate.status for gate in result.gates]
    (1, ['kept', 'broken'])
    """

    source: str
    judge: str
    gates: tuple[GateResult, ...]

    @property
    def status(self) -> Status:
        """The worst status of all gates."""
        statuses = {gate.status for gate in self.gates}
        return next((status for status in typing.get_args(Status) if status in statuses), "kept")

    @property
    def exit_code(self) -> int:
        """0 where every gate is kept, 1 where one is broken, 3 where none is broken but one cannot be told."""
        return EXIT_CODES[self.status]

    @property
    def sentence(self) -> str:
        """How many gates are kept, broken, and undecided."""
        counts = {status: sum(gate.status == status for gate in self.gates) for status in WORDS}
        total = f"{len(self.gates)} gate{'s' if len(self.gates) != 1 else ''}"
        parts = [f"{counts['broken']} broken", f"{counts['kept']} kept"]
        parts += [f"{counts['undecided']} cannot be told"] if counts["undecided"] else []
        return f"{total}: {', '.join(parts)}."

    @property
    def worst_first(self) -> tuple[GateResult, ...]:
        """The gates, broken before undecided before kept, and the furthest beyond its bound first."""
        order = list(WORDS)
        return tuple(sorted(self.gates, key=lambda gate: (order.index(gate.status), -_excess(gate))))

    def frame(self) -> pd.DataFrame:
        """One row per gate: number, side, bound, status, subject, remark, then the interval."""
        rows = [
            dataclasses.asdict(result.gate)
            | {"status": result.status, "subject": result.subject, "remark": result.remark}
            | dataclasses.asdict(result.interval)
            for result in self.gates
        ]
        return pd.DataFrame(rows)

    def junit(self) -> str:
        """JUnit XML: a test case per gate; a broken one is a failure, one that cannot be told an error."""
        counts = {status: sum(gate.status == status for gate in self.gates) for status in WORDS}
        numbers = {"tests": len(self.gates), "failures": counts["broken"], "errors": counts["undecided"]}
        attributes = {name: str(value) for name, value in numbers.items()}
        root = ElementTree.Element("testsuites", {"name": "polyculture check", **attributes})
        suite = ElementTree.SubElement(root, "testsuite", {"name": _plain(self.source) or "audit", **attributes})
        tags = {"broken": "failure", "undecided": "error"}
        for result in self.gates:
            names = {"name": _plain(str(result.gate)), "classname": "polyculture.check"}
            case = ElementTree.SubElement(suite, "testcase", names)
            if result.status in tags:
                line = _plain(result.line)
                tag = ElementTree.SubElement(case, tags[result.status], {"message": line, "type": result.status})
                tag.text = line
            else:
                ElementTree.SubElement(case, "system-out").text = _plain(result.line)
        ElementTree.indent(root)
        return ElementTree.tostring(root, encoding="unicode", xml_declaration=False).join(
            ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
        )

    def markdown(self) -> str:
        """A table of all gates for a pull request, worst first."""
        rows = [
            "| gate | bound | number | interval | status | remark |",
            "|---|---|---|---|---|---|",
        ]
        for result in self.worst_first:
            gate, interval = result.gate, result.interval
            limits = f"{summary.number(interval.low, 4)} to {summary.number(interval.high, 4)}"
            remark = ", ".join(text for text in (result.subject, result.remark) if text)
            bold = "**" if result.status != "kept" else ""
            cells = [
                *(f"`{_cell(gate.number)}`", f"{SIDES[gate.side]} {gate.bound:.6g}"),
                *(summary.number(interval.estimate, 4), limits, f"{bold}{WORDS[result.status]}{bold}", _cell(remark)),
            ]
            rows.append(f"| {' | '.join(cells)} |")
        heading = f"### polyculture check: {WORDS[self.status]}"
        source = f" Audited: {_cell(self.source)}." if self.source else ""
        judge = "broken where its whole interval is beyond the bound"
        if self.judge == "safe":
            judge = "kept where its whole interval is within the bound"
        return "\n".join([heading, "", f"{self.sentence}{source} A gate is {judge}.", "", *rows, ""])

    def __repr__(self) -> str:
        return summary.lines(self.sentence, *(gate.line for gate in self.worst_first))

    def to_json(self) -> str:
        """Strict JSON, with the conventions of `Audit.to_json`."""
        return to_json(self, "check")

    @classmethod
    def from_json(cls, text: str) -> CheckResult:
        """The result that `to_json` wrote."""
        return typing.cast("CheckResult", from_json(cls, text, "check"))


def _excess(result: GateResult) -> float:
    """How far the estimate is beyond the bound, in widths of the interval; below 0 where it is within."""
    interval, gate = result.interval, result.gate
    gap = (interval.estimate - gate.bound) * (1 if gate.side == "max" else -1)
    width = interval.high - interval.low
    excess = gap / width if width > 0 else gap * math.inf if gap else 0.0
    return -math.inf if math.isnan(excess) else excess


def _plain(text: str) -> str:
    """The text without characters that XML has no room for."""
    return visible(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _cell(text: str) -> str:
    """The text in a cell of a Markdown table: names may hold anything."""
    text = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "'")
    return text.replace("\\", "\\\\").replace("|", "\\|")
