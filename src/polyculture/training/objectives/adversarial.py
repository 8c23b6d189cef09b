"""Is a net robust? It is trained on inputs that are perturbed to where its loss is largest, within a small box.

Sizes are in the units of encoded inputs: images run from −1 to 1, features of tables have spread 1. Perturbed inputs
stay between the smallest and the largest number of their batch.
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
    """Cross-entropy of inputs perturbed by one step along the sign of their gradient, and `clean` of it of the inputs.

    Source: Goodfellow, Shlens and Szegedy 2015, § 6.
    """
    check_range("radius", radius, 0)
    check_range("clean", clean, 0, 1)

    def loss(net: Any, inputs: Any, targets: Any) -> Any:
        perturbed = perturb(_loss_of(net, targets), inputs, radius)
        return clean * _loss_of(net, targets)(inputs) + (1 - clean) * _loss_of(net, targets)(perturbed)

    return Objective(log_loss, TASKS, loss, numbers_only=True)


def pgd(*, radius: float = 0.1, ascents: int = 5) -> Objective:
    """Cross-entropy of inputs perturbed by `ascents` gradient steps from a random start (Madry et al. 2018)."""
    check_range("radius", radius, 0)
    check_range("ascents", ascents, 2)

    def loss(net: Any, inputs: Any, targets: Any) -> Any:
        return _loss_of(net, targets)(perturb(_loss_of(net, targets), inputs, radius, ascents))

    return Objective(log_loss, TASKS, loss, numbers_only=True)


def free(*, radius: float = 0.1, replays: int = 4) -> Objective:
    """Cross-entropy of inputs whose perturbation is updated by the gradient that also updates the weights.

    Each batch is used `replays` times in a row, and the number of epochs is divided by it, so that the cost is that of
    ordinary training. The perturbation is carried over from batch to batch (Shafahi et al. 2019, alg. 1).
    """
    check_range("radius", radius, 0)
    check_range("replays", replays, 2)
    return Objective(log_loss, TASKS, _FreeLoss(radius), replays=replays, numbers_only=True)


def perturb(loss_of: Callable[[Any], Any], inputs: Any, radius: float, ascents: int = 1) -> Any:
    """Inputs perturbed by at most `radius` each to increase the loss; a single ascent starts from the inputs."""
    import torch

    low, high = inputs.min(), inputs.max()
    stride = radius if ascents == 1 else 2.5 * radius / ascents
    perturbation = torch.zeros_like(inputs) if ascents == 1 else torch.empty_like(inputs).uniform_(-radius, radius)
    for _ in range(ascents):
        perturbation.requires_grad_()
        (gradient,) = torch.autograd.grad(loss_of((inputs + perturbation).clamp(low, high)), perturbation)
        perturbation = (perturbation.detach() + stride * gradient.sign()).clamp(-radius, radius)
    return (inputs + perturbation).clamp(low, high)


@dataclass
class _FreeLoss:
    """The loss of a batch at the current perturbation, which is updated by its gradient before the next use."""

    radius: float
    perturbation: Any = None

    def __call__(self, net: Any, inputs: Any, targets: Any) -> Any:
        import torch

        if self.perturbation is None:
            self.perturbation = torch.zeros_like(inputs)
        elif self.perturbation.grad is not None:
            update = self.perturbation.detach() + self.radius * self.perturbation.grad.sign()
            self.perturbation = update.clamp(-self.radius, self.radius)
        if len(self.perturbation) < len(inputs):
            padding = torch.zeros_like(inputs[len(self.perturbation) :])
            self.perturbation = torch.cat([self.perturbation.detach(), padding])
        self.perturbation.requires_grad_()
        perturbed = (inputs + self.perturbation[: len(inputs)]).clamp(inputs.min(), inputs.max())
        return _loss_of(net, targets)(perturbed)


def _loss_of(net: Any, targets: Any) -> Callable[[Any], Any]:
    return lambda inputs: average(log_loss(net(inputs), targets), targets)
