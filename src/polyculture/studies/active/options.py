"""What can be chosen about a query for labels?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyculture.dataset import Modality
from polyculture.errors import InputError
from polyculture.recipe import Recipe
from polyculture.training.active import default_chance, find_strategy

COMPARED = ("random", "entropy", "margin", "badge", "vote-entropy", "kl", "margin-of-mean")
RANDOM = "random"


@dataclass(frozen=True)
class QueryOptions:
    """Options of `query`.

    Parameters
    ----------
    strategy : by which instances are chosen, a name in `polyculture.training.active.STRATEGIES`.
    budget : labels in all, those that the pool has at the start included.
    batch : labels that are asked for at once.
    growth : a batch is this share of what is labelled where that is more than `batch`; 0 for batches of one size.
    initial : labels drawn by chance before the strategy begins; 0 for 10, or twice the classes where that is more.
    candidates : for each place in a batch this number of the highest scores is considered, of which those are taken
        that lie far apart; 1 for the highest scores as they are.
    chance : share of each batch that is drawn by chance, in [0, 1); left out, half for texts and none for all else.
    committee : recipes of the members, the learner first; empty for quick models of different kinds.
    simulate : whether the labels of the pool are held back and bought one by one, to compare strategies.
    strategies : that are compared in a simulation; one drawn by chance is always among them.
    seeds : repetitions of a simulation, each with its own first labels and test part.
    test : share of the pool on which a simulation tests; not used where a test set is given.
    label : column of labels of a pool in a file.
    text : column of texts of a pool in a file; the usual names, or all columns as numbers, if left out.
    classes : names of all classes; those among the labels of the pool if left out.
    level : of all intervals.
    seed : of everything random.

    Raises InputError for an unknown strategy and numbers out of range.

    Examples
    --------
    >>> pc.QueryOptions("entropy", budget=100).batch
    20
    """

    strategy: str = "margin-of-mean"
    budget: int = 200
    batch: int = 20
    growth: float = 0.0
    initial: int = 0
    candidates: int = 1
    chance: float | None = None
    committee: Sequence[Recipe] = ()
    simulate: bool = False
    strategies: Sequence[str] = COMPARED
    seeds: int = 5
    test: float = 0.3
    label: str = ""
    text: str = ""
    classes: Sequence[str] = ()
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (self.strategy, *self.strategies):
            find_strategy(name)
        least = {"budget": 2, "batch": 1, "initial": 0, "candidates": 1, "seeds": 1, "seed": 0}
        for name, smallest in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or value < smallest:
                raise InputError(f"{name} of a query is {value}", f"a whole number of {smallest} or more")
        if not 0 <= self.growth <= 1:
            raise InputError(f"growth of a batch is {self.growth}", "a share of what is labelled, 0 to 1")
        if self.chance is not None and not 0 <= self.chance < 1:
            raise InputError(f"chance of a query is {self.chance}", "a share of each batch, 0 or more and below 1")
        for name in ("test", "level"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} of a query is {getattr(self, name)}", "a number between 0 and 1")

    @property
    def compared(self) -> tuple[str, ...]:
        """The strategies of a simulation, chance first."""
        return tuple(dict.fromkeys((RANDOM, *self.strategies)))

    def by_chance(self, modality: Modality) -> float:
        """Share of each batch that is drawn by chance."""
        return default_chance(modality) if self.chance is None else self.chance

    def first(self, classes: int) -> int:
        """Labels that are drawn by chance first."""
        return min(self.initial or max(10, 2 * classes), self.budget)

    def next_size(self, labelled: int) -> int:
        """How many labels the next batch asks for."""
        return max(0, min(max(self.batch, round(self.growth * labelled)), self.budget - labelled))
