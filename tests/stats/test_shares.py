"""Ceilings, upper limits and fail@k."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from polyculture.stats import ceiling, design_effect, fail_at_k_interval, jeffreys, upper_limit


def test_an_upper_limit_is_the_quantile_of_the_posterior() -> None:
    assert upper_limit(0, 100) == pytest.approx(stats.beta.ppf(0.95, 0.5, 100.5))
    assert upper_limit(5, 5) == 1.0
    assert np.isnan(upper_limit(0, 0))


def test_the_ceiling_is_what_no_policy_beats() -> None:
    found = ceiling(30, 1000)
    assert found.estimate == 0.97
    assert found.high == pytest.approx(1 - stats.beta.ppf(0.05, 30.5, 970.5))
    assert found.low == pytest.approx(1 - jeffreys(30, 1000).high)
    assert (ceiling(0, 10).estimate, ceiling(0, 10).high) == (1, 1)
    assert ceiling(0, 0).reason == "no instances"


def test_fail_at_k_has_limits_where_enough_instances_carry_it() -> None:
    values = np.repeat([0.0, 0.1, 0.5], [500, 100, 50])
    found = fail_at_k_interval(values, 100.0, 150)
    assert found.method == "influence function, log scale"
    assert found.estimate**2 == pytest.approx(found.low * found.high)
    clustered = fail_at_k_interval(values, 100.0, 150, np.arange(650) // 25)
    assert clustered.high > found.high


def test_fail_at_k_beyond_the_gate_is_only_bounded() -> None:
    values = np.zeros(500)
    values[:12] = 0.3
    found = fail_at_k_interval(values, 12.0, 12)
    assert np.isnan(found.low)
    assert found.high == pytest.approx(upper_limit(12, 500))
    assert found.reason == "carried by 12 instances, below 20: upper limit only"
    clustered = fail_at_k_interval(values, 12.0, 12, np.arange(500) // 4)
    assert clustered.high > found.high


def test_a_plain_share_has_its_jeffreys_interval() -> None:
    assert fail_at_k_interval(np.repeat([1.0, 0.0], [7, 93]), 7.0, 7) == jeffreys(7, 100)
    assert fail_at_k_interval(np.zeros(0), 0.0, 0).reason == "no instances"


def test_clusters_that_share_their_fate_count_as_one() -> None:
    hit = np.repeat(np.random.default_rng(0).random(200) < 0.3, 5)
    assert design_effect(hit, np.repeat(np.arange(200), 5)) == pytest.approx(5, rel=0.01)
    assert design_effect(hit, np.arange(1000)) == 1
    assert design_effect(np.zeros(10), np.arange(10) // 2) == 1
