"""What would a model be if its training set lay at several clients? The global net of a federation, as a data level."""

from __future__ import annotations

import math
from functools import partial

from polyculture.dataset import Dataset
from polyculture.preparation.transforms.transform import BoundedAmount
from polyculture.recipe import Recipe

from ..architectures import Net, find_architecture
from ..context import TrainingContext
from ..learned_level import Amounts, Fit, LearnedFit, LearnedLevel, LevelAmount
from .federation import check_federation, federate_clients
from .partition import partition_clients
from .plan import FederationPlan

AMOUNTS = (
    LevelAmount("clients", BoundedAmount(10_000, integer=True), 10),
    LevelAmount("alpha", BoundedAmount(1e6), 0.5),
)
"""Number of clients, and the parameter of the Dirichlet distribution of classes over them."""
LOCAL_EPOCHS = 2


def plan_of(recipe: Recipe, algorithm: str) -> FederationPlan:
    """The plan of a level: each client passes over its data as often as the recipe has epochs, two in a round."""
    architecture = find_architecture(recipe.architecture)
    assert isinstance(architecture, Net)
    rounds = math.ceil(architecture.schedule_of(recipe).epochs / LOCAL_EPOCHS)
    return FederationPlan(algorithm, rounds=rounds, local_epochs=LOCAL_EPOCHS, personalization="none")


def _clients(recipe: Recipe, amounts: Amounts, train: Dataset) -> tuple[Dataset, ...]:
    return partition_clients(train, amounts["clients"], f"dirichlet:{amounts['alpha']:g}", seed=recipe.seed, fewest=2)


def _refuse(algorithm: str, recipe: Recipe, amounts: Amounts, train: Dataset) -> None:
    clients = _clients(recipe, amounts, train)
    plain = Recipe.from_dict(recipe.to_dict() | {"data": "all"})
    check_federation(plain, clients, FederationPlan(algorithm))


def _federated(
    algorithm: str, recipe: Recipe, amounts: Amounts, train: Dataset, context: TrainingContext, fit: Fit
) -> LearnedFit:
    """The global net; a row of history for each round."""
    del context, fit  # clients train by themselves, on one processor
    clients = _clients(recipe, amounts, train)
    plain = Recipe.from_dict(recipe.to_dict() | {"data": "all"})
    result = federate_clients(plain, clients, plan_of(recipe, algorithm), local=False)
    rows = [{"round": entry.number, "clients": len(entry.clients), "loss": entry.loss} for entry in result.history]
    return LearnedFit(result.global_model, tuple(rows))


LEVELS: dict[str, LearnedLevel] = {
    name: LearnedLevel(
        summary,
        partial(_federated, algorithm),
        AMOUNTS,
        partial(_refuse, algorithm),
        nets_only=True,
        fits=1.5,
    )
    for name, algorithm, summary in (
        ("federated", "fedavg", "lies at this many clients, classes by Dirichlet; their nets are averaged (FedAvg)"),
        ("federated-prox", "fedprox", "the same, and clients are held near the net of the round (FedProx)"),
        ("federated-adam", "fedadam", "the same, and the server takes steps of Adam (FedAdam)"),
        ("scaffold", "scaffold", "the same with control variates; needs the optimizer plain-sgd (SCAFFOLD)"),
    )
}
"""Levels of the data axis whose training set lies at several clients."""
