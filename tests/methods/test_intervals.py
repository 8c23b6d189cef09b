"""The page on intervals: its examples and its formulas, written out, against the functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta, norm, t

from polyculture.measures.effective import effective
from polyculture.measures.leave_one_out import rho_without_each
from polyculture.stats import (
    benjamini_hochberg,
    jackknife,
    n_eff_bootstrap,
    n_eff_interval,
    paired_difference,
    rho_interval,
    rho_population_interval,
    standard_error,
)
from polyculture.stats.shares import jeffreys, newcombe, upper_limit, wilson

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "intervals.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
STATED = {row[0]: row[1] for row in ROWS if len(row) == 2}
RNG = np.random.default_rng(3)
WRONG = (RNG.random((12, 150)) < 0.2) | (RNG.random(150) < 0.1)
CLUSTERS = np.arange(150) // 3


def test_the_examples_have_the_numbers_on_the_page() -> None:
    nested = np.repeat(np.arange(10) < np.array([[1], [2], [4]]), 30, axis=1)
    estimate = effective(nested)
    interval = n_eff_interval(3, estimate.design_effect, estimate.influence)
    difference = newcombe(56, 70, 48, 80)
    adjusted = benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.005]))
    computed = {
        "estimate of n_eff, nested errors .1, .2, .4 on 300 instances": interval.estimate,
        "lower limit": interval.low,
        "upper limit": interval.high,
        "Newcombe, 56 of 70 minus 48 of 80: lower limit": difference.low,
        "Newcombe, 56 of 70 minus 48 of 80: upper limit": difference.high,
        "upper limit at 0 of 50": upper_limit(0, 50),
        "smallest adjusted p of .01, .04, .03, .005": adjusted.min(),
        "largest adjusted p of .01, .04, .03, .005": adjusted.max(),
    }
    for name, value in computed.items():
        digits = len(STATED[name].split(".")[1])
        assert value == pytest.approx(float(STATED[name]), abs=0.6 * 10.0**-digits), name


@pytest.mark.parametrize("clusters", [None, CLUSTERS])
def test_the_limits_are_those_of_the_influence_values_on_the_log_scale(clusters: np.ndarray | None) -> None:
    """(I1) and (I2)."""
    estimate = effective(WRONG)
    groups = np.arange(150) if clusters is None else clusters
    sums = np.bincount(groups, estimate.influence)
    g = len(sums)
    error = np.sqrt(g / (g - 1) * ((sums - sums.mean()) ** 2).sum()) / 150
    assert standard_error(estimate.influence, clusters)[0] == pytest.approx(error, abs=1e-14)
    d, reach = estimate.design_effect, t.ppf(0.975, g - 1) * error / estimate.design_effect
    interval = n_eff_interval(12, d, estimate.influence, clusters)
    assert (interval.low, interval.high) == pytest.approx((12 / d * np.exp(-reach), 12 / d * np.exp(reach)), rel=1e-10)


def test_the_influence_of_a_difference_is_the_difference_of_the_influences() -> None:
    """(I3): two sets of models on the same instances, one of which leaves some out."""
    first, second = (effective(rows) for rows in (WRONG[:6], WRONG[6:]))
    parts = [first.influence / 5, np.where(np.arange(150) < 100, second.influence / 5, np.nan)]
    combined = 150 * (parts[0] / 150 - np.nan_to_num(parts[1]) / 100)
    interval = paired_difference((first.rho, second.rho), (parts[0], parts[1]))
    reach = t.ppf(0.975, 149) * standard_error(combined)[0]
    assert interval.high - interval.low == pytest.approx(2 * reach, rel=1e-10)


def test_the_bootstrap_limits_are_those_of_studentized_ratios() -> None:
    """(I5), with one resample after the other."""
    estimate = effective(WRONG)
    d, y = estimate.design_effect, estimate.variation
    x = estimate.influence + d * y

    def studentized(w: np.ndarray) -> tuple[float, float]:
        ratio = (w @ x) / (w @ y)
        return float(np.log(ratio)), float(np.sqrt(w @ (x - ratio * y) ** 2) / (w @ x))

    centre, error = studentized(np.ones(150))
    assert centre == pytest.approx(np.log(d), abs=1e-12)
    draws = np.random.default_rng(8).multinomial(150, np.full(150, 1 / 150), size=4000)
    logs, errors = np.array([studentized(w.astype(float)) for w in draws]).T
    upper, lower = np.quantile((logs - centre) / errors, [0.975, 0.025])
    interval = n_eff_bootstrap(12, d, (estimate.influence, estimate.variation), np.random.default_rng(9))
    by_hand = 12 / d * np.exp(lower * error), 12 / d * np.exp(upper * error)
    assert (interval.low, interval.high) == pytest.approx(by_hand, rel=0.05)


def test_the_jackknife_is_that_of_the_formula() -> None:
    """(I6), with the bound 1."""
    replicates = np.array([2.9, 3.1, 3.3, 2.8])
    logs = np.log(replicates - 1)
    reach = t.ppf(0.975, 3) * np.sqrt(3 / 4 * ((logs - logs.mean()) ** 2).sum())
    interval = jackknife(3.0, replicates, 100, bound=1.0)
    expected = (1 + 2 * np.exp(-reach), 1 + 2 * np.exp(reach))
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)


def test_the_population_of_models_adds_the_variance_of_the_models() -> None:
    """(I7), every model left out in turn."""
    estimate, without_each = effective(WRONG), rho_without_each(WRONG)
    by_hand = [effective(np.delete(WRONG, m, axis=0)).rho for m in range(12)]
    np.testing.assert_allclose(without_each, by_hand, atol=1e-12)
    influence = estimate.influence / 11
    variance = standard_error(influence)[0] ** 2 + 11 / 12 * ((by_hand - np.mean(by_hand)) ** 2).sum()
    interval = rho_population_interval(estimate.rho, influence, without_each)
    assert interval.high - estimate.rho == pytest.approx(t.ppf(0.975, 11) * np.sqrt(variance), rel=1e-10)


def test_shares_have_the_limits_of_the_table() -> None:
    """(I8), (I9), (I10)."""
    assert (jeffreys(3, 40).low, jeffreys(3, 40).high) == pytest.approx(beta.ppf([0.025, 0.975], 3.5, 37.5))
    assert jeffreys(0, 40).low == 0
    assert upper_limit(3, 40) == pytest.approx(beta.ppf(0.95, 3.5, 37.5))
    z2 = norm.ppf(0.975) ** 2
    centre, reach = (3 + z2 / 2) / (40 + z2), np.sqrt(z2) / (40 + z2) * np.sqrt(3 * 37 / 40 + z2 / 4)
    assert (wilson(3, 40).low, wilson(3, 40).high) == pytest.approx((centre - reach, centre + reach))


def test_adjusted_p_values_are_running_minima_from_above() -> None:
    """(I12)."""
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.005])
    ranks = {0.005: 1, 0.01: 2, 0.03: 3, 0.04: 4}
    by_hand = [np.nan if np.isnan(x) else min(min(1, 4 / ranks[y] * y) for y in ranks if y >= x) for x in p]
    np.testing.assert_allclose(benjamini_hochberg(p), by_hand, atol=1e-15)


def test_the_limits_of_rho_are_those_of_the_effective_number_on_another_scale() -> None:
    """rho = (D − 1)/(M − 1) with D = M/n_eff."""
    influence = np.array([1.0, -1.5, 0.25, 0.25, 0.5, -0.5])
    number, rho = n_eff_interval(4, 1.6, influence), rho_interval(4, 1.6, influence)
    assert rho.estimate == pytest.approx(0.6 / 3)
    assert (rho.low, rho.high) == pytest.approx(((4 / number.high - 1) / 3, (4 / number.low - 1) / 3))
