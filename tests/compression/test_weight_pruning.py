"""Are as many weights zero as were asked for, the smallest of their layers, and none of the others?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from polyculture.compression.context import CompressionContext
from polyculture.compression.methods.weight_pruning import prunable_weights, prune_weights
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet

from .nets import KINDS, NETS, OVER_SEQUENCES, RECURRENT, check_compressed, dataset, random_net

EVERY = [
    (name, kind)
    for place, name in enumerate(NETS)
    for kind in [list(KINDS)[place % 7], *(["tags"] if name in (*OVER_SEQUENCES, *RECURRENT) else [])]
    if name != "crf" or kind == "tags"
]


def pruned(model: FittedNet, strength: float) -> FittedNet:
    result = prune_weights(model, strength, CompressionContext(dataset("table")))
    assert isinstance(result, FittedNet)
    return result


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_every_net_has_the_share_of_zeros_and_keeps_them_on_disk(name: str, kind: str, tmp_path: Path) -> None:
    data = dataset(kind)
    model = random_net(name, data)
    sparse = pruned(model, 0.7)
    weights = torch.cat([weight.flatten() for weight in prunable_weights(sparse)])
    assert int((weights == 0).sum()) == round(0.7 * len(weights))
    assert sparse.parameters == model.parameters
    check_compressed(sparse, name, data, tmp_path)
    assert not (tmp_path / "layers.json").exists()


@given(st.floats(0.01, 0.999), st.integers(0, 5))
def test_the_weights_that_stay_are_the_larger_ones_of_their_layer(strength: float, seed: int) -> None:
    torch.manual_seed(seed)
    model = random_net("mlp", dataset("table"), width=8)
    sparse = pruned(model, strength)
    for before, after in zip(prunable_weights(model), prunable_weights(sparse), strict=True):
        zero = after == 0
        assert not zero.all()
        assert torch.equal(before[~zero], after[~zero])
        assert not zero.any() or before[zero].abs().max() <= before[~zero].abs().min()
    assert torch.equal(model.net[-1].weight, sparse.net[-1].weight)


def test_magnitudes_are_compared_as_lee_et_al_do() -> None:
    """Scores by hand: weight² / (sum of the squares that are not smaller), over all layers at once."""
    model = random_net("mlp", dataset("table"), width=4)
    hidden = [model.net[1].weight, model.net[4].weight]
    scores = []
    for weight in hidden:
        squares = weight.detach().double().numpy().ravel() ** 2
        scores += [square / squares[squares >= square].sum() for square in squares]
    threshold = sorted(scores)[18]
    expected = np.array(scores) >= threshold
    sparse = pruned(model, 0.5)
    kept = torch.cat([sparse.net[place].weight.flatten() for place in (1, 4)]) != 0
    np.testing.assert_array_equal(kept.numpy(), expected)


def test_embeddings_biases_and_what_only_training_uses_stay() -> None:
    model = random_net("autoencoder", dataset("text"))
    sparse = pruned(model, 0.9)
    for part in ("stem", "decoder", "head"):
        for before, after in zip(
            getattr(model.net, part).parameters(), getattr(sparse.net, part).parameters(), strict=True
        ):
            assert torch.equal(before, after)
    assert all((layer.bias != 0).all() for layer in sparse.net.encoder if hasattr(layer, "bias"))


def test_strength_zero_is_the_same_model() -> None:
    model = random_net("mlp", dataset("table"))
    assert pruned(model, 0.0) is model


def test_pruning_twice_adds_up_to_the_larger_share() -> None:
    model = random_net("mlp", dataset("table"))
    twice = pruned(pruned(model, 0.5), 0.7)
    for once, both in zip(prunable_weights(pruned(model, 0.5)), prunable_weights(twice), strict=True):
        assert (both[once == 0] == 0).all()
    weights = torch.cat([weight.flatten() for weight in prunable_weights(twice)])
    assert int((weights == 0).sum()) == round(0.7 * len(weights))


def test_a_net_of_which_only_the_last_layer_could_be_pruned_is_refused() -> None:
    model = FittedNet(nn.Sequential(nn.Linear(5, 3)), random_net("mlp", dataset("table")).encoder)
    with pytest.raises(InputError, match=r"^no weights to prune in a net of Linear layers; expected a net with hidden"):
        pruned(model, 0.5)
