"""PC016: do they know how sure to be?"""

from __future__ import annotations

import numpy as np

from polyculture.predictions import Predictions


def binary(stated: float, right: float, n: int = 2000) -> Predictions:
    """Two models that state one probability everywhere and are right on the same share of the instances."""
    labels = np.tile([0, 1], n // 2)
    answers = np.where(np.arange(n) < right * n, labels, 1 - labels)
    q = np.full((n, 2), 1 - stated)
    q[np.arange(n), answers] = stated
    both = Predictions.from_answers({"a": answers, "b": answers}, labels)
    return Predictions(both.models, both.instances, both.answers, both.labels, None, both.classes, np.stack([q, q]))


def test_overconfident_models_are_a_warning(finding) -> None:
    """One bin that says .9 and is right on .7: the error is .2, its standard error √(.7·.3/2000)."""
    found = finding(binary(0.9, 0.7), "PC016")
    reach = 1.9612 * np.sqrt(0.7 * 0.3 / 1999)
    loss = -(0.7 * np.log(0.9) + 0.3 * np.log(0.1))
    assert found.severity == "warning"
    assert found.sentence == (
        f"The mean of the probabilities has an expected calibration error of 0.200 [{0.2 - reach:.3f}, "
        f"{0.2 + reach:.3f}] and a log-loss of {loss:.3f}; single models lie between 0.200 and 0.200, and {loss:.3f} "
        f"and {loss:.3f}."
    )


def test_calibrated_models_are_a_note(finding) -> None:
    found = finding(binary(0.7, 0.7), "PC016")
    assert found.severity == "note"
    assert "an expected calibration error of 0.000 [0.000, " in found.sentence


def test_an_error_that_may_be_small_is_a_note(finding) -> None:
    assert finding(binary(0.76, 0.7), "PC016").severity == "note"  # .06 ± .02
    assert finding(binary(0.78, 0.7), "PC016").severity == "warning"  # .08 ± .02


def test_without_probabilities_it_does_not_apply(finding, outcomes) -> None:
    found = finding(outcomes(np.eye(3, 30, dtype=bool)), "PC016")
    assert (found.sentence, found.reason) == ("", "no probabilities")
