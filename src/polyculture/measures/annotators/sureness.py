"""How sure is a consensus, and how often is it right when it is? Its posterior set against the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..calibration import Reliability, reliability
from .consensus import Consensus

SURE = 0.999
SMALLEST_POSTERIOR = float(np.finfo(np.float64).eps)
"""Posteriors are at least this in the log loss, as in scikit-learn: a zero would outweigh all else."""


@dataclass(frozen=True, eq=False)
class Sureness:
    """A posterior against the truth, on the items with labels whose truth is known.

    Parameters
    ----------
    credit : how right the answer to each item is (1, 0, a part for ties).
    confidence : highest posterior of each item.
    loss : minus the logarithm of the posterior of the truth, of each item.
    threshold : posterior above which the consensus counts as sure.
    reliability : stated probability against the share that is right, in bins.
    """

    credit: Float[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    loss: Float[np.ndarray, " n"]
    threshold: float
    reliability: Reliability

    @property
    def sure(self) -> Bool[np.ndarray, " n"]:
        """Where the consensus is sure."""
        return np.asarray(self.confidence > self.threshold)

    @property
    def accuracy(self) -> float:
        """Share of right answers, ties in parts; nan without items."""
        return float(self.credit.mean()) if len(self.credit) else np.nan

    @property
    def claimed(self) -> float:
        """Share of right answers that the posterior promises: its mean."""
        return float(self.confidence.mean()) if len(self.confidence) else np.nan

    @property
    def log_loss(self) -> float:
        """Mean of the losses, in nats."""
        return float(self.loss.mean()) if len(self.loss) else np.nan

    @property
    def ece(self) -> float:
        """Expected calibration error over bins of equally many items."""
        return self.reliability.ece

    @property
    def sure_share(self) -> float:
        """Share of the items on which it is sure."""
        return float(self.sure.mean()) if len(self.credit) else np.nan

    @property
    def sure_wrong(self) -> float:
        """Share of these that are wrong; nan where it is never sure."""
        return float(1 - self.credit[self.sure].mean()) if self.sure.any() else np.nan


def sureness(consensus: Consensus, truth: Int[np.ndarray, " n"], threshold: float = SURE) -> Sureness:
    """Calibration of a consensus: how sure it is, and how often it is right.

    Parameters
    ----------
    consensus : of the same items.
    truth : code of the true class of each item, negative where it is not known.
    threshold : posterior above which it counts as sure.

    Source: Guo et al. 2017 (expected calibration error).
    """
    credit = consensus.credit(truth)
    rows = np.flatnonzero(np.isfinite(credit))
    posterior = np.maximum(consensus.posterior[rows, truth[rows]], SMALLEST_POSTERIOR)
    confidence = consensus.confidence[rows]
    credit = credit[rows]
    return Sureness(credit, confidence, -np.log(posterior), threshold, reliability(confidence, credit))
