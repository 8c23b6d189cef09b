"""How good have the answers been since the start? Counts of labelled answers, and intervals that hold at every look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from polyculture.stats import Interval

from .detection.sequences import gain_over_best, rate_sequence


class LabelCounts:
    """Counts that confidence sequences need; those of several workers add up.

    Parameters
    ----------
    members : number of members.
    """

    def __init__(self, members: int) -> None:
        self._counts: dict[str, Any] = {
            name: np.zeros((), np.int64) for name in ("n", "errors", "defined", "all_wrong")
        }
        self._counts |= {
            name: np.zeros(members, np.int64) for name in ("gains", "losses", "paired", "wrong", "answered")
        }

    @property
    def n(self) -> int:
        """Labelled answers."""
        return int(self._counts["n"])

    def add(
        self, portfolio_wrong: Int[np.ndarray, " n"], wrong: Int[np.ndarray, "n m"], failed: Int[np.ndarray, " n"]
    ) -> None:
        """Add labelled answers.

        Parameters
        ----------
        portfolio_wrong : 1 where the portfolio was wrong, 0 where right, -1 where it gave no answer.
        wrong : the same of the members.
        failed : 1 where all members were wrong, 0 where not, -1 where that is not known.
        """
        paired = (portfolio_wrong >= 0)[:, None] & (wrong >= 0)
        sums = {
            "n": (portfolio_wrong >= 0).sum(),
            "errors": (portfolio_wrong == 1).sum(),
            "defined": (failed >= 0).sum(),
            "all_wrong": (failed == 1).sum(),
            "gains": ((portfolio_wrong == 0)[:, None] & (wrong == 1)).sum(axis=0),
            "losses": ((portfolio_wrong == 1)[:, None] & (wrong == 0)).sum(axis=0),
            "paired": paired.sum(axis=0),
            "wrong": (wrong == 1).sum(axis=0),
            "answered": (wrong >= 0).sum(axis=0),
        }
        for name, value in sums.items():
            self._counts[name] = self._counts[name] + value

    def error(self, level: float = 0.95) -> Interval:
        """Share of labelled answers that are wrong."""
        return rate_sequence(int(self._counts["errors"]), self.n, level)

    def all_wrong(self, level: float = 0.95) -> Interval:
        """Share of labelled answers that no member gets right."""
        return rate_sequence(int(self._counts["all_wrong"]), int(self._counts["defined"]), level)

    def member_error(self, member: int, level: float = 0.95) -> Interval:
        """Error of a member, by its position."""
        return rate_sequence(int(self._counts["wrong"][member]), int(self._counts["answered"][member]), level)

    def gain(self, level: float = 0.95) -> Interval:
        """Error of the best single member minus error of the portfolio."""
        return gain_over_best(self._counts["gains"], self._counts["losses"], self._counts["paired"], level)

    def state(self) -> dict[str, Any]:
        """The counts as JSON."""
        return {name: count.tolist() for name, count in self._counts.items()}

    def add_state(self, state: Mapping[str, Any]) -> None:
        """Add the counts of another worker, or of an earlier run."""
        for name, count in self._counts.items():
            self._counts[name] = count + np.asarray(state[name], np.int64)
