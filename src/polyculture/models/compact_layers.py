"""Which layers does a compressed net have that its recipe does not tell? Narrower ones, and layers in factors.

What was changed is in ``layers.json`` next to the weights: the layers that are products of smaller ones and how, and
whether layers have fewer channels. The sizes are those of the weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from polyculture.errors import FileError

LAYERS = "layers.json"
"""Name of the file."""


class Factors(nn.Sequential):  # type: ignore[misc]
    """Layers in place of a single one that they approximate; `kind` is a name in `FACTORS`.

    Whatever reads the weight of the single one gets their product.
    """

    def __init__(self, kind: str, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.kind = kind

    @property
    def weight(self) -> Tensor:
        """Outputs × inputs, or outputs × inputs × kernel."""
        weights = [layer.weight.reshape(*layer.weight.shape[:2], -1) for layer in self]
        product = weights[0]
        for weight in weights[1:]:
            product = torch.einsum("orq,rip->oipq", weight, product).flatten(2)
        sides = zip(*(layer.weight.shape[2:] for layer in self), strict=True)
        return product.reshape(*product.shape[:2], *map(math.prod, sides))

    @property
    def bias(self) -> Tensor | None:
        """Of the outputs."""
        return self[-1].bias


def dense_factors(layer: nn.Linear, rank: int) -> Factors:
    """Inputs → rank → outputs (Denil et al. 2013)."""
    first = nn.Linear(layer.in_features, rank, bias=False)
    return Factors("dense", first, nn.Linear(rank, layer.out_features, bias=layer.bias is not None))


def channel_factors(layer: Any, rank: int) -> Factors:
    """The kernels to fewer channels, then 1 × 1 to all of them (Zhang et al. 2016)."""
    kernel, line = layer.kernel_size, (1,) * len(layer.kernel_size)
    first = _convolution(layer, (layer.in_channels, rank), kernel, layer.stride, layer.padding, layer.dilation)
    return Factors("channels", first, _convolution(layer, (rank, layer.out_channels), line, last=True))


def tucker_factors(layer: Any, rank: int, outputs: int) -> Factors:
    """1 × 1 to fewer channels, the kernels between them, and 1 × 1 to all outputs (Kim et al. 2016)."""
    kernel, line = layer.kernel_size, (1,) * len(layer.kernel_size)
    return Factors(
        "tucker",
        _convolution(layer, (layer.in_channels, rank), line),
        _convolution(layer, (rank, outputs), kernel, layer.stride, layer.padding, layer.dilation),
        _convolution(layer, (outputs, layer.out_channels), line, last=True),
    )


def spatial_factors(layer: Any, rank: int) -> Factors:
    """Kernels of one column, then of one row (Jaderberg et al. 2014; Tai et al. 2016)."""
    (high, wide), strides, dilations = layer.kernel_size, layer.stride, layer.dilation
    top, side = layer.padding
    first = _convolution(layer, (layer.in_channels, rank), (high, 1), (strides[0], 1), (top, 0), (dilations[0], 1))
    second = (rank, layer.out_channels), (1, wide), (1, strides[1]), (0, side), (1, dilations[1])
    return Factors("spatial", first, _convolution(layer, *second, last=True))


FACTORS: dict[str, Callable[..., Factors]] = {
    "dense": dense_factors,
    "channels": channel_factors,
    "tucker": tucker_factors,
    "spatial": spatial_factors,
}
"""Layers in place of one, by kind: from the layer and its ranks to layers with random weights."""


def _convolution(
    layer: Any,
    channels: tuple[int, int],
    kernel: tuple[int, ...],
    stride: tuple[int, ...] | int = 1,
    padding: tuple[int, ...] | int | str = 0,
    dilation: tuple[int, ...] | int = 1,
    last: bool = False,
) -> Any:
    """A convolution of the class of a layer; the last one has its bias."""
    return type(layer)(*channels, kernel, stride, padding, dilation, bias=last and layer.bias is not None)


def replace_layer(net: nn.Module, name: str, layer: nn.Module) -> None:
    """Put a layer in the place of the one with this name."""
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, layer)


def save_layers(net: nn.Module, resized: bool, folder: Path) -> None:
    """Write ``layers.json`` where the layers are not those of the recipe."""
    factors = {name: layer.kind for name, layer in net.named_modules() if isinstance(layer, Factors)}
    if factors or resized:
        text = json.dumps({"factors": factors, "resized": resized}, indent=1)
        (folder / LAYERS).write_text(text + "\n", encoding="utf-8")


def load_layers(net: nn.Module, shapes: Mapping[str, tuple[int, ...]], folder: Path) -> bool:
    """Change the layers of a new net into those that ``layers.json`` says, in these sizes; whether it was resized.

    Parameters
    ----------
    net : as its recipe says.
    shapes : of the weights by name, to which the layers are changed where there are factors or fewer channels.
    folder : of the file; without one nothing is changed.

    Raises FileError for a file that is damaged or of another net.
    """
    path = folder / LAYERS
    if not path.is_file():
        return False
    try:
        changes = json.loads(path.read_text(encoding="utf-8"))
        for name, kind in changes["factors"].items():
            layer = net.get_submodule(name)
            ranks = (1, 1) if kind == "tucker" else (1,)
            replace_layer(net, name, FACTORS[kind](layer, *ranks))
        resized = bool(changes["resized"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise FileError(
            f"cannot read {path} ({type(error).__name__}: {reason})", "what compress wrote there"
        ) from error
    if resized:
        resize(net, shapes)
    for name in changes["factors"]:
        resize(net.get_submodule(name), shapes, f"{name}.")
    return resized


def resize(net: nn.Module, shapes: Mapping[str, tuple[int, ...]], prefix: str = "") -> None:
    """Give the weights of a net these shapes, without values, and its layers the numbers of channels that follow.

    Parameters
    ----------
    net : or a part of one.
    shapes : of the weights by name; those that are not in it stay.
    prefix : of the names of this part's weights.
    """
    for name, layer in net.named_modules(prefix=prefix.removesuffix(".")):
        for weights in (layer._parameters, layer._buffers):
            for key, weight in weights.items():
                shape = shapes.get(f"{name}.{key}" if name else key)
                if weight is not None and shape is not None and shape != tuple(weight.shape):
                    empty = weight.new_empty(shape)
                    weights[key] = nn.Parameter(empty) if isinstance(weight, nn.Parameter) else empty
        _count_channels(layer)


def _count_channels(layer: Any) -> None:
    """Set the numbers of a layer to what its weights say."""
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, nn.modules.conv._ConvNd) and not layer.transposed:
        by_channel = 1 < layer.groups == layer.in_channels == layer.out_channels  # as those that prune-channels prunes
        layer.out_channels, channels = layer.weight.shape[:2]
        layer.groups = layer.out_channels if by_channel else layer.groups
        layer.in_channels = channels * layer.groups
    elif isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
        layer.num_features = len(layer.running_mean)
    elif isinstance(layer, nn.GroupNorm) and layer.weight is not None:
        layer.num_channels = len(layer.weight)
    elif isinstance(layer, nn.LayerNorm) and layer.weight is not None:
        layer.normalized_shape = tuple(layer.weight.shape)
