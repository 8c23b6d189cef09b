"""How long would each learner take on all rows, and how good does it become? Looks at parts of the rows tell.

A look fits a learner to a small number of rows and lets it predict for others. Two looks tell whether the time grows in
proportion to the rows, more steeply, or hardly at all, and how far it gets with more of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Num
from scipy.special import log_softmax

from polyculture.rng import stream

from .time_budget import TimeBudget

FEWEST, MOST = 50, 1_000
"""Bounds of the number of rows of the first look; each further one has four times as many."""
GROWTH = 4
LOOKS = 3
TESTED = 1_000
"""Rows that a look predicts for, at most."""
SHARE = 0.2
"""Share of the budget that looks may take."""
DEAR = 0.25
"""Share of that which one further look may take."""
CLEAR = 0.05
"""Shorter times than these seconds are too short to tell how they grow."""
ALONE = 0.85
"""Power of the number of rows with which time is taken to grow where one look is all that is known."""
PER_KIN = 2
"""So many of the best learners of one kin are looked at again; further ones would tell the same."""
GAIN = 0.5
"""A loss is taken to fall on with this share of the power of the number of rows with which it fell between looks."""
STEEPEST = 3.0
"""Highest power of the number of rows with which time is taken to grow."""


@dataclass(frozen=True, eq=False)
class Look:
    """A learner fitted to a part of the rows.

    Parameters
    ----------
    rows : how many it learned from.
    fitting : seconds that this took.
    predicting : seconds per row that it predicted for.
    loss : mean log-loss, or squared error, on rows that it did not learn from.
    member : the fitted learner.
    scores : of the rows that it predicted for.
    """

    rows: int
    fitting: float
    predicting: float
    loss: float
    member: Any
    scores: Float[np.ndarray, "k c"]


@dataclass(frozen=True, eq=False)
class LearnerPace:
    """What the looks at a learner tell; at least one, with ever more rows."""

    looks: tuple[Look, ...]

    @property
    def loss(self) -> float:
        """Loss after the last look."""
        return self.looks[-1].loss

    def expected(self, n: float | int, typical: float | int = 0) -> float:
        """Loss that is expected of n rows; of one look alone by the `typical` power with which others fall."""
        last = self.looks[-1]
        power = self.power if len(self.looks) > 1 else typical
        return float(last.loss * (last.rows / max(n, last.rows)) ** (GAIN * power))

    @property
    def power(self) -> float:
        """Power of the number of rows with which the loss fell between the last two looks; 0 where it did not."""
        before, last = self.looks[-2:]
        return max(math.log(max(before.loss, 1e-12) / max(last.loss, 1e-12)) / math.log(last.rows / before.rows), 0.0)

    def seconds(self, learned: float | int, predicted: float | int) -> float:
        """Fitting to this many rows and predicting for that many."""
        rows = [look.rows for look in self.looks]
        fitting = extrapolated(rows, [look.fitting for look in self.looks], learned)
        return fitting + predicted * extrapolated_per_row(rows, [look.predicting for look in self.looks], learned)

    def crossfitting(self, n: int, folds: int) -> float:
        """Fitting to n rows without each of the folds and predicting for it."""
        return folds * self.seconds(n * (folds - 1) / folds, n / folds)

    def at_least(self, n: int) -> float:
        """The same in two folds by the most hopeful reading: one look alone says nothing of growth."""
        last = self.looks[-1]
        return 2 * last.fitting if len(self.looks) == 1 else self.crossfitting(n, 2)


def extrapolated(rows: Sequence[int], seconds: Sequence[float], n: float | int) -> float:
    """Seconds to fit n rows: a constant and a part in proportion, or a power above 1 where looks grow more steeply.

    One look alone is taken to grow a little less than in proportion.
    """
    if len(rows) == 1:
        return float(seconds[0] * max(n / rows[0], 1.0) ** ALONE)
    (a, b), (first, second) = rows[-2:], seconds[-2:]
    power = math.log(max(second, 1e-9) / max(first, 1e-9)) / math.log(b / a)
    if power > 1 and second > CLEAR:
        return float(second * (n / b) ** min(power, STEEPEST))
    return second + max(second - first, 0.0) / (b - a) * max(n - b, 0.0)


def extrapolated_per_row(rows: Sequence[int], seconds: Sequence[float], n: float | int) -> float:
    """Seconds to predict for a row after n were learned from: a power between 0 and 1 of them.

    Neighbours take in proportion, trees hardly more; of one look alone the square root is taken.
    """
    power = 0.5
    if len(rows) > 1:
        power = math.log(max(seconds[-1], 1e-9) / max(seconds[0], 1e-9)) / math.log(rows[-1] / rows[0])
    return float(seconds[-1] * max(n / rows[-1], 1.0) ** min(max(power, 0.0), 1.0))


@dataclass(frozen=True, eq=False)
class LookSample:
    """Rows for looks: the first ones are predicted for and never learned from.

    Parameters
    ----------
    tested : positions of the rows that looks predict for.
    learned : positions of the rows that they learn from, in the order in which they are taken.
    sizes : of the looks.
    """

    tested: Int[np.ndarray, " k"]
    learned: Int[np.ndarray, " l"]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, y: Num[np.ndarray, " n"], classes: int) -> LookSample:
        """A sample of shuffled rows; every class comes early among those that are learned from."""
        n = len(y)
        first = min(max(n // 32, min(FEWEST, n // 2), 1), MOST)
        sizes = [first, *(first * GROWTH**k for k in range(1, LOOKS) if first * GROWTH**k <= n // 4)]
        order = stream(0, "looks").permutation(n)
        tested, learned = np.split(order, [max(min(TESTED, n // 4), 1)])
        if classes:
            _, early = np.unique(y[learned], return_index=True)
            learned = np.concatenate([learned[early], np.delete(learned, early)])
        return cls(tested, learned, tuple(sizes))


def expected_losses(paces: Mapping[str, LearnerPace], n: int) -> dict[str, float]:
    """Loss that is expected of each learner after n rows."""
    powers = [pace.power for pace in paces.values() if len(pace.looks) > 1]
    typical = float(np.median(powers)) if powers else 0.0
    return {name: pace.expected(n, typical) for name, pace in paces.items()}


def look_at(
    names: Mapping[str, str],
    take: Callable[[str, Int[np.ndarray, " k"]], Look | None],
    sample: LookSample,
    budget: TimeBudget,
) -> dict[str, LearnerPace]:
    """What parts of the rows tell of each learner, as far as a share of the budget goes.

    Everybody is looked at with few rows, in the order given, and one of them in any case; then those who promise most,
    two of a kin at most, with more, if all rows may be within their reach. Who fails, or comes too late, is not among
    them.

    Parameters
    ----------
    names : of the learners, with the name of the kin of each.
    take : fits a learner to these rows and predicts for the tested ones; None where it fails.
    """
    found: dict[str, tuple[Look, ...]] = {}
    allowance = SHARE * (budget.seconds or math.inf)
    for size in sample.sizes:
        first, taken = size == sample.sizes[0], Counter[str]()
        for name in list(names) if first else sorted(found, key=lambda name: found[name][-1].loss):
            pace = LearnerPace(found[name]) if name in found else None
            told = pace.seconds(size, len(sample.tested)) if pace else 0.0
            dear = bool(found) and told > min(allowance - budget.spent, allowance * DEAR if pace else math.inf)
            enough = not first and taken[names[name]] >= PER_KIN
            if dear or enough or (pace and pace.at_least(len(sample.learned)) > budget.left):
                continue
            taken[names[name]] += 1
            look = take(name, sample.learned[:size])
            if look is None:
                found.pop(name, None)
            else:
                found[name] = (*found.get(name, ()), look)
    return {name: LearnerPace(looks) for name, looks in found.items()}


def mean_loss(scores: Float[np.ndarray, "k c"], y: Num[np.ndarray, " k"], classes: int) -> float:
    """Mean log-loss at the best of a few temperatures, or mean squared error."""
    if not classes:
        return float(np.mean((scores[:, 0] - y) ** 2))
    truth = y.astype(np.int64)
    warm = (log_softmax(scores / t, axis=1)[np.arange(len(y)), truth] for t in (0.5, 0.7, 1.0, 1.4, 2.0, 3.0))
    return min(float(-logs.mean()) for logs in warm)
