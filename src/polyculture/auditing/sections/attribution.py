"""Why are they alike? The mean error covariance split among what the models share, each part tested.

shares (exact, with intervals over instances) · tests · levels · interactions · confounding · carriers (instances)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.measures.attribution.covariance_split import (
    CovarianceSplit,
    Identifiability,
    correlation,
    identifiability,
    split,
)
from polyculture.measures.attribution.per_instance import StratifiedErrors, error_covariance, instance_parts
from polyculture.predictions import Predictions
from polyculture.recipe import Ingredient, warning_for, why_left_out, why_together
from polyculture.results import Section
from polyculture.stats import Interval

from ..attribution_tables import Sampling, carriers, confounding, interactions, levels, tests
from ..factors import codes_of, ingredients

TITLE = "Why are they alike?"
FEW_MODELS = 12
ALPHA = 0.05
ASSOCIATION = (
    "This is association, not effect: the models did not get their ingredients by chance, and what is not recorded "
    "can stand behind what is."
)
EFFECT = "The combinations were assigned by design, so these are effects within the population that was designed."


def attribute(
    predictions: Predictions,
    factors: Sequence[str] | None = None,
    *,
    strata: str | None = None,
    clusters: str | None = None,
    permutations: int = 1999,
    seed: int = 0,
    level: float = 0.95,
    designed: bool = False,
) -> Section:
    """How much of the models' alikeness goes with each thing they share: shares of ρ that sum to ρ, and tests.

    Parameters
    ----------
    predictions : who answered what; its model table says what the models are made of.
    factors : columns of the model table; by default all that hold names or few numbers (`factors.ingredients`).
    strata : column of the instance table within which covariances are taken; the true class where there are classes.
    clusters : column of the instance table that says which instances were sampled together.
    permutations : of each test; the smallest possible p is 1/(permutations + 1).
    seed : of the permutations.
    level : confidence level of the intervals.
    designed : whether the ingredients were assigned by design (crossed, or drawn); only then is it called an effect.

    Tables: shares, tests, levels, interactions, confounding, carriers. With fewer than 12 informative models, or no
    factor, the chapter only has a reason. Raises InputError for unknown columns. Source: Haseman and Elston 1972.
    """
    within = _strata(predictions, strata)
    groups = None if clusters is None else codes_of(predictions.instances, clusters)
    found = ingredients(predictions.models, factors)
    kept = _informative(predictions)
    if kept.sum() < FEW_MODELS:
        few = f"{int(kept.sum())} models with both right and wrong answers; attribution needs {FEW_MODELS} or more"
        return Section("attribution", TITLE, "", reason=few)
    if not found:
        return Section("attribution", TITLE, "", reason="the model table does not say what the models are made of")
    found = [
        Ingredient(i.name, i.factor.take(kept), tuple(np.array(i.words, dtype=object)[kept]), i.cells[kept])
        for i in found
    ]
    observed = None if predictions.observed is None else predictions.observed[kept]
    errors = StratifiedErrors(predictions.wrong[kept], within, observed)
    evidence = _weigh(errors, found, groups, level)
    tables = {
        "shares": _shares(evidence),
        "tests": tests(evidence.correlation, errors, found, evidence.gate, permutations, seed),
        "levels": levels(evidence.split, found, evidence.live),
        "interactions": interactions(errors, evidence.covariance, found, evidence.gate, evidence.sampling),
        "confounding": confounding(found, evidence.gate),
        "carriers": carriers(predictions, kept, evidence.parts, found, evidence.live, evidence.gate),
    }
    numbers = _numbers(evidence)
    return Section("attribution", TITLE, _sentence(evidence, numbers, tables, designed), numbers, tables)


@dataclass(frozen=True, eq=False)
class _Evidence:
    """What the chapter is written from; `live` are the ingredients in the regression, in its order."""

    found: list[Ingredient]
    gate: Identifiability
    live: list[int]
    covariance: Float[np.ndarray, "m m"]
    split: CovarianceSplit
    parts: Float[np.ndarray, "k n"]
    influence: Float[np.ndarray, "k n"]
    sampling: Sampling

    @property
    def correlation(self) -> Float[np.ndarray, "m m"]:
        return correlation(self.covariance)

    @property
    def rho(self) -> Interval:
        return self.sampling.interval(self.split.rho, self.split.pair_shares @ self.influence)

    def contribution(self, rows: Sequence[int]) -> Interval:
        """Part of ρ of these columns of the regression together."""
        at = list(rows)
        influence = self.split.pair_shares[at] @ self.influence[at]
        return self.sampling.interval(float(self.split.contributions[at].sum()), influence)

    def share(self, rows: Sequence[int]) -> Interval:
        """The same as a share of ρ; undefined where ρ may be 0."""
        at, rho = list(rows), self.rho
        if not rho.low > 0:
            return Interval.undefined("ρ may be 0, and nothing has no shares", rho.n)
        share = float(self.split.contributions[at].sum()) / rho.estimate
        whole = self.split.pair_shares @ self.influence
        influence = (self.split.pair_shares[at] @ self.influence[at] - share * whole) / rho.estimate
        return self.sampling.interval(share, influence)

    def n_eff_without(self, rows: Sequence[int]) -> Interval:
        """Effective number of models if no two shared it (and all else stayed)."""
        at, m = list(rows), len(self.covariance)
        rest = self.split.rho - float(self.split.contributions[at].sum())
        whole = self.split.pair_shares @ self.influence
        limits = self.sampling.interval(rest, whole - self.split.pair_shares[at] @ self.influence[at])

        def effective(rho: float) -> float:
            d = 1 + (m - 1) * rho
            return m / d if d > 0 else math.inf

        return Interval(
            effective(rest), effective(limits.high), effective(limits.low), limits.level, limits.n, limits.method
        )


def _weigh(
    errors: StratifiedErrors, found: list[Ingredient], clusters: Int[np.ndarray, " n"] | None, level: float
) -> _Evidence:
    """Covariances, what can be told apart, the split, and what each instance adds to each coefficient."""
    covariance = error_covariance(errors)
    gate = identifiability([i.factor for i in found])
    live = [int(f) for f in np.flatnonzero(~gate.left_out)]
    parted = split(covariance, [found[f].factor for f in live])
    m, variance = len(covariance), float(np.diag(covariance).mean())
    scale = 2 * np.eye(m)[None] / (m * variance)
    parts = instance_parts(errors, covariance, np.concatenate([parted.weights, scale]))
    influence = parts[:-1] - parted.coefficients[:, None] * parts[-1]
    return _Evidence(
        found, gate, live, covariance, parted, parts[:-1], influence, Sampling(errors.used, clusters, level)
    )


def _shares(e: _Evidence) -> pd.DataFrame:
    """One row per part of ρ: what is common to all, each factor that can be told, groups that cannot, and the rest."""
    rows = [_row(e, "common to all models", "common", [0], "difficulty, label errors and whatever all models share")]
    for f, ingredient in enumerate(e.found):
        if e.gate.left_out[f]:
            rows.append({"factor": ingredient.name, "kind": "left out", "note": why_left_out(ingredient)})
        elif e.gate.estimable[f]:
            note = warning_for(f, e.found, e.gate)
            rows.append(_row(e, ingredient.name, "factor", [1 + e.live.index(f)], note) | {"vif": e.gate.vif[f]})
        else:
            note = why_together(f, e.found, e.gate)
            rows.append({"factor": ingredient.name, "kind": "refused", "vif": e.gate.vif[f], "note": note})
    for group in e.gate.together:
        name = " + ".join(e.found[f].name for f in group)
        note = "only their sum can be told"
        rows.append(_row(e, name, "together", [1 + e.live.index(f) for f in group], note))
    columns = ["factor", "kind", "coefficient", "coefficient_low", "coefficient_high", "pairs"]
    columns += ["contribution", "low", "high", "share", "share_low", "share_high"]
    columns += ["n_eff_without", "n_eff_low", "n_eff_high", "vif", "note"]
    return pd.DataFrame(rows, columns=columns)


def _row(e: _Evidence, name: str, kind: str, rows: list[int], note: str) -> dict[str, object]:
    contribution, share = e.contribution(rows), e.share(rows)
    row: dict[str, object] = {"factor": name, "kind": kind, "note": note}
    row |= {"contribution": contribution.estimate, "low": contribution.low, "high": contribution.high}
    row |= {"share": share.estimate, "share_low": share.low, "share_high": share.high}
    if kind != "together":
        c = e.sampling.interval(float(e.split.coefficients[rows[0]]), e.influence[rows[0]])
        row |= {"coefficient": c.estimate, "coefficient_low": c.low, "coefficient_high": c.high}
        row |= {"pairs": float(e.split.pair_shares[rows[0]])}
    if kind != "common":
        n = e.n_eff_without(rows)
        row |= {"n_eff_without": n.estimate, "n_eff_low": n.low, "n_eff_high": n.high}
    return row


def _numbers(e: _Evidence) -> dict[str, Interval]:
    """ρ and the share of every part that can be told."""
    numbers = {"rho": e.rho, "common": e.share([0])}
    for f in np.flatnonzero(e.gate.estimable):
        numbers[e.found[f].name] = e.share([1 + e.live.index(int(f))])
    return numbers


def _sentence(e: _Evidence, numbers: dict[str, Interval], tables: dict[str, pd.DataFrame], designed: bool) -> str:
    """The answer in words: what is common, what goes with what, what was not found, what cannot be told."""
    rho, goes = e.rho, "comes from" if designed else "goes with"
    if not rho.low > 0:
        return f"ρ = {rho.format('.3f')}: the models are not more alike than chance, so there is nothing to attribute."
    tested = tables["tests"].sort_values("p")
    p = dict(zip(tested["factor"].astype(str), tested["p"].astype(float), strict=True))
    sure = tested.loc[tested["q"] <= ALPHA, "factor"].astype(str).tolist()
    parts = [f"{percent(numbers['common'])} is common to all models"]
    parts += [f"{percent(numbers[name])} {goes} sharing {name} (p {_p(p[name])})" for name in sure]
    text = f"Of the mean error covariance (ρ = {rho.format('.3f')}), {'; '.join(parts)}."
    unsure = [name for name in p if name not in sure]
    if unsure:
        text += f" No {'effect' if designed else 'association'} was found for {', '.join(unsure)}."
    mixed = tables["confounding"].query("told_apart and note != ''").sort_values("cramers_v", ascending=False)
    if len(mixed):
        row = mixed.to_dict("records")[0]
        text += f" {row['first']} and {row['second']} go together over models (Cramér's V {row['cramers_v']:.2f}"
        more = {1: "", 2: "; 1 more pair does"}.get(len(mixed), f"; {len(mixed) - 1} more pairs do")
        text += f"{more}): to be surer, {row['note']}."
    refused = [str(f) for f in tables["shares"].query("kind == 'together'")["factor"]]
    if refused:
        text += f" What cannot be told apart here: {'; '.join(refused)}."
    return f"{text} {EFFECT if designed else ASSOCIATION}"


def percent(share: Interval) -> str:
    """A share of ρ as people read it: ``31 % [28, 34]``; with a decimal where the limits are that close."""
    digits = 0 if share.high - share.low >= 0.02 else 1
    low, high = (f"{100 * limit:.{digits}f}" for limit in (share.low, share.high))
    return f"{100 * share.estimate:.{digits}f} % [{low}, {high}]"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _informative(predictions: Predictions) -> Bool[np.ndarray, " m"]:
    """Models with both right and wrong answers."""
    wrong, observed = predictions.wrong, predictions.observed
    seen = np.full(len(wrong), wrong.shape[1]) if observed is None else observed.sum(axis=1)
    errors = wrong.sum(axis=1)
    kept: Bool[np.ndarray, " m"] = (errors > 0) & (errors < seen)
    return kept


def _strata(predictions: Predictions, column: str | None) -> Int[np.ndarray, " n"]:
    if column is not None:
        return codes_of(predictions.instances, column)
    if predictions.has_fixed_classes and predictions.labels is not None:
        return np.unique(predictions.labels, return_inverse=True)[1].astype(np.int64)
    return np.zeros(predictions.shape[1], dtype=np.int64)
