"""What do the models predict? Every model of a population on every instance of a dataset."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.population import Population
from polyculture.predictions import Predictions, smallest_integer

from .estimator_function import population_of
from .fitted import Fitted
from .threads import one_thread


def predict(population: Population | Mapping[str, Any], dataset: Dataset) -> Predictions:
    """Each model's class probabilities and most probable class (the first if tied), or for regression its numbers.

    Where tokens are tagged, every token is an instance; the column ``sequence`` tells which belong together.

    Parameters
    ----------
    population : models, callables from inputs to n × c probabilities, or n × 1 numbers; or such models by name, also
        fitted scikit-learn estimators.
    dataset : instances with labels, of the same classes in the same order.

    Raises InputError if the classes differ, or if a model's output is not n × c finite numbers.

    Examples
    --------
    >>> pets = pc.Dataset(np.zeros((4, 2)), np.array([0, 1, 1, 1]), ("cat", "dog"))
    >>> def always(label):
    ...     return lambda inputs: np.tile(np.eye(2)[label], (len(inputs), 1))
    >>> pc.predict(pc.Population({"cats": always(0), "dogs": always(1)}, pets.classes), pets).wrong.sum(axis=1)
    array([3, 1])
    """
    population = population_of(population, dataset)
    if dataset.classes != population.classes:
        raise InputError(
            f"the dataset has the classes {', '.join(dataset.classes)}",
            f"those of the population: {', '.join(population.classes)}",
        )
    if dataset.task == "regression":
        values = _outputs(population, dataset, len(dataset), 1)[:, :, 0].astype(np.float64)
        targets = dataset.labels.astype(np.float64)
        return Predictions(population.factors, dataset.instances, values=values, targets=targets)
    instances, labels = _tokens(dataset) if dataset.task == "tagging" else (dataset.instances, dataset.labels)
    probabilities = _outputs(population, dataset, len(labels), len(dataset.classes))
    return Predictions(
        models=population.factors,
        instances=instances,
        answers=probabilities.argmax(axis=2).astype(smallest_integer(len(dataset.classes))),
        labels=labels,
        classes=dataset.classes,
        probabilities=probabilities,
    )


def _outputs(population: Population, dataset: Dataset, n: int, c: int) -> Float32[np.ndarray, "m n c"]:
    """Every model's output for every instance."""
    outputs = np.empty((len(population), n, c), np.float32)
    threads = all(isinstance(model, Fitted) for model in population.models.values())  # other callables may not be safe
    with one_thread(), ThreadPoolExecutor(os.cpu_count() if threads else 1) as pool:
        arrays = pool.map(lambda model: np.asarray(population[model](dataset.array)), population)
        for row, model, array in zip(outputs, population, arrays, strict=True):
            if array.shape != (n, c) or not np.isfinite(array).all():
                problem = f"shape {array.shape}" if array.shape != (n, c) else "nan or infinite values"
                quantity = "predictions" if dataset.task == "regression" else "probabilities"
                raise InputError(f"the {quantity} of {model!r} have {problem}", f"{n} × {c} finite numbers")
            row[:] = array
    return outputs


def _tokens(dataset: Dataset) -> tuple[pd.DataFrame, Int[np.ndarray, " k"]]:
    """A row and a label for every token, in reading order, with the columns of its sequence."""
    sequence, position = np.nonzero(dataset.labels >= 0)
    rows = dataset.instances.iloc[sequence]
    ids = [f"{name}:{place}" for name, place in zip(rows.index, position, strict=True)]
    instances = rows.assign(sequence=rows.index.astype(str)).set_axis(pd.Index(ids, name="token"), axis="index")
    return instances, dataset.labels[sequence, position]
