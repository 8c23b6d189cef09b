"""What do the models answer? Every model of a population asked about every instance of a dataset."""

from __future__ import annotations

import numpy as np

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.population import Population
from polyculture.predictions import Predictions, smallest_integer

from .process import one_thread


def predict(population: Population, dataset: Dataset) -> Predictions:
    """Each model's class probabilities on each instance, and as its answer the most probable class (the first if tied).

    Parameters
    ----------
    population : models, callables from inputs to n × c probabilities.
    dataset : instances with labels, of the same classes in the same order.

    Raises InputError if the classes differ or if a model's probabilities are not n × c finite numbers.
    """
    if dataset.classes != population.classes:
        raise InputError(
            f"the dataset has the classes {', '.join(dataset.classes)}",
            f"those of the population: {', '.join(population.classes)}",
        )
    n, c = len(dataset), len(dataset.classes)
    probabilities = np.empty((len(population), n, c), np.float32)
    with one_thread():
        for row, model in zip(probabilities, population, strict=True):
            answer = np.asarray(population[model](dataset.inputs))
            if answer.shape != (n, c) or not np.isfinite(answer).all():
                shown = f"shape {answer.shape}" if answer.shape != (n, c) else "nan or infinite values"
                raise InputError(f"the probabilities of {model!r} have {shown}", f"{n} × {c} finite numbers")
            row[:] = answer
    return Predictions(
        models=population.factors,
        instances=dataset.instances,
        answers=probabilities.argmax(axis=2).astype(smallest_integer(c)),
        labels=dataset.labels,
        classes=dataset.classes,
        probabilities=probabilities,
    )
