"""Which models should be made? Designs over the axes: lists of recipes from levels by axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from polyculture.errors import InputError, near
from polyculture.rng import stream

from .arrays import ORDERS, orthogonal_array
from .axes import Recipe
from .levels import AxisLevels
from .optimal import optimal

Axes = Mapping[str, Sequence[Any]]
STARTS = 5


def grid(axes: Axes, seeds: Iterable[int] = (0,)) -> list[Recipe]:
    """Every combination of the given levels, once per seed (a full factorial design).

    Parameters
    ----------
    axes : levels by axis of a recipe, or by single hyperparameter as ``"hyperparameters.width"``.
    seeds : of each combination; not used where ``"seed"`` is an axis.
    """
    levels = AxisLevels.of(axes)
    recipes = levels.recipes(levels.all())
    return recipes if "seed" in axes else replicate(recipes, seeds)


def replicate(recipes: Iterable[Recipe], seeds: Iterable[int]) -> list[Recipe]:
    """Every recipe once per seed: what differs between replicates is chance alone."""
    all_seeds = tuple(seeds)
    return [Recipe.from_dict(recipe.to_dict() | {"seed": seed}) for recipe in recipes for seed in all_seeds]


def fraction(axes: Axes, resolution: int = 3) -> list[Recipe]:
    """The fewest combinations that cross any two axes evenly (resolution 3), any three (4) or any four (5).

    Regular fractions for axes of 2, 3, 4, 5 or 7 levels; axes with fewer use some levels more often. Where a fraction
    would be no smaller, every combination. Levels that coincide for that reason get seeds of their own.

    Raises InputError for another resolution, and for an axis of more than 7 levels.
    """
    if resolution not in (3, 4, 5):
        raise InputError(f"resolution {resolution}", "3, 4 or 5")
    levels = AxisLevels.of(axes)
    if max(levels.counts) > ORDERS[-1]:
        widest = levels.names[int(np.argmax(levels.counts))]
        raise InputError(
            f"the axis {widest!r} has {max(levels.counts)} levels",
            f"{ORDERS[-1]} levels at most",
            "use the optimal design",
        )
    varied = [f for f, count in enumerate(levels.counts) if count > 1]
    table = orthogonal_array([levels.counts[f] for f in varied], resolution) if varied else None
    if table is None or len(table) >= levels.combinations:
        return levels.recipes(levels.all())
    rows = np.zeros((len(table), len(levels.names)), dtype=np.int64)
    rows[:, varied] = table
    return levels.recipes(rows)


def one_at_a_time(axes: Axes) -> list[Recipe]:
    """The first level of every axis, and each departure from it in one axis only; says nothing about interactions."""
    levels = AxisLevels.of(axes)
    rows = [[0] * len(levels.names)]
    for f, count in enumerate(levels.counts):
        rows += [[code if g == f else 0 for g in range(len(levels.names))] for code in range(1, count)]
    return levels.recipes(np.array(rows, dtype=np.int64))


def draw(axes: Axes, models: int, seed: int = 0) -> list[Recipe]:
    """This many different combinations, drawn at random."""
    levels = _enough(axes, models)
    generator = stream(seed, "random design")
    rows = levels.candidates(generator, max(models, 100_000))
    return levels.recipes(rows[np.sort(generator.choice(len(rows), models, replace=False))])


def spread(axes: Axes, models: int, seed: int = 0) -> list[Recipe]:
    """This many combinations, as far from each other as possible (maximin): for axes whose levels are numbers.

    Distance is Gower's: numbers by their difference over the range, names by whether they differ. The best of five
    greedy starts.
    """
    levels = _enough(axes, models)
    generator = stream(seed, "space-filling design")
    rows = levels.candidates(generator, max(models, 4000))
    places, nominal = levels.positions(rows)
    starts = generator.integers(0, len(rows), STARTS)
    results = [_farthest(places, np.array(nominal), int(start), models) for start in starts]
    best = max(results, key=lambda f: f[1:])
    return levels.recipes(rows[np.sort(best[0])])


def _farthest(
    places: Float[np.ndarray, "k f"], nominal: np.ndarray, start: int, models: int
) -> tuple[Int[np.ndarray, " m"], float, float]:
    """Always the candidate farthest from all chosen; with the smallest and the mean distance that results."""

    def distances(index: int) -> Float[np.ndarray, " k"]:
        gaps = np.abs(places - places[index])
        return np.asarray(np.where(nominal, gaps > 0, gaps).mean(axis=1))

    selected = [start]
    nearest = distances(start)
    total = nearest.copy()
    smallest = np.inf
    while len(selected) < models:
        candidates = nearest.copy()
        candidates[selected] = -1.0
        ties = np.flatnonzero(candidates >= candidates.max() - 1e-12)
        index = int(ties[np.argmax(total[ties])])
        smallest = min(smallest, float(nearest[index]))
        selected.append(index)
        distance = distances(index)
        nearest, total = np.minimum(nearest, distance), total + distance
    return np.array(selected), smallest, float(total[selected].sum())


def _enough(axes: Axes, models: int) -> AxisLevels:
    levels = AxisLevels.of(axes)
    if not 2 <= models <= levels.combinations:
        raise InputError(f"{models} models", f"2 to {levels.combinations}, one per combination")
    return levels


FIXED_SIZE: MappingProxyType[str, Callable[[Axes], list[Recipe]]] = MappingProxyType(
    {"full": grid, "fractional": fraction, "one-at-a-time": one_at_a_time}
)
"""Designs that determine their number of models, by name."""
FREE_SIZE: MappingProxyType[str, Callable[[Axes, int, int], list[Recipe]]] = MappingProxyType(
    {"optimal": lambda axes, models, seed: optimal(axes, models, seed=seed), "random": draw, "space-filling": spread}
)
"""Designs with a free number of models, by name: functions of axes, models and seed."""


def design(kind: str, axes: Axes, models: int | None = None, seed: int = 0) -> list[Recipe]:
    """The recipes of a design of that name.

    Parameters
    ----------
    kind : key of `FIXED_SIZE` or `FREE_SIZE`.
    axes : levels by axis.
    models : how many for optimal, random and space-filling; at most how many for the others, if given.
    seed : of what is drawn by chance.

    Raises InputError for an unknown name, and where the number of models is missing or does not suffice.

    Sources: the fractions are orthogonal arrays (Rao 1947), the optimal design is found by exchanges (Fedorov 1972).

    Examples
    --------
    >>> recipes = pc.design("full", {"architecture": ["mlp", "forest"], "data": ["all", "half-a"]})
    >>> [(recipe.architecture, recipe.data) for recipe in recipes]
    [('mlp', 'all'), ('mlp', 'half-a'), ('forest', 'all'), ('forest', 'half-a')]
    """
    if kind in FIXED_SIZE:
        recipes = FIXED_SIZE[kind](axes)
        if models is not None and len(recipes) > models:
            raise InputError(f"the {kind} design takes {len(recipes)} models", f"{models} at most", "try optimal")
        return recipes
    if kind not in FREE_SIZE:
        raise InputError(f"no design {kind!r}", "", near(kind, [*FIXED_SIZE, *FREE_SIZE]))
    if models is None:
        raise InputError(f"the {kind} design without a number of models", "how many models it may have")
    return FREE_SIZE[kind](axes, models, seed)
