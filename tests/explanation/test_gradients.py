"""Gradient methods give the attributions that are known: of linear, additive and deep nets, on every modality."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from polyculture.dataset import Dataset
from polyculture.explanation import ExplainOptions, explain
from polyculture.explanations import Explanations
from polyculture.models.fitted_net import FittedNet
from polyculture.recipe import Recipe

from .nets import fitted, population, scores, seeded

MODALITIES = ("table", "image", "colour", "volume", "series", "audio", "text")
FULL = ExplainOptions(instances=None, background=10**6)


def linear(train: Dataset) -> FittedNet:
    d = int(np.prod(train.array.shape[1:]))
    return fitted(seeded(0, lambda: nn.Sequential(nn.Flatten(), nn.Linear(d, 3))), train)


def mlp(train: Dataset, seed: int = 0) -> FittedNet:
    d = int(np.prod(train.array.shape[1:]))

    def build() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(d, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))

    return fitted(seeded(seed, build), train)


def explained(model: object, dataset: Dataset, method: str, options: ExplainOptions = FULL) -> Explanations:
    return explain(population({"net": model}, dataset.classes), dataset, method, options)


@pytest.mark.parametrize("method", ["integrated-gradients", "gradient-input"])
@pytest.mark.parametrize("name", ["table", "image", "series"])
def test_attributions_of_a_linear_net_are_weight_times_difference(sets: dict, method: str, name: str) -> None:
    dataset = sets[name]
    model = linear(dataset)
    explanations = explained(model, dataset, method)
    weight = model.net[1].weight.detach().double().numpy()
    own = weight - (weight.sum(axis=0) - weight) / 2
    rows = model.encoder(dataset.array).reshape(len(dataset), -1).astype(np.float64)
    assert explanations.targets is not None
    expected = own[explanations.targets[0]] * (rows - rows.mean(axis=0))
    np.testing.assert_allclose(explanations.values[0], expected, atol=1e-4)


def test_saliency_and_smoothgrad_of_a_linear_net_are_its_weights_per_standard_deviation(sets: dict) -> None:
    dataset = sets["table"]
    model = linear(dataset)
    weight = model.net[1].weight.detach().double().numpy()
    own = weight - (weight.sum(axis=0) - weight) / 2
    smooth, sharp = (explained(model, dataset, method) for method in ("smoothgrad", "saliency"))
    assert smooth.targets is not None
    np.testing.assert_allclose(smooth.values[0], own[smooth.targets[0]], rtol=1e-4, atol=1e-5)  # one per spread
    np.testing.assert_allclose(sharp.values[0], np.abs(own[smooth.targets[0]]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", ["logit", "probability"])
@pytest.mark.parametrize("name", ["table", "image", "colour", "volume", "series"])
def test_integrated_gradients_add_up_to_the_change_of_the_score(sets: dict, name: str, scale: str) -> None:
    dataset = sets[name]
    model = mlp(dataset)
    explanations = explained(model, dataset, "integrated-gradients", ExplainOptions(instances=30, scale=scale))
    rows = explanations.inputs
    assert rows is not None
    assert explanations.targets is not None
    everything = ExplainOptions(instances=30, scale=scale, baseline=np.asarray(dataset.array).mean(axis=0))
    again = explained(model, dataset, "integrated-gradients", everything)
    base = model.encoder(np.broadcast_to(np.asarray(dataset.array).mean(axis=0), rows.shape))
    if scale == "logit":
        change = [scores(model, side, explanations.targets[0]) for side in (model.encoder(rows), base)]
    else:
        change = [
            torch.softmax(model.net(torch.from_numpy(side)), 1).detach().numpy()[np.arange(30), explanations.targets[0]]
            for side in (model.encoder(rows), base)
        ]
    np.testing.assert_allclose(again.values[0].sum(axis=1), change[0] - change[1], atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize(
    "architecture", ["mlp", "lenet", "transformer", "gru", "attention", "multi-branch", "autoencoder"]
)
def test_integrated_gradients_of_words_add_up(sets: dict, architecture: str) -> None:
    from polyculture.training.architectures import find_architecture

    dataset = sets["text"]
    rule, recipe = find_architecture(architecture), Recipe(architecture, optimizer="adam")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = rule.reader.of(dataset)
        net = rule.module(recipe, encoder, dataset).eval()
    model = FittedNet(net, encoder)
    explanations = explained(model, dataset, "integrated-gradients", ExplainOptions(instances=12, samples=20))
    assert explanations.words is not None
    assert explanations.targets is not None
    assert not explanations.values[0][explanations.words == ""].any()
    codes = encoder(explanations.inputs)
    before = scores(model, codes, explanations.targets[0])
    tables = [module for module in net.modules() if isinstance(module, nn.Embedding)]
    with torch.no_grad():
        for table in tables:
            table.weight.zero_()
    change = before - scores(model, codes, explanations.targets[0])
    np.testing.assert_allclose(explanations.values[0].sum(axis=1), change, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("method", ["saliency", "gradient-input", "integrated-gradients", "smoothgrad"])
@pytest.mark.parametrize("name", MODALITIES)
def test_every_gradient_method_explains_every_modality_that_it_claims(sets: dict, method: str, name: str) -> None:
    from polyculture.explanation import METHODS
    from polyculture.training.architectures import find_architecture

    dataset = sets[name]
    rule, recipe = find_architecture("mlp"), Recipe("mlp", optimizer="adam")
    encoder = rule.reader.of(dataset)
    model = FittedNet(rule.module(recipe, encoder, dataset).eval(), encoder)
    if dataset.modality not in METHODS[method].modalities:
        return
    explanations = explained(model, dataset, method, ExplainOptions(instances=5))
    assert explanations.maps.shape[:2] == (1, 5)
    assert np.abs(explanations.values).max() > 0
    assert METHODS[method].signed or explanations.values.min() >= 0


def test_regression_is_explained_in_its_units(sets: dict) -> None:
    dataset = sets["numbers"]
    net = fitted(seeded(0, lambda: nn.Linear(5, 1)), dataset)
    explanations = explained(net, dataset, "integrated-gradients")
    weight = net.net.weight.detach().double().numpy()[0] * net.encoder.target[1]
    rows = net.encoder(dataset.array).astype(np.float64)
    np.testing.assert_allclose(explanations.values[0], weight * (rows - rows.mean(axis=0)), atol=1e-4)
    assert (explanations.scale, explanations.target) == ("number", "number")
