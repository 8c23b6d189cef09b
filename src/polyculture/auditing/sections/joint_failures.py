"""How often do several fail together, and what would explain it? fail@k, n_sys, the ceiling, the tipping point."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from polyculture.measures.systemic import FailAtK, common_shock, fail_at_k_curve
from polyculture.results import Section
from polyculture.stats import Interval, ceiling, fail_at_k_interval, influence_interval, upper_limit

from ..context import AuditContext

NAME, TITLE = "together", "How often do several of them fail together?"


def together(evidence: AuditContext) -> Section:
    """fail@k against independence given the true class, with what bounds and what could explain it."""
    found, level = evidence.systemic, evidence.options.level
    if found.reason:
        return Section(NAME, TITLE, "", reason=found.reason)
    p = evidence.predictions
    shock = common_shock(p.wrong, evidence.classes, p.observed)
    tipping = Interval.undefined(shock.reason, found.n)
    if not shock.reason:
        tipping = influence_interval(shock.rate, shock.influence, evidence.clusters, level)
    numbers = {
        "systemic_index": Interval(found.index, n=found.n, method="excess over the largest possible"),
        "n_sys": n_sys(evidence),
        "ceiling": ceiling(found.failures, found.n, level),
        "common_shock_rate": tipping,
    }
    curve = fail_at_k(evidence)
    return Section(NAME, TITLE, _sentence(evidence, numbers, curve), numbers, {"fail_at_k": curve})


def n_sys(evidence: AuditContext) -> Interval:
    """So many independent models of the same error rates would all fail as often; a lower bound if none ever did."""
    found = evidence.systemic
    if found.failures:
        return Interval(found.n_sys, n=found.n, method="log systemic failure rate / mean log error rate")
    rates = found.errors.sum(axis=0) / found.n
    if (rates == 0).any():
        return Interval.undefined("a model is never wrong", found.n)
    most = upper_limit(0, found.n, evidence.options.level)
    logs = float(np.log(rates).sum())
    low = len(rates) * math.log(most) / logs if logs < 0 else math.nan
    return Interval(
        math.inf, low, math.inf, evidence.options.level, found.n, "Jeffreys upper limit", "no instance is failed by all"
    )


def fail_at_k(evidence: AuditContext) -> pd.DataFrame:
    """One row per k: how often k random different models all fail, with limits, and if they were independent.

    Rows carried by fewer than 20 (Kish) instances have shown = False and only an upper limit.
    """
    p = evidence.predictions
    curve: FailAtK = fail_at_k_curve(p.wrong, evidence.classes, p.observed)
    clusters = None if evidence.clusters is None else evidence.clusters[evidence.complete]
    m, level = len(curve.rates), evidence.options.level
    limits = [
        fail_at_k_interval(curve.values(k), float(curve.kish[k - 1]), int(curve.reached[k - 1]), clusters, level)
        for k in range(1, m + 1)
    ]
    return pd.DataFrame(
        {
            "k": np.arange(1, m + 1),
            "observed": curve.rates,
            "low": [i.low for i in limits],
            "high": [i.high for i in limits],
            "expected": curve.expected,
            "kish_n": curve.kish,
            "shown": [not i.reason for i in limits],
        }
    )


def _sentence(evidence: AuditContext, numbers: dict[str, Interval], curve: pd.DataFrame) -> str:
    two = curve.iloc[1]
    shock, plausible = numbers["common_shock_rate"], evidence.options.label_errors
    said = (
        f"Two random different models both fail {two['observed']:.2%} of the instances; independent ones would fail "
        f"{two['expected']:.2%}. No policy that returns one member's answer can be right on more than "
        f"{numbers['ceiling'].high:.2%}."
    )
    if not shock.defined or shock.estimate <= 0:
        return said
    verdict = (
        f"that is no more than the {plausible:.1%} which is plausible, so it could be entirely label errors"
        if shock.estimate <= plausible
        else f"more than the {plausible:.1%} which is plausible"
    )
    return (
        f"{said} The alikeness is as if {shock.format('.2%')} of the instances took every model down; "
        f"read backwards, so many wrong labels would explain all of it: {verdict}."
    )
