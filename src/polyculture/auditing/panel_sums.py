"""From what do the numbers of every subset of the models follow? Sums that the page adds up for the models ticked."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, UInt8

from polyculture.measures.effective import pair_covariances
from polyculture.results.panel import LARGEST, NO_ANSWER, PanelSums

from .context import AuditContext

MOST_ANSWERS, MOST_OUTCOMES = 400_000, 3_200_000
"""Cells up to which answers (a byte each) or outcomes (a bit each) are kept: 400 kB either way."""


def panel_sums(context: AuditContext) -> PanelSums | None:
    """Covariances that counts of pairs do not give, and the votes where they are few; None for many models."""
    p, (m, n) = context.predictions, context.predictions.shape
    if m > LARGEST:
        return None
    strata: dict[str, Int[np.ndarray, " n"] | None] = {} if context.weights is None else {"N0": None}
    if context.classes is not None:
        strata["N1"] = context.classes
    covariances = {name: pair_covariances(p.wrong, s, p.observed, context.weights) for name, s in strata.items()}
    if m * n > (MOST_OUTCOMES if p.answers is None else MOST_ANSWERS):
        return PanelSums(covariances)
    answers = None if p.answers is None else instance_codes(p.answers)
    return PanelSums(covariances, p.wrong, p.observed, answers)


def instance_codes(answers: Int[np.ndarray, "m n"]) -> UInt8[np.ndarray, "m n"]:
    """Answers renumbered within each instance, so that a byte holds them however many classes there are."""
    order = np.argsort(answers, axis=0, kind="stable")
    ascending = np.take_along_axis(answers, order, axis=0)
    ranks = np.zeros(answers.shape, np.uint8)
    np.cumsum(ascending[1:] != ascending[:-1], axis=0, dtype=np.uint8, out=ranks[1:])
    codes = np.empty_like(ranks)
    np.put_along_axis(codes, order, ranks, axis=0)
    return np.where(answers < 0, np.uint8(NO_ANSWER), codes)
