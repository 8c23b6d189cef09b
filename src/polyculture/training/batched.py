"""How are many dense nets of one shape trained at once? As one net whose weights have a leading axis of members.

Every member has its own order of instances, starting weights, dropout, rate, decay, optimizer and view of the data, and
gets the numbers of `loop.fit` up to rounding: products of many matrices may add up in another order. They do not depend
on the other members, to the last bit: for that, matrices begin at aligned addresses and there are at least two, since
kernels choose the order of summation by both.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polyculture.dataset import Dataset
from polyculture.errors import TrainingError
from polyculture.models.fitted import FitCost
from polyculture.models.fitted_net import FittedNet
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed, stream

from . import flops, loop, optimizers
from .architectures import Net
from .batched_layers import ALIGNED, BatchedDropout, forward, layout
from .context import TrainingContext
from .hyperparameters import options
from .objectives import OBJECTIVES, Objective

SMALL = 2**18
"""Weights above which a net is trained alone: stacks still gain a third at this size, and lose at 2.5 times it."""
BY_ELEMENT = (
    *(optimizers.sgd, optimizers.plain_sgd, optimizers.momentum, optimizers.adagrad, optimizers.rmsprop),
    *(optimizers.adam, optimizers.adamw, optimizers.nadam, optimizers.lion),
)
"""Elementwise optimizers: neighbours with equal settings are updated as one tensor."""
BY_WEIGHT = (optimizers.adafactor, optimizers.muon)
"""Optimizers that need one matrix at a time."""


def shape_of(recipe: Recipe, architecture: Net, net: nn.Module | None) -> Hashable | None:
    """A key that is equal for recipes whose nets can be trained in one stack; None for those that cannot be stacked.

    `net` is any of the recipe's shape, None where it is unknown. Members of a stack also need equal numbers of
    instances, and targets of one kind.
    """
    schedule, objective = architecture.schedule_of(recipe), architecture.objective_of(recipe)
    simple = recipe.pretraining == "none" and schedule.stackable and objective.stackable
    if net is None or not simple or optimizers.OPTIMIZERS[recipe.optimizer] not in BY_ELEMENT + BY_WEIGHT:
        return None
    layers = layout(net)
    if layers is None or sum(weight.numel() for weight in net.parameters()) > SMALL:
        return None
    settings = architecture.settings(recipe)
    loss = recipe.objective, *(settings.get(name) for name in options(OBJECTIVES[recipe.objective]))
    return layers, schedule.epochs, schedule.batch_size, schedule.schedule, loss


def fit_stacked(
    recipes: Sequence[Recipe],
    architectures: Sequence[Net],
    trains: Sequence[Dataset],
    contexts: Sequence[TrainingContext],
) -> list[FittedNet | TrainingError]:
    """Fit nets of one shape; each net, or why it could not be fitted."""
    inputs = list(zip(recipes, architectures, trains, contexts, strict=True))
    members = [_start(*arguments) for arguments in inputs]
    order = sorted(range(len(members)), key=lambda k: members[k].settings)
    stack = [members[k] for k in order]
    if len(stack) == 1:
        stack.append(_start(*inputs[0]))
    results = dict(zip(order, _fit(stack), strict=False))
    return [results[k] for k in range(len(members))]


@dataclass(frozen=True, eq=False)
class _Member:
    """A net with its starting weights, its plan, and the stream that its dropout is drawn from."""

    net: nn.Sequential
    plan: loop.TrainingPlan
    dropout: torch.Generator

    @property
    def settings(self) -> tuple[Any, ...]:
        """Its optimizer and the settings of it."""
        build, settings = self.plan.optimizer
        rate, decay = self.plan.schedule.learning_rate, self.plan.schedule.weight_decay
        return build.__name__, sorted(settings.items()), *(-1.0 if x is None else x for x in (rate, decay))


def _start(recipe: Recipe, architecture: Net, train: Dataset, context: TrainingContext) -> _Member:
    encoder = architecture.reader.of(train)
    with loop.seeded(derived_seed(recipe.seed, "weights")):
        net = architecture.module(recipe, encoder, train)
        if torch.device(context.device).type == "cpu":
            dropout = torch.Generator()
            dropout.set_state(torch.get_rng_state())
        else:
            dropout = torch.Generator(context.device).manual_seed(derived_seed(recipe.seed, "dropout"))
    return _Member(net, architecture.plan(recipe, train, encoder, context), dropout)


def _fit(members: list[_Member]) -> list[FittedNet | TrainingError]:
    first = members[0].plan
    schedule, n, sizes = first.schedule, len(first.train), first.schedule.batch_sizes(len(first.train))
    steps = schedule.epochs * len(sizes)
    stack, data = _StackedNets(members), _BatchData([member.plan for member in members])
    optimizers = _optimizers(members, stack)
    groups = [(group, group["lr"]) for optimizer in optimizers for group in optimizer.param_groups]
    orders = [torch.Generator().manual_seed(derived_seed(member.plan.seed, "order")) for member in members]
    step, curves = 0, []
    for epoch in range(1, schedule.epochs + 1):
        data.read(epoch)
        losses = []
        for rows in torch.stack([torch.randperm(n, generator=order) for order in orders]).split(sizes, dim=1):
            step += 1
            for group, highest in groups:
                group["lr"] = highest * schedule.pace(step / steps)
            loss = stack.backward(first.objective, *data.batch(rows), count=rows.shape[1])
            for optimizer in optimizers:
                optimizer.step(lambda loss=loss: loss)
            losses.append(loss)
        sums = torch.stack(losses).cpu().double().numpy() * np.array(sizes)[:, None]
        curves.append(np.cumsum(sums, axis=0)[-1] / n)  # added up one by one, as the loop does it
    stack.copy_back()
    flops_per_instance = flops.of_instance(members[0].net, first.objective, data.sample())
    cost = FitCost(schedule.epochs, step, flops_per_instance * n * schedule.epochs)
    return [_result(member, curve, cost) for member, curve in zip(members, np.stack(curves, 1).tolist(), strict=True)]


def _result(member: _Member, curve: list[float], cost: FitCost) -> FittedNet | TrainingError:
    for epoch, loss in enumerate(curve, 1):
        if not math.isfinite(loss):
            return TrainingError(f"the loss became {loss} in epoch {epoch}", "a finite loss", "lower learning_rate")
    return FittedNet(member.net, member.plan.encoder, tuple(curve), cost)


def _optimizers(members: list[_Member], stack: _StackedNets) -> list[Any]:
    """One optimizer of each kind; neighbours with equal settings are one parameter of it where it is elementwise."""
    by_kind: dict[Any, Any] = {}
    for _, group in groupby(range(len(members)), key=lambda k: members[k].settings):
        rows = list(group)
        plan = members[rows[0]].plan
        kind = plan.optimizer[0]
        for weights in [[stack.slab(rows)]] if kind in BY_ELEMENT else [stack.weights_of(k) for k in rows]:
            optimizer = loop.optimizer_of(weights, plan)
            for parameters in optimizer.param_groups if kind in by_kind else ():
                by_kind[kind].add_param_group(parameters)
            by_kind.setdefault(kind, optimizer)
    return list(by_kind.values())


class _BatchData:
    """Inputs and targets of all members; members with the same training set share them."""

    def __init__(self, plans: list[loop.TrainingPlan]) -> None:
        self.plans = plans
        self.readers = [loop.tensor_reader(plan) for plan in plans]

    def read(self, epoch: int) -> None:
        """Read the training sets: in the first epoch, and in all others where members have views of them."""
        if epoch > 1 and all(plan.context.view is None for plan in self.plans):
            return
        tensors: dict[Hashable, tuple[Tensor, Tensor]] = {}
        keys: list[Hashable] = []
        for k, (plan, read) in enumerate(zip(self.plans, self.readers, strict=True)):
            view = plan.context.view
            keys.append(id(plan.train.array) if view is None else (k,))
            if keys[-1] not in tensors:
                arrays = () if view is None else view(plan.train, stream(plan.seed, "view", epoch))
                tensors[keys[-1]] = read(plan.train, *arrays)
        n = len(self.plans[0].train)
        self.starts = torch.tensor([list(tensors).index(key) * n for key in keys])[:, None]
        self.inputs = torch.cat([inputs.flatten(1) for inputs, _ in tensors.values()])
        self.targets = torch.cat([targets for _, targets in tensors.values()])
        self.form = tensors[keys[0]][0].shape[1:]

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A batch of each member, m × n × …, padded by a few rows so that the next one is aligned."""
        padding = rows[:, :1].expand(-1, -rows.shape[1] % ALIGNED)
        indices = (torch.cat([rows, padding], 1) + self.starts).to(self.inputs.device)
        return self.inputs[indices], self.targets[indices]

    def sample(self) -> tuple[Tensor, Tensor]:
        """Two instances in the shape of one net's inputs."""
        return self.inputs[:2].unflatten(1, self.form), self.targets[:2]


class _StackedNets:
    """The weights of all members and their gradients, a row each in which every matrix begins at an aligned address."""

    def __init__(self, members: list[_Member]) -> None:
        self.nets = [member.net for member in members]
        device = members[0].plan.context.device
        shapes = [weight.shape for weight in self.nets[0].parameters()]
        ends = list(accumulate(-(-shape.numel() // ALIGNED) * ALIGNED for shape in shapes))
        self.rows = torch.zeros(len(members), ends[-1], device=device)
        self.gradients = torch.zeros_like(self.rows)
        starts = list(zip([0, *ends[:-1]], shapes, strict=True))
        self.weights, self.weight_gradients = (
            [matrix[:, start : start + shape.numel()].unflatten(1, shape) for start, shape in starts]
            for matrix in (self.rows, self.gradients)
        )
        for k, net in enumerate(self.nets):
            for stacked, weight in zip(self.weights, net.parameters(), strict=True):
                stacked[k] = weight.detach()
        leaves = [weight.detach().requires_grad_() for weight in self.weights]
        self.leaves = list(zip(leaves, self.weight_gradients, strict=True))
        streams = [member.dropout for member in members]
        self.layers = [
            BatchedDropout(layers, streams, device) if hasattr(layers[0], "p") else layers[0]
            for layers in zip(*self.nets, strict=True)
        ]

    def slab(self, rows: list[int]) -> Tensor:
        """The weights of neighbours as one tensor, with its gradient."""
        slab = self.rows[rows[0] : rows[-1] + 1]
        slab.grad = self.gradients[rows[0] : rows[-1] + 1]
        return slab

    def weights_of(self, k: int) -> list[Tensor]:
        """The weights of one member, with their gradients."""
        weights = [weight[k] for weight in self.weights]
        for weight, gradient in zip(weights, self.weight_gradients, strict=True):
            weight.grad = gradient[k]
        return weights

    def backward(self, objective: Objective, inputs: Tensor, targets: Tensor, count: int) -> Tensor:
        """Mean loss of each member over the first `count` instances of a batch; `gradients` holds its gradient."""
        for layer in self.layers:
            if isinstance(layer, BatchedDropout):
                layer.count = count
        losses = objective.of_scores(forward(self.layers, self.leaves, inputs), targets)[:, :count].mean(1)
        losses.sum().backward()
        return losses.detach()

    def copy_back(self) -> None:
        """Copy the weights into the nets."""
        with torch.no_grad():
            for k, net in enumerate(self.nets):
                for stacked, weight in zip(self.weights, net.parameters(), strict=True):
                    weight.copy_(stacked[k])
