"""Blends: weights by their rule, and who is right where outcomes are graded, missing or silent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from polyculture.predictions import Predictions
from polyculture.selection.combination import COMBINE, Combination, fit
from polyculture.selection.evaluation import EvaluationSet

World = Callable[..., Predictions]


def vote_of(p: Predictions) -> Combination:
    m = p.shape[0]
    return Combination("vote", np.arange(m), np.full(m, 1 / m))


def test_where_a_grader_decides_the_winning_answers_own_verdict_counts() -> None:
    """Two spellings of a right answer: the label knows one of them, the grader both."""
    answers = {"a": ["four", "4"], "b": ["four", "5"], "c": ["4", "5"]}
    graded = {"a": [1, 1], "b": [1, 0], "c": [1, 0]}
    p = Predictions.from_answers(answers, ["4", "4"], correct=graded)
    assert vote_of(p).outcome(EvaluationSet(p)).wrong.tolist() == [0.0, 1.0]


def test_silence_that_is_called_wrong_is_wrong_and_the_unknown_is_unknown() -> None:
    answers = {"a": [None, None, "x"], "b": [None, None, "x"]}
    graded = {"a": [0, None, None], "b": [0, None, None]}
    p = Predictions.from_answers(answers, ["x", "x", "x"], correct=graded)
    found = vote_of(p).outcome(EvaluationSet(p)).wrong
    assert found[0] == 1.0
    assert np.isnan(found[1:]).all()
    all_known = p.take_instances(np.array([0]))
    assert all_known.observed is None
    assert vote_of(all_known).outcome(EvaluationSet(all_known)).wrong.tolist() == [1.0]


def test_nobody_answering_is_unknown_without_verdicts() -> None:
    p = Predictions.from_answers({"a": [None, "x"], "b": [None, "y"]}, ["x", "x"])
    found = vote_of(p).outcome(EvaluationSet(p))
    assert np.isnan(found.wrong[0])
    assert np.isnan(found.confidence[0])
    assert (found.wrong[1], found.confidence[1]) == (0.5, 0.5)


def test_confidence_is_the_weight_that_agrees() -> None:
    p = Predictions.from_correct({"a": [1, 0], "b": [1, 1], "c": [0, 1]})
    blend = Combination("vote", np.arange(3), np.array([0.6, 0.2, 0.2]))
    found = blend.outcome(EvaluationSet(p))
    assert found.confidence == pytest.approx([0.8, 0.6])
    assert found.wrong.tolist() == [0.0, 1.0]


def test_weights_follow_their_rule(world: World) -> None:
    exam, rows = EvaluationSet(world()), np.array([0, 1, 8])
    assert fit("mean", exam, rows).weights == pytest.approx(np.full(3, 1 / 3))
    odds = fit("weighted_vote", exam, rows)
    assert odds.weights.sum() == pytest.approx(1)
    assert (np.diff(odds.weights) <= 0).all()
    assert (np.diff(exam.errors[odds.rows]) >= 0).all()
    stacked = fit("stacking", exam, rows)
    assert len(stacked.bias) == 3
    assert set(COMBINE) == {"mixture", "mean", "geometric", "stacking", "vote", "weighted_vote", "dynamic"}


def test_log_losses_are_the_same_by_both_ways(world: World) -> None:
    exam = EvaluationSet(world())
    for rule in ("mixture", "mean", "geometric", "stacking"):
        blend = fit(rule, exam, np.array([0, 1, 5]))
        assert blend.losses(exam, "log_loss") == pytest.approx(blend.outcome(exam).log_loss)


def test_a_member_that_leaves_leaves_its_weight_to_the_others(world: World) -> None:
    exam = EvaluationSet(world())
    blend = Combination("mixture", np.array([0, 1, 2]), np.array([0.5, 0.3, 0.2]))
    assert blend.restricted(np.array([1, 2])).weights == pytest.approx([0.6, 0.4])
    stacked = fit("stacking", exam, np.array([0, 1, 2]))
    assert stacked.restricted(np.array([1, 2])).weights.tolist() == stacked.weights[1:].tolist()
    idle = Combination("mixture", np.array([0, 1, 2]), np.array([1.0, 0.0, 0.0]))
    assert idle.restricted(np.array([1, 2])).weights.tolist() == [0.5, 0.5]


def test_calibrating_changes_no_answer(world: World) -> None:
    exam, rows = EvaluationSet(world()), np.array([0, 1, 2])
    plain, cooled = fit("mean", exam, rows), fit("mean", exam, rows, calibrated=True)
    assert cooled.temperature != 1
    assert cooled.outcome(exam).wrong.tolist() == plain.outcome(exam).wrong.tolist()
    assert cooled.losses(exam, "log_loss").mean() < plain.losses(exam, "log_loss").mean()
    assert fit("vote", exam, rows, calibrated=True).temperature == 1


def test_a_missing_verdict_is_no_evidence_of_skill() -> None:
    """Both are wrong on a fifth of what they were asked; one was asked a quarter of it only."""
    p = Predictions.from_correct({"whole": [0] * 8 + [1] * 32, "part": [0] * 2 + [1] * 8 + [None] * 30})
    whole, part = (np.log((1 - e) / e) for e in (8.5 / 41, 2.5 / 11))
    found = fit("weighted_vote", EvaluationSet(p), np.array([0, 1]))
    assert found.weights == pytest.approx([whole / (whole + part), part / (whole + part)])
