"""When need the next judge not be asked? When the whole panel would hardly decide otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from polyculture.stats import upper_limit

from .verdicts import NONE, plurality

FOLDS = 5
LIMIT_LEVEL = 0.9
"""Level of the upper limit (Jeffreys, one-sided) that is held against the rate."""


@dataclass(frozen=True)
class StoppingRule:
    """Ask the judges in their order until the panel's plurality is all but certain.

    The chance that all judges would decide otherwise is counted on items that all of them judged, for each number of
    judges asked and each lead of the first class over the second. Judges who fail together need no model for this: the
    counts have their correlation in them. What is held against the rate is an upper limit, so that few items stop late.

    Parameters
    ----------
    judges : of the whole panel.
    classes : that may be voted for.
    rate : asked for, in (0, 1).
    chances : upper limit of that chance by judges asked and lead.

    Examples
    --------
    >>> import numpy as np
    >>> from polyculture.deployment.judging.stopping import StoppingRule
    >>> votes = np.zeros((5, 100), int)  # five judges who always agree
    >>> StoppingRule.fit(votes, 2, 0.05).stops(np.array([1, 0]), asked=1)
    True
    """

    judges: int
    classes: int
    rate: float
    chances: Mapping[tuple[int, int], float]

    @classmethod
    def fit(cls, votes: Int[np.ndarray, "m n"], classes: int, rate: float) -> StoppingRule:
        """The rule from items that all judges were asked about; -1 where a judge has no verdict."""
        judges, final = len(votes), plurality(votes, classes)
        chances = {}
        for asked in range(1, judges):
            counts = _counts(votes[:asked], classes)
            leads, leader = _lead(counts), counts.argmax(axis=0)
            for lead in np.unique(leads[leads > 0]).tolist():
                among = leads == lead
                chances[asked, lead] = upper_limit(
                    int((leader[among] != final[among]).sum()), int(among.sum()), LIMIT_LEVEL
                )
        return cls(judges, classes, rate, chances)

    def stops(self, counts: Int[np.ndarray, " c"], asked: int) -> bool:
        """Whether no further judge is needed after these votes of the judges asked so far."""
        lead = int(_lead(counts[:, None])[0])
        if asked >= self.judges or lead > self.judges - asked:
            return True
        return lead > 0 and self.chances.get((asked, lead), 1.0) <= self.rate

    def replay(self, votes: Int[np.ndarray, "m n"]) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """How many judges the rule asks about each of these items, and what they decide (-1 where nothing)."""
        asked, decided = np.full(votes.shape[1], self.judges), plurality(votes, self.classes)
        for item in range(votes.shape[1]):
            counts = np.zeros(self.classes, int)
            for judge in range(self.judges):
                if votes[judge, item] != NONE:
                    counts[votes[judge, item]] += 1
                if self.stops(counts, judge + 1):
                    asked[item] = judge + 1
                    decided[item] = plurality(votes[: judge + 1, item : item + 1], self.classes)[0]
                    break
        return asked, decided


def cross_validated(votes: Int[np.ndarray, "m n"], classes: int, rate: float) -> tuple[float, int]:
    """Share of calls that the rule saves, and items that it decides otherwise than all judges, on items left out.

    Each fifth of the items is decided by the rule of the other four; nan without at least five items.
    """
    items = votes.shape[1]
    if items < FOLDS:
        return float("nan"), 0
    asked, differ = 0, 0
    final = plurality(votes, classes)
    for fold in range(FOLDS):
        test = np.arange(items) % FOLDS == fold
        numbers, decided = StoppingRule.fit(votes[:, ~test], classes, rate).replay(votes[:, test])
        asked += int(numbers.sum())
        differ += int((decided != final[test]).sum())
    return 1 - asked / votes.size, differ


def _counts(votes: Int[np.ndarray, "m n"], classes: int) -> Int[np.ndarray, "c n"]:
    return np.stack([(votes == code).sum(axis=0) for code in range(classes)])


def _lead(counts: Int[np.ndarray, "c n"]) -> Int[np.ndarray, " n"]:
    """Votes of the first class less those of the second."""
    ordered = np.sort(counts, axis=0)
    return np.asarray(ordered[-1] - ordered[-2])
