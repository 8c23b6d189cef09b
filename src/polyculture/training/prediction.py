"""What do the models answer? Every model of a population asked about every instance of a dataset."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.population import Population
from polyculture.predictions import Predictions, smallest_integer

from .architectures import Fitted
from .engine.process import one_thread


def predict(population: Population, dataset: Dataset) -> Predictions:
    """Each model's class probabilities on each instance, and as its answer the most probable class (the first if tied).

    Where tokens are tagged, every token is an instance; the column ``sequence`` tells which belong together.

    Parameters
    ----------
    population : models, callables from inputs to n × c probabilities.
    dataset : instances with labels, of the same classes in the same order.

    Raises InputError if the classes differ, if there are none (use `estimate`), or if a model's probabilities are not
    n × c finite numbers.
    """
    if dataset.classes != population.classes:
        raise InputError(
            f"the dataset has the classes {', '.join(dataset.classes)}",
            f"those of the population: {', '.join(population.classes)}",
        )
    if dataset.task == "regression":
        raise InputError("labels that are numbers", "classes", "ask regressors with training.estimate")
    instances, labels = _tokens(dataset) if dataset.task == "tagging" else (dataset.instances, dataset.labels)
    probabilities = _asked(population, dataset, len(labels), len(dataset.classes))
    return Predictions(
        models=population.factors,
        instances=instances,
        answers=probabilities.argmax(axis=2).astype(smallest_integer(len(dataset.classes))),
        labels=labels,
        classes=dataset.classes,
        probabilities=probabilities,
    )


def estimate(population: Population, dataset: Dataset) -> Float32[np.ndarray, "m n"]:
    """The number that each model of a regression population predicts for each instance.

    Raises InputError if a model's answer is not n × 1 finite numbers.
    """
    return _asked(population, dataset, len(dataset), 1)[:, :, 0]


def _asked(population: Population, dataset: Dataset, n: int, c: int) -> Float32[np.ndarray, "m n c"]:
    """Every model's answer to every instance."""
    answers = np.empty((len(population), n, c), np.float32)
    trained_here = all(isinstance(model, Fitted) for model in population.models.values())  # others may not share time
    with one_thread(), ThreadPoolExecutor(os.cpu_count() if trained_here else 1) as pool:
        given = pool.map(lambda model: np.asarray(population[model](dataset.array)), population)
        for row, model, answer in zip(answers, population, given, strict=True):
            if answer.shape != (n, c) or not np.isfinite(answer).all():
                shown = f"shape {answer.shape}" if answer.shape != (n, c) else "nan or infinite values"
                what = "predictions" if dataset.task == "regression" else "probabilities"
                raise InputError(f"the {what} of {model!r} have {shown}", f"{n} × {c} finite numbers")
            row[:] = answer
    return answers


def _tokens(dataset: Dataset) -> tuple[pd.DataFrame, Int[np.ndarray, " k"]]:
    """A row and a label for every token, in reading order; what is known of its sequence is known of it, too."""
    sequence, position = np.nonzero(dataset.labels >= 0)
    rows = dataset.instances.iloc[sequence]
    ids = [f"{name}:{place}" for name, place in zip(rows.index, position, strict=True)]
    known = rows.assign(sequence=rows.index.astype(str)).set_axis(pd.Index(ids, name="token"), axis="index")
    return known, dataset.labels[sequence, position]
