"""Do two models give the same reasons for the same inputs, beyond reasons they give for any input?

Each agreement is set against the two models' explanations of different inputs: a shared global profile makes
explanations agree on everything, without agreeing about any instance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

SHIFTS = (1, 7, 31, 101, 211)
"""Rotations of the instances that stand for different inputs where all pairs of inputs would be too many."""


@dataclass(frozen=True, eq=False)
class ExplanationAgreement:
    """How much two models' explanations agree.

    Parameters
    ----------
    matched : on the same instances.
    mismatched : on different ones.
    adjusted : (matched − mismatched)/(1 − mismatched): 0 if nothing about the instance is shared, 1 if all is.
    """

    matched: float
    mismatched: float

    @property
    def adjusted(self) -> float:
        """Beyond what explanations of different instances share; nan where that is everything."""
        return (self.matched - self.mismatched) / (1 - self.mismatched) if self.mismatched < 1 else np.nan


def cosine(U: Float[np.ndarray, "n d"], V: Float[np.ndarray, "n d"]) -> ExplanationAgreement:
    """Cosine of the two models' attributions, in [−1, 1]; all pairs of different instances, in O(n d).

    Parameters
    ----------
    U, V : attribution of each feature on each instance, of two models. Instances without any attribution count 0.
    """
    U, V = (_unit(x.astype(float)) for x in (U, V))
    # (SI9): the sum over all pairs of instances is a product of two sums; less the matched ones it is the mismatched.
    n, matched = len(U), float((U * V).sum())
    mismatched = float(U.sum(axis=0) @ V.sum(axis=0)) - matched
    return ExplanationAgreement(matched / n, mismatched / (n * (n - 1)))


def spearman(U: Float[np.ndarray, "n d"], V: Float[np.ndarray, "n d"]) -> ExplanationAgreement:
    """Rank correlation of the sizes of the attributions, in [−1, 1]; ties get their mean rank."""
    return cosine(*(centred_ranks(np.abs(x)) for x in (U, V)))


def top_k(U: Float[np.ndarray, "n d"], V: Float[np.ndarray, "n d"], k: int = 5) -> ExplanationAgreement:
    """Share of the k largest attributions (by size) that are the same features, in [0, 1]; k/d for random ones."""
    first, second = (_largest(x, k) for x in (U, V))
    return _rotated(first.astype(float), second.astype(float), lambda a, b: (a * b).sum(axis=1) / k)


def sign_agreement(U: Float[np.ndarray, "n d"], V: Float[np.ndarray, "n d"], k: int = 5) -> ExplanationAgreement:
    """Of the features that are among the k largest of either model, the share with the same sign, in [0, 1]."""
    # Sign and membership in one number: ±2 for the largest, ±1 for the rest, so that one array is rotated.
    first, second = (np.sign(x) * (1 + _largest(x, k)) for x in (U, V))

    def share(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
        top = (np.abs(a) == 2) | (np.abs(b) == 2)
        agreement: Float[np.ndarray, " n"] = ((a * b > 0) & top).sum(axis=1) / np.maximum(top.sum(axis=1), 1)
        return agreement

    return _rotated(first, second, share)


def _rotated(
    U: Float[np.ndarray, "n d"],
    V: Float[np.ndarray, "n d"],
    agreement: Callable[[Float[np.ndarray, "n d"], Float[np.ndarray, "n d"]], Float[np.ndarray, " n"]],
) -> ExplanationAgreement:
    # Overlaps do not factor like cosines. A few rotations pair every instance with others; prime steps do not
    # fall in with the period of sorted data.
    shifts = sorted({s % len(U) for s in SHIFTS} - {0})
    mismatched = [float(agreement(U, np.roll(V, s, axis=0)).mean()) for s in shifts]
    return ExplanationAgreement(float(agreement(U, V).mean()), float(np.mean(mismatched)) if mismatched else np.nan)


def _largest(U: Float[np.ndarray, "n d"], k: int) -> Int[np.ndarray, "n d"]:
    """1 at the k features of largest size."""
    columns = np.argpartition(-np.abs(U), k - 1, axis=1)[:, :k]
    marks = np.zeros(U.shape, dtype=np.int64)
    np.put_along_axis(marks, columns, 1, axis=1)
    return marks


def _unit(U: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    length = np.linalg.norm(U, axis=1, keepdims=True)
    unit: Float[np.ndarray, "n d"] = np.divide(U, length, out=np.zeros_like(U), where=length > 0)
    return unit


def centred_ranks(U: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Ranks within each instance less their mean."""
    n, d = U.shape
    order = np.argsort(U, axis=1, kind="stable")
    ordered = np.take_along_axis(U, order, axis=1)
    new = np.ones((n, d), dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    # Ties in all rows at once: a tie ends where the sorted value changes, and never crosses a row.
    group = np.cumsum(new.ravel()) - 1
    place = np.tile(np.arange(d, dtype=float), n)
    mean = (np.bincount(group, place) / np.bincount(group))[group].reshape(n, d)
    ranks = np.empty((n, d))
    np.put_along_axis(ranks, order, mean - (d - 1) / 2, axis=1)
    return ranks
