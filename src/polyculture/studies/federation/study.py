"""What does federation gain, and whom does nobody get right then? Trained, compared, stored and put on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.dataset import Dataset
from polyculture.errors import InputError, visible
from polyculture.formats import write
from polyculture.population import Model, Population
from polyculture.predictions import Predictions
from polyculture.results import Section
from polyculture.training import Problem, predict, train
from polyculture.training.federated import FederatedResult, FederationPlan, federate_clients, partition_clients

from ..evaluation import ProblemSource, cluster_column, open_problem
from ..progress import Progress, phase_progress
from ..run_folder import PREDICTIONS, writable_folder
from .members import LOCAL, POOLED, MemberSet
from .mixes import OwnMixes, class_table, own_mixes
from .options import FederateOptions
from .section import INDEPENDENT, PERSONALIZED, client_table, federation_section

FEDERATIONS, POOLED_MODELS = "federations", "pooled"
"""Folders of the rounds and nets of every federation, and of the net of all data."""
SECTION = "federation.json"
"""File of the section, next to its page."""


@dataclass(frozen=True, eq=False)
class FederationResult:
    """What clients have alone, together, and each after personalizing.

    Parameters
    ----------
    problem : what the models learned.
    clients : the training data of each client.
    federations : by name: the algorithm, and for further runs ``"fedavg, run 2"``.
    sets : sets of members on the test set: local, federated, personalized, …; `MemberSet.numbers` has their numbers.
    predictions : of all models on the test set; the factor ``set`` says to which set each belongs.
    section : the answer; `polyculture.report` makes its page.
    folder : where everything is stored.
    """

    problem: Problem
    clients: tuple[Dataset, ...]
    federations: Mapping[str, FederatedResult]
    sets: tuple[MemberSet, ...]
    predictions: Predictions
    section: Section
    folder: Path

    @property
    def sentence(self) -> str:
        """The answer in words."""
        return self.section.sentence

    def __repr__(self) -> str:
        return visible(f"FederationResult in {self.folder}: {self.sentence}") + "\nnext: result.section.tables['sets']"


def federate(
    problem: ProblemSource = "digits",
    options: FederateOptions | None = None,
    *,
    out: str | Path = "polyculture-federation",
    progress: Progress | None = None,
) -> FederationResult:
    """Train clients alone, together and together with a step of their own, and compare these sets of models.

    Every set is tested on the global test set and on the clients' own mixes of it, since one number without the other
    misleads, and it is measured as how many independent models it fails and which instances all of it gets wrong. Where
    a column of the test set says which client an instance belongs to, the own mix of a client are its own instances;
    elsewhere the test set is weighted by the client's shares of classes.

    Parameters
    ----------
    problem : a problem of classification, its name, or files; `polyculture.load_problem` takes options for files.
    options : clients, plan, and what is compared.
    out : folder of nets, rounds and predictions; the same call resumes an interrupted one.
    progress : called in the phases reading, alone and together, again and pooled.

    Raises InputError for numbers and tags to be predicted and whatever `polyculture.partition_clients` and
    `polyculture.federate_clients` refuse; FileError for a folder that cannot be written.

    Examples
    --------
    >>> plan = pc.FederationPlan(rounds=2, local_epochs=1, personal_epochs=1)
    >>> options = pc.FederateOptions(3, "dirichlet:1", plan=plan, independent=2, pooled=False)
    >>> result = pc.federate("iris", options, out="iris-federation")
    >>> [members.name for members in result.sets]
    ['local only', 'fedavg', 'fedavg, personalized', 'fedavg, independent runs']
    """
    options = options or FederateOptions()
    problem = open_problem(problem, options.seed)
    if problem.task != "classification":
        raise InputError(f"a federation for {problem.task}", "one class per instance", "choose another problem")
    train_set, test = problem.split.train, problem.split.test
    clients = partition_clients(train_set, options.clients, options.partition, seed=options.seed, fewest=options.fewest)
    folder = writable_folder(Path(out))
    phase_progress(progress, "reading")(1, 1, problem.sentence)
    federations = _federations(clients, test, options, folder / FEDERATIONS, progress)
    pooled = _pooled(problem, options, folder / POOLED_MODELS, progress) if options.pooled else None
    names = federations[options.plan.algorithm].clients
    predictions = predict(_population(federations, pooled, options, test.classes), test)
    write(predictions, folder / PREDICTIONS)
    mixes = own_mixes(clients, names, test, options.column)
    sets = _sets(predictions, mixes, _clusters(problem), options)
    tables = {
        "clients": client_table(sets, [len(client) for client in clients]),
        "rounds": _rounds(federations, options.plans),
        "classes": class_table(clients, names),
    }
    section = federation_section(sets, options.plan.algorithm, options.words, tables)
    return FederationResult(problem, clients, federations, sets, predictions, section, folder)


def _federations(
    clients: Sequence[Dataset],
    test: Dataset,
    options: FederateOptions,
    folder: Path,
    progress: Progress | None,
) -> dict[str, FederatedResult]:
    """Every federation by its name: that of the answer, other algorithms, the first one anew."""
    own_tests = _own_tests(clients, test, options.column)
    jobs = [(plan.algorithm, options.recipe, plan, position == 0) for position, plan in enumerate(options.plans)]
    alone = replace(options.plan, personalization="none")
    for number in range(2, options.independent + 1):
        recipe = replace(options.recipe, seed=options.recipe.seed + number - 1)
        jobs.append((f"{options.plan.algorithm}, run {number}", recipe, alone, False))
    return {
        name: federate_clients(
            recipe,
            clients,
            plan,
            test=test,
            own_tests=own_tests,
            local=local,
            folder=folder / name.replace(", run ", "-"),
            workers=options.workers,
            engine=options.engine,
            progress=phase_progress(progress, name),
        )
        for name, recipe, plan, local in jobs
    }


def _own_tests(clients: Sequence[Dataset], test: Dataset, column: str) -> list[Dataset] | None:
    """The test instances of each client; None where the test set does not say whose they are, or not for all."""
    if column not in test.instances:
        return None
    values = test.instances[column].astype(str).to_numpy()
    parts = [test.take(np.flatnonzero(values == client.name)) for client in clients]
    return parts if all(len(part) for part in parts) else None


def _pooled(problem: Problem, options: FederateOptions, folder: Path, progress: Progress | None) -> Model:
    """One net of all data, by the recipe's own schedule."""
    population = train([options.recipe], problem, folder, workers=1, progress=phase_progress(progress, POOLED))
    return population[options.recipe.id]


def _population(
    federations: Mapping[str, FederatedResult],
    pooled: Model | None,
    options: FederateOptions,
    classes: tuple[str, ...],
) -> Population:
    """All models by set and client, with both as factors."""
    models: dict[str, Model] = {}
    rows: list[dict[str, str]] = []

    def add(name: str, members: str, client: str, model: Model) -> None:
        models[name] = model
        rows.append({"set": members, "client": client})

    first = federations[options.plan.algorithm]
    for client, net in zip(first.clients, first.local, strict=True):
        add(f"{LOCAL} · {client}", LOCAL, client, net)
    for name, result in federations.items():
        algorithm = result.plan.algorithm
        add(name, algorithm if name == algorithm else f"{algorithm}, {INDEPENDENT}", "", result.global_model)
        for client, net in zip(result.clients, result.personalized, strict=False):
            add(f"{name}, {PERSONALIZED} · {client}", f"{name}, {PERSONALIZED}", client, net)
    if pooled is not None:
        add(POOLED, POOLED, "", pooled)
    return Population(models, classes, pd.DataFrame(rows, index=pd.Index(list(models), name="model")))


def _sets(
    predictions: Predictions, mixes: OwnMixes, clusters: np.ndarray | None, options: FederateOptions
) -> tuple[MemberSet, ...]:
    """The sets of members in the order of their first models; the independent runs include the first of them."""
    factors, lead = predictions.models, options.plan.algorithm
    assert predictions.probabilities is not None
    assert predictions.labels is not None
    labels = predictions.labels.astype(np.int64)
    sets = []
    for name in dict.fromkeys(factors["set"]):
        members = factors["set"] == name
        if name == f"{lead}, {INDEPENDENT}":
            members |= factors["set"] == lead
        rows = np.flatnonzero(members.to_numpy())
        clients = bool((factors["client"].iloc[rows] != "").all())
        probabilities = predictions.probabilities[rows]
        sets.append(MemberSet(str(name), probabilities, labels, mixes, clients, clusters, options.level))
    return tuple(sets)


def _clusters(problem: Problem) -> np.ndarray | None:
    """Which test instances were sampled together; None where each was sampled by itself."""
    column, instances = cluster_column(problem), problem.split.test.instances
    return instances[column].astype(str).to_numpy() if column in instances else None


def _rounds(federations: Mapping[str, FederatedResult], plans: Sequence[FederationPlan]) -> pd.DataFrame:
    """Both scores of every algorithm after every round."""
    rows = [
        {"algorithm": plan.algorithm, "round": entry.number, "global": entry.global_score, "own_mix": entry.own_score}
        | {"clients": len(entry.clients), "failures": len(entry.failures)}
        for plan in plans
        for entry in federations[plan.algorithm].history
    ]
    return pd.DataFrame(rows)
