"""PC014: does the answer depend on which good model was taken?"""

from __future__ import annotations

import numpy as np

from polyculture.predictions import Predictions

N = 1000


def models(conflicts: int) -> Predictions:
    """Three models with 200 errors each: two of them differ from the first on so many instances; one is far worse."""
    labels = np.zeros(N, int)
    base = np.where(np.arange(N) < 200, 1, 0)
    second, third, bad = base.copy(), base.copy(), np.ones(N, int)
    half = conflicts // 2
    second[:half] = 2  # other wrong answers: as good, but not the same
    third[half:conflicts] = 2
    return Predictions.from_answers({"a": base, "b": second, "c": third, "bad": bad}, labels)


def test_many_conflicts_among_good_models_are_a_warning(finding) -> None:
    found = finding(models(200), "PC014")
    assert found.severity == "warning"  # Wilson's lower limit of 200 out of 1000 is 17.6 %
    assert found.sentence == (
        "3 models are within 1 % of the best, itself included. On 20.0 % of the instances at least one of them answers "
        "differently from the best (the most different one on 10.0 %): there the answer depends on which good model "
        "was taken."
    )


def test_a_tenth_is_not_surely_more_than_a_tenth(finding) -> None:
    assert finding(models(110), "PC014").severity == "note"  # 11 % [9.2 %, 13.1 %]
    assert finding(models(124), "PC014").severity == "warning"  # 12.4 % [10.5 %, 14.6 %]


def test_a_best_model_that_stands_alone_does_not_compete(finding) -> None:
    labels = np.zeros(N, int)
    worse = np.where(np.arange(N) < 11, 1, 0)
    found = finding(Predictions.from_answers({"a": labels, "b": worse}, labels), "PC014")
    assert (found.sentence, found.reason) == ("", "no model comes within 1 % of the best one")


def test_outcomes_alone_do_not_tell_answers_apart(finding, outcomes) -> None:
    found = finding(outcomes(np.eye(3, 30, dtype=bool)), "PC014")
    assert found.reason == "only right and wrong are known, not the answers"


def test_models_without_common_instances_do_not_compete(finding) -> None:
    predictions = Predictions.from_answers({"a": [0, 1, None, None], "b": [None, None, 0, 1]}, [0, 1, 0, 1])
    assert finding(predictions, "PC014").reason == "the best models answered no instance in common"


def test_a_model_without_any_answer_is_not_the_best(finding) -> None:
    labels = np.zeros(50, int)
    answers = {"a": labels, "b": labels, "mute": np.full(50, None)}
    assert finding(Predictions.from_answers(answers, labels), "PC014").sentence.startswith("2 models are within 1 %")
