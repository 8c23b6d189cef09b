"""How do the members' probabilities become one answer? By the rule of the portfolio, also where a member is missing.

The same numbers as `polyculture.combine` and the fused graph; in numpy, for the members that answered.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from .manifest import Manifest

TIED = 1e-6
"""Relative difference below which two shares of a vote are equal, in single precision."""


def combined(manifest: Manifest, members: Float[np.ndarray, "n m ..."]) -> Float[np.ndarray, "n ..."]:
    """The combination of the members' outputs.

    Parameters
    ----------
    manifest : has rule, weights, bias and temperature.
    members : n × m × c probabilities, for tokens n × m × steps × c, for a regression n × m × 1 values; nan where a
        member gave none.

    The weight of members without an answer goes to the others in proportion; in stacking, where weights are powers, it
    is lost. Where none answered the combination is nan.
    """
    outputs = np.asarray(members, np.float64)
    absent = np.asarray(np.isnan(outputs).any(axis=-1, keepdims=True))
    weights = _weights(manifest, outputs.ndim)
    if manifest.votes:
        votes = np.arange(outputs.shape[-1]) == np.where(absent, -1, _argmax(outputs)[..., None])
        pooled = _mean(votes.astype(np.float64), weights, absent)
    elif manifest.rule in ("geometric", "stacking"):
        pooled = _product(manifest, outputs, weights, absent)
    else:
        pooled = _mean(outputs, weights, absent)
    if manifest.temperature != 1 and manifest.task != "regression" and not manifest.votes:
        pooled = _softmax(np.log(np.maximum(pooled, manifest.floor)) / manifest.temperature)
    pooled[np.broadcast_to(absent.all(axis=1), pooled.shape)] = np.nan
    return pooled.astype(np.float32)


def answers(probabilities: Float[np.ndarray, "... c"]) -> Int[np.ndarray, ...]:
    """The most probable class, the first where two are equal; −1 where there are no probabilities."""
    return np.where(np.isnan(probabilities).any(axis=-1), -1, _argmax(probabilities))


def vote_answers(
    shares: Float[np.ndarray, "n ... c"], member_answers: Int[np.ndarray, "n m ..."]
) -> Int[np.ndarray, "n ..."]:
    """The class with the most votes; where classes tie that of the first member that voted for one of them."""
    top = shares >= np.nanmax(shares, axis=-1, keepdims=True, initial=-1.0) * (1 - TIED)
    answer = np.full(shares.shape[:-1], -1)
    for votes in np.moveaxis(member_answers, 1, 0)[::-1]:
        wins = (votes >= 0) & np.take_along_axis(top, np.maximum(votes, 0)[..., None], axis=-1)[..., 0]
        answer = np.where(wins, votes, answer)
    return answer


def disagreement(member_answers: Int[np.ndarray, "n m ..."], classes: int) -> Float[np.ndarray, "n ..."]:
    """Share of the members that answered whose answer is not the most frequent one; nan where none answered."""
    counts = (member_answers[..., None] == np.arange(classes)).sum(axis=1)
    total = counts.sum(axis=-1).astype(np.float64)
    return np.asarray(np.divide(total - counts.max(axis=-1), total, out=np.full(total.shape, np.nan), where=total > 0))


def _weights(manifest: Manifest, dimensions: int) -> Float[np.ndarray, "1 m ..."]:
    """Weights in the shape of the outputs, by class where they are."""
    by_class = all(member.weights_by_class for member in manifest.members)
    m, axes = len(manifest.members), (1,) * (dimensions - 3)
    if by_class and manifest.rule == "stacking":
        return np.array([member.weights_by_class for member in manifest.members]).reshape(1, m, *axes, -1)
    return np.array([member.weight for member in manifest.members]).reshape(1, m, *axes, 1)


def _mean(outputs: np.ndarray, weights: np.ndarray, absent: Bool[np.ndarray, "n m ..."]) -> np.ndarray:
    present = np.where(absent, 0.0, weights)
    total = present.sum(axis=1)
    summed: np.ndarray = (np.where(absent, 0.0, outputs) * present).sum(axis=1)
    return summed / np.where(total > 0, total, 1.0)


def _product(manifest: Manifest, outputs: np.ndarray, weights: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """Normalized product of powers of the probabilities, plus a bias per class."""
    logs = np.log(np.maximum(np.where(absent, 1.0, outputs), manifest.floor))
    powers = np.where(absent, 0.0, weights)
    if manifest.rule == "geometric":
        weight, total = weights.sum(axis=1), powers.sum(axis=1)
        powers = powers * np.expand_dims(weight / np.where(total > 0, total, 1.0), 1)
    opinion = (logs * powers).sum(axis=1)
    return _softmax(opinion + np.array(manifest.bias) if manifest.bias else opinion)


def _softmax(logs: np.ndarray) -> np.ndarray:
    powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
    normal: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return normal


def _argmax(outputs: np.ndarray) -> Int[np.ndarray, ...]:
    return np.asarray(np.argmax(np.where(np.isnan(outputs), -np.inf, outputs), axis=-1))
