"""Which ingredients make reasons alike? The attribution of the audit, of the agreement of reasons instead of errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from polyculture.auditing.attribution.response import BLOCKS, Similarity
from polyculture.auditing.sections.attribution import attribute
from polyculture.predictions import Predictions
from polyculture.results import Section

from .comparison import ReasonComparison

TITLE = "Which ingredients make reasons alike?"


def reason_similarity(comparison: ReasonComparison) -> Similarity:
    """The share of top reasons in common of every two models, and the same without each block of instances."""
    values = comparison.agreement.values["feature"].astype(np.float64)
    first, second = comparison.agreement.pairs
    n = values.shape[1]
    codes = np.arange(n) if comparison.clusters is None else comparison.clusters
    blocks = np.unique(codes % BLOCKS, return_inverse=True)[1]
    defined = np.isfinite(values)
    sums = np.stack([np.bincount(blocks, row) for row in np.where(defined, values, 0.0)])
    counts = np.stack([np.bincount(blocks, row) for row in defined.astype(float)])
    remainder = counts.sum(axis=1, keepdims=True) - counts
    means = np.full(sums.shape, np.nan)
    np.divide(sums.sum(axis=1, keepdims=True) - sums, remainder, out=means, where=remainder > 0)
    m = comparison.agreement.models
    leave_outs = np.tile(np.eye(m), (len(means[0]), 1, 1))
    leave_outs[:, first, second] = means.T
    leave_outs[:, second, first] = means.T
    return Similarity("share of common reasons", comparison.agreement.matrix(), leave_outs, n)


def reason_attribution(comparison: ReasonComparison, predictions: Predictions, seed: int = 0) -> Section:
    """The section *attribution* of reasons: which shared ingredients go with shared reasons.

    Parameters
    ----------
    predictions : of the same models; error rates are controls, and its model table has the ingredients.
    """
    section = attribute(
        predictions, similarity=reason_similarity(comparison), seed=seed, level=comparison.level, designed=True
    )
    return replace(section, title=TITLE)
