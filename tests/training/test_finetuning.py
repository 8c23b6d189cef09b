"""Is a fitted net trained further as it was fitted, with its zeros left at zero?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from polyculture.dataset import Dataset
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet
from polyculture.recipe import Recipe
from polyculture.rng import stream
from polyculture.training.architectures import find_architecture
from polyculture.training.finetuning import finetune, taught

SIZES = {"width": 16, "epochs": 3}


def table(task: str = "classification", n: int = 120) -> Dataset:
    """Three overlapping clouds, or a sum of the features."""
    draw = stream(0, "further", task)
    labels = np.arange(n) % 3
    inputs = draw.normal(labels[:, None] * [[1.0, -1.0, 0.5, 0.0]], 1.0)
    return (
        Dataset(inputs, inputs.sum(axis=1) * 10, ())
        if task == "regression"
        else Dataset(inputs, labels, ("a", "b", "c"))
    )


def fitted(train: Dataset, recipe: Recipe) -> FittedNet:
    model = find_architecture(recipe.architecture).fit(recipe, train)
    assert isinstance(model, FittedNet)
    return model


def objective(train: Dataset) -> str:
    return "cross-entropy" if train.classes else "squared"


def loss(model: Any, train: Dataset) -> float:
    if train.classes:
        return float(-np.log(model(train.array)[np.arange(len(train)), train.labels]).mean())
    return float(((model(train.array)[:, 0] - train.labels) ** 2).mean())


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "sam", "muon"])
def test_further_epochs_lower_the_loss_and_keep_the_zeros(task: str, optimizer: str) -> None:
    train = table(task)
    recipe = Recipe("mlp", objective=objective(train), optimizer=optimizer, hyperparameters=SIZES)
    model = fitted(train, recipe)
    zeros = []
    with torch.no_grad():
        for place in (1, 4):
            weight = model.net[place].weight
            zeros.append(weight.abs() < weight.abs().median())
            weight.masked_fill_(zeros[-1], 0.0)
    before = [weight.clone() for weight in model.net.parameters()]
    tuned = finetune(model, recipe, train, 5, seed=1)
    assert loss(tuned, train) < loss(model, train)
    for place, zero in zip((1, 4), zeros, strict=True):
        assert (tuned.net[place].weight[zero] == 0).all()
        assert (tuned.net[place].weight[~zero] != 0).all()
    assert all(torch.equal(old, new) for old, new in zip(before, model.net.parameters(), strict=True))
    assert (tuned.cost.epochs, len(tuned.curve)) == (8, 8)
    assert tuned.cost.flops == pytest.approx(model.cost.flops * 8 / 3)


def test_the_same_seed_gives_the_same_weights_and_another_one_does_not() -> None:
    train, recipe = table(), Recipe("mlp", optimizer="adam", hyperparameters=SIZES)
    model = fitted(train, recipe)
    weights = [finetune(model, recipe, train, 1, seed).net[1].weight for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_rate_is_the_recipes_and_falls_along_a_cosine() -> None:
    """Two steps on all instances: the first at half of the rate, the last at none."""
    train = table()
    options = SIZES | {"learning_rate": 0.2, "dropout": 0.0, "batch_size": len(train), "schedule": "constant"}
    recipe = Recipe("mlp", optimizer="plain-sgd", hyperparameters=options)
    model = fitted(train, recipe)
    scores = model.net(torch.from_numpy(model.encoder(train.array)))
    torch.nn.functional.cross_entropy(scores, torch.from_numpy(train.labels)).backward()
    tuned = finetune(model, recipe, train, 2, seed=0)
    for weight, before in zip(tuned.net.parameters(), model.net.parameters(), strict=True):
        torch.testing.assert_close(weight, before - 0.5 * 0.2 * before.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_teacher_draws_the_predictions_to_its_own(task: str) -> None:
    train = table(task)
    recipe = Recipe("mlp", objective=objective(train), optimizer="sgd", hyperparameters=SIZES)
    model = fitted(train, recipe)

    def teacher(inputs: np.ndarray) -> np.ndarray:
        if train.classes:
            return np.tile([[0.8, 0.1, 0.1]], (len(inputs), 1))
        return np.full((len(inputs), 1), 500.0)

    taught_net, plain = (finetune(model, recipe, train, 20, 0, source) for source in (teacher, None))
    distances = [np.abs(net(train.array) - teacher(train.array)).mean() for net in (taught_net, plain)]
    assert distances[0] < 0.95 * distances[1]


def test_the_loss_of_a_teacher_is_half_the_labels_and_half_its_predictions() -> None:
    numbers, labels, advice = torch.tensor([[1.0]]), torch.tensor([[3.0]]), torch.tensor([[0.0]])
    assert taught().of_scores(numbers, torch.cat([labels, advice], -1)).tolist() == [0.5 * 4 + 0.5 * 1]
    scores, label, soft = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.25, 0.75]])
    student = (scores / 2).softmax(-1)
    sharp = soft.sqrt() / soft.sqrt().sum()
    divergence = float((sharp * (sharp / student).log()).sum())
    expected = 0.5 * float(-scores.log_softmax(-1)[0, 0]) + 0.5 * 4 * divergence
    assert float(taught().of_scores(scores, torch.cat([label, soft], -1))) == pytest.approx(expected, rel=1e-5)


def test_a_member_of_a_group_is_tuned_alone_and_augmentation_goes_on() -> None:
    train = table()
    recipe = Recipe("mlp", data="mixup", objective="negative-correlation", optimizer="adam", hyperparameters=SIZES)
    member = fitted(train, recipe)
    assert finetune(member, recipe, train, 2, seed=0).cost.epochs == member.cost.epochs + 2


def test_zero_epochs_are_the_same_model() -> None:
    train, recipe = table(), Recipe("mlp", optimizer="adam", hyperparameters=SIZES)
    model = fitted(train, recipe)
    assert finetune(model, recipe, train, 0, seed=0) is model


def test_an_estimator_and_a_teacher_of_whole_sequences_are_refused() -> None:
    train = table()
    model = fitted(train, Recipe("mlp", optimizer="adam", hyperparameters=SIZES))
    with pytest.raises(InputError) as error:
        finetune(model, Recipe("forest"), train, 1, seed=0)
    assert str(error.value) == "fine-tuning of 'forest'; expected a net; leave the step out."
    words = np.array([["a", "b", "a"], ["b", "a", ""]] * 4)
    tags = Dataset(words, np.where(words == "", -1, words == "a").astype(int), ("x", "y"), modality="tags")
    recipe = Recipe("crf", optimizer="adam", hyperparameters={"width": 4, "epochs": 1})
    model = fitted(tags, recipe)
    assert finetune(model, recipe, tags, 1, seed=0).cost.epochs == 2
    with pytest.raises(
        InputError, match=r"a teacher for 'crf', which learns whole sequences; expected labels; use tune"
    ):
        finetune(model, recipe, tags, 1, seed=0, teacher=model)
