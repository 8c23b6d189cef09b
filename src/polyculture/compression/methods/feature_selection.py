"""How does a learner read less? It is fitted again on the columns that matter; the encoder stays as it is."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from polyculture.errors import InputError
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_estimator import FittedEstimator

from ..context import CompressionContext
from .learners import estimator_of, fitted, learner_of, rows_of, steps_before

COLUMNS = "columns"
"""Name of the step that selects."""
STEP = 0.2
"""Share of the columns that goes at once."""


def fewer_features(model: Fitted, share: float, context: CompressionContext) -> Fitted:
    """The estimator fitted again without a share of its columns: pixels, numbers of a table, counts of words.

    Of linear models those columns go whose coefficients, times the standard deviation of the column, are smallest: a
    fifth at a time, after each of which it is fitted again (Guyon et al. 2002; on digits an L1 penalty chose no
    better). Of other learners those go whose F statistic with the labels is lowest (Guyon and Elisseeff 2003,
    section 2).

    Raises InputError for trees that read columns themselves: they are as large with fewer columns.
    """
    estimator = estimator_of(model, "fewer-features")
    learner = learner_of(estimator.estimator)
    steps = [step for step in steps_before(estimator.estimator) if step[0] != COLUMNS]
    projected = any(hasattr(step, "components_") for _, step in steps)
    if not projected and any(hasattr(learner, name) for name in ("tree_", "estimators_", "_predictors")):
        raise InputError(
            f"fewer-features of a {type(learner).__name__}",
            "a learner that grows with its columns",
            "use fewer-trees, shallower-trees or prune-trees",
        )
    if not share:
        return model
    rows, labels = rows_of(estimator, context)
    columns = retained(estimator, rows.shape[1])
    for count in _rounds(len(columns), max(1, round((1 - share) * len(columns))), hasattr(learner, "coef_")):
        scores = importances(estimator, rows[:, columns], labels)
        columns = columns[np.sort(np.argsort(-scores, kind="stable")[:count])]
        estimator = replace(estimator, estimator=fitted(_selecting(estimator.estimator, columns), rows, labels))
    return estimator


def _rounds(columns: int, target: int, gradual: bool) -> Iterator[int]:
    """Numbers of columns, down to a target: at once, or gradually."""
    while gradual and int(columns * (1 - STEP)) > target:
        columns = int(columns * (1 - STEP))
        yield columns
    yield target


def retained(model: FittedEstimator, width: int) -> Int[np.ndarray, " k"]:
    """Columns that an estimator reads of this number of columns."""
    for name, step in steps_before(model.estimator):
        if name == COLUMNS:
            return np.asarray(step.transformers[0][2], np.int64)
    return np.arange(width)


def importances(model: FittedEstimator, rows: Any, labels: Shaped[np.ndarray, " n"]) -> Float[np.ndarray, " d"]:
    """How much each column matters: the larger, the more; 0 for a column that is constant."""
    learner = learner_of(model.estimator)
    if not hasattr(learner, "coef_"):
        return _relation(rows, labels, hasattr(learner, "classes_"))
    for name, step in steps_before(model.estimator):
        rows = rows if name == COLUMNS else step.transform(rows)
    squares = rows.multiply(rows) if hasattr(rows, "multiply") else rows.astype(float) ** 2
    variance = np.asarray(squares.mean(axis=0)).ravel() - np.asarray(rows.mean(axis=0, dtype=float)).ravel() ** 2
    coefficients = learner.coef_.toarray() if hasattr(learner.coef_, "toarray") else np.atleast_2d(learner.coef_)
    return np.asarray(np.linalg.norm(coefficients, axis=0) * np.sqrt(np.maximum(variance, 0)), float)


def _relation(rows: Any, labels: Shaped[np.ndarray, " n"], classes: bool) -> Float[np.ndarray, " d"]:
    """F statistic of each column and the labels."""
    from sklearn.feature_selection import f_classif, f_regression

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # constant columns
        scores = (f_classif if classes else f_regression)(rows, labels)[0]
    finite: Float[np.ndarray, " d"] = np.nan_to_num(np.asarray(scores, float), nan=0.0, posinf=np.finfo(float).max)
    return finite


def _selecting(estimator: Any, columns: Int[np.ndarray, " k"]) -> Any:
    """The unfitted estimator after a step that selects these columns; projected to fewer factors than columns."""
    from sklearn.base import clone
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    selector = ColumnTransformer([("retained", "passthrough", columns.tolist())], sparse_threshold=1.0)
    unfitted = clone(estimator)
    steps = unfitted.steps if hasattr(unfitted, "steps") else [("learner", unfitted)]
    for _, step in steps:
        if type(step).__name__ == "TruncatedSVD" and len(columns) <= step.n_components:
            step.n_components = max(1, len(columns) - 1)
    return Pipeline([(COLUMNS, selector), *(step for step in steps if step[0] != COLUMNS)])
