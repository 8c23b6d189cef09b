"""docs/methods/certificate.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, t

from polyculture.selection.certificate import worst
from polyculture.stats import ceiling, design_effect, influence_interval, jeffreys

BASELINE = np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 0], dtype=float)
PORTFOLIO = np.array([1, 0, 0, 0, 0, 0, 0, 0, 1, 0], dtype=float)


def test_the_numbers_of_the_page(stated):
    difference = BASELINE - PORTFOLIO
    error = difference.std(ddof=1) / np.sqrt(10)
    gain = influence_interval(difference.mean(), difference - difference.mean())
    assert gain.low == pytest.approx(difference.mean() - t.ppf(0.975, 9) * error)
    share = jeffreys(2, 10)
    assert share.low == pytest.approx(beta.ppf(0.025, 2.5, 8.5))
    pairs = np.repeat(np.arange(5), 2)
    sums = np.bincount(pairs, PORTFOLIO - PORTFOLIO.mean())
    independent = np.sqrt(10 / 9 * ((PORTFOLIO - PORTFOLIO.mean()) ** 2).sum()) / 10
    clustered = np.sqrt(5 / 4 * (sums**2).sum()) / 10
    wrong = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    clumped = design_effect(wrong, pairs)
    assert design_effect(PORTFOLIO, pairs) == pytest.approx(max(1.0, (clustered / independent) ** 2))
    groups = pd.DataFrame({"error": [0.1, 0.3], "low": [0.02, 0.2], "high": [0.25, 0.42], "n": [50, 50]})
    assert worst(groups, "", 0.95, "error", "Jeffreys").high == 0.42
    stated.agree(
        {
            "gain": gain.estimate,
            "lower limit of the gain": gain.low,
            "upper limit of the gain": gain.high,
            "error": share.estimate,
            "lower limit of the error": share.low,
            "upper limit of the error": share.high,
            "design effect": clumped,
            "certified ceiling, 3 of 300": ceiling(3, 300).high,
        }
    )
