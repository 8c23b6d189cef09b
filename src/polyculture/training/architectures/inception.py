"""Inception: modules of parallel convolutions of different sizes.

Where an image is too small for all published halvings of its sides, the first ones are left out.
"""

from __future__ import annotations

from torch import nn

from polyculture.models.encoder import Form

from .convolution_layers import Concatenation, ConvFactory, mean_and_scores
from .stems import as_image

INCEPTION = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        *((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64)),
        *((112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128)),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Channels of each module of each stage (Szegedy et al. 2015, table 1): 1 × 1; before and of 3 × 3, 5 × 5; pooled."""


def inception(
    form: Form, outputs: int, *, width: int = 16, normalization: str = "batch", dropout: float = 0.2
) -> nn.Module:
    """GoogLeNet without its auxiliary outputs (Szegedy et al. 2015): nine modules; published width 64, no norm."""

    def scaled(channels: int) -> int:
        return max(1, channels * width // 64)

    stem, (channels, *sides) = as_image(form)
    factory = ConvFactory(tuple(sides), normalization)
    strides = factory.strides(5)
    pools = [[nn.MaxPool2d(3, 2, padding=1)] * (stride - 1) for stride in strides]
    layers = [stem, factory.convolution(channels, width, 7 if strides[0] == 2 else 3, strides[0]), *pools[1]]
    layers += [factory.convolution(width, width, 1), factory.convolution(width, 3 * width), *pools[2]]
    channels_in = 3 * width
    for stage, pooling in zip(INCEPTION, (pools[3], pools[4], []), strict=True):
        for module in stage:
            one_by_one, before_three, three, before_five, five, pooled = map(scaled, module)
            layers.append(
                _inception(factory, channels_in, (one_by_one, before_three, three, before_five, five, pooled))
            )
            channels_in = one_by_one + three + five + pooled
        layers += pooling
    return nn.Sequential(*layers, *mean_and_scores(channels_in, outputs, dropout))


def _inception(factory: ConvFactory, channels_in: int, channels: tuple[int, ...]) -> nn.Module:
    """Parallel 1 × 1, 3 × 3 and 5 × 5 convolutions and a pooling."""
    one_by_one, before_three, three, before_five, five, pooled = channels
    return Concatenation(
        factory.convolution(channels_in, one_by_one, 1),
        nn.Sequential(factory.convolution(channels_in, before_three, 1), factory.convolution(before_three, three, 3)),
        nn.Sequential(factory.convolution(channels_in, before_five, 1), factory.convolution(before_five, five, 5)),
        nn.Sequential(nn.MaxPool2d(3, 1, padding=1), factory.convolution(channels_in, pooled, 1)),
    )
