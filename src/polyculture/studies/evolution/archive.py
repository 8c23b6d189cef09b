"""Which models are parents? The best of every pattern of failures: MAP-Elites over groups of instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.recipe import Recipe

Cell = tuple[int, int]
"""Groups of instances with the highest and the lowest error rate of a model, relative to the other models."""


@dataclass(frozen=True, eq=False)
class Archive:
    """The best model of every cell.

    Source: MAP-Elites, Mouret and Clune 2015; behaviour learned from the data as in Cully 2019.

    Parameters
    ----------
    groups : n codes, 0 … g − 1: instances on which the same of the first models fail.
    elites : recipe and loss by cell.
    """

    groups: Int[np.ndarray, " n"]
    elites: dict[Cell, tuple[Recipe, float]]

    @classmethod
    def of(
        cls,
        recipes: list[Recipe],
        wrong: Bool[np.ndarray, "m n"],
        losses: Float[np.ndarray, " m"],
        groups: Int[np.ndarray, " n"],
    ) -> Archive:
        """The model with the lowest loss of every cell; the first of equals."""
        elites: dict[Cell, tuple[Recipe, float]] = {}
        for recipe, cell, loss in zip(recipes, cells(wrong, groups), losses.tolist(), strict=True):
            if cell not in elites or loss < elites[cell][1]:
                elites[cell] = (recipe, loss)
        return cls(groups, dict(sorted(elites.items())))

    def frame(self, names: Mapping[str, str] | None = None) -> pd.DataFrame:
        """One row per cell: fails (the group), covers (the group), model (its name by recipe id, else the id), loss."""
        names = names or {}
        rows = [
            {"fails": fails, "covers": covers, "model": names.get(recipe.id, recipe.id), "loss": loss}
            for (fails, covers), (recipe, loss) in self.elites.items()
        ]
        return pd.DataFrame(rows, columns=["fails", "covers", "model", "loss"])


def cells(wrong: Bool[np.ndarray, "m n"], groups: Int[np.ndarray, " n"]) -> list[Cell]:
    """Cell of each model: groups with the highest and lowest excess over the mean error rate (the first of equals)."""
    k = int(groups.max()) + 1
    sizes = np.maximum(np.bincount(groups, minlength=k), 1)
    rates = np.stack([np.bincount(groups, weights=row, minlength=k) / sizes for row in wrong])
    excess = rates - rates.mean(axis=0)
    return [(int(row.argmax()), int(row.argmin())) for row in excess]


def failure_groups(
    wrong: Bool[np.ndarray, "m n"], groups: int, generator: np.random.Generator
) -> Int[np.ndarray, " n"]:
    """Groups of instances on which the same models fail: k-means over the models' outcomes on each instance.

    Instances on which no model or every model fails are uninformative and are assigned to the groups in turn.
    """
    from scipy.cluster.vq import kmeans2

    informative = np.flatnonzero(wrong.any(axis=0) & ~wrong.all(axis=0))
    codes = np.arange(wrong.shape[1]) % groups
    profiles = wrong[:, informative].T.astype(np.float64)
    if len(np.unique(profiles, axis=0)) < groups:
        return codes
    profiles -= profiles.mean(axis=1, keepdims=True)  # which models fail, not how many
    profiles += 1e-6 * generator.standard_normal(profiles.shape)  # k-means needs distinct starting points
    codes[informative] = kmeans2(profiles, groups, minit="++", rng=generator, missing="raise")[1]
    return codes
