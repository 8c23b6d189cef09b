"""How often do several fail together, and what would explain it? fail@k, n_sys, the ceiling, the tipping point."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from polyculture.measures.systemic import FailAtK, common_shock, fail_at_k_curve
from polyculture.results import Section, SectionSpec
from polyculture.stats import (
    Interval,
    ceiling_interval,
    effective_n,
    fail_at_k_interval,
    influence_interval,
    percent,
    upper_limit,
)

from ..context import AuditContext

NOT_ALIKE = "the models are not more alike than independent ones"
NOT_SURELY_ALIKE = "the models are not surely more alike than independent ones"


def joint_failures(context: AuditContext) -> Section:
    """fail@k against independence given the true class, with what bounds and what could explain it."""
    counts, level = context.systemic, context.options.level
    if counts.reason:
        return SPEC.skip(counts.reason)
    failed = np.asarray(context.predictions.wrong[:, context.complete].all(axis=0))
    clusters = None if context.clusters is None else context.clusters[context.complete]
    numbers = {
        "systemic_index": Interval(counts.index, n=counts.n, method="excess over the largest possible"),
        "n_sys": n_sys(context),
        "ceiling": ceiling_interval(failed, clusters, level),
        "common_shock_rate": tipping_point(context),
    }
    curve = fail_at_k(context)
    return SPEC.answer(_sentence(context, numbers, curve), numbers, {"fail_at_k": curve})


def tipping_point(context: AuditContext) -> Interval:
    """Share of wrong labels that would explain all alikeness, from 0 to 1; undefined where there is none to explain."""
    p, n = context.predictions, context.systemic.n
    shock = common_shock(p.wrong, context.classes, p.observed)
    if shock.reason:
        return Interval.undefined(shock.reason, n)
    if shock.rate <= 0:
        return Interval.undefined(NOT_ALIKE, n)
    limits = influence_interval(shock.rate, shock.influence, context.clusters, context.options.level)
    if math.isnan(limits.low):
        return limits
    reason = NOT_SURELY_ALIKE if limits.low <= 0 else ""
    return replace(limits, low=max(0.0, limits.low), high=min(1.0, limits.high), reason=reason)


def n_sys(context: AuditContext) -> Interval:
    """Number of independent models of the same error rates that would all fail as often; a lower bound if none did."""
    counts = context.systemic
    if counts.failures:
        return Interval(counts.n_sys, n=counts.n, method="log systemic failure rate / mean log error rate")
    rates = counts.errors.sum(axis=0) / counts.n
    if (rates == 0).any():
        return Interval.undefined("a model is never wrong", counts.n)
    level, size = context.options.level, float(counts.n)
    if context.clusters is not None:
        size = effective_n(np.zeros(counts.n), context.clusters[context.complete], level)
    rate_limit = upper_limit(0, size, level)
    logs = float(np.log(rates).sum())
    low = len(rates) * math.log(rate_limit) / logs if logs < 0 else math.nan
    return Interval(math.inf, low, math.inf, level, counts.n, "Jeffreys upper limit", "no instance is failed by all")


def fail_at_k(context: AuditContext) -> pd.DataFrame:
    """One row per k: how often k random different models all fail, with limits, and if they were independent.

    Rows carried by fewer than 20 (Kish) instances have shown = False and only an upper limit.
    """
    p = context.predictions
    curve: FailAtK = fail_at_k_curve(p.wrong, context.failure_strata, p.observed)
    clusters = None if context.clusters is None else context.clusters[context.complete]
    m, level = len(curve.rates), context.options.level
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


def _sentence(context: AuditContext, numbers: dict[str, Interval], curve: pd.DataFrame) -> str:
    two = curve.iloc[1]
    shock, plausible = numbers["common_shock_rate"], context.options.label_errors
    text = (
        f"Two random different models both fail {percent(two['observed'], 2)} of the instances; independent ones would "
        f"fail {percent(two['expected'], 2)}."
    )
    if not math.isnan(highest := numbers["ceiling"].high):
        text += f" No policy that returns one member's answer can be right on more than {percent(highest, 2)}."
    if not shock.defined or shock.reason == NOT_SURELY_ALIKE:
        return f"{text} There is no alikeness to explain: {shock.reason}." if "alike" in shock.reason else text
    return (
        f"{text} The alikeness is as if {shock.format('.2%')} of the instances took every model down; "
        f"read backwards, that many wrong labels would explain all of it: {plausibility(shock, plausible)}."
    )


def plausibility(shock: Interval, plausible: float) -> str:
    """The tipping point next to the share of wrong labels that is plausible."""
    if shock.estimate <= plausible:
        return f"no more than the {percent(plausible, 1)} that is plausible, so it could be entirely label errors"
    if shock.low <= plausible:
        return f"more than the {percent(plausible, 1)} that is plausible, though not surely more"
    return f"more than the {percent(plausible, 1)} that is plausible, so label errors cannot be all of it"


SPEC = SectionSpec(
    "joint_failures",
    "How often do several of them fail together?",
    place=60,
    compute=lambda context, *_: joint_failures(context),
    numbers={
        "n_sys": "n_sys, independent models that would fail together as often",
        "ceiling": "highest accuracy that any choice among their answers can reach",
        "common_shock_rate": "ν*, share of instances that would have to take every model down",
        "systemic_index": "systemic index, 0 is independence and 1 the most that the error rates allow",
    },
)
