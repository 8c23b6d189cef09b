"""Who is kept alive? Of all models that fail and cover the same people, the best one: MAP-Elites over whom it fails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.recipe import Recipe

Cell = tuple[int, int]
"""The group of instances that a model fails most, and the one it fails least, both against the other models."""


@dataclass(frozen=True, eq=False)
class Archive:
    """The best model of every cell.

    Source: MAP-Elites, Mouret and Clune 2015; behaviour learned from the data as in Cully 2019.

    Parameters
    ----------
    groups : n codes, 0 … g − 1: instances that the first models failed alike.
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
        """Every model in its cell, the one with the lowest loss in each; the first of equals."""
        elites: dict[Cell, tuple[Recipe, float]] = {}
        for recipe, cell, loss in zip(recipes, cells(wrong, groups), losses.tolist(), strict=True):
            if cell not in elites or loss < elites[cell][1]:
                elites[cell] = (recipe, loss)
        return cls(groups, dict(sorted(elites.items())))

    def frame(self) -> pd.DataFrame:
        """One row per cell: fails (the group), covers (the group), model, loss."""
        rows = [
            {"fails": fails, "covers": covers, "model": recipe.id, "loss": loss}
            for (fails, covers), (recipe, loss) in self.elites.items()
        ]
        return pd.DataFrame(rows, columns=["fails", "covers", "model", "loss"])


def cells(wrong: Bool[np.ndarray, "m n"], groups: Int[np.ndarray, " n"]) -> list[Cell]:
    """Cell of each model: where its error rate exceeds the models' mean most, and where least (the first of equals)."""
    k = int(groups.max()) + 1
    sizes = np.maximum(np.bincount(groups, minlength=k), 1)
    rates = np.stack([np.bincount(groups, weights=row, minlength=k) / sizes for row in wrong])
    beyond = rates - rates.mean(axis=0)
    return [(int(row.argmax()), int(row.argmin())) for row in beyond]


def alike(wrong: Bool[np.ndarray, "m n"], groups: int, generator: np.random.Generator) -> Int[np.ndarray, " n"]:
    """Instances in groups that the models fail alike: k-means over the models' outcomes on each instance.

    Instances that no model fails, or every model, tell nothing apart and are spread over the groups in turn.
    """
    from scipy.cluster.vq import kmeans2

    telling = np.flatnonzero(wrong.any(axis=0) & ~wrong.all(axis=0))
    codes = np.arange(wrong.shape[1]) % groups
    profiles = wrong[:, telling].T.astype(np.float64)
    if len(np.unique(profiles, axis=0)) < groups:
        return codes
    profiles -= profiles.mean(axis=1, keepdims=True)  # who fails it, not how many
    profiles += 1e-6 * generator.standard_normal(profiles.shape)  # k-means wants no two starts alike
    codes[telling] = kmeans2(profiles, groups, minit="++", rng=generator, missing="raise")[1]
    return codes
