"""Are factors as close to their layers as they can be, and as small as asked for?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from polyculture.compression.context import CompressionContext
from polyculture.compression.methods.low_rank import closest, low_rank
from polyculture.errors import InputError
from polyculture.models.compact_layers import Factors
from polyculture.models.fitted_net import FittedNet

from .nets import check_compressed, check_graph, dataset, random_net

NETS = [
    *(("mlp", "tags"), ("lenet", "colour"), ("resnet", "grey"), ("mobilenet", "audio"), ("densenet", "table")),
    *(("c3d", "volume"), ("transformer", "text"), ("transformer-encdec", "tags"), ("vit", "grey")),
    *(("attention", "series"), ("autoencoder", "text"), ("multi-branch", "text"), ("alexnet", "series")),
]


def factorized(model: FittedNet, strength: float) -> FittedNet:
    result = low_rank(model, strength, CompressionContext(dataset("table")))
    assert isinstance(result, FittedNet)
    return result


@pytest.mark.parametrize(("name", "kind"), NETS)
def test_every_net_becomes_smaller_and_is_loaded(name: str, kind: str, tmp_path: Path) -> None:
    data = dataset(kind)
    model = random_net(name, data)
    smaller = factorized(model, 0.5)
    assert smaller.parameters < model.parameters
    check_compressed(smaller, name, data, tmp_path)
    assert json.loads((tmp_path / "layers.json").read_text())["factors"]


@pytest.mark.parametrize(("name", "kind"), [("lenet", "grey"), ("transformer", "series")])
def test_the_graph_of_a_factorized_net_predicts_the_same(name: str, kind: str) -> None:
    check_graph(factorized(random_net(name, dataset(kind)), 0.5), dataset(kind))


@given(st.integers(2, 12), st.integers(2, 12), st.floats(0.05, 0.95))
def test_a_dense_layer_has_the_best_factors_of_its_rank(inputs: int, outputs: int, strength: float) -> None:
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        factors = closest(layer, strength)
    if factors is None:
        rank = max(1, int((1 - strength) * inputs * outputs / (inputs + outputs)))
        assert rank * (inputs + outputs) >= inputs * outputs
        return
    rank = factors[0].out_features
    assert rank == 1 or rank * (inputs + outputs) <= (1 - strength) * inputs * outputs
    values = np.linalg.svd(layer.weight.detach().double().numpy(), compute_uv=False)
    error = float(((factors.weight - layer.weight).detach() ** 2).sum())
    assert error == pytest.approx((values[rank:] ** 2).sum(), rel=1e-3, abs=1e-6)
    assert torch.equal(factors.bias, layer.bias)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(6, 10, 3, padding=1),
        nn.Conv2d(6, 10, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
        nn.Conv1d(8, 9, 3, padding=1),
        nn.Conv3d(5, 7, 3, padding=1, bias=False),
        nn.Conv2d(12, 16, 1),
    ],
)
def test_a_convolution_of_low_rank_is_its_factors(layer: Any) -> None:
    """Built from any of the factors, a layer has these factors again."""
    inputs = torch.randn(2, layer.in_channels, *[9] * (layer.weight.ndim - 2))
    with torch.no_grad():
        shape = layer.weight.shape
        layer.weight.copy_((torch.randn(shape[0], 1) @ torch.randn(1, layer.weight[0].numel())).view(shape))
        factors = closest(layer, 0.6)
        assert isinstance(factors, Factors)
        assert sum(weight.numel() for weight in factors.parameters()) <= 0.45 * layer.weight.numel() + shape[0]
        torch.testing.assert_close(factors(inputs), layer(inputs), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kernel", [(3, 3), (3, 5), (1, 3), (1, 1)])
def test_the_error_of_a_convolution_falls_with_its_size(kernel: tuple[int, int]) -> None:
    layer, inputs = nn.Conv2d(16, 24, kernel), torch.randn(2, 16, 9, 9)
    errors, sizes = [], []
    with torch.no_grad():
        for strength in (0.2, 0.4, 0.6, 0.8):
            factors = closest(layer, strength)
            assert factors is not None
            sizes.append(sum(part.weight.numel() for part in factors))
            errors.append(float((factors(inputs) - layer(inputs)).square().mean()))
            assert sizes[-1] <= (1 - strength) * layer.weight.numel()
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)


def test_the_last_layer_small_layers_and_factors_stay() -> None:
    model = random_net("mlp", dataset("table"), width=16, depth=1)
    smaller = factorized(model, 0.3)
    assert torch.equal(model.net[-1].weight, smaller.net[-1].weight)
    with pytest.raises(InputError, match=r"^low-rank=0.3 makes no layer smaller in a net of Linear layers; expected"):
        factorized(smaller, 0.3)


def test_a_layer_that_is_used_twice_stays() -> None:
    layer = nn.Linear(8, 8)
    net = nn.Sequential(nn.Linear(5, 8), layer, nn.ReLU(), layer, nn.Linear(8, 3))
    smaller = factorized(FittedNet(net.eval(), random_net("mlp", dataset("table")).encoder), 0.6)
    assert smaller.net[1] is smaller.net[3]
    assert torch.equal(smaller.net[1].weight, layer.weight)
    assert isinstance(smaller.net[0], Factors)


@pytest.mark.parametrize("name", ["lstm", "crf"])
def test_a_net_without_layers_to_factorize_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^low-rank=0.5 makes no layer smaller in a net of .*LSTM"):
        factorized(random_net(name, dataset("tags")), 0.5)


def test_strength_zero_is_the_same_model() -> None:
    model = random_net("mlp", dataset("table"))
    assert factorized(model, 0.0) is model
