"""What does a result say in a few lines? Text for a terminal, HTML for a notebook; the page uses the same parts."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from polyculture.errors import visible
from polyculture.stats import Interval, percent

from .tables import DisplayTable, null_model_table, table

if TYPE_CHECKING:
    from .audit import Audit, Finding, NullModel
    from .portfolio import Portfolio

WIDTH = 96
"""Characters in a line of a summary."""
MOST_LINES = 15
_PERCENT = re.compile(r"(?<=\d) %")

STYLE = """
.polyculture h3 { margin: 0 0 8px; }
.polyculture .tiles { display: flex; flex-wrap: wrap; gap: 8px 28px; margin: 0 0 10px; }
.polyculture .tiles dt, .polyculture .tile-remark, .polyculture .remark { opacity: 0.7; font-size: 0.85em; }
.polyculture .tiles dd { margin: 0; }
.polyculture .figure-number { font-size: 1.5em; font-weight: 600; }
.polyculture .findings { list-style: none; margin: 0 0 10px; padding: 0; }
.polyculture .findings li { display: grid; grid-template-columns: 76px 1fr; padding: 6px 0; }
.polyculture .findings h3, .polyculture .findings p { margin: 0; font-size: 1em; }
.polyculture .alert .severity { font-weight: 700; }
"""
"""The look of a result in a notebook; on the page the page's own style holds."""


def count(n: int | float) -> str:
    """A whole number in groups of three digits: 50,000."""
    return f"{n:,.0f}"


def number(x: float, digits: int = 2) -> str:
    """A number with that many decimals, ∞ and – for what has none."""
    return "–" if math.isnan(x) else "∞" if math.isinf(x) else f"{x:.{digits}f}"


def p_value(p: float) -> str:
    """``p = 0.21`` or ``p < 0.001``; empty where undefined."""
    return "" if math.isnan(p) else "p\u00a0<\u00a00.001" if p < 0.001 else f"p\u00a0=\u00a0{p:.2g}"


def share_text(share: float) -> str:
    """A share in percent; small ones keep two significant digits."""
    if math.isnan(share):
        return "undefined"
    if share in (0, 1):
        text = percent(share, 0)
    elif share < 1e-6:
        text = "< 0.0001 %"
    else:
        text = percent(share) if share >= 0.001 else f"{100 * share:.2g} %"
    return text.replace(" ", "\u00a0")


def unbroken(text: str) -> str:
    """The text with a no-break space between a number and its per cent sign."""
    return _PERCENT.sub("\u00a0%", text)


def lines(*texts: str) -> str:
    """The first lines, none too long for a person to read."""
    texts = tuple(map(visible, texts))
    return "\n".join(text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…" for text in texts[:MOST_LINES])


def wrapped(text: str, limit: int, indent: str = "") -> list[str]:
    """A sentence on a few lines."""
    return textwrap.wrap(text, WIDTH, max_lines=limit, placeholder=" …", subsequent_indent=indent)


def frame_lines(frame: pd.DataFrame, limit: int = 5) -> list[str]:
    """The first rows of a table, and how many more there are."""
    rows = frame.head(limit).to_string(index=False, float_format="{:.3f}".format).split("\n") if len(frame) else []
    return rows + ([f"… {len(frame) - limit:,} more rows"] if len(frame) > limit else [])


def interval_lines(numbers: Iterable[tuple[str, Interval]], limit: int) -> list[str]:
    """One line per number that is defined."""
    return [f"  {name}: {interval.format('.4g')}" for name, interval in numbers if interval.defined][:limit]


def null_model_line(null_model: NullModel) -> str:
    """n_eff and ρ, given what."""
    rho = f", ρ {null_model.rho.format('.3f')}" if null_model.rho.defined else ""
    return f"{null_model.name}  n_eff {null_model.n_eff.format()}{rho}, given {null_model.given}"


def finding_line(finding: Finding) -> str:
    """Code, severity and first words; the reason of a check that does not apply."""
    status = "does not apply" if finding.reason else finding.severity
    title = finding.title[:1].upper() + finding.title[1:]
    return f"{finding.code} {status}  {title}: {finding.reason or finding.sentence}"


def audit_lines(audit: Audit) -> str:
    """The sentence, the null models, the most severe findings, the sections, and where to go next."""
    findings = [finding for finding in audit.findings if not finding.reason]
    names = ", ".join(section.name for section in audit.sections)
    return lines(
        *wrapped(audit.sentence, 2),
        *(f"  {null_model_line(null_model)}" for null_model in audit.null_models[:4]),
        *(f"  {finding_line(finding)}" for finding in findings[:4]),
        *([f"  … {len(findings) - 4} more: audit.findings"] if len(findings) > 4 else []),
        *(wrapped(f"Sections: {names}", 2, "  ") if names else []),
        'Next: audit.plot("pairwise"), audit.pairwise.frame(), pc.report(audit, "page.html")',
    )


def portfolio_lines(portfolio: Portfolio) -> str:
    """The sentence, the members with their weights, and where to go next."""
    members = [
        f"  {weight:6.3f}  {member}" for member, weight in zip(portfolio.members, portfolio.weights, strict=True)
    ]
    remainder = [f"  … {len(members) - 6} more members"] if len(members) > 6 else []
    steps = 'Next: portfolio.plot("front"), portfolio.frame(), portfolio.certificate.frame()'
    return lines(*wrapped(portfolio.sentence, 6), *members[:6], *remainder, steps)


def tiles(audit: Audit) -> list[tuple[str, str, str]]:
    """Key numbers: (name, number, remark)."""
    board, systemic, pairs = audit.leaderboard.table, audit.systemic, audit.n_models * (audit.n_models - 1) // 2
    defined = int(np.isfinite(audit.pairwise.values["kappa"][np.triu_indices(audit.n_models, 1)]).sum())
    best = (share_text(float(board["accuracy"].iloc[0])), str(board["model"].iloc[0])) if len(board) else ("–", "")
    complete = systemic.n == audit.n_instances
    return [
        ("models", count(audit.n_models), f"{count(pairs)} pair{'s' if pairs != 1 else ''}"),
        ("instances", count(audit.n_instances), f"{'all' if complete else count(systemic.n)} answered by every model"),
        ("best accuracy", *best),
        ("mean κ", number(audit.pairwise.mean("kappa")), _kappa_remark(defined, pairs)),
        ("failed by all", share_text(systemic.rate.estimate), _if_independent(audit)),
    ]


def _if_independent(audit: Audit) -> str:
    """What independent models would all fail, given the truth and, where it reads otherwise, without it."""
    expected, raw = share_text(audit.systemic.expectation), share_text(audit.systemic.expectation_raw)
    if raw in (expected, share_text(math.nan)):
        return f"{expected} if independent"
    return f"if independent: {expected} given the class, {raw} at overall error rates"


def _kappa_remark(defined: int, pairs: int) -> str:
    if defined == pairs:
        return "error consistency; 0 is chance"
    return f"defined for {count(defined)} of {count(pairs)} pairs" if defined else "not defined for any pair"


def tiles_html(audit: Audit) -> str:
    """The key numbers as a description list."""
    items = "\n".join(
        f'<div><dt>{escape(name)}</dt><dd class="figure-number">{escape(value)}</dd>'
        f'<dd class="tile-remark">{escape(remark)}</dd></div>'
        for name, value, remark in tiles(audit)
    )
    return f'<dl class="tiles">\n{items}\n</dl>'


def findings_html(findings: Iterable[Finding]) -> str:
    """The findings that apply as a list."""
    items = "\n".join(
        f'<li class="{f.severity}"><span class="severity">{f.severity}</span><div><h3>{escape(f.title)} '
        f"<code>{escape(f.code)}</code></h3><p>{escape(unbroken(f.sentence))}</p></div></li>"
        for f in findings
        if not f.reason
    )
    return f'<ul class="findings">\n{items}\n</ul>'


def table_html(text: DisplayTable, label: str, kind: str = "") -> str:
    """A table that scrolls inside its own box."""
    align = [' class="num"' if numeric else "" for numeric in text.numeric]
    head = "".join(
        f'<th scope="col"{a}>{escape(heading)}</th>' for a, heading in zip(align, text.headings, strict=True)
    )
    body = "\n".join(
        "<tr>" + "".join(f"<td{a}>{escape(unbroken(cell))}</td>" for a, cell in zip(align, row, strict=True)) + "</tr>"
        for row in text.rows
    )
    box = f"scroll {kind}".strip()
    remark = f'\n<p class="remark">{escape(unbroken(text.remark))}</p>' if text.remark else ""
    return (
        f'<div class="{box}" tabindex="0" role="region" aria-label="{escape(label)}">\n'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>{remark}"
    )


def notebook_html(heading: str, *parts: str) -> str:
    """A result in a notebook: a heading and its parts, without scripts."""
    texts = (f"<h3>{escape(heading)}</h3>", *parts)
    lines_of_html = ("\n".join(map(visible, text.split("\n"))) for text in texts)
    return "".join((f'<div class="polyculture"><style>{STYLE}</style>', *lines_of_html, "</div>"))


def audit_html(audit: Audit) -> str:
    """The sentence, the key numbers, the findings and the null models."""
    return notebook_html(
        audit.sentence,
        tiles_html(audit),
        findings_html(audit.findings),
        table_html(null_model_table(audit), "Null models"),
        "<p class='remark'>Figures: <code>audit.plot(\"pairwise\")</code>; everything: "
        '<code>pc.report(audit, "page.html")</code>.</p>',
    )


def frame_html(heading: str, sentence: str, frame: pd.DataFrame) -> str:
    """A sentence and the first rows of a table."""
    text = f"<p>{escape(sentence)}</p>" if sentence else ""
    return notebook_html(heading, text, table_html(table(frame, limit=20), heading) if len(frame) else "")
