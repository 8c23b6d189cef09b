"""A vote is the plurality of the answers, ties split: by hand, by its laws, and the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.measures.ensembles import majority
from polyculture.measures.votes import vote
from polyculture.predictions import Predictions
from polyculture.selection.combination import fit
from polyculture.selection.evaluation import EvaluationSet


def by_hand(answers: list[int], wrong: list[bool], weights: list[float]) -> float:
    """Probability that the vote is wrong: the mean over the answers with the most weight."""
    support: dict[int, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer >= 0:
            support[answer] = support.get(answer, 0.0) + weight
    if not support:
        share = np.average(wrong, weights=weights)
        return 0.5 if share == 0.5 else float(share > 0.5)
    winners = [answer for answer, weight in support.items() if weight == max(support.values())]
    return float(np.mean([any(w for a, w in zip(answers, wrong, strict=True) if a == winner) for winner in winners]))


@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(2, 5))
def test_a_vote_is_what_counting_by_hand_gives(seed: int, models: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    answers, labels = rng.integers(-1, classes, (models, 12)), rng.integers(0, classes, 12)
    wrong, weights = answers != labels, rng.integers(1, 4, models).astype(float)
    expected = [by_hand(answers[:, i].tolist(), wrong[:, i].tolist(), weights.tolist()) for i in range(12)]
    np.testing.assert_allclose(vote(wrong, answers, weights).loss, expected)


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(2, 6))
def test_the_decomposition_is_exact_and_the_order_of_the_models_says_nothing(seed: int, models: int, c: int) -> None:
    rng = np.random.default_rng(seed)
    answers, labels = rng.integers(0, c, (models, 30)), rng.integers(0, c, 30)
    wrong, order = answers != labels, rng.permutation(models)
    for codes in (None, answers):
        parts = majority(wrong, codes)
        assert parts.ensemble == pytest.approx(vote(wrong, codes).loss.mean())
        assert parts.ensemble == pytest.approx(parts.mean - parts.good + parts.bad)
        shuffled = vote(wrong[order], None if codes is None else codes[order]).loss
        np.testing.assert_allclose(shuffled, vote(wrong, codes).loss)


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_of_two_answers_the_vote_is_that_of_right_against_wrong(seed: int, models: int) -> None:
    rng = np.random.default_rng(seed)
    answers, labels = rng.integers(0, 2, (models, 30)), rng.integers(0, 2, 30)
    np.testing.assert_array_equal(vote(answers != labels, answers).loss, vote(answers != labels).loss)


def test_half_wrong_is_not_outvoted_where_the_wrong_ones_differ() -> None:
    answers = np.array([[0], [0], [1], [2]])
    assert vote(answers != 0, answers).loss.tolist() == [0]
    assert vote(answers != 0).loss.tolist() == [0.5]


def test_tied_answers_share_the_vote() -> None:
    answers = np.array([[0, 0], [1, 1], [2, 1], [-1, 0]])
    decision = vote(answers != 0, answers)
    assert decision.loss.tolist() == pytest.approx([2 / 3, 1 / 2])
    assert decision.share.tolist() == pytest.approx([1 / 3, 1 / 2])


def test_weights_may_differ_by_instance() -> None:
    answers = np.array([[0, 0], [1, 1]])
    assert vote(answers != 0, answers, np.array([[2.0, 0.0], [1.0, 1.0]])).loss.tolist() == [0, 1]


def test_absent_models_do_not_vote_and_nobody_is_nan() -> None:
    wrong, observed = np.array([[True, False], [False, False]]), np.array([[True, False], [False, False]])
    loss = vote(wrong, observed=observed).loss
    assert loss[0] == 1.0
    assert np.isnan(loss[1])


def test_where_nobody_gave_an_answer_right_and_wrong_decide() -> None:
    answers = np.full((3, 2), -1)
    wrong = np.array([[True, True], [True, True], [True, False]])
    assert vote(wrong, answers).loss.tolist() == [1, 1]


def test_a_portfolio_votes_as_the_audit_does() -> None:
    rng = np.random.default_rng(3)
    answers, labels = rng.integers(0, 4, (6, 400)), rng.integers(0, 4, 400)
    p = Predictions.from_answers({f"m{i}": row for i, row in enumerate(answers)}, labels)
    evaluation = EvaluationSet(p)
    combined = fit("vote", evaluation, np.arange(6)).outcome(evaluation).wrong
    np.testing.assert_allclose(combined, vote(p.wrong, p.answers).loss)
    assert combined.mean() == pytest.approx(majority(p.wrong, p.answers).ensemble)
