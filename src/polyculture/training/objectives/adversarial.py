"""Does a net stand firm? It learns from inputs that were moved to where it errs most, within a small box around each.

Sizes are in the units that nets read: images run from −1 to 1, features of tables have spread 1. Moved inputs stay
between the smallest and the largest number of their batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from polyculture.dataset import Task

from .objective import Objective, average
from .pointwise import check_range, log_loss

TASKS: tuple[Task, ...] = ("classification",)


def fgsm(*, radius: float = 0.1, clean: float = 0.5) -> Objective:
    """Cross-entropy of inputs moved by one step along the sign of their gradient, and `clean` of it of the inputs.

    Source: Goodfellow, Shlens and Szegedy 2015, § 6.
    """
    check_range("radius", radius, 0)
    check_range("clean", clean, 0, 1)

    def loss(net: Any, inputs: Any, targets: Any) -> Any:
        hard = moved(_loss_of(net, targets), inputs, radius)
        return clean * _loss_of(net, targets)(inputs) + (1 - clean) * _loss_of(net, targets)(hard)

    return Objective(log_loss, TASKS, loss, numbers_only=True)


def pgd(*, radius: float = 0.1, ascents: int = 5) -> Objective:
    """Cross-entropy of inputs moved uphill in `ascents` steps from a random start (Madry et al. 2018)."""
    check_range("radius", radius, 0)
    check_range("ascents", ascents, 2)

    def loss(net: Any, inputs: Any, targets: Any) -> Any:
        return _loss_of(net, targets)(moved(_loss_of(net, targets), inputs, radius, ascents))

    return Objective(log_loss, TASKS, loss, numbers_only=True)


def free(*, radius: float = 0.1, replays: int = 4) -> Objective:
    """Cross-entropy of inputs whose move is improved by the very gradient that the weights learn from.

    Each batch is learned from `replays` times in a row, and the training set is gone through so much less often,
    which makes it as cheap as plain training. The move goes on from batch to batch (Shafahi et al. 2019, alg. 1).
    """
    check_range("radius", radius, 0)
    check_range("replays", replays, 2)
    return Objective(log_loss, TASKS, _Free(radius), replays=replays, numbers_only=True)


def moved(loss_of: Callable[[Any], Any], inputs: Any, radius: float, ascents: int = 1) -> Any:
    """Inputs moved by at most `radius` each, to where the loss is higher; one ascent starts from where they are."""
    import torch

    low, high = inputs.min(), inputs.max()
    stride = radius if ascents == 1 else 2.5 * radius / ascents
    move = torch.zeros_like(inputs) if ascents == 1 else torch.empty_like(inputs).uniform_(-radius, radius)
    for _ in range(ascents):
        move.requires_grad_()
        (slope,) = torch.autograd.grad(loss_of((inputs + move).clamp(low, high)), move)
        move = (move.detach() + stride * slope.sign()).clamp(-radius, radius)
    return (inputs + move).clamp(low, high)


@dataclass
class _Free:
    """The loss of a batch at the current move, which is then improved by its gradient before it is used again."""

    radius: float
    move: Any = None

    def __call__(self, net: Any, inputs: Any, targets: Any) -> Any:
        import torch

        if self.move is None:
            self.move = torch.zeros_like(inputs)
        elif self.move.grad is not None:
            further = self.move.detach() + self.radius * self.move.grad.sign()
            self.move = further.clamp(-self.radius, self.radius)
        if len(self.move) < len(inputs):
            more = torch.zeros_like(inputs[len(self.move) :])
            self.move = torch.cat([self.move.detach(), more])
        self.move.requires_grad_()
        place = (inputs + self.move[: len(inputs)]).clamp(inputs.min(), inputs.max())
        return _loss_of(net, targets)(place)


def _loss_of(net: Any, targets: Any) -> Callable[[Any], Any]:
    return lambda inputs: average(log_loss(net(inputs), targets), targets)
