"""How do clients that keep their data train one net together, and each of them one of its own?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyculture.dataset import Dataset
from polyculture.errors import InputError, need
from polyculture.preparation.transforms import TRANSFORMS
from polyculture.recipe import Recipe

from ..architectures import Net, find_architecture
from ..workers import check_engine
from .partition import label_mix
from .plan import FederationPlan
from .result import FederatedResult
from .scores import FederatedScores, check_tests

if TYPE_CHECKING:
    from .rounds import Federation

Progress = Callable[[int, int, str], None]
"""Called with the number of steps that are done, of all steps, and the latest event."""


def federate_clients(
    recipe: Recipe,
    clients: Sequence[Dataset],
    plan: FederationPlan = FederationPlan(),  # noqa: B008
    *,
    test: Dataset | None = None,
    own_tests: Sequence[Dataset] | None = None,
    local: bool = True,
    folder: Path | None = None,
    workers: int = 1,
    engine: str = "auto",
    progress: Progress | None = None,
) -> FederatedResult:
    """The net that clients train together, what each of them makes of it, and what each would have alone.

    Numbers depend on recipe, plan and data only: not on workers, engine or interruptions. Inputs are standardized,
    and words numbered, as in the data of all clients together; that is a sum over clients for tables, while a
    vocabulary would have to be sent. A net that a client trains alone reads inputs by its own data.

    Parameters
    ----------
    recipe : a net that reads the data level ``"all"``, without pre-training, of a loss of its own scores and a schedule
        without averaging, patience, penalty or clipping; ``"scaffold"`` needs the optimizer ``"plain-sgd"``. A
        multilayer perceptron of depth 0 is logistic regression.
    clients : the data of each, of the same classes, such as `partition_clients` makes them.
    plan : algorithm, rounds, participation and privacy.
    test : a common test set, for the scores of each round.
    own_tests : a test set of each client; None for the common one, weighted by the clients' classes.
    local : whether each client also trains alone, by the recipe's own schedule.
    folder : where rounds and nets are written; an interrupted federation is resumed by the same call. None for nowhere.
    workers : processes that clients are trained in; 1 for this one.
    engine : ``"auto"`` for this machine, ``"ray"`` for a cluster, as in `train`.
    progress : called after each round and each net.

    Raises InputError for what cannot be averaged (estimators such as a forest), for fewer than two clients, and
    for test sets of other classes; FileError for a folder that cannot be used; TrainingError for a loss that is
    not finite; MissingExtraError for privacy without opacus.

    Examples
    --------
    >>> pets = pc.Dataset(np.arange(120.0).reshape(60, 2) % 7, np.arange(60) % 2, ("cat", "dog"))
    >>> recipe = pc.Recipe("mlp", optimizer="plain-sgd", hyperparameters={"epochs": 2})
    >>> result = pc.federate_clients(recipe, pc.partition_clients(pets, 3), pc.FederationPlan(rounds=2), test=pets)
    >>> len(result.local), len(result.personalized), len(result.history)
    (3, 3, 2)
    """
    check_federation(recipe, clients, plan)
    check_tests(clients, test, own_tests)
    check_engine(engine, workers)
    need("torch", "safetensors")
    from .rounds import Federation

    mixes = label_mix(clients)
    scores = FederatedScores(mixes, test, tuple(own_tests or ()))
    report = progress or (lambda *_: None)
    return run_federation(Federation(recipe, tuple(clients), plan, scores, folder, workers, engine, local, report))


def run_federation(federation: Federation) -> FederatedResult:
    """All rounds, then the nets of the clients."""
    with federation.session():
        history = federation.history
        return FederatedResult(
            federation.plan,
            tuple(client.name or f"client {k}" for k, client in enumerate(federation.clients)),
            federation.clients[0].classes,
            federation.global_net(),
            federation.personal_nets(),
            federation.local_nets(),
            history,
        )


def check_federation(recipe: Recipe, clients: Sequence[Dataset], plan: FederationPlan) -> None:
    """Refuse what cannot be averaged, fewer than two clients, and clients that differ in their classes."""
    if len(clients) < 2:
        raise InputError(
            f"{len(clients)} client{'s' * (len(clients) != 1)}", "2 or more", "one alone is ordinary training"
        )
    for client in clients:
        if not len(client):
            raise InputError(f"the client {client.name!r} has no instances", "one or more", "leave it out")
        if client.classes != clients[0].classes or client.array.shape[1:] != clients[0].array.shape[1:]:
            raise InputError(f"the client {client.name!r} has other classes or inputs", "the same for all clients")
    architecture = find_architecture(recipe.architecture)
    if not isinstance(architecture, Net):
        wrong = f"{recipe.architecture!r} has no weights that can be averaged"
        raise InputError(wrong, "a net", "use 'mlp'; with depth 0 it is logistic regression")
    _check_recipe(recipe, architecture, plan)
    architecture.check(recipe)
    architecture.suits(recipe, clients[0])


def _check_recipe(recipe: Recipe, architecture: Net, plan: FederationPlan) -> None:
    if recipe.data != next(iter(TRANSFORMS)):
        raise InputError(f"the recipe reads the data {recipe.data!r}", "'all'", "transform the clients' data instead")
    if recipe.pretraining != "none":
        raise InputError(f"the recipe has the pre-training {recipe.pretraining!r}", "'none'")
    schedule, objective = architecture.schedule_of(recipe), architecture.objective_of(recipe)
    rounds_only = schedule.averaging == "none" and schedule.precision == "float32"
    if not rounds_only or schedule.l1 or schedule.clip or schedule.patience:
        wrong = "the recipe has averaging, patience, l1, clip or another precision"
        raise InputError(wrong, "the defaults of these", "the rounds of the plan take their place")
    if not objective.stackable or objective.replays > 1:
        raise InputError(f"the objective {recipe.objective!r}", "one of the net's scores and the labels alone")
    if plan.algorithm == "scaffold" and recipe.optimizer != "plain-sgd":
        wrong = f"'scaffold' with the optimizer {recipe.optimizer!r}"
        raise InputError(wrong, "'plain-sgd': its control variates are sums of gradients")
