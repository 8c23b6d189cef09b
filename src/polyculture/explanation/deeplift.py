"""How is a difference from the baseline handed down through a net? DeepLift, where all its layers have a rule.

Every activation and pooling has its rule at each of its uses, so that layers that are used twice do no harm; operations
without one, such as activations that are functions, show in attributions that do not add up, which are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int, Shaped
from torch import Tensor, nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet

from .net_inputs import encoded, encoded_baseline, features_of, scores
from .options import ExplainOptions
from .stacked_gradients import GAP, step_weights

BATCH = 128
"""Rows per pass."""
ELEMENTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus),
    *(nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Hardtanh),
)
POOLING = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
WITHOUT_RULE = (nn.RNNBase, nn.MultiheadAttention, nn.LayerNorm, nn.GroupNorm, nn.Softmax, nn.LogSoftmax, nn.GLU)
POOL_STEPS = 16
"""Steps along the way of a pooling, whose maximum has at most as many kinks as a window has places."""
SMALL = 1e-6
"""Differences of an activation's input below this have its derivative for a slope."""
CURE = "use integrated-gradients, which is complete for every net"


def deeplift(
    models: Mapping[str, FittedNet],
    inputs: Shaped[np.ndarray, "n ..."],
    targets: Int[np.ndarray, "m n"],
    background: Dataset,
    options: ExplainOptions,
) -> Float32[np.ndarray, "m n d"]:
    """Contributions to the difference from the baseline by the rescale rule; a maximum shares as along a straight way.

    They add up to the change of the score. Source: Shrikumar, Greenside and Kundaje 2017, section 3.5.1.

    Raises InputError for nets with layers without a rule, and where contributions do not add up.
    """
    values = []
    for codes, (name, model) in zip(torch.from_numpy(targets), models.items(), strict=True):
        for layer in model.net.modules():
            if isinstance(layer, WITHOUT_RULE):
                wrong = f"DeepLift of the model {name!r}, which has a layer {type(layer).__name__}"
                raise InputError(wrong, "layers that it has a rule for", CURE)
        rows, baseline = encoded(model.encoder, inputs), encoded_baseline(model.encoder, background, options)
        with torch.no_grad():
            start = scores(model, model.net.eval()(baseline).expand(len(rows), -1), codes, options.scale)
        parts = zip(rows.split(BATCH), codes.split(BATCH), start.split(BATCH), strict=True)
        contributions = [_contributions(name, model, baseline, *part) for part in parts]
        values.append(features_of(model.encoder, torch.cat(contributions)))
    return np.stack(values).astype(np.float32)


def _contributions(
    name: str, model: FittedNet, baseline: Tensor, rows: Tensor, targets: Tensor, start: Tensor
) -> Tensor:
    """Contributions of encoded numbers; InputError where they do not add up to the score less that of the baseline."""
    leaves = torch.cat([rows, baseline.expand_as(rows)]).requires_grad_()
    with torch.enable_grad(), _rules(model.net):
        values = scores(model, model.net(leaves)[: len(rows)], targets, "logit")
        (multipliers,) = torch.autograd.grad(values.sum(), leaves)
    contributions: Tensor = multipliers[: len(rows)] * (rows - baseline)
    change = values.detach() - start
    gap = ((contributions.flatten(1).sum(dim=1) - change).abs() / change.abs().clamp(min=1)).max().item()
    if gap > GAP:
        wrong = f"DeepLift of the model {name!r}, which misses {100 * gap:.2g} % of the change of a score"
        raise InputError(wrong, "activations that are layers, not functions such as torch.relu", CURE)
    return contributions


@contextmanager
def _rules(net: nn.Module) -> Iterator[None]:
    """Activations and poolings hand down differences instead of gradients inside."""
    layers = [layer for layer in net.modules() if isinstance(layer, ELEMENTWISE + POOLING)]
    for layer in layers:
        rule = _Pooling if isinstance(layer, POOLING) else _Rescale
        layer.forward = partial(rule.apply, layer.forward)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


class _Rescale(torch.autograd.Function):  # type: ignore[misc]
    """An elementwise function whose slope is that of the secant from the baseline; rows, then as many baselines."""

    @staticmethod
    def forward(ctx: Any, function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """The function's values."""
        outputs = function(inputs.clone())  # which may change its input in place
        ctx.function = function
        ctx.save_for_backward(inputs, outputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[None, Tensor]:
        """Gradient × secant; 0 for the baselines."""
        inputs, outputs = ctx.saved_tensors
        rows, baselines = inputs.chunk(2)
        ends, starts = outputs.chunk(2)
        differences = rows - baselines
        leaves = rows.detach().requires_grad_()
        with torch.enable_grad():
            (derivative,) = torch.autograd.grad(ctx.function(leaves.clone()).sum(), leaves)
        tiny = differences.abs() < SMALL
        secants = torch.where(tiny, derivative, (ends - starts) / differences.masked_fill(tiny, 1.0))
        return None, torch.cat([slopes.chunk(2)[0] * secants, torch.zeros_like(rows)])


class _Pooling(torch.autograd.Function):  # type: ignore[misc]
    """A maximum, each place of which has the share of the straight way from the baseline on which it is the largest."""

    @staticmethod
    def forward(ctx: Any, function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """The maxima."""
        ctx.function = function
        ctx.save_for_backward(inputs)
        return function(inputs)

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[None, Tensor]:
        """Gradient × share; 0 for the baselines."""
        rows, baselines = ctx.saved_tensors[0].chunk(2)
        places = torch.linspace(0, 1, POOL_STEPS + 1)
        with torch.enable_grad():
            states = [torch.lerp(baselines, rows, place).requires_grad_() for place in places]
            maxima = [ctx.function(state) for state in states]
            directions = [
                _derivative(maximum, state, rows - baselines) for maximum, state in zip(maxima, states, strict=True)
            ]
        weights = step_weights(torch.stack(maxima, dim=-1).detach(), torch.stack(directions, dim=-1))
        incoming = slopes.chunk(2)[0]
        total = torch.zeros_like(rows)
        for state, maximum, weight in zip(states, maxima, weights.unbind(dim=-1), strict=True):
            total += torch.autograd.grad(maximum, state, incoming * weight)[0]
        return None, torch.cat([total, torch.zeros_like(rows)])


def _derivative(outputs: Tensor, inputs: Tensor, direction: Tensor) -> Tensor:
    """Derivative of every output in a direction of the inputs, by the gradient of a gradient."""
    factors = torch.ones_like(outputs, requires_grad=True)
    (slopes,) = torch.autograd.grad(outputs, inputs, factors, create_graph=True)
    derivative: Tensor = torch.autograd.grad((slopes * direction).sum(), factors)[0]
    return derivative
