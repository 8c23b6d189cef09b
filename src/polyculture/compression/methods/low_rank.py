"""Which layers are products of smaller ones, almost? Weights are replaced by the factors that come closest."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from polyculture.errors import InputError
from polyculture.models.compact_layers import (
    Factors,
    channel_factors,
    dense_factors,
    replace_layer,
    spatial_factors,
    tucker_factors,
)
from polyculture.models.fitted import Fitted
from polyculture.models.fitted_net import FittedNet

from ..context import CompressionContext
from .net_layers import hidden_layers, layer_kinds

SWEEPS = 3
"""Alternating improvements of the factors of a Tucker decomposition, which then no longer change visibly."""


def low_rank(model: Fitted, strength: float | int, context: CompressionContext) -> Fitted:  # noqa: ARG001
    """The net with dense and convolution layers in factors that have this share of weights less.

    A dense layer becomes two by singular values. A convolution becomes, whichever has the smallest squared error with
    that number of weights: kernels to fewer channels and 1 × 1 (Zhang et al. 2016); 1 × 1, kernels, 1 × 1 by a Tucker
    decomposition (Kim et al. 2016); or a column and a row (Tai et al. 2016). The layer that predicts, layers in groups
    (depthwise), recurrent and attention layers and those that would not become smaller stay as they are.

    Parameters
    ----------
    model : a fitted net.
    strength : the share of the weights that each of the layers loses, or a little more, as ranks are whole numbers.
    context : not used.

    Raises InputError for a net in which no layer becomes smaller.
    """
    if not strength:
        return model
    assert isinstance(model, FittedNet)
    net = copy.deepcopy(model.net)
    uses = Counter(id(layer.weight) for _, layer in net.named_modules(remove_duplicate=False) if _dense(layer))
    changed = 0
    for name, layer in hidden_layers(replace(model, net=net)).items():
        parent = net.get_submodule(name.rpartition(".")[0])
        if uses[id(layer.weight)] > 1 or isinstance(parent, (Factors, nn.MultiheadAttention)):
            continue
        with torch.no_grad():
            factors = closest(layer, strength)
        if factors is not None:
            replace_layer(net, name, factors)
            changed += 1
    if not changed:
        raise InputError(
            f"low-rank={strength:g} makes no layer smaller in a net of {layer_kinds(model)} layers",
            "hidden dense or convolution layers of some width",
            "use prune-weights, half or int8",
        )
    return replace(model, net=net)


def _dense(layer: Any) -> bool:
    return isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd))


def closest(layer: Any, strength: float | int) -> Factors | None:
    """The factors of the layer with this share of its weights less that approximate it best; None if there are none."""
    best, smallest = None, math.inf
    for factors, error in _candidates(layer, (1 - strength) * layer.weight.numel()):
        if sum(part.weight.numel() for part in factors) < layer.weight.numel() and error < smallest:
            best, smallest = factors, error
    if best is not None and layer.bias is not None:
        best[-1].bias.copy_(layer.bias)
    return best


def _candidates(layer: Any, budget: float) -> Iterator[tuple[Factors, float]]:
    """Factors of at most so many weights (of rank 1 where that is more), and their squared errors."""
    weight = layer.weight.double()
    if isinstance(layer, nn.Linear):
        outputs, inputs = weight.shape
        yield _matrices(weight, dense_factors, layer, _rank(budget, inputs + outputs))
        return
    if layer.groups > 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str) or layer.transposed:
        return
    outputs, inputs, *kernel = weight.shape
    yield _matrices(weight.flatten(1), channel_factors, layer, _rank(budget, inputs * math.prod(kernel) + outputs))
    if math.prod(kernel) > 1:
        yield _tucker(layer, budget)
    if len(kernel) == 2 and min(kernel) > 1:
        high, wide = kernel
        columns = weight.permute(1, 2, 0, 3).reshape(inputs * high, outputs * wide)
        yield _columns(columns, layer, _rank(budget, inputs * high + outputs * wide))


def _rank(budget: float, size: int) -> int:
    return max(1, int(budget / size))


def _truncated(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor, float]:
    """A tall and a wide matrix whose product is closest to the matrix, and its squared error (Eckart and Young)."""
    vectors, values, covectors = torch.linalg.svd(matrix, full_matrices=False)
    scale = values[:rank].sqrt()
    return vectors[:, :rank] * scale, scale[:, None] * covectors[:rank], float(values[rank:].square().sum())


def _matrices(matrix: Tensor, build: Callable[..., Factors], layer: Any, rank: int) -> tuple[Factors, float]:
    """Factors of a matrix of outputs × everything else."""
    tall, wide, error = _truncated(matrix, min(rank, *matrix.shape))
    return _filled(build(layer, wide.shape[0]), wide, tall), error


def _columns(matrix: Tensor, layer: Any, rank: int) -> tuple[Factors, float]:
    """A column and a row, from a matrix of (inputs · height) × (outputs · width)."""
    tall, wide, error = _truncated(matrix, min(rank, *matrix.shape))
    inputs, high = layer.in_channels, layer.kernel_size[0]
    column = tall.T.reshape(-1, inputs, high)
    row = wide.reshape(-1, layer.out_channels, layer.kernel_size[1]).transpose(0, 1)
    return _filled(spatial_factors(layer, len(wide)), column, row), error


def _tucker(layer: Any, budget: float) -> tuple[Factors, float]:
    """A smaller kernel between bases of inputs and of outputs, by higher-order orthogonal iteration."""
    weight = layer.weight.double().flatten(2)
    outputs, inputs, places = weight.shape
    # ranks in proportion to the channels: share² · outputs · inputs · places + share · (outputs² + inputs²) = budget
    square, line = outputs * inputs * places, outputs**2 + inputs**2
    share = (math.sqrt(line**2 + 4 * square * budget) - line) / (2 * square)
    most_inputs, most_outputs = max(1, int(share * inputs)), max(1, int(share * outputs))
    columns = _basis(weight.transpose(0, 1), most_inputs)
    for _ in range(SWEEPS):
        rows = _basis(torch.einsum("oip,ir->orp", weight, columns), most_outputs)
        columns = _basis(torch.einsum("oip,os->isp", weight, rows), most_inputs)
    centre = torch.einsum("oip,os,ir->srp", weight, rows, columns)
    error = float(weight.square().sum() - centre.square().sum())
    return _filled(tucker_factors(layer, columns.shape[1], rows.shape[1]), columns.T, centre, rows), error


def _basis(tensor: Tensor, rank: int) -> Tensor:
    """Orthonormal columns that span most of the first axis."""
    columns: Tensor = torch.linalg.svd(tensor.flatten(1), full_matrices=False)[0]
    return columns[:, :rank]


def _filled(factors: Factors, *weights: Tensor) -> Factors:
    for part, weight in zip(factors, weights, strict=True):
        part.weight.copy_(weight.reshape(part.weight.shape))
    return factors
