"""Which factors can a design identify? Checked before training."""

from __future__ import annotations

import importlib
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from polyculture.errors import InputError, visible
from polyculture.measures.attribution.covariance_split import by_level, identifiability
from polyculture.measures.attribution.hypothesis_tests import FEW_ARRANGEMENTS, arrangements

from .arrays import strength
from .axes import Recipe
from .ingredients import (
    Ingredient,
    exchangeable_units,
    merged,
    unit_levels,
    warning_for,
    why_left_out,
    why_together,
)

FEW_MODELS = 12
"""Models that attribution needs."""
RESOLUTIONS = {
    1: "axes are not crossed evenly, so they explain part of each other",
    2: "any two axes are crossed evenly: each axis is told apart from every other, but not from interactions of two "
    "(resolution 3)",
    3: "any three axes are crossed evenly: axes are clear of interactions of two, which are mixed with each other "
    "(resolution 4)",
    4: "any four axes are crossed evenly: axes and interactions of two are clear of each other (resolution 5 or more)",
}
COLUMNS = ("axis", "levels", "fewest", "pairs", "vif", "discordant", "arrangements", "tested_by", "note")


@dataclass(frozen=True, eq=False)
class Design:
    """What a list of recipes can tell about its axes.

    Parameters
    ----------
    recipes : the models to be made.
    table : one row per axis that varies: levels, fewest (models at the rarest level), pairs (share that have the same
        level), vif, discordant (fewest pairs that tell it from another axis), arrangements, tested_by, note.
    fixed : axes with one level only.
    resolution : largest r such that any r − 1 axes are crossed evenly, 2 if none are, 5 for 5 or more.
    replicates : models that differ from another one in their seed only.
    """

    recipes: tuple[Recipe, ...]
    table: pd.DataFrame
    fixed: tuple[str, ...]
    resolution: int
    replicates: int
    cannot: tuple[str, ...] = field(default=())

    def frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @property
    def section(self) -> Any:
        """The same as a `Section` of a report: `sentence`, and the table ``axes``."""
        return importlib.import_module("polyculture.studies.design_section").design_section(self)

    def __repr__(self) -> str:
        return "\n".join(textwrap.wrap(visible(f"Design: {self.sentence}"), 96, max_lines=15, placeholder=" …"))

    @property
    def sentence(self) -> str:
        """What the design can and cannot tell, in words."""
        refused = self.table.loc[self.table["tested_by"] == "", "axis"]
        axes = [str(axis) for axis in self.table.loc[self.table["tested_by"] != "", "axis"]]
        m = len(self.recipes)
        if m < FEW_MODELS:
            return f"{m} models: too few to attribute anything; {FEW_MODELS} are needed."
        text = f"{m} models; a share of alikeness can be estimated for {', '.join(axes) or 'no axis'}. "
        text += f"{RESOLUTIONS[self.resolution - 1].capitalize()}. "
        text += "".join(f"{axis}: {reason}. " for axis, reason in zip(refused, self.cannot, strict=True))
        weak = [str(axis) for axis in self.table.loc[self.table["tested_by"] == "jackknife", "axis"]]
        if weak:
            text += f"Only the conservative jackknife can test {', '.join(weak)}: too few ways to permute. "
        if self.fixed:
            verb = "do" if len(self.fixed) > 1 else "does"
            text += f"Nothing can be estimated about {', '.join(self.fixed)}, which {verb} not vary. "
        replicates = f"{self.replicates} models have a replicate that differs in its seed only"
        return text + (replicates if self.replicates else "No model has a replicate, so chance has no measure") + "."


def describe(recipes: Sequence[Recipe]) -> Design:
    """What the recipes can tell apart: aliases, variance inflation, pairs and ways to permute, for every axis.

    Raises InputError for fewer than two recipes.
    """
    if len(recipes) < 2:
        raise InputError(f"{len(recipes)} recipes", "two or more")
    rows = pd.DataFrame([recipe.factors() for recipe in recipes])
    factors, fixed = [], []
    for axis in rows.columns:
        words = tuple(map(str, rows[axis]))
        factor = by_level(np.unique(words, return_inverse=True)[1].astype(np.int64))
        if len(set(words)) == 1:
            fixed.append(str(axis))
        else:
            factors.append(Ingredient(str(axis), factor, words, factor.levels))
    factors = merged(factors)
    table, cannot = _table(factors, len(recipes)) if factors else (pd.DataFrame(columns=list(COLUMNS)), ())
    codes = (
        np.column_stack([i.factor.levels for i in factors]) if factors else np.zeros((len(recipes), 1), dtype=np.int64)
    )
    combinations = Counter(tuple(v for k, v in r.factors().items() if k != "seed") for r in recipes)
    return Design(
        tuple(recipes),
        table,
        tuple(fixed),
        strength(codes) + 1,
        sum(count for count in combinations.values() if count > 1),
        cannot,
    )


def _table(factors: list[Ingredient], models: int) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row per axis, and for those without a number of their own, why."""
    gate = identifiability([i.factor for i in factors])
    a, b = np.triu_indices(models, 1)
    rows, cannot = [], []
    for f, ingredient in enumerate(factors):
        rivals = [g for g in range(len(factors)) if g != f and not gate.left_out[g]]
        units, strata = exchangeable_units(f, factors, gate)
        permutations = arrangements(unit_levels(ingredient.factor, units), strata)
        counts = np.bincount(ingredient.factor.levels)
        discordant = np.minimum(gate.separating[f], gate.separating[:, f])[rivals]
        row = {"axis": ingredient.name, "levels": len(counts), "fewest": int(counts.min())}
        row |= {"pairs": float(ingredient.factor.alike[a, b].mean()), "vif": gate.vif[f]}
        row |= {
            "discordant": int(discordant.min()) if len(discordant) else len(a),
            "arrangements": permutations,
            "tested_by": "",
        }
        if gate.left_out[f]:
            row["note"] = why_left_out(ingredient)
        elif not gate.estimable[f]:
            row["note"] = why_together(f, factors, gate)
        else:
            row["note"] = warning_for(f, factors, gate)
            row["tested_by"] = "permutation" if permutations >= FEW_ARRANGEMENTS else "jackknife"
        if not gate.estimable[f]:
            cannot.append(str(row["note"]))
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS)), tuple(cannot)
