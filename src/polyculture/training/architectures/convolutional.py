"""Convolutional nets without residuals; one-dimensional input is an image of height 1.

Where an image is too small for all published halvings of its sides, the first ones are left out.
"""

from __future__ import annotations

import math

from torch import nn

from polyculture.errors import InputError
from polyculture.models.encoder import Form

from .convolution_layers import Concatenation, ConvFactory, VolumePooling, mean_and_scores, three_layers
from .stems import as_image, as_volume

VGG = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions in each stage, by depth (Simonyan and Zisserman 2015, table 1: A, B, D and E)."""
INCEPTION = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        *((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64)),
        *((112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128)),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Channels of each module of each stage (Szegedy et al. 2015, table 1): 1 × 1; before and of 3 × 3, 5 × 5; pooled."""
DENSENET = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
"""Layers in each block of the nets for large images, by depth (Huang et al. 2017, table 1)."""
C3D = (1, 1, 2, 2, 2)
"""Convolutions in each stage (Tran et al. 2015, section 3.2)."""


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
