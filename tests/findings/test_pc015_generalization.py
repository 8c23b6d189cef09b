"""PC015: what do they lose elsewhere?"""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.predictions import Predictions


def failing(errors: int, n: int = 500) -> np.ndarray:
    """Two models with so many errors each, on different instances."""
    wrong = np.zeros((2, n), bool)
    wrong[0, :errors] = True
    wrong[1, n - errors :] = True
    return wrong


@pytest.mark.parametrize(("errors", "severity"), [(150, "warning"), (110, "note")])
def test_a_gap_that_is_surely_above_ten_points_is_a_warning(finding, outcomes, errors, severity) -> None:
    """From 50 of 500 to 150 (gap 20 points, paired limits 16.5 … 23.5) or 110 (12 points, 9.1 … 14.9)."""
    shifted = {"rain": outcomes(failing(errors)), "fog": outcomes(failing(60))}
    found = finding(outcomes(failing(50)), "PC015", shifted=shifted)
    change = np.r_[np.ones(errors - 50), np.zeros(550 - errors)]
    low = change.mean() - 1.9647 * change.std(ddof=1) / np.sqrt(500)
    assert (low > 0.1) == (severity == "warning")
    assert found.severity == severity
    up = f"goes up by {(errors - 50) / 5:.1f} points on rain"
    assert found.sentence == f"Mean error {up} and goes up by 2.0 points on fog."


def test_where_they_err_less_the_error_goes_down(finding, outcomes) -> None:
    shifted = {"rain": outcomes(failing(150)), "train": outcomes(failing(10))}
    sentence = finding(outcomes(failing(50)), "PC015", shifted=shifted).sentence
    assert sentence == "Mean error goes up by 20.0 points on rain and goes down by 8.0 points on train."


def test_disagreement_is_shown_to_miss_what_all_get_wrong(finding) -> None:
    """All four models give one same wrong answer on 30 of 100: the disagreement there is 0, the error 30 points."""
    labels = np.tile([0, 1], 50)
    here = Predictions.from_answers({f"m{i}": labels for i in range(4)}, labels)
    there = Predictions.from_answers(
        {f"m{i}": np.where(np.arange(100) < 30, 1 - labels, labels) for i in range(4)}, labels
    )
    found = finding(here, "PC015", shifted={"rain": there})
    assert found.severity == "warning"
    assert found.sentence == (
        "Mean error goes up by 30.0 points on rain. Without labels, disagreement would have put "
        "the mean error 30.0 points too low on average: it cannot see what all models get wrong together."
    )


def test_one_test_set_does_not_apply(finding, outcomes) -> None:
    found = finding(outcomes(failing(50)), "PC015")
    assert (found.sentence, found.reason) == ("", "there is only one test set")


def test_a_set_that_nobody_answered_does_not_apply(finding, outcomes) -> None:
    empty = Predictions.from_correct({"m0": [None] * 10, "m1": [None] * 10})
    found = finding(outcomes(failing(50)), "PC015", shifted={"rain": empty})
    assert found.reason == "no model has answers both here and elsewhere"
