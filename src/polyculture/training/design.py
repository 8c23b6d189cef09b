"""Which recipes identify what makes models alike? Designs over the axes of recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice, product
from typing import Any

import numpy as np

from polyculture.errors import InputError, near
from polyculture.preparation.problems import PROBLEMS, Problem
from polyculture.recipe import PREFIX, Recipe
from polyculture.rng import stream

from .architectures import find_architecture
from .objectives import find_objective
from .pretraining import find_pretraining

LINEUPS: dict[str, tuple[str, ...]] = {
    "digits": ("logistic", "knn", "svm", "forest", "boosting", "mlp", "lenet", "lstm", "transformer"),
    "image": ("logistic", "knn", "forest", "boosting", "mlp", "lenet", "resnet", "lstm", "transformer"),
    "volume": ("logistic", "knn", "forest", "boosting", "mlp", "c3d", "lenet", "lstm", "transformer"),
    "table": ("logistic", "naive-bayes", "knn", "svm", "forest", "extra-trees", "boosting", "mlp", "transformer"),
    "series": ("logistic", "knn", "svm", "forest", "boosting", "mlp", "lenet", "gru", "transformer"),
    "audio": ("logistic", "svm", "forest", "boosting", "mlp", "lenet", "resnet", "gru", "transformer"),
    "text": ("logistic", "naive-bayes", "svm", "forest", "boosting", "mlp", "lenet", "lstm", "transformer"),
    "tags": ("logistic", "forest", "boosting", "mlp", "rnn", "lstm", "gru", "transformer", "crf"),
    "regression": ("ridge", "knn", "svm", "forest", "extra-trees", "boosting", "mlp", "lenet", "transformer"),
}
"""Dissimilar architectures by a problem's name, else its task, else its modality."""

DEPARTURES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "logistic": ({"C": 0.05}, {"C": 20.0}),
    "ridge": ({"C": 0.05}, {"C": 0.005}),
    "naive-bayes": ({"smoothing": 0.1}, {"smoothing": 1e-6}),
    "knn": ({"neighbours": 1}, {"neighbours": 9, "weights": "distance"}),
    "svm": ({"C": 0.3}, {"kernel": "linear"}),
    "forest": ({"depth": 6}, {"trees": 30}),
    "extra-trees": ({"depth": 6}, {"trees": 30}),
    "boosting": ({"leaves": 4}, {"rounds": 15}),
    "mlp": ({"width": 24}, {"dropout": 0.3}),
    "lenet": ({"width": 6}, {"dropout": 0.3}),
    "resnet": ({"width": 8}, {"weight_decay": 0.01}),
    "c3d": ({"width": 6}, {"dropout": 0.3}),
    "rnn": ({"width": 16}, {"dropout": 0.3}),
    "lstm": ({"width": 16}, {"dropout": 0.3}),
    "gru": ({"width": 16}, {"dropout": 0.3}),
    "transformer": ({"width": 16}, {"dropout": 0.3}),
    "crf": ({"width": 16}, {"dropout": 0.3}),
}
"""Two changes of each architecture's default hyperparameters that keep its accuracy."""

DATA = ("all", "half-a", "half-b", "bootstrap")
FIFTH = {"text": "drop", "tags": "drop", "audio": "gain", "series": "jitter"}
"""The fifth level of the data axis by modality; ``"augmented"`` for the others."""
OPTIMIZERS = ("sgd", "adam", "rmsprop")
OF_NUMBERS = ("adagrad", "adam", "rmsprop")
"""Optimizers for regression, whose step length does not grow with the error."""
SEEDS = 4
"""Number of seeds of a design; models with one seed share starting weights, resamples and order."""
MANY = 6000
SLOW_WITH_MANY = ("svm", "knn")
"""Architectures with quadratic time in the training set; left out above `MANY` instances."""


def default_design(problem: str | Problem, models: int = 36, seed: int = 0) -> list[Recipe]:
    """Recipes in which the effects of architecture, data, optimizer, hyperparameters and seed are identified.

    Architectures are balanced to within one model. The levels of the other axes are random and balanced, so that two
    models that share a level of one axis are no more likely to share one of another; with 32 models or more
    the variance inflation of the same-level pair indicators stays below 2.5. No two models differ in their seed only.

    Parameters
    ----------
    problem : the problem, or the name of one of `PROBLEMS`, which is then taken to be of images.
    models : their number, at least 2.
    seed : of the random assignment, and the first seed of the design.

    Raises InputError for an unknown problem, and for fewer models than 2 or more than there are combinations.
    """
    lineup, data, objective = _levels(problem)
    combinations = len(lineup) * len(data) * 3
    if not 2 <= models <= combinations:
        raise InputError(f"{models} models", f"2 to {combinations}")
    generator = stream(seed, "design")
    architectures = sorted(islice(cycle(lineup), models), key=lineup.index)
    variants = [variant for name in lineup for variant in _variants(name, data, architectures.count(name), generator)]
    seeds = _balanced(range(seed, seed + SEEDS), models, generator)
    optimizers = iter(_balanced(OF_NUMBERS if objective == "squared" else OPTIMIZERS, models, generator))
    return [
        Recipe(
            architecture=name,
            data=level,
            objective=objective,
            optimizer="own" if "own" in find_architecture(name).optimizers else next(optimizers),
            hyperparameters=hyperparameters,
            seed=seed_of_model,
        )
        for name, (level, hyperparameters), seed_of_model in zip(architectures, variants, seeds, strict=True)
    ]


def _levels(problem: str | Problem) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Architectures, levels of the data axis and the objective that suit a problem."""
    if isinstance(problem, str):
        if problem not in PROBLEMS:
            raise InputError(f"no problem {problem!r}", "", near(problem, PROBLEMS))
        return LINEUPS.get(problem, LINEUPS["image"]), (*DATA, "augmented"), "cross-entropy"
    train = problem.split.train
    kind = "regression" if train.task == "regression" else train.modality
    lineup = LINEUPS.get(problem.name) or LINEUPS[kind]
    if len(train) > MANY:
        lineup = tuple(name for name in lineup if name not in SLOW_WITH_MANY)
    objective = "squared" if train.task == "regression" else "cross-entropy"
    return lineup, (*DATA, FIFTH.get(train.modality, "augmented")), objective


def _variants(
    architecture: str, data: Sequence[str], count: int, generator: np.random.Generator
) -> list[tuple[str, Mapping[str, Any]]]:
    """`count` different combinations of data and hyperparameters; half of them, rounded up, have the defaults."""
    defaults = generator.permutation(list(data))
    departures = [(level, change) for level, change in product(data, DEPARTURES[architecture])]
    shuffled = [departures[i] for i in generator.permutation(len(departures))]
    half = min((count + 1) // 2, len(defaults))
    return [(str(level), {}) for level in defaults[:half]] + shuffled[: count - half]


def _balanced(levels: Sequence[Any], count: int, generator: np.random.Generator) -> list[Any]:
    """`count` levels: all levels in random order, repeatedly."""
    turns = [generator.permutation(len(levels)) for _ in range(-(-count // len(levels)))]
    return [levels[i] for i in np.concatenate(turns)[:count]]


def evolution_axes(problem: Problem) -> dict[str, list[Any]]:
    """Levels of every axis among which models for this problem are evolved."""
    lineup, data, objective = _levels(problem)
    objectives = [objective] if problem.task == "regression" else [objective, "label-smoothing", "focal"]
    return {
        "architecture": list(lineup),
        "data": list(data),
        "objective": objectives,
        "optimizer": list(OF_NUMBERS if problem.task == "regression" else OPTIMIZERS),
        "hyperparameters.width": [16, 32, 64],
        "hyperparameters.dropout": [0.0, 0.1, 0.3],
        "hyperparameters.C": [0.05, 1.0, 20.0],
        "seed": list(range(SEEDS)),
    }


def possible_recipe(levels: Mapping[str, Any]) -> Recipe:
    """The recipe with these levels, without those that its architecture does not have.

    Parameters
    ----------
    levels : by axis, single hyperparameters as ``"hyperparameters.width"``. Scikit-learn estimators keep
        their own optimizer and objective and no pre-training.

    Raises InputError for an unknown axis or name, and for levels that cannot be combined.
    """
    recipe = Recipe.from_dict({axis: level for axis, level in levels.items() if not axis.startswith(PREFIX)})
    architecture = find_architecture(recipe.architecture)
    if "own" in architecture.optimizers:
        recipe = Recipe(recipe.architecture, recipe.data, seed=recipe.seed)
    find_objective(recipe.objective)
    find_pretraining(recipe.pretraining)
    architecture.check(recipe)
    single = {axis.removeprefix(PREFIX): level for axis, level in levels.items() if axis.startswith(PREFIX)}
    defaults = architecture.settable(recipe)
    return replace(recipe, hyperparameters={name: level for name, level in single.items() if name in defaults})
