"""What if the models are not ours? Fitted scikit-learn estimators become functions, and functions a population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.population import Population

from .fitted import Fitted


@dataclass(frozen=True, eq=False)
class EstimatorFunction:
    """A fitted scikit-learn estimator as a function from inputs to probabilities, or to predicted numbers.

    Parameters
    ----------
    estimator : with `predict_proba`; for regression with `predict`.
    columns : class code of each column of its probabilities; empty for regression.
    classes : number of classes; 0 for regression.
    """

    estimator: Any
    columns: Int[np.ndarray, " k"]
    classes: int

    def __call__(self, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n c"]:
        """Class probabilities, 0 for classes that it does not know; for regression n × 1 predicted numbers."""
        rows = self.rows(inputs)
        if not self.classes:
            return np.asarray(self.estimator.predict(rows), np.float64).reshape(len(inputs), -1)
        probabilities = np.zeros((len(inputs), self.classes))
        probabilities[:, self.columns] = self.estimator.predict_proba(rows)
        return probabilities

    def rows(self, inputs: Shaped[np.ndarray, "n ..."]) -> Any:
        """Flat rows as scikit-learn reads them, under the names that it was fitted with; texts as they are."""
        rows = inputs if inputs.ndim == 1 else inputs.reshape(len(inputs), -1)
        names = getattr(self.estimator, "feature_names_in_", None)
        return rows if names is None or rows.ndim == 1 else pd.DataFrame(rows, columns=names)


def population_of(models: Population | Mapping[str, Any], dataset: Dataset) -> Population:
    """The models as a population of functions; a mapping is one of the dataset's classes.

    Parameters
    ----------
    models : a population, or models by name: functions from inputs to n × c probabilities (n × 1 numbers), or fitted
        scikit-learn estimators, whose classes are names or codes of the dataset's classes.
    dataset : instances that they are asked about.

    Raises InputError for anything else, and for classes of an estimator that the dataset does not have or that may be
    names as well as codes.
    """
    if not isinstance(models, Population):
        if not isinstance(models, Mapping):
            wrong = f"the models are a {type(models).__name__}"
            raise InputError(wrong, "a Population, or models by name such as {'forest': forest}")
        return Population({str(k): _function(str(k), model, dataset) for k, model in models.items()}, dataset.classes)
    functions = {name: _function(name, model, dataset) for name, model in models.models.items()}
    if all(functions[name] is model for name, model in models.models.items()):
        return models
    return replace(models, models=functions)


def _function(name: str, model: Any, dataset: Dataset) -> Any:
    """The model itself if it is a function, the function of an estimator otherwise."""
    method = "predict_proba" if dataset.classes else "predict"
    if isinstance(model, Fitted) or (callable(model) and not hasattr(model, method)):
        return model
    if not hasattr(model, method):
        wrong = f"the model {name!r} is a {type(model).__name__}"
        raise InputError(wrong, f"a function of the inputs, or an estimator with {method}")
    if not dataset.classes:
        return EstimatorFunction(model, np.zeros(0, np.int64), 0)
    if not hasattr(model, "classes_"):
        raise InputError(f"the estimator {name!r} is not fitted", "one with classes_", "call its fit first")
    return EstimatorFunction(model, _columns(name, model.classes_, dataset), len(dataset.classes))


def _columns(name: str, known: Any, dataset: Dataset) -> Int[np.ndarray, " k"]:
    """Code of each class that an estimator knows."""
    values = np.asarray(known).tolist()
    codes = values if all(isinstance(v, int) and 0 <= v < len(dataset.classes) for v in values) else None
    places = {label: code for code, label in enumerate(dataset.classes)}
    named = [places[str(v)] for v in values] if all(str(v) in places for v in values) else None
    if codes is not None and named is not None and codes != named:
        wrong = f"the classes {values} of the estimator {name!r} may be names or codes of {', '.join(dataset.classes)}"
        raise InputError(wrong, "one of them", "give a function that returns the columns in the dataset's order")
    selected = named if codes is None else codes
    if selected is None:
        wrong = f"the estimator {name!r} knows the classes {', '.join(map(str, values[:5]))}"
        raise InputError(wrong, f"those of the dataset: {', '.join(dataset.classes)}")
    return np.array(selected, np.int64)
