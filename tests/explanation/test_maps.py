"""Grad-CAM and attention show where a net looks, and refuse nets that have nothing to show."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from polyculture.errors import InputError
from polyculture.explanation import ExplainOptions, explain
from polyculture.models.fitted_net import FittedNet
from polyculture.recipe import Recipe

from .nets import fitted, population, seeded

ATTENTIVE = ("attention", "transformer", "transformer-decoder", "transformer-encdec", "vit")


def untrained(architecture: str, dataset: object) -> FittedNet:
    from polyculture.training.architectures import find_architecture

    rule = find_architecture(architecture)
    encoder = rule.reader.of(dataset)  # type: ignore[attr-defined]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = rule.module(Recipe(architecture, optimizer="adam"), encoder, dataset)  # type: ignore[attr-defined]
    return FittedNet(net.eval(), encoder)


def test_grad_cam_of_one_convolution_is_its_activations_by_their_weight(sets: dict) -> None:
    dataset = sets["image"]
    net = seeded(0, lambda: nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 30, 3)))
    model = fitted(net, dataset)
    explanations = explain(population({"net": model}), dataset, "grad-cam", ExplainOptions(instances=None))
    assert explanations.targets is not None
    weight = net[2].weight.detach().double().reshape(3, 4, 30).mean(dim=2).numpy()
    weight = weight - (weight.sum(axis=0) - weight) / 2
    with torch.no_grad():
        channels = net[0](torch.from_numpy(model.encoder(dataset.array))).double().numpy()
    expected = np.maximum(np.einsum("nk,nkhw->nhw", weight[explanations.targets[0]], channels), 0)
    np.testing.assert_allclose(explanations.maps[0], expected, atol=1e-5)


@pytest.mark.parametrize("name", ["image", "colour", "volume", "audio"])
@pytest.mark.parametrize("architecture", ["lenet", "resnet", "multi-branch"])
def test_grad_cam_has_the_size_of_the_input(sets: dict, name: str, architecture: str) -> None:
    model = untrained(architecture, sets[name])
    explanations = explain(population({"net": model}), sets[name], "grad-cam", ExplainOptions(instances=3))
    assert explanations.maps.shape[2:] == explanations.feature_shape
    assert explanations.values.min() >= 0


@pytest.mark.parametrize("architecture", ["mlp", "vit", "gru"])
def test_grad_cam_of_a_net_without_convolutions_is_refused(sets: dict, architecture: str) -> None:
    models = population({"net": untrained(architecture, sets["image"])})
    with pytest.raises(
        InputError, match="Grad-CAM of the model 'net', a net without convolutions; expected a net with"
    ):
        explain(models, sets["image"], "grad-cam")


@pytest.mark.parametrize("method", ["attention", "attention-rollout"])
@pytest.mark.parametrize("name", ["table", "image", "volume", "series", "audio", "text"])
@pytest.mark.parametrize("architecture", ATTENTIVE)
def test_attention_of_every_net_that_has_it_adds_up(sets: dict, architecture: str, name: str, method: str) -> None:
    dataset = sets[name]
    model = untrained(architecture, dataset)
    explanations = explain(population({"net": model}), dataset, method, ExplainOptions(instances=4))
    totals = explanations.values[0].sum(axis=1)
    assert explanations.values.min() >= 0
    assert np.all(totals <= 1 + 1e-5)
    if architecture != "vit":  # whose own token takes a share
        np.testing.assert_allclose(totals, 1, atol=1e-4)
    assert totals.min() > 0.1
    if explanations.words is not None and architecture != "vit":
        assert not explanations.values[0][explanations.words == ""].any()


def test_attention_of_one_layer_equals_softmax_by_hand(sets: dict) -> None:
    from polyculture.training.architectures import find_architecture

    dataset = sets["series"]
    rule, recipe = (
        find_architecture("transformer"),
        Recipe("transformer", optimizer="adam", hyperparameters={"layers": 1, "heads": 1}),
    )
    encoder = rule.reader.of(dataset)  # type: ignore[attr-defined]
    net = rule.module(recipe, encoder, dataset).eval()  # type: ignore[attr-defined]
    model = FittedNet(net, encoder)
    explanations = explain(population({"net": model}), dataset, "attention", ExplainOptions(instances=5))
    with torch.no_grad():
        layer = net.encoder.layers[0]
        steps = layer.norm1(net.steps(torch.from_numpy(encoder(explanations.inputs))))
        query, key, _ = (steps @ layer.self_attn.in_proj_weight.T + layer.self_attn.in_proj_bias).chunk(3, dim=2)
        weights = (query @ key.mT / np.sqrt(query.shape[2])).softmax(dim=2).mean(dim=1).numpy()
    np.testing.assert_allclose(explanations.maps[0].sum(axis=2), weights, atol=1e-5)


def test_rollout_of_one_layer_is_half_the_step_itself(sets: dict) -> None:
    from polyculture.explanation.attention_maps import _rolled

    draw = np.random.default_rng(0)
    layers = [torch.from_numpy(draw.dirichlet(np.ones(4), size=(2, 4))) for _ in range(3)]
    expected = np.eye(4)
    for layer in layers:
        expected = (layer.numpy() + np.eye(4)) / 2 @ expected
    np.testing.assert_allclose(_rolled([layer.float() for layer in layers]).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("architecture", ["mlp", "lenet", "gru"])
def test_attention_of_a_net_without_it_is_refused(sets: dict, architecture: str) -> None:
    models = population({"net": untrained(architecture, sets["table"])})
    with pytest.raises(InputError, match="attention of the model 'net', a net without"):
        explain(models, sets["table"], "attention")
