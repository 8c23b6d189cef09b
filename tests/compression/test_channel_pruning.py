"""Are channels removed from every layer that shares them, and from no other?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from polyculture.compression.context import CompressionContext
from polyculture.compression.methods.channel_pruning import prune_channels
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet

from .nets import KINDS, NETS, OVER_SEQUENCES, RECURRENT, check_compressed, check_graph, dataset, random_net

pytest.importorskip("torch_pruning")

QUICK = [
    *(("mlp", "table"), ("mlp", "tags"), ("lenet", "colour"), ("resnet", "grey"), ("mobilenet", "grey")),
    *(("densenet", "table"), ("c3d", "volume"), ("transformer", "text"), ("vit", "audio"), ("autoencoder", "series")),
    *(("multi-branch", "text"), ("multi-branch", "grey"), ("alexnet", "series"), ("lenet5", "text")),
]
EVERY = [
    (name, kind)
    for name in NETS
    for kind in KINDS
    if name not in RECURRENT and (kind != "tags" or name in (*OVER_SEQUENCES, "multi-branch"))
]


def pruned(model: FittedNet, strength: float, kind: str = "table") -> FittedNet:
    result = prune_channels(model, strength, CompressionContext(dataset(kind)))
    assert isinstance(result, FittedNet)
    return result


def check(name: str, kind: str, folder: Path) -> None:
    data = dataset(kind)
    model = random_net(name, data)
    smaller = pruned(model, 0.5, kind)
    assert smaller.parameters < model.parameters
    assert model.parameters == random_net(name, data).parameters
    check_compressed(smaller, name, data, folder)
    embeddings = [
        [m.weight.shape for m in net.net.modules() if isinstance(m, nn.Embedding)] for net in (model, smaller)
    ]
    assert embeddings[0] == embeddings[1]


@pytest.mark.parametrize(("name", "kind"), QUICK)
def test_a_net_with_half_of_its_channels_predicts_and_is_loaded(name: str, kind: str, tmp_path: Path) -> None:
    check(name, kind, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [row for row in EVERY if row not in QUICK])
def test_every_net_for_every_input(name: str, kind: str, tmp_path: Path) -> None:
    check(name, kind, tmp_path)


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_nets_are_refused(name: str) -> None:
    kind = "tags" if name == "crf" else "series"
    with pytest.raises(
        InputError, match=r"from a recurrent net .* layers.; expected hidden dense or convolution layers"
    ):
        pruned(random_net(name, dataset(kind)), 0.5, kind)


def test_half_of_the_channels_are_a_quarter_of_the_weights_of_a_resnet() -> None:
    model = random_net("resnet", dataset("grey"), depth=8)
    smaller = pruned(model, 0.5, "grey")
    assert 0.24 < smaller.parameters / model.parameters < 0.27
    assert [smaller.net[1][0].out_channels, smaller.net[-1].out_features] == [8, 3]


def test_strength_zero_is_the_same_model() -> None:
    model = random_net("mlp", dataset("table"))
    assert pruned(model, 0.0) is model
    assert pruned(model, 0.005) is model  # less than half of one channel of 64


def test_one_channel_always_stays(tmp_path: Path) -> None:
    data = dataset("grey")
    smaller = pruned(random_net("lenet", data, width=2), 0.99, "grey")
    assert [layer.weight.shape[0] for layer in smaller.net if hasattr(layer, "weight")] == [1, 1, 1, 3]
    check_compressed(smaller, "lenet", data, tmp_path, width=2)


def test_channels_without_weights_are_removed_first_and_that_changes_nothing() -> None:
    data = dataset("grey")
    model = random_net("lenet", data)
    with torch.no_grad():
        model.net[1].weight[::2] = model.net[1].bias[::2] = 0.0
        model.net[4].weight[:, ::2] = model.net[4].weight[1::2] = model.net[4].bias[1::2] = 0.0
        places = model.net[9].weight.view(64, 32, -1)
        places[:, 1::2] = places[::2] = model.net[9].bias[::2] = 0.0
        model.net[-1].weight[:, ::2] = 0.0
    smaller = pruned(model, 0.5, "grey")
    torch.testing.assert_close(smaller.net[1].weight, model.net[1].weight[1::2])
    torch.testing.assert_close(smaller.net[4].weight, model.net[4].weight[::2, 1::2])
    np.testing.assert_allclose(smaller(data.array), model(data.array), atol=1e-6)


def test_dependencies_of_each_group_are_proved_by_the_predictions() -> None:
    class Rolled(nn.Module):
        """Its second layer reads the channels in another order than the graph of dependencies thinks."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(5, 8), nn.Linear(8, 3)
            self.first.weight.data *= torch.arange(1.0, 9.0)[:, None] ** 4  # the first four are removed

        def forward(self, inputs: Tensor) -> Tensor:
            return self.second(self.first(inputs).flip(1))

    model = FittedNet(Rolled().eval(), random_net("mlp", dataset("table")).encoder)
    with pytest.raises(InputError, match="it is not clear which layers read them"):
        pruned(model, 0.5)


def test_a_net_whose_code_has_numbers_of_channels_is_refused() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(5, 8), nn.Linear(8, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.second(self.first(inputs) + torch.ones(8))

    model = FittedNet(Fixed().eval(), random_net("mlp", dataset("table")).encoder)
    with pytest.raises(InputError, match="this net, whose layers depend on them"):
        pruned(model, 0.5)


def test_a_net_without_hidden_layers_is_refused() -> None:
    model = FittedNet(nn.Sequential(nn.Linear(5, 3)), random_net("mlp", dataset("table")).encoder)
    with pytest.raises(InputError, match=r"no channels can be removed from a net of Linear layers; expected hidden"):
        pruned(model, 0.5)


@pytest.mark.parametrize(("name", "kind"), [("resnet", "grey"), ("mlp", "table")])
def test_pruning_twice_is_pruning_more(name: str, kind: str, tmp_path: Path) -> None:
    data: Any = dataset(kind)
    model = random_net(name, data)
    once = pruned(model, 0.5, kind)
    twice = pruned(once, 0.5, kind)
    assert twice.parameters < once.parameters < model.parameters
    check_compressed(twice, name, data, tmp_path)


@pytest.mark.parametrize(("name", "kind"), [("resnet", "grey"), ("multi-branch", "table")])
def test_the_graph_of_a_pruned_net_predicts_the_same(name: str, kind: str) -> None:
    model = random_net(name, dataset(kind))
    check_graph(model, dataset(kind))
    check_graph(pruned(model, 0.5, kind), dataset(kind))  # nets of other shapes have a template of their own
