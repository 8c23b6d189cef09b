"""Which recipes are worth training next? Children of elites, and suggestions of a model of past gains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polyculture.errors import need
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed

from .archive import Archive

Axes = Mapping[str, Sequence[Any]]
Genes = dict[str, Any]
"""A level of every axis."""
RecipeBuilder = Callable[[Mapping[str, Any]], Recipe]
"""From a level of every axis to a recipe that can be trained; settings that its architecture lacks are left out."""

ATTEMPTS = 50
"""Draws per child before the axes count as exhausted."""


@dataclass
class Proposals:
    """Proposes recipes that were not proposed before.

    Parameters
    ----------
    axes : the levels of each axis.
    build : makes recipes from levels.
    generator : of every draw.
    genes : levels of each proposed recipe.
    """

    axes: Axes
    build: RecipeBuilder
    generator: np.random.Generator
    genes: dict[Recipe, Genes] = field(default_factory=dict)

    def at_random(self, count: int) -> list[Recipe]:
        """`count` new recipes with random levels; fewer where the axes are exhausted."""
        return self._distinct(count, lambda: {axis: self._level(axis) for axis in self.axes})

    def from_elites(self, archive: Archive, count: int) -> list[Recipe]:
        """Children of two elites: each axis from a random parent, and one axis changed."""
        parents = [self.genes[recipe] for recipe, _ in archive.elites.values()]

        def child() -> Genes:
            first, second = (parents[int(i)] for i in self.generator.integers(len(parents), size=2))
            genes = {axis: (first, second)[int(self.generator.integers(2))][axis] for axis in self.axes}
            changed = str(self.generator.choice(list(self.axes)))
            return genes | {changed: self._level(changed)}

        return self._distinct(count, child)

    def from_model(self, gains: Mapping[Recipe, float], count: int) -> list[Recipe]:
        """Suggestions of a tree-structured Parzen estimator, fitted to the gain of each model over the others.

        Source: Bergstra et al. 2011, by optuna.
        """
        need("optuna", extra="search")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        seed = derived_seed(int(self.generator.integers(2**31)), "proposals") % 2**32
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=1)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        distributions: dict[str, Any] = {
            axis: optuna.distributions.CategoricalDistribution(range(len(levels))) for axis, levels in self.axes.items()
        }
        for recipe, gain in gains.items():
            codes = {axis: list(self.axes[axis]).index(level) for axis, level in self.genes[recipe].items()}
            study.add_trial(optuna.trial.create_trial(params=codes, distributions=distributions, value=gain))

        def suggestion() -> Genes:
            codes = study.ask(distributions).params
            return {axis: self.axes[axis][code] for axis, code in codes.items()}

        return self._distinct(count, suggestion)

    def _distinct(self, count: int, draw: Callable[[], Genes]) -> list[Recipe]:
        """Draws that were not proposed before."""
        recipes: list[Recipe] = []
        attempts = ATTEMPTS * count
        while len(recipes) < count and attempts:
            attempts -= 1
            genes = draw()
            recipe = self.build(genes)
            if recipe not in self.genes:
                self.genes[recipe] = genes
                recipes.append(recipe)
        return recipes

    def _level(self, axis: str) -> Any:
        levels = self.axes[axis]
        return levels[int(self.generator.integers(len(levels)))]
