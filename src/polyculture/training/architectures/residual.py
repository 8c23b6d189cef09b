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
    form: Form, outputs: int, *, width: int = 16, depth: int = 14, normalization: str = "batch", dropout: float = 0.0
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
    factory = ConvFactory(tuple(sides), normalization)
    strides = factory.strides(5) if len(blocks) == 4 else [1, 1, *factory.strides(2)]
    times = 4 if depth >= 50 and depth in RESNET else 1
    layers = [stem, factory.convolution(channels, width, 7 if strides[0] == 2 else 3, strides[0])]
    layers += [nn.MaxPool2d(3, 2, padding=1)] * (strides[1] - 1)
    in_channels = width
    for stage, (repeats, stride) in enumerate(zip(blocks, [1, *strides[2:]], strict=True)):
        for block in range(repeats):
            out_channels = times * width * 2**stage
            layers.append(_block(factory, in_channels, out_channels, stride if block == 0 else 1, times))
            in_channels = out_channels
    return nn.Sequential(*layers, *mean_and_scores(in_channels, outputs, dropout))


def _block(factory: ConvFactory, in_channels: int, out_channels: int, stride: int, times: int) -> nn.Module:
    """Two 3 × 3 convolutions, or one between two of 1 × 1 if it is `times` narrower; and a shortcut around them."""
    if times == 1:
        branch = [
            factory.convolution(in_channels, out_channels, 3, stride),
            factory.convolution(out_channels, out_channels, rectify=False),
        ]
    else:
        narrow = out_channels // times
        branch = [factory.convolution(in_channels, narrow, 1), factory.convolution(narrow, narrow, 3, stride)]
        branch.append(factory.convolution(narrow, out_channels, 1, rectify=False))
    identity = in_channels == out_channels and stride == 1
    shortcut = nn.Identity() if identity else factory.convolution(in_channels, out_channels, 1, stride, rectify=False)
    return Residual(nn.Sequential(*branch), shortcut, nn.ReLU(), silent=factory.normalization == "none")


def mobilenet(
    form: Form, outputs: int, *, width: int = 8, normalization: str = "batch", dropout: float = 0.0
) -> nn.Module:
    """MobileNetV2 (Sandler et al. 2018): inverted residuals of depthwise convolutions; published width 32.

    Channels are rounded to multiples of 8. ReLU is used where the source uses ReLU6.
    """
    stem, (channels, *sides) = as_image(form)
    factory = ConvFactory(tuple(sides), normalization)
    strides = factory.strides(5)
    in_channels = _eighths(32 * width / 32)
    layers = [stem, factory.convolution(channels, in_channels, 3, strides.pop(0))]
    for wider, full, repeats, planned in MOBILENET:
        out_channels, first = _eighths(full * width / 32), strides.pop(0) if planned == 2 else 1
        for block in range(repeats):
            layers.append(_inverted(factory, in_channels, out_channels, first if block == 0 else 1, wider))
            in_channels = out_channels
    last = _eighths(1280 * max(1.0, width / 32))
    return nn.Sequential(*layers, factory.convolution(in_channels, last, 1), *mean_and_scores(last, outputs, dropout))


def _inverted(factory: ConvFactory, in_channels: int, out_channels: int, stride: int, expansion: int) -> nn.Module:
    """Expand, convolve each channel, project; with a shortcut where the shape is unchanged."""
    hidden = in_channels * expansion
    branch = nn.Sequential(
        *([factory.convolution(in_channels, hidden, 1)] if expansion > 1 else []),
        factory.convolution(hidden, hidden, 3, stride, groups=hidden),
        factory.convolution(hidden, out_channels, 1, rectify=False),
    )
    if in_channels != out_channels or stride != 1:
        return branch
    return Residual(branch, nn.Identity(), nn.Identity(), silent=True)  # no ReLU keeps their sums from growing


def _eighths(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and not less than nine tenths of it."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
