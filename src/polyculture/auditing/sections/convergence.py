"""Do the models perform ever closer? How far their accuracies really lie apart, and whether that changed in time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.results import Section, SectionSpec
from polyculture.stats import Interval, jackknife, percent

from ..context import AuditContext
from ..leaderboard import significant_pairs

ORDERS = ("date", "released", "release_date", "year", "order", "generation", "version_date")
"""Columns of the model table that are taken for an order where the user names none."""
FEWEST_PER_STAGE, STAGES = 4, 3


def convergence(context: AuditContext) -> Section:
    """True spread of the accuracies (without what chance adds), share of pairs that clearly differ, and both by stage.

    The spread is the standard deviation of the accuracies after subtracting the mean variance that a finite test adds;
    its limits leave out one model at a time. Stages are thirds of the models along a column such as their date.
    """
    counts = context.counts
    n, errors = np.diag(counts.n), np.diag(counts.n00)
    tested_models = n > 1
    if tested_models.sum() < 3:
        return SPEC.skip("fewer than three models were tested")
    rates = errors[tested_models] / n[tested_models]
    noise = rates * (1 - rates) / (n[tested_models] - 1)
    jackknife_spreads = np.array([true_spread(np.delete(rates, i), np.delete(noise, i)) for i in range(len(rates))])
    spread = true_spread(rates, noise)
    numbers = {
        "accuracy_spread": _limits(spread, jackknife_spreads, context),
        "accuracy_range": Interval(float(np.ptp(rates)), n=len(rates), method="best minus worst"),
    }
    distinguishable, tested = significant_pairs(counts)
    share = float(np.triu(distinguishable, 1).sum() / tested) if tested else math.nan
    numbers["pairs_told_apart"] = Interval(share, n=tested, method="McNemar, false discovery rate 5 %")
    sentence = f"Accuracies differ by {100 * spread:.2f} points (standard deviation, without what chance adds); "
    sentence += f"{percent(share, 0)} of the pairs can be told apart." if tested else "no pair could be tested."
    along = _along(context, rates, noise, distinguishable)
    if along is None:
        return SPEC.answer(sentence + " No column says in which order the models came.", numbers)
    first, last = along.iloc[0], along.iloc[-1]
    direction = "came closer together" if last["spread"] < first["spread"] else "came further apart"
    if last["spread"] == first["spread"]:
        direction = "stayed as far apart"
    sentence += (
        f" Along {first['order']} they {direction}: the spread went from {100 * first['spread']:.2f} to "
        f"{100 * last['spread']:.2f} points and the share told apart from {percent(first['told_apart'], 0)} to "
        f"{percent(last['told_apart'], 0)}, while mean accuracy went from {percent(first['accuracy'], 1)} to "
        f"{percent(last['accuracy'], 1)}."
    )
    return SPEC.answer(sentence, numbers, {"along": along})


def true_spread(rates: Float[np.ndarray, " k"], noise: Float[np.ndarray, " k"]) -> float:
    """Standard deviation of the error rates less what sampling instances adds to it; 0 if that explains all."""
    return math.sqrt(max(0.0, float(rates.var(ddof=1) - noise.mean())))


def _limits(spread: float, jackknife_spreads: Float[np.ndarray, " k"], context: AuditContext) -> Interval:
    limits = jackknife(spread, jackknife_spreads, len(jackknife_spreads), context.options.level)
    return replace(limits, low=max(0.0, limits.low), method="delete-one-model jackknife")


def _along(
    context: AuditContext, rates: Float[np.ndarray, " k"], noise: Float[np.ndarray, " k"], distinguishable: np.ndarray
) -> pd.DataFrame | None:
    """Three stages of the models in their order; None without an order, with too few models, or with missing ones."""
    models = context.predictions.models
    column = next((c for c in models.columns if str(c).casefold() in ORDERS), None)
    if column is None or len(models) < STAGES * FEWEST_PER_STAGE or len(rates) != len(models):
        return None
    values = models[column]
    moments = values if pd.api.types.is_numeric_dtype(values) else pd.to_datetime(values, errors="coerce")
    if moments.isna().any() or moments.nunique() < STAGES:
        return None
    order: Int[np.ndarray, " m"] = np.argsort(moments.to_numpy(), kind="stable")
    rows = []
    for stage, rows_of_stage in enumerate(np.array_split(order, STAGES), start=1):
        pairs = len(rows_of_stage) * (len(rows_of_stage) - 1) / 2
        rows.append(
            {
                "order": str(column),
                "stage": stage,
                "from": str(values.iloc[rows_of_stage[0]]),
                "to": str(values.iloc[rows_of_stage[-1]]),
                "models": len(rows_of_stage),
                "accuracy": 1 - float(rates[rows_of_stage].mean()),
                "spread": true_spread(rates[rows_of_stage], noise[rows_of_stage]),
                "told_apart": float(np.triu(distinguishable[np.ix_(rows_of_stage, rows_of_stage)], 1).sum() / pairs),
            }
        )
    return pd.DataFrame(rows)


SPEC = SectionSpec(
    "convergence", "Do they perform ever closer?", place=20, compute=lambda context, *_: convergence(context)
)
