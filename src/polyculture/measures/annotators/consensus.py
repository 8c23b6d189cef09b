"""What do several workers say together, and how sure is that? The answer to each item, with its posterior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from polyculture.errors import InputError

from .annotations import MISSING

TIED = 1e-9
"""Difference of two posteriors below which they are equal."""
INDEPENDENCE = (
    "Every posterior here takes the workers for independent given the truth. People who label alone nearly are; models "
    "are not, and then it is sure and wrong."
)


@dataclass(frozen=True, eq=False)
class Consensus:
    """What the workers say together of each item.

    Its posterior holds if workers err independently given the truth. Models do not: `tempered` raises the likelihood to
    the power that the effective number of independent workers allows.

    Parameters
    ----------
    method : how the labels were combined.
    posterior : probability of each class for each item; equal to the prior for items without labels.
    labels_per_item : labels behind each item.
    quality : estimated probability that a label of each worker is right; nan for workers without labels.
    prior : estimated share of each class.
    evidence : log-likelihood of each item's labels under each class, up to a constant per item; None where the method
        has no likelihood, as a vote.
    parameters : further estimates by name, such as the confusion matrix of each worker.
    iterations : rounds until the estimates stood still.
    converged : whether they did.
    log_likelihood : of all labels, under the model; nan where there is none.
    """

    method: str
    posterior: Float[np.ndarray, "n c"]
    labels_per_item: Int[np.ndarray, " n"]
    quality: Float[np.ndarray, " m"]
    prior: Float[np.ndarray, " c"]
    evidence: Float[np.ndarray, "n c"] | None = None
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    iterations: int = 0
    converged: bool = True
    log_likelihood: float = np.nan

    @cached_property
    def winners(self) -> Bool[np.ndarray, "n c"]:
        """The classes of the highest posterior of each item; none for items without labels."""
        top = self.posterior.max(axis=1, keepdims=True)
        return np.asarray((self.posterior >= top - TIED) & (self.labels_per_item > 0)[:, None])

    @property
    def tied(self) -> Bool[np.ndarray, " n"]:
        """Items whose highest posterior two or more classes share."""
        return np.asarray(self.winners.sum(axis=1) > 1)

    @property
    def answer(self) -> Int[np.ndarray, " n"]:
        """The class of the highest posterior, the first of tied ones; MISSING for items without labels."""
        return np.where(self.labels_per_item > 0, self.winners.argmax(axis=1), MISSING)

    @property
    def confidence(self) -> Float[np.ndarray, " n"]:
        """The highest posterior of each item."""
        return np.asarray(self.posterior.max(axis=1))

    def credit(self, truth: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """How right each answer is: 1, 0, or for a tie that holds the truth the chance that a lot finds it (½ of two).

        nan for items without labels or without truth (a negative code).
        """
        known = (truth >= 0) & (self.labels_per_item > 0)
        rows, share = np.flatnonzero(known), np.full(len(truth), np.nan)
        share[rows] = self.winners[rows, truth[rows]] / self.winners[rows].sum(axis=1)
        return share

    def accuracy(self, truth: Int[np.ndarray, " n"]) -> float:
        """Mean credit over the items with truth; nan where there are none."""
        credit = self.credit(truth)
        return float(np.nanmean(credit)) if np.isfinite(credit).any() else np.nan

    def tempered(self, exponent: float | Float[np.ndarray, " n"]) -> Consensus:
        """The same with the likelihood raised to this power: n_eff/M, where M labels are worth n_eff independent ones.

        Answers may change where the prior is not uniform. A vote has no likelihood and stays as it is.

        Parameters
        ----------
        exponent : for all items, or for each; in [0, 1]. At 1 nothing changes, at 0 the prior remains.

        Raises InputError for an exponent outside of [0, 1].
        """
        power = np.broadcast_to(np.asarray(exponent, np.float64), (len(self.posterior),))
        if not ((power >= 0) & (power <= 1)).all():
            raise InputError(
                f"a likelihood to the power of {power[~((power >= 0) & (power <= 1))][0]:g}",
                "a power between 0 and 1",
                "give n_eff/M",
            )
        if self.evidence is None:
            return self
        posterior, _ = posterior_of(self.evidence * power[:, None], self.prior)
        return replace(self, posterior=posterior)


def posterior_of(
    evidence: Float[np.ndarray, "n c"], prior: Num[np.ndarray, " c"]
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, " n"]]:
    """Probability of each class by Bayes' rule, and the log-probability of each item's labels."""
    with np.errstate(divide="ignore"):
        joint = evidence + np.log(prior)
    # In place: with thousands of classes a table more is a gigabyte.
    top = joint.max(axis=1)
    joint -= top[:, None]
    posterior: Float[np.ndarray, "n c"] = np.exp(joint, out=joint)
    total = posterior.sum(axis=1)
    posterior /= total[:, None]
    return posterior, top + np.log(total)
