"""Confidence sequences hold at every time of looking, and grow narrow."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from polyculture.deployment.watch.detection.sequences import (
    difference_evidence,
    difference_sequence,
    gain_over_best,
    rate_evidence,
    rate_sequence,
)
from polyculture.deployment.watch.label_counts import LabelCounts
from polyculture.errors import InputError
from polyculture.rng import stream


@pytest.mark.parametrize(("successes", "n", "rate"), [(3, 20, 0.1), (0, 15, 0.05), (9, 9, 0.7), (40, 400, 0.2)])
def test_the_evidence_against_a_rate_is_the_mixed_likelihood_over_its_own(successes: int, n: int, rate: float) -> None:
    def likelihood(p: float) -> float:
        return float(stats.binom.pmf(successes, n, p) * stats.beta.pdf(p, 0.5, 0.5))

    mixed = integrate.quad(likelihood, 0, 1, epsabs=1e-13, limit=500)[0]
    golden = math.log(mixed / stats.binom.pmf(successes, n, rate))
    assert rate_evidence(successes, n, rate) == pytest.approx(golden, abs=1e-4)


def test_limits_are_where_the_evidence_reaches_its_bound() -> None:
    interval = rate_sequence(30, 500, 0.9)
    for limit in (interval.low, interval.high):
        assert rate_evidence(30, 500, limit) == pytest.approx(math.log(10), abs=1e-6)
    difference = difference_sequence(60, 20, 500, 0.9)
    assert difference_evidence(60, 20, 500, difference.low) == pytest.approx(math.log(20), abs=1e-6)
    assert difference_evidence(20, 60, 500, -difference.high) == pytest.approx(math.log(20), abs=1e-6)


@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_a_rate_lies_within_its_limits_and_mirrors(successes: int, failures: int, level: float) -> None:
    n = successes + failures
    interval = rate_sequence(successes, n, level)
    mirrored = rate_sequence(failures, n, level)
    assert 0 <= interval.low <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-9)
    if n:
        assert interval.low <= successes / n <= interval.high
        wider = rate_sequence(successes, n, 0.995)
        assert wider.low <= interval.low <= interval.high <= wider.high


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 500))
def test_a_difference_lies_within_its_limits_and_mirrors(gains: int, losses: int, ties: int) -> None:
    n = gains + losses + ties
    interval, mirrored = difference_sequence(gains, losses, n), difference_sequence(losses, gains, n)
    assert -1 <= interval.low <= interval.high <= 1
    assert interval.low == pytest.approx(-mirrored.high, abs=1e-9)
    if n:
        assert interval.low <= (gains - losses) / n <= interval.high


def test_ten_thousand_labels_bound_an_error_of_5_percent_to_a_point() -> None:
    interval = rate_sequence(500, 10_000)
    assert 0.041 < interval.low < 0.045
    assert 0.055 < interval.high < 0.06
    narrow = difference_sequence(300, 200, 10_000)
    assert narrow.low > 0
    assert narrow.high - narrow.low < 0.02


def test_few_disagreements_make_a_difference_narrow() -> None:
    """The width follows the variance, not the range: the same gain with fewer discordant instances is surer."""
    few, many = difference_sequence(30, 20, 1000), difference_sequence(300, 290, 1000)
    assert few.high - few.low < (many.high - many.low) / 2


@pytest.mark.parametrize("seed", range(3))
def test_limits_hold_at_all_times_together(seed: int) -> None:
    """A hundred streams each; the thousand of the promise run nightly."""
    rng, n = stream(seed, "coverage"), 1000
    errors = np.cumsum(rng.random((100, n)) < 0.05, axis=1)
    evidence = rate_evidence(errors, np.arange(1, n + 1), 0.05)
    assert (evidence.max(axis=1) < math.log(20)).mean() >= 0.9


def test_the_gain_over_the_best_is_the_least_gain() -> None:
    gains, losses, n = np.array([300, 60]), np.array([20, 50]), np.array([2000, 2000])
    best = gain_over_best(gains, losses, n)
    singles = [difference_sequence(300, 20, 2000, 0.975), difference_sequence(60, 50, 2000, 0.975)]
    assert best.estimate == pytest.approx(0.005)
    assert best.low == pytest.approx(min(i.low for i in singles))
    assert best.high == pytest.approx(min(i.high for i in singles))


def test_counts_of_two_workers_add_up() -> None:
    rng = stream(0, "labels")
    wrong = (rng.random((300, 3)) < 0.2).astype(int)
    wrong[rng.random(wrong.shape) < 0.1] = -1
    own = (rng.random(300) < 0.1).astype(int)
    failed = np.where((wrong == 0).any(axis=1), 0, np.where((wrong == 1).all(axis=1), 1, -1))
    whole, first, second = LabelCounts(3), LabelCounts(3), LabelCounts(3)
    whole.add(own, wrong, failed)
    first.add(own[:120], wrong[:120], failed[:120])
    second.add(own[120:], wrong[120:], failed[120:])
    first.add_state(second.state())
    assert first.state() == whole.state()
    assert first.error() == whole.error()
    assert whole.error().estimate == pytest.approx(own.mean())
    assert whole.member_error(1).estimate == pytest.approx((wrong[:, 1] == 1).sum() / (wrong[:, 1] >= 0).sum())


def test_without_labels_everything_is_possible() -> None:
    for interval, limits in ((rate_sequence(0, 0), (0, 1)), (difference_sequence(0, 0, 0), (-1, 1))):
        assert math.isnan(interval.estimate)
        assert (interval.low, interval.high) == limits
        assert interval.reason == "no labels"
    assert gain_over_best(np.array([1, 0]), np.array([0, 0]), np.array([5, 0])).reason == "no labels for some member"


def test_counts_that_do_not_add_up_and_levels_that_are_none_are_refused() -> None:
    for call in (lambda: rate_sequence(3, 2), lambda: difference_sequence(2, 2, 3), lambda: rate_sequence(-1, 2)):
        with pytest.raises(InputError, match="expected counts that add up"):
            call()
    with pytest.raises(InputError, match=r"level 1\.0; expected a confidence level between 0 and 1, such as 0\.95"):
        rate_sequence(1, 2, 1.0)
