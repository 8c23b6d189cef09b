"""How do many dense nets of one shape learn at once? As one net whose weights have a leading axis of members.

Every member has its own order of instances, starting weights, dropout, rate, decay, optimizer and view of the data, and
gets the numbers that `loop.fit` gives it, but for rounding: products of many matrices may add up in another order. To
the last bit they are the same whoever learns beside it. For that, matrices begin at aligned places and are never alone,
since kernels choose by the one and the other how to add up.
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
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed, stream

from . import flops, loop, optimizers
from .architectures.architecture import options
from .architectures.net import FittedNet, Net
from .batched_layers import ALIGNED, Dropping, layout, through
from .context import FitCost, TrainingContext
from .objectives import OBJECTIVES, Objective

SMALL = 2**18
"""Weights of a net above which it learns alone: stacks still gain a third at this size, and lose at 2.5 times it."""
BY_ELEMENT = (
    *(optimizers.sgd, optimizers.plain_sgd, optimizers.momentum, optimizers.adagrad, optimizers.rmsprop),
    *(optimizers.adam, optimizers.adamw, optimizers.nadam, optimizers.lion),
)
"""Optimizers that move every number by itself: neighbours that are told the same are moved as one."""
BY_WEIGHT = (optimizers.adafactor, optimizers.muon)
"""Optimizers that look at one matrix at a time."""


def shape_of(recipe: Recipe, learner: Net, net: nn.Module | None) -> Hashable | None:
    """The same for recipes whose nets can learn in one stack, another for others; None for those that fit no stack.

    `net` is any of the recipe's shape, None where that is not known. Members of a stack also need as many instances
    each, and targets of one kind.
    """
    schedule, objective = learner.schedule_of(recipe), learner.objective_of(recipe)
    plain = recipe.pretraining == "none" and schedule.stackable and objective.stackable
    if net is None or not plain or optimizers.OPTIMIZERS[recipe.optimizer] not in BY_ELEMENT + BY_WEIGHT:
        return None
    layers = layout(net)
    if layers is None or sum(weight.numel() for weight in net.parameters()) > SMALL:
        return None
    told, own = learner.settings(recipe), options(OBJECTIVES[recipe.objective])
    aim = recipe.objective, tuple(told.get(name) for name in own)
    return layers, schedule.epochs, schedule.batch_size, schedule.schedule, aim


def fit_stacked(
    recipes: Sequence[Recipe], learners: Sequence[Net], trains: Sequence[Dataset], settings: Sequence[TrainingContext]
) -> list[FittedNet | TrainingError]:
    """Fit nets of one shape; of each the net, or why it could not be fitted."""
    begun = [_begin(*given) for given in zip(recipes, learners, trains, settings, strict=True)]
    places = sorted(range(len(begun)), key=lambda k: begun[k].told)
    members = [begun[k] for k in places]
    if len(members) == 1:
        members.append(_begin(recipes[0], learners[0], trains[0], settings[0]))
    learned = dict(zip(places, _learn(members), strict=False))
    return [learned[k] for k in range(len(begun))]


@dataclass(frozen=True, eq=False)
class _Member:
    """A net with its starting weights, its lesson, and the stream that its dropout is drawn from."""

    net: nn.Sequential
    lesson: loop.TrainingPlan
    dropout: torch.Generator

    @property
    def told(self) -> tuple[Any, ...]:
        """What its optimizer is told."""
        optimize, told = self.lesson.optimizer
        rate, decay = self.lesson.schedule.learning_rate, self.lesson.schedule.weight_decay
        return optimize.__name__, sorted(told.items()), *(-1.0 if x is None else x for x in (rate, decay))


def _begin(recipe: Recipe, learner: Net, train: Dataset, setting: TrainingContext) -> _Member:
    encoder = learner.reader.of(train)
    with loop.seeded(derived_seed(recipe.seed, "weights")):
        net = learner.module(recipe, encoder, train)
        if torch.device(setting.device).type == "cpu":
            dropout = torch.Generator()
            dropout.set_state(torch.get_rng_state())
        else:
            dropout = torch.Generator(setting.device).manual_seed(derived_seed(recipe.seed, "dropout"))
    return _Member(net, learner.lesson(recipe, train, encoder, setting), dropout)


def _learn(members: list[_Member]) -> list[FittedNet | TrainingError]:
    first = members[0].lesson
    schedule, n, sizes = first.schedule, len(first.train), first.schedule.cuts(len(first.train))
    steps = schedule.epochs * len(sizes)
    stack, pool = _Stack(members), _Pool([member.lesson for member in members])
    descents = _optimizers(members, stack)
    groups = [(group, group["lr"]) for descent in descents for group in descent.param_groups]
    orders = [torch.Generator().manual_seed(derived_seed(member.lesson.seed, "order")) for member in members]
    step, curves = 0, []
    for epoch in range(1, schedule.epochs + 1):
        pool.look(epoch)
        losses = []
        for rows in torch.stack([torch.randperm(n, generator=order) for order in orders]).split(sizes, dim=1):
            step += 1
            for group, highest in groups:
                group["lr"] = highest * schedule.pace(step / steps)
            loss = stack.slope(first.objective, *pool.take(rows), count=rows.shape[1])
            for descent in descents:
                descent.step(lambda loss=loss: loss)
            losses.append(loss)
        weighed = torch.stack(losses).cpu().double().numpy() * np.array(sizes)[:, None]
        curves.append(np.cumsum(weighed, axis=0)[-1] / n)  # added up one by one, as the loop does it
    stack.give_back()
    each = flops.of_instance(members[0].net, first.objective, pool.two())
    effort = FitCost(schedule.epochs, step, each * n * schedule.epochs)
    return [_ended(member, curve, effort) for member, curve in zip(members, np.stack(curves, 1).tolist(), strict=True)]


def _ended(member: _Member, curve: list[float], effort: FitCost) -> FittedNet | TrainingError:
    for epoch, loss in enumerate(curve, 1):
        if not math.isfinite(loss):
            return TrainingError(f"the loss became {loss} in epoch {epoch}", "a finite loss", "lower learning_rate")
    return FittedNet(member.net, member.lesson.encoder, tuple(curve), effort)


def _optimizers(members: list[_Member], stack: _Stack) -> list[Any]:
    """One optimizer for each of the different ones; it moves neighbours that are told the same as one, if it can."""
    made: dict[Any, Any] = {}
    for _, alike in groupby(range(len(members)), key=lambda k: members[k].told):
        places = list(alike)
        lesson = members[places[0]].lesson
        optimize = lesson.optimizer[0]
        moved = [[stack.slab(places)]] if optimize in BY_ELEMENT else [stack.weights_of(k) for k in places]
        for weights in moved:
            own = loop.optimizer_of(weights, lesson)
            for group in own.param_groups if optimize in made else ():
                made[optimize].add_param_group(group)
            made.setdefault(optimize, own)
    return list(made.values())


class _Pool:
    """Inputs and targets of all members; those that learn from the same ones hold them together."""

    def __init__(self, lessons: list[loop.TrainingPlan]) -> None:
        self.lessons = lessons
        self.readers = [loop.reader(lesson) for lesson in lessons]

    def look(self, epoch: int) -> None:
        """See the training sets: in the first epoch, and anew in every other where members have views of them."""
        if epoch > 1 and all(lesson.setting.view is None for lesson in self.lessons):
            return
        seen: dict[Hashable, tuple[Tensor, Tensor]] = {}
        keys: list[Hashable] = []
        for k, (lesson, read) in enumerate(zip(self.lessons, self.readers, strict=True)):
            view = lesson.setting.view
            keys.append(id(lesson.train.array) if view is None else (k,))
            if keys[-1] not in seen:
                shown = () if view is None else view(lesson.train, stream(lesson.seed, "view", epoch))
                seen[keys[-1]] = read(lesson.train, *shown)
        n = len(self.lessons[0].train)
        self.starts = torch.tensor([list(seen).index(key) * n for key in keys])[:, None]
        self.inputs = torch.cat([inputs.flatten(1) for inputs, _ in seen.values()])
        self.targets = torch.cat([targets for _, targets in seen.values()])
        self.form = seen[keys[0]][0].shape[1:]

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """A batch of each member, m × n × …, with a few rows too many so that what comes after stays aligned."""
        more = rows[:, :1].expand(-1, -rows.shape[1] % ALIGNED)
        chosen = (torch.cat([rows, more], 1) + self.starts).to(self.inputs.device)
        return self.inputs[chosen], self.targets[chosen]

    def two(self) -> tuple[Tensor, Tensor]:
        """Two instances as one net reads them."""
        return self.inputs[:2].unflatten(1, self.form), self.targets[:2]


class _Stack:
    """The weights of all members and their gradients, a row each in which every matrix begins at an aligned place."""

    def __init__(self, members: list[_Member]) -> None:
        self.nets = [member.net for member in members]
        device = members[0].lesson.setting.device
        shapes = [weight.shape for weight in self.nets[0].parameters()]
        ends = list(accumulate(-(-shape.numel() // ALIGNED) * ALIGNED for shape in shapes))
        self.rows = torch.zeros(len(members), ends[-1], device=device)
        self.slopes = torch.zeros_like(self.rows)
        places = list(zip([0, *ends[:-1]], shapes, strict=True))
        self.weights, self.slopes_of = (
            [whole[:, at : at + shape.numel()].unflatten(1, shape) for at, shape in places]
            for whole in (self.rows, self.slopes)
        )
        for k, net in enumerate(self.nets):
            for stacked, weight in zip(self.weights, net.parameters(), strict=True):
                stacked[k] = weight.detach()
        leaves = [weight.detach().requires_grad_() for weight in self.weights]
        self.leaves = list(zip(leaves, self.slopes_of, strict=True))
        streams = [member.dropout for member in members]
        self.layers = [
            Dropping(layers, streams, device) if hasattr(layers[0], "p") else layers[0]
            for layers in zip(*self.nets, strict=True)
        ]

    def slab(self, places: list[int]) -> Tensor:
        """The weights of neighbours as one tensor, with its gradient."""
        slab = self.rows[places[0] : places[-1] + 1]
        slab.grad = self.slopes[places[0] : places[-1] + 1]
        return slab

    def weights_of(self, k: int) -> list[Tensor]:
        """The weights of one member, with their gradients."""
        own = [weight[k] for weight in self.weights]
        for weight, slope in zip(own, self.slopes_of, strict=True):
            weight.grad = slope[k]
        return own

    def slope(self, objective: Objective, inputs: Tensor, targets: Tensor, count: int) -> Tensor:
        """Leave the gradients of the first `count` instances of a batch in `slopes`; their mean loss in each member."""
        for layer in self.layers:
            if isinstance(layer, Dropping):
                layer.count = count
        losses = objective.of_scores(through(self.layers, self.leaves, inputs), targets)[:, :count].mean(1)
        losses.sum().backward()
        return losses.detach()

    def give_back(self) -> None:
        """Put the weights into the nets."""
        with torch.no_grad():
            for k, net in enumerate(self.nets):
                for stacked, weight in zip(self.weights, net.parameters(), strict=True):
                    weight.copy_(stacked[k])
