"""Do the losses of inputs without labels count what they say?"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.recipe import Recipe
from polyculture.training.context import TrainingContext
from polyculture.training.data_levels import fit_at_level
from polyculture.training.semi_supervised.views import STRONG, strong, weak

torch = pytest.importorskip("torch")
consistency = import_module("polyculture.training.semi_supervised.consistency")
THRESHOLD, CONSISTENCY = consistency.THRESHOLD, consistency.CONSISTENCY


def test_fixmatch_counts_sure_inputs_only_with_the_class_they_are_sure_of() -> None:
    scores = torch.tensor([[2.0, 0.0], [1.0, 3.0], [0.0, 5.0]])
    advice = torch.tensor([[THRESHOLD, 1 - THRESHOLD], [0.9, 0.1], [0.97, 0.03]])
    loss, counted = consistency.fixmatch_loss(scores, advice)
    log_probabilities = scores.log_softmax(-1)
    assert loss.item() == pytest.approx(-(log_probabilities[0, 0] + log_probabilities[2, 0]).item() / 3, rel=1e-6)
    assert counted.item() == pytest.approx(2 / 3)


def test_the_mean_teacher_is_followed_in_probability() -> None:
    scores = torch.zeros(1, 2)
    loss, counted = consistency.mean_teacher_loss(scores, torch.tensor([[0.8, 0.2]]))
    assert loss.item() == pytest.approx(CONSISTENCY * (0.3**2 + 0.3**2), rel=1e-6)
    assert counted.item() == 1


def test_alignment_moves_the_pool_to_the_shares_of_the_labels_and_leaves_equal_ones_alone() -> None:
    even = torch.tensor([0.5, 0.5])
    advice = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    torch.testing.assert_close(consistency.ClassShares(even, even.clone()).align(advice), advice)
    aligned = consistency.ClassShares(even, torch.tensor([0.9, 0.1])).align(torch.tensor([[0.9, 0.1]]))
    torch.testing.assert_close(aligned, torch.tensor([[0.5, 0.5]]))


@pytest.mark.parametrize("modality", STRONG)
def test_both_views_keep_the_shape_and_the_strong_one_changes_more(sets: dict[str, Dataset], modality: str) -> None:
    if modality == "image":
        pytest.importorskip("kornia")
    dataset = sets[modality]
    generators = np.random.default_rng(0), np.random.default_rng(0)
    views = weak(dataset, generators[0]), strong(dataset, generators[1])
    assert {view.shape for view in views} == {dataset.array.shape}
    moved = [float(np.abs(view - dataset.array).mean()) for view in views]
    assert 0 < moved[0] < moved[1]


@pytest.mark.parametrize("level", ["fixmatch:12", "mean-teacher:12"])
def test_the_same_seed_gives_the_same_net_and_its_history_has_a_row_for_each_epoch(level: str) -> None:
    generator = np.random.default_rng(0)
    codes = np.arange(120) % 2
    table = Dataset((generator.normal(size=(120, 4)) + 3 * codes[:, None]).astype(np.float32), codes, ("a", "b"))
    recipe = Recipe("mlp", level, optimizer="adam", hyperparameters={"epochs": 30, "batch_size": 8})
    first, second = (fit_at_level(recipe, table, TrainingContext()) for _ in range(2))
    np.testing.assert_array_equal(first.fitted(table.array), second.fitted(table.array))
    assert [row["epoch"] for row in first.history] == list(range(1, 31))
    assert first.history[-1]["share_of_pool_counted"] > 0.8
    assert (first.fitted(table.array).argmax(axis=1) == codes).mean() > 0.95
    assert first.fitted.cost.steps == 30 * 4
