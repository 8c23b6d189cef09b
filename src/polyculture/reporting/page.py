"""What does a reader see of an audit? One HTML file that needs no other file and no network."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from polyculture.errors import FileError, InputError
from polyculture.results import Audit, Section, summary, tables
from polyculture.results.tables import DisplayTable
from polyculture.stats import every, percent
from polyculture.version import __version__

from . import narrative, sections
from .atomic_write import write_atomically
from .audit_figures import figures
from .charts.vega import records
from .contents import contents
from .control_characters import shown
from .lead import first_figure, lead, sentences, static_picture
from .panel import panel_html
from .png import data_uri
from .sections import answers_of, section_figures, stated, with_answers
from .theme import css_variables, themed
from .vega_bundle import bundle

MOST_PAIRS = 15
"""Pairs in each of the two tables of pairs."""

MOST_PICTURES = 24
MOST_NAMES = 500
"""Models, and instances, that the search box offers; it looks for any text."""

_DOT = 20
"""Pixels from one model's dot to the next."""


@dataclass(frozen=True)
class Hard:
    """One of the hardest instances, as the page shows it."""

    instance: str
    label: str
    wrong: int
    models: int
    answer: str
    share: str
    picture: str


def report(audit: Audit | None, path: str | Path, answers: Sequence[Section] = (), *, next_command: str = "") -> Path:
    """Write a result as one self-contained HTML page: no network, no other file, at most about 2 MB.

    Parameters
    ----------
    audit : the audit to write; None for a page that has only answers.
    path : a name ending in ``.html``; its folder is made where it does not exist. A page that is already there is
        replaced in one step.
    answers : sections that lead the page, in this order; the audit follows them. Without them the sections named in
        ``audit.facts["answers"]`` lead, else the sentence of the audit.
    next_command : what to run next, on a page that has only answers; an audit has it in ``facts["next"]``.

    Returns the path. Raises InputError for another ending, or where there is neither audit nor answer, and FileError
    where the page cannot be written.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> pc.report(pc.audit(tiny_predictions()), "page.html").name
    'page.html'
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"a page named {path.name!r}", "a name that ends in .html")
    content = html(audit, answers, next_command).encode("utf-8")
    try:
        write_atomically(path, content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FileError(f"cannot write {path}: {reason}", "a folder that can be written") from error
    return path


def html(audit: Audit | None, answers: Sequence[Section] = (), next_command: str = "") -> str:
    """The page as text."""
    panel = ""
    if audit is not None:
        audit = with_answers(audit, answers)
        panel = panel_html(audit)
        audit = shown(audit)
        answers = answers_of(audit)
    else:
        answers = shown(tuple(map(stated, answers)))
    if audit is None and not answers:
        raise InputError("a page of nothing", "an audit, or sections as answers")
    drawings = figures(audit) if audit else {k: v for section in answers for k, v in section_figures(section).items()}
    specs = {name: _for_page(spec) for name, spec in drawings.items()}
    leading = sections.views(answers, specs)
    further = sections.views([s for s in audit.sections if s not in answers], specs) if audit else []
    first = lead(audit, leading)
    steps = commands(audit) if audit else [(next_command, "")] if next_command else []
    text: str = _template().render(
        audit=audit,
        narrative=narrative,
        tables=tables,
        drawn=specs,
        summary=summary,
        lead=first,
        answers=leading,
        sections=further,
        skipped=sections.skipped(audit) if audit else [],
        contents=contents(audit, leading, further),
        names=_names(audit),
        panel=panel,
        picture=static_picture(specs[first.figure]) if first.figure else "",
        commands=steps,
        version=__version__,
        style=_file("style.css"),
        light=css_variables("light"),
        dark=css_variables("dark"),
        specs=_script_json(specs),
        bundle=bundle() if specs else "",
        script=_file("page.js"),
        **(_of_audit(audit, specs) if audit else {}),
    )
    return text


def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: summary.unbroken(value) if type(value) is str else value,
    )
    environment.filters["sentences"] = sentences
    environment.globals["first_figure"] = first_figure
    environment.globals["every"] = every
    return environment.from_string(_file("page.html"))


def _names(audit: Audit | None) -> list[str]:
    """Models and the hardest instances, offered by the search box."""
    if audit is None:
        return []
    return [*audit.pairwise.models[:MOST_NAMES], *map(str, audit.systemic.hardest["instance"].head(MOST_NAMES))]


def _of_audit(audit: Audit, specs: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of an audit itself."""
    leaderboard = specs["leaderboard"]["usermeta"]
    return {
        "dots": dots(audit),
        "dots_width": _DOT * -(-audit.n_models // -(-audit.n_models // 46)),
        "null_models_caption": narrative.null_models_caption(audit),
        "leaderboard_caption": narrative.leaderboard_caption(
            leaderboard["drawn"], leaderboard["lines"], audit.n_models
        ),
        "pairwise_caption": narrative.pairwise_caption(specs["pairwise"]["usermeta"]["square"], audit.n_models),
        "hard": _pictured(audit),
        "pairs": tables.pair_tables(audit, MOST_PAIRS),
        "shifts": tables.table(audit.shifts, "audit.shifts") if len(audit.shifts) else DisplayTable((), (), ()),
    }


def dots(audit: Audit) -> list[float]:
    """How much of each model's dot is filled, so that n_eff dots are; empty for sets too large to draw."""
    n = audit.n_eff.estimate
    if math.isnan(n) or audit.n_models > 150:
        return []
    return [min(1.0, max(0.0, n - k)) for k in range(audit.n_models)]


def commands(audit: Audit) -> list[tuple[str, str]]:
    """What to run next: (command, purpose)."""
    steps = audit.facts.get("next", ())
    if steps:
        return [(str(command), "") for command in ([steps] if isinstance(steps, str) else steps)]
    return [
        ("polyculture audit FILE --json", "every number of this page, every pair included, for another program"),
        ("polyculture report audit.json", "this page again from those numbers"),
    ]


def _for_page(spec: dict[str, Any]) -> dict[str, Any]:
    """The figure without its title, which the page gives in words, and in the colours of the page's theme."""
    content = {key: value for key, value in spec.items() if key != "title"} | {"background": "transparent"}
    content["config"] = {**spec.get("config", {}), "aria": False}  # the box of the figure says what it shows
    return dict(themed(content))


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _pictured(audit: Audit) -> list[Hard]:
    """The hardest instances that have a picture; labels and answers only where the table knows them."""
    rows = [row for row in records(audit.systemic.hardest) if str(row["instance"]) in audit.pictures]
    return [
        Hard(
            instance=str(row["instance"]),
            label=tables.cell(row.get("label")),
            wrong=int(row["wrong"]),
            models=int(row["models"]),
            answer=str(row.get("answer") or ""),
            share=percent(float(row["share"]), 0) if row.get("answer") else "",
            picture=data_uri(audit.pictures[str(row["instance"])]),
        )
        for row in rows[:MOST_PICTURES]
    ]


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
