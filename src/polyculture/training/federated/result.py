"""What did a federation train? One global net, one for each client, and what each client would have alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd

from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet
from polyculture.population import Model, Population

from .plan import FederationPlan


@dataclass(frozen=True)
class FederatedRound:
    """What happened in one round; a score is the accuracy, for regression the root mean squared error.

    Parameters
    ----------
    number : of the round, from 1.
    clients : positions of the clients that answered.
    failures : positions of those that were asked and did not.
    loss : mean training loss of the clients' last passes, weighted by their instances; nan where nobody answered.
    global_score : of the global net on the common test set; nan without one.
    own_score : of the same net for the clients' own data, as a mean over clients: on their own test sets, or, where
        there are none, on the common one with every class weighted as the client has it.
    epsilon : privacy spent so far, at the δ of the plan; nan without privacy.
    """

    number: int
    clients: tuple[int, ...]
    failures: tuple[int, ...]
    loss: float
    global_score: float
    own_score: float
    epsilon: float


@dataclass(frozen=True, eq=False)
class FederatedResult:
    """The nets of a federation, and its rounds.

    Parameters
    ----------
    plan : that it was trained by.
    clients : name of each client.
    classes : what the nets tell apart; empty for regression.
    global_model : the net that all clients trained together.
    personalized : it, trained further by each client; empty where the plan says none.
    local : a net of each client that saw its data only, by the recipe's own schedule; empty where not asked for.
    history : each round.
    """

    plan: FederationPlan
    clients: tuple[str, ...]
    classes: tuple[str, ...]
    global_model: FittedNet
    personalized: tuple[FittedNet, ...]
    local: tuple[FittedNet, ...]
    history: tuple[FederatedRound, ...]

    def __repr__(self) -> str:
        last = self.history[-1]
        return (
            f"FederatedResult: {self.plan.algorithm}, {len(self.clients)} clients, {len(self.history)} rounds; "
            f"global score {last.global_score:.3f}, on the clients' own data {last.own_score:.3f}"
        )

    @property
    def epsilon(self) -> float:
        """Privacy spent in all rounds; nan without privacy."""
        return self.history[-1].epsilon

    def frame(self) -> pd.DataFrame:
        """The rounds as a table, indexed by number."""
        rows = [
            asdict(entry) | {"clients": len(entry.clients), "failures": len(entry.failures)} for entry in self.history
        ]
        return pd.DataFrame(rows).set_index("number")

    def population(self, training: str = "personalized") -> Population:
        """The nets of all clients by client: ``"personalized"`` or ``"local"``; InputError where there are none."""
        nets = {"personalized": self.personalized, "local": self.local}.get(training, ())
        if not nets:
            raise InputError(f"no {training!r} nets", "'personalized' or 'local', as they were asked for")
        models: dict[str, Model] = dict(zip(self.clients, nets, strict=True))
        factors = pd.DataFrame({"training": training}, index=pd.Index(list(models), name="model"))
        return Population(models, self.classes, factors)
