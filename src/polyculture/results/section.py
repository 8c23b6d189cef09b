"""Which question does a result answer beyond the basic ones, and how are its numbers and tables called?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from polyculture.stats import Interval

from . import summary
from .figure import Figure, plot

Severity = Literal["note", "warning", "alert"]
"""How much attention a finding asks for."""

STORED_NAMES = {
    "pair_excess": "beyond",
    "joint_failures": "together",
    "review_queue": "queue",
    "similarity_by_scale": "homogenization",
    "ablation": "levers",
    "evolution": "breeding",
}
"""Names of sections in JSON where they differ from those in Python: files stay readable when a section is renamed."""


@dataclass(frozen=True, eq=False)
class Section:
    """One question that the audit answers beyond the basic ones: numbers with intervals, and tables.

    Parameters
    ----------
    name : stable key, such as ``"attribution"``; its `SectionSpec` and its figures are found by it.
    title : the question, as a heading.
    sentence : the answer in words, with its numbers.
    numbers : by the field's name of each.
    tables : by what they show; the pictures are drawn from them.
    reason : why the section does not apply here; empty when it does.
    """

    name: str = field(metadata={"stored_values": STORED_NAMES})
    title: str
    sentence: str
    numbers: Mapping[str, Interval] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    reason: str = ""

    def frame(self, table: str = "") -> pd.DataFrame:
        """The table of that name; without a name all numbers, one row each."""
        if table:
            return self.tables[table]
        rows = [{"number": name} | dataclasses.asdict(interval) for name, interval in self.numbers.items()]
        return pd.DataFrame(rows, columns=["number", *(f.name for f in dataclasses.fields(Interval))])

    def plot(self, name: str = "") -> Figure:
        """The figure of that name; without a name the first."""
        return plot(self, name)

    def __repr__(self) -> str:
        tables = f"Tables: {', '.join(self.tables)}"
        return summary.lines(
            f"{self.name}: {self.title}",
            *summary.wrapped(self.sentence or self.reason, 5),
            *summary.interval_lines(self.numbers.items(), 6),
            *(summary.wrapped(tables, 2, "  ") if self.tables else ()),
        )

    def _repr_html_(self) -> str:
        return summary.frame_html(self.title, self.sentence or self.reason, self.frame())


@dataclass(frozen=True)
class TableSpec:
    """How a table of a section is shown.

    Parameters
    ----------
    caption : how to read it, where its columns do not say so.
    headings : of columns whose own name does not say what they hold.
    percent : columns that are shares, shown in percent.
    rows : at most shown; of longer tables the first and the last half.
    ranked : whether the first rows matter most; then only they are shown.
    times : columns of seconds since 1970, shown as dates.
    """

    caption: str = ""
    headings: Mapping[str, str] = field(default_factory=dict)
    percent: tuple[str, ...] = ("accuracy", "all_wrong", "share")
    rows: int = 40
    ranked: bool = False
    times: tuple[str, ...] = ()


def _note(_: Section) -> Severity:
    """The severity of a finding that is never more than a note."""
    return "note"


@dataclass(frozen=True, eq=False)
class SectionSpec:
    """A question: who answers it, which finding it leads to, and how its answer is shown.

    Parameters
    ----------
    name : key of the section; the file of its figures has the same name.
    title : the question, as a heading.
    place : order in the audit, ascending.
    compute : function of the audit's context, its null models and the shifted test sets; None where the section is not
        part of an audit. It returns None where the question was not posed.
    code, finding : code and title of the finding; empty where it yields none. Its sentence is that of the section.
    severity : of the finding.
    numbers : what each number is called; ``_`` becomes a blank in those without an entry.
    percent : the numbers that are shares; they are shown in percent.
    tables : how each table is shown; the default where there is no entry.
    """

    name: str
    title: str
    place: int = 0
    compute: Callable[..., Section | None] | None = None
    code: str = ""
    finding: str = ""
    severity: Callable[[Section], Severity] = _note
    numbers: Mapping[str, str] = field(default_factory=dict)
    percent: tuple[str, ...] = ()
    tables: Mapping[str, TableSpec] = field(default_factory=dict)

    def answer(
        self,
        sentence: str,
        numbers: Mapping[str, Interval] | None = None,
        tables: Mapping[str, pd.DataFrame] | None = None,
    ) -> Section:
        """The section with this answer."""
        return Section(self.name, self.title, sentence, numbers or {}, tables or {})

    def skip(self, reason: str) -> Section:
        """The section without an answer, and why."""
        return Section(self.name, self.title, "", reason=reason)
