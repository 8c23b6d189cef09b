"""What does putting models together gain, and by which disagreement? Exact identities, with the sign of diversity.

Loss of the ensemble = mean loss of the members − diversity. For votes diversity has two parts, and one of them hurts:
disagreement where the vote is right wastes nothing but the minority, where it is wrong it wastes the right votes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from .votes import vote

BLOCK = 4096
"""Instances taken together."""
SMALLEST = 1e-12
"""Probabilities are raised to this before their logarithm is taken."""


@dataclass(frozen=True, eq=False)
class LossDecomposition:
    """ensemble = mean − diversity, exactly.

    Parameters
    ----------
    ensemble : loss of the ensemble.
    mean : mean loss of its members.
    diversity : what combining gains; negative where combining hurts, which only votes can do.
    good, bad : for votes, diversity = good − bad: share of members outvoted where the vote is right, and where it is
        wrong; nan else.
    values : diversity of each instance.
    losses : loss of the ensemble on each instance.
    """

    ensemble: float
    mean: float
    diversity: float
    good: float
    bad: float
    values: Float[np.ndarray, " n"]
    losses: Float[np.ndarray, " n"]


def squared(predictions: Float[np.ndarray, "m n ..."], truth: Float[np.ndarray, "n ..."]) -> LossDecomposition:
    """Squared error (or, from probabilities and one-hot truth, the Brier score) of the members' mean.

    Diversity is the variance between members and needs no labels. Source: Krogh and Vedelsby 1995.
    """
    m, n = predictions.shape[:2]
    flat, target = predictions.reshape(m, n, -1), truth.reshape(n, -1)
    mean, values = np.zeros((2, n))
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        members = flat[:, block].astype(float)
        mean[block] = ((members - target[block]) ** 2).sum(axis=(0, 2)) / m
        # (EN2): the cross term vanishes only because the combination is the mean.
        values[block] = ((members - members.mean(axis=0)) ** 2).sum(axis=(0, 2)) / m
    return _of_losses(mean, values)


def cross_entropy(probabilities: Float[np.ndarray, "m n c"], labels: Int[np.ndarray, " n"]) -> LossDecomposition:
    """Cross-entropy (nats) of the members' normalized geometric mean.

    Diversity is −log of what normalizes it, the mean divergence of the ensemble from its members: at least 0 and
    without labels. Source: Wood et al. 2023.
    """
    n = probabilities.shape[1]
    mean, values = np.zeros((2, n))
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        logs = np.log(np.maximum(probabilities[:, block].astype(float), SMALLEST))
        # Raised probabilities no longer sum to one, and (EN3) is exact only for members that do.
        logs -= np.log(np.exp(logs).sum(axis=2, keepdims=True))
        mean[block] = -logs[:, np.arange(logs.shape[1]), labels[block]].mean(axis=0)
        # (EN3): −ln Z; by the inequality of means Z is at most 1, so diversity is at least 0.
        values[block] = -np.log(np.exp(logs.mean(axis=0)).sum(axis=1))
    return _of_losses(mean, values)


def _of_losses(mean: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"]) -> LossDecomposition:
    losses = mean - values
    return LossDecomposition(
        float(losses.mean()), float(mean.mean()), float(values.mean()), math.nan, math.nan, values, losses
    )


def majority(wrong: Bool[np.ndarray, "m n"], answers: Int[np.ndarray, "m n"] | None = None) -> LossDecomposition:
    """Error rate of the vote: of the plurality of the answers, ties split; of right against wrong without answers.

    Parameters
    ----------
    wrong : where a member is wrong.
    answers : codes of the answers, negative where there is none; None where only right and wrong are known.

    Diversity depends on the labels and may be negative. Source: Brown and Kuncheva 2010.
    """
    share, loss = wrong.mean(axis=0), vote(wrong, answers).loss
    # (EN4): the two parts have opposite signs, so they are kept apart instead of one number near zero.
    gain, cost = (1 - loss) * share, loss * (1 - share)
    return LossDecomposition(
        float(loss.mean()),
        float(share.mean()),
        float((gain - cost).mean()),
        float(gain.mean()),
        float(cost.mean()),
        gain - cost,
        loss,
    )
