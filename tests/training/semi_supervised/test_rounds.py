"""Who teaches whom, and does the guard end what does harm?"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.models.fitted import FitCost, Fitted
from polyculture.recipe import Recipe
from polyculture.training.context import TrainingContext
from polyculture.training.semi_supervised.choices import PseudoLabels, confident
from polyculture.training.semi_supervised.labelled import LabelledPool
from polyculture.training.semi_supervised.rounds import guarded, teach

CONTEXT = TrainingContext()


@dataclass(frozen=True, eq=False)
class Scripted(Fitted):
    """Answers the second feature, the truth, but class 0 on the inputs that a share of falls to."""

    share_wrong: float
    parameters: int = 1
    curve: tuple[float, ...] = ()
    cost: FitCost = field(default_factory=lambda: FitCost(1, 1, 1.0))

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        codes = inputs[:, 1].astype(int)
        wrong = inputs[:, 0] % 10 < 10 * self.share_wrong
        return np.eye(2, dtype=np.float32)[np.where(wrong, 1 - codes, codes)]

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def split_of(n: int = 200, labels: int = 100) -> LabelledPool:
    codes = np.arange(n) // 10 % 2
    inputs = np.stack([np.arange(n), codes], axis=1).astype(np.float32)
    return LabelledPool.of({"labels": labels, "draw": 0}, Dataset(inputs, codes, ("a", "b")), 0)


def scripted_fit(shares_wrong: list[float]) -> tuple[list[Dataset], object]:
    """A fit that gives models with these shares of errors in turn, and what each was fitted to."""
    seen: list[Dataset] = []

    def fit(recipe: Recipe, train: Dataset, context: TrainingContext) -> Fitted:
        seen.append(train)
        return Scripted(shares_wrong[len(seen) - 1])

    return seen, fit


def all_of_them(probabilities: np.ndarray, number: int) -> PseudoLabels:
    return confident(probabilities[: 10 * number], 0.0)


def test_the_guard_stops_where_held_out_accuracy_falls_and_gives_back_the_best_round() -> None:
    seen, fit = scripted_fit([0.2, 0.0, 0.6, 0.0])
    learned = guarded([Recipe("forest")], split_of(), all_of_them, 5, CONTEXT, fit)
    assert len(seen) == 4  # three rounds of six, and the last fit
    assert [row.get("stopped") for row in learned.history] == [None, None, "held-out accuracy fell", None]
    assert learned.history[-1] == {"best_round": 1, "labels": 100, "pool_labels": 10}
    assert len(seen[-1]) == 110
    assert learned.fitted.cost == FitCost(4, 4, 4.0)


def test_where_the_first_round_does_harm_the_model_knows_all_labels_and_none_of_the_pool() -> None:
    seen, fit = scripted_fit([0.0, 0.5, 0.0])
    learned = guarded([Recipe("forest")], split_of(), all_of_them, 5, CONTEXT, fit)
    assert learned.history[-1] == {"best_round": 0, "labels": 100, "pool_labels": 0}
    assert [len(dataset) for dataset in seen] == [80, 90, 100]


def test_rounds_of_equal_accuracy_go_on_and_the_last_is_kept() -> None:
    seen, fit = scripted_fit([0.1] * 4)
    learned = guarded([Recipe("forest")], split_of(), all_of_them, 2, CONTEXT, fit)
    assert len(seen) == 4
    assert learned.history[-1]["best_round"] == 2


def test_with_too_few_labels_there_is_no_guard_and_the_history_says_so() -> None:
    _, fit = scripted_fit([0.0, 0.5, 0.9, 0.9])
    learned = guarded([Recipe("forest")], split_of(labels=6), all_of_them, 2, CONTEXT, fit)
    assert [row["held_out_accuracy"] for row in learned.history[:-1]] == ["none"] * 3
    assert learned.history[-1]["best_round"] == 2


@pytest.mark.parametrize(("teachers", "expected"), [("themselves", [0, 1]), ("others", [1, 0])])
def test_labels_come_from_the_model_itself_or_from_the_others(teachers: str, expected: list[int]) -> None:
    class Constant(Scripted):
        def __call__(self, inputs: np.ndarray) -> np.ndarray:
            return np.tile(np.eye(2, dtype=np.float32)[int(self.share_wrong)], (len(inputs), 1))

    def fit(recipe: Recipe, train: Dataset, context: TrainingContext) -> Fitted:
        return Constant(recipe.seed)

    recipes = [Recipe("forest", seed=0), Recipe("forest", seed=1)]
    first, second = teach(recipes, split_of(), all_of_them, 1, CONTEXT, fit, teachers)
    assert [len(labels.rows) for labels in first.labels] == [0, 0]
    assert [set(labels.codes) for labels in second.labels] == [{code} for code in expected]
