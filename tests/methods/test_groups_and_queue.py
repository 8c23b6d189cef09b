"""docs/methods/groups-and-queue.md against the functions and against the formulas in plain numpy."""

import numpy as np
import pytest
from scipy.stats import hypergeom, norm

from polyculture.auditing.sections.groups import _two_sided
from polyculture.auditing.sections.review_queue import canonical
from polyculture.measures.failure_ratio import failure_ratio
from polyculture.stats import benjamini_hochberg, newcombe, wilson

GROUP = np.repeat([[True, True, False, False], [True, False, True, False]], [56, 4, 4, 6], axis=1)
"""Where the two models are wrong in the group of the page."""


def score_interval(k, n, z):
    centre, reach = (k + z * z / 2) / (n + z * z), z / (n + z * z) * np.sqrt(k * (n - k) / n + z * z / 4)
    return centre - reach, centre + reach


def test_the_numbers_of_the_page(stated):
    z = norm.ppf(0.975)
    (low_1, high_1), (low_2, high_2) = score_interval(56, 70, z), score_interval(48, 80, z)
    gap = newcombe(56, 70, 48, 80)
    p_1, p_2 = 0.8, 0.6
    assert gap.low == pytest.approx(0.2 - np.hypot(p_1 - low_1, high_2 - p_2))
    assert gap.high == pytest.approx(0.2 + np.hypot(high_1 - p_1, p_2 - low_2))
    null = hypergeom(150, 104, 70)
    upper = null.sf(56) + 0.5 * null.pmf(56)
    p = _two_sided((56, 70), (48, 80))
    assert p == pytest.approx(2 * min(upper, 1 - upper))
    q = benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.005]))
    stated.agree(
        {
            "difference": gap.estimate,
            "lower limit": gap.low,
            "upper limit": gap.high,
            "Wilson lower limit of the group": wilson(56, 70).low,
            "two-sided mid-P": p,
            "ratio of the group": failure_ratio(GROUP).ratio,
            "q of p = 0.01": q[0],
            "q of p = 0.03": q[2],
        }
    )


def test_the_grader_is_suspected_where_only_the_writing_differs():
    assert canonical(" 1,000.0. ") == canonical("1000")
    assert canonical("Paris!") == canonical("paris")
    assert canonical("-5") != canonical("5")


def test_the_influence_of_an_instance_on_the_ratio_is_its_derivative():
    joint, n, step = failure_ratio(GROUP), GROUP.shape[1], 1e-6

    def ratio(weights):
        return (weights @ GROUP.all(axis=0)) / np.prod(GROUP @ weights)

    for i in (0, 57, 61, 69):  # of every kind
        weights = (1 - step) * np.full(n, 1 / n) + step * (np.arange(n) == i)
        assert joint.influence[i] == pytest.approx((ratio(weights) - joint.ratio) / step, abs=1e-4)
