"""Nets whose layers stand side by side and put their channels together.

Where an image is too small to be halved as often as published, the first halvings are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polyculture.errors import InputError
from polyculture.models.encoder import Form

if TYPE_CHECKING:
    from .convolution_modules import Kit

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


def inception(form: Form, outputs: int, *, width: int = 16, normalization: str = "batch", dropout: float = 0.2) -> Any:
    """GoogLeNet without its helper outputs (Szegedy et al. 2015): nine modules; published width 64, no norm."""
    from torch import nn

    from .convolution_modules import Kit, mean_and_scores
    from .stems import as_image

    def scaled(channels: int) -> int:
        return max(1, channels * width // 64)

    stem, (channels, *sides) = as_image(form)
    kit = Kit(tuple(sides), normalization)
    strides = kit.strides(5)
    pools = [[nn.MaxPool2d(3, 2, padding=1)] * (stride - 1) for stride in strides]
    layers = [stem, kit.convolution(channels, width, 7 if strides[0] == 2 else 3, strides[0]), *pools[1]]
    layers += [kit.convolution(width, width, 1), kit.convolution(width, 3 * width), *pools[2]]
    inside = 3 * width
    for stage, after in zip(INCEPTION, (pools[3], pools[4], []), strict=True):
        for module in stage:
            one, before_three, three, before_five, five, pooled = map(scaled, module)
            layers.append(_inception(kit, inside, (one, before_three, three, before_five, five, pooled)))
            inside = one + three + five + pooled
        layers += after
    return nn.Sequential(*layers, *mean_and_scores(inside, outputs, dropout))


def _inception(kit: Kit, inside: int, channels: tuple[int, ...]) -> Any:
    """1 × 1, 3 × 3 and 5 × 5 convolutions and a pooling, side by side."""
    from torch import nn

    from .convolution_modules import SideBySide

    one, before_three, three, before_five, five, pooled = channels
    return SideBySide(
        kit.convolution(inside, one, 1),
        nn.Sequential(kit.convolution(inside, before_three, 1), kit.convolution(before_three, three, 3)),
        nn.Sequential(kit.convolution(inside, before_five, 1), kit.convolution(before_five, five, 5)),
        nn.Sequential(nn.MaxPool2d(3, 1, padding=1), kit.convolution(inside, pooled, 1)),
    )


def densenet(
    form: Form, outputs: int, *, width: int = 12, depth: int = 22, normalization: str = "batch", dropout: float = 0.0
) -> Any:
    """DenseNet-BC (Huang et al. 2017): each layer adds `width` channels to all that are before it.

    Depths 10, 16, 22, 28, … (6k + 4) are the nets for small images: three blocks of k layers, published width 12 at
    depth 100. Depths 121, 169 and 201 (published width 32) and 161 (width 48) are those for large ones.
    """
    from torch import nn

    from .convolution_modules import Kit, mean_and_scores
    from .stems import as_image

    blocks = DENSENET.get(depth) or ((depth - 4) // 6,) * 3
    if depth not in DENSENET and (depth < 10 or depth % 6 != 4):
        raise InputError(f"depth of 'densenet' is {depth}", "121, 161, 169, 201 or one of 10, 16, 22, 28, …")
    stem, (channels, *sides) = as_image(form)
    kit = Kit(tuple(sides), normalization)
    inside = 2 * width
    if depth in DENSENET:
        first, second, *strides = kit.strides(5)
        layers = [stem, kit.convolution(channels, inside, 7 if first == 2 else 3, first)]
        layers += [nn.MaxPool2d(3, 2, padding=1)] * (second - 1)
    else:
        strides = kit.strides(2)
        layers = [stem, kit.bare(channels, inside, 3)]
    for repeats, stride in zip(blocks, [*strides, 0], strict=True):
        for _ in range(repeats):
            layers.append(_dense(kit, inside, width))
            inside += width
        layers += [*kit.norm(inside), nn.ReLU()]
        if stride:  # between blocks
            layers += [kit.bare(inside, inside // 2, 1), *[nn.AvgPool2d(2, ceil_mode=True)] * (stride - 1)]
            inside //= 2
    return nn.Sequential(*layers, *mean_and_scores(inside, outputs, dropout))


def _dense(kit: Kit, inside: int, width: int) -> Any:
    """The input and, beside it, `width` channels made of it through a bottleneck four times as wide."""
    from torch import nn

    from .convolution_modules import SideBySide

    made = nn.Sequential(
        *(*kit.norm(inside), nn.ReLU(), kit.bare(inside, 4 * width, 1)),
        *(*kit.norm(4 * width), nn.ReLU(), kit.bare(4 * width, width, 3)),
    )
    return SideBySide(nn.Identity(), made)
