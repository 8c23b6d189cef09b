"""Do the parts add up to ρ, in every table, and is what cannot be told apart refused?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures.attribution.covariance_split import (
    Factor,
    accuracy_controls,
    both,
    by_distance,
    by_level,
    by_overlap,
    correlation,
    cramers_v,
    crossed,
    identifiability,
    independent,
    missing_cell,
    split,
)
from polyculture.measures.attribution.per_instance import StratifiedErrors, error_covariance, instance_parts
from polyculture.measures.effective import effective
from polyculture.rng import stream

DATA, ARCH = np.repeat(np.arange(4), 4), np.tile(np.arange(4), 4)


def levels(*codes: int) -> Factor:
    return by_level(np.array(codes))


def test_planted_coefficients_come_back_exactly_with_their_shares_of_pairs() -> None:
    data, arch = by_level(DATA), by_level(ARCH)
    y = 0.05 + 0.3 * data.alike + 0.1 * arch.alike
    np.fill_diagonal(y, 1.0)
    parted = split(y, [data, arch])
    assert parted.coefficients == pytest.approx([0.05, 0.3, 0.1], abs=1e-9)
    assert parted.pair_shares == pytest.approx([1, 0.2, 0.2], abs=1e-9)
    assert parted.rho == pytest.approx(parted.contributions.sum(), abs=1e-12)
    assert np.abs(parted.residual).max() < 1e-12


def test_aliases_and_constants_are_refused_and_a_crossed_factorial_has_vif_16_15() -> None:
    factors = [by_level(DATA), by_level(ARCH), by_level(DATA + 7), by_level(np.zeros(16, int)), by_level(np.arange(16))]
    found = identifiability(factors)
    assert found.aliases == ((0, 2),)
    assert list(found.constant) == [False, False, False, True, True]
    assert list(found.estimable) == [False, True, False, False, False]
    crossed_only = identifiability(factors[:2])
    assert crossed_only.vif == pytest.approx([16 / 15, 16 / 15], abs=1e-9)
    assert crossed_only.estimable.all()
    assert crossed_only.together == ()
    assert not crossed_only.flagged.any()


def test_factors_that_hardly_any_pair_tells_apart_are_refused_together() -> None:
    nearly = DATA.copy()
    nearly[[0, 5]] = [1, 0]
    found = identifiability([by_level(DATA), by_level(nearly), by_level(ARCH)])
    assert found.vif[0] < 5
    assert found.discordant[0, 1] < 10
    assert found.together == ((0, 1),)
    assert list(found.estimable) == [False, False, True]


def moved(count: int) -> tuple[Factor, Factor, Factor]:
    """Two factors of 120 models that differ in so many models, and a third that is crossed with both."""
    first = np.arange(120) % 6
    second = first.copy()
    second[:count] = (first[:count] + 1) % 6
    return by_level(first), by_level(second), by_level(np.arange(120) // 6 % 3)


def test_a_factor_with_a_high_vif_is_refused_with_the_one_it_overlaps_most() -> None:
    found = identifiability(moved(3))
    assert found.discordant[0, 1] > 10
    assert found.vif[0] > 5
    assert found.together == ((0, 1),)
    assert list(found.estimable) == [False, False, True]


def test_a_moderately_confounded_factor_is_flagged_but_estimated() -> None:
    found = identifiability(moved(11))
    assert 2.5 < found.vif[0] < 5
    assert found.estimable.all()
    assert list(found.flagged) == [True, True, False]


def test_a_factor_with_one_level_of_two_models_has_too_few_levels() -> None:
    found = identifiability([levels(0, 0, 1, 2, 3), levels(0, 1, 0, 1, 1)])
    assert list(found.few_levels) == [True, False]
    assert list(found.estimable) == [False, True]


def wrong_table(seed: int, m: int, n: int) -> np.ndarray:
    rng = stream(seed, "table")
    hard = rng.random(n)
    return rng.random((m, n)) < 0.1 + 0.6 * hard


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4), st.booleans())
def test_contributions_sum_to_the_rho_of_the_ladder(seed: int, strata: int, gaps: bool) -> None:
    rng = stream(seed, "strata")
    wrong = wrong_table(seed, 16, 90)
    code = rng.integers(0, strata, 90)
    code = np.unique(code, return_inverse=True)[1]
    observed = rng.random(wrong.shape) < 0.8 if gaps else None
    wrong = wrong & observed if observed is not None else wrong
    errors = StratifiedErrors(wrong, code, observed)
    parted = split(error_covariance(errors), [by_level(DATA), by_level(ARCH)])
    assert parted.contributions.sum() == pytest.approx(parted.rho, abs=1e-12)
    assert parted.rho == pytest.approx(effective(wrong, code, observed).rho, abs=1e-12)


def test_balanced_regression_is_two_way_analysis_of_variance() -> None:
    wrong = wrong_table(3, 16, 300)
    errors = StratifiedErrors(wrong, np.zeros(300, int))
    C = error_covariance(errors)
    parted = split(C, [by_level(DATA), by_level(ARCH)])
    R = (wrong - wrong.mean(axis=1, keepdims=True)).T.reshape(300, 4, 4)
    grand = R.mean(axis=(1, 2))
    by_data, by_arch = R.mean(axis=2) - grand[:, None], R.mean(axis=1) - grand[:, None]
    rest = R - R.mean(axis=2)[:, :, None] - R.mean(axis=1)[:, None, :] + grand[:, None, None]
    scale = 300 / 299
    squares = [scale * 4 * (x**2).sum(axis=1).mean() / 3 for x in (by_data, by_arch)]
    error = scale * (rest**2).sum(axis=(1, 2)).mean() / 9
    components = [(s - error) / 4 for s in squares]
    assert parted.coefficients[1:] * np.diag(C).mean() == pytest.approx(components, abs=1e-12)


@pytest.mark.parametrize("gaps", [False, True])
def test_the_parts_of_the_instances_average_to_the_coefficients(gaps: bool) -> None:
    rng = stream(4, "parts")
    wrong, code = wrong_table(4, 16, 500), rng.integers(0, 3, 500)
    observed = rng.random(wrong.shape) < 0.9 if gaps else None
    wrong = wrong & observed if observed is not None else wrong
    errors = StratifiedErrors(wrong, code, observed)
    C = error_covariance(errors)
    parted = split(C, [by_level(DATA), by_level(ARCH)])
    parts = instance_parts(errors, C, parted.weights)
    assert parts.mean(axis=1) == pytest.approx(parted.coefficients, abs=2e-3 if gaps else 1e-6)


def test_instances_alone_in_their_stratum_add_nothing() -> None:
    wrong = wrong_table(5, 16, 101)
    code = np.zeros(101, dtype=np.int64)
    code[100] = 1
    errors = StratifiedErrors(wrong, code)
    C = error_covariance(errors)
    parts = instance_parts(errors, C, split(C, [by_level(DATA)]).weights)
    assert list(np.flatnonzero(~errors.used)) == [100]
    assert (parts[:, 100] == 0).all()


def test_influence_from_parts_is_the_infinitesimal_jackknife() -> None:
    wrong = wrong_table(6, 16, 120)
    factors = [by_level(DATA), by_level(ARCH)]

    def coefficient(rows: np.ndarray) -> float:
        return float(
            split(error_covariance(StratifiedErrors(wrong[:, rows], np.zeros(len(rows), int))), factors).coefficients[1]
        )

    errors = StratifiedErrors(wrong, np.zeros(120, int))
    C = error_covariance(errors)
    parted = split(C, factors)
    scale = 2 * np.eye(16)[None] / np.trace(C)
    parts = instance_parts(errors, C, np.concatenate([parted.weights[1:2], scale]))
    influence = parts[0] - parted.coefficients[1] * parts[1]
    left_out = np.array([coefficient(np.delete(np.arange(120), i)) for i in range(120)])
    jackknife = np.sqrt(119 / 120 * ((left_out - left_out.mean()) ** 2).sum())
    assert influence.std(ddof=1) / np.sqrt(120) == pytest.approx(jackknife, rel=0.02)


def test_pairs_without_common_instances_are_left_out() -> None:
    wrong = wrong_table(7, 16, 80)
    observed = np.ones_like(wrong)
    observed[0, :40] = False
    observed[1, 40:] = False
    C = error_covariance(StratifiedErrors(wrong & observed, np.zeros(80, int), observed))
    assert np.isnan(C[0, 1])
    parted = split(C, [by_level(DATA)])
    assert parted.weights[1, 0, 1] == 0
    assert parted.contributions.sum() == pytest.approx(parted.rho, abs=1e-12)


def test_sets_are_alike_by_their_overlap() -> None:
    factor = by_overlap(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0], [1, 1, 0]], dtype=bool))
    assert factor.graded
    assert factor.alike[0] == pytest.approx([1, 0.5, 0, 0, 1])
    assert factor.alike[3, 3] == 1
    assert factor.levels[0] == factor.levels[4] != factor.levels[1]


def test_numbers_are_alike_by_gower_distance() -> None:
    factor = by_distance(np.array([[0.0, 5.0], [10.0, 5.0], [5.0, 5.0], [np.nan, 5.0]]))
    assert factor.alike[0] == pytest.approx([1, 0, 0.5, 0])
    assert factor.alike[3, 3] == 1
    assert (by_distance(np.full((3, 1), 2.0)).alike == 1).all()


def test_unknown_levels_are_shared_with_nobody() -> None:
    factor = levels(0, -1, -1, 0)
    assert factor.alike.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]]


def test_an_interaction_is_shared_by_those_who_share_both() -> None:
    product = both(levels(0, 0, 1, 1), levels(0, 0, 0, 1))
    assert product.alike.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert list(product.levels) == [0, 0, 1, 2]


def test_a_factor_can_be_restricted_to_some_models() -> None:
    kept = levels(0, 1, 0).take(np.array([True, False, True]))
    assert kept.alike.tolist() == [[1, 1], [1, 1]]


def test_cramers_v_is_0_if_crossed_1_if_nested_and_nan_if_constant() -> None:
    assert cramers_v(DATA, ARCH) == pytest.approx(0, abs=1e-12)
    assert cramers_v(DATA, 3 - DATA) == pytest.approx(1)
    assert np.isnan(cramers_v(DATA, np.zeros(16, int)))


def test_the_model_to_add_is_the_combination_that_is_missed_most() -> None:
    first, second = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 1])
    assert crossed(first, second).tolist() == [[3, 0], [0, 2], [0, 1]]
    assert missing_cell(first, second) == (0, 1)


def test_columns_that_follow_from_earlier_ones_are_not_independent() -> None:
    X = np.array([[1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0], [1, 2, -1, 0]], float)
    assert list(independent(X)) == [True, True, False, False]


def test_correlation_is_nan_where_a_model_does_not_vary() -> None:
    phi = correlation(np.array([[4.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    assert phi[0, 1] == pytest.approx(0.5)
    assert np.isnan(phi[0, 2])


def test_accuracy_controls_are_difference_and_mean() -> None:
    difference, mean = accuracy_controls(np.array([0.1, 0.3]))
    assert difference[0, 1] == pytest.approx(0.2)
    assert mean[0, 1] == pytest.approx(0.2)
