"""What does a vote decide, and how often is it wrong? The plurality of the answers; ties are drawn by lot.

One vote for all: what combining gains (audit), portfolios and panels (select) call `vote`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

NO_ANSWER = -1
BLOCK = 8192
"""Instances whose answers are sorted at a time."""
TIED = 1e-12
"""Relative difference below which two sums of weights are equal."""


@dataclass(frozen=True, eq=False)
class Vote:
    """What a vote decides on each instance.

    Parameters
    ----------
    loss : probability that the vote is wrong: 0, 1, or, where answers are tied, the share of them that is wrong; nan
        where no member voted.
    share : the winning answer's part of the weight that voted; nan where nobody did.
    """

    loss: Float[np.ndarray, " n"]
    share: Float[np.ndarray, " n"]


def vote(
    wrong: Bool[np.ndarray, "m n"],
    answers: Int[np.ndarray, "m n"] | None = None,
    weights: Float[np.ndarray, "m ..."] | None = None,
    observed: Bool[np.ndarray, "m n"] | None = None,
) -> Vote:
    """The answer with the most weight on each instance, and the probability that it is wrong.

    Two answers of the same weight share the win, as if a lot were drawn: half of a tie of a right and a wrong one is
    wrong. Where only right and wrong are known the wrong ones count as one answer, and a tie costs ½. That overstates
    the error in tasks of many classes, in which members that are wrong rarely agree.

    Parameters
    ----------
    wrong : where a member is wrong; what stands in unobserved cells is ignored.
    answers : codes of the answers; negative ones do not vote. None where only right and wrong are known. Where no
        member gave an answer right and wrong decide.
    weights : of the members, or of the members on each instance, at least 0; equal where None.
    observed : where it is known whether a member is right; everywhere where None.
    """
    spread = np.ones((len(wrong), 1)) if weights is None else weights.reshape(len(wrong), -1).astype(np.float64)
    spread = np.broadcast_to(spread, wrong.shape)
    outcomes = _of_outcomes(wrong, spread, observed)
    if answers is None:
        return outcomes
    loss, share = outcomes.loss, outcomes.share
    for start in range(0, wrong.shape[1], BLOCK):
        block = np.arange(start, min(start + BLOCK, wrong.shape[1]))
        block = block[(answers[:, block] >= 0).any(axis=0)]
        if len(block):
            verdicts = np.ones((len(wrong), len(block)), bool) if observed is None else observed[:, block]
            loss[block], share[block] = _plurality(answers[:, block], wrong[:, block], spread[:, block], verdicts)
    return Vote(loss, share)


def _of_outcomes(
    wrong: Bool[np.ndarray, "m n"], weights: Float[np.ndarray, "m n"], observed: Bool[np.ndarray, "m n"] | None
) -> Vote:
    """The vote of right against wrong."""
    votes = weights if observed is None else np.where(observed, weights, 0.0)
    total = votes.sum(axis=0)
    share = np.full(wrong.shape[1], np.nan)
    np.divide((votes * wrong).sum(axis=0), total, out=share, where=total > 0)
    tied = np.isclose(share, 0.5, rtol=0, atol=TIED)
    loss = np.where(np.isnan(share), np.nan, np.where(tied, 0.5, share > 0.5))
    return Vote(loss, np.maximum(share, 1 - share))


def _plurality(
    answers: Int[np.ndarray, "m n"],
    wrong: Bool[np.ndarray, "m n"],
    weights: Float[np.ndarray, "m n"],
    verdicts: Bool[np.ndarray, "m n"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Loss and share of the vote, on instances that some member answered."""
    n = answers.shape[1]
    order = np.argsort(np.ascontiguousarray(answers.T), axis=1)
    cells = (answers, wrong, weights, verdicts)
    codes, errors, ballots, observed = (np.take_along_axis(x.T, order, axis=1) for x in cells)
    # Equal answers of an instance are neighbours now: each run is a candidate, numbered over all instances.
    first = np.ones(codes.shape, bool)
    first[:, 1:] = codes[:, 1:] != codes[:, :-1]
    candidate = np.cumsum(first.ravel()) - 1
    instance = np.nonzero(first)[0]
    support = np.bincount(candidate, ballots.ravel())
    support[codes[first] < 0] = -1.0
    top = np.maximum.reduceat(support, np.searchsorted(instance, np.arange(n)))
    winners = support >= top[instance] * (1 - TIED)
    # A grader may call one answer right for one member and wrong for another: such an answer is partly wrong.
    verdict_counts = np.bincount(candidate, observed.ravel())
    faulty = np.bincount(candidate, (errors & observed).ravel())
    part = np.divide(faulty, verdict_counts, out=np.full(len(verdict_counts), np.nan), where=verdict_counts > 0)
    loss = np.bincount(instance[winners], part[winners], n) / np.bincount(instance[winners], minlength=n)
    total = np.where(codes >= 0, ballots, 0.0).sum(axis=1)
    return loss, np.divide(top, total, out=np.full(n, np.nan), where=total > 0)
