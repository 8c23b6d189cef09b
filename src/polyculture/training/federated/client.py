"""What does one client do in a round? It trains the global net on its own data and sends what changed."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polyculture.errors import TrainingError
from polyculture.models.threads import one_thread
from polyculture.rng import derived_seed

from .. import loop
from ..batched import BY_ELEMENT
from ..workers import leave_with_parent


class FlatNet:
    """A net whose weights, and their gradients, are views of one vector each.

    Parameters
    ----------
    net : is copied.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = copy.deepcopy(net)
        self.weights = [weight for weight in self.net.parameters() if weight.requires_grad]
        self.vector = torch.cat([weight.detach().flatten() for weight in self.weights])
        self.gradient = torch.zeros_like(self.vector)
        self.buffers = [buffer for buffer in self.net.buffers() if buffer.is_floating_point()]
        start = 0
        for weight in self.weights:
            end = start + weight.numel()
            weight.data = self.vector[start:end].view(weight.shape)
            weight.grad = self.gradient[start:end].view(weight.shape)
            start = end
        self.vector.grad = self.gradient

    def state(self) -> Tensor:
        """Weights, followed by the buffers that are fractions (such as means and variances of batch normalization)."""
        return torch.cat([self.vector, *(buffer.flatten() for buffer in self.buffers)])

    def load(self, state: Tensor) -> None:
        """Set weights and buffers."""
        self.vector.copy_(state[: len(self.vector)])
        start = len(self.vector)
        for buffer in self.buffers:
            buffer.copy_(state[start : start + buffer.numel()].view(buffer.shape))
            start += buffer.numel()

    def copy(self) -> nn.Module:
        """The net with weights of its own."""
        net = copy.deepcopy(self.net)
        for weight in net.parameters():
            weight.data, weight.grad = weight.data.clone(), None
        return net

    def head(self) -> slice:
        """Where the weights of the last layer are in the vector."""
        layers = [layer for layer in self.net.modules() if any(True for _ in layer.parameters(recurse=False))]
        size = sum(weight.numel() for weight in layers[-1].parameters(recurse=False) if weight.requires_grad)
        return slice(len(self.vector) - size, len(self.vector))


@dataclass(frozen=True, eq=False)
class ClientContext:
    """What all clients of a federation share: net, plan of a fit, and encoded data by client.

    Parameters
    ----------
    net : any of the recipe's shape.
    fit : schedule, objective, optimizer and seed; its training set is not used.
    inputs, targets : of each client, as the net reads them.
    proximal : weight μ of half the squared distance from the starting weights; 0 for none.
    clip : largest norm of the change; infinity for none.
    started_by : process that started the federation; None where something else ends its workers.
    """

    net: nn.Module
    fit: loop.TrainingPlan
    inputs: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]
    proximal: float = 0.0
    clip: float = math.inf
    started_by: int | None = None

    @property
    def sizes(self) -> np.ndarray:
        """Number of instances of each client."""
        return np.array([len(inputs) for inputs in self.inputs], np.float64)


@dataclass(frozen=True, eq=False)
class ClientTask:
    """Passes of one client over its data.

    Parameters
    ----------
    client : its position.
    label : what the passes are for, from which their random numbers are derived.
    state : weights and buffers that it starts from.
    epochs : passes.
    pace : factor of the learning rate.
    correction : is added to every gradient; None for nothing.
    head_only : whether all layers but the last stay as they are.
    """

    client: int
    label: str
    state: Tensor
    epochs: int
    pace: float = 1.0
    correction: Tensor | None = None
    head_only: bool = False


@dataclass(frozen=True, eq=False)
class ClientUpdate:
    """What a client sends.

    Parameters
    ----------
    client : its position.
    change : of weights and buffers.
    loss : mean training loss of the last pass.
    steps : updates of the weights.
    rate : learning rate of them.
    losses : mean training loss of each pass.
    """

    client: int
    change: Tensor
    loss: float
    steps: int
    rate: float
    losses: tuple[float, ...]


def train_client(task: ClientTask, context: ClientContext) -> ClientUpdate:
    """Train for the passes of a task; TrainingError for a loss that is not finite."""
    if context.started_by not in (None, os.getpid()):
        leave_with_parent(context.started_by)
    seed = derived_seed(context.fit.seed, "client", task.client, task.label)
    with one_thread(), loop.seeded(seed):
        flat = FlatNet(context.net)
        flat.load(task.state)
        flat.net.train()
        rate, losses, steps = _train(flat, task, context, torch.Generator().manual_seed(seed))
        if not math.isfinite(losses[-1]):
            where = f"of client {task.client} in {task.label}"
            raise TrainingError(f"the loss {where} became {losses[-1]}", "a finite loss", "lower learning_rate")
        change = flat.state() - task.state
        norm = float(change.norm()) if context.clip < math.inf else 0.0
        if norm > context.clip:
            change *= context.clip / norm
    return ClientUpdate(task.client, change, losses[-1], steps, rate, tuple(losses))


def _train(
    flat: FlatNet, task: ClientTask, context: ClientContext, order: torch.Generator
) -> tuple[float, list[float], int]:
    """Learning rate, mean loss of each pass, and number of steps."""
    inputs, targets = context.inputs[task.client], context.targets[task.client]
    sizes = context.fit.schedule.batch_sizes(len(inputs))
    # elementwise optimizers see one long vector: the same numbers in fewer calls
    parameters = [flat.vector] if context.fit.optimizer[0] in BY_ELEMENT else flat.weights
    optimizer = loop.optimizer_of(parameters, context.fit)
    for group in optimizer.param_groups:
        group["lr"] *= task.pace
    adjust = _adjustment(flat, task, context)
    losses, steps = [], 0
    for _ in range(task.epochs):
        total = torch.zeros(())
        for rows in torch.randperm(len(inputs), generator=order).split(sizes):
            batch, labels = inputs[rows], targets[rows]

            def closure(batch: Tensor = batch, labels: Tensor = labels) -> Tensor:
                flat.gradient.zero_()
                loss = batch_loss(context.fit, flat.net, batch, labels)
                loss.backward()
                adjust()
                return loss.detach()

            total = total + optimizer.step(closure) * len(rows)
            steps += 1
        losses.append(float(total) / len(inputs))
    return float(optimizer.param_groups[0]["lr"]), losses, steps


def _adjustment(flat: FlatNet, task: ClientTask, context: ClientContext) -> Callable[[], None]:
    """A function that changes the gradient as proximal term, correction and a frozen body want it."""
    start = task.state[: len(flat.vector)].clone()
    frozen = slice(0, flat.head().start if task.head_only else 0)

    def adjust() -> None:
        if context.proximal and not task.head_only:
            flat.gradient.add_(flat.vector - start, alpha=context.proximal)
        if task.correction is not None:
            flat.gradient.add_(task.correction)
        flat.gradient[frozen] = 0.0

    return adjust


def batch_loss(fit: loop.TrainingPlan, net: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    """The loss of a batch with what the net adds to it."""
    loss: Tensor = net.nll(inputs, targets) if hasattr(net, "nll") else fit.objective(net, inputs, targets)
    return loss + net.extra_loss(inputs) if hasattr(net, "extra_loss") else loss


def without_clip(context: ClientContext) -> ClientContext:
    """The same clients when they train for themselves: without proximal term and clipping."""
    return replace(context, proximal=0.0, clip=math.inf)
