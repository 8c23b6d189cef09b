"""PC001: as how many independent models do these fail?"""

from __future__ import annotations

import numpy as np
import pytest

import polyculture as pc
from polyculture.predictions import Predictions
from polyculture.testing import tiny_predictions


def variance_ratio(predictions: Predictions) -> float:
    """n_eff straight from its definition: M × Σ within-class variances of single errors over that of their sum."""
    labels, wrong = predictions.labels, predictions.wrong.astype(float)
    above = below = 0.0
    for y in np.unique(labels):
        here = wrong[:, labels == y]
        above += here.shape[1] * here.sum(axis=0).var(ddof=1)
        below += here.shape[1] * here.var(axis=1, ddof=1).sum()
    return len(wrong) * below / above


@pytest.mark.parametrize(
    ("sizes", "severity"),
    [((8,), "alert"), ((3, 3), "warning"), ((1, 1, 1, 1), "note"), ((2, 2), "note")],
    ids=["eight copies", "two kinds of three", "independent", "half as many as models"],
)
def test_the_severity_follows_from_how_few_models_they_are_like(finding, sizes, severity) -> None:
    predictions = tiny_predictions(sizes, instances=3000)
    found = finding(predictions, "PC001")
    assert found.severity == severity
    assert found.title == "effective number of models"
    n_eff = variance_ratio(predictions)
    m = sum(sizes)
    rho = (m / n_eff - 1) / (m - 1)
    assert found.sentence.startswith(f"{m} models fail like {n_eff:.2f} [")
    assert f"(mean error covariance over variance ρ = {rho:.3f} [" in found.sentence
    assert " independent ones, given each model's error rate within the true class " in found.sentence


def test_copies_are_told_with_all_numbers(finding) -> None:
    assert finding(tiny_predictions((8,), instances=3000), "PC001").sentence == (
        "8 models fail like 1.00 [1.00, 1.00] independent ones, given each model's error rate within the true class "
        "(mean error covariance over variance ρ = 1.000 [1.000, 1.000], test of independence p < 0.001)."
    )


def test_without_two_informative_models_it_does_not_apply(finding, outcomes) -> None:
    found = finding(outcomes([[0, 0, 0, 0], [0, 1, 0, 1]]), "PC001")
    assert found.reason == "fewer than two models have both right and wrong answers"
    assert (found.sentence, found.severity) == ("The effective number of models is undefined.", "note")


def test_errors_that_are_settled_by_the_class_do_not_apply(finding) -> None:
    labels = np.repeat([0, 1], 10)
    answers = {"a": np.zeros(20, int), "b": np.ones(20, int)}
    assert finding(Predictions.from_answers(answers, labels), "PC001").reason == (
        "no model is both right and wrong within any stratum"
    )


def test_errors_that_never_coincide_have_no_number() -> None:
    right = {"a": [0, 1, 1] * 10, "b": [1, 0, 1] * 10, "c": [1, 1, 0] * 10}
    said = {f.code: f.sentence for f in pc.audit(Predictions.from_correct(right)).findings}
    assert said["PC001"] == "The errors of the 3 models never coincide: n_eff has no upper bound."
