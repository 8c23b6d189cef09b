"""Pair measures: closed forms, degenerate pairs, and what no relabelling may change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.counts import PairCounts, count
from polyculture.measures.pairs import MEASURES, reasons
from polyculture.measures.similarity.probabilities import capa

ADJUSTED = ["kappa", "phi", "h", "q"]
nan = float("nan")


def pair(first: list[int], second: list[int]) -> PairCounts:
    """Outcomes of two models: 1 right, 0 wrong, −1 unknown."""
    return count(None, None, np.array([first, second], np.int8), 2)


def values(counts: PairCounts, a: int = 0, b: int = 1) -> dict[str, float]:
    return {name: measure(counts)[a, b] for name, measure in MEASURES.items()}


def test_one_pair_from_its_four_counts_matches_the_closed_forms() -> None:
    """T1: 60 both right, 10 only the first, 15 only the second, 15 both wrong."""
    found = values(pair([1] * 70 + [0] * 30, [1] * 60 + [0] * 10 + [1] * 15 + [0] * 15))
    expected = {
        "outcome_agreement": 0.75,
        "kappa": 0.375,
        "covariance": 0.075,
        "phi": 0.075 / np.sqrt(0.3 * 0.7 * 0.25 * 0.75),
        "h": 0.075 / 0.175,
        "q": 750 / 1050,
        "lift": 2.0,
        "jaccard": 0.375,
        "disagreement": 0.25,
        "double_fault": 0.15,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    largest_kappa = (1 - abs(0.3 - 0.25) - 0.6) / 0.4
    assert found["kappa"] / largest_kappa == pytest.approx(found["h"], abs=1e-12)
    assert [f"{found['phi']:.6f}", f"{found['h']:.6f}", f"{found['q']:.6f}"] == ["0.377964", "0.428571", "0.714286"]


@pytest.mark.parametrize(
    ("case", "first", "second", "expected", "reason"),
    [
        ("one perfect model", [1] * 10, [1] * 7 + [0] * 3, [nan] * 4 + [0.7, 0, 0], "constant_model"),
        ("both perfect", [1] * 10, [1] * 10, [nan] * 4 + [1, 0, 0], "constant_model"),
        ("both always wrong", [0] * 10, [0] * 10, [nan] * 4 + [1, 1, 0], "constant_model"),
        ("copies", [1, 0] * 5, [1, 0] * 5, [1] * 4 + [1, 0.5, 0.25], ""),
        ("exact opposites", [1, 0] * 5, [0, 1] * 5, [-1] * 4 + [0, 0, -0.25], "no_joint_errors"),
        ("no common instance", [1, -1, 0], [-1, 0, -1], [nan] * 7, "no_overlap"),
    ],
)
def test_degenerate_pairs_follow_the_convention(case, first, second, expected, reason) -> None:
    """T2."""
    counts = pair(first, second)
    found = values(counts)
    names = [*ADJUSTED, "outcome_agreement", "double_fault", "covariance"]
    np.testing.assert_array_equal([found[n] for n in names], expected)
    assert reasons(counts)[0, 1] == reason


def test_both_perfect_models_have_no_jaccard_and_no_lift() -> None:
    found = values(pair([1] * 4, [1] * 4))
    assert np.isnan([found["jaccard"], found["lift"]]).all()


def test_models_that_are_never_wrong_together_have_finite_kappa_and_no_shared_wrong_answers() -> None:
    answers = np.array([[0, 0, 1, 1], [1, 0, 0, 0], [2, 0, 0, 0]], np.int8)
    counts = count(answers, np.zeros(4, np.int8), None, 3)
    found = values(counts)
    assert found["kappa"] < 0
    assert found["lift"] == 0
    assert np.isnan(found["both_wrong_agreement"])
    assert np.isnan(found["both_wrong_adjusted"])
    assert reasons(counts)[0, 1] == "no_joint_errors"
    assert reasons(counts)[1, 2] == ""


def test_a_model_with_itself_is_fully_alike() -> None:
    answers = np.array([[0, 1, 2, 0], [0, 0, 1, 2]], np.int8)
    found = values(count(answers, np.zeros(4, np.int8), None, 3), 0, 0)
    ones = [*ADJUSTED, "agreement", "outcome_agreement", "jaccard", "both_wrong_agreement", "both_wrong_adjusted"]
    assert [found[name] for name in ones] == [1.0] * len(ones)
    assert found["double_fault"] == 0.5
    assert found["disagreement"] == 0


def test_nested_errors_reach_the_largest_attainable_alikeness() -> None:
    """T5: errors of .1, .2 and .4, each within the next."""
    wrong = np.arange(100) < np.array([[10], [20], [40]])
    h = MEASURES["h"](count(None, None, (~wrong).astype(np.int8), 2))
    np.testing.assert_array_equal(h, np.ones((3, 3)))


def test_shared_wrong_answers_are_adjusted_by_the_pairs_own_baseline() -> None:
    answers = np.array([[1, 1, 1, 1, 0], [1, 2, 1, 2, 0]], np.int8)
    options = np.array([2, 3, 5, 5, 1])
    found = values(count(answers, np.array([0, 0, 0, 0, 1], np.int8), None, 5, options))
    baseline = (1 + 1 / 2 + 1 / 4 + 1 / 4) / 4
    assert found["both_wrong_agreement"] == 0.5
    assert found["both_wrong_adjusted"] == pytest.approx((0.5 - baseline) / (1 - baseline), abs=1e-12)


def test_with_two_options_sharing_a_wrong_answer_means_nothing() -> None:
    answers = np.array([[1, 1, 0], [1, 1, 0]], np.int8)
    found = values(count(answers, np.zeros(3, np.int8), None, 2))
    assert found["both_wrong_agreement"] == 1
    assert np.isnan(found["both_wrong_adjusted"])


def test_outcomes_alone_leave_answer_measures_undefined() -> None:
    found = values(pair([1, 0, 0], [1, 1, 0]))
    names = ["agreement", "both_wrong_agreement", "both_wrong_adjusted", "capa"]
    assert np.isnan([found[name] for name in names]).all()


def test_capa_of_questions_with_different_numbers_of_options_matches_the_closed_form() -> None:
    """T4: options 2, 4, 4."""
    first = [[0.8, 0.2, 0, 0], [0.1, 0.6, 0.2, 0.1], [0, 0, 1, 0]]
    second = [[0.5, 0.5, 0, 0], [0.25] * 4, [0, 0, 1, 0]]
    found = capa(np.array([first, second]), np.array([0, 1, 0]), np.array([2, 4, 4]))
    observed, a, b = 1.75 / 3, 1.4 / 3, 0.75 / 3
    chance = a * b + (1 - a) * (1 - b) * (5 / 3) / 3
    assert found[0, 1] == pytest.approx((observed - chance) / (1 - chance), abs=1e-12)
    assert found[0, 1] == pytest.approx(0.369748, abs=1e-6)
    assert found[0, 0] < 1


def test_capa_of_answers_is_that_of_sure_probabilities_also_with_few_options_and_missing_answers() -> None:
    rng = np.random.default_rng(7)
    options = rng.choice([1, 2, 3, 5], 400).astype(np.int64)
    labels = rng.integers(0, options)
    answers = np.where(rng.random((6, 400)) < 0.5, labels, rng.integers(0, options, (6, 400)))
    observed = rng.random(answers.shape) < 0.9
    sure = (answers[:, :, None] == np.arange(5)).astype(float)
    plain = MEASURES["capa"](count(np.where(observed, answers, -1), labels, None, 5, options))
    np.testing.assert_allclose(plain, capa(sure, labels, options, observed), atol=1e-12)
    two = count(answers % 2, labels % 2, None, 2)
    np.testing.assert_allclose(MEASURES["capa"](two), MEASURES["kappa"](two), atol=1e-12)


def test_capa_is_nan_where_chance_explains_everything() -> None:
    perfect = np.array([[[1.0, 0, 0]], [[1.0, 0, 0]]])
    assert np.isnan(capa(perfect, np.array([0]))).all()


def test_capa_of_plain_answers_uses_c_options_by_default() -> None:
    answers, labels = np.array([[0, 1, 2, 0], [0, 1, 1, 2]]), np.array([0, 0, 0, 0])
    found = capa(np.eye(3)[answers], labels)[0, 1]
    chance = 0.5 * 0.25 + 0.5 * 0.75 / 2
    assert found == pytest.approx((0.5 - chance) / (1 - chance), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 30), st.booleans())
def test_every_measure_is_symmetric_stays_in_range_and_warns_of_nothing(seed, m, n, missing) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n).astype(np.int8)
    answers = rng.integers(-1 if missing else 0, 3, (m, n)).astype(np.int8)
    counts = count(answers, labels, None, 3)
    for name, measure in MEASURES.items():
        matrix = measure(counts)
        np.testing.assert_array_equal(matrix, matrix.T)
        inside = matrix[~np.isnan(matrix)]
        low, high = {"lift": (0, np.inf), "covariance": (-0.25, 0.25)}.get(name, (-1, 1))
        assert ((inside >= low) & (inside <= high)).all()
    np.testing.assert_array_equal(
        np.isnan(MEASURES["kappa"](counts)), np.isin(reasons(counts), ["constant_model", "no_overlap"])
    )


def test_independence_is_exactly_zero_for_every_adjusted_measure() -> None:
    a, b = np.divmod(np.arange(100), 10)
    counts = count(None, None, np.array([a >= 1, b >= 4]).astype(np.int8), 2)
    assert [MEASURES[name](counts)[0, 1] for name in [*ADJUSTED, "covariance"]] == [0.0] * 5
