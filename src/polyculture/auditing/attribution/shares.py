"""The split in tables: one row per part, and ladders of factors that lie within each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from polyculture.measures.attribution.covariance_split import Identifiability, identifiability
from polyculture.recipe import Ingredient, warning_for, why_left_out, why_together
from polyculture.stats import Interval

from .fit import SimilaritySplit, units_of

COMMON = "common to all models"
SHARES = (
    *("factor", "kind", "coefficient", "coefficient_low", "coefficient_high", "pairs", "contribution", "low", "high"),
    *("models_low", "models_high", "share", "share_low", "share_high", "share_models_low", "share_models_high"),
    *("n_eff_without", "n_eff_low", "n_eff_high", "vif", "note"),
)
LADDER = (
    *("ladder", "factor", "pairs", "similarity", "adds", "adds_low", "adds_high", "contribution", "low", "high"),
    *("models_low", "models_high", "share", "share_low", "share_high", "share_models_low", "share_models_high"),
    *("p", "q", "method"),
)


@dataclass(frozen=True, eq=False)
class FactorFit:
    """A split among all factors; `regressors` are the factors in the regression, in its order."""

    factors: list[Ingredient]
    gate: Identifiability
    regressors: list[int]
    split: SimilaritySplit

    def rows(self, group: Sequence[int]) -> list[int]:
        """The columns of the regression that hold these factors."""
        return [1 + self.regressors.index(f) for f in group]

    def over_models(self, group: Sequence[int]) -> tuple[Interval, Interval]:
        """Contribution and share of these factors (of none: what is common) with limits over models."""
        units = units_of(group, self.factors, self.gate)
        return self.split.over_models(self.rows(group) or [0], [self.factors[f] for f in self.regressors], units)


def shares(fit: FactorFit, with_n_eff: bool = True) -> pd.DataFrame:
    """One row per part of ρ: what is common to all, each identifiable factor, groups of others, the rest.

    `low`, `high` are limits over instances, for these models; `models_low`, `models_high` those for other models drawn
    like these. `n_eff_without` is of covariances only.
    """
    rows = [_row(fit, COMMON, "common", [], "difficulty, label errors and whatever all models share", with_n_eff)]
    for f, ingredient in enumerate(fit.factors):
        if fit.gate.left_out[f]:
            rows.append({"factor": ingredient.name, "kind": "left out", "note": why_left_out(ingredient)})
        elif fit.gate.estimable[f]:
            note = warning_for(f, fit.factors, fit.gate)
            row = _row(fit, ingredient.name, "factor", [f], note, with_n_eff)
            rows.append(row | {"vif": fit.gate.vif[f]})
        else:
            note = why_together(f, fit.factors, fit.gate)
            rows.append({"factor": ingredient.name, "kind": "refused", "vif": fit.gate.vif[f], "note": note})
    for group in fit.gate.together:
        name = " + ".join(fit.factors[f].name for f in group)
        rows.append(_row(fit, name, "together", list(group), "only their sum can be told", with_n_eff))
    return pd.DataFrame(rows, columns=list(SHARES))


def _row(fit: FactorFit, name: str, kind: str, group: list[int], note: str, with_n_eff: bool) -> dict[str, object]:
    columns, split = fit.rows(group) or [0], fit.split
    row: dict[str, object] = {"factor": name, "kind": kind, "note": note}
    row |= _parts(split, columns, fit.over_models(group))
    if kind != "together":
        c = split.sampling.interval(float(split.parts.coefficients[columns[0]]), split.influence[columns[0]])
        row |= {"coefficient": c.estimate, "coefficient_low": c.low, "coefficient_high": c.high}
        row |= {"pairs": float(split.parts.pair_shares[columns[0]])}
    if kind != "common" and with_n_eff:
        n = split.n_eff_without(columns)
        row |= {"n_eff_without": n.estimate, "n_eff_low": n.low, "n_eff_high": n.high}
    return row


def _parts(split: SimilaritySplit, columns: list[int], over_models: tuple[Interval, Interval]) -> dict[str, object]:
    """Contribution and share, with both kinds of limits."""
    contribution, share = split.contribution(columns), split.share(columns)
    row: dict[str, object] = {"contribution": contribution.estimate, "low": contribution.low, "high": contribution.high}
    row |= {"models_low": over_models[0].low, "models_high": over_models[0].high}
    row |= {"share": share.estimate, "share_low": share.low, "share_high": share.high}
    return row | {"share_models_low": over_models[1].low, "share_models_high": over_models[1].high}


def ladder(
    fit: FactorFit,
    splitter: Callable[[list[Ingredient]], SimilaritySplit],
    tester: Callable[[list[Ingredient], Identifiability], pd.DataFrame],
) -> pd.DataFrame:
    """Ladders of factors that lie within each other, one row per rung; contributions of a ladder sum to ρ.

    A rung holds the pairs that share this factor and none finer: `pairs` is their share of all pairs, `similarity`
    their mean, `adds` what it is above the rung before. A contribution is `adds` × the share of pairs on this rung or
    a finer one. p is one-sided, from whole units of the finer factors (`tests`), adjusted over the rungs.

    Parameters
    ----------
    splitter : the split among factors from coarse to fine alone.
    tester : the tests of these factors.
    """
    rows = []
    for chain in fit.gate.chains:
        factors = [fit.factors[f] for f in chain]
        # With other factors out of the regression the steps between rungs are differences of means of pairs.
        rungs = FactorFit(
            factors, identifiability([i.factor for i in factors]), list(range(len(chain))), splitter(factors)
        )
        tested = tester(factors, rungs.gate).set_index("factor")
        coefficients, reach = rungs.split.parts.coefficients, rungs.split.parts.pair_shares
        name = " within ".join(i.name for i in reversed(factors))
        for k, factor in enumerate([COMMON, *(i.name for i in factors)]):
            group = [k - 1] if k else []
            step = rungs.split.sampling.interval(float(coefficients[k]), rungs.split.influence[k])
            row: dict[str, object] = {
                "ladder": name,
                "factor": factor,
                "similarity": float(coefficients[: k + 1].sum()),
            }
            row |= {"pairs": float(reach[k] - (reach[k + 1] if k + 1 < len(reach) else 0.0))}
            row |= {"adds": step.estimate, "adds_low": step.low, "adds_high": step.high}
            row |= _parts(rungs.split, [k], rungs.over_models(group))
            row |= dict(tested.loc[factor, ["p", "q", "method"]]) if factor in tested.index else {}
            rows.append(row)
    return pd.DataFrame(rows, columns=list(LADDER)).replace({"method": {np.nan: ""}})
