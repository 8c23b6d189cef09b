"""How do the rounds of a federation follow each other? Ask clients, train, add up, move the net, score it, write it."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted import FitCost
from polyculture.models.fitted_net import FittedNet
from polyculture.models.threads import one_thread
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed, stream

from .. import flops, loop
from ..architectures import Net, find_architecture
from ..context import TrainingContext
from ..workers import engine_session, leave_with_parent, run_tasks
from .checkpoint import FederationFolder, fingerprint
from .client import ClientContext, ClientTask, ClientUpdate, FlatNet, batch_loss, train_client, without_clip
from .plan import FederationPlan
from .privacy import spent_privacy
from .result import FederatedRound
from .scores import FederatedScores
from .server import ServerState, update_server


@dataclass(frozen=True, eq=False)
class Federation:
    """Clients, a plan, and where the rounds are computed and kept."""

    recipe: Recipe
    clients: tuple[Dataset, ...]
    plan: FederationPlan
    scores: FederatedScores
    folder: Path | None
    workers: int
    engine: str
    local: bool
    progress: Callable[[int, int, str], None]

    @contextmanager
    def session(self) -> Iterator[None]:
        """Everything inside runs on one engine."""
        with one_thread(), engine_session(self.engine, self.workers):
            yield

    @cached_property
    def architecture(self) -> Net:
        """Of the recipe."""
        architecture = find_architecture(self.recipe.architecture)
        assert isinstance(architecture, Net)
        return architecture

    @cached_property
    def store(self) -> FederationFolder:
        """Where rounds and nets are kept."""
        tests = [*([] if self.scores.test is None else [self.scores.test]), *self.scores.own_tests]
        made_for = "" if self.folder is None else fingerprint(self.recipe, self.plan, [*self.clients, *tests])
        return FederationFolder(self.folder, made_for)

    @cached_property
    def encoder(self) -> Any:
        """Of the data of all clients."""
        return self.architecture.reader.of(pooled(self.clients))

    @cached_property
    def context(self) -> ClientContext:
        """What all clients share."""
        with loop.seeded(derived_seed(self.recipe.seed, "weights")):
            net = self.architecture.module(self.recipe, self.encoder, self.clients[0])
        fit = self.architecture.plan(self.recipe, self.clients[0], self.encoder, TrainingContext())
        if self.plan.client_rate is not None:
            fit = replace(fit, schedule=replace(fit.schedule, learning_rate=self.plan.client_rate))
        inputs = tuple(torch.from_numpy(self.encoder(client.array)) for client in self.clients)
        targets = tuple(loop.targets_of(client, self.encoder) for client in self.clients)
        privacy, proximal = self.plan.privacy, self.plan.proximal if self.plan.algorithm == "fedprox" else 0.0
        clip = math.inf if privacy is None else privacy.clip
        return ClientContext(net, fit, inputs, targets, proximal, clip, _started_by(self.engine, self.workers))

    @cached_property
    def flat(self) -> FlatNet:
        """The global net, for scores."""
        flat = FlatNet(self.context.net)
        if flat.buffers and self.plan.privacy is not None:
            wrong = f"{self.recipe.architecture!r} with batch normalization and privacy"
            raise InputError(wrong, "a net whose statistics are not averaged", "use normalization 'layer' or 'none'")
        return flat

    @cached_property
    def server(self) -> ServerState:
        """The server; once there is a `history`, with the last state."""
        state = self.flat.state().clone()
        return ServerState.at_start(self.plan, state, len(self.flat.vector), len(self.clients))

    @cached_property
    def history(self) -> tuple[FederatedRound, ...]:
        """All rounds; those in the folder are not computed again."""
        spent_privacy(self.plan, 1)  # without opacus it should fail now, not after a round
        rounds = self.store.read_rounds(self.server)
        self.steps.append(len(rounds))
        for number in range(len(rounds) + 1, self.plan.rounds + 1):
            rounds.append(self._round(number, self.server))
            self.store.write_rounds(self.server, rounds)
            self.report(f"round {number} of {self.plan.rounds}")
        return tuple(rounds)

    @cached_property
    def steps(self) -> list[int]:
        """Rounds and nets that are done, in parts."""
        return []

    def report(self, event: str) -> None:
        """Tell what was done, and how much of all there is to do."""
        self.steps.append(1)
        members = self.local + (self.plan.personalization != "none")
        self.progress(sum(self.steps), self.plan.rounds + members * len(self.clients), event)

    def _round(self, number: int, server: ServerState) -> FederatedRound:
        asked, answering = participants(self.plan, len(self.clients), self.recipe.seed, number)
        pace = self.plan.rate_decay ** (number - 1)
        tasks = [
            ClientTask(client, f"round {number}", server.state, epochs, pace, server.correction(client))
            for client, epochs in answering.items()
        ]
        updates = self._run(tasks, self.context)
        sizes = self.context.sizes
        update_server(server, self.plan, updates, sizes, asked.tolist(), (self.recipe.seed, number))
        server.average_rounds(self.plan, number)
        weights = np.array([sizes[update.client] for update in updates])
        losses = np.array([update.loss for update in updates])
        self.flat.load(server.average)
        common, own = self.scores.both(FittedNet(self.flat.net, self.encoder))
        return FederatedRound(
            number,
            tuple(answering),
            tuple(client for client in asked.tolist() if client not in answering),
            float(losses @ weights / weights.sum()) if len(updates) else math.nan,
            common,
            own,
            spent_privacy(self.plan, number),
        )

    def _run(self, tasks: Sequence[ClientTask], context: ClientContext) -> list[ClientUpdate]:
        if not tasks:
            return []
        updates = run_tasks(train_client, tasks, context, self.engine, self.workers)
        return sorted(updates, key=lambda update: update.client)

    def global_net(self) -> FittedNet:
        """The net after the last round; its curve is the loss of each round, its cost that of all clients together."""
        return self._fitted(self.server.average, tuple(entry.loss for entry in self.history), self._cost())

    def personal_nets(self) -> tuple[FittedNet, ...]:
        """The global net, trained further by each client, at the learning rate of the last round."""
        plan, state = self.plan, self.server.average
        if plan.personalization == "none":
            return ()
        pace, head_only = plan.rate_decay ** (plan.rounds - 1), plan.personalization == "head"
        tasks = [
            ClientTask(client, "personalization", state, plan.personal_epochs, pace, head_only=head_only)
            for client in range(len(self.clients))
        ]

        def net_of(update: ClientUpdate) -> tuple[int, FittedNet]:
            passes = plan.personal_epochs * len(self.clients[update.client])
            cost = self._cost() + FitCost(plan.personal_epochs, update.steps, self.flops * passes)
            return update.client, self._fitted(state + update.change, update.losses, cost)

        name = f"{plan.personalization}-{plan.personal_epochs}-client"
        return self._nets(name, train_client, tasks, without_clip(self.context), net_of)

    def local_nets(self) -> tuple[FittedNet, ...]:
        """A net of each client that is trained on its data only; none where they were not asked for."""
        tasks = [AloneTask(client, self.recipe, dataset) for client, dataset in enumerate(self.clients)]
        started_by = _started_by(self.engine, self.workers)
        return self._nets("local-client", fit_alone, tasks, started_by, lambda fit: fit) if self.local else ()

    def _nets(
        self,
        name: str,
        function: Callable[[Any, Any], Any],
        tasks: Sequence[ClientTask | AloneTask],
        shared: Any,
        net_of: Callable[[Any], tuple[int, FittedNet]],
    ) -> tuple[FittedNet, ...]:
        """A net of each client: those of the folder, and the others as they are finished."""
        paths = {task.client: f"{name}-{task.client}" for task in tasks}
        nets = {client: self.store.stored_net(path, self._load) for client, path in paths.items()}
        missing = [task for task in tasks if nets[task.client] is None]
        for result in run_tasks(function, missing, shared, self.engine, self.workers) if missing else ():
            client, net = net_of(result)
            self.store.store_net(paths[client], net)
            nets[client] = net
            self.report(paths[client])
        return tuple(net for client, net in sorted(nets.items()) if net is not None)

    def _load(self, folder: Path) -> FittedNet:
        net = self.architecture.load(self.recipe, self.clients[0], folder)
        assert isinstance(net, FittedNet)
        return net

    def _fitted(self, state: Tensor, curve: tuple[float, ...], cost: FitCost) -> FittedNet:
        self.flat.load(state)
        return FittedNet(self.flat.copy().eval(), self.encoder, curve, cost)

    @cached_property
    def flops(self) -> float:
        """Of one instance, forwards and backwards."""
        context = self.context
        sample = context.inputs[0][:2], context.targets[0][:2]
        return flops.of_instance(copy.deepcopy(context.net), partial(batch_loss, context.fit), sample)

    def _cost(self) -> FitCost:
        """Computation of all clients in all rounds."""
        sizes, schedule = self.context.sizes.astype(int).tolist(), self.context.fit.schedule
        passes = steps = 0
        for number in range(1, self.plan.rounds + 1):
            for client, epochs in participants(self.plan, len(sizes), self.recipe.seed, number)[1].items():
                passes += epochs * sizes[client]
                steps += epochs * len(schedule.batch_sizes(sizes[client]))
        return FitCost(self.plan.rounds * self.plan.local_epochs, steps, self.flops * passes)


@dataclass(frozen=True, eq=False)
class AloneTask:
    """A client that trains without the others, by the recipe's own schedule."""

    client: int
    recipe: Recipe
    dataset: Dataset


def fit_alone(task: AloneTask, started_by: int | None) -> tuple[int, FittedNet]:
    """The client and its net."""
    if started_by not in (None, os.getpid()):
        leave_with_parent(started_by)
    seed = derived_seed(task.recipe.seed, "local", task.client) % 2**31
    net = find_architecture(task.recipe.architecture).fit(replace(task.recipe, seed=seed), task.dataset)
    assert isinstance(net, FittedNet)
    return task.client, net


def participants(
    plan: FederationPlan, clients: int, seed: int, number: int
) -> tuple[Int[np.ndarray, " k"], dict[int, int]]:
    """Clients that are asked in a round, and the passes of those that answer."""
    generator = stream(seed, "participants", number)
    if plan.privacy is None:
        count = max(1, round(plan.client_share * clients))
        asked = np.sort(generator.choice(clients, count, replace=False))
    else:  # the accountant's sampling: each client by itself
        asked = np.flatnonzero(generator.random(clients) < plan.client_share)
    answers = generator.random(clients) >= plan.dropout
    epochs = generator.integers(1, plan.local_epochs + 1, clients)
    least = epochs if plan.uneven_work else np.full(clients, plan.local_epochs)
    return asked, {int(client): int(least[client]) for client in asked if answers[client]}


def pooled(clients: Sequence[Dataset]) -> Dataset:
    """The data of all clients together, in their order."""
    first = clients[0]
    arrays = np.concatenate([client.array for client in clients])
    labels = np.concatenate([client.labels for client in clients])
    return Dataset({first.inputs.single: arrays}, labels, first.classes, modalities=dict(first.modalities))


def _started_by(engine: str, workers: int) -> int | None:
    return os.getpid() if engine != "ray" and workers > 1 else None
