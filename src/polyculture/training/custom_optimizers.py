"""How do the optimizers descend that torch does not have, or not in single precision?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic that brings all singular values near 1 in five steps (Jordan et al. 2024)."""


class Lion(Optimizer):  # type: ignore[misc]
    """Every weight moves by the learning rate along the sign of an interpolated momentum (Chen et al. 2023, alg. 2)."""

    def __init__(self, parameters: Iterable[Any], lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "betas": (0.9, 0.99)})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """One step down the gradients that the closure leaves; its loss."""
        loss = _asked(closure)
        for weight, group, state in _moving(self):
            slow = state.setdefault("momentum", torch.zeros_like(weight))
            near, far = group["betas"]
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.sub_(group["lr"] * (near * slow + (1 - near) * weight.grad).sign())
            slow.lerp_(weight.grad, 1 - far)
        return loss


class Muon(Optimizer):  # type: ignore[misc]
    """Matrices move along their orthogonalized momentum (Jordan et al. 2024), all other weights as Adam moves them.

    Kernels of convolutions are matrices of outputs × all the rest. Others learn at a fifth of the rate.
    """

    def __init__(self, parameters: Iterable[Any], lr: float, weight_decay: float) -> None:
        weights = list(parameters)
        groups = [
            {"params": [w for w in weights if w.ndim >= 2], "lr": lr, "matrices": True},
            {"params": [w for w in weights if w.ndim < 2], "lr": lr / 5, "matrices": False},
        ]
        super().__init__([g for g in groups if g["params"]], {"weight_decay": weight_decay})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """One step down the gradients that the closure leaves; its loss."""
        loss = _asked(closure)
        for weight, group, state in _moving(self):
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            if group["matrices"]:
                slow = state.setdefault("momentum", torch.zeros_like(weight)).lerp_(weight.grad, 0.05)
                move = orthogonal(weight.grad.lerp(slow, 0.95).flatten(1)).view_as(weight)
                stretch = math.sqrt(max(1.0, len(weight) / weight[0].numel()))
                weight.sub_(group["lr"] * stretch * move)
            else:
                weight.sub_(group["lr"] * _adam(weight.grad, state))
        return loss


class Sam(SGD):  # type: ignore[misc]
    """SGD down the gradient at the worst point within `rho` of the weights (Foret et al. 2021, alg. 1)."""

    passes = 2

    def __init__(self, parameters: Iterable[Any], rho: float, **told: Any) -> None:
        super().__init__(parameters, **told)
        self.rho = rho

    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """One step down the gradients that the closure leaves there; the loss where the weights were."""
        loss = _asked(closure)
        moving = [weight for weight, _, _ in _moving(self)]
        kept = [weight.detach().clone() for weight in moving]
        with torch.no_grad():
            length = torch.stack([weight.grad.norm() for weight in moving]).norm()
            for weight in moving:
                weight.add_(weight.grad, alpha=self.rho / (float(length) + 1e-12))
        closure()
        with torch.no_grad():
            for weight, before in zip(moving, kept, strict=True):
                weight.copy_(before)
        super().step()
        return loss


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix (… × a × b) whose singular values are all about 1, by five Newton–Schulz steps."""
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[-2] > matrix.shape[-1]
    found = matrix.mT if tall else matrix
    found = found / found.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = found @ found.mT
        found = a * found + (b * gram + c * gram @ gram) @ found
    return found.mT if tall else found


def _adam(slope: Tensor, state: dict[str, Any]) -> Tensor:
    """Adam's direction (Kingma and Ba 2015), with its usual constants."""
    count = state["count"] = state.get("count", 0) + 1
    first = state.setdefault("first", torch.zeros_like(slope)).lerp_(slope, 0.1)
    second = state.setdefault("second", torch.zeros_like(slope)).mul_(0.999).addcmul_(slope, slope, value=0.001)
    return first / (1 - 0.9**count) / ((second / (1 - 0.999**count)).sqrt() + 1e-8)


def _moving(optimizer: Optimizer) -> list[tuple[Tensor, dict[str, Any], dict[str, Any]]]:
    """Every weight that has a gradient, with its group and its state."""
    return [
        (weight, group, optimizer.state[weight])
        for group in optimizer.param_groups
        for weight in group["params"]
        if weight.grad is not None
    ]


def _asked(closure: Callable[[], Tensor]) -> Tensor:
    with torch.enable_grad():
        return closure()
