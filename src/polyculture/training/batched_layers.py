"""What does a layer of many nets at once do? The same as in each net: m × n × d in, m × n × outputs out."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

ACTIVATIONS = (nn.ReLU, nn.SELU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.Identity)
REGISTER = 16
"""Numbers in the longest register: products come out the same wherever matrices begin at multiples of it."""
ALIGNED = 2 * REGISTER
"""Numbers that kernels take at a time, one by one: what is left over of other sizes, they may round differently."""
SELU_FLOOR = 1.7580993408473766
"""Minus the value that SELU approaches on the left (Klambauer et al. 2017), as torch's AlphaDropout has it."""


def layout(net: nn.Module) -> Hashable | None:
    """The same for nets whose layers can be stacked on each other, different for others; None where a layer cannot."""
    if type(net) is not nn.Sequential:
        return None
    layers = tuple(_of_layer(layer) for layer in net)
    return None if None in layers else layers


def _of_layer(layer: nn.Module) -> Hashable | None:
    if type(layer) is nn.Linear and layer.bias is not None:
        return ("linear", layer.in_features, layer.out_features)
    if type(layer) in (nn.Dropout, nn.AlphaDropout):
        return type(layer).__name__  # members may drop different shares
    flat = type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1)
    return repr(layer) if flat or type(layer) in ACTIVATIONS else None


def through(layers: Sequence[Any], weights: Sequence[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
    """Scores, m × n × outputs, from flat inputs, m × n × d; `weights` are those and where their gradients go."""
    given = iter(weights)
    scores = inputs
    for layer in layers:
        if isinstance(layer, nn.Linear):
            scores = Affine.apply(scores, *next(given), *next(given))
        elif not isinstance(layer, nn.Flatten):
            scores = layer(scores)
    return scores


class Affine(torch.autograd.Function):  # type: ignore[misc]
    """Products with matrices, a vector added, of all members; gradients are put where they are wanted."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, weight_slope: Tensor, bias: Tensor, bias_slope: Tensor
    ) -> Tensor:
        """m × n × d and m × outputs × d → m × n × outputs."""
        ctx.save_for_backward(inputs, weight)
        ctx.slopes = weight_slope, bias_slope
        return torch.baddbmm(bias[:, None], inputs, weight.mT)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the inputs; those of the weights are written down on the way."""
        inputs, weight = ctx.saved_tensors
        of_weight, of_bias = ctx.slopes
        if weight[0].numel() % REGISTER:
            torch.bmm(slope.mT, inputs, out=of_weight)  # one by one, but to aligned places
        else:
            of_weight.copy_(torch.bmm(slope.mT, inputs))
        torch.sum(slope, 1, out=of_bias)
        return torch.bmm(slope, weight) if ctx.needs_input_grad[0] else None, None, None, None, None


class Dropping:
    """Dropout in which every member drops its own share, drawn from its own stream as `nn.Dropout` would."""

    def __init__(self, layers: Sequence[nn.Module], streams: Sequence[torch.Generator], device: str) -> None:
        self.shares, self.streams = [float(layer.p) for layer in layers], streams
        self.alpha = isinstance(layers[0], nn.AlphaDropout)
        self.count, self.kept = 0, torch.zeros(0)
        stretch = [1 / math.sqrt((SELU_FLOOR**2 * p + 1) * (1 - p)) for p in self.shares]
        floor = [SELU_FLOOR * a for a in stretch]
        self.stay, self.stretch, self.floor, self.shift = (
            torch.tensor(values, device=device)[:, None, None]
            for values in (
                [1 - p for p in self.shares],
                stretch,
                floor,
                [f * p for f, p in zip(floor, self.shares, strict=True)],
            )
        )

    def __call__(self, inputs: Tensor) -> Tensor:
        """Inputs, m × n × d, of which the first `count` rows of each member are instances."""
        if not any(self.shares):
            return inputs
        if self.kept.shape != inputs.shape:
            self.kept = torch.ones_like(inputs)
        for kept, share, stream in zip(self.kept, self.shares, self.streams, strict=True):
            if share:
                kept[: self.count].bernoulli_(1 - share, generator=stream)
        if not self.alpha:
            return inputs * (self.kept / self.stay)
        return inputs * (self.kept * self.stretch) + ((self.kept - 1) * self.floor + self.shift)
