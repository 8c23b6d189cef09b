"""Nets over volumes. The slices of an image are its channels: over a grey image this is a net over planes."""

from __future__ import annotations

import math

from torch import nn

from polyculture.models.encoder import Form

from .convolution_layers import ConvFactory, VolumePooling, three_layers
from .stems import as_volume

C3D = (1, 1, 2, 2, 2)
"""Convolutions in each stage (Tran et al. 2015, section 3.2)."""


def c3d(form: Form, outputs: int, *, width: int = 6, normalization: str = "batch", dropout: float = 0.5) -> nn.Module:
    """C3D (Tran et al. 2015): eight 3 × 3 × 3 convolutions and three linear layers; published width 64, no norm.

    Depth is halved with the sides but for the first time. Where a volume is too small to be halved five times the
    first halvings are left out.
    """
    stem, (channels, depth, *sides) = as_volume(form)
    kit = ConvFactory((depth, *sides), normalization)
    layers, strides = [stem], kit.strides(5)
    for stage, (repeats, times) in enumerate(zip(C3D, (1, 2, 4, 8, 8), strict=True)):
        for _ in range(repeats):
            layers.append(kit.convolution(channels, times * width))
            channels = times * width
        layers += [VolumePooling(depth=stage > 0)] * (strides[stage] - 1)
    _, *plane = kit.places(strides)
    flat = channels * kit.places(strides[1:])[0] * math.prod(plane)
    return nn.Sequential(*layers, *three_layers(flat, 64 * width, outputs, dropout))
