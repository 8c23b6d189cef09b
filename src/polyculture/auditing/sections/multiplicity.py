"""Is the answer a matter of which good model happened to be taken? Predictive multiplicity among the best."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.measures.multiplicity import competing, multiplicity, position, rashomon_capacity, self_consistency
from polyculture.measures.pairs import kappa
from polyculture.results import Section
from polyculture.rng import stream
from polyculture.stats import Interval, influence_interval, wilson

from ..context import AuditContext

NAME, TITLE = "multiplicity", "Does the answer depend on which good model was taken?"
TOLERANCE = 0.01
RUN_COLUMNS = ("seed", "run", "epoch", "repeat", "replicate", "seconds", "parameters", "cost", "n", "path")
"""Columns of the model table in which two runs of one model may differ."""
BINS = 20
MOST_CAPACITIES = 5000
"""Instances on which the capacity is worked out; it takes half a millisecond each."""


def multiplicity_section(evidence: AuditContext) -> Section:
    """Ambiguity, discrepancy and capacity among models within a point of the best; consistency of repeated runs."""
    p = evidence.predictions
    if p.answers is None:
        return Section(NAME, TITLE, "", reason="only right and wrong are known, not the answers")
    n = np.diag(evidence.counts.n)
    rates = np.where(n > 0, np.diag(evidence.counts.n00) / np.maximum(n, 1), np.inf)
    best = int(np.argmin(rates))
    among = competing(rates, best, TOLERANCE)
    if among.sum() < 2:
        return Section(NAME, TITLE, "", reason=f"no model comes within {TOLERANCE:.0%} of the best one")
    found = multiplicity(p.answers, best, among)
    if np.isnan(found.ambiguity):
        return Section(NAME, TITLE, "", reason="the best models answered no instance in common")
    answered = int((p.answers[best] >= 0).sum())
    level = evidence.options.level
    numbers = {
        "ambiguity": wilson(round(found.ambiguity * answered), answered, level),
        "discrepancy": wilson(round(found.discrepancy * answered), answered, level),
        "self_consistency": Interval.undefined("no two models are runs of one"),
        "pair_position": Interval.undefined("no two models are runs of one"),
        "rashomon_capacity": _capacity(evidence, among),
    }
    tables = {}
    runs = repeated_runs(p.models)
    if runs is not None:
        consistency = _consistency(p.answers, runs)
        numbers["self_consistency"] = _mean(consistency, evidence)
        tables = {"consistency": _histogram(consistency), "positions": _positions(evidence, runs)}
        between = tables["positions"].loc[tables["positions"]["group"] == "different models", "position"]
        numbers["pair_position"] = Interval(float(between.mean()), n=len(between), method="mean over pairs")
    sentence = (
        f"{int(among.sum())} models are within {TOLERANCE:.0%} of the best, itself included. On {found.ambiguity:.1%} "
        f"of the instances at least one of them answers differently from the best (the most different one on "
        f"{found.discrepancy:.1%}): there the answer depends on which good model was taken."
    )
    return Section(NAME, TITLE, sentence, numbers, tables)


def repeated_runs(models: pd.DataFrame) -> Int[np.ndarray, " m"] | None:
    """Which model each row is a run of: rows that are alike in everything but the seed; None if no two are."""
    columns = [c for c in models.columns if str(c).casefold() not in RUN_COLUMNS]
    if not columns or len(columns) == len(models.columns):
        return None
    codes = models[columns].astype(str).agg("\x1f".join, axis=1).factorize()[0].astype(np.int64)
    return codes if len(np.unique(codes)) < len(codes) else None


def _consistency(answers: Int[np.ndarray, "m n"], runs: Int[np.ndarray, " m"]) -> Float[np.ndarray, " n"]:
    """Probability that two runs of one model agree on an instance, mean over the models that have several."""
    several = [code for code in np.unique(runs) if (runs == code).sum() > 1]
    per_model = np.stack([self_consistency(answers[runs == code]) for code in several])
    known = (~np.isnan(per_model)).sum(axis=0)
    mean: Float[np.ndarray, " n"] = np.nansum(per_model, axis=0) / np.where(known > 0, known, np.nan)
    return mean


def _histogram(values: Float[np.ndarray, " n"]) -> pd.DataFrame:
    counts, edges = np.histogram(values[~np.isnan(values)], bins=BINS, range=(0, 1))
    return pd.DataFrame({"self_consistency": (edges[:-1] + edges[1:]) / 2, "instances": counts})


def _positions(evidence: AuditContext, runs: Int[np.ndarray, " m"]) -> pd.DataFrame:
    """Each pair between independence (0) and two runs of one model (1)."""
    alike = kappa(evidence.counts)
    where = position(alike, runs)
    a, b = np.triu_indices(len(runs), 1)
    names = np.array(evidence.predictions.model_ids, dtype=object)
    group = np.where(runs[a] == runs[b], "runs of one model", "different models")
    return pd.DataFrame(
        {"model_a": names[a], "model_b": names[b], "group": group, "kappa": alike[a, b], "position": where[a, b]}
    )


def _capacity(evidence: AuditContext, among: Bool[np.ndarray, " m"]) -> Interval:
    if evidence.predictions.probabilities is None:
        return Interval.undefined("no probabilities")
    n = evidence.predictions.shape[1]
    drawn = np.arange(n)
    if n > MOST_CAPACITIES:
        drawn = np.sort(stream(evidence.options.seed, "rashomon").choice(n, MOST_CAPACITIES, replace=False))
    values = np.full(n, np.nan)
    values[drawn] = rashomon_capacity(evidence.predictions.probabilities[among][:, drawn].astype(np.float64))
    return _mean(values, evidence)


def _mean(values: Float[np.ndarray, " n"], evidence: AuditContext) -> Interval:
    mean = float(np.nanmean(values)) if (~np.isnan(values)).any() else np.nan
    return influence_interval(mean, values - mean, evidence.clusters, evidence.options.level)
