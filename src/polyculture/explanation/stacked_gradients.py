"""How are many nets of one structure explained at once? By gradients of one net whose weights have an axis of models.

Along the way from a baseline to an instance the layers before the first activation are affine: they are evaluated at
both ends only, and their transpose is applied once, to the sum of the gradients. Numbers are those of each net alone,
up to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn

from polyculture.models.fitted_net import FittedNet

from .net_inputs import scores

ROWS = 1024
"""Rows of all models in one pass: more leave the cache."""
AFFINE = (
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.Dropout,
    nn.AlphaDropout,
)
DENSE = (
    nn.Linear,
    nn.Identity,
    nn.Flatten,
    nn.ReLU,
    nn.SELU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.LeakyReLU,
    nn.Dropout,
    nn.AlphaDropout,
)
GAP = 1e-3
"""Largest difference between the sum of attributions and the change of the score, in multiples of it or of 1."""
REFINED = (256, 1024, 4096)
"""Steps for instances whose gap is larger, one number after another."""


class StackedNets:
    """Nets of one structure as affine layers, each net's own, and the remaining layers, of all nets at once.

    Parameters
    ----------
    models : of one structure; see `kinds.structure_of`. One net may have any structure.
    """

    def __init__(self, models: Sequence[FittedNet]) -> None:
        self.models = list(models)
        halves = [_halves(model.net.eval()) for model in models]
        dense = all(isinstance(layer, DENSE) for layer in _layers(halves[0][1]))
        self.threads = os.cpu_count() if dense or len(halves) == 1 else 1  # torch.func changes the net as it is called
        self.affine = [first for first, _ in halves]
        self.rest = _stacked([second for _, second in halves])

    def ends(self, inputs: Tensor) -> Tensor:
        """Outputs of the affine layers, m × n × …, from encoded inputs, m × n × …."""
        return torch.stack([layers(rows) for layers, rows in zip(self.affine, inputs, strict=True)])

    def transposed(self, inputs: Tensor, slopes: Tensor) -> Tensor:
        """Gradient with respect to encoded inputs from that with respect to the outputs of the affine layers."""
        leaves = inputs.detach().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(self.ends(leaves), leaves, slopes)
        return gradient

    def slopes(self, states: Tensor, targets: Tensor, scale: str) -> tuple[Tensor, Tensor]:
        """Scores of the targets, m × rows, and their gradient with respect to outputs of the affine layers."""
        leaves = states.detach().requires_grad_()
        with torch.enable_grad():
            outputs = self.rest(leaves)
            if scale == "logit" and outputs.shape[-1] > 1:  # linear in the outputs: their gradient is known
                direction = torch.full_like(outputs, -1 / (outputs.shape[-1] - 1))
                direction.scatter_(-1, targets[..., None], 1.0)
                return (outputs.detach() * direction).sum(-1), torch.autograd.grad(outputs, leaves, direction)[0]
            values = self._scores(outputs, targets, scale)
            return values.detach(), torch.autograd.grad(values.sum(), leaves)[0]

    def values(self, inputs: Tensor, targets: Tensor, scale: str) -> Tensor:
        """Scores of the targets, m × n, from encoded inputs."""
        with torch.no_grad():
            return self._scores(self.rest(self.ends(inputs)), targets, scale)

    def _scores(self, outputs: Tensor, targets: Tensor, scale: str) -> Tensor:
        pairs = zip(self.models, outputs, targets, strict=True)
        return torch.stack([scores(model, rows, codes, scale) for model, rows, codes in pairs])


def _halves(net: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The layers before the first activation, if the net is a sequence of layers, and the others."""
    layers = _layers(net)
    count = next((k for k, layer in enumerate(layers) if not _affine(layer)), len(layers))
    if type(net) is not nn.Sequential or not any(list(layer.parameters()) for layer in layers[:count]):
        return nn.Identity(), net
    return nn.Sequential(*layers[:count]), nn.Sequential(*layers[count:])


def _affine(layer: nn.Module) -> bool:
    return isinstance(layer, AFFINE) or type(layer).__name__ in ("BatchNorm2d", "BatchNorm3d", "FeatureNorm", "Permute")


def _layers(net: nn.Module) -> list[nn.Module]:
    """The layers of sequences within sequences, one after another."""
    return [net] if type(net) is not nn.Sequential else [layer for part in net for layer in _layers(part)]


def _stacked(nets: Sequence[nn.Module]) -> Callable[[Tensor], Tensor]:
    """All nets as a function from m × rows × … to m × rows × outputs."""
    if len(nets) == 1:
        return lambda states: nets[0](states[0])[None]
    layers = _layers(nets[0])
    if not all(isinstance(layer, DENSE) for layer in layers):
        weights, buffers = torch.func.stack_module_state(list(nets))
        weights = {name: weight.detach() for name, weight in weights.items()}

        def output(own_weights: Any, own_buffers: Any, states: Tensor) -> Any:
            return torch.func.functional_call(nets[0], (own_weights, own_buffers), (states,))

        return lambda states: torch.func.vmap(output)(weights, buffers, states)
    return _dense(layers, nets)


def _dense(layers: Sequence[nn.Module], nets: Sequence[nn.Module]) -> Callable[[Tensor], Tensor]:
    """The same for fully connected layers, by products of stacked matrices."""
    linear = [[layer for layer in _layers(net) if isinstance(layer, nn.Linear)] for net in nets]
    pairs = [
        (
            torch.stack([layer.weight.detach() for layer in rows]).mT,
            torch.stack([torch.zeros(1) if layer.bias is None else layer.bias.detach() for layer in rows])[:, None],
        )
        for rows in zip(*linear, strict=True)
    ]

    def output(states: Tensor) -> Tensor:
        remaining = iter(pairs)
        for layer in layers:
            if isinstance(layer, nn.Linear):
                weight, bias = next(remaining)
                states = torch.baddbmm(bias, states, weight)
            else:
                states = layer(states) if not isinstance(layer, nn.Flatten) else states.flatten(2)
        return states

    return output


def integrate(nets: StackedNets, inputs: Tensor, baselines: Tensor, targets: Tensor, scale: str, steps: int) -> Tensor:
    """Integrated gradients of every net, m × n × …, from encoded inputs m × n × … and baselines m × 1 × ….

    Where attributions do not add up to the change of the score within `GAP`, the way of that instance is cut into more
    steps. Source: Sundararajan, Taly and Yan 2017, equation 1; quadrature by `step_weights`.
    """
    baselines = baselines.expand_as(inputs)
    values = _integral(nets, inputs, baselines, targets, scale, steps)
    change = nets.values(inputs, targets, scale) - nets.values(baselines, targets, scale)
    for refined in REFINED:
        gaps = (values.flatten(2).sum(dim=2) - change).abs() > GAP * change.abs().clamp(min=1)
        if refined <= steps:
            continue
        for k, open_rows in enumerate(gaps):
            rows = open_rows.nonzero()[:, 0]
            if len(rows):
                single, row = StackedNets([nets.models[k]]), slice(k, k + 1)
                parts = inputs[row, rows], baselines[row, rows], targets[row, rows]
                values[k, rows] = _integral(single, *parts, scale, refined)[0]
    return values


def step_weights(values: Tensor, slopes: Tensor) -> Tensor:
    """Weight of the gradient at each of k + 1 equally spaced places in 0 … 1, which integrate it: … × (k + 1).

    Along a straight way a net with ReLU is linear up to a kink, and linear after it. Both gradients are known, and the
    change of the score over the step tells where between them the kink is: with that share of the step for the one and
    the rest for the other, a step with one kink is exact. In smooth nets the shares are nearly halves, which is the
    trapezoidal rule.

    Parameters
    ----------
    values : the score at each place.
    slopes : its derivative along the way at each place.
    """
    steps = values.shape[-1] - 1
    first, second = slopes[..., :-1], slopes[..., 1:]
    bend = first - second
    flat = bend.abs() <= 1e-4 * slopes.abs().amax(dim=-1, keepdim=True)
    secant = (values[..., 1:] - values[..., :-1]) * steps
    shares = ((secant - second) / bend).masked_fill(flat, 0.5).clamp(0, 1)
    weights = torch.zeros_like(values)
    weights[..., :-1] += shares / steps
    weights[..., 1:] += (1 - shares) / steps
    return weights


def _integral(nets: StackedNets, inputs: Tensor, baselines: Tensor, targets: Tensor, scale: str, steps: int) -> Tensor:
    """Mean gradient along the way in this number of steps, times the difference from the baseline."""
    m, n = inputs.shape[:2]
    places = torch.linspace(0, 1, steps + 1)

    def part(rows: Tensor) -> Tensor:
        with torch.no_grad():
            start, end = nets.ends(baselines[:, rows])[:, :, None], nets.ends(inputs[:, rows])[:, :, None]
        shape = (1, 1, len(places), *(1,) * (start.ndim - 3))
        states = torch.lerp(start, end, places.reshape(shape)).flatten(1, 2)
        codes = targets[:, rows].repeat_interleave(len(places), dim=1)
        values, slopes = (x.unflatten(1, (len(rows), len(places))) for x in nets.slopes(states, codes, scale))
        slopes = slopes.flatten(3)
        weights = step_weights(values, (slopes @ (end - start).flatten(3).mT)[..., 0])
        mean = (weights[:, :, None] @ slopes).reshape(start.squeeze(2).shape)
        return nets.transposed(inputs[:, rows], mean) * (inputs[:, rows] - baselines[:, rows])

    with ThreadPoolExecutor(nets.threads) as pool:
        return torch.cat(list(pool.map(part, torch.arange(n).split(max(1, ROWS // (m * len(places)))))), dim=1)
