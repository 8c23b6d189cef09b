"""What does a layer of many nets at once compute? The same as in each net: m × n × d in, m × n × outputs out."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

ACTIVATIONS = (nn.ReLU, nn.SELU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.Identity)
REGISTER = 16
"""Numbers in the longest register: products are equal wherever matrices begin at multiples of it."""
ALIGNED = 2 * REGISTER
"""Numbers that kernels process at a time: the remainder of other sizes may be rounded differently."""
SELU_FLOOR = 1.7580993408473766
"""Minus the value that SELU approaches on the left (Klambauer et al. 2017), as torch's AlphaDropout has it."""


def layout(net: nn.Module) -> Hashable | None:
    """A key that is equal for nets whose layers can be stacked on each other; None where a layer cannot be stacked."""
    if type(net) is not nn.Sequential:
        return None
    layers = tuple(_layer_key(layer) for layer in net)
    return None if None in layers else layers


def _layer_key(layer: nn.Module) -> Hashable | None:
    if type(layer) is nn.Linear and layer.bias is not None:
        return ("linear", layer.in_features, layer.out_features)
    if type(layer) in (nn.Dropout, nn.AlphaDropout):
        return type(layer).__name__  # members may drop different shares
    flat = type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1)
    return repr(layer) if flat or type(layer) in ACTIVATIONS else None


def forward(layers: Sequence[Any], weights: Sequence[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
    """Scores, m × n × outputs, from flat inputs, m × n × d; `weights` are pairs of weights and their gradients."""
    pairs = iter(weights)
    scores = inputs
    for layer in layers:
        if isinstance(layer, nn.Linear):
            scores = BatchedLinear.apply(scores, *next(pairs), *next(pairs))
        elif not isinstance(layer, nn.Flatten):
            scores = layer(scores)
    return scores


class BatchedLinear(torch.autograd.Function):  # type: ignore[misc]
    """Linear layers of all members, whose gradients are written to the given tensors."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, weight_gradient: Tensor, bias: Tensor, bias_gradient: Tensor
    ) -> Tensor:
        """m × n × d and m × outputs × d → m × n × outputs."""
        ctx.save_for_backward(inputs, weight)
        ctx.gradients = weight_gradient, bias_gradient
        return torch.baddbmm(bias[:, None], inputs, weight.mT)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the inputs; those of the weights are written on the way."""
        inputs, weight = ctx.saved_tensors
        weight_gradient, bias_gradient = ctx.gradients
        if weight[0].numel() % REGISTER:
            torch.bmm(gradient.mT, inputs, out=weight_gradient)  # one by one, but to aligned addresses
        else:
            weight_gradient.copy_(torch.bmm(gradient.mT, inputs))
        torch.sum(gradient, 1, out=bias_gradient)
        return torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None, None, None, None, None


class BatchedDropout:
    """Dropout in which every member has its own rate and its own stream, drawn as by `nn.Dropout`."""

    def __init__(self, layers: Sequence[nn.Module], streams: Sequence[torch.Generator], device: str) -> None:
        self.shares, self.streams = [float(layer.p) for layer in layers], streams
        self.alpha = isinstance(layers[0], nn.AlphaDropout)
        self.count, self.mask = 0, torch.zeros(0)
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
        if self.mask.shape != inputs.shape:
            self.mask = torch.ones_like(inputs)
        for mask, share, stream in zip(self.mask, self.shares, self.streams, strict=True):
            if share:
                mask[: self.count].bernoulli_(1 - share, generator=stream)
        if not self.alpha:
            return inputs * (self.mask / self.stay)
        return inputs * (self.mask * self.stretch) + ((self.mask - 1) * self.floor + self.shift)
