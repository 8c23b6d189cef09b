"""Does a net learn the same in a stack as by itself, whoever learns beside it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from polyculture.dataset import Dataset
from polyculture.errors import TrainingError
from polyculture.models.threads import one_thread
from polyculture.preparation.transforms import find_transform
from polyculture.recipe import Recipe
from polyculture.training import ARCHITECTURES, Problem
from polyculture.training.architectures import Net
from polyculture.training.batched import BY_ELEMENT, BY_WEIGHT, fit_stacked, shape_of
from polyculture.training.batched_layers import ALIGNED, BatchedDropout
from polyculture.training.context import TrainingContext
from polyculture.training.engine.costs import CostModel
from polyculture.training.optimizers import OPTIMIZERS

STACKABLE = [name for name, made in OPTIMIZERS.items() if made in BY_ELEMENT + BY_WEIGHT]


def recipe(seed: int = 0, architecture: str = "mlp", optimizer: str = "adam", more: Any = (), **told: Any) -> Recipe:
    return Recipe(architecture, optimizer=optimizer, hyperparameters={"epochs": 10, **told}, seed=seed, **dict(more))


def stacked(recipes: Sequence[Recipe], train: Dataset) -> list[Any]:
    """The recipes' nets, fitted in one stack."""
    architectures = [ARCHITECTURES[r.architecture] for r in recipes]
    levels = [find_transform(r.data) for r in recipes]
    trains = [level.take(train, r.seed) for level, r in zip(levels, recipes, strict=True)]
    with one_thread():
        return fit_stacked(recipes, architectures, trains, [TrainingContext(level.view) for level in levels])


def alone(recipe: Recipe, train: Dataset) -> Any:
    level = find_transform(recipe.data)
    return ARCHITECTURES[recipe.architecture].fit(recipe, level.take(train, recipe.seed), TrainingContext(level.view))


def weights(fitted: Any) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in fitted.net.parameters()])


def assert_same(recipes: Sequence[Recipe], train: Dataset) -> None:
    """To 1e-5 of the longest weight; curves to 1e-5; effort exactly."""
    for each, found in zip(recipes, stacked(recipes, train), strict=True):
        wanted = alone(each, train)
        assert float((weights(found) - weights(wanted)).abs().max() / weights(wanted).abs().max()) < 1e-5
        np.testing.assert_allclose(found.curve, wanted.curve, rtol=1e-5)
        assert found.cost == wanted.cost


@pytest.fixture(scope="module")
def few(digits: Problem) -> Dataset:
    """160 digits: 5 steps of 32 in an epoch, 50 in ten."""
    return digits.split.train.take(np.arange(160))


@pytest.mark.parametrize("optimizer", STACKABLE)
def test_after_50_steps_a_net_is_the_same_in_a_stack_as_by_itself(few: Dataset, optimizer: str) -> None:
    members = [{}, {"dropout": 0.3}, {"learning_rate": 0.005}, {"weight_decay": 0.01, "dropout": 0}]
    recipes = [recipe(seed, optimizer=optimizer, **told) for seed, told in enumerate(members)]
    assert_same(recipes, few)


def test_a_stack_may_have_members_with_different_optimizers(few: Dataset) -> None:
    assert_same([recipe(k, optimizer=name, epochs=3) for k, name in enumerate(STACKABLE)], few)


def test_self_normalizing_nets_are_the_same_in_a_stack(few: Dataset) -> None:
    assert_same([recipe(k, "selu-mlp", dropout=share, epochs=4) for k, share in enumerate((0.05, 0.2, 0))], few)


@pytest.mark.parametrize("objective", ["focal", "label-smoothing", "binary", "squared"])
def test_every_objective_of_scores_is_the_same_in_a_stack(few: Dataset, objective: str) -> None:
    assert_same([recipe(seed, more={"objective": objective}, epochs=3) for seed in (0, 1)], few)


@pytest.mark.parametrize("data", ["noise", "mixup"])
def test_members_with_views_see_their_own_in_every_epoch(few: Dataset, data: str) -> None:
    assert_same([recipe(seed, more={"data": data}, epochs=3) for seed in (0, 1)], few)


def test_members_may_learn_from_different_instances(few: Dataset) -> None:
    assert_same([recipe(k, more={"data": data}, epochs=3) for k, data in enumerate(("all", "bootstrap"))], few)


def test_nets_that_predict_numbers_are_the_same_in_a_stack() -> None:
    draw = np.random.default_rng(0)
    inputs = draw.standard_normal((90, 5)).astype(np.float32)
    train = Dataset(inputs, inputs @ np.arange(5.0) + 7, ())
    assert_same([recipe(seed, more={"objective": "squared"}, epochs=4, width=16) for seed in (0, 1)], train)


@pytest.mark.parametrize(
    ("features", "classes", "width", "batch_size", "architecture"),
    [
        (13, 3, 20, 20, "mlp"),
        (30, 2, 24, 32, "mlp"),
        (4, 3, 1, 8, "selu-mlp"),
        (31, 5, 33, 31, "selu-mlp"),
        (64, 10, 64, 32, "mlp"),
        (1, 2, 3, 1, "mlp"),
    ],
)
def test_to_the_last_bit_nothing_depends_on_who_learns_beside(
    features: int, classes: int, width: int, batch_size: int, architecture: str
) -> None:
    draw = np.random.default_rng(width)
    labels = draw.integers(0, classes, 41)
    train = Dataset(draw.standard_normal((41, features)).astype(np.float32), labels, tuple(map(str, range(classes))))
    told = {"epochs": 3, "width": width, "batch_size": batch_size}
    kinds = ("adam", "sgd", "adam", "muon", "rmsprop", "adam")
    recipes = [recipe(k, architecture, name, **told) for k, name in enumerate(kinds)]
    together = dict(zip(recipes, stacked(recipes, train), strict=True))
    for part in ([recipes[2]], recipes[1:3], [recipes[5], recipes[3], recipes[0]], recipes[1:]):
        for each, found in zip(part, stacked(part, train), strict=True):
            assert torch.equal(weights(found), weights(together[each]))
            assert found.curve == together[each].curve


def test_a_member_that_fails_does_not_disturb_the_others(few: Dataset) -> None:
    good, bad = recipe(0, epochs=2), recipe(1, optimizer="sgd", epochs=2, learning_rate=1e30)
    found = stacked([bad, good], few)
    assert isinstance(found[0], TrainingError)
    assert str(found[0]) == "the loss became nan in epoch 1; expected a finite loss; lower learning_rate."
    assert torch.equal(weights(found[1]), weights(stacked([good], few)[0]))


@pytest.mark.parametrize("kind", [nn.Dropout, nn.AlphaDropout])
def test_dropout_draws_what_torch_draws(kind: type[nn.Module]) -> None:
    layers, seeds = [kind(0.3), kind(0.05)], (7, 8)
    dropping = BatchedDropout(layers, [torch.Generator().manual_seed(seed) for seed in seeds], "cpu")
    batches = [(torch.randn(2, ALIGNED, 5), count) for count in (ALIGNED, 9)]
    found = []
    for inputs, dropping.count in batches:
        found.append(dropping(inputs))
    for k, (layer, seed) in enumerate(zip(layers, seeds, strict=True)):
        torch.manual_seed(seed)
        for (inputs, count), dropped in zip(batches, found, strict=True):
            torch.testing.assert_close(dropped[k, :count], layer(inputs[k, :count]), rtol=1e-6, atol=1e-7)


def shape(given: Recipe, train: Dataset) -> Any:
    architecture = ARCHITECTURES[given.architecture]
    assert isinstance(architecture, Net)
    return shape_of(given, architecture, CostModel(train).sketch(given, architecture))


@pytest.mark.parametrize(
    "given",
    [
        recipe(optimizer="sam"),
        recipe(patience=3),
        recipe(clip=1.0),
        recipe(averaging="ema"),
        recipe(schedule="plateau"),
        recipe(more={"objective": "pgd"}),
        recipe(more={"objective": "negative-correlation"}),
        recipe(normalization="batch"),
        recipe(width=512),
        recipe(architecture="lenet"),
    ],
    ids=lambda given: f"{given.architecture} {given.optimizer} {given.objective} {dict(given.hyperparameters)}",
)
def test_what_takes_more_than_a_step_of_its_own_is_not_stacked(few: Dataset, given: Recipe) -> None:
    assert shape(given, few) is None


def test_only_nets_that_take_the_same_steps_share_a_shape(few: Dataset) -> None:
    plain = shape(recipe(), few)
    assert plain is not None
    for told in ({"learning_rate": 0.01}, {"dropout": 0.5}, {"weight_decay": 0.1}):
        assert shape(recipe(3, optimizer="sgd", **told), few) == plain
    for told in ({"width": 32}, {"depth": 3}, {"epochs": 3}, {"batch_size": 16}, {"schedule": "constant"}):
        assert shape(recipe(**told), few) != plain
    assert shape(recipe(more={"objective": "focal"}), few) != shape(recipe(more={"objective": "focal"}, gamma=1.0), few)
