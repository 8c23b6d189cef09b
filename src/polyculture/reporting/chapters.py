"""How is each further question of the audit shown? Its sentence, its figures, its numbers, its tables.

A chapter that is not listed here is shown without figures, so a new one needs nothing from this room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from polyculture.reporting.choosing import breeding, portfolio
from polyculture.reporting.composing import ensembles, scaling
from polyculture.reporting.confusing import classes
from polyculture.reporting.drawing import Spec
from polyculture.reporting.failing import groups, queue, together
from polyculture.reporting.naming import COLUMNS, TABLES, number_table, title_of
from polyculture.reporting.performing import calibration, generalization
from polyculture.reporting.pulling import levers
from polyculture.reporting.resembling import attribution, beyond, multiplicity
from polyculture.reporting.tables import Table, table
from polyculture.results import Audit, Chapter

CHAPTERS: dict[str, Callable[[Chapter], dict[str, Spec]]] = {
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

    chapter: Chapter
    nav: str
    figures: tuple[str, ...]
    numbers: Table | None
    tables: tuple[tuple[str, Table], ...]


def applies(chapter: Chapter) -> bool:
    """Whether there is anything to show; where not, its reason is told at the end."""
    return not chapter.reason or bool(chapter.numbers)


def chapter_figures(chapter: Chapter) -> dict[str, Spec]:
    """Figures of one chapter, keyed ``chapter_figure``."""
    draw = CHAPTERS.get(chapter.name)
    if draw is None or not applies(chapter):
        return {}
    return {f"{chapter.name}_{key}": spec for key, spec in draw(chapter).items()}


def views(audit: Audit, drawn: dict[str, Spec]) -> list[View]:
    """The chapters that apply, in the order in which they are told; `drawn` holds the figures of the page."""
    return [_view(chapter, drawn) for chapter in audit.chapters if applies(chapter)]


def left_out(audit: Audit) -> list[Chapter]:
    """The chapters that do not apply here, each with its reason."""
    return [chapter for chapter in audit.chapters if not applies(chapter)]


def _view(chapter: Chapter, drawn: dict[str, Spec]) -> View:
    return View(
        chapter,
        title_of(chapter.name),
        tuple(key for key in drawn if key.startswith(f"{chapter.name}_") and chapter.name in CHAPTERS),
        number_table(chapter) if chapter.numbers else None,
        tuple((title_of(name), _shown(chapter, name)) for name in chapter.tables),
    )


def _shown(chapter: Chapter, name: str) -> Table:
    """A table as text: the first rows of a queue, all that levers change, the first and the last of any other."""
    frame = chapter.tables[name]
    whole = f"audit.chapter({chapter.name!r}).tables[{name!r}]"
    if chapter.name == "queue" and name == "queue" and len(frame) > 30:
        first = table(frame.head(30), shares=_SHARES, headings=COLUMNS)
        remark = f"The first 30 of {len(frame):,} rows; the whole is {whole}, or polyculture audit --json."
        return Table(first.headings, first.numeric, first.rows, remark)
    most = MOST_EFFECTS if (chapter.name, name) == ("levers", "effects") else MOST_ROWS
    shown = table(frame, whole, shares=_SHARES, headings=COLUMNS, most=most)
    told = TABLES.get(f"{chapter.name}.{name}", "")
    return replace(shown, remark=f"{told} {shown.remark}".strip())
