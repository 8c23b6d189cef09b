"""How does a net learn from inputs without labels? It is to answer alike to one input changed in two ways."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polyculture.dataset import Dataset
from polyculture.errors import TrainingError
from polyculture.models.fitted import FitCost
from polyculture.models.fitted_net import FittedNet
from polyculture.models.threads import one_thread
from polyculture.recipe import Recipe
from polyculture.rng import derived_seed, stream

from .. import flops, loop, pretraining
from ..architectures import Net, find_architecture
from ..context import TrainingContext
from ..learned_level import LearnedFit
from .labelled import LabelledPool
from .views import View, strong, weak

RATIO = 4
"""Inputs of the pool in a step, for every labelled one."""
THRESHOLD = 0.95
"""Probability of a class from which an input of the pool counts (Sohn et al. 2020)."""
CONSISTENCY = 10.0
"""Weight of the squared difference from the mean teacher, reached after the first two fifths of the steps."""
LONGEST = 0.995
"""Decay of the moving average of the weights, reached after about two thousand steps."""
RECENT = 0.99
"""Decay of the moving average of the classes' shares in the pool."""


@dataclass
class ClassShares:
    """The shares of the classes among the labels, and those that the net gives to the pool."""

    labelled: Tensor
    given: Tensor

    def align(self, probabilities: Tensor) -> Tensor:
        """Probabilities of the pool moved towards the shares among the labels (Berthelot et al. 2020)."""
        self.given.lerp_(probabilities.mean(0), 1 - RECENT)
        aligned = probabilities * (self.labelled / self.given)
        return aligned / aligned.sum(-1, keepdim=True)


def fixmatch_loss(scores: Tensor, advice: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of strongly changed inputs with the class of their weakly changed selves, where that one is sure.

    Parameters
    ----------
    scores : u × c, of the strongly changed inputs.
    advice : u × c probabilities of the weakly changed ones.

    Returns the mean over all u, unsure ones as 0, and the share of sure ones. Source: Sohn et al. 2020.
    """
    sureness, codes = advice.max(-1)
    sure = (sureness >= THRESHOLD).to(scores.dtype)
    losses = nn.functional.cross_entropy(scores, codes, reduction="none")
    return (losses * sure).mean(), sure.mean()


def mean_teacher_loss(scores: Tensor, advice: Tensor) -> tuple[Tensor, Tensor]:
    """Squared difference of the probabilities from those of the net of averaged weights, summed over classes.

    Returns the mean over inputs times `CONSISTENCY`, and 1: all inputs count. Source: Tarvainen and Valpola 2017.
    """
    difference = (scores.softmax(-1) - advice).square().sum(-1).mean()
    return CONSISTENCY * difference, torch.ones(())


def fit_consistent(
    recipe: Recipe, split: LabelledPool, context: TrainingContext, *, mean_teacher: bool = False
) -> LearnedFit:
    """A net of averaged weights that was trained to answer alike to two changes of every input of the pool.

    Epochs are passes over the pool; every step has a batch of labelled inputs, weakly changed, and `RATIO` times as
    many of the pool. FixMatch (Sohn et al. 2020, with the alignment of Berthelot et al. 2020), or the mean teacher.
    Schedule, optimizer, objective and pre-training are the recipe's.
    """
    recipe = replace(recipe, data="all")
    architecture = find_architecture(recipe.architecture)
    assert isinstance(architecture, Net)
    pool = _unlabelled(split)
    all_inputs = split.with_labels(np.arange(len(pool)), pool.labels)
    encoder = pretraining.encoder_of(recipe, all_inputs, context, architecture.reader)
    plan = architecture.plan(recipe, split.labelled, encoder, context)
    with one_thread(), ExitStack() as stack, loop.seeded(derived_seed(recipe.seed, "weights")):
        net = architecture.module(recipe, encoder, split.labelled)
        prior = stack.enter_context(pretraining.pretrained(net, recipe, encoder, split.labelled, context))
        fitted, history = _Training(net, plan, pool, mean_teacher).run()
    return LearnedFit(replace(fitted, cost=prior.cost + fitted.cost), history)


class _Training:
    """The state of one fit."""

    def __init__(self, net: Any, plan: loop.TrainingPlan, pool: Dataset, mean_teacher: bool) -> None:
        self.plan, self.pool, self.mean_teacher = plan, pool, mean_teacher
        device, size = plan.context.device, plan.schedule.batch_size
        self.net = net.to(device).train()
        self.average = copy.deepcopy(self.net).eval()
        self.optimizer = loop.optimizer_of([w for w in net.parameters() if w.requires_grad], plan)
        self.highest = [group["lr"] for group in self.optimizer.param_groups]
        counts = np.bincount(plan.train.labels, minlength=len(plan.train.classes)) / len(plan.train)
        shares = torch.tensor(np.maximum(counts, 1e-6), dtype=torch.float32, device=device)
        self.shares = ClassShares(shares, torch.full_like(shares, 1 / len(shares)))
        self.steps_per_epoch = max(1, math.ceil(len(pool) / (RATIO * size)))
        self.steps, self.step = plan.schedule.epochs * self.steps_per_epoch, 0

    def run(self) -> tuple[FittedNet, tuple[dict[str, float | int | str], ...]]:
        """Train; the net of averaged weights, and a row for each epoch."""
        start, curve, history = time.monotonic(), [], []
        for epoch in range(1, self.plan.schedule.epochs + 1):
            losses = torch.stack([self._step(*batch) for batch in self._batches(epoch)])
            loop.check_time(self.plan, start, f"epoch {epoch} of {self.plan.schedule.epochs}")
            loss, pool_loss, share = losses.mean(0).tolist()
            if not math.isfinite(loss + pool_loss):
                wrong = f"the loss became {loss + pool_loss} in epoch {epoch}"
                raise TrainingError(wrong, "a finite loss", "lower learning_rate")
            curve.append(loss)
            history.append({"epoch": epoch, "loss": loss, "pool_loss": pool_loss, "share_of_pool_counted": share})
        net = self.average.to("cpu")
        return FittedNet(net, self.plan.encoder, tuple(curve), self._cost(net)), tuple(history)

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Labelled inputs and targets, and two views of inputs of the pool, of every step of an epoch."""
        plan, size = self.plan, self.plan.schedule.batch_size
        order = stream(plan.seed, "order", epoch)
        count = self.steps_per_epoch * size
        turns = [order.permutation(len(plan.train)) for _ in range(-(-count // len(plan.train)))]
        labelled = plan.train.take(np.concatenate(turns)[:count])
        inputs = self._view(labelled, weak, "labelled", epoch)
        targets = loop.targets_of(labelled, plan.encoder).to(plan.context.device)
        first = self._view(self.pool, weak, "first", epoch)
        second = self._view(self.pool, weak if self.mean_teacher else strong, "second", epoch)
        pool_rows = torch.from_numpy(order.permutation(len(self.pool)))
        for k, rows in enumerate(pool_rows.split(RATIO * size)):
            batch = slice(k * size, (k + 1) * size)
            yield inputs[batch], targets[batch], first[rows], second[rows]

    def _view(self, dataset: Dataset, view: View, name: str, epoch: int) -> Tensor:
        changed = view(dataset, stream(self.plan.seed, "view", name, epoch))
        return torch.from_numpy(self.plan.encoder(changed)).to(self.plan.context.device)

    def _step(self, inputs: Tensor, targets: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """One update; the loss of the labels, that of the pool, and the share of the pool that counted."""
        self.step += 1
        rate = self.plan.schedule.pace(self.step / self.steps)
        for group, top in zip(self.optimizer.param_groups, self.highest, strict=True):
            group["lr"] = top * rate
        advice = self._advice(first)
        scores = self.net(torch.cat([inputs, second]))
        loss = self.plan.objective.of_answers(scores[: len(inputs)], targets)
        if self.mean_teacher:
            pool_loss, share = mean_teacher_loss(scores[len(inputs) :], advice)
            pool_loss = pool_loss * math.exp(-5 * (1 - min(1.0, self.step / (0.4 * self.steps))) ** 2)
        else:
            pool_loss, share = fixmatch_loss(scores[len(inputs) :], self.shares.align(advice))
        self.optimizer.zero_grad()
        (loss + pool_loss).backward()
        if self.plan.schedule.clip:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.plan.schedule.clip)
        self.optimizer.step(lambda: loss)
        self._follow()
        return torch.stack([loss.detach(), pool_loss.detach(), share.to(loss.device)])

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _advice(self, inputs: Tensor) -> Tensor:
        """Probabilities of the weakly changed inputs: of the net itself, or of its averaged weights."""
        if self.mean_teacher:
            advice: Tensor = self.average(inputs).softmax(-1)
            return advice
        self.net.eval()
        advice = self.net(inputs).softmax(-1)
        self.net.train()
        return advice

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _follow(self) -> None:
        """Move the averaged weights towards those of the net; counts and statistics are copied."""
        share = 1 - min(LONGEST, (1 + self.step) / (10 + self.step))
        for mean, weight in zip(self.average.parameters(), self.net.parameters(), strict=True):
            mean.lerp_(weight, share)
        for mean, buffer in zip(self.average.buffers(), self.net.buffers(), strict=True):
            mean.copy_(buffer)

    def _cost(self, net: Any) -> FitCost:
        """Operations of all steps; a forward pass alone is a third of one with its backward pass."""
        plan = self.plan
        sample = plan.train.take(np.arange(2))
        tensors = torch.from_numpy(plan.encoder(sample.array)), loop.targets_of(sample, plan.encoder)
        per_instance = flops.of_instance(net, plan.objective, tensors)
        pool_inputs = plan.schedule.epochs * len(self.pool) * (1 + 1 / 3)
        instances = self.steps * plan.schedule.batch_size + pool_inputs
        return FitCost(plan.schedule.epochs, self.step, per_instance * instances)


def _unlabelled(split: LabelledPool) -> Dataset:
    """The pool as a dataset; its labels are all 0 and never read."""
    labelled = split.labelled
    zeros = np.zeros(len(split.pool), labelled.labels.dtype)
    return Dataset(split.pool, zeros, labelled.classes, name=labelled.name, modality=labelled.modality)
