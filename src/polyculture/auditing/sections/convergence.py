"""Do the models perform ever closer? How far their accuracies really lie apart, and whether that changed in time."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.results import Section
from polyculture.stats import Interval, jackknife

from ..context import AuditContext
from ..leaderboard import significant_pairs

NAME, TITLE = "convergence", "Do they perform ever closer?"
ORDERS = ("date", "released", "release_date", "year", "order", "generation", "version_date")
"""Columns of the model table that are taken for an order where the user names none."""
FEWEST_PER_STAGE, STAGES = 4, 3


def convergence(evidence: AuditContext) -> Section:
    """True spread of the accuracies (what chance adds is taken off), share of pairs told apart, and both by stage.

    The spread is the standard deviation of the accuracies after subtracting the mean variance that a finite test adds;
    its limits leave out one model at a time. Stages are thirds of the models along a column such as their date.
    """
    counts = evidence.counts
    n, errors = np.diag(counts.n), np.diag(counts.n00)
    known = n > 1
    if known.sum() < 3:
        return Section(NAME, TITLE, "", reason="fewer than three models were tested")
    rates = errors[known] / n[known]
    noise = rates * (1 - rates) / (n[known] - 1)
    without = np.array([true_spread(np.delete(rates, i), np.delete(noise, i)) for i in range(len(rates))])
    spread = true_spread(rates, noise)
    numbers = {
        "accuracy_spread": _limits(spread, without, evidence),
        "accuracy_range": Interval(float(np.ptp(rates)), n=len(rates), method="best minus worst"),
    }
    apart, tested = significant_pairs(counts)
    share = float(np.triu(apart, 1).sum() / tested) if tested else math.nan
    numbers["pairs_told_apart"] = Interval(share, n=tested, method="McNemar, false discovery rate 5 %")
    sentence = (
        f"Accuracies differ by {100 * spread:.2f} points (standard deviation, without what chance adds); {share:.0%} "
        "of the pairs can be told apart."
    )
    along = _along(evidence, rates, noise, apart)
    if along is None:
        return Section(NAME, TITLE, sentence + " No column says in which order the models came.", numbers)
    first, last = along.iloc[0], along.iloc[-1]
    direction = "closer together" if last["spread"] < first["spread"] else "further apart"
    sentence += (
        f" Along {first['order']} they came {direction}: the spread went from {100 * first['spread']:.2f} to "
        f"{100 * last['spread']:.2f} points and the share told apart from {first['told_apart']:.0%} to "
        f"{last['told_apart']:.0%}, while mean accuracy went from {first['accuracy']:.1%} to {last['accuracy']:.1%}."
    )
    return Section(NAME, TITLE, sentence, numbers, {"along": along})


def true_spread(rates: Float[np.ndarray, " k"], noise: Float[np.ndarray, " k"]) -> float:
    """Standard deviation of the error rates less what sampling instances adds to it; 0 if that explains all."""
    return math.sqrt(max(0.0, float(rates.var(ddof=1) - noise.mean())))


def _limits(spread: float, without: Float[np.ndarray, " k"], evidence: AuditContext) -> Interval:
    found = jackknife(spread, without, len(without), evidence.options.level)
    return Interval(
        spread, max(0.0, found.low), found.high, found.level, len(without), "delete-one-model jackknife", found.reason
    )


def _along(
    evidence: AuditContext, rates: Float[np.ndarray, " k"], noise: Float[np.ndarray, " k"], apart: np.ndarray
) -> pd.DataFrame | None:
    """Three stages of the models in their order; None without an order, with too few models, or with missing ones."""
    models = evidence.predictions.models
    column = next((c for c in models.columns if str(c).casefold() in ORDERS), None)
    if column is None or len(models) < STAGES * FEWEST_PER_STAGE or len(rates) != len(models):
        return None
    values = models[column]
    moments = values if pd.api.types.is_numeric_dtype(values) else pd.to_datetime(values, errors="coerce")
    if moments.isna().any() or moments.nunique() < STAGES:
        return None
    order: Int[np.ndarray, " m"] = np.argsort(moments.to_numpy(), kind="stable")
    rows = []
    for stage, at in enumerate(np.array_split(order, STAGES), start=1):
        pairs = len(at) * (len(at) - 1) / 2
        rows.append(
            {
                "order": str(column),
                "stage": stage,
                "from": str(values.iloc[at[0]]),
                "to": str(values.iloc[at[-1]]),
                "models": len(at),
                "accuracy": 1 - float(rates[at].mean()),
                "spread": true_spread(rates[at], noise[at]),
                "told_apart": float(np.triu(apart[np.ix_(at, at)], 1).sum() / pairs),
            }
        )
    return pd.DataFrame(rows)
