"""How does a training set get predictions that no model learned? Fold by fold, each left out of one fit."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int, Shaped

from polyculture.dataset import Dataset, Split
from polyculture.errors import InputError, TrainingError
from polyculture.models.threads import one_thread
from polyculture.population import Population
from polyculture.predictions import MISSING, Predictions, smallest_integer
from polyculture.preparation.duplicates import undivided_folds
from polyculture.preparation.problems import Problem
from polyculture.recipe import Recipe

from ..fit import Progress, check, train


def out_of_fold(
    recipes: Sequence[Recipe],
    problem: Problem | Dataset,
    folder: Path | None = None,
    *,
    folds: int = 5,
    groups: Shaped[np.ndarray, " n"] | None = None,
    seed: int = 0,
    workers: int | None = None,
    engine: str = "auto",
    seconds: float | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Predictions of each recipe on its own training set, each instance by the fit that did not learn from it.

    Copies of an instance (equal inputs) are always in one fold, or a copy would vote for its own label. A recipe that
    cannot be trained in some folds has no answers there; one that cannot be trained in any is left out.

    Parameters
    ----------
    recipes : two or more, what to train; each is trained once for every fold, on the other folds.
    problem : its training set is used, or a dataset as it is; classes of single instances (no tags, no numbers).
    folder : where the models of each fold are written, ``fold-1`` and so on. What is in it is not fitted again, so
        an interrupted call is resumed by the same call. None for a temporary folder.
    folds : into how many parts the training set is split, by label.
    groups : what else stays in one fold, one value per instance, such as the id of a patient; None for a problem's
        clusters, where there are any.
    seed : of the folds; models have the seed of their recipe.
    workers, engine, seconds : as in `train`.
    progress : called with the number of finished fits, of all fits, and the latest event.

    Raises InputError for one recipe, other tasks, more folds than groups and what `train` refuses, before anything is
    trained; TrainingError if fewer than two recipes could be trained.

    Examples
    --------
    >>> iris = pc.load_problem("iris")
    >>> predictions = pc.out_of_fold([pc.Recipe("logistic"), pc.Recipe("knn")], iris, folds=3, workers=1)
    >>> predictions.shape == (2, len(iris.split.train))
    True
    """
    problem = _problem(problem)
    dataset = problem.split.train
    _check(recipes, dataset)
    if groups is None and problem.cluster:
        groups = dataset.instances[problem.cluster].astype(str).to_numpy()
    parts = undivided_folds(dataset, folds, seed, groups)
    report = progress or (lambda *_: None)
    results = []
    with tempfile.TemporaryDirectory(prefix="polyculture-") if folder is None else nullcontext(folder) as place:
        for number, rows in enumerate(parts):
            population = train(
                recipes,
                _without(problem, rows, f"{problem.name}, fold {number + 1} of {folds}"),
                Path(place) / f"fold-{number + 1}",
                workers=workers,
                engine=engine,
                seconds=seconds,
                progress=partial(_report, report, number * len(recipes), folds * len(recipes)),
            )
            results.append(_Fold(rows, population, _probabilities(population, dataset.take(rows))))
    return _assembled(recipes, dataset, results)


@dataclass(frozen=True, eq=False)
class _Fold:
    """Its rows, the models that did not learn from them, and their class probabilities for them."""

    rows: Int[np.ndarray, " k"]
    population: Population
    probabilities: dict[str, np.ndarray]


def _report(report: Progress, earlier: int, total: int, fits: int, _: int, event: str) -> None:
    """Tell how many fits of all folds are finished."""
    report(earlier + fits, total, event)


def _problem(problem: Problem | Dataset) -> Problem:
    if isinstance(problem, Dataset):
        return Problem(problem.name or "dataset", Split(problem, problem, problem))
    return problem


def _check(recipes: Sequence[Recipe], dataset: Dataset) -> None:
    if dataset.task != "classification":
        raise InputError(f"out-of-fold predictions for {dataset.task}", "classes of single instances")
    check(recipes, dataset)
    if len(recipes) < 2:
        raise InputError("one recipe", "two or more", "errors of labels are found by models that can disagree")


def _without(problem: Problem, rows: Int[np.ndarray, " k"], name: str) -> Problem:
    """The problem of learning from all instances but these."""
    dataset = problem.split.train
    fold, remainder = dataset.take(rows), dataset.take(np.setdiff1d(np.arange(len(dataset)), rows))
    return Problem(name, Split(remainder, fold, fold))


def _probabilities(population: Population, fold: Dataset) -> dict[str, np.ndarray]:
    """Class probabilities of each model that was trained."""
    with one_thread():
        return {name: np.asarray(model(fold.array), np.float32) for name, model in population.models.items()}


def _assembled(recipes: Sequence[Recipe], dataset: Dataset, results: Sequence[_Fold]) -> Predictions:
    """The probabilities of all folds in the order of the training set; nan and no answer where a fit failed."""
    failures = {name: reason for fold in results for name, reason in fold.population.failed.items()}
    names = [recipe.id for recipe in recipes if any(recipe.id in fold.probabilities for fold in results)]
    if len(names) < 2:
        model, reason = next(iter(failures.items()))
        wrong = f"{len(names)} model{'' if len(names) == 1 else 's'} could be trained"
        raise TrainingError(wrong, "two or more", f"the first failure: {model}: {reason}")
    shape = (len(names), len(dataset), len(dataset.classes))
    probabilities = np.full(shape, np.nan, np.float32)
    for fold in results:
        for name, block in fold.probabilities.items():
            probabilities[names.index(name), fold.rows] = block
    absent = np.isnan(probabilities).any(axis=2)
    answers = np.where(absent, MISSING, np.nan_to_num(probabilities).argmax(axis=2))
    return Predictions(
        models=_factors(names, [fold.population for fold in results]),
        instances=dataset.instances,
        answers=answers.astype(smallest_integer(len(dataset.classes))),
        labels=dataset.labels,
        classes=dataset.classes,
        probabilities=probabilities,
    )


def _factors(names: Sequence[str], populations: Sequence[Population]) -> pd.DataFrame:
    """The factors of each recipe, with the seconds of all its fits."""
    table = pd.concat([population.factors for population in populations])
    factors = table.groupby(level=0, sort=False).first().loc[list(names)]
    seconds = table["seconds"].groupby(level=0).sum()
    return factors.assign(seconds=seconds.loc[list(names)])
