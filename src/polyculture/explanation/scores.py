"""Which number is explained? The score of a class, in one scale for all kinds of models."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

LEAST = 1e-6
"""Probabilities below are taken for this: estimators give 0, whose logarithm is infinite."""


def class_scores(outputs: Float[np.ndarray, "n c"], scale: str) -> Float[np.ndarray, "n c"]:
    """The score of every class, from class probabilities; for regression the numbers themselves.

    Parameters
    ----------
    outputs : n × c probabilities, or n × 1 numbers.
    scale : ``"probability"``; ``"number"``; or ``"logit"``: the logarithm of the probability less the mean logarithm of
        those of the other classes, which is the log-odds where there are two.
    """
    numbers = outputs.astype(np.float64)
    if scale != "logit":
        return numbers
    logs = np.log(np.maximum(numbers, LEAST))
    classes = logs.shape[1]
    scores: np.ndarray = (logs - logs.mean(axis=1, keepdims=True)) * (classes / max(1, classes - 1))
    return scores


def target_scores(
    outputs: Float[np.ndarray, "n c"], targets: Int[np.ndarray, " n"], scale: str
) -> Float[np.ndarray, " n"]:
    """The score of the target class of each instance, from class probabilities; see `class_scores`."""
    return np.take_along_axis(class_scores(outputs, scale), targets[:, None].astype(np.int64), axis=1)[:, 0]
