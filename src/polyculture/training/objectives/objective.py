"""What is an objective? A loss of scores against targets, and what else a net is put through while it learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyculture.dataset import Dataset, Task

from ..context import TrainingContext

Loss = Callable[[Any, Any], Any]
"""Scores (… × c) and targets → loss of each instance (…); leading axes of any number, so members can be stacked.

Targets are class codes (…), −1 where there is nothing to tell, or shares of each class (… × c), or numbers (… × 1)."""
Teacher = Callable[[np.ndarray], np.ndarray]
"""Inputs as users have them → n × c probabilities, as of any model."""
CLASSES: tuple[Task, ...] = ("classification", "tagging")


@dataclass(frozen=True)
class Objective:
    """What is minimized. It is made anew for every fit.

    Parameters
    ----------
    of_scores : loss of each instance.
    tasks : that it fits.
    of_batch : from net, inputs and targets to the loss of a batch, where that takes more than the net's scores.
    teach : from training set, seed and setting to a teacher, whose probabilities are put after the targets.
    members : nets that learn together; `of_scores` then gets members × … × c scores.
    replays : how often in a row each batch is learned from.
    numbers_only : whether inputs have to be numbers, not words.
    likelihood : whether it is the probability of the labels, which some nets know better than their scores tell.
    """

    of_scores: Loss
    tasks: tuple[Task, ...] = CLASSES
    of_batch: Callable[[Any, Any, Any], Any] | None = None
    teach: Callable[[Dataset, int, TrainingContext], Teacher] | None = None
    members: int = 1
    replays: int = 1
    numbers_only: bool = False
    likelihood: bool = False

    @property
    def stackable(self) -> bool:
        """Whether it depends on one net's scores and the labels alone."""
        return self.of_batch is None and self.teach is None and self.members == 1

    def __call__(self, net: Any, inputs: Any, targets: Any) -> Any:
        """Mean loss of a batch; of nets that learn together the sum of their means."""
        if self.of_batch is not None:
            return self.of_batch(net, inputs, targets)
        return self.of_answers(net(inputs), targets)

    def of_answers(self, scores: Any, targets: Any) -> Any:
        """Mean loss of these scores; of nets that learn together the sum of their means."""
        losses = self.of_scores(scores, targets)
        return average(losses, targets) if self.members == 1 else average(losses, targets, 1).sum()


def average(losses: Any, targets: Any, leading: int = 0) -> Any:
    """Mean of the losses over all but so many leading axes; what has no target, such as the −1 of tags, is left out."""
    if losses.ndim == leading + 1:
        return losses.mean(-1)
    told = targets.sum(-1) > 0 if targets.is_floating_point() else targets >= 0
    told = told.expand_as(losses).flatten(leading)
    return (losses.flatten(leading) * told).sum(-1) / told.sum(-1).clamp(min=1)


def shares(scores: Any, targets: Any) -> Any:
    """Targets as shares of each class, as many as there are scores; nothing of any where the code is −1."""
    import torch

    if targets.is_floating_point():
        return targets
    codes = targets.expand(scores.shape[:-1])[..., None]
    return torch.zeros_like(scores).scatter(-1, codes.clamp(min=0), 1.0) * (codes >= 0)
