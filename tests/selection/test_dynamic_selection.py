"""Choice by instance: neighbours are the nearest, and whoever is right around is trusted."""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.selection import dynamic_selection
from polyculture.selection.combination import fit
from polyculture.selection.evaluation import EvaluationSet


def test_neighbours_are_the_nearest_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    seen, places = rng.normal(size=(50, 3)), rng.normal(size=(20, 3))
    truth = np.argsort(((places[:, None] - seen[None]) ** 2).sum(axis=2), axis=1)[:, :7]
    assert (dynamic_selection.nearest(seen, places, 7) == truth).all()
    monkeypatch.setattr(dynamic_selection, "CELLS", 100)
    assert (dynamic_selection.nearest(seen, places, 7) == truth).all()


def test_no_instance_is_its_own_neighbour() -> None:
    seen = np.random.default_rng(1).normal(size=(12, 2))
    found = dynamic_selection.nearest(seen, seen, 20, self_positions=np.arange(12))
    assert found.shape == (12, 11)
    assert not (found == np.arange(12)[:, None]).any()


def test_the_neighbourhood_shrinks_until_somebody_is_right_on_all_of_it() -> None:
    right = np.array([[True, True, False], [True, False, True], [False, True, True]])
    neighbours = np.array([[0, 1, 2], [2, 1, 0]])
    assert dynamic_selection.competence(right, neighbours).T.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert dynamic_selection.competence(np.zeros((2, 3), bool), neighbours).tolist() == [[1, 1], [1, 1]]


def test_at_most_so_many_are_kept_evenly_spaced() -> None:
    assert dynamic_selection.evenly_spaced(10).tolist() == list(range(10))
    assert dynamic_selection.evenly_spaced(101, 3).tolist() == [0, 50, 100]


def experts(n: int = 600) -> Predictions:
    """Model a is always right where b answers 0, model b where b answers 1; each guesses elsewhere."""
    rng = np.random.default_rng(2)
    labels, side = rng.integers(0, 2, n), rng.integers(0, 2, n)
    guess = rng.integers(0, 2, (2, n))
    return Predictions.from_answers(
        {"a": np.where(side == 0, labels, guess[0]), "b": np.where(side == 1, labels, guess[1]), "side": side}, labels
    )


def test_where_nobody_is_best_everywhere_choosing_by_instance_wins() -> None:
    exam = EvaluationSet(experts())
    rows = np.arange(3)
    dynamic = fit("dynamic", exam, rows).outcome(exam).wrong.mean()
    assert dynamic <= fit("vote", exam, rows).outcome(exam).wrong.mean() + 0.02
    assert dynamic < 0.2


def test_other_classes_than_those_seen_are_refused() -> None:
    blend = fit("dynamic", EvaluationSet(experts()), np.arange(2))
    with pytest.raises(InputError) as caught:
        blend.outcome(EvaluationSet(Predictions.from_answers({"a": [2, 1], "b": [2, 1], "side": [1, 2]}, [1, 2])))
    assert str(caught.value) == "classes that are not those seen before; expected the same, in the same order."
