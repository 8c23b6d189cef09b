"""Does the answer depend on which good model was taken? Predictive multiplicity among the best."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.measures.multiplicity import competing, multiplicity, position, rashomon_capacity, self_consistency
from polyculture.measures.pairs import kappa
from polyculture.results import Section, SectionSpec
from polyculture.rng import stream
from polyculture.stats import Interval, influence_interval, percent, wilson

from ..context import AuditContext
from ..pairs import pair_table

TOLERANCE = 0.01
RUN_COLUMNS = ("seed", "run", "epoch", "repeat", "replicate", "seconds", "parameters", "cost", "n", "path")
"""Columns of the model table in which two runs of one model may differ."""
BINS = 20
MOST_CAPACITIES = 5000
"""Instances on which the capacity is worked out; it takes half a millisecond each."""


def multiplicity_section(context: AuditContext) -> Section:
    """Ambiguity, discrepancy and capacity among models within a point of the best; consistency of repeated runs."""
    p = context.predictions
    if p.answers is None:
        return SPEC.skip("only right and wrong are known, not the answers")
    n = np.diag(context.counts.n)
    rates = np.where(n > 0, np.diag(context.counts.n00) / np.maximum(n, 1), np.inf)
    best = int(np.argmin(rates))
    near_best = competing(rates, best, TOLERANCE)
    if near_best.sum() < 2:
        return SPEC.skip(f"no model comes within {percent(TOLERANCE, 0)} of the best one")
    estimates = multiplicity(p.answers, best, near_best)
    if np.isnan(estimates.ambiguity):
        return SPEC.skip("the best models answered no instance in common")
    answered = int((p.answers[best] >= 0).sum())
    level = context.options.level
    numbers = {
        "ambiguity": wilson(round(estimates.ambiguity * answered), answered, level),
        "discrepancy": wilson(round(estimates.discrepancy * answered), answered, level),
        "self_consistency": Interval.undefined("no two models are runs of one"),
        "pair_position": Interval.undefined("no two models are runs of one"),
        "rashomon_capacity": _capacity(context, near_best),
    }
    tables = {}
    runs = repeated_runs(p.models)
    if runs is not None:
        consistency = _consistency(p.answers, runs)
        numbers["self_consistency"] = _mean(consistency, context)
        tables = {"consistency": _histogram(consistency), "positions": _positions(context, runs)}
        values = tables["positions"].loc[tables["positions"]["group"] == "different models", "position"]
        numbers["pair_position"] = Interval(float(values.mean()), n=len(values), method="mean over pairs")
    sentence = (
        f"{int(near_best.sum())} models are within {percent(TOLERANCE, 0)} of the best, itself included. On "
        f"{percent(estimates.ambiguity, 1)} of the instances at least one of them answers differently from the best "
        f"(the most different one on {percent(estimates.discrepancy, 1)}): there the answer depends on which good "
        "model was taken."
    )
    return SPEC.answer(sentence, numbers, tables)


def repeated_runs(models: pd.DataFrame) -> Int[np.ndarray, " m"] | None:
    """Which model each row is a run of: rows that are alike in everything but the seed; None if no two are."""
    factors = [c for c in models.columns if str(c).casefold() != "id"]
    columns = [c for c in factors if str(c).casefold() not in RUN_COLUMNS]
    if not columns or len(columns) == len(factors):
        return None
    codes = models[columns].astype(object).map(str).agg("\x1f".join, axis=1).factorize()[0].astype(np.int64)
    return codes if len(np.unique(codes)) < len(codes) else None


def _consistency(answers: Int[np.ndarray, "m n"], runs: Int[np.ndarray, " m"]) -> Float[np.ndarray, " n"]:
    """Probability that two runs of one model agree on an instance, mean over the models that have several."""
    repeated_codes = [code for code in np.unique(runs) if (runs == code).sum() > 1]
    per_model = np.stack([self_consistency(answers[runs == code]) for code in repeated_codes])
    n_defined = (~np.isnan(per_model)).sum(axis=0)
    mean: Float[np.ndarray, " n"] = np.nansum(per_model, axis=0) / np.where(n_defined > 0, n_defined, np.nan)
    return mean


def _histogram(values: Float[np.ndarray, " n"]) -> pd.DataFrame:
    counts, edges = np.histogram(values[~np.isnan(values)], bins=BINS, range=(0, 1))
    return pd.DataFrame({"self_consistency": (edges[:-1] + edges[1:]) / 2, "instances": counts})


def _positions(context: AuditContext, runs: Int[np.ndarray, " m"]) -> pd.DataFrame:
    """Each pair between independence (0) and two runs of one model (1)."""
    kappas = kappa(context.counts)
    table = pair_table(context.predictions.model_ids, {"kappa": kappas, "position": position(kappas, runs)})
    a, b = np.triu_indices(len(runs), 1)
    table.insert(2, "group", np.where(runs[a] == runs[b], "runs of one model", "different models"))
    return table


def _capacity(context: AuditContext, near_best: Bool[np.ndarray, " m"]) -> Interval:
    if context.predictions.probabilities is None:
        return Interval.undefined("no probabilities")
    n = context.predictions.shape[1]
    sample = np.arange(n)
    if n > MOST_CAPACITIES:
        sample = np.sort(stream(context.options.seed, "rashomon").choice(n, MOST_CAPACITIES, replace=False))
    values = np.full(n, np.nan)
    values[sample] = rashomon_capacity(context.predictions.probabilities[near_best][:, sample].astype(np.float64))
    return _mean(values, context)


def _mean(values: Float[np.ndarray, " n"], context: AuditContext) -> Interval:
    mean = float(np.nanmean(values)) if (~np.isnan(values)).any() else np.nan
    return influence_interval(mean, values - mean, context.clusters, context.options.level)


SPEC = SectionSpec(
    "multiplicity",
    "Does the answer depend on which good model was taken?",
    place=90,
    compute=lambda context, *_: multiplicity_section(context),
    code="PC014",
    finding="predictive multiplicity",
    severity=lambda section: "warning" if section.numbers["ambiguity"].low > 0.1 else "note",
    numbers={
        "ambiguity": "ambiguity, instances on which near-best models disagree",
        "discrepancy": "discrepancy, most answers that switching to a near-best model changes",
        "self_consistency": "self-consistency, two runs of one model agree",
        "rashomon_capacity": "Rashomon capacity",
        "pair_position": "where pairs stand, 0 is independence and 1 two runs of one model",
    },
)
