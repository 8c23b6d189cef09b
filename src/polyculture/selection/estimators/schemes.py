"""In how many folds, and who first? What looks at the learners tell, and the budget, decide.

Fitting in two folds costs as much as fitting once to all rows, in three folds twice as much, in five four times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .pace import LearnerPace, expected_losses
from .time_budget import TimeBudget

MANY, VERY_MANY = 5_000, 50_000
"""Beyond so many rows three folds are enough, and two: what a fold lacks then matters less than what it costs."""
STRONG = 3
"""So many of the best learners have to fit into the budget."""
HOPELESS = 2.0
"""So many times the loss of the best learner is not worth much."""
CORE = 0.75
"""Share of the time left that they may take."""
CHEAP = 0.02
"""A learner that takes no more than this share of the time left is fitted before the others."""
MUCH = 0.4
"""A learner that takes more than this share of the time left comes after the others."""
TELLING = 500
"""Looks at fewer rows than these do not tell who will be best."""


def fold_counts(n: int, given: int | None) -> tuple[int, ...]:
    """Numbers of folds to choose from, the most first: the one that suits n rows; or the one that was asked for."""
    most = 5 if n <= MANY else 3 if n <= VERY_MANY else 2
    return tuple(k for k in (5, 3, 2) if k <= most) if given is None else (int(given),)


def folds_within(
    budget: TimeBudget, counts: Sequence[int], paces: Mapping[str, LearnerPace], n: int, refit: bool
) -> int:
    """The most folds with which the best learners fit into the time left, and once to all rows where that is asked."""
    fewest = counts[-1]
    losses = expected_losses(paces, n) if _tells(paces) else dict.fromkeys(paces, 0.0)
    names = [name for name, pace in paces.items() if pace.crossfitting(n, fewest) <= budget.left]
    able = [paces[name] for name in sorted(names, key=lambda name: losses[name])]
    again = sum(pace.seconds(n, 0) for pace in able[:STRONG]) if refit else 0.0
    for folds in counts:
        if sum(pace.crossfitting(n, folds) for pace in able[:STRONG]) + again <= CORE * budget.left:
            return folds
    return fewest


def in_turn(
    names: Mapping[str, str], paces: Mapping[str, LearnerPace], folds: int, n: int, budget: TimeBudget
) -> list[str]:
    """Names in the order in which learners are fitted: the cheap ones, then the best of each kin, then its others.

    Best is who is expected to have the lowest loss after all rows. Who alone would take more than two fifths of the
    time left comes after the others, and who will be much worse than the best comes last, after the unknown ones.
    Where looks tell nothing, the order is that given.

    Parameters
    ----------
    names : of the learners, with the name of the kin of each.
    """
    if not _tells(paces):
        return list(names)
    left, losses = budget.left, expected_losses(paces, n)
    best = min(losses.values())

    def place(name: str) -> int:
        if name not in paces:
            return 3
        if losses[name] > HOPELESS * best:
            return 4
        seconds = paces[name].crossfitting(n, folds)
        return 0 if seconds <= CHEAP * left else 2 if seconds > MUCH * left else 1

    places, seen, turns = {name: place(name) for name in names}, Counter[tuple[int, str]](), {}
    for name in sorted(names, key=lambda name: losses.get(name, 0.0)):
        kin = places[name], names[name]
        turns[name] = seen[kin] if places[name] in (1, 2) else 0
        seen[kin] += 1
    return sorted(names, key=lambda name: (places[name], turns[name], places[name] and losses.get(name, 0.0)))


def _tells(paces: Mapping[str, LearnerPace]) -> bool:
    """Whether somebody was looked at with enough rows."""
    return any(pace.looks[-1].rows >= TELLING for pace in paces.values())
