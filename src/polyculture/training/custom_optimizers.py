"""Which optimizers does torch not have, or not in single precision? Lion, Muon and SAM."""

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
        """One step along the gradients of the closure; its loss."""
        loss = _evaluate(closure)
        for weight, group, state in _with_gradient(self):
            momentum = state.setdefault("momentum", torch.zeros_like(weight))
            update, decay = group["betas"]
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            weight.sub_(group["lr"] * (update * momentum + (1 - update) * weight.grad).sign())
            momentum.lerp_(weight.grad, 1 - decay)
        return loss


class Muon(Optimizer):  # type: ignore[misc]
    """Matrices move along their orthogonalized momentum (Jordan et al. 2024), all other weights as Adam moves them.

    Kernels of convolutions are matrices of outputs × inputs and places. Other weights have a fifth of the rate.
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
        """One step along the gradients of the closure; its loss."""
        loss = _evaluate(closure)
        for weight, group, state in _with_gradient(self):
            weight.mul_(1 - group["lr"] * group["weight_decay"])
            if group["matrices"]:
                momentum = state.setdefault("momentum", torch.zeros_like(weight)).lerp_(weight.grad, 0.05)
                move = orthogonal(weight.grad.lerp(momentum, 0.95).flatten(1)).view_as(weight)
                stretch = math.sqrt(max(1.0, len(weight) / weight[0].numel()))
                weight.sub_(group["lr"] * stretch * move)
            else:
                weight.sub_(group["lr"] * _adam(weight.grad, state))
        return loss


class Sam(SGD):  # type: ignore[misc]
    """SGD down the gradient at the worst point within `rho` of the weights (Foret et al. 2021, alg. 1)."""

    passes = 2

    def __init__(self, parameters: Iterable[Any], rho: float, **settings: Any) -> None:
        super().__init__(parameters, **settings)
        self.rho = rho

    def step(self, closure: Callable[[], Tensor]) -> Tensor:
        """One step along the gradients of the closure at that point; the loss at the current weights."""
        loss = _evaluate(closure)
        weights = [weight for weight, _, _ in _with_gradient(self)]
        start = [weight.detach().clone() for weight in weights]
        with torch.no_grad():
            length = torch.stack([weight.grad.norm() for weight in weights]).norm()
            for weight in weights:
                weight.add_(weight.grad, alpha=self.rho / (float(length) + 1e-12))
        closure()
        with torch.no_grad():
            for weight, original in zip(weights, start, strict=True):
                weight.copy_(original)
        super().step()
        return loss


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest matrix (… × a × b) whose singular values are all about 1, by five Newton–Schulz steps."""
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[-2] > matrix.shape[-1]
    result = matrix.mT if tall else matrix
    result = result / result.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = result @ result.mT
        result = a * result + (b * gram + c * gram @ gram) @ result
    return result.mT if tall else result


def _adam(gradient: Tensor, state: dict[str, Any]) -> Tensor:
    """Adam's direction (Kingma and Ba 2015), with its usual constants."""
    count = state["count"] = state.get("count", 0) + 1
    first = state.setdefault("first", torch.zeros_like(gradient)).lerp_(gradient, 0.1)
    second = (
        state.setdefault("second", torch.zeros_like(gradient)).mul_(0.999).addcmul_(gradient, gradient, value=0.001)
    )
    return first / (1 - 0.9**count) / ((second / (1 - 0.999**count)).sqrt() + 1e-8)


def _with_gradient(optimizer: Optimizer) -> list[tuple[Tensor, dict[str, Any], dict[str, Any]]]:
    """Every weight that has a gradient, with its group and its state."""
    return [
        (weight, group, optimizer.state[weight])
        for group in optimizer.param_groups
        for weight in group["params"]
        if weight.grad is not None
    ]


def _evaluate(closure: Callable[[], Tensor]) -> Tensor:
    with torch.enable_grad():
        return closure()
