"""What must the reader of any audit know and beware of? Each check says one thing, or nothing, or why it cannot."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from polyculture.results import Finding, NullModel, Severity

from .context import AuditParts

ALIKE = 0.999
FEW_INFORMATIVE, FEW_CLUSTERS = 30, 40


def _homogenization(c: AuditParts) -> Iterator[Finding]:
    return homogenization(c.null_model, c.effective.n_models)


def homogenization(null_model: NullModel, m: int) -> Iterator[Finding]:
    """PC001 of any rung: as how many independent models the m informative ones fail."""
    n = null_model.n_eff
    title = "effective number of models"
    if not n.defined:
        yield Finding("PC001", title, "The effective number of models is undefined.", reason=n.reason)
        return
    if math.isinf(n.estimate):
        yield Finding("PC001", title, f"The errors of the {m} models never coincide: n_eff has no upper bound.")
        return
    alike = n.high < m / 2
    severity: Severity = "alert" if alike and n.estimate < m / 4 else "warning" if alike else "note"
    yield Finding(
        "PC001",
        title,
        f"{m} models fail like {n.format()} independent ones, given {null_model.given} "
        f"(mean error covariance over variance ρ = {null_model.rho.format('.3f')}, test of independence p "
        f"{_p(null_model.p)}).",
        severity,
    )


def _systemic(c: AuditParts) -> Iterator[Finding]:
    s = c.systemic
    title = "systemic failure"
    if not s.rate.defined:
        yield Finding(
            "PC002", title, "The share of instances that every model fails is undefined.", reason=s.rate.reason
        )
        return
    count = int(s.observed[-1])
    null = f"{_rate(s.expectation)} if they failed independently"
    if s.expectation_raw != s.expectation:
        null += f" given the true class ({_rate(s.expectation_raw)} at their overall error rates)"
    yield Finding(
        "PC002",
        title,
        f"All {len(s.observed) - 1} models fail the same {count:,} of {s.n:,} instances: {s.rate.estimate:.2%} "
        f"[{s.rate.low:.2%}, {s.rate.high:.2%}]. It would be {null}; exact p {_p(s.p)}.",
        "alert" if s.p < 0.01 and count >= 10 else "warning" if s.p < 0.05 else "note",
    )


def _twins(c: AuditParts) -> Iterator[Finding]:
    answers = c.context.counts.same_answer
    same = answers if answers is not None else c.context.counts.n11 + c.context.counts.n00
    a, b = np.nonzero(np.triu((same > ALIKE * c.context.counts.n) & (c.context.counts.n >= 200), 1))
    if len(a):
        names = c.pairwise.models
        shown = "; ".join(f"{names[i]} and {names[j]}" for i, j in list(zip(a, b, strict=True))[:5])
        yield Finding(
            "PC003",
            "the same model twice?",
            f"{len(a)} pair{'s' if len(a) > 1 else ''} of models answer{'s' if len(a) == 1 else ''} alike on more than "
            f"99.9 % of their instances: {shown}{'; …' if len(a) > 5 else ''}.",
            "warning",
        )


def _constant(c: AuditParts) -> Iterator[Finding]:
    left_out = [name for name, ok in zip(c.pairwise.models, c.effective.informative, strict=True) if not ok]
    if left_out:
        yield Finding(
            "PC004",
            "models that carry no information",
            f"{len(left_out)} of {len(c.pairwise.models)} models are right or wrong everywhere and are left out of "
            f"the effective number: {', '.join(left_out[:5])}{', …' if len(left_out) > 5 else ''}.",
            "note",
        )


def _informative(c: AuditParts) -> Iterator[Finding]:
    if c.effective.n_info < FEW_INFORMATIVE:
        yield Finding(
            "PC005",
            "few informative instances",
            f"The variance of the failure count rests on about {c.effective.n_info:.0f} instances; "
            f"below {FEW_INFORMATIVE} the interval is too narrow.",
            "warning",
        )


def _clusters(c: AuditParts) -> Iterator[Finding]:
    n = c.context.n_clusters
    if n is not None and n < FEW_CLUSTERS:
        yield Finding(
            "PC006",
            "few clusters",
            f"The instances fall into {n} clusters; below {FEW_CLUSTERS} cluster-aware intervals are too narrow.",
            "warning",
        )


def _missing(c: AuditParts) -> Iterator[Finding]:
    counts = c.context.table_counts
    if counts.missing:
        yield missing_cells(counts.missing_share, counts.missing_correlation)


def missing_cells(share: float, r: float) -> Finding:
    """How many cells are missing, and whether that goes with how hard instances are (correlation r)."""
    goes_with = abs(r) > 0.1
    tail = (
        f" Cells are missing where instances are {'harder' if r < 0 else 'easier'} (r = {r:.2f}): the numbers speak of "
        "another population of instances than the table's."
        if goes_with
        else ""
    )
    return Finding(
        "PC007",
        "missing cells",
        f"{share:.1%} of the cells are missing; pairs are compared on the instances that both answered.{tail}",
        "warning" if goes_with else "note",
    )


def _shifts(c: AuditParts) -> Iterator[Finding]:
    if len(c.shifts) < 2:
        return
    start = c.shifts.iloc[0]
    worst = c.shifts.iloc[1:].sort_values("all_wrong", na_position="first").iloc[-1]
    yield Finding(
        "PC008",
        "alikeness under shift",
        f"From the unshifted test to {worst['shift']} at severity {worst['severity']:g} the share of instances that "
        f"every model fails goes {_from_to(start, worst, 'all_wrong', '.2%')}, mean accuracy "
        f"{_from_to(start, worst, 'accuracy', '.1%')} and n_eff {_from_to(start, worst, 'n_eff', '.2f')}.",
        "warning" if worst["all_wrong"] > 2 * max(start["all_wrong"], 1 / start["n"]) else "note",
    )


def _from_to(start: pd.Series[Any], end: pd.Series[Any], column: str, spec: str) -> str:
    said = ["undefined" if math.isnan(row[column]) else f"{row[column]:{spec}}" for row in (start, end)]
    return f"from {said[0]} to {said[1]}"


def _apart(c: AuditParts) -> Iterator[Finding]:
    s = c.leaderboard
    if s.pairs_tested:
        yield Finding(
            "PC009",
            "performance convergence",
            f"{s.pairs_apart:,} of {s.pairs_tested:,} pairs of models can be told apart by accuracy "
            f"({s.pairs_apart / s.pairs_tested:.0%}; McNemar, false discovery rate 5 %).",
        )


def _p(p: float) -> str:
    return "undefined" if math.isnan(p) else "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _rate(rate: float) -> str:
    return f"{rate:.2%}" if rate >= 5e-5 else "less than 0.005%" if rate > 0 else "0%"


CHECKS = (
    _homogenization,
    _systemic,
    _twins,
    _constant,
    _informative,
    _clusters,
    _missing,
    _shifts,
    _apart,
)
