"""How does one net learn, or several together? One loop, readable from top to bottom."""

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
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError, TrainingError
from polyculture.models.encoder import Encoder
from polyculture.rng import derived_seed, stream

from . import flops
from .context import FitCost, TrainingContext
from .objectives import Objective
from .schedule import Plateau, Schedule
from .weight_averaging import Best, WeightAverage

MOST_AT_ONCE = 512
"""Instances asked at once; convolutions over more leave the cache and take twice as long."""
HELD_OUT = 0.1
"""Share of the training set that is not learned from where patience is asked for."""


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """What a net learns from, and how.

    Parameters
    ----------
    train : what is learned from.
    encoder : how the net reads it.
    schedule : how long and how fast.
    objective : what is made small.
    optimizer : a function from parameters to a torch optimizer, and what it is told.
    seed : of the recipe; the order of the instances and the views of them are drawn from it.
    setting : everything else.
    """

    train: Dataset
    encoder: Encoder
    schedule: Schedule
    objective: Objective
    optimizer: tuple[Callable[..., Any], dict[str, Any]]
    seed: int
    setting: TrainingContext


@dataclass(frozen=True)
class TrainedNet:
    """How learning went: the mean training loss of each epoch, and what it took."""

    curve: list[float]
    effort: FitCost


class NetGroup(nn.Module):  # type: ignore[misc]
    """Nets that learn together: their scores, members × n × …; all of them are one net to the loop."""

    def __init__(self, nets: list[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores of each."""
        return torch.stack([net(inputs) for net in self.nets])

    def extra_loss(self, inputs: Tensor) -> Tensor:
        """What the nets want to make small besides."""
        return sum((net.extra_loss(inputs) for net in self.nets if hasattr(net, "extra_loss")), torch.zeros(()))


def fit_all(nets: list[Any], lesson: TrainingPlan) -> list[TrainedNet]:
    """Fit nets that learn together, or a single one; how it went for each, with its part of what it took."""
    if len(nets) == 1:
        return [fit(nets[0], lesson)]
    learned = fit(NetGroup(nets), lesson)
    effort = replace(learned.effort, flops=learned.effort.flops / len(nets))
    return [replace(learned, effort=effort) for _ in nets]


def fit(net: Any, lesson: TrainingPlan) -> TrainedNet:
    """Fit `net` in place and leave it on the CPU.

    A module may have `nll(inputs, targets)`, its own negative log-likelihood in place of the objective's, and
    `extra_loss(inputs)`, which is added. Raises TrainingError when the loss is no longer a number or time is up, and
    InputError for a net with its own likelihood and an objective that is none.
    """
    _check(net, lesson)
    began, schedule, replays = time.monotonic(), lesson.schedule, lesson.objective.replays
    train, held_out = _parts(lesson)
    read = reader(lesson)
    inputs, targets = read(train)
    watched = None if held_out is None else read(held_out)
    sizes = schedule.cuts(len(train))
    epochs = math.ceil(schedule.epochs / replays)
    steps = epochs * len(sizes) * replays
    net.to(lesson.setting.device).train()
    optimizer = optimizer_of([weight for weight in net.parameters() if weight.requires_grad], lesson)
    highest = [group["lr"] for group in optimizer.param_groups]
    average, best, plateau = WeightAverage(schedule), Best(schedule.patience), Plateau()
    order = torch.Generator().manual_seed(derived_seed(lesson.seed, "order"))
    step, curve = 0, []
    for epoch in range(1, epochs + 1):
        if lesson.setting.view is not None:
            inputs, targets = read(train, *lesson.setting.view(train, stream(lesson.seed, "view", epoch)))
        losses = []
        for rows in torch.randperm(len(train), generator=order).to(inputs.device).split(sizes):
            slope = partial(_slope, net, lesson, optimizer, inputs[rows], targets[rows])
            for _ in range(replays):
                step += 1
                rate = plateau.factor * schedule.pace(step / steps)
                for group, top in zip(optimizer.param_groups, highest, strict=True):
                    group["lr"] = top * rate
                losses.append(optimizer.step(slope))
                average.see(net, step, steps)
            _in_time(lesson, began, f"epoch {epoch} of {epochs}")
        curve.append(_mean(losses, np.repeat(sizes, replays)) / lesson.objective.members)
        if not math.isfinite(curve[-1]):
            raise TrainingError(f"the loss became {curve[-1]} in epoch {epoch}", "a finite loss", "lower learning_rate")
        if schedule.schedule == "plateau":
            plateau.see(curve[-1])
        if watched is not None and best.see(net, _judged(net, lesson, *watched)):
            break
    average.put(net, inputs, schedule.batch_size)
    best.put(net)
    optimizer.zero_grad()
    net.to("cpu")
    each = flops.of_instance(net, partial(_loss, lesson), (inputs[:2], targets[:2]))
    total = each * len(train) * len(curve) * replays * getattr(optimizer, "passes", 1)
    return TrainedNet(curve, FitCost(len(curve) * replays, step, total))


def _check(net: Any, lesson: TrainingPlan) -> None:
    nets = net.nets if isinstance(net, NetGroup) else [net]
    if any(hasattr(one, "nll") for one in nets) and not lesson.objective.likelihood:
        raise InputError("a net that has its own likelihood was given another objective", "'cross-entropy'")


def _parts(lesson: TrainingPlan) -> tuple[Dataset, Dataset | None]:
    """What is learned from, and what tells when to stop, if anything does."""
    train = lesson.train
    if not lesson.schedule.patience:
        return train, None
    count = math.ceil(HELD_OUT * len(train))
    if count == len(train):
        raise InputError(f"{count} instance with patience {lesson.schedule.patience}", "2 or more to learn from")
    rows = stream(lesson.seed, "held out").permutation(len(train))
    return train.take(np.sort(rows[count:])), train.take(np.sort(rows[:count]))


def reader(lesson: TrainingPlan) -> Callable[..., tuple[Tensor, Tensor]]:
    """From a part of the training set, seen as it is or as given, to what the net is told: inputs and targets."""
    objective, device = lesson.objective, lesson.setting.device
    teacher = objective.teach(lesson.train, lesson.seed, lesson.setting) if objective.teach else None

    def read(part: Dataset, inputs: np.ndarray | None = None, soft: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        shown = part.array if inputs is None else inputs
        targets = targets_of(part, lesson.encoder) if soft is None else _softened(part, lesson.encoder, soft)
        if teacher is not None:
            targets = _advised(part, targets, torch.from_numpy(np.asarray(teacher(shown), np.float32)))
        return torch.from_numpy(lesson.encoder(shown)).to(device), targets.to(device)

    return read


def targets_of(part: Dataset, encoder: Encoder) -> Tensor:
    """Labels as a net is told them: codes, or standardized numbers as n × 1."""
    if part.task == "regression":
        return _softened(part, encoder, part.labels)
    return torch.from_numpy(np.asarray(part.labels, np.int64))


def _softened(part: Dataset, encoder: Encoder, soft: np.ndarray) -> Tensor:
    """Shares of each class, or standardized numbers."""
    if part.task != "regression":
        return torch.from_numpy(np.asarray(soft, np.float32))
    centre, spread = encoder.target
    return torch.from_numpy(((soft - centre) / spread).astype(np.float32).reshape(len(part), 1))


def _advised(part: Dataset, targets: Tensor, advice: Tensor) -> Tensor:
    """Shares of each class and after them the teacher's."""
    from .objectives.objective import shares

    full = advice.new_zeros(*part.labels.shape, advice.shape[-1])
    full[torch.from_numpy(np.asarray(part.labels)) >= 0] = advice
    return torch.cat([shares(full, targets), full], -1)


def optimizer_of(weights: list[Tensor], lesson: TrainingPlan) -> Any:
    """The lesson's optimizer of these weights."""
    optimize, told = lesson.optimizer
    chosen = {"learning_rate": lesson.schedule.learning_rate, "weight_decay": lesson.schedule.weight_decay}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    return optimize(weights, **told | chosen)


def _slope(net: Any, lesson: TrainingPlan, optimizer: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    """Leave the gradient of a batch's loss in the weights; the loss."""
    schedule = lesson.schedule
    half = schedule.precision == "bfloat16"
    with torch.autocast(inputs.device.type, torch.bfloat16) if half else nullcontext():
        loss = _loss(lesson, net, inputs, targets)
    if schedule.l1:
        loss = loss + schedule.l1 * sum(weight.abs().sum() for weight in net.parameters() if weight.requires_grad)
    optimizer.zero_grad()
    loss.backward()
    if schedule.clip:
        nn.utils.clip_grad_norm_(net.parameters(), schedule.clip)
    return loss.detach()


def _loss(lesson: TrainingPlan, net: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    loss = net.nll(inputs, targets) if hasattr(net, "nll") else lesson.objective(net, inputs, targets)
    return loss + net.extra_loss(inputs) if hasattr(net, "extra_loss") else loss


def _judged(net: Any, lesson: TrainingPlan, inputs: Tensor, targets: Tensor) -> float:
    """Mean loss of inputs that are not learned from; of nets that learn together the sum."""
    net.eval()
    pieces = list(zip(inputs.split(MOST_AT_ONCE), targets.split(MOST_AT_ONCE), strict=True))
    with torch.no_grad():
        losses = [
            net.nll(*piece) if hasattr(net, "nll") else lesson.objective.of_answers(net(piece[0]), piece[1])
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


def _in_time(lesson: TrainingPlan, began: float, place: str) -> None:
    seconds = lesson.setting.seconds
    if seconds is not None and time.monotonic() - began > seconds:
        raise TrainingError(f"not done after {seconds:g} s, in {place}", "a fit within that time", "lower epochs")


def answers(net: Any, encoder: Encoder, inputs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "k c"]:
    """Class probabilities by softmax of each input, or each token; of regressors the numbers. Batches bound memory."""
    net.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(inputs), MOST_AT_ONCE):
            batch = torch.from_numpy(encoder(inputs[start : start + MOST_AT_ONCE]))
            found.append(_answers(net, encoder, batch))
    together: np.ndarray = torch.cat(found).numpy()
    return together


def _answers(net: Any, encoder: Encoder, batch: Tensor) -> Tensor:
    if hasattr(net, "probabilities"):  # nets that are normalized over whole sequences
        chances = net.probabilities(batch)
    else:
        scores = net(batch)
        if scores.shape[-1] == 1:
            centre, spread = encoder.target
            return scores * spread + centre
        chances = scores.softmax(dim=-1)
    return chances[batch[..., 0] > 0] if encoder.modality == "tags" else chances


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global stream, which starting weights and dropout draw from, seeded inside and as before outside."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes milliseconds and loads torch's compiler
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(seed)
        yield
