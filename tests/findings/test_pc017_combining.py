"""PC017: what does combining them gain?"""

from __future__ import annotations

import numpy as np

from polyculture.predictions import Predictions


def voted(always: int, one: int, two: int, n: int = 600) -> np.ndarray:
    """Three models: so many instances fail all, one of them, two of them (in turn)."""
    wrong = np.zeros((3, n), bool)
    wrong[:, :always] = True
    for at in range(one):
        wrong[at % 3, always + at] = True
    for at in range(two):
        wrong[:, always + one + at] = np.arange(3) != at % 3
    return wrong


def test_a_vote_that_gains_is_a_note_with_its_good_and_bad_part(finding, outcomes) -> None:
    found = finding(outcomes(voted(30, 90, 30)), "PC017")
    assert found.severity == "note"
    mean = (30 * 3 + 90 + 30 * 2) / 1800
    assert found.sentence == (
        f"A majority vote errs on {100 * (60 / 600):.2f} %; single models on {100 * mean:.2f} % on average, the best "
        f"on {100 * mean:.2f} %. Disagreement gains {100 * (mean - 0.1):.2f} points: {100 * 90 / 1800:.2f} where the "
        f"majority is right, less {100 * 30 / 1800:.2f} where it is wrong."
    )


def test_a_vote_that_surely_loses_is_a_warning(finding, outcomes) -> None:
    found = finding(outcomes(voted(0, 0, 300)), "PC017")
    assert found.severity == "warning"
    assert found.sentence == (
        "A majority vote errs on 50.00 %; single models on 33.33 % on average, the best on 33.33 %. Disagreement loses "
        "16.67 points: 0.00 where the majority is right, less 16.67 where it is wrong."
    )


def test_a_loss_that_may_be_accident_is_a_note(finding, outcomes) -> None:
    found = finding(outcomes(voted(0, 30, 36)), "PC017")
    assert "Disagreement loses 0.33 points" in found.sentence
    assert found.severity == "note"


def test_without_an_instance_that_all_answered_it_does_not_apply(finding) -> None:
    predictions = Predictions.from_correct({"a": [1, 0, None, None], "b": [None, None, 1, 0]})
    found = finding(predictions, "PC017")
    assert (found.sentence, found.reason) == ("", "no instance was answered by every model")
