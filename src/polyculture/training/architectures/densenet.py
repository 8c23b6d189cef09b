"""DenseNet: every layer adds channels to all channels before it.

Where an image is too small for all published halvings of its sides, the first ones are left out.
"""

from __future__ import annotations

from torch import nn

from polyculture.errors import InputError
from polyculture.models.encoder import Form

from .convolution_layers import Concatenation, ConvFactory, mean_and_scores
from .stems import as_image

DENSENET = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
"""Layers in each block of the nets for large images, by depth (Huang et al. 2017, table 1)."""


def densenet(
    form: Form, outputs: int, *, width: int = 12, depth: int = 22, normalization: str = "batch", dropout: float = 0.0
) -> nn.Module:
    """DenseNet-BC (Huang et al. 2017): each layer adds `width` channels to all channels before it.

    Depths 10, 16, 22, 28, … (6k + 4) are the nets for small images: three blocks of k layers, published width 12 at
    depth 100. Depths 121, 169 and 201 (published width 32) and 161 (width 48) are those for large ones.
    """
    blocks = DENSENET.get(depth) or ((depth - 4) // 6,) * 3
    if depth not in DENSENET and (depth < 10 or depth % 6 != 4):
        raise InputError(f"depth of 'densenet' is {depth}", "121, 161, 169, 201 or one of 10, 16, 22, 28, …")
    stem, (channels, *sides) = as_image(form)
    factory = ConvFactory(tuple(sides), normalization)
    channels_in = 2 * width
    if depth in DENSENET:
        first, second, *strides = factory.strides(5)
        layers = [stem, factory.convolution(channels, channels_in, 7 if first == 2 else 3, first)]
        layers += [nn.MaxPool2d(3, 2, padding=1)] * (second - 1)
    else:
        strides = factory.strides(2)
        layers = [stem, factory.bare(channels, channels_in, 3)]
    for repeats, stride in zip(blocks, [*strides, 0], strict=True):
        for _ in range(repeats):
            layers.append(_dense(factory, channels_in, width))
            channels_in += width
        layers += [*factory.norm(channels_in), nn.ReLU()]
        if stride:  # between blocks
            layers += [
                factory.bare(channels_in, channels_in // 2, 1),
                *[nn.AvgPool2d(2, ceil_mode=True)] * (stride - 1),
            ]
            channels_in //= 2
    return nn.Sequential(*layers, *mean_and_scores(channels_in, outputs, dropout))


def _dense(factory: ConvFactory, channels_in: int, width: int) -> nn.Module:
    """The input concatenated with `width` channels of it, through a bottleneck four times as wide."""
    bottleneck = nn.Sequential(
        *(*factory.norm(channels_in), nn.ReLU(), factory.bare(channels_in, 4 * width, 1)),
        *(*factory.norm(4 * width), nn.ReLU(), factory.bare(4 * width, width, 3)),
    )
    return Concatenation(nn.Identity(), bottleneck)
