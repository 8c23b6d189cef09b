"""What should the reader of an audit know? Findings with their severity, or why a check does not apply."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from polyculture.results import Finding, NullModel, Severity
from polyculture.stats import Interval, every, percent, plural

from .context import AuditParts
from .sections import SECTIONS
from .sections.joint_failures import plausibility

ALIKE = 0.999
FEW_INFORMATIVE, FEW_CLUSTERS = 30, 60


def findings(parts: AuditParts) -> tuple[Finding, ...]:
    """All findings, most severe first, those that do not apply last, by code within."""
    rank: dict[Severity, int] = {"alert": 0, "warning": 1, "note": 2}
    unsorted = (finding for check in CHECKS for finding in check(parts))
    return tuple(sorted(unsorted, key=lambda finding: (bool(finding.reason), rank[finding.severity], finding.code)))


def _of_sections(parts: AuditParts) -> Iterator[Finding]:
    """What each section says, or why it says nothing."""
    for section in parts.sections:
        spec = SECTIONS[section.name]
        if spec.code:
            severity = "note" if section.reason else spec.severity(section)
            sentence = "" if section.reason else section.sentence
            yield Finding(spec.code, spec.finding, sentence, severity, section.reason)


def _effective_number(parts: AuditParts) -> Iterator[Finding]:
    yield effective_number(parts.null_model, parts.effective.n_models)


def effective_number(null_model: NullModel, m: int) -> Finding:
    """PC001 of any null model: how many independent models the m informative ones fail like."""
    n, title = null_model.n_eff, "effective number of models"
    if not n.defined:
        return Finding("PC001", title, "The effective number of models is undefined.", reason=n.reason)
    if math.isinf(n.estimate):
        return Finding("PC001", title, f"The errors of the {m} models never coincide: n_eff has no upper bound.")
    similar = n.high < m / 2
    severity: Severity = "alert" if similar and n.estimate < m / 4 else "warning" if similar else "note"
    return Finding(
        "PC001",
        title,
        f"{m} models fail like {n.format()} independent ones, given {null_model.given} "
        f"(mean error covariance over variance ρ = {null_model.rho.format('.3f')}, test of independence p "
        f"{_p(null_model.p)}).",
        severity,
    )


def _systemic(parts: AuditParts) -> Iterator[Finding]:
    s = parts.systemic
    title = "systemic failure"
    if not s.rate.defined:
        yield Finding(
            "PC002", title, "The share of instances that every model fails is undefined.", reason=s.rate.reason
        )
        return
    count = int(s.observed[-1])
    null = f"{_rate(s.expectation)} if they failed independently"
    if parts.context.small_classes:
        null += f" at their overall error rates (not given the true class: {parts.context.small_classes})"
    elif s.expectation_raw != s.expectation:
        null += f" given the true class ({_rate(s.expectation_raw)} at their overall error rates)"
    limits = "" if math.isnan(s.rate.low) else f" [{percent(s.rate.low, 2)}, {percent(s.rate.high, 2)}]"
    yield Finding(
        "PC002",
        title,
        f"{every(len(s.observed) - 1, 'model').capitalize()} fail the same {count:,} of {plural(s.n, 'instance')}: "
        f"{percent(s.rate.estimate, 2)}{limits}. It would be {null}; exact p {_p(s.p)}.",
        "alert" if s.p < 0.01 and count >= 10 else "warning" if s.p < 0.05 else "note",
    )


def _identical_models(parts: AuditParts) -> Iterator[Finding]:
    answers = parts.context.counts.same_answer
    agreements = answers if answers is not None else parts.context.counts.n11 + parts.context.counts.n00
    a, b = np.nonzero(np.triu((agreements > ALIKE * parts.context.counts.n) & (parts.context.counts.n >= 200), 1))
    if len(a):
        names = parts.pairwise.models
        examples = "; ".join(f"{names[i]} and {names[j]}" for i, j in list(zip(a, b, strict=True))[:5])
        yield Finding(
            "PC003",
            "the same model twice?",
            f"{len(a)} pair{'s' if len(a) > 1 else ''} of models answer{'s' if len(a) == 1 else ''} alike on more than "
            f"99.9 % of their instances: {examples}{'; …' if len(a) > 5 else ''}.",
            "warning",
        )


def _constant(parts: AuditParts) -> Iterator[Finding]:
    left_out = [name for name, ok in zip(parts.pairwise.models, parts.effective.informative, strict=True) if not ok]
    if left_out:
        yield Finding(
            "PC004",
            "models that carry no information",
            f"{len(left_out)} of {len(parts.pairwise.models)} models are right or wrong everywhere and are left out of "
            f"the effective number: {', '.join(left_out[:5])}{', …' if len(left_out) > 5 else ''}.",
            "note",
        )


def _informative(parts: AuditParts) -> Iterator[Finding]:
    if parts.effective.n_info < FEW_INFORMATIVE:
        yield Finding(
            "PC005",
            "few informative instances",
            f"The variance of the failure count rests on about "
            f"{plural(round(parts.effective.n_info), 'instance')}; below {FEW_INFORMATIVE} the interval is too narrow.",
            "warning",
        )


def _clusters(parts: AuditParts) -> Iterator[Finding]:
    n = parts.context.n_clusters
    if n is not None and n <= FEW_CLUSTERS:
        yield Finding(
            "PC006",
            "few clusters",
            f"The instances fall into {plural(n, 'cluster')}; with {FEW_CLUSTERS} or fewer cluster-aware "
            "intervals are too narrow.",
            "warning",
        )


def _missing(parts: AuditParts) -> Iterator[Finding]:
    """Whether cells are missing where instances are hard: `missing_correlation` with the share of wrong answers."""
    counts = parts.context.table_counts
    if not counts.missing:
        return
    r = counts.missing_correlation
    related = abs(r) > 0.1
    tail = (
        f" Cells are missing where instances are {'harder' if r < 0 else 'easier'} (r = {r:.2f}): the numbers speak of "
        "another population of instances than the table's."
    )
    yield Finding(
        "PC007",
        "missing cells",
        f"{percent(counts.missing_share, 1)} of the cells are missing; pairs are compared on the instances that both "
        f"answered.{tail if related else ''}",
        "warning" if related else "note",
    )


def _shifts(parts: AuditParts) -> Iterator[Finding]:
    if len(parts.shifts) < 2:
        return
    start = parts.shifts.iloc[0]
    worst = parts.shifts.iloc[1:].sort_values("all_wrong", na_position="first").iloc[-1]
    changes = [_from_to(start, worst, *change) for change in CHANGES]
    stated = [change for change in changes if change]
    if not stated:
        yield Finding("PC008", "alikeness under shift", "", reason="no instance was answered on both test sets")
        return
    yield Finding(
        "PC008",
        "alikeness under shift",
        f"From the unshifted test to {worst['shift']} at severity {worst['severity']:g} "
        f"{' and '.join(filter(None, (', '.join(stated[:-1]), stated[-1])))}.",
        "warning" if worst["all_wrong"] > 2 * max(start["all_wrong"], 1 / start["n"]) else "note",
    )


CHANGES = (
    ("all_wrong", ".2%", "the share of instances that every model fails goes"),
    ("accuracy", ".1%", "mean accuracy"),
    ("n_eff", ".2f", "n_eff"),
)
"""Columns of the table of shifts that are compared, their formats, and what is said of them."""


def _from_to(start: pd.Series[Any], end: pd.Series[Any], column: str, spec: str, subject: str) -> str:
    """How a number changes; empty where it is not defined on both test sets."""
    first, last = Interval(float(start[column])), Interval(float(end[column]))
    return f"{subject} from {first.format(spec)} to {last.format(spec)}" if first.defined and last.defined else ""


def _distinguishable_pairs(parts: AuditParts) -> Iterator[Finding]:
    s = parts.leaderboard
    if s.pairs_tested:
        yield Finding(
            "PC009",
            "performance convergence",
            f"{s.pairs_apart:,} of {plural(s.pairs_tested, 'pair')} of models can be told apart by accuracy "
            f"({percent(s.pairs_apart / s.pairs_tested, 0)}; McNemar, false discovery rate 5 %).",
        )


def _p(p: float) -> str:
    return "undefined" if math.isnan(p) else "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _rate(rate: float) -> str:
    return percent(rate, 2) if rate >= 5e-5 else "less than 0.005 %" if rate > 0 else "0 %"


def _label_errors(parts: AuditParts) -> Iterator[Finding]:
    section, plausible = parts.section("joint_failures"), parts.context.options.label_errors
    title = "label errors could explain it"
    shock = section.numbers.get("common_shock_rate")
    if shock is None or not shock.defined:
        yield Finding("PC010", title, "", reason=section.reason or (shock.reason if shock else "undefined"))
        return
    if shock.reason:
        yield Finding("PC010", title, "", reason=shock.reason)
        return
    yield Finding(
        "PC010",
        title,
        f"If {shock.format('.2%')} of the labels were wrong, that alone would make independent models look as alike; "
        f"{plausibility(shock, plausible)}.",
        "warning" if shock.estimate <= plausible else "note",
    )


def _outside_difficulty(parts: AuditParts) -> Iterator[Finding]:
    title = "alikeness beyond outside difficulty"
    if parts.outside is None:
        yield Finding("PC018", title, "", reason="nothing from outside says how hard the instances are")
        return
    n = parts.outside.n_eff
    if not n.defined:
        yield Finding("PC018", title, "", reason=n.reason)
        return
    yield Finding(
        "PC018",
        title,
        f"Given {parts.outside.given} the models fail like {n.format()}, against "
        f"{parts.null_model.n_eff.format()} without it. A noisy measure of difficulty removes only part "
        "of it: this is a lower bound.",
    )


CHECKS = (
    _of_sections,
    _effective_number,
    _systemic,
    _identical_models,
    _constant,
    _informative,
    _clusters,
    _missing,
    _shifts,
    _distinguishable_pairs,
    _label_errors,
    _outside_difficulty,
)
