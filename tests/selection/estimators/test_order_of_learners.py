"""Who is looked at again, what is expected of all rows, and who is fitted first."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from polyculture.selection.estimators.default_learners import kin
from polyculture.selection.estimators.pace import LearnerPace, Look, LookSample, expected_losses, look_at
from polyculture.selection.estimators.schemes import in_turn
from polyculture.selection.estimators.time_budget import TimeBudget

N = 64_000


def pace(*losses: float, seconds: float = 0.1) -> LearnerPace:
    """Looks at 1,000, 4,000, … rows with these losses; fitting takes so many seconds at first, then in proportion."""
    looks = [Look(1_000 * 4**k, seconds * 4**k, 0.0, loss, None, np.empty((0, 2))) for k, loss in enumerate(losses)]
    return LearnerPace(tuple(looks))


def test_boostings_are_of_one_kin_and_forests_of_another() -> None:
    CatBoostClassifier = type("CatBoostClassifier", (), {})
    XGBRegressor = type("XGBRegressor", (), {})
    boostings = [HistGradientBoostingRegressor(), CatBoostClassifier(), XGBRegressor()]
    assert {kin(learner) for learner in boostings} == {"boosting"}
    assert kin(ExtraTreesClassifier()) == kin(RandomForestRegressor()) == "forest"
    assert kin(make_pipeline(StandardScaler(), LogisticRegression())) == "LogisticRegression"


def test_a_loss_is_expected_to_fall_on_as_it_fell() -> None:
    assert pace(0.4, 0.2).expected(4_000) == pytest.approx(0.2)
    assert pace(0.4, 0.2).expected(16_000) == pytest.approx(0.2 / np.sqrt(2))
    assert pace(0.4, 0.4).expected(N) == pace(0.4, 0.5).expected(N) - 0.1 == pytest.approx(0.4)


def test_one_look_alone_is_expected_to_fall_as_others_do() -> None:
    losses = expected_losses({"falls": pace(0.4, 0.2), "one look": pace(0.4)}, N)
    assert losses["one look"] == pytest.approx(losses["falls"] * np.sqrt(2))
    assert expected_losses({"one look": pace(0.4)}, N) == {"one look": 0.4}


def test_who_learns_more_of_more_rows_comes_first() -> None:
    paces = {"quick": pace(0.30, 0.29), "steady": pace(0.5, 0.3)}
    kinds = {"quick": "boosting", "steady": "net"}
    assert in_turn(kinds, paces, 2, N, TimeBudget(100.0)) == ["steady", "quick"]


def test_the_best_of_each_kin_comes_before_the_second_of_one() -> None:
    paces = {"a": pace(0.30), "b": pace(0.31), "c": pace(0.32), "net": pace(0.35), "hopeless": pace(0.9)}
    kinds = {"b": "boosting", "a": "boosting", "c": "boosting", "hopeless": "bayes", "unknown": "svm", "net": "net"}
    turns = in_turn(kinds, paces, 2, N, TimeBudget(100.0))
    assert turns == ["a", "net", "b", "c", "unknown", "hopeless"]


def test_only_two_of_a_kin_are_looked_at_again() -> None:
    asked: list[tuple[str, int]] = []
    losses = {"a": 0.3, "b": 0.4, "c": 0.5, "net": 0.6}

    def take(name: str, rows: np.ndarray) -> Look:
        asked.append((name, len(rows)))
        return Look(len(rows), 1e-4, 0.0, losses[name], None, np.empty((0, 2)))

    sample = LookSample(np.arange(10), np.arange(10, 1_000), (50, 200))
    kinds = {"c": "boosting", "b": "boosting", "a": "boosting", "net": kin(MLPClassifier())}
    found = look_at(kinds, take, sample, TimeBudget(1_000.0))
    assert asked == [("c", 50), ("b", 50), ("a", 50), ("net", 50), ("a", 200), ("b", 200), ("net", 200)]
    assert [len(found[name].looks) for name in "abc"] == [2, 2, 1]
