"""Where in a fitted estimator is the learner, what was it fitted to, and how is it fitted again?"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Shaped

from polyculture.errors import InputError
from polyculture.models.features import features
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_estimator import FittedEstimator
from polyculture.models.threads import one_thread

from ..context import CompressionContext


def estimator_of(model: Fitted, method: str) -> FittedEstimator:
    """The model, which is an estimator of scikit-learn; InputError for any other."""
    if not isinstance(model, FittedEstimator):
        raise InputError(f"the method {method!r} for a {type(model).__name__}", "an estimator of scikit-learn")
    return model


def learner_of(estimator: Any) -> Any:
    """The fitted learner inside of steps of preprocessing, of a calibration and of a scaled target."""
    if hasattr(estimator, "steps"):
        return learner_of(estimator.steps[-1][1])
    if hasattr(estimator, "calibrated_classifiers_"):
        return learner_of(estimator.calibrated_classifiers_[0].estimator)
    return learner_of(estimator.regressor_) if hasattr(estimator, "regressor_") else estimator


def steps_before(estimator: Any) -> list[tuple[str, Any]]:
    """Names and fitted steps of preprocessing before the learner."""
    return list(estimator.steps[:-1]) if hasattr(estimator, "steps") else []


def rows_of(model: FittedEstimator, context: CompressionContext) -> tuple[Any, Shaped[np.ndarray, " n"]]:
    """What the estimator was fitted to: rows of numbers, sparse where words are counted, and their labels."""
    train = context.train
    labels = train.labels[train.labels >= 0] if train.task == "tagging" else train.labels
    return features(model.encoder, train.array), labels


def preprocessed(model: FittedEstimator, context: CompressionContext) -> tuple[Any, Shaped[np.ndarray, " n"]]:
    """The same after the steps of preprocessing: what the learner reads."""
    rows, labels = rows_of(model, context)
    for _, step in steps_before(model.estimator):
        rows = step.transform(rows)
    return rows, labels


def with_learner(model: FittedEstimator, learner: Any) -> FittedEstimator:
    """The model with another fitted learner after its steps of preprocessing."""
    if not hasattr(model.estimator, "steps"):
        return replace(model, estimator=learner)
    pipeline = copy.copy(model.estimator)
    pipeline.steps = [*pipeline.steps[:-1], (pipeline.steps[-1][0], learner)]
    return replace(model, estimator=pipeline)


def fitted_again(model: FittedEstimator, settings: dict[str, Any], context: CompressionContext) -> FittedEstimator:
    """The model fitted to its training set with other settings of its learner, which has no wrapper."""
    from sklearn.base import clone

    estimator = clone(model.estimator)
    learner_of(estimator).set_params(**settings)
    return replace(model, estimator=fitted(estimator, *rows_of(model, context)))


def fitted(estimator: Any, rows: Any, labels: Shaped[np.ndarray, " n"]) -> Any:
    """The estimator, fitted in one thread."""
    with one_thread():
        return estimator.fit(rows, labels)
