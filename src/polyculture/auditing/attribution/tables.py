"""The tables of the attribution section: tests, levels, interactions, confounding, and the instances that carry it."""

from __future__ import annotations

import math
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
from polyculture.recipe import Ingredient, exchangeable_units, model_to_add, unit_levels
from polyculture.rng import stream
from polyculture.stats import benjamini_hochberg

from .fit import Sampling

MOST_CARRIERS = 10
GOES_TOGETHER = 0.5
"""Cramér's V above which two factors are said to go together over models."""


def tests(
    response: Float[np.ndarray, "m m"],
    rates: Float[np.ndarray, " m"],
    factors: list[Ingredient],
    gate: Identifiability,
    permutations: int,
    seed: int,
) -> pd.DataFrame:
    """One row per identifiable factor: t, one-sided p, q (Benjamini-Hochberg), method, and companions.

    The response (φ, or another similarity) is regressed on all factors with accuracy controls, from the error rates.
    Levels are dealt anew among models that are the same in all other factors; with fewer than 200 arrangements the
    jackknife over models is used. Where finer factors lie within one (runs within an architecture) whole units of them
    are dealt or left out. `p_mrqap` and `shapley_r2` are companions for readers who know them, not evidence: both give
    a share to factors without a part.
    """
    regressors = _independent(factors, gate)
    design = [factors[f].factor for f in regressors]
    pairs = PairRegression.of(response, design, accuracy_controls(rates))
    parts = shapley(pairs.y, pairs.X[:, 1 : 1 + len(regressors)])
    rows: list[tuple[object, ...]] = []
    for f in np.flatnonzero(gate.estimable):
        current, column = factors[f], 1 + regressors.index(int(f))
        units, strata = exchangeable_units(int(f), factors, gate)
        n_units = len(strata)
        single = n_units == len(units)
        n_arrangements = arrangements(unit_levels(current.factor, units), strata)
        if n_arrangements >= FEW_ARRANGEMENTS:
            generator = stream(seed, "conditional permutation", current.name)
            blocks = None if single else units
            test = conditional_permutation(pairs, column, current.factor, strata, generator, permutations, blocks)
            method = "conditional permutation" if single else f"conditional permutation of {n_units} units"
        else:
            test = node_jackknife(pairs, column, units)
            method = "node jackknife (fallback)" if single else f"jackknife over {n_units} units (fallback)"
        companion = mrqap(pairs, column, stream(seed, "mrqap", current.name))
        rows.append((current.name, test.t, test.p, method, n_arrangements, companion.p, float(parts[column - 1])))
    columns = ["factor", "t", "p", "method", "arrangements", "p_mrqap", "shapley_r2"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(3, "q", benjamini_hochberg(table["p"].to_numpy(dtype=float)))
    return table


def _independent(factors: list[Ingredient], gate: Identifiability) -> list[int]:
    """Factors that say something about pairs, without those that others already say exactly."""
    regressors = np.flatnonzero(~gate.left_out)
    a, b = np.triu_indices(len(factors[0].words), 1)
    X = np.column_stack([np.ones(len(a)), *(factors[f].factor.alike[a, b] for f in regressors)])
    return [int(f) for f in regressors[independent(X)[1:]]]


def error_rates(errors: StratifiedErrors) -> Float[np.ndarray, " m"]:
    """Error rate of each model on what it answered."""
    n_answered = errors.wrong.shape[1] if errors.observed is None else errors.observed.sum(axis=1)
    rates: Float[np.ndarray, " m"] = errors.wrong.sum(axis=1) / n_answered
    return rates


def levels(covariance_split: CovarianceSplit, factors: list[Ingredient], regressors: list[int]) -> pd.DataFrame:
    """One row per level with two models: how much more alike they are than the other factors and the mean say.

    `contribution` is the level's part of ρ; over the levels of a factor it sums to the factor's contribution.
    """
    m = len(covariance_split.residual)
    a, b = np.triu_indices(m, 1)
    rows = []
    for k, f in enumerate(regressors, start=1):
        if factors[f].factor.graded:
            continue
        code = factors[f].factor.levels
        for level in np.unique(code):
            members = np.flatnonzero(code == level)
            shares_level = (code[a] == level) & (code[b] == level)
            if len(members) < 2:
                continue
            excess = float(covariance_split.coefficients[k] + covariance_split.residual[a, b][shares_level].mean())
            rows.append(
                {
                    "factor": factors[f].name,
                    "level": factors[f].word(int(level)),
                    "models": len(members),
                    "pairs": int(shares_level.sum()),
                    "excess": excess,
                    "contribution": excess * float(shares_level.mean()),
                }
            )
    return pd.DataFrame(rows, columns=["factor", "level", "models", "pairs", "excess", "contribution"])


def interactions(
    errors: StratifiedErrors,
    covariance: Float[np.ndarray, "m m"],
    factors: list[Ingredient],
    gate: Identifiability,
    sampled: Sampling,
) -> pd.DataFrame:
    """One row per two factors: is sharing both more than the sum of sharing each? Each next to all single factors."""
    regressors = _independent(factors, gate)
    single = [factors[f].factor for f in regressors]
    m, variance = len(covariance), float(np.diag(covariance).mean())
    a, b = np.triu_indices(m, 1)
    controls = accuracy_controls(error_rates(errors))
    rows: list[dict[str, Any]] = []
    weights = [2 * np.eye(m) / (m * variance)]
    estimable_factors = [int(f) for f in np.flatnonzero(gate.estimable)]
    for i, f in enumerate(estimable_factors):
        for g in estimable_factors[i + 1 :]:
            product = both(factors[f].factor, factors[g].factor)
            X = np.column_stack([*(s.alike[a, b] for s in single), product.alike[a, b]])
            row: dict[str, Any] = {"first": factors[f].name, "second": factors[g].name, "reason": ""}
            vif = inflation(X)[-1] if np.ptp(X[:, -1]) > 0 else math.inf
            rows.append(row)
            if gate.nested[f, g] or gate.nested[g, f]:
                finer, coarser = (f, g) if gate.nested[f, g] else (g, f)
                row["reason"] = f"{factors[finer].name} lies within {factors[coarser].name}: see the ladder"
                continue
            if vif > VIF_REFUSED or X[:, -1].sum() < 10:
                row["reason"] = "too few pairs share both to tell it from its parts"
                continue
            pair_split = split(covariance, [*single, product])
            row["coefficient"] = float(pair_split.coefficients[-1])
            row["contribution"] = float(pair_split.contributions[-1])
            row["at"] = len(weights)
            weights.append(pair_split.weights[-1])
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


def confounding(factors: list[Ingredient], gate: Identifiability) -> pd.DataFrame:
    """One row per two factors: Cramér's V over models, correlation over pairs, and the pairs that tell them apart.

    `note` names, where V is above ½, the model whose addition would loosen the two most; where the one lies within the
    other it says so.
    """
    rows = [
        {
            "first": factors[f].name,
            "second": factors[g].name,
            "cramers_v": gate.cramers_v[f, g],
            "overlap": gate.overlap[f, g],
            "first_only": int(gate.discordant[f, g]),
            "second_only": int(gate.discordant[g, f]),
            "told_apart": not any(f in group and g in group for group in gate.together),
            "nested": bool(gate.nested[f, g] or gate.nested[g, f]),
            "note": _note(factors, gate, f, g),
        }
        for f in range(len(factors))
        for g in range(f + 1, len(factors))
    ]
    columns = ["first", "second", "cramers_v", "overlap", "first_only", "second_only", "told_apart", "nested", "note"]
    return pd.DataFrame(rows, columns=columns)


def _note(factors: list[Ingredient], gate: Identifiability, f: int, g: int) -> str:
    if gate.nested[f, g] or gate.nested[g, f]:
        finer, coarser = (f, g) if gate.nested[f, g] else (g, f)
        return f"{factors[finer].name} lies within {factors[coarser].name}"
    return model_to_add(factors[f], factors[g]) if gate.cramers_v[f, g] > GOES_TOGETHER else ""


def carriers(
    predictions: Predictions,
    informative: Bool[np.ndarray, " m"],
    parts: Float[np.ndarray, "k n"],
    factors: list[Ingredient],
    regressors: list[int],
    gate: Identifiability,
) -> pd.DataFrame:
    """The instances that carry each factor most: on them, models of a level fail or succeed together, unlike others.

    `adds` is the instance's share of the factor's coefficient; `level` the level whose models stand out most, of
    which `wrong_there` of `models_there` are wrong.
    """
    rows: list[dict[str, Any]] = []
    for k, f in enumerate(regressors, start=1):
        total = float(parts[k].sum())
        if not gate.estimable[f] or total <= 0:
            continue
        largest = np.argpartition(parts[k], -min(MOST_CARRIERS, parts.shape[1]))[-MOST_CARRIERS:]
        for instance in largest[np.lexsort((largest, -parts[k][largest]))]:
            wrong = predictions.wrong[informative, instance]
            row: dict[str, Any] = {"factor": factors[f].name, "instance": str(predictions.instances.index[instance])}
            if predictions.labels is not None:
                row["label"] = predictions.classes[predictions.labels[instance]]
            row |= {"adds": float(parts[k][instance]) / total, "wrong": int(wrong.sum()), "models": len(wrong)}
            rows.append(row | _standing_out(wrong, factors[f]))
    columns = ["factor", "instance", "label", "adds", "wrong", "models", "level", "wrong_there", "models_there"]
    shown_columns = [c for c in columns if c != "label" or predictions.labels is not None]
    return pd.DataFrame(rows, columns=shown_columns)


def _standing_out(wrong: Bool[np.ndarray, " m"], ingredient: Ingredient) -> dict[str, Any]:
    """The level whose models differ most, together, from all models on this instance."""
    codes: Int[np.ndarray, " m"] = ingredient.factor.levels
    size = np.bincount(codes)
    failed = np.bincount(codes, weights=wrong.astype(float))
    surprise = np.abs(failed - size * wrong.mean()) * (size > 1)
    level = int(np.argmax(surprise))
    counts = {"wrong_there": int(failed[level]), "models_there": int(size[level])}
    return {"level": ingredient.word(level)} | counts
