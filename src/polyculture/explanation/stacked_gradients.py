"""How are many nets of one structure explained at once? By gradients of one net whose weights have an axis of models.

Along the way from a baseline to an instance the layers before the first activation are affine: they are evaluated at
both ends only, and their transpose is applied once, to the sum of the gradients. Numbers are those of each net alone,
up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from polyculture.models.fitted_net import FittedNet

from .net_inputs import scores

ROWS = 4096
"""Rows of all models in one pass."""
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

    def slopes(self, states: Tensor, targets: Tensor, scale: str) -> Tensor:
        """Gradient of the target's score with respect to outputs of the affine layers, m × rows × …."""
        leaves = states.detach().requires_grad_()
        with torch.enable_grad():
            total = self.values(leaves, targets, scale).sum()
            (gradient,) = torch.autograd.grad(total, leaves)
        return gradient

    def values(self, states: Tensor, targets: Tensor, scale: str) -> Tensor:
        """The target's score, m × rows, from outputs of the affine layers."""
        outputs = self.rest(states)
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
    layers = [layer for layer in _layers(nets[0]) if not isinstance(layer, (nn.Dropout, nn.AlphaDropout))]
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

    Source: Sundararajan, Taly and Yan 2017, equation 1; Gauss-Legendre quadrature. Where attributions do not add up
    to the change of the score within `GAP`, the way of that instance is cut into more steps.
    """
    baselines = baselines.expand_as(inputs)
    values = _integral(nets, inputs, baselines, targets, scale, gauss(steps))
    with torch.no_grad():
        change = nets.values(nets.ends(inputs), targets, scale) - nets.values(nets.ends(baselines), targets, scale)
    for refined in REFINED:
        gaps = (values.flatten(2).sum(dim=2) - change).abs() > GAP * change.abs().clamp(min=1)
        if refined <= steps or not gaps.any():
            continue
        for k, open_rows in enumerate(gaps):
            rows = open_rows.nonzero()[:, 0]
            if len(rows):
                single, row = StackedNets([nets.models[k]]), slice(k, k + 1)
                parts = inputs[row, rows], baselines[row, rows], targets[row, rows]
                values[k, rows] = _integral(single, *parts, scale, midpoints(refined))[0]
    return values


def _integral(
    nets: StackedNets,
    inputs: Tensor,
    baselines: Tensor,
    targets: Tensor,
    scale: str,
    rule: tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]],
) -> Tensor:
    """Mean gradient by a quadrature rule of places in 0 … 1 and weights, times the difference from the baseline."""
    places, weights = (torch.from_numpy(part).float() for part in rule)
    m, n = inputs.shape[:2]
    values = []
    for rows in torch.arange(n).split(max(1, ROWS // (m * min(len(places), 64)))):
        with torch.no_grad():
            start, end = nets.ends(baselines[:, rows]), nets.ends(inputs[:, rows])
        total = torch.zeros_like(start)
        for place, weight in zip(places.split(64), weights.split(64), strict=True):
            shape = (1, 1, len(place), *(1,) * (start.ndim - 2))
            states = torch.lerp(start[:, :, None], end[:, :, None], place.reshape(shape)).flatten(1, 2)
            slopes = nets.slopes(states, targets[:, rows].repeat_interleave(len(place), dim=1), scale)
            total += (slopes.unflatten(1, (len(rows), len(place))) * weight.reshape(shape)).sum(dim=2)
        gradient = nets.transposed(inputs[:, rows], total)
        values.append(gradient * (inputs[:, rows] - baselines[:, rows]))
    return torch.cat(values, dim=1)


@cache
def gauss(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in 0 … 1 and weights of the Gauss-Legendre rule."""
    places, weights = np.polynomial.legendre.leggauss(steps)
    return (places + 1) / 2, weights / 2


@cache
def midpoints(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in 0 … 1 and weights of the midpoint rule, which suits kinks better with many steps."""
    return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)
