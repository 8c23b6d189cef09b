"""Which labels do models contradict that did not learn from them? A small crew, trained out of fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.measures.label_errors import LabelErrors, label_errors
from polyculture.preparation import DataOptions
from polyculture.preparation.problems import RawData, build_problem
from polyculture.recipe import Recipe
from polyculture.training.architectures import find_architecture
from polyculture.training.design import LINEUPS
from polyculture.training.out_of_fold import out_of_fold

CREWS = {
    "image": ("lenet", "lenet", "lenet", "forest", "svm", "mlp"),
    "volume": ("lenet", "lenet", "c3d", "forest", "boosting", "mlp"),
    "table": ("logistic", "forest", "extra-trees", "boosting", "svm", "knn"),
    "text": ("logistic", "naive-bayes", "svm", "forest", "boosting", "mlp"),
}
"""Architectures by modality: strong ones find random errors, unlike ones those that one kind of model has made."""
FOLDS = "label-errors"
"""Folder of the models of every fold, next to the page: the same call resumes."""


@dataclass(frozen=True, eq=False)
class Suspects:
    """Labels that may be wrong, of the training rows.

    Parameters
    ----------
    errors : scores, suggestions and flags.
    rows : the row of every instance among all that was read.
    classes : what the codes stand for.
    architectures : of the models, in order.
    """

    errors: LabelErrors
    rows: Int[np.ndarray, " n"]
    classes: tuple[str, ...]
    architectures: tuple[str, ...]

    def table(self, raw: RawData) -> pd.DataFrame:
        """The flagged labels, the most suspicious first: row, label, suggestion, margin, and how many models agree."""
        errors = self.errors
        order = errors.order[errors.flagged[errors.order]]
        classes = np.array(self.classes, dtype=object)
        return pd.DataFrame(
            {
                "place": self.rows[order],
                "instance": raw.instances.index[self.rows[order]].astype(str),
                "label": raw.labels[self.rows[order]].astype(str),
                "suggested": classes[errors.suggested[order]],
                "margin": errors.score[order].astype(float),
                "against": errors.dissent[:, order].sum(axis=0),
                "models": len(self.architectures),
                "all_wrong": errors.all_wrong[order],
            }
        )


def crew(modality: str, models: int, seed: int) -> list[Recipe]:
    """Recipes of a small crew, each on all rows."""
    names = CREWS.get(modality) or tuple(name for name in LINEUPS[modality] if name != "transformer")
    recipes = []
    for k, name in enumerate(islice(cycle(names), models)):
        optimizer = "own" if "own" in find_architecture(name).optimizers else "adam"
        recipes.append(Recipe(name, optimizer=optimizer, seed=seed + k))
    return recipes


def find_suspects(
    raw: RawData,
    rows: Int[np.ndarray, " k"],
    options: DataOptions,
    folder: Path,
    *,
    models: int,
    folds: int,
    seed: int,
    workers: int | None,
    progress: Callable[[int, int, str], None],
) -> Suspects:
    """Labels of these rows that the mean of the crew contradicts.

    Raises InputError for numbers to predict and for tags, TrainingError where no two models can be trained.
    """
    if raw.modality == "tags":
        raise InputError("label errors of tagged tokens", "one class for each instance", "leave label_errors out")
    dataset = _dataset(raw.take(rows), options, seed)
    if dataset.task != "classification":
        raise InputError("label errors of numbers to predict", "classes as labels", "leave label_errors out")
    recipes = crew(dataset.modality, models, seed)
    clusters = dataset.instances[options.cluster].astype(str).to_numpy() if options.cluster else None
    predictions = out_of_fold(
        recipes, dataset, folder / FOLDS, folds=folds, groups=clusters, seed=seed, workers=workers, progress=progress
    )
    kinds = _kinds(predictions.models, recipes)
    assert predictions.probabilities is not None
    errors = label_errors(np.asarray(predictions.probabilities, np.float64), dataset.labels.astype(np.int64), kinds)
    return Suspects(errors, rows, dataset.classes, tuple(kinds))


def _kinds(models: pd.DataFrame, recipes: Sequence[Recipe]) -> list[str]:
    architectures = {recipe.id: recipe.architecture for recipe in recipes}
    return [architectures[str(name)] for name in models.index]


def _dataset(raw: RawData, options: DataOptions, seed: int) -> Dataset:
    """All rows as one dataset; what preprocessing learns, it learns from all of them."""
    everything = np.arange(len(raw))
    whole = replace(options, limit=None, shifts=(), hold_out=(), test_on=(), fold="", time="")
    raw = replace(raw, part=np.array([], dtype=str))
    return build_problem(raw, whole, seed, parts=(everything, everything[:1], everything[:1])).split.train
