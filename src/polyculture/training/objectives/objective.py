"""What is an objective? A loss of scores against targets, and how batches are used while it is minimized."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from polyculture.dataset import Task

Loss = Callable[[Any, Any], Any]
"""Scores (… × c) and targets → loss of each instance (…); leading axes of any number, so members can be stacked.

Targets are class codes (…), −1 where there is no label, or shares of each class (… × c), or numbers (… × 1)."""
CLASSES: tuple[Task, ...] = ("classification", "tagging")


@dataclass(frozen=True)
class Objective:
    """What a fit minimizes; a new one for every fit.

    Parameters
    ----------
    of_scores : loss of each instance.
    tasks : that it is defined for.
    of_batch : from net, inputs and targets to the loss of a batch, where the net's scores are not enough.
    teacher : architecture whose probabilities are appended to the targets; empty for none.
    members : nets that are trained jointly; `of_scores` then gets members × … × c scores.
    replays : consecutive steps on each batch.
    numbers_only : whether inputs have to be numbers, not words.
    likelihood : whether it is the probability of the labels, for which some nets have a function of their own.
    """

    of_scores: Loss
    tasks: tuple[Task, ...] = CLASSES
    of_batch: Callable[[Any, Any, Any], Any] | None = None
    teacher: str = ""
    members: int = 1
    replays: int = 1
    numbers_only: bool = False
    likelihood: bool = False

    @property
    def stackable(self) -> bool:
        """Whether it depends on one net's scores and the labels alone."""
        return self.of_batch is None and not self.teacher and self.members == 1

    def __call__(self, net: Any, inputs: Any, targets: Any) -> Any:
        """Mean loss of a batch; of jointly trained nets the sum of their means."""
        if self.of_batch is not None:
            return self.of_batch(net, inputs, targets)
        return self.of_answers(net(inputs), targets)

    def of_answers(self, scores: Any, targets: Any) -> Any:
        """Mean loss of these scores; of jointly trained nets the sum of their means."""
        losses = self.of_scores(scores, targets)
        return average(losses, targets) if self.members == 1 else average(losses, targets, 1).sum()


def average(losses: Any, targets: Any, leading: int = 0) -> Any:
    """Mean of the losses over all but the leading axes; positions without a target (−1) are left out."""
    if losses.ndim == leading + 1:
        return losses.mean(-1)
    labelled = targets.sum(-1) > 0 if targets.is_floating_point() else targets >= 0
    labelled = labelled.expand_as(losses).flatten(leading)
    return (losses.flatten(leading) * labelled).sum(-1) / labelled.sum(-1).clamp(min=1)


def shares(scores: Any, targets: Any) -> Any:
    """Targets as shares of each class, in the shape of the scores; all zero where the code is −1."""
    import torch

    if targets.is_floating_point():
        return targets
    codes = targets.expand(scores.shape[:-1])[..., None]
    return torch.zeros_like(scores).scatter(-1, codes.clamp(min=0), 1.0) * (codes >= 0)
