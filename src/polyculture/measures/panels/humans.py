"""How many humans is a panel worth? Its verdicts against the distributions of human labels.

Humans disagree about an item; the share p of humans for each class is what k of them drawn at random miss by J/k in
squared error, J = 1 − Σ p². A panel whose mean verdict misses p by E is worth ν = J/E humans (arXiv 2609.21277).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

AS_HUMANS = "the panel is no further from the humans than they are from themselves"
UNANIMOUS = "the humans never disagree"
TOO_FEW = "no item has two humans and a verdict"


@dataclass(frozen=True, eq=False)
class HumanEquivalents:
    """A panel against the humans.

    Parameters
    ----------
    error : E, mean squared distance of the panel's mean verdict from the humans' distribution, without the part that
        comes from there being a finite number of humans; may fall below 0 by chance.
    spread : J, the same of a single human.
    influence : effect of each item on log ν, per item; nan on items that were not used.
    participation : how many directions the judges' residuals spread in, (Σλ)²/Σλ² of their second moments; nan for one.
    reason : why ν is undefined or infinite; empty otherwise.
    """

    error: float
    spread: float
    influence: Float[np.ndarray, " n"]
    participation: float
    reason: str = ""

    @property
    def value(self) -> float:
        """ν = J/E; inf where E is 0 or less."""
        if math.isnan(self.error) or self.spread == 0:
            return math.nan
        return self.spread / self.error if self.error > 0 else math.inf


def human_equivalents(verdicts: Int[np.ndarray, "m n"], humans: Int[np.ndarray, "n c"]) -> HumanEquivalents:
    """How many humans, drawn at random, are as near to the humans' distribution as the panel's mean verdict.

    Parameters
    ----------
    verdicts : class of each judge's verdict on each item; negative where there is none. A judge's share is spread
        evenly over those who judged.
    humans : how many humans gave each class to each item; two or more per item, others are left out.

    k humans drawn from the same distributions have ν = k in expectation.
    """
    n = verdicts.shape[1]
    sizes, judged = humans.sum(axis=1), (verdicts >= 0).sum(axis=0)
    mask = (sizes > 1) & (judged > 0)
    undefined = np.full(n, np.nan)
    if not mask.any():
        return HumanEquivalents(math.nan, math.nan, undefined, math.nan, TOO_FEW)
    shares = humans[mask] / sizes[mask, None]
    panel = np.stack([(verdicts[:, mask] == c).sum(axis=0) for c in range(humans.shape[1])], axis=1)
    panel = panel / judged[mask, None]
    # (JU9): unbiased for the distribution that the humans were drawn from: their own sampling error J/N is taken off.
    spreads = sizes[mask] / (sizes[mask] - 1) * (1 - (shares**2).sum(axis=1))
    errors = ((panel - shares) ** 2).sum(axis=1) - spreads / sizes[mask]
    spread, error = float(spreads.mean()), float(errors.mean())
    participation = _participation(verdicts[:, mask], shares)
    if spread == 0:
        return HumanEquivalents(error, spread, undefined, participation, UNANIMOUS)
    if error <= 0:
        return HumanEquivalents(error, spread, undefined, participation, AS_HUMANS)
    influence = undefined.copy()
    influence[mask] = (spreads - spread) / spread - (errors - error) / error
    return HumanEquivalents(error, spread, influence, participation)


def _participation(verdicts: Int[np.ndarray, "m n"], shares: Float[np.ndarray, "n c"]) -> float:
    """Participation ratio of the judges' residuals, on the items that all of them judged."""
    complete = (verdicts >= 0).all(axis=0)
    if len(verdicts) < 2 or not complete.any():
        return math.nan
    one_hot = verdicts[:, complete, None] == np.arange(shares.shape[1])
    residuals = (one_hot - shares[None, complete]).reshape(len(verdicts), -1)
    moments = residuals @ residuals.T
    squares = float((moments**2).sum())
    return float(np.trace(moments) ** 2 / squares) if squares > 0 else math.nan


def noise_ceiling(humans: Int[np.ndarray, "n c"]) -> Float[np.ndarray, " n"]:
    """Chance that a human agrees with the plurality of all others on each item, ties shared; nan below two humans."""
    sizes = humans.sum(axis=1)
    agreement = np.zeros(len(humans))
    for c in range(humans.shape[1]):
        others = humans.astype(float)
        others[:, c] -= 1
        highest = others.max(axis=1, keepdims=True)
        winners = others == highest
        agreement += humans[:, c] * winners[:, c] / winners.sum(axis=1)
    return np.asarray(np.where(sizes > 1, agreement / np.maximum(sizes, 1), np.nan))
