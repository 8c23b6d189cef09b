"""How is a net trained, or several jointly? One loop, readable from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError, TrainingError
from polyculture.models.encoder import Encoder
from polyculture.models.fitted import FitCost
from polyculture.models.fitted_net import BATCH
from polyculture.rng import derived_seed, stream

from . import flops
from .context import TrainingContext, TrainingHistory
from .objectives import Objective
from .objectives.objective import shares
from .schedule import Plateau, Schedule
from .weight_averaging import BestWeights, WeightAverage

HELD_OUT = 0.1
"""Share of the training set that is held out where there is patience."""
Teacher = Callable[[np.ndarray], np.ndarray]
"""Inputs of a dataset → n × c probabilities, as any model."""


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """Training set and settings of one fit.

    Parameters
    ----------
    train : training set.
    encoder : of its inputs.
    schedule : length and rates.
    objective : what is minimized.
    optimizer : a function from parameters to a torch optimizer, and its options.
    seed : of the recipe; the order of the instances and their views are drawn from it.
    context : view, device and time limit.
    fit_teacher : fits the teacher of the objective; None where it has none.
    after_step : called when weights were updated; None for nothing.
    """

    train: Dataset
    encoder: Encoder
    schedule: Schedule
    objective: Objective
    optimizer: tuple[Callable[..., Any], dict[str, Any]]
    seed: int
    context: TrainingContext
    fit_teacher: Callable[[], Teacher] | None = None
    after_step: Callable[[], None] | None = None


class NetGroup(nn.Module):  # type: ignore[misc]
    """Jointly trained nets as one net: their scores, members × n × …"""

    def __init__(self, nets: list[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores of each."""
        return torch.stack([net(inputs) for net in self.nets])

    def extra_loss(self, inputs: Tensor) -> Tensor:
        """Sum of the additional losses of the nets."""
        return sum((net.extra_loss(inputs) for net in self.nets if hasattr(net, "extra_loss")), torch.zeros(()))


def fit_all(nets: list[Any], plan: TrainingPlan) -> list[TrainingHistory]:
    """Fit nets jointly, or a single one; the history of each, with its share of the cost."""
    if len(nets) == 1:
        return [fit(nets[0], plan)]
    history = fit(NetGroup(nets), plan)
    cost = replace(history.cost, flops=history.cost.flops / len(nets))
    return [replace(history, cost=cost) for _ in nets]


def fit(net: Any, plan: TrainingPlan) -> TrainingHistory:
    """Fit `net` in place and leave it on the CPU.

    A module may have `nll(inputs, targets)`, its own negative log-likelihood in place of the objective's, and
    `extra_loss(inputs)`, which is added. Raises TrainingError when the loss is not finite or time is up, and
    InputError for a net with its own likelihood and an objective that is not a likelihood.
    """
    _check(net, plan)
    start, schedule, replays = time.monotonic(), plan.schedule, plan.objective.replays
    train, held_out = _parts(plan)
    read = tensor_reader(plan)
    inputs, targets = read(train)
    validation = None if held_out is None else read(held_out)
    sizes = schedule.batch_sizes(len(train))
    epochs = math.ceil(schedule.epochs / replays)
    steps = epochs * len(sizes) * replays
    net.to(plan.context.device).train()
    optimizer = optimizer_of([weight for weight in net.parameters() if weight.requires_grad], plan)
    highest = [group["lr"] for group in optimizer.param_groups]
    average, best, plateau = WeightAverage(schedule), BestWeights(schedule.patience), Plateau()
    order = torch.Generator().manual_seed(derived_seed(plan.seed, "order"))
    step, curve = 0, []
    for epoch in range(1, epochs + 1):
        if plan.context.view is not None:
            inputs, targets = read(train, *plan.context.view(train, stream(plan.seed, "view", epoch)))
        losses = []
        for rows in torch.randperm(len(train), generator=order).to(inputs.device).split(sizes):
            closure = partial(_backward, net, plan, optimizer, inputs[rows], targets[rows])
            for _ in range(replays):
                step += 1
                rate = plateau.factor * schedule.pace(step / steps)
                for group, top in zip(optimizer.param_groups, highest, strict=True):
                    group["lr"] = top * rate
                losses.append(optimizer.step(closure))
                if plan.after_step is not None:
                    plan.after_step()
                average.update(net, step, steps)
            check_time(plan, start, f"epoch {epoch} of {epochs}")
        curve.append(_mean(losses, np.repeat(sizes, replays)) / plan.objective.members)
        if not math.isfinite(curve[-1]):
            raise TrainingError(f"the loss became {curve[-1]} in epoch {epoch}", "a finite loss", "lower learning_rate")
        if schedule.schedule == "plateau":
            plateau.update(curve[-1])
        if validation is not None and best.update(net, _validation_loss(net, plan, *validation)):
            break
    average.apply(net, inputs, schedule.batch_size)
    best.apply(net)
    optimizer.zero_grad()
    net.to("cpu")
    flops_per_instance = flops.of_instance(net, partial(_loss, plan), (inputs[:2], targets[:2]))
    total = flops_per_instance * len(train) * len(curve) * replays * getattr(optimizer, "passes", 1)
    return TrainingHistory(tuple(curve), FitCost(len(curve) * replays, step, total))


def _check(net: Any, plan: TrainingPlan) -> None:
    nets = net.nets if isinstance(net, NetGroup) else [net]
    if any(hasattr(member, "nll") for member in nets) and not plan.objective.likelihood:
        raise InputError("a net that has its own likelihood was given another objective", "'cross-entropy'")


def _parts(plan: TrainingPlan) -> tuple[Dataset, Dataset | None]:
    """Training set, and held-out set where there is patience."""
    train = plan.train
    if not plan.schedule.patience:
        return train, None
    count = math.ceil(HELD_OUT * len(train))
    if count == len(train):
        raise InputError(f"{count} instance with patience {plan.schedule.patience}", "2 or more to learn from")
    rows = stream(plan.seed, "held out").permutation(len(train))
    return train.take(np.sort(rows[count:])), train.take(np.sort(rows[:count]))


def tensor_reader(plan: TrainingPlan) -> Callable[..., tuple[Tensor, Tensor]]:
    """A function from a part of the training set, or a view of it, to inputs and targets as tensors."""
    device = plan.context.device
    teacher = plan.fit_teacher() if plan.fit_teacher else None

    def read(
        part: Dataset, inputs: np.ndarray | None = None, labels: np.ndarray | None = None
    ) -> tuple[Tensor, Tensor]:
        inputs = part.array if inputs is None else inputs
        targets = targets_of(part, plan.encoder) if labels is None else _soft_targets(part, plan.encoder, labels)
        if teacher is not None:
            targets = _with_advice(part, plan.encoder, targets, teacher(inputs))
        return torch.from_numpy(plan.encoder(inputs)).to(device), targets.to(device)

    return read


def targets_of(part: Dataset, encoder: Encoder) -> Tensor:
    """Labels as a tensor: codes, or standardized numbers as n × 1."""
    if part.task == "regression":
        return _soft_targets(part, encoder, part.labels)
    return torch.from_numpy(np.asarray(part.labels, np.int64))


def _soft_targets(part: Dataset, encoder: Encoder, labels: np.ndarray) -> Tensor:
    """Shares of each class, or standardized numbers."""
    if part.task != "regression":
        return torch.from_numpy(np.asarray(labels, np.float32))
    centre, spread = encoder.target
    return torch.from_numpy(((labels - centre) / spread).astype(np.float32).reshape(len(part), 1))


def _with_advice(part: Dataset, encoder: Encoder, targets: Tensor, predictions: np.ndarray) -> Tensor:
    """Shares of each class, or standardized numbers, followed by the teacher's."""
    if part.task == "regression":
        return torch.cat([targets, _soft_targets(part, encoder, predictions)], -1)
    advice = torch.from_numpy(np.asarray(predictions, np.float32))
    full = advice.new_zeros(*part.labels.shape, advice.shape[-1])
    full[torch.from_numpy(np.asarray(part.labels)) >= 0] = advice
    return torch.cat([shares(full, targets), full], -1)


def optimizer_of(weights: list[Tensor], plan: TrainingPlan) -> Any:
    """The lesson's optimizer of these weights."""
    build, settings = plan.optimizer
    rates = {"learning_rate": plan.schedule.learning_rate, "weight_decay": plan.schedule.weight_decay}
    return build(weights, **settings | {name: value for name, value in rates.items() if value is not None})


def _backward(net: Any, plan: TrainingPlan, optimizer: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    """The loss of a batch; its gradient is left in the weights."""
    schedule = plan.schedule
    half = schedule.precision == "bfloat16"
    with torch.autocast(inputs.device.type, torch.bfloat16) if half else nullcontext():
        loss = _loss(plan, net, inputs, targets)
    if schedule.l1:
        loss = loss + schedule.l1 * sum(weight.abs().sum() for weight in net.parameters() if weight.requires_grad)
    optimizer.zero_grad()
    loss.backward()
    if schedule.clip:
        nn.utils.clip_grad_norm_(net.parameters(), schedule.clip)
    return loss.detach()


def _loss(plan: TrainingPlan, net: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    loss = net.nll(inputs, targets) if hasattr(net, "nll") else plan.objective(net, inputs, targets)
    return loss + net.extra_loss(inputs) if hasattr(net, "extra_loss") else loss


def _validation_loss(net: Any, plan: TrainingPlan, inputs: Tensor, targets: Tensor) -> float:
    """Mean loss of held-out inputs; of jointly trained nets the sum."""
    net.eval()
    pieces = list(zip(inputs.split(BATCH), targets.split(BATCH), strict=True))
    with torch.no_grad():
        losses = [
            net.nll(*piece) if hasattr(net, "nll") else plan.objective.of_answers(net(piece[0]), piece[1])
            for piece in pieces
        ]
    net.train()
    return _mean(losses, [len(piece[0]) for piece in pieces])


def _mean(losses: list[Tensor], sizes: Any) -> float:
    """Mean loss of all instances from the means of batches of these sizes."""
    total = 0.0
    for loss, size in zip(torch.stack(losses).tolist(), sizes, strict=True):
        total += loss * int(size)
    return total / int(sum(sizes))


def check_time(plan: TrainingPlan, start: float, place: str) -> None:
    """TrainingError if the time limit has passed since `start`; `place` is how far the fit is."""
    seconds = plan.context.seconds
    if seconds is not None and time.monotonic() - start > seconds:
        raise TrainingError(f"not done after {seconds:g} s, in {place}", "a fit within that time", "lower epochs")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global stream, which starting weights and dropout are drawn from, seeded inside and restored after."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes milliseconds and loads torch's compiler
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(seed)
        yield
