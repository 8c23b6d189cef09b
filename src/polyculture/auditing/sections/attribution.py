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
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, plural

from ..attribution_tables import Sampling, carriers, confounding, interactions, levels, tests
from ..context import AuditContext
from ..factors import codes_of, ingredients

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
    factor, the section only has a reason. Raises InputError for unknown columns. Source: Haseman and Elston 1972.
    """
    strata_codes = _strata(predictions, strata)
    groups = None if clusters is None else codes_of(predictions.instances, clusters)
    factor_columns = ingredients(predictions.models, factors)
    informative = _informative(predictions)
    if informative.sum() < FEW_MODELS:
        n = int(informative.sum())
        models = plural(n, "model")
        return SPEC.skip(f"{models} with both right and wrong answers; attribution needs {FEW_MODELS} or more")
    if not factor_columns:
        return SPEC.skip("the model table does not say what the models are made of")
    factor_columns = [_take(ingredient, informative) for ingredient in factor_columns]
    observed = None if predictions.observed is None else predictions.observed[informative]
    errors = StratifiedErrors(predictions.wrong[informative], strata_codes, observed)
    fit = _fit(errors, factor_columns, groups, level)
    tables = {
        "shares": _shares(fit),
        "tests": tests(fit.correlation, errors, factor_columns, fit.gate, permutations, seed),
        "levels": levels(fit.split, factor_columns, fit.regressors),
        "interactions": interactions(errors, fit.covariance, factor_columns, fit.gate, fit.sampling),
        "confounding": confounding(factor_columns, fit.gate),
        "carriers": carriers(predictions, informative, fit.parts, factor_columns, fit.regressors, fit.gate),
    }
    numbers = _numbers(fit)
    return SPEC.answer(_sentence(fit, numbers, tables, designed), numbers, tables)


def _take(ingredient: Ingredient, models: Bool[np.ndarray, " m"]) -> Ingredient:
    words = tuple(np.array(ingredient.words, dtype=object)[models])
    return Ingredient(ingredient.name, ingredient.factor.take(models), words, ingredient.cells[models])


@dataclass(frozen=True, eq=False)
class _FactorFit:
    """What the section is written from; `regressors` are the ingredients in the regression, in its order."""

    factors: list[Ingredient]
    gate: Identifiability
    regressors: list[int]
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
        columns = list(rows)
        influence = self.split.pair_shares[columns] @ self.influence[columns]
        return self.sampling.interval(float(self.split.contributions[columns].sum()), influence)

    def share(self, rows: Sequence[int]) -> Interval:
        """The same as a share of ρ; undefined where ρ may be 0."""
        columns, rho = list(rows), self.rho
        if not rho.low > 0:
            return Interval.undefined("ρ may be 0, and nothing has no shares", rho.n)
        share = float(self.split.contributions[columns].sum()) / rho.estimate
        total_influence = self.split.pair_shares @ self.influence
        influence = (self.split.pair_shares[columns] @ self.influence[columns] - share * total_influence) / rho.estimate
        return self.sampling.interval(share, influence)

    def n_eff_without(self, rows: Sequence[int]) -> Interval:
        """Effective number of models if no two shared it (and all else stayed)."""
        columns, m = list(rows), len(self.covariance)
        remainder = self.split.rho - float(self.split.contributions[columns].sum())
        total_influence = self.split.pair_shares @ self.influence
        influence = total_influence - self.split.pair_shares[columns] @ self.influence[columns]
        limits = self.sampling.interval(remainder, influence)

        def effective(rho: float) -> float:
            d = 1 + (m - 1) * rho
            return m / d if d > 0 else math.inf

        return Interval(
            effective(remainder), effective(limits.high), effective(limits.low), limits.level, limits.n, limits.method
        )


def _fit(
    errors: StratifiedErrors, factors: list[Ingredient], clusters: Int[np.ndarray, " n"] | None, level: float
) -> _FactorFit:
    """Covariances, which factors are identifiable, the split, and what each instance adds to each coefficient."""
    covariance = error_covariance(errors)
    gate = identifiability([i.factor for i in factors])
    regressors = [int(f) for f in np.flatnonzero(~gate.left_out)]
    covariance_split = split(covariance, [factors[f].factor for f in regressors])
    m, variance = len(covariance), float(np.diag(covariance).mean())
    scale = 2 * np.eye(m)[None] / (m * variance)
    parts = instance_parts(errors, covariance, np.concatenate([covariance_split.weights, scale]))
    influence = parts[:-1] - covariance_split.coefficients[:, None] * parts[-1]
    return _FactorFit(
        factors,
        gate,
        regressors,
        covariance,
        covariance_split,
        parts[:-1],
        influence,
        Sampling(errors.used, clusters, level),
    )


def _shares(e: _FactorFit) -> pd.DataFrame:
    """One row per part of ρ: what is common to all, each identifiable factor, groups of others, the rest."""
    rows = [_row(e, "common to all models", "common", [0], "difficulty, label errors and whatever all models share")]
    for f, ingredient in enumerate(e.factors):
        if e.gate.left_out[f]:
            rows.append({"factor": ingredient.name, "kind": "left out", "note": why_left_out(ingredient)})
        elif e.gate.estimable[f]:
            note = warning_for(f, e.factors, e.gate)
            rows.append(_row(e, ingredient.name, "factor", [1 + e.regressors.index(f)], note) | {"vif": e.gate.vif[f]})
        else:
            note = why_together(f, e.factors, e.gate)
            rows.append({"factor": ingredient.name, "kind": "refused", "vif": e.gate.vif[f], "note": note})
    for group in e.gate.together:
        name = " + ".join(e.factors[f].name for f in group)
        note = "only their sum can be told"
        rows.append(_row(e, name, "together", [1 + e.regressors.index(f) for f in group], note))
    columns = ["factor", "kind", "coefficient", "coefficient_low", "coefficient_high", "pairs"]
    columns += ["contribution", "low", "high", "share", "share_low", "share_high"]
    columns += ["n_eff_without", "n_eff_low", "n_eff_high", "vif", "note"]
    return pd.DataFrame(rows, columns=columns)


def _row(e: _FactorFit, name: str, kind: str, rows: list[int], note: str) -> dict[str, object]:
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


def _numbers(e: _FactorFit) -> dict[str, Interval]:
    """ρ and the share of every identifiable part."""
    numbers = {"rho": e.rho, "common": e.share([0])}
    for f in np.flatnonzero(e.gate.estimable):
        numbers[e.factors[f].name] = e.share([1 + e.regressors.index(int(f))])
    return numbers


def _sentence(e: _FactorFit, numbers: dict[str, Interval], tables: dict[str, pd.DataFrame], designed: bool) -> str:
    """The answer in words: what is common, what goes with what, what shows no association, what is not identifiable."""
    rho, verb = e.rho, "comes from" if designed else "goes with"
    if not rho.low > 0:
        return f"ρ = {rho.format('.3f')}: the models are not more alike than chance, so there is nothing to attribute."
    tested = tables["tests"].sort_values("p")
    p = dict(zip(tested["factor"].astype(str), tested["p"].astype(float), strict=True))
    significant = tested.loc[tested["q"] <= ALPHA, "factor"].astype(str).tolist()
    parts = [f"{percent(numbers['common'])} is common to all models"]
    parts += [f"{percent(numbers[name])} {verb} sharing {name} (p {_p(p[name])})" for name in significant]
    text = f"Of the mean error covariance (ρ = {rho.format('.3f')}), {'; '.join(parts)}."
    insignificant = [name for name in p if name not in significant]
    if insignificant:
        text += f" No {'effect' if designed else 'association'} was found for {', '.join(insignificant)}."
    mixed = tables["confounding"].query("told_apart and note != ''").sort_values("cramers_v", ascending=False)
    if len(mixed):
        row = mixed.to_dict("records")[0]
        text += f" {row['first']} and {row['second']} go together over models (Cramér's V {row['cramers_v']:.2f}"
        suffix = {1: "", 2: "; 1 more pair does"}.get(len(mixed), f"; {len(mixed) - 1} more pairs do")
        text += f"{suffix}): to be surer, {row['note']}."
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
    n_answered = np.full(len(wrong), wrong.shape[1]) if observed is None else observed.sum(axis=1)
    errors = wrong.sum(axis=1)
    informative: Bool[np.ndarray, " m"] = (errors > 0) & (errors < n_answered)
    return informative


def _strata(predictions: Predictions, column: str | None) -> Int[np.ndarray, " n"]:
    if column is not None:
        return codes_of(predictions.instances, column)
    if predictions.has_fixed_classes and predictions.labels is not None:
        return np.unique(predictions.labels, return_inverse=True)[1].astype(np.int64)
    return np.zeros(predictions.shape[1], dtype=np.int64)


def _compute(context: AuditContext, *_: object) -> Section:
    o = context.options
    return attribute(context.predictions, clusters=o.clusters or None, seed=o.seed, level=o.level, designed=o.designed)


SPEC = SectionSpec(
    "attribution",
    "Why are they alike?",
    place=10,
    compute=_compute,
    numbers={"common": "share common to all models"},
    tables={
        "shares": TableSpec(percent=("share", "share_low", "share_high")),
        "confounding": TableSpec(headings={"cramers_v": "Cramér's V"}),
    },
)
