"""How does the server put the changes of the clients together? By their mean, Adam's step along it, or variates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from polyculture.rng import derived_seed

from .client import ClientUpdate
from .plan import FederationPlan
from .secure_sum import secure_sum


@dataclass(eq=False)
class ServerState:
    """The global net as a vector, and what the server remembers between rounds.

    Parameters
    ----------
    state : weights, followed by buffers.
    weights : how many of them are weights.
    average : mean of the states after the last rounds, which is the global net.
    momentum, second_momentum : of ``"fedadam"``, by weight.
    control : the mean control variate of ``"scaffold"``, by weight.
    controls : those of the clients, clients × weights.
    """

    state: Tensor
    weights: int
    average: Tensor = field(default_factory=lambda: torch.zeros(0))
    momentum: Tensor = field(default_factory=lambda: torch.zeros(0))
    second_momentum: Tensor = field(default_factory=lambda: torch.zeros(0))
    control: Tensor = field(default_factory=lambda: torch.zeros(0))
    controls: Tensor = field(default_factory=lambda: torch.zeros(0, 0))

    @classmethod
    def at_start(cls, plan: FederationPlan, state: Tensor, weights: int, clients: int) -> ServerState:
        """Everything but the net is zero."""
        server = cls(state, weights, state)
        if plan.algorithm == "fedadam":
            server.momentum, server.second_momentum = torch.zeros(weights), torch.zeros(weights)
        if plan.algorithm == "scaffold":
            server.control, server.controls = torch.zeros(weights), torch.zeros(clients, weights)
        return server

    def tensors(self) -> dict[str, Tensor]:
        """What is written to disk."""
        names = ("state", "average", "momentum", "second_momentum", "control", "controls")
        return {name: getattr(self, name) for name in names}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """What was written to disk."""
        for name, tensor in tensors.items():
            setattr(self, name, tensor)

    def average_rounds(self, plan: FederationPlan, number: int) -> None:
        """Take the state after a round into the mean of the last ones; before them, the mean is the state."""
        count = max(1, number - (plan.rounds - plan.averaged_rounds))
        self.average = self.average + (self.state - self.average) / count if count > 1 else self.state

    def correction(self, client: int) -> Tensor | None:
        """What a client adds to every gradient: the mean control variate less its own; None without them."""
        return self.control - self.controls[client] if len(self.control) else None


def update_server(
    server: ServerState,
    plan: FederationPlan,
    updates: Sequence[ClientUpdate],
    sizes: Float[np.ndarray, " clients"],
    asked: Sequence[int],
    label: tuple[int, int],
) -> None:
    """Move the global net by what the clients of a round sent; nothing happens where nobody did.

    Parameters
    ----------
    server : is changed.
    plan : of the federation.
    updates : of the clients that answered.
    sizes : instances of all clients; under privacy every client counts the same.
    asked : clients of the round; those that did not answer have agreed on masks with the others.
    label : seed of the federation and number of the round.
    """
    if not updates and plan.privacy is None:
        return
    shares = sizes / sizes.sum() if plan.privacy is None else np.ones(len(sizes))
    messages = {update.client: _message(server, update, float(shares[update.client])) for update in updates}
    length = len(server.state) + len(server.control)
    total = _total(messages, plan, asked, label, length + 1)
    answered = float(total[-1])
    if plan.privacy is None:
        mean = total[:length] / answered
    else:
        noise = torch.Generator().manual_seed(derived_seed(label[0], "noise", label[1]))
        scale = plan.privacy.clip * plan.privacy.noise
        noisy = total[:length] + scale * torch.randn(length, generator=noise, dtype=torch.float64)
        mean = noisy / (plan.client_share * len(sizes))
    _apply(server, plan, mean.float(), answered, label[1])


def _message(server: ServerState, update: ClientUpdate, share: float) -> Tensor:
    """Changes of weights, buffers and control variate, and 1, all times the client's share; its variate is updated."""
    parts = [update.change.double()]
    if len(server.control):
        difference = -server.control - update.change[: server.weights] / (update.steps * update.rate)
        server.controls[update.client] += difference
        parts.append(difference.double())
    return torch.cat([*parts, torch.ones(1, dtype=torch.float64)]) * share


def _total(
    messages: dict[int, Tensor], plan: FederationPlan, asked: Sequence[int], label: tuple[int, int], length: int
) -> Tensor:
    if not messages:
        return torch.zeros(length, dtype=torch.float64)
    if not plan.secure:
        return torch.stack([messages[client] for client in sorted(messages)]).sum(0)
    vectors = {client: message.numpy() for client, message in messages.items()}
    return torch.from_numpy(secure_sum(vectors, asked, derived_seed(label[0], "masks", label[1])))


def _apply(server: ServerState, plan: FederationPlan, mean: Tensor, answered: float, number: int) -> None:
    weights, end = server.weights, len(server.state)
    change = mean[:weights]
    if plan.algorithm == "fedadam":
        server.momentum = torch.lerp(change, server.momentum, plan.server_momentum)
        server.second_momentum = torch.lerp(change**2, server.second_momentum, plan.server_second_momentum)
        change = server.momentum / (server.second_momentum.sqrt() + plan.adaptivity)
    moved = server.state[:weights] + plan.step(number) * change
    server.state = torch.cat([moved, server.state[weights:] + mean[weights:end]])
    if len(server.control):
        server.control = server.control + mean[end:] * answered
