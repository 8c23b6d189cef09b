"""DeepLift adds up, equals its rule computed by hand, and refuses nets that it would be wrong for."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.explanation import ExplainOptions, explain
from polyculture.models.fitted_net import FittedNet

from .nets import fitted, population, scores, seeded


class Functional(nn.Module):
    """An activation that is a function."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(d, 8), nn.Linear(8, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """n × d → n × 3."""
        return self.second(torch.relu(self.first(rows)))


class Reused(Functional):
    """An activation that is used twice."""

    def __init__(self, d: int) -> None:
        super().__init__(d)
        self.middle, self.relu = nn.Linear(8, 8), nn.ReLU()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """n × d → n × 3."""
        return self.second(self.relu(self.middle(self.relu(self.first(rows)))))


def explained(model: object, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    options = ExplainOptions(instances=None, background=10**6)
    explanations = explain(population({"net": model}), dataset, "deeplift", options)
    assert explanations.targets is not None
    return explanations.values[0].astype(np.float64), explanations.targets[0]


def test_one_hidden_layer_is_the_rescale_rule_by_hand(sets: dict) -> None:
    dataset = sets["table"]
    model = fitted(seeded(1, lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))), dataset)
    values, targets = explained(model, dataset)
    first, _, second = model.net
    w1, b1, w2 = (x.detach().double().numpy() for x in (first.weight, first.bias, second.weight))
    rows = model.encoder(dataset.array).astype(np.float64)
    base = model.encoder(dataset.array.mean(axis=0, dtype=np.float64)[None].astype(np.float32)).astype(np.float64)
    hidden, hidden_base = rows @ w1.T + b1, base @ w1.T + b1
    multiplier = (np.maximum(hidden, 0) - np.maximum(hidden_base, 0)) / (hidden - hidden_base)
    own = (w2[targets] - (w2.sum(axis=0) - w2[targets]) / 2) * multiplier
    np.testing.assert_allclose(values, own @ w1 * (rows - base), atol=1e-4)


@pytest.mark.parametrize(
    "architecture", ["mlp", "lenet", "lenet5", "resnet", "inception", "c3d", "alexnet", "selu-mlp", "mobilenet"]
)
def test_contributions_of_nets_of_the_house_add_up(sets: dict, architecture: str) -> None:
    from polyculture.recipe import Recipe
    from polyculture.training.architectures import find_architecture

    dataset = sets["volume" if architecture == "c3d" else "image"]
    rule = find_architecture(architecture)
    encoder = rule.reader.of(dataset)  # type: ignore[attr-defined]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = rule.module(Recipe(architecture, optimizer="adam"), encoder, dataset).eval()  # type: ignore[attr-defined]
    model = FittedNet(net, encoder)
    values, targets = explained(model, dataset)
    base = np.broadcast_to(dataset.array.mean(axis=0, dtype=np.float64).astype(np.float32), dataset.array.shape)
    change = scores(model, encoder(dataset.array), targets) - scores(model, encoder(base), targets)
    np.testing.assert_allclose(values.sum(axis=1), change, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid])
def test_contributions_are_those_of_captum_where_it_has_rules(sets: dict, activation: type[nn.Module]) -> None:
    attr = pytest.importorskip("captum.attr", reason="captum is not installed")
    dataset = sets["table"]

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 8), activation(), nn.Linear(8, 8), activation(), nn.Linear(8, 3))

    model = fitted(seeded(2, build), dataset)
    values, targets = explained(model, dataset)
    rows = torch.from_numpy(model.encoder(dataset.array))
    base = torch.from_numpy(model.encoder(dataset.array.mean(axis=0, dtype=np.float64)[None].astype(np.float32)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting forward, backward hooks|Input Tensor 0 did not already require")
        of_class = [
            attr.DeepLift(model.net).attribute(rows, base, target=k).detach().double().numpy() for k in range(3)
        ]
    own = np.stack(of_class)[targets, np.arange(len(rows))]
    np.testing.assert_allclose(values, own - (np.sum(of_class, axis=0) - own) / 2, atol=1e-4)


def test_an_activation_that_is_used_twice_has_its_rule_at_both_places(sets: dict) -> None:
    dataset = sets["table"]
    net = seeded(0, lambda: Reused(5))
    twin = nn.Sequential(net.first, nn.ReLU(), net.middle, nn.ReLU(), net.second)
    values, _ = explained(fitted(net, dataset), dataset)
    np.testing.assert_allclose(values, explained(fitted(twin, dataset), dataset)[0], atol=1e-6)


def test_activations_that_change_their_input_in_place_do_no_harm(sets: dict) -> None:
    dataset = sets["table"]
    net = seeded(0, lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(inplace=True), nn.Linear(8, 3)))
    twin = nn.Sequential(net[0], nn.ReLU(), net[2])
    values, _ = explained(fitted(net, dataset), dataset)
    np.testing.assert_allclose(values, explained(fitted(twin, dataset), dataset)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Functional(5), "of the change of a score; expected activations that are layers, not functions"),
        (lambda: nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.Linear(8, 3)), "which has a layer LayerNorm"),
    ],
)
def test_nets_that_it_would_be_wrong_for_are_refused(sets: dict, build: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        explained(fitted(seeded(0, build), sets["table"]), sets["table"])
    assert "use integrated-gradients" in str(error.value)
