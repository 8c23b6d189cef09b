"""Goals: every quantity is what its name says, bounds come first, and the floor is fair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from polyculture.errors import InputError
from polyculture.measures.effective import effective
from polyculture.predictions import Predictions
from polyculture.selection import QUANTITIES, Goal
from polyculture.selection.combination import fit
from polyculture.selection.evaluation import EvaluationSet
from polyculture.selection.objectives import ScoredSet, above_floor, check, quantity


@pytest.fixture
def trial(world: Callable[..., Predictions]) -> ScoredSet:
    exam = EvaluationSet(
        world(), {"noise": EvaluationSet(world(seed=1)), "blur": EvaluationSet(world(seed=2))}, groups=("group",)
    )
    return ScoredSet(fit("mean", exam, np.array([0, 1, 5])), exam)


def test_every_quantity_is_what_its_name_says(trial: ScoredSet) -> None:
    exam, rows = trial.evaluation, trial.combination.rows
    p = exam.predictions
    mixed = p.probabilities[rows].mean(axis=0)
    wrong = mixed.argmax(axis=1) != p.labels
    few = np.asarray(p.instances["group"] == "few")

    def elsewhere(name: str) -> float:
        there = exam.shifted[name].predictions
        return float((there.probabilities[rows].mean(axis=0).argmax(axis=1) != there.labels).mean())

    expected = {
        "log_loss": -np.log(mixed[np.arange(exam.n), p.labels]).mean(),
        "error": wrong.mean(),
        "accuracy": 1 - wrong.mean(),
        "worst_group": max(wrong[few].mean(), wrong[~few].mean()),
        "worst_shift": max(elsewhere("noise"), elsewhere("blur")),
        "all_wrong": p.wrong[rows].all(axis=0).mean(),
        "co_failure": (p.wrong[rows].mean(axis=0) ** 2).mean(),
        "n_eff": effective(p.wrong[rows], p.labels).n_eff,
        "seconds": p.models["seconds"].iloc[rows].sum(),
    }
    for name, value in expected.items():
        assert quantity(name, trial) == pytest.approx(value, abs=1e-9), name
    assert 0 <= quantity("calibration", trial) < 0.3
    assert quantity("worst_shift_log_loss", trial) > 0
    assert set(QUANTITIES) - {"calibration", "worst_shift_log_loss"} <= set(expected)


def test_the_effective_number_of_one_member_is_one(trial: ScoredSet) -> None:
    assert quantity("n_eff", ScoredSet(fit("mean", trial.evaluation, np.array([2])), trial.evaluation)) == 1.0


def test_bounds_come_before_the_sum(trial: ScoredSet) -> None:
    kept = Goal({"log_loss": 1.0}, {"accuracy": (">=", 0.0)}).value(trial)
    missed = Goal({"log_loss": 1.0}, {"accuracy": (">=", 0.99), "seconds": ("<=", 1.0)}).value(trial)
    assert kept == (0.0, quantity("log_loss", trial))
    assert missed[0] == pytest.approx(0.99 - quantity("accuracy", trial) + quantity("seconds", trial) - 1)
    assert kept < missed


def test_where_more_is_better_the_sign_turns(trial: ScoredSet) -> None:
    value = Goal({"n_eff": 2.0, "error": 1.0}).value(trial)[1]
    assert value == pytest.approx(quantity("error", trial) - 2 * quantity("n_eff", trial))


def test_a_goal_says_itself_in_words() -> None:
    goal = Goal({"log_loss": 1.0, "all_wrong": 0.5}, {"accuracy": (">=", 0.9)})
    assert goal.words == "log_loss + 0.5 all_wrong; accuracy >= 0.9"
    assert Goal.of("error").words == "error"
    assert Goal.of(goal) is goal


def outcomes(*errors: float, n: int = 1000) -> EvaluationSet:
    """Models that fail the first so many instances."""
    right = {f"m{i}": np.arange(n) >= round(e * n) for i, e in enumerate(errors)}
    return EvaluationSet(Predictions.from_correct(right))


def test_a_model_far_worse_than_the_best_is_left_out_of_an_equal_vote() -> None:
    exam = outcomes(0.1, 0.25, 0.5, 0.31)
    goal = Goal.of("co_failure")
    assert above_floor(goal, exam, False, 1).tolist() == [0, 1, 3]
    assert above_floor(goal, exam, True, 1).tolist() == [0, 1, 2, 3]
    assert above_floor(goal, exam, False, 4).tolist() == [0, 1, 2, 3]
    assert above_floor(Goal({"error": 1.0}, floor=None), exam, False, 1).tolist() == [0, 1, 2, 3]
    assert above_floor(Goal({"error": 1.0}, floor=0.7), exam, True, 1).tolist() == [0, 1]


def test_beside_the_best_a_hopeless_model_hurts_even_if_they_never_fail_together() -> None:
    """What the floor rests on: the mean squared share of wrong members."""
    n = 1000
    best, worse = np.arange(n) < 100, np.arange(n) >= 650
    together = np.stack([best, worse]).mean(axis=0)
    assert not (best & worse).any()
    assert (together**2).mean() > best.mean()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Goal({}), "a goal without a quantity to minimize; expected one or more, such as {'log_loss': 1}."),
        (lambda: Goal({"error": 0.0}), "importance 0.0 of 'error'; expected a number above 0."),
        (lambda: Goal({"error": 1.0}, {"accuracy": ("=", 0.9)}), "bound '=' on 'accuracy'; expected '<=' or '>='."),
        (lambda: Goal({"error": 1.0}, floor="best"), "floor 'best'; expected an accuracy, 'hopeless' or None."),
        (lambda: Goal({"error": 1.0}, floor=1.5), "floor 1.5; expected an accuracy in [0, 1)."),
    ],
)
def test_goals_that_make_no_sense_are_refused(make: Callable[[], Goal], text: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        ("log_loss", "the goal 'log_loss' without probabilities and labels; expected probabilities and labels."),
        (
            "worst_group",
            "the goal 'worst_group' without instance columns with groups of 10 instances or more; expected instance "
            "columns with groups of 10 instances or more.",
        ),
        ("worst_shift", "the goal 'worst_shift' without shifted test sets; expected shifted test sets."),
        ("erorr", "no quantity or numeric model column 'erorr'; did you mean 'error'?"),
        ("price", "model 'm1' has no 'price'; expected a number for every model."),
    ],
)
def test_goals_that_the_table_cannot_serve_are_refused(goal: str, text: str) -> None:
    models = pd.DataFrame({"price": [1.0, np.nan]}, index=["m0", "m1"])
    exam = EvaluationSet(Predictions.from_correct({"m0": [1, 0, 1], "m1": [0, 1, 1]}, models=models))
    with pytest.raises(InputError) as caught:
        check(Goal.of(goal), exam)
    assert str(caught.value) == text


def test_shifted_log_loss_needs_shifted_test_sets(world: Callable[..., Predictions]) -> None:
    with pytest.raises(InputError) as caught:
        check(Goal.of("worst_shift_log_loss"), EvaluationSet(world()))
    assert str(caught.value) == (
        "the goal 'worst_shift_log_loss' without shifted test sets; expected shifted test sets."
    )


def test_a_floor_that_too_few_models_reach_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        above_floor(Goal({"error": 1.0}, floor=0.9), outcomes(0.05, 0.2, 0.3), True, 2)
    assert str(caught.value) == "1 models have an accuracy of 0.9 or more; expected 2 or more; lower the floor."


def test_an_exam_without_the_named_column_is_refused(world: Callable[..., Any]) -> None:
    with pytest.raises(InputError) as caught:
        EvaluationSet(world(), groups=("grup",))
    assert str(caught.value) == "no instance column 'grup'; did you mean 'group'?"


def test_probabilities_with_gaps_are_no_probabilities(world: Callable[..., Predictions]) -> None:
    p = world(n=40)
    for gap in (np.nan, 0.0):
        p.probabilities[2, 5] = gap
        assert not EvaluationSet(p).has_probabilities


def test_graded_scores_are_not_averaged() -> None:
    p = Predictions.from_values({"a": [0.5, 1.0, 0.0], "b": [1.0, 0.2, 0.0]}, [1.0, 1.0, 1.0])
    with pytest.raises(InputError) as caught:
        EvaluationSet(p)
    assert str(caught.value) == (
        "graded scores; expected right or wrong outcomes; read them with threshold (--threshold)."
    )


def test_a_model_is_hopeless_where_one_side_of_the_interval_says_so() -> None:
    """Against a model without errors: 3 of 100 are 1.75 standard errors from none, 2 are 1.42; the limit is 1.66."""
    wrong = {"never": 0, "thrice": 3, "twice": 2}
    p = Predictions.from_correct({name: [0] * k + [1] * (100 - k) for name, k in wrong.items()})
    assert above_floor(Goal.of("error"), EvaluationSet(p), False, 1).tolist() == [0, 2]
