"""Which items are hard? A model of workers who differ in ability, on items that differ in difficulty."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from .annotations import Annotations
from .consensus import Consensus
from .expectation_maximization import ITERATIONS, WorkerFit, maximize

STEPS = 25
"""Steps of the optimizer per round."""
GLAD_TOLERANCE = 1e-4
"""The steps of a round do not reach its maximum exactly, so that posteriors keep moving a little."""


def glad(annotations: Annotations, iterations: int = ITERATIONS, tolerance: float = GLAD_TOLERANCE) -> Consensus:
    """Consensus if a label is right with probability 1/(1 + exp(−ability × easiness)).

    `parameters["ability"]` (m) may be negative for workers who are wrong on purpose; `parameters["easiness"]` (n) is
    positive. Both (easiness in logarithms) have the standard deviation 1 around 1 before any label, as their authors
    have it; wrong labels are any other class alike, and classes equally probable. Deterministic.

    Parameters
    ----------
    annotations : labels of the workers.
    iterations : rounds at most, each of 25 quasi-Newton steps at most.
    tolerance : largest change of a posterior at which the estimates stand still.

    Source: Whitehill, Ruvolo, Wu, Bergsma and Movellan 2009.
    """
    m, n, c = annotations.workers, annotations.items, annotations.classes
    worker, item = annotations.worker, annotations.item
    state = np.ones(m + n)

    def loss(point: Float[np.ndarray, " k"], right: Float[np.ndarray, " a"]) -> tuple[float, Float[np.ndarray, " k"]]:
        ability, logs = point[:m], point[m:]
        easiness = np.exp(logs)[item]
        strength = ability[worker] * easiness
        fit = right @ log_expit(strength) + (1 - right) @ log_expit(-strength)
        slope = (right - expit(strength)) * easiness
        gradient = np.concatenate([np.bincount(worker, slope, m), np.bincount(item, slope * ability[worker], n)]) - (
            point - 1
        )
        return float(0.5 * ((point - 1) ** 2).sum() - fit), -gradient

    def fit(right: Float[np.ndarray, " a"]) -> WorkerFit:
        nonlocal state
        state = minimize(loss, state, (right,), "L-BFGS-B", jac=True, options={"maxiter": STEPS}).x
        ability, easiness = state[:m], np.exp(state[m:])
        strength = ability[worker] * easiness[item]
        quality = annotations.mean_of_workers(expit(strength))
        parameters = {"ability": ability, "easiness": easiness}
        return WorkerFit(log_expit(strength), log_expit(-strength) - np.log(c - 1), quality, parameters)

    return maximize("GLAD", annotations, fit, iterations, tolerance)
