"""PC005: do enough instances carry the variance?"""

from __future__ import annotations

import numpy as np


def kish(wrong: np.ndarray) -> float:
    k = wrong.sum(axis=0) - wrong.sum(axis=0).mean()
    return float((k**2).sum() ** 2 / (k**4).sum())


def shared_errors(n: int, shared: int) -> np.ndarray:
    """Ten models that all fail the same few instances, and each one of its own."""
    wrong = np.zeros((10, n), bool)
    wrong[:, :shared] = True
    wrong[np.arange(10), shared + np.arange(10)] = True
    return wrong


def test_a_long_table_with_a_handful_of_shared_failures_is_a_warning(finding, outcomes) -> None:
    wrong = shared_errors(5000, 12)
    assert 10 < kish(wrong) < 30
    found = finding(outcomes(wrong), "PC005")
    assert found.severity == "warning"
    assert found.sentence == (
        f"The variance of the failure count rests on about {kish(wrong):.0f} instances; "
        "below 30 the interval is too narrow."
    )


def test_many_of_them_are_silent(findings, outcomes) -> None:
    wrong = shared_errors(5000, 60)
    assert kish(wrong) > 30
    assert findings(outcomes(wrong), "PC005") == []
