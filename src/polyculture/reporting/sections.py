"""How is each further question of the audit shown? Its sentence, its figures, its numbers, its tables.

A chapter that is not listed here is shown without figures, so a new one needs nothing from this room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from polyculture.results import Audit, Section
from polyculture.results.tables import DisplayTable, table

from .figures.ablation import levers
from .figures.calibration import calibration, generalization
from .figures.confusion import classes
from .figures.ensembles import ensembles, scaling
from .figures.failures import groups, queue, together
from .figures.portfolio import breeding, portfolio
from .figures.similarity import attribution, beyond, multiplicity
from .figures.vega import Spec
from .labels import COLUMNS, TABLES, number_table, title_of

CHAPTERS: dict[str, Callable[[Section], dict[str, Spec]]] = {
    "beyond": beyond,
    "together": together,
    "groups": groups,
    "queue": queue,
    "multiplicity": multiplicity,
    "generalization": generalization,
    "calibration": calibration,
    "classes": classes,
    "ensembles": ensembles,
    "attribution": attribution,
    "scaling": scaling,
    "portfolio": portfolio,
    "breeding": breeding,
    "levers": levers,
}
"""Figures of a chapter, by its name; their captions are in ``usermeta.caption``."""

MOST_ROWS = 40
"""Rows of a chapter's table on the page; the whole is in the JSON and in ``chapter.tables``."""
MOST_EFFECTS = 400
"""Rows of what levers change: all that the figures show, for 40 levers and more."""

_SHARES = ("accuracy", "all_wrong", "share", "share_low", "share_high")


@dataclass(frozen=True)
class View:
    """A chapter as the page shows it: figures by their key on the page, numbers and tables as text."""

    section: Section
    nav: str
    figures: tuple[str, ...]
    numbers: DisplayTable | None
    tables: tuple[tuple[str, DisplayTable], ...]


def applies(section: Section) -> bool:
    """Whether there is anything to show; where not, its reason is told at the end."""
    return not section.reason or bool(section.numbers)


def section_figures(section: Section) -> dict[str, Spec]:
    """Figures of one chapter, keyed ``chapter_figure``."""
    draw = CHAPTERS.get(section.name)
    if draw is None or not applies(section):
        return {}
    return {f"{section.name}_{key}": spec for key, spec in draw(section).items()}


def views(audit: Audit, drawn: dict[str, Spec]) -> list[View]:
    """The chapters that apply, in the order in which they are told; `drawn` holds the figures of the page."""
    return [_view(section, drawn) for section in audit.sections if applies(section)]


def left_out(audit: Audit) -> list[Section]:
    """The chapters that do not apply here, each with its reason."""
    return [section for section in audit.sections if not applies(section)]


def _view(section: Section, drawn: dict[str, Spec]) -> View:
    return View(
        section,
        title_of(section.name),
        tuple(key for key in drawn if key.startswith(f"{section.name}_") and section.name in CHAPTERS),
        number_table(section) if section.numbers else None,
        tuple((title_of(name), _shown(section, name)) for name in section.tables),
    )


def _shown(section: Section, name: str) -> DisplayTable:
    """A table as text: the first rows of a queue, all that levers change, the first and the last of any other."""
    frame = section.tables[name]
    whole = f"audit.section({section.name!r}).tables[{name!r}]"
    if section.name == "queue" and name == "queue" and len(frame) > 30:
        first = table(frame.head(30), shares=_SHARES, headings=COLUMNS)
        remark = f"The first 30 of {len(frame):,} rows; the full table is {whole}, or polyculture audit --json."
        return DisplayTable(first.headings, first.numeric, first.rows, remark)
    most = MOST_EFFECTS if (section.name, name) == ("levers", "effects") else MOST_ROWS
    shown = table(frame, whole, shares=_SHARES, headings=COLUMNS, limit=most)
    told = TABLES.get(f"{section.name}.{name}", "")
    return replace(shown, remark=f"{told} {shown.remark}".strip())
