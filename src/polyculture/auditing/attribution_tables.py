"""The tables of the attribution chapter: tests, levels, interactions, confounding, and the instances that carry it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.measures.attribution.covariance_split import (
    VIF_REFUSED,
    CovarianceSplit,
    Identifiability,
    accuracy_controls,
    both,
    correlation,
    independent,
    inflation,
    split,
)
from polyculture.measures.attribution.hypothesis_tests import (
    FEW_ARRANGEMENTS,
    PairRegression,
    arrangements,
    conditional_permutation,
    mrqap,
    node_jackknife,
    shapley,
)
from polyculture.measures.attribution.per_instance import StratifiedErrors, instance_parts
from polyculture.predictions import Predictions
from polyculture.recipe import Ingredient, held_fixed, model_to_add
from polyculture.rng import stream
from polyculture.stats import Interval, benjamini_hochberg, influence_interval

MOST_CARRIERS = 10
GOES_TOGETHER = 0.5
"""Cramér's V above which two factors are said to go together over models."""


@dataclass(frozen=True, eq=False)
class Sampling:
    """How instances were drawn, for intervals.

    Parameters
    ----------
    used : instances that say something about covariances.
    clusters : which were drawn together; each its own where None.
    """

    used: Bool[np.ndarray, " n"]
    clusters: Int[np.ndarray, " n"] | None
    level: float

    def interval(self, estimate: float, influence: Float[np.ndarray, " n"]) -> Interval:
        """Limits of a number from what each instance adds to it."""
        return influence_interval(estimate, np.where(self.used, influence, np.nan), self.clusters, self.level)


def tests(
    phi: Float[np.ndarray, "m m"],
    errors: StratifiedErrors,
    found: list[Ingredient],
    gate: Identifiability,
    permutations: int,
    seed: int,
) -> pd.DataFrame:
    """One row per factor that can be told: t, one-sided p, q (Benjamini-Hochberg), method, and companions.

    φ is regressed on all factors with accuracy controls. Levels are dealt anew among models that are the same in all
    other factors; with fewer than 200 arrangements the jackknife over models is used. `p_mrqap` and `shapley_r2` are
    companions for readers who know them, not evidence: both give a share to factors without a part.
    """
    live = _independent(found, gate)
    factors = [found[f].factor for f in live]
    pairs = PairRegression.of(phi, factors, accuracy_controls(_error_rates(errors)))
    parts = shapley(pairs.y, pairs.X[:, 1 : 1 + len(live)])
    rows = []
    for f in np.flatnonzero(gate.estimable):
        mine, column = found[f], 1 + live.index(int(f))
        fixed = held_fixed([found[g] for g in np.flatnonzero(~gate.left_out) if g != f], len(mine.words))
        ways = arrangements(mine.factor.levels, fixed)
        if ways >= FEW_ARRANGEMENTS:
            generator = stream(seed, "conditional permutation", mine.name)
            test = conditional_permutation(pairs, column, mine.factor, fixed, generator, permutations)
            method = "conditional permutation"
        else:
            test, method = node_jackknife(pairs, column), "node jackknife (fallback)"
        companion = mrqap(pairs, column, stream(seed, "mrqap", mine.name))
        rows.append((mine.name, test.t, test.p, method, ways, companion.p, float(parts[column - 1])))
    columns = ["factor", "t", "p", "method", "arrangements", "p_mrqap", "shapley_r2"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(3, "q", benjamini_hochberg(table["p"].to_numpy(dtype=float)))
    return table


def _independent(found: list[Ingredient], gate: Identifiability) -> list[int]:
    """Factors that say something about pairs, without those that others already say exactly."""
    live = np.flatnonzero(~gate.left_out)
    a, b = np.triu_indices(len(found[0].words), 1)
    X = np.column_stack([np.ones(len(a)), *(found[f].factor.alike[a, b] for f in live)])
    return [int(f) for f in live[independent(X)[1:]]]


def _error_rates(errors: StratifiedErrors) -> Float[np.ndarray, " m"]:
    seen = errors.wrong.shape[1] if errors.observed is None else errors.observed.sum(axis=1)
    rates: Float[np.ndarray, " m"] = errors.wrong.sum(axis=1) / seen
    return rates


def levels(parted: CovarianceSplit, found: list[Ingredient], live: list[int]) -> pd.DataFrame:
    """One row per level with two models: how much more alike they are than the other factors and the mean say.

    `contribution` is the level's part of ρ; over the levels of a factor it sums to the factor's contribution.
    """
    m = len(parted.residual)
    a, b = np.triu_indices(m, 1)
    rows = []
    for k, f in enumerate(live, start=1):
        if found[f].factor.graded:
            continue
        code = found[f].factor.levels
        for level in np.unique(code):
            members = np.flatnonzero(code == level)
            inside = (code[a] == level) & (code[b] == level)
            if len(members) < 2:
                continue
            excess = float(parted.coefficients[k] + parted.residual[a, b][inside].mean())
            rows.append(
                {
                    "factor": found[f].name,
                    "level": found[f].word(int(level)),
                    "models": len(members),
                    "pairs": int(inside.sum()),
                    "excess": excess,
                    "contribution": excess * float(inside.mean()),
                }
            )
    return pd.DataFrame(rows, columns=["factor", "level", "models", "pairs", "excess", "contribution"])


def interactions(
    errors: StratifiedErrors,
    covariance: Float[np.ndarray, "m m"],
    found: list[Ingredient],
    gate: Identifiability,
    sampled: Sampling,
) -> pd.DataFrame:
    """One row per two factors: is sharing both more than the sum of sharing each? Each beside all single factors."""
    live = _independent(found, gate)
    single = [found[f].factor for f in live]
    m, variance = len(covariance), float(np.diag(covariance).mean())
    a, b = np.triu_indices(m, 1)
    controls = accuracy_controls(_error_rates(errors))
    rows: list[dict[str, Any]] = []
    weights = [2 * np.eye(m) / (m * variance)]
    own = [int(f) for f in np.flatnonzero(gate.estimable)]
    for i, f in enumerate(own):
        for g in own[i + 1 :]:
            product = both(found[f].factor, found[g].factor)
            X = np.column_stack([*(s.alike[a, b] for s in single), product.alike[a, b]])
            row: dict[str, Any] = {"first": found[f].name, "second": found[g].name, "reason": ""}
            vif = inflation(X)[-1] if np.ptp(X[:, -1]) > 0 else math.inf
            rows.append(row)
            if vif > VIF_REFUSED or X[:, -1].sum() < 10:
                row["reason"] = "too few pairs share both to tell it from its parts"
                continue
            parted = split(covariance, [*single, product])
            row["coefficient"] = float(parted.coefficients[-1])
            row["contribution"] = float(parted.contributions[-1])
            row["at"] = len(weights)
            weights.append(parted.weights[-1])
            pairs = PairRegression.of(correlation(covariance), [*single, product], controls)
            row["p"] = node_jackknife(pairs, len(single) + 1).p
    parts = instance_parts(errors, covariance, np.stack(weights)) if len(weights) > 1 else None
    for row in rows:
        if parts is not None and "at" in row:
            limits = sampled.interval(row["coefficient"], parts[row["at"]] - row["coefficient"] * parts[0])
            row |= {"low": limits.low, "high": limits.high}
    columns = ["first", "second", "coefficient", "low", "high", "contribution", "p", "reason"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(7, "q", benjamini_hochberg(table["p"].to_numpy(dtype=float)))
    return table


def confounding(found: list[Ingredient], gate: Identifiability) -> pd.DataFrame:
    """One row per two factors: Cramér's V over models, correlation over pairs, and the pairs that tell them apart.

    `note` names, where V is above ½, the model whose addition would loosen the two most.
    """
    rows = [
        {
            "first": found[f].name,
            "second": found[g].name,
            "cramers_v": gate.cramers_v[f, g],
            "overlap": gate.overlap[f, g],
            "first_only": int(gate.discordant[f, g]),
            "second_only": int(gate.discordant[g, f]),
            "told_apart": not any(f in group and g in group for group in gate.together),
            "note": model_to_add(found[f], found[g]) if gate.cramers_v[f, g] > GOES_TOGETHER else "",
        }
        for f in range(len(found))
        for g in range(f + 1, len(found))
    ]
    columns = ["first", "second", "cramers_v", "overlap", "first_only", "second_only", "told_apart", "note"]
    return pd.DataFrame(rows, columns=columns)


def carriers(
    predictions: Predictions,
    kept: Bool[np.ndarray, " m"],
    parts: Float[np.ndarray, "k n"],
    found: list[Ingredient],
    live: list[int],
    gate: Identifiability,
) -> pd.DataFrame:
    """The instances that carry each factor most: on them, models of a level fail or succeed together, unlike others.

    `adds` is the instance's share of the factor's coefficient; `level` the level whose models stand out most, of
    which `wrong_there` of `models_there` are wrong.
    """
    rows: list[dict[str, Any]] = []
    for k, f in enumerate(live, start=1):
        total = float(parts[k].sum())
        if not gate.estimable[f] or total <= 0:
            continue
        at = np.argpartition(parts[k], -min(MOST_CARRIERS, parts.shape[1]))[-MOST_CARRIERS:]
        for instance in at[np.lexsort((at, -parts[k][at]))]:
            wrong = predictions.wrong[kept, instance]
            row: dict[str, Any] = {"factor": found[f].name, "instance": str(predictions.instances.index[instance])}
            if predictions.labels is not None:
                row["label"] = predictions.classes[predictions.labels[instance]]
            row |= {"adds": float(parts[k][instance]) / total, "wrong": int(wrong.sum()), "models": len(wrong)}
            rows.append(row | _standing_out(wrong, found[f]))
    columns = ["factor", "instance", "label", "adds", "wrong", "models", "level", "wrong_there", "models_there"]
    known = [c for c in columns if c != "label" or predictions.labels is not None]
    return pd.DataFrame(rows, columns=known)


def _standing_out(wrong: Bool[np.ndarray, " m"], ingredient: Ingredient) -> dict[str, Any]:
    """The level whose models differ most, together, from all models on this instance."""
    codes: Int[np.ndarray, " m"] = ingredient.factor.levels
    size = np.bincount(codes)
    failed = np.bincount(codes, weights=wrong.astype(float))
    surprise = np.abs(failed - size * wrong.mean()) * (size > 1)
    level = int(np.argmax(surprise))
    there = {"wrong_there": int(failed[level]), "models_there": int(size[level])}
    return {"level": ingredient.word(level)} | there
