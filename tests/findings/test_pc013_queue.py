"""PC013: which failures should a person look at?"""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.predictions import Predictions

MODELS = 5


def table(kind: str) -> Predictions:
    """Sixty instances with independent errors, and three more that all fail in the named way."""
    rng = np.random.default_rng(0)
    labels = ["10"] * 63
    answers = [["10" if rng.random() > 0.2 else "7" for _ in range(63)] for _ in range(MODELS)]
    for row in range(60):
        answers[row % MODELS][row] = "10"  # nobody else is failed by all
    for i, column in enumerate(answers):
        column[60:] = {"consensus": ["99"] * 3, "format only": ["10.0"] * 3, "genuine": [str(20 + i)] * 3}[kind]
    return Predictions.from_answers({f"m{i}": column for i, column in enumerate(answers)}, labels)


def n_eff(wrong: np.ndarray) -> float:
    return float(len(wrong) * wrong.var(axis=1).sum() / wrong.sum(axis=0).var())


@pytest.mark.parametrize("kind", ["consensus", "format only"])
def test_suspects_are_a_warning_with_the_headline_before_and_after(finding, kind) -> None:
    predictions = table(kind)
    wrong = predictions.wrong.astype(float)
    found = finding(predictions, "PC013")
    assert found.severity == "warning"
    assert found.sentence == (
        f"3 instances are failed by every model: 3 {kind}. If all suspects were struck out, n_eff would go from "
        f"{n_eff(wrong):.2f} to {n_eff(wrong[:, :60]):.2f}: the most that they can explain."
    )


def test_no_answer_is_a_suspect_of_its_own_kind(finding) -> None:
    answers = np.zeros((4, 40), np.int8)
    correct = (np.random.default_rng(0).random((4, 40)) > 0.2).astype(np.int8)
    correct[0, :39] = 1
    answers[:, 39], correct[:, 39] = -1, 0
    predictions = Predictions(table("genuine").models.iloc[:4], instances(40), answers, None, correct, ("x",))
    found = finding(predictions, "PC013")
    assert found.severity == "warning"
    assert found.sentence.startswith("1 instance is failed by every model: 1 no answer.")


def test_failures_that_differ_are_a_note(finding) -> None:
    found = finding(table("genuine"), "PC013")
    assert found.severity == "note"
    assert found.sentence.startswith("3 instances are failed by every model: 3 genuine.")


def test_outcomes_alone_are_unsorted_and_a_note(finding, outcomes) -> None:
    wrong = np.eye(3, 30, dtype=bool)
    wrong[:, 20:] = True
    found = finding(outcomes(wrong), "PC013")
    assert found.severity == "note"
    assert found.sentence.startswith("10 instances are failed by every model: 10 unsorted.")


def test_where_no_number_is_left_only_the_kinds_are_told(finding) -> None:
    """Striking out the suspects leaves perfect models."""
    labels = ["a"] * 9 + ["b"]
    found = finding(Predictions.from_answers({"m": ["a"] * 10, "n": ["a"] * 10}, labels), "PC013")
    assert found.sentence == "1 instance is failed by every model: 1 chance agreement."


def test_where_nothing_is_failed_by_all_it_does_not_apply(finding, outcomes) -> None:
    found = finding(outcomes(np.eye(3, 30, dtype=bool)), "PC013")
    assert (found.sentence, found.reason) == ("", "no instance is failed by every model")


def instances(n: int):
    return table("genuine").instances.iloc[:n]
