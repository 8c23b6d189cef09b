"""How is each further question of the audit shown? Its sentence, its figures, its numbers, its tables.

Labels come from the `SectionSpec` of its name, figures from the file of its name in `figures` or `study_figures`; a
section without them is shown with its numbers and tables as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pkgutil import iter_modules

import pandas as pd

from polyculture.auditing.sections import SECTIONS
from polyculture.results import Audit, Section, SectionSpec, TableSpec
from polyculture.results.tables import HEADINGS, DisplayTable, full_table, moment, table
from polyculture.stats import Interval, percent

from . import figures, study_figures
from .charts.vega import Spec

MODULES = {
    "ablation": "polyculture.studies.ablation.section",
    "active": "polyculture.studies.active.section",
    "cleaning": "polyculture.studies.cleaning.section",
    "comparison": "polyculture.auditing.comparison",
    "compression": "polyculture.studies.compression.section",
    "crowd": "polyculture.studies.crowds.section",
    "design": "polyculture.studies.design_section",
    "evolution": "polyculture.studies.evolution.section",
    "explanation": "polyculture.studies.explanation.section",
    "federation": "polyculture.studies.federation.section",
    "representations": "polyculture.studies.explanation.representations",
    "surrogate": "polyculture.studies.explanation.surrogate",
    "panel": "polyculture.studies.panel.section",
    "panel_ratings": "polyculture.studies.panel.ratings",
    "panel_humans": "polyculture.studies.panel.people",
    "panel_without_truth": "polyculture.studies.panel.without_truth",
    "panel_agreement": "polyculture.studies.panel.agreement",
    "judging": "polyculture.deployment.judging.section",
    "judging-bill": "polyculture.deployment.judging.bill",
    "label_errors": "polyculture.studies.cleaning.label_section",
    "portfolio": "polyculture.selection.portfolio_section",
    "watch": "polyculture.deployment.watch.section",
}
"""Where sections that are no question of an audit are described, in the order in which they lead a page; imported when
one is shown, as studies are large."""

NUMBERS = {"n_eff": "n_eff, effective number of independent models", "rho": "ρ, mean error correlation"}
"""Numbers that mean the same in every section."""

_HEADINGS = {key: HEADINGS[key] for key in ("model_a", "model_b", "n", "n_eff", "rho", "kappa", "all_wrong")}
_FIGURES = {
    module.name: f"{folder.__name__}.{module.name}"
    for folder in (figures, study_figures)
    for module in iter_modules(folder.__path__)
}


@dataclass(frozen=True)
class SectionView:
    """A section as the page shows it: figures by their key on the page, numbers and tables as text."""

    section: Section
    navigation: str
    figures: tuple[str, ...]
    numbers: DisplayTable | None
    tables: tuple[tuple[str, DisplayTable], ...]


def applies(section: Section) -> bool:
    """Whether there is anything to show; where not, its reason stands at the end."""
    return not section.reason or bool(section.numbers)


def stated(section: Section) -> Section:
    """The section with its reason as its sentence where it has no answer, so that a page can lead with it."""
    if applies(section):
        return section
    return replace(section, sentence=f"Not applicable because {section.reason}.", reason="")


def spec_of(section: Section) -> SectionSpec:
    """What is known of a section by its name; the default where nobody described it."""
    if section.name in MODULES:
        spec: SectionSpec = import_module(MODULES[section.name]).SPEC
        return spec
    return SECTIONS.get(section.name) or SectionSpec(section.name, section.title)


def section_figures(section: Section) -> dict[str, Spec]:
    """Figures of one section, keyed ``section_figure``; their captions are in ``usermeta.caption``."""
    if section.name not in _FIGURES or not applies(section):
        return {}
    module = import_module(_FIGURES[section.name])
    return {f"{section.name}_{key}": spec for key, spec in module.draw(section).items()}


def with_answers(audit: Audit, answers: Sequence[Section]) -> Audit:
    """The audit with these sections in front, noted in ``facts["answers"]`` so that its JSON gives the same page."""
    if not answers:
        return audit
    names = [answer.name for answer in answers]
    remainder = tuple(section for section in audit.sections if section.name not in names)
    return replace(audit, sections=(*answers, *remainder), facts={**audit.facts, "answers": names})


def answers_of(audit: Audit) -> tuple[Section, ...]:
    """The sections that lead the page: those that the audit notes, else those that are no question of an audit."""
    by_name = {section.name: section for section in audit.sections}
    names = audit.facts.get("answers", list(MODULES))
    return tuple(by_name[name] for name in names if name in by_name and applies(by_name[name]))


def views(sections: Iterable[Section], specs: Mapping[str, Spec]) -> list[SectionView]:
    """The sections that apply, in order; `specs` holds the figures of the page."""
    return [_view(section, specs) for section in sections if applies(section)]


def skipped(audit: Audit) -> list[Section]:
    """The sections that do not apply here, each with its reason."""
    return [section for section in audit.sections if not applies(section)]


def _view(section: Section, specs: Mapping[str, Spec]) -> SectionView:
    return SectionView(
        section,
        title_of(section.name),
        tuple(key for key in specs if section.name in _FIGURES and key.startswith(f"{section.name}_")),
        number_table(section) if section.numbers else None,
        tuple((title_of(name), display_table(section, name)) for name in section.tables),
    )


def display_table(section: Section, name: str, limit: int | None = None) -> DisplayTable:
    """A table as text: of a ranked one the first rows, of any other the first and the last; `limit` of them at most."""
    spec, frame = spec_of(section).tables.get(name, TableSpec()), section.tables[name]
    limit = min(spec.rows, limit or spec.rows)
    place = f"audit.section({section.name!r}).tables[{name!r}]"
    rows = frame.head(limit) if spec.ranked else frame
    rows = rows.assign(**{name: [moment(time) for time in rows[name]] for name in spec.times if name in rows})
    display = table(rows, place, shares=spec.percent, headings=_HEADINGS | dict(spec.headings), limit=limit)
    remark = display.remark
    if len(rows) < len(frame):
        remark = f"The first {len(rows)} of {len(frame):,} rows; {full_table(place)}"
    return replace(display, remark=f"{spec.caption} {remark}".strip())


def title_of(name: str) -> str:
    """The name of a section or table as a title."""
    return name.upper() if name in ("roc", "auc") else name.replace("_", " ").capitalize()


def number_table(section: Section) -> DisplayTable:
    """One row per number: name, estimate with its interval, what it rests on, how it was made, what to beware of."""
    spec = spec_of(section)
    labels = NUMBERS | dict(spec.numbers)
    rows = [
        {
            "number": labels.get(name, name.replace("_", " ")),
            "estimate": _estimate(i, percent if name in spec.percent else digits),
            "n": i.n or None,
            "method": i.method,
            "remark": i.reason,
        }
        for name, i in section.numbers.items()
    ]
    columns = [key for key in rows[0] if any(row[key] for row in rows)]
    return table(pd.DataFrame(rows)[columns], headings={})


def _estimate(i: Interval, form: Callable[[float], str]) -> str:
    """An estimate with its limits, where it has any."""
    estimate = "–" if math.isnan(i.estimate) else form(i.estimate)
    if math.isnan(i.low) or math.isnan(i.high):
        return estimate
    level = "" if i.level == 0.95 else f" ({100 * i.level:g}\u00a0%)"
    return f"{estimate} [{form(i.low)}, {form(i.high)}]{level}"


def digits(value: float) -> str:
    """A number with three significant digits, ∞ and – for what has none."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if 0 < abs(value) < 1e-4:
        return f"{value:.1e}"
    return f"{value:#.3g}".removesuffix(".")
