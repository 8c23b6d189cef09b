"""Where in an image are the channels that speak for the class? Grad-CAM, for nets with convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int, Shaped
from torch import Tensor, nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet

from .net_inputs import encoded, scores
from .options import ExplainOptions

BATCH = 256
"""Rows per pass."""


def grad_cam(
    models: Mapping[str, FittedNet],
    inputs: Shaped[np.ndarray, "n ..."],
    targets: Int[np.ndarray, "m n"],
    background: Dataset,  # noqa: ARG001
    options: ExplainOptions,
) -> Float32[np.ndarray, "m n d"]:
    """Activations of the last convolution, weighted by the mean gradient of each channel; positive part, interpolated.

    Source: Selvaraju et al. 2017, equations 1 and 2. Raises InputError for a net without convolutions.
    """
    values = []
    for codes, (name, model) in zip(torch.from_numpy(targets), models.items(), strict=True):
        layer, rows = last_convolution(name, model), encoded(model.encoder, inputs)
        parts = zip(rows.split(BATCH), codes.split(BATCH), strict=True)
        maps = torch.cat([_map(model, layer, part, batch, options.scale) for part, batch in parts])
        sides = rows.shape[2:]
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[maps.ndim - 1]
        if maps.ndim - 1 < len(sides):  # slices of a volume as channels: the same map for all of them
            plane = nn.functional.interpolate(maps[:, None], tuple(sides[1:]), mode=mode)
            large = plane.expand(-1, sides[0], -1, -1) / sides[0]
        else:
            large = nn.functional.interpolate(maps[:, None], tuple(sides), mode=mode)[:, 0]
        values.append(large.flatten(1).numpy())
    return np.stack(values).astype(np.float32)


def last_convolution(name: str, model: FittedNet) -> nn.Module:
    """The last convolution over places; InputError for a net without one, or one that only cuts patches."""
    layers = [layer for layer in model.net.modules() if isinstance(layer, (nn.Conv2d, nn.Conv3d))]
    if any(isinstance(layer, nn.MultiheadAttention) for layer in model.net.modules()):
        layers = [layer for layer in layers if layer.kernel_size != layer.stride]
    if not layers:
        raise InputError(
            f"Grad-CAM of the model {name!r}, a net without convolutions",
            "a net with convolutions, such as 'lenet'",
            "use integrated-gradients",
        )
    return layers[-1]


def _map(model: FittedNet, layer: nn.Module, rows: Tensor, targets: Tensor, scale: str) -> Tensor:
    """Weighted sum of the channels at each place of the layer's output: n × places."""
    outputs: list[Tensor] = []

    def keep(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        outputs.append(output if output.requires_grad else output.detach().requires_grad_())
        return outputs[-1]

    hook = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            values = scores(model, model.net.eval()(rows), targets, scale)
            (slopes,) = torch.autograd.grad(values.sum(), outputs[-1])
    finally:
        hook.remove()
    weights = slopes.flatten(2).mean(dim=2).reshape(*slopes.shape[:2], *(1,) * (slopes.ndim - 2))
    activations: Tensor = (weights * outputs[-1].detach()).sum(dim=1)
    return activations.relu()
