"""Abstaining: the curve is the curve, sets hold the truth as often as promised, budgets are kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.selection import abstention, budget_threshold, conformal, refer, risk_coverage


def test_the_curve_is_the_risk_of_the_surest() -> None:
    found = risk_coverage(np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.2, 0.9, 0.5, 0.5]))
    assert found.coverage.tolist() == [0.25, 0.75, 1.0]
    assert found.risk == pytest.approx([0.0, 1 / 3, 0.5])
    assert found.threshold.tolist() == [0.9, 0.5, 0.2]
    assert found.area.estimate == pytest.approx((0 + 2 / 3 + 0.5) / 4)


def test_a_confidence_that_tells_nothing_leaves_the_error_rate() -> None:
    found = risk_coverage(np.array([1.0, 0.0, 0.0]), np.ones(3))
    assert found.area.estimate == pytest.approx(1 / 3)
    assert found.coverage.tolist() == [1.0]


def test_no_instances_leave_the_area_undefined() -> None:
    found = risk_coverage(np.array([np.nan]), np.array([0.5]))
    assert not found.area.defined
    assert found.area.reason == "no instances"


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_the_interval_of_the_area_is_the_infinitesimal_jackknife(seed: int) -> None:
    """Adding weight to one instance moves the area by its influence: checked by repeating instances."""
    rng = np.random.default_rng(seed)
    n, copies = 40, 50
    wrong, confidence = (rng.random(n) < 0.3).astype(float), rng.integers(0, 6, n) / 5
    base = np.repeat(np.arange(n), copies)
    area = risk_coverage(wrong, confidence).area.estimate
    moved = np.array(
        [
            risk_coverage(wrong[np.append(base, i)], confidence[np.append(base, i)]).area.estimate - area
            for i in range(n)
        ]
    )
    influence = moved * (n * copies + 1)
    found = risk_coverage(wrong, confidence).area
    error = math.sqrt(n / (n - 1) * (influence**2).sum()) / n
    assert (found.high - found.low) / 2 == pytest.approx(error * 2.0227, rel=0.1, abs=1e-3)


@pytest.mark.slow
def test_the_interval_of_the_area_covers() -> None:
    rng = np.random.default_rng(0)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        sure = rng.random(n).round(1)
        return (rng.random(n) < 0.6 * (1 - sure)).astype(float), sure

    truth = risk_coverage(*draw(1_000_000)).area.estimate
    hits = [
        low <= truth <= high
        for a in (risk_coverage(*draw(300)).area for _ in range(400))
        for low, high in [(a.low, a.high)]
    ]
    assert 0.92 <= np.mean(hits) <= 0.98


@given(st.lists(st.integers(0, 9), min_size=1, max_size=50), st.floats(0, 1))
def test_the_budget_is_kept_where_it_was_set(levels: list[int], budget: float) -> None:
    confidence = np.array(levels) / 9
    threshold = budget_threshold(confidence, budget)
    assert (confidence < threshold).mean() <= budget + 1e-9
    higher = confidence[confidence > threshold]
    if len(higher) and threshold > -np.inf:
        assert (confidence < higher.min()).mean() > budget - 1e-9


def test_referring_the_least_sure_leaves_fewer_wrong_answers() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(2000)
    wrong = (rng.random(2000) < 0.5 * (1 - confidence)).astype(float)
    found = refer(wrong[1000:], confidence[1000:], budget_threshold(confidence[:1000], 0.3))
    assert found.referred.low < 0.3 < found.referred.high
    assert found.error.high < wrong.mean()
    assert found.remaining.estimate == pytest.approx(found.error.estimate * (1 - found.referred.estimate))


def test_instances_without_an_answer_are_referred() -> None:
    found = refer(np.array([np.nan, 0.0, 1.0]), np.array([np.nan, 0.9, 0.8]), 0.5)
    assert found.referred.estimate == pytest.approx(1 / 3)
    assert found.error.estimate == 0.5
    assert not refer(np.array([1.0]), np.array([0.1]), 0.5).error.defined


def draw(n: int, seed: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    honest = rng.dirichlet(np.full(classes, 0.6), n)
    labels = (rng.random(n)[:, None] > honest.cumsum(axis=1)).sum(axis=1).clip(0, classes - 1)
    stated = honest**3
    return stated / stated.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("score", ["lac", "aps"])
def test_sets_hold_the_truth_as_often_as_promised(score: str) -> None:
    """Marginal coverage over many calibrations on 99 instances lies between 1 − α and 1 − α + 1/(n + 1) for lac."""
    covered = []
    for seed in range(200):
        p, labels = draw(399, seed)
        rule = conformal(p[:99], labels[:99], 0.1, score)
        covered.append(rule.sets(p[99:])[np.arange(300), labels[99:]].mean())
    assert np.mean(covered) >= 0.9 - 3 * np.std(covered) / math.sqrt(200)
    if score == "lac":
        assert np.mean(covered) <= 0.93


def test_the_threshold_is_the_finite_sample_quantile() -> None:
    p, labels = draw(19, 3)
    own = np.sort(1 - p[np.arange(19), labels])
    assert conformal(p, labels, 0.1).threshold == own[17]
    assert conformal(p[:8], labels[:8], 0.1).threshold == math.inf
    assert conformal(p[:8], labels[:8], 0.1).sets(p).all()


def test_adaptive_sets_take_classes_in_order_and_are_never_empty() -> None:
    p, labels = draw(500, 5)
    rule = conformal(p, labels, 0.3, "aps")
    held = rule.sets(p)
    assert held.any(axis=1).all()
    smallest_in = np.where(held, p, np.inf).min(axis=1)
    largest_out = np.where(held, -np.inf, p).max(axis=1)
    assert (smallest_in >= largest_out).all()


def test_coverage_and_size_come_with_intervals() -> None:
    p, labels = draw(1000, 6)
    rule = conformal(p[:500], labels[:500], 0.2)
    coverage, size = rule.coverage(p[500:], labels[500:])
    assert coverage.low < 0.8 < coverage.high
    assert 1 <= size.low < size.estimate < size.high <= 4
    assert set(abstention.SCORES) == {"lac", "aps"}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: conformal(np.ones((2, 2)), np.zeros(2, int), 0.0),
            "alpha is 0.0; expected a share of sets that may miss the truth, between 0 and 1.",
        ),
        (lambda: conformal(np.ones((2, 2)), np.zeros(2, int), 0.1, "asp"), "no score 'asp'; did you mean 'aps'?"),
        (
            lambda: budget_threshold(np.ones(2), 1.5),
            "a referral budget of 1.5; expected a share of the instances, 0 … 1.",
        ),
    ],
)
def test_impossible_wishes_are_refused(call: object, text: str) -> None:
    with pytest.raises(InputError) as caught:
        call()  # type: ignore[operator]
    assert str(caught.value) == text
