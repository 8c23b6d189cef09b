"""Which models should be trained, so that afterwards one can say which ingredient makes them alike?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice, product
from typing import Any

import numpy as np

from polyculture import rng
from polyculture.errors import InputError, near
from polyculture.recipe import Recipe

from .architectures import ARCHITECTURES
from .data import DATA
from .problems import PROBLEMS

DEPARTURES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "logistic": ({"C": 0.05}, {"C": 20.0}),
    "knn": ({"neighbours": 1}, {"neighbours": 9, "weights": "distance"}),
    "svm": ({"C": 0.3}, {"kernel": "linear"}),
    "forest": ({"depth": 6}, {"trees": 30}),
    "boosting": ({"leaves": 4}, {"rounds": 15}),
    "mlp": ({"width": 24}, {"dropout": 0.3}),
    "lenet": ({"width": 6}, {"dropout": 0.3}),
    "lstm": ({"width": 16}, {"dropout": 0.3}),
    "transformer": ({"width": 16}, {"dropout": 0.3}),
}
"""Two departures from each architecture's default hyperparameters that change the model and do not spoil it."""

SEEDS = 4
"""How many seeds a design uses; models that share one also share starting weights, resamples and order."""


def default_design(problem_name: str, models: int = 36, seed: int = 0) -> list[Recipe]:
    """Recipes in which architecture, data, optimizer, hyperparameters and seed can be told apart.

    Every architecture gets its share of the models to within one. The other axes are dealt at random and evenly, so
    that two models that share a level of one axis are no more likely to share one of another; with 32 models or more
    the variance inflation of the same-level pair indicators stays below 2.5. No two models differ in their seed only.

    Parameters
    ----------
    problem_name : as in `PROBLEMS`.
    models : how many, at least 2.
    seed : of the deal, and the first of the seeds in the design.

    Raises InputError for an unknown problem, and for fewer models than 2 or more than there are combinations.
    """
    if problem_name not in PROBLEMS:
        raise InputError(f"no problem {problem_name!r}", "", near(problem_name, PROBLEMS))
    most = len(DEPARTURES) * len(DATA) * 3
    if not 2 <= models <= most:
        raise InputError(f"{models} models", f"2 to {most}")
    generator = rng.stream(seed, "design")
    architectures = sorted(islice(cycle(DEPARTURES), models), key=list(DEPARTURES).index)
    variants = [variant for name in DEPARTURES for variant in _variants(name, architectures.count(name), generator)]
    seeds = _dealt(range(seed, seed + SEEDS), models, generator)
    optimizers = iter(_dealt(("sgd", "adam", "rmsprop"), models, generator))
    return [
        Recipe(
            architecture=name,
            data=data,
            optimizer="own" if "own" in ARCHITECTURES[name].optimizers else next(optimizers),
            hyperparameters=hyperparameters,
            seed=seed_of_model,
        )
        for name, (data, hyperparameters), seed_of_model in zip(architectures, variants, seeds, strict=True)
    ]


def _variants(architecture: str, count: int, generator: np.random.Generator) -> list[tuple[str, Mapping[str, Any]]]:
    """So many different combinations of data and hyperparameters; half of them, rounded up, have the defaults."""
    defaults = generator.permutation(list(DATA))
    departures = [(data, change) for data, change in product(DATA, DEPARTURES[architecture])]
    shuffled = [departures[i] for i in generator.permutation(len(departures))]
    half = min((count + 1) // 2, len(defaults))
    return [(str(data), {}) for data in defaults[:half]] + shuffled[: count - half]


def _dealt(levels: Sequence[Any], count: int, generator: np.random.Generator) -> list[Any]:
    """Levels in turn, each turn shuffled, until there are so many."""
    turns = [generator.permutation(len(levels)) for _ in range(-(-count // len(levels)))]
    return [levels[i] for i in np.concatenate(turns)[:count]]
