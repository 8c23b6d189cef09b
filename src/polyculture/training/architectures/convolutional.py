"""Plain convolutional nets; one-dimensional input is an image of height 1.

Where an image is too small for all published halvings of its sides, the first ones are left out.
"""

from __future__ import annotations

import math

from torch import nn

from polyculture.errors import InputError
from polyculture.models.encoder import Form

from .convolution_layers import ConvFactory, three_layers
from .stems import as_image

VGG = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions in each stage, by depth (Simonyan and Zisserman 2015, table 1: A, B, D and E)."""


def lenet(form: Form, outputs: int, *, width: int = 16, normalization: str = "none", dropout: float = 0.1) -> nn.Module:
    """Two convolutions with pooling, then two linear layers (after LeCun et al. 1998)."""
    stem, (channels, height, breadth) = as_image(form)
    norm = ConvFactory((height, breadth), normalization).norm
    flat = 2 * width * (-(-height // 4)) * (-(-breadth // 4))
    return nn.Sequential(
        stem,
        *(nn.Conv2d(channels, width, 3, padding=1), *norm(width), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)),
        *(nn.Conv2d(width, 2 * width, 3, padding=1), *norm(2 * width), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)),
        *(nn.Flatten(), nn.Dropout(dropout)),
        *(nn.Linear(flat, 4 * width), nn.ReLU(), nn.Dropout(dropout)),
        nn.Linear(4 * width, outputs),
    )


def lenet5(form: Form, outputs: int, *, width: int = 6, dropout: float = 0.0) -> nn.Module:
    """LeNet-5 (LeCun et al. 1998, section II.B): tanh, mean pooling, 6, 16, 120 and 84 units at width 6.

    Every map of the third layer sees every map of the second. Sides under 32 (then under 10) are padded by two.
    """
    stem, (channels, *sides) = as_image(form)
    layers, in_channels = [stem], channels
    for out_channels, minimum in ((width, 32), (width * 8 // 3, 10)):
        padding = [0 if side >= minimum else 2 for side in sides]
        layers += [nn.Conv2d(in_channels, out_channels, 5, padding=padding), nn.Tanh(), nn.AvgPool2d(2, ceil_mode=True)]
        sides = [-(-(side - 4 + 2 * pad) // 2) for side, pad in zip(sides, padding, strict=True)]
        in_channels = out_channels
    return nn.Sequential(
        *layers,
        *(nn.Flatten(), nn.Linear(in_channels * math.prod(sides), 20 * width), nn.Tanh(), nn.Dropout(dropout)),
        *(nn.Linear(20 * width, 14 * width), nn.Tanh(), nn.Dropout(dropout)),
        nn.Linear(14 * width, outputs),
    )


def alexnet(
    form: Form, outputs: int, *, width: int = 8, normalization: str = "batch", dropout: float = 0.5
) -> nn.Module:
    """AlexNet on one device (Krizhevsky 2014): five convolutions, three linear layers; published width 64."""
    stem, (channels, *sides) = as_image(form)
    factory = ConvFactory(tuple(sides), normalization)
    strides = factory.strides(5)
    jump = strides[0] * strides[1]
    small = [nn.MaxPool2d(3, 2, padding=1)]  # ⌈side / 2⌉
    sides = list(factory.places(strides[:-1]))
    padding = tuple(0 if side > 2 else 1 for side in sides)
    if strides[-1] == 2:  # 6 × 6 places are left of 224 × 224
        sides = [(side + 2 * pad - 3) // 2 + 1 for side, pad in zip(sides, padding, strict=True)]
    return nn.Sequential(
        stem,
        *(factory.convolution(channels, width, {1: 3, 2: 5, 4: 11}[jump], jump), *small * (strides[2] - 1)),
        *(factory.convolution(width, 3 * width, 5), *small * (strides[3] - 1)),
        *(factory.convolution(3 * width, 6 * width), factory.convolution(6 * width, 4 * width)),
        *(factory.convolution(4 * width, 4 * width), *[nn.MaxPool2d(3, 2, padding)] * (strides[4] - 1)),
        *three_layers(4 * width * math.prod(sides), 64 * width, outputs, dropout),
    )


def vgg(
    form: Form, outputs: int, *, width: int = 8, depth: int = 11, normalization: str = "batch", dropout: float = 0.5
) -> nn.Module:
    """VGG (Simonyan and Zisserman 2015) of depth 11, 13, 16 or 19: 3 × 3 convolutions; published width 64, no norm."""
    if depth not in VGG:
        raise InputError(f"depth of 'vgg' is {depth}", "11, 13, 16 or 19")
    stem, (channels, *sides) = as_image(form)
    factory = ConvFactory(tuple(sides), normalization)
    strides = factory.strides(5)
    layers = [stem]
    for repeats, times, stride in zip(VGG[depth], (1, 2, 4, 8, 8), strides, strict=True):
        for _ in range(repeats):
            layers.append(factory.convolution(channels, times * width))
            channels = times * width
        layers += [nn.MaxPool2d(2, ceil_mode=True)] if stride == 2 else []
    return nn.Sequential(
        *layers, *three_layers(channels * math.prod(factory.places(strides)), 64 * width, outputs, dropout)
    )
