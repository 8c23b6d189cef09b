"""What can be chosen about a federation that is studied?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from polyculture.errors import InputError
from polyculture.recipe import Recipe
from polyculture.training.federated import FederationPlan


@dataclass(frozen=True)
class FederateOptions:
    """Clients, what they train together, and what that is compared with.

    Parameters
    ----------
    clients : number of them; None where a column says who they are.
    partition : how the training set is spread over them, as in `polyculture.partition_clients`:
        ``"dirichlet:ALPHA"``, ``"labels:COUNT"``, ``"even"`` or ``"column:NAME"``.
    fewest : instances that every client has at least.
    plan : the federation that the answer is about.
    algorithms : further ones: names, trained by the same plan otherwise, or plans of their own.
    recipe : of all nets.
    independent : federations of the plan in total, from other initial weights each; 1 for no others.
    pooled : whether one net is trained on all data together, which a federation does without.
    workers, engine : as in `polyculture.federate_clients`.
    level : of all intervals.
    seed : of the split and of the partition; that of the nets is the recipe's.

    Raises InputError for numbers out of range and an algorithm that is listed twice.

    Examples
    --------
    >>> options = pc.FederateOptions(clients=5, partition="dirichlet:0.1", algorithms=["fedadam"])
    >>> [plan.algorithm for plan in options.plans]
    ['fedavg', 'fedadam']
    """

    clients: int | None = 10
    partition: str = "dirichlet:0.5"
    fewest: int = 10
    plan: FederationPlan = field(default_factory=FederationPlan)
    algorithms: Sequence[str | FederationPlan] = ()
    recipe: Recipe = field(default_factory=lambda: Recipe("mlp", optimizer="plain-sgd"))
    independent: int = 3
    pooled: bool = True
    workers: int = 1
    engine: str = "auto"
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "algorithms", tuple(self.algorithms))
        for name, least in {"independent": 1, "fewest": 1, "seed": 0}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or int(value) != value or value < least:
                raise InputError(f"{name} of a federation is {value}", f"a whole number of {least} or more")
        if not 0 < self.level < 1:
            raise InputError(f"level is {self.level}", "a confidence level between 0 and 1, such as 0.95")
        names = [plan.algorithm for plan in self.plans]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"the algorithm {name!r} is listed twice", "each algorithm once")

    @property
    def plans(self) -> tuple[FederationPlan, ...]:
        """The plan of every algorithm, that of the answer first."""
        others = (replace(self.plan, algorithm=other) if isinstance(other, str) else other for other in self.algorithms)
        return (self.plan, *others)

    @property
    def column(self) -> str:
        """The column that names the clients; empty where they are drawn."""
        kind, _, name = self.partition.partition(":")
        return name if kind == "column" else ""

    @property
    def words(self) -> str:
        """How the data are spread over the clients, for the reader."""
        kind, _, parameter = self.partition.partition(":")
        return {
            "dirichlet": f"classes spread by Dirichlet draws with α = {parameter}",
            "labels": f"about {parameter} classes each",
            "column": f"one for each {parameter}",
        }.get(kind, "each with an even part of the data drawn at random")
