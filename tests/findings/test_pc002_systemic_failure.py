"""PC002: on how many instances does every model fail, and would they by accident?"""

from __future__ import annotations

import numpy as np
from scipy.stats import beta, hypergeom

from polyculture.predictions import Predictions


def two_models(n: int, errors: int, both: int) -> np.ndarray:
    """Two models with that many errors each, so many of them together."""
    a, b = np.zeros((2, n), bool)
    a[:errors] = True
    b[errors - both : 2 * errors - both] = True
    return np.stack([a, b])


def p_value(n: int, errors: int, both: int) -> str:
    law = hypergeom(n, errors, errors)
    p = law.sf(both) + law.pmf(both) / 2
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def test_many_joint_failures_are_an_alert_with_jeffreys_limits_and_the_hypergeometric_p(finding, outcomes) -> None:
    found = finding(outcomes(two_models(200, 30, 15)), "PC002")
    low, high = beta(15.5, 185.5).ppf([0.025, 0.975])
    assert found.severity == "alert"
    assert found.sentence == (
        f"Both models fail the same 15 of 200 instances: 7.50 % [{100 * low:.2f} %, {100 * high:.2f} %]. "
        f"It would be {100 * (0.15 * 0.15):.2f} % if they failed independently; exact p {p_value(200, 30, 15)}."
    )


def test_fewer_than_ten_are_a_warning(finding, outcomes) -> None:
    found = finding(outcomes(two_models(200, 30, 9)), "PC002")
    assert found.severity == "warning"
    assert found.sentence.endswith(f"exact p {p_value(200, 30, 9)}.")


def test_as_many_as_by_accident_are_a_note(finding, outcomes) -> None:
    found = finding(outcomes(two_models(200, 40, 8)), "PC002")
    assert found.severity == "note"
    assert found.sentence.endswith(f"exact p {p_value(200, 40, 8)}.")


def test_the_expectation_given_the_class_stands_beside_the_raw_one(finding) -> None:
    """Class 0 is failed by .5, class 1 by .1 of the time: .5·.25 + .5·.01 given the class, .3² else."""
    labels = np.repeat([0, 1], 100)
    a, b = np.zeros((2, 200), bool)
    a[:50] = b[25:75] = True
    a[100:110] = b[109:119] = True
    answers = {"a": labels ^ a, "b": labels ^ b}
    found = finding(Predictions.from_answers(answers, labels), "PC002")
    assert "It would be 13.00 % if they failed independently given the true class (9.00 % at their overall error " in (
        found.sentence
    )
    assert found.severity == "note"  # 26 of 200: just what the classes make of it


def test_without_an_instance_that_all_answered_it_does_not_apply(finding) -> None:
    predictions = Predictions.from_correct({"a": [1, 0, None, None], "b": [None, None, 1, 0]})
    found = finding(predictions, "PC002")
    assert found.reason == "no instance was answered by every model"
    assert found.sentence == "The share of instances that every model fails is undefined."
