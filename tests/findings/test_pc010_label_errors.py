"""PC010: would wrong labels alone make independent models look as alike?"""

from __future__ import annotations

import numpy as np
import pytest

from polyculture.predictions import Predictions


def shocked(shock: float, seed: int = 0, n: int = 20_000) -> np.ndarray:
    """Six independent models that err on a fifth; on a share `shock` of the instances all are counted wrong."""
    rng = np.random.default_rng(seed)
    return (rng.random((6, n)) < 0.2) | (rng.random(n) < shock)


def common_shock(wrong: np.ndarray) -> float:
    """Σ cov / Σ P(both right) over pairs."""
    upper = np.triu_indices(len(wrong), 1)
    right = ~wrong
    return float(np.cov(wrong, bias=True)[upper].sum() / (right.astype(float) @ right.T / wrong.shape[1])[upper].sum())


@pytest.mark.parametrize(
    ("shock", "severity", "verdict"),
    [
        (0.02, "warning", "no more than the 3.3 % that is plausible, so it could be entirely label errors"),
        (0.06, "note", "more than the 3.3 % that is plausible, so label errors cannot be all of it"),
    ],
)
def test_the_tipping_point_is_put_beside_what_is_plausible(finding, outcomes, shock, severity, verdict) -> None:
    wrong = shocked(shock)
    found = finding(outcomes(wrong), "PC010")
    assert found.severity == severity
    assert found.sentence.startswith(f"If {100 * common_shock(wrong):.2f} % [")
    assert found.sentence.endswith(
        f"] of the labels were wrong, that alone would make independent models look as alike; {verdict}."
    )
    low, high = (float(end.rstrip("%")) / 100 for end in found.sentence.split("[")[1].split("]")[0].split(", "))
    assert low < shock < high
    assert high - low < 0.01


def test_the_user_says_what_is_plausible(finding, outcomes) -> None:
    wrong = shocked(0.02)
    found = finding(outcomes(wrong), "PC010", label_errors=0.005)
    assert found.severity == "note"
    assert found.sentence.endswith("more than the 0.5 % that is plausible, so label errors cannot be all of it.")


def test_models_that_are_not_alike_need_no_explanation(finding, outcomes) -> None:
    found = finding(outcomes(np.eye(4, 100, dtype=bool)), "PC010")
    assert found.reason == "the models are not more alike than independent ones"
    assert (found.sentence, found.severity) == ("", "note")


def test_models_that_are_never_right_together_have_no_tipping_point(finding, outcomes) -> None:
    right = np.eye(3, dtype=bool).repeat(10, axis=1)
    assert finding(outcomes(~right), "PC010").reason == "no two models are ever right together"


def test_without_an_instance_that_all_answered_it_does_not_apply(finding) -> None:
    predictions = Predictions.from_correct({"a": [1, 0, None, None], "b": [None, None, 1, 0]})
    assert finding(predictions, "PC010").reason == "no instance was answered by every model"


def test_what_may_be_plausible_is_not_ruled_out(finding, outcomes) -> None:
    found = finding(outcomes(shocked(0.04, n=300)), "PC010")
    assert found.severity == "note"
    assert found.sentence.endswith("more than the 3.3 % that is plausible, though not surely more.")


def test_independent_models_that_seem_alike_by_accident_are_no_case_of_label_errors(finding, outcomes) -> None:
    found = [finding(outcomes(shocked(0.0, seed, n=400)), "PC010") for seed in range(8)]
    assert {f.reason for f in found} == {
        "the models are not more alike than independent ones",
        "the models are not surely more alike than independent ones",
    }
