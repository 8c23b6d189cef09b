"""Do chains of pruning and tuning win back what pruning lost?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from polyculture.compression.compress import compressed
from polyculture.compression.context import CompressionContext
from polyculture.compression.methods.tuning import tune, tune_self
from polyculture.compression.methods.weight_pruning import prunable_weights
from polyculture.errors import InputError
from polyculture.models.fitted_net import FittedNet
from polyculture.recipe import Recipe
from polyculture.training.architectures import find_architecture
from polyculture.training.finetuning import finetune

from .nets import check_compressed, check_graph, dataset, random_net

if TYPE_CHECKING:
    from polyculture.training import Problem

pytest.importorskip("torch_pruning")
CHAINS = ("prune-channels=0.5+tune=3", "low-rank=0.5+tune=3", "prune-weights=0.8+tune-self=3")


def context_of(model: FittedNet, recipe: Recipe, train: Any) -> CompressionContext:
    def fine_tune(model: Any, epochs: int, teacher: Any = None) -> FittedNet:
        return finetune(model, recipe, train, epochs, 0, teacher)

    return CompressionContext(train, teachers={"self": model}, fine_tune=fine_tune)


@pytest.mark.parametrize("chain", [*CHAINS, "prune-channels=0.3+tune=2+prune-channels=0.3+low-rank=0.3+tune=8"])
def test_digits_are_still_read_after_pruning_and_tuning(digits: Problem, chain: str, tmp_path: Path) -> None:
    train = digits.split.train.take(np.arange(600))
    hyperparameters = {"width": 8, "epochs": 12}
    recipe = Recipe("lenet", optimizer="adam", hyperparameters=hyperparameters)
    model: Any = find_architecture("lenet").fit(recipe, train)
    test = digits.split.test

    def accuracy(net: Any) -> float:
        return float((net(test.array).argmax(axis=1) == test.labels).mean())

    smaller: Any = compressed(model, chain, context_of(model, recipe, train))
    assert accuracy(model) > 0.9
    assert accuracy(smaller) > accuracy(model) - 0.08
    assert accuracy(smaller) >= accuracy(compressed(model, chain.split("+")[0], context_of(model, recipe, train)))
    smaller.save(tmp_path)
    loaded = find_architecture("lenet").load(recipe, train, tmp_path)
    np.testing.assert_array_equal(loaded(test.array), smaller(test.array))
    if "weights" in chain:
        weights = [weight.flatten() for weight in prunable_weights(loaded)]  # type: ignore[arg-type]
        count = sum(len(weight) for weight in weights)
        assert sum(int((weight == 0).sum()) for weight in weights) == round(0.8 * count)
    else:
        assert smaller.parameters < 0.6 * model.parameters


def test_zero_epochs_are_the_same_model() -> None:
    model = random_net("mlp", dataset("table"))
    assert tune(model, 0, CompressionContext(dataset("table"))) is model


def test_tuning_without_trainer_or_teacher_is_refused() -> None:
    data = dataset("table")
    model, recipe = random_net("mlp", data), Recipe("mlp")
    with pytest.raises(InputError, match=r"^fine-tuning without a trainer; expected a net whose recipe says"):
        tune(model, 1, CompressionContext(data))
    alone = CompressionContext(data, fine_tune=partial(finetune, recipe=recipe, train=data, seed=0))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^no teacher 'self'; expected one of none; use tune"):
        tune_self(model, 1, alone)


def test_a_chain_of_narrower_layers_and_factors_is_loaded_and_has_a_graph(tmp_path: Path) -> None:
    data = dataset("grey")
    model = random_net("resnet", data, depth=8)
    chain = "prune-channels=0.3+low-rank=0.5+prune-channels=0.3+prune-weights=0.5"
    smaller: Any = compressed(model, chain, CompressionContext(data))
    check_compressed(smaller, "resnet", data, tmp_path, depth=8)
    check_graph(smaller, data)


@pytest.mark.parametrize("method", ["prune-weights", "prune-channels", "low-rank", "tune"])
def test_an_estimator_is_no_net(method: str) -> None:
    data = dataset("table")
    model = find_architecture("knn").fit(Recipe("knn"), data)
    with pytest.raises(InputError, match=f"^the method '{method}' for a scikit-learn estimator; expected one of "):
        compressed(model, method, CompressionContext(data))
