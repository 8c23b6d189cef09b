"""PC009: can the models be told apart by accuracy?"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from polyculture.predictions import Predictions


def mid_p(only_a: int, only_b: int) -> float:
    n, fewer = only_a + only_b, min(only_a, only_b)
    return min(1.0, 2 * binom.cdf(fewer, n, 0.5) - binom.pmf(fewer, n, 0.5))


def test_pairs_that_mcnemar_tells_apart_are_counted(finding, outcomes) -> None:
    """Errors 5, 6 and 40 of 100, disjoint: the third differs from both, the first two do not differ."""
    wrong = np.zeros((3, 100), bool)
    wrong[0, :5] = wrong[1, 5:11] = wrong[2, 11:51] = True
    assert sorted([mid_p(5, 6) > 0.05, mid_p(5, 40) < 0.01, mid_p(6, 40) < 0.01]) == [True] * 3
    found = finding(outcomes(wrong), "PC009")
    assert found.severity == "note"
    assert found.sentence == (
        "2 of 3 pairs of models can be told apart by accuracy (67 %; McNemar, false discovery rate 5 %)."
    )


def test_equal_models_are_not_told_apart(finding, outcomes) -> None:
    wrong = np.zeros((4, 100), bool)
    for i in range(4):
        wrong[i, 10 * i : 10 * i + 10] = True
    assert finding(outcomes(wrong), "PC009").sentence.startswith("0 of 6 pairs of models can be told apart")


def test_models_without_common_instances_are_silent(findings) -> None:
    predictions = Predictions.from_correct({"a": [1, 0, None, None], "b": [None, None, 1, 0]})
    assert findings(predictions, "PC009") == []
