"""How alike are the probabilities of two models? All pairs from matrix products, one chunk of instances at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import reduce
from operator import add

import numpy as np
from jaxtyping import Bool, Float, Int

CELLS = 1 << 22
"""Probabilities in a chunk: enough for fast matrix products, few enough for exact sums in 32 bits."""


@dataclass(frozen=True, eq=False)
class ProbabilitySums:
    """Sums over the common instances of each pair; they add up over chunks and machines.

    Parameters
    ----------
    n : common instances.
    same : probability that the two give the same answer.
    truth : the row's probability of the true answer; the column's is its transpose.
    chance : 1/(options − 1), the chance that two evenly picked wrong answers are the same.
    """

    n: Float[np.ndarray, "m m"]
    same: Float[np.ndarray, "m m"]
    truth: Float[np.ndarray, "m m"]
    chance: Float[np.ndarray, "m m"]

    def __add__(self, sums: ProbabilitySums) -> ProbabilitySums:
        """Sums over both sets of instances."""
        return ProbabilitySums(*(getattr(self, f.name) + getattr(sums, f.name) for f in fields(self)))


def probability_sums(
    probabilities: Float[np.ndarray, "m n c"],
    labels: Int[np.ndarray, " n"],
    options: Int[np.ndarray, " n"] | None = None,
    observed: Bool[np.ndarray, "m n"] | None = None,
) -> ProbabilitySums:
    """What CAPA is made of. Memory: a few m × m matrices and one chunk; the array may be memory-mapped.

    Parameters
    ----------
    probabilities : of each answer; 0 beyond the options of an instance. For plain answers, 1 at the answer. Whatever
        stands in unobserved cells is ignored.
    labels : position of the true answer; below 0 where unknown, which leaves the instance out.
    options : answers to choose from; c for all where None. Instances with one option are left out.
    observed : where a model answered; everywhere where None.
    """
    m, n, c = probabilities.shape
    choices = np.full(n, c) if options is None else options
    usable = (choices > 1) & (labels >= 0)
    sums = np.zeros((4, m, m))
    for chunk in _chunks(m, n, c):
        use = usable[chunk]
        label, spread = labels[chunk], np.where(use, 1 / np.maximum(choices[chunk] - 1, 1), 0.0)
        P, W = _masked(probabilities[:, chunk], None if observed is None else observed[:, chunk], use)
        t = P[:, np.arange(len(use)), np.maximum(label, 0)].astype(float)
        flat = P.reshape(m, -1)
        # (PB1): over rows (instance, option) the probability of the same answer is an inner product.
        sums[1] += flat @ flat.T
        if observed is None:
            sums[0] += use.sum()
            # Complete tables need no product for the rest: counts and means are the same for every partner.
            sums[2] += t.sum(axis=1)[:, None]
            sums[3] += spread.sum()
        else:
            answered = W.astype(float)
            sums[0] += answered @ answered.T
            # The mean over common instances depends on the partner, so it is a matrix and not a vector.
            sums[2] += t @ answered.T
            sums[3] += (answered * spread) @ answered.T
    return ProbabilitySums(*sums)


def capa(
    probabilities: Float[np.ndarray, "m n c"],
    labels: Int[np.ndarray, " n"],
    options: Int[np.ndarray, " n"] | None = None,
    observed: Bool[np.ndarray, "m n"] | None = None,
) -> Float[np.ndarray, "m m"]:
    """Chance-adjusted probability of the same answer (CAPA): 0 if the models are as alike as their accuracy implies.

    Parameters as in `probability_sums`.

    Range (−c/(1−c), 1] for a chance level c, nan where c is 1 and without common instances; the diagonal is below 1 for
    unsure models. Source: Goel et al. 2025, with wrong answers spread evenly over each instance's own other options.
    """
    return capa_of(probability_sums(probabilities, labels, options, observed))


def capa_of(sums: ProbabilitySums | Iterable[ProbabilitySums]) -> Float[np.ndarray, "m m"]:
    """CAPA from sums, of one chunk or of several that are added up."""
    total = sums if isinstance(sums, ProbabilitySums) else reduce(add, sums)
    n = np.where(total.n > 0, total.n, np.nan)
    truth = total.truth / n
    # (PB2): both right, or both wrong and by luck on the same of the K − 1 other options.
    chance = truth * truth.T + (1 - truth) * (1 - truth.T) * total.chance / n
    out = np.full(n.shape, np.nan)
    np.divide(total.same / n - chance, 1 - chance, out=out, where=chance < 1)
    return out


def hellinger_squared(
    probabilities: Float[np.ndarray, "m n c"], observed: Bool[np.ndarray, "m n"] | None = None
) -> Float[np.ndarray, "m m"]:
    """How far apart two models' probabilities are: 1 − mean Bhattacharyya coefficient, in [0, 1].

    Not adjusted for accuracy. Stands in for the Jensen-Shannon divergence, which no matrix product gives: ln 2 times it
    was never above JS (nats) and JS never above it in 200,000 random pairs. nan without common instances.
    """
    m, n, c = probabilities.shape
    overlap, common = np.zeros((2, m, m))
    for chunk in _chunks(m, n, c):
        use = np.ones(chunk.stop - chunk.start, dtype=bool)
        P, W = _masked(probabilities[:, chunk], None if observed is None else observed[:, chunk], use)
        # (PB4): roots turn the Bhattacharyya coefficient into an inner product.
        roots = np.sqrt(P).reshape(m, -1)
        overlap += roots @ roots.T
        common += W.astype(float) @ W.astype(float).T if observed is not None else len(use)
    out = np.full((m, m), np.nan)
    np.divide(overlap, common, out=out, where=common > 0)
    return 1 - out


def _chunks(m: int, n: int, c: int) -> Iterator[slice]:
    step = max(64, CELLS // max(m * c, 1))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _masked(
    probabilities: Float[np.ndarray, "m k c"], observed: Bool[np.ndarray, "m k"] | None, use: Bool[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, "m k c"], Bool[np.ndarray, "m k"]]:
    """Probabilities with 0 where they do not count (at least 32 bits), and where they do."""
    P = probabilities if probabilities.dtype.itemsize >= 4 else probabilities.astype(np.float32)
    W = np.broadcast_to(use, P.shape[:2]) if observed is None else observed & use
    if observed is None and use.all():
        return P, W
    return np.where(W[:, :, None], P, np.zeros((), P.dtype)), W
