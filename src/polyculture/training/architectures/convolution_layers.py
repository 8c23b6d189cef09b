"""Which layers do convolutional nets share? Convolutions for lines, planes and volumes, and ways to join them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from polyculture.errors import InputError

FEWEST_PIXELS = 4
"""The longest side of an input is not halved to less than this."""
NORMALIZATIONS = ("batch", "layer", "none")


@dataclass(frozen=True)
class ConvFactory:
    """Makes the convolutions and normalizations of one net.

    Parameters
    ----------
    sides : of an input: height × width, or depth × height × width. Along a side of 1 kernels are 1, too.
    normalization : after convolutions: ``"batch"`` (Ioffe and Szegedy 2015), ``"layer"`` (over all channels and places
        of an instance: one group, Wu and He 2018) or ``"none"``, which gives convolutions a bias instead.

    Raises InputError for another normalization.
    """

    sides: tuple[int, ...]
    normalization: str

    def __post_init__(self) -> None:
        check_normalization(self.normalization)

    def strides(self, planned: int) -> list[int]:
        """Stride of each planned halving; where an input is too small for all of them, the first ones are left out."""
        longest, halvings = max(self.sides), 0
        while halvings < planned and -(-longest // 2) >= FEWEST_PIXELS:
            longest, halvings = -(-longest // 2), halvings + 1
        return [1] * (planned - halvings) + [2] * halvings

    def places(self, strides: Sequence[int]) -> tuple[int, ...]:
        """Sides after these strides."""
        return tuple(-(-side // math.prod(strides)) for side in self.sides)

    def convolution(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
        rectify: bool = True,
    ) -> nn.Sequential:
        """Convolution, normalization and ReLU. A side becomes ⌈side / stride⌉."""
        layer = self.bare(in_channels, out_channels, kernel, stride, groups)
        return nn.Sequential(layer, *self.norm(out_channels), *([nn.ReLU()] if rectify else []))

    def bare(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
        """A convolution without normalization, initialized as in He et al. 2015."""
        kernels = tuple(kernel if side > 1 else 1 for side in self.sides)
        make = Convolution if len(self.sides) == 2 else nn.Conv3d
        padding = tuple(k // 2 for k in kernels)
        layer = make(
            in_channels, out_channels, kernels, stride, padding, groups=groups, bias=self.normalization == "none"
        )
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
        return layer

    def norm(self, channels: int) -> list[nn.Module]:
        """The normalization of these channels, if there is one."""
        if self.normalization == "none":
            return []
        if self.normalization == "layer":
            return [nn.GroupNorm(1, channels)]
        return [nn.BatchNorm2d(channels) if len(self.sides) == 2 else nn.BatchNorm3d(channels)]


class Convolution(nn.Conv2d):  # type: ignore[misc]
    """A convolution of planes whose output has the channels of a place adjacent in memory.

    Later layers preserve this layout, which torch pools faster on a CPU.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """n × channels × height × width → n × channels × height × width."""
        return super().forward(inputs).contiguous(memory_format=torch.channels_last)


class Residual(nn.Module):  # type: ignore[misc]
    """The sum of a branch and a shortcut around it.

    A `silent` branch is initially zero, so that sums do not grow from block to block: the weights of its last layer
    start at zero (Goyal et al. 2017, section 5.1; Zhang et al. 2019, "Fixup").
    """

    def __init__(self, branch: nn.Sequential, shortcut: nn.Module, activation: nn.Module, silent: bool) -> None:
        super().__init__()
        self.branch, self.shortcut, self.after = branch, shortcut, activation
        if silent:
            nn.init.zeros_(branch[-1][-1].weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """n × channels × … → n × channels × …"""
        return self.after(self.branch(inputs) + self.shortcut(inputs))


class Concatenation(nn.Module):  # type: ignore[misc]
    """The channels of several branches over the same input, concatenated."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, inputs: Tensor) -> Tensor:
        """n × channels × … → n × sum of the branches' channels × …"""
        return torch.cat([branch(inputs) for branch in self.branches], dim=1)


class VolumePooling(nn.Module):  # type: ignore[misc]
    """Maximum over 2 × 2 places, and over two slices if `depth`.

    Two poolings of planes: the gradient of torch's pooling of volumes is not deterministic on a GPU.
    """

    def __init__(self, depth: bool) -> None:
        super().__init__()
        self.depth = depth

    def forward(self, inputs: Tensor) -> Tensor:
        """n × channels × depth × height × width → the same, halved and rounded up."""
        channels, depth = inputs.shape[1:3]
        planes = nn.functional.max_pool2d(inputs.flatten(1, 2), 2, ceil_mode=True).unflatten(1, (channels, depth))
        if not self.depth:
            return planes
        return nn.functional.max_pool2d(planes.flatten(3), (2, 1), ceil_mode=True).unflatten(3, planes.shape[3:])


class FeatureNorm(nn.BatchNorm1d):  # type: ignore[misc]
    """Batch normalization of features, also of one vector per step."""

    def forward(self, inputs: Tensor) -> Tensor:
        """… × features → … × features."""
        return super().forward(inputs.flatten(0, -2)).view_as(inputs)


def check_normalization(normalization: str) -> None:
    """InputError for an unknown normalization."""
    if normalization not in NORMALIZATIONS:
        raise InputError(f"normalization is {normalization!r}", "'batch', 'layer' or 'none'")


def feature_norm(normalization: str, features: int) -> list[nn.Module]:
    """The normalization of vectors of features, if there is one."""
    check_normalization(normalization)
    if normalization == "none":
        return []
    return [FeatureNorm(features) if normalization == "batch" else nn.LayerNorm(features)]


def three_layers(flat: int, hidden: int, outputs: int, dropout: float) -> list[nn.Module]:
    """Head of the older nets: two hidden layers and the scores."""
    return [
        *(nn.Flatten(), nn.Dropout(dropout), nn.Linear(flat, hidden), nn.ReLU()),
        *(nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU()),
        nn.Linear(hidden, outputs),
    ]


def mean_and_scores(channels: int, outputs: int, dropout: float) -> list[nn.Module]:
    """Head of the newer nets: the mean over all places, and the scores."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, outputs)]
