"""Which weights does a fit end with? The last ones, a mean over steps, or those of the best epoch."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .schedule import AVERAGED_FROM, CYCLES, Schedule

LONGEST = 0.99
"""Decay of the moving average, reached after about a thousand steps."""


class WeightAverage:
    """A running mean of a net's weights; empty where the schedule's averaging is "none"."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.count = schedule, 0
        self.weights: list[Tensor] = []

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def update(self, net: nn.Module, step: int, steps: int) -> None:
        """Add the weights after this step, if it is one of those that are averaged."""
        share = self._share(step, steps)
        if share == 0:
            return
        self.count += 1
        if not self.weights:
            self.weights = [weight.clone() for weight in net.parameters()]
        for mean, weight in zip(self.weights, net.parameters(), strict=True):
            mean.lerp_(weight, share)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def apply(self, net: nn.Module, inputs: Tensor, batch_size: int) -> None:
        """Set the net to its mean weights, and batch normalization to the statistics that belong to them."""
        if not self.count:
            return
        for mean, weight in zip(self.weights, net.parameters(), strict=True):
            weight.copy_(mean)
        refresh(net, inputs, batch_size)

    def _share(self, step: int, steps: int) -> float:
        """Share of the weights after this step in the mean so far."""
        if self.schedule.averaging == "ema":
            return 1 - min(LONGEST, (1 + step) / (10 + step))
        if self.schedule.averaging == "none" or step <= AVERAGED_FROM[self.schedule.averaging] * steps:
            return 0.0
        rounds = CYCLES if self.schedule.averaging == "snapshot" else self.schedule.epochs
        return 1 / (self.count + 1) if step * rounds // steps > (step - 1) * rounds // steps else 0.0


def refresh(net: nn.Module, inputs: Tensor, batch_size: int) -> None:
    """Recompute the means and variances of batch normalization, in one pass over the inputs."""
    layers = [layer for layer in net.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    net.eval()  # no dropout: the statistics are those of prediction
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over the batches
        layer.train()
    for batch in inputs.split(batch_size):
        net(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    net.train()


class BestWeights:
    """The weights of the epoch with the lowest held-out loss, and whether to continue."""

    def __init__(self, patience: int) -> None:
        self.patience, self.waited, self.lowest = patience, 0, math.inf
        self.state: dict[str, Any] = {}

    def update(self, net: nn.Module, loss: float) -> bool:
        """Compare one epoch; true if training should stop."""
        if loss < self.lowest or not self.state:
            self.lowest, self.waited = loss, 0
            self.state = {name: value.clone() for name, value in net.state_dict().items()}
        else:
            self.waited += 1
        return self.waited >= self.patience

    def apply(self, net: nn.Module) -> None:
        """Set the net to its best weights, if there are any."""
        if self.state:
            net.load_state_dict(self.state)
