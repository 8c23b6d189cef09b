"""Residual nets: layers add to their input, so that nets can be deep.

Where an image is too small for all published halvings of its sides, the first ones are left out.
"""

from __future__ import annotations

from torch import nn

from polyculture.errors import InputError
from polyculture.models.encoder import Form

from .convolution_layers import ConvFactory, Residual, mean_and_scores
from .stems import as_image

RESNET = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Blocks in each stage of the nets for large images, by depth (He et al. 2016, table 1)."""
MOBILENET = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)
"""Widening, channels, blocks and stride of each stage (Sandler et al. 2018, table 2)."""


def resnet(
    form: Form,
    outputs: int,
    *,
    width: int = 16,
    depth: int = 14,
    normalization: str = "batch",
    dropout: float = 0.0,
) -> nn.Module:
    """A residual net (He et al. 2016); `width` is the channels of the first stage.

    Depths 8, 14, 20, 26, 32, … (6k + 2) are the nets for small images: three stages of k blocks, published width 16.
    Depths 18, 34, 50, 101 and 152 are those for large ones: four stages, from 50 on of bottlenecks, published width 64.
    Shortcuts between stages are 1 × 1 convolutions.
    """
    blocks = RESNET.get(depth) or (depth // 6,) * 3
    if depth not in RESNET and (depth < 8 or depth % 6 != 2):
        raise InputError(f"depth of 'resnet' is {depth}", "18, 34, 50, 101, 152 or one of 8, 14, 20, 26, …")
    stem, (channels, *sides) = as_image(form)
    kit = ConvFactory(tuple(sides), normalization)
    strides = kit.strides(5) if len(blocks) == 4 else [1, 1, *kit.strides(2)]
    times = 4 if depth >= 50 and depth in RESNET else 1
    layers = [stem, kit.convolution(channels, width, 7 if strides[0] == 2 else 3, strides[0])]
    layers += [nn.MaxPool2d(3, 2, padding=1)] * (strides[1] - 1)
    inside = width
    for stage, (repeats, stride) in enumerate(zip(blocks, [1, *strides[2:]], strict=True)):
        for block in range(repeats):
            outside = times * width * 2**stage
            layers.append(_block(kit, inside, outside, stride if block == 0 else 1, times))
            inside = outside
    return nn.Sequential(*layers, *mean_and_scores(inside, outputs, dropout))


def _block(kit: ConvFactory, inside: int, outside: int, stride: int, times: int) -> nn.Module:
    """Two 3 × 3 convolutions, or one between two of 1 × 1 if it is `times` narrower; and a way around them."""
    if times == 1:
        branch = [kit.convolution(inside, outside, 3, stride), kit.convolution(outside, outside, rectify=False)]
    else:
        narrow = outside // times
        branch = [kit.convolution(inside, narrow, 1), kit.convolution(narrow, narrow, 3, stride)]
        branch.append(kit.convolution(narrow, outside, 1, rectify=False))
    same = inside == outside and stride == 1
    shortcut = nn.Identity() if same else kit.convolution(inside, outside, 1, stride, rectify=False)
    return Residual(nn.Sequential(*branch), shortcut, nn.ReLU(), silent=kit.normalization == "none")


def mobilenet(
    form: Form, outputs: int, *, width: int = 8, normalization: str = "batch", dropout: float = 0.0
) -> nn.Module:
    """MobileNetV2 (Sandler et al. 2018): inverted residuals of depthwise convolutions; published width 32.

    Channels are rounded to multiples of 8. ReLU is used where the source uses ReLU6.
    """
    stem, (channels, *sides) = as_image(form)
    kit = ConvFactory(tuple(sides), normalization)
    strides = kit.strides(5)
    inside = _eighths(32 * width / 32)
    layers = [stem, kit.convolution(channels, inside, 3, strides.pop(0))]
    for wider, full, repeats, planned in MOBILENET:
        outside, first = _eighths(full * width / 32), strides.pop(0) if planned == 2 else 1
        for block in range(repeats):
            layers.append(_inverted(kit, inside, outside, first if block == 0 else 1, wider))
            inside = outside
    last = _eighths(1280 * max(1.0, width / 32))
    return nn.Sequential(*layers, kit.convolution(inside, last, 1), *mean_and_scores(last, outputs, dropout))


def _inverted(kit: ConvFactory, inside: int, outside: int, stride: int, wider: int) -> nn.Module:
    """Widen, look around in each channel by itself, narrow; with a way around where the shape stays."""
    wide = inside * wider
    branch = nn.Sequential(
        *([kit.convolution(inside, wide, 1)] if wider > 1 else []),
        kit.convolution(wide, wide, 3, stride, groups=wide),
        kit.convolution(wide, outside, 1, rectify=False),
    )
    if inside != outside or stride != 1:
        return branch
    return Residual(branch, nn.Identity(), nn.Identity(), silent=True)  # no ReLU keeps their sums from growing


def _eighths(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and not less than nine tenths of it."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
