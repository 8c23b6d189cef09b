"""The effective number of models: exact designs, conventions, and the influence function against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.measures import effective as room
from polyculture.measures.effective import COMPLEMENTARY, NO_PAIRS, NO_VARIATION, TOO_FEW_MODELS, effective
from polyculture.stats import n_eff_interval


def product(levels: int, models: int, wrong: int = 1) -> np.ndarray:
    """Every combination of levels once; a model is wrong where its level is below `wrong`: exact independence."""
    return wrong > np.array(list(itertools.product(range(levels), repeat=models))).T


NESTED = np.arange(100) < np.array([[10], [20], [40]])
QUARTERS = product(4, 3)


@pytest.mark.parametrize(
    ("case", "wrong", "expected"),
    [
        ("independent, errors ¼", QUARTERS, 3),
        ("independent, errors ½", product(2, 4), 4),
        ("five copies", np.repeat(QUARTERS[:1], 5, 0), 1),
        ("three kinds, two copies each", np.repeat(QUARTERS, 2, 0), 3),
        ("kinds of 4, 1, 1: inverse Simpson", QUARTERS[[0, 0, 0, 0, 1, 2]], 2),
        ("independent, errors .1 and .4", np.array(np.divmod(np.arange(100), 10)) < np.array([[1], [4]]), 2),
        ("a perfect model is left out", np.vstack([QUARTERS, np.zeros((1, 64), bool)]), 3),
        ("errors never coincide", np.eye(3, dtype=bool), np.inf),
        ("nested errors", NESTED, 3 * 0.49 / (0.49 + 2 * (0.08 + 0.06 + 0.12))),
    ],
)
def test_exact_designs_have_their_known_effective_number(case, wrong, expected) -> None:
    """T5."""
    assert effective(wrong).n_eff == pytest.approx(expected, abs=1e-9)


def test_fewer_than_two_informative_models_have_no_effective_number() -> None:
    """T5."""
    found = effective(np.array([[True, False, False], [False] * 3]))
    assert np.isnan([found.n_eff, found.rho, found.z, found.p_value]).all()
    assert np.isnan(found.influence).all()
    assert (found.reason, found.n_models) == (TOO_FEW_MODELS, 1)


def test_complementary_errors_have_a_reason() -> None:
    found = effective(np.eye(3, dtype=bool))
    assert (found.reason, found.design_effect, found.n_info) == (COMPLEMENTARY, 0.0, 0.0)
    assert found.rho == -0.5


def test_independence_within_classes_looks_alike_only_until_classes_are_given() -> None:
    """T6: errors of ½ in one class and ¼ in the other."""
    wrong = np.hstack([np.repeat(product(2, 3), 8, 1), QUARTERS])
    classes = np.repeat([0, 1], 64)
    given_class = effective(wrong, classes)
    assert given_class.design_effect == pytest.approx(1, abs=1e-12)
    assert given_class.z == pytest.approx(0, abs=1e-9)
    assert given_class.p_value == pytest.approx(0.5, abs=1e-9)
    assert effective(wrong).n_eff == pytest.approx(3 * 0.234375 / (0.234375 + 2 * 0.015625), abs=1e-9)
    assert f"{effective(wrong).n_eff:.6f}" == "2.647059"


def test_the_interval_of_nested_errors_is_that_of_the_infinitesimal_jackknife() -> None:
    """T7."""
    wrong = np.repeat(NESTED, 3, axis=1)
    found = effective(wrong)
    interval = n_eff_interval(found.n_models, found.design_effect, found.influence)
    assert [interval.estimate, interval.low, interval.high] == pytest.approx([1.455446, 1.358470, 1.559343], abs=2e-6)

    def log_design_effect(weights: np.ndarray) -> float:
        w, k = weights / weights.sum(), wrong.sum(axis=0)
        rates = wrong @ w
        return np.log((w @ k**2 - (w @ k) ** 2) / (rates * (1 - rates)).sum())

    even, step = np.ones(300), 1e-5
    moves = [(log_design_effect(even + step * row) - log_design_effect(even)) / step for row in np.eye(300)]
    jackknife = np.sqrt(np.sum(np.square(moves)) * 300 / 299)
    ours = np.sqrt((found.influence**2).sum() * 300 / 299) / 300 / found.design_effect
    assert ours == pytest.approx(jackknife, rel=1e-3)
    assert found.design_effect - 1 == pytest.approx(2 * found.rho, abs=1e-12)


def test_z_equals_its_matrix_form() -> None:
    """T7."""
    covariance = np.cov(NESTED)
    a, b = np.triu_indices(3, 1)
    variances = np.diag(covariance)
    expected = covariance[a, b].sum() / np.sqrt((variances[a] * variances[b]).sum() / 99)
    assert effective(NESTED).z == pytest.approx(expected, abs=1e-9)


def pairwise_design_effect(wrong, observed, strata, weights) -> float:
    """Mean covariance and mean variance, pair by pair and stratum by stratum, with instance weights."""
    m = len(wrong)
    moments = np.full((m, m), np.nan)
    for a in range(m):
        for b in range(m):
            above = below = 0.0
            for s in np.unique(strata):
                at = observed[a] & observed[b] & (strata == s)
                if (n := at.sum()) < 2:
                    continue
                w = weights[at]
                x, y = (row[at] - np.average(row[at], weights=w) for row in (wrong[a], wrong[b]))
                above += n / (n - 1) * (w * x * y).sum()
                below += w.sum()
            moments[a, b] = above / below if below else np.nan
    return 1 + (m - 1) * np.nanmean(moments[~np.eye(m, dtype=bool)]) / np.nanmean(np.diag(moments))


@pytest.mark.parametrize("strata", [np.zeros(60, int), np.arange(60) % 4], ids=["one stratum", "four strata"])
@pytest.mark.parametrize("share_missing", [0.0, 0.3])
def test_design_effect_and_influence_equal_brute_force(strata, share_missing, monkeypatch) -> None:
    monkeypatch.setattr(room, "BLOCK", 7)
    rng = np.random.default_rng(3)
    wrong = rng.random((5, 60)) < 0.2 + 0.6 * rng.random(60)
    observed = rng.random((5, 60)) >= share_missing
    found = effective(wrong, strata, observed)
    assert found.informative.all()

    def brute(weights: np.ndarray) -> float:
        return pairwise_design_effect(wrong, observed, strata, weights)

    assert found.design_effect == pytest.approx(brute(np.ones(60)), abs=1e-12)
    step = 1e-5
    moves = [(brute(1 + step * row) - brute(1 - step * row)) / (2 * step) for row in np.eye(60)]
    np.testing.assert_allclose(found.influence / 60, moves, atol=1e-8)
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)


def test_strata_of_one_instance_are_dropped() -> None:
    rng = np.random.default_rng(0)
    wrong = rng.random((4, 50)) < 0.4
    strata = np.r_[np.arange(48) % 3, 7, 8]
    found, without = effective(wrong, strata), effective(wrong[:, :48], strata[:48])
    assert found.design_effect == pytest.approx(without.design_effect, abs=1e-12)
    np.testing.assert_allclose(found.influence[:48], without.influence, atol=1e-12)
    assert np.isnan(found.influence[48:]).all()
    assert (found.strata_dropped, without.strata_dropped) == (2, 0)
    assert (found.n_info, found.z) == pytest.approx((without.n_info, without.z), abs=1e-9)
    masked = effective(wrong, strata, np.arange(200).reshape(4, 50) != 7)
    assert np.isnan(masked.influence[48:]).all()


def test_strata_that_explain_every_outcome_leave_nothing_to_measure() -> None:
    wrong = np.repeat(np.array([[True, False], [False, True]]), 5, axis=1)
    strata = np.repeat([0, 1], 5)
    assert effective(wrong, strata).reason == NO_VARIATION
    observed = np.ones((2, 10), bool)
    observed[0, 0] = False
    assert effective(wrong, strata, observed).reason == NO_VARIATION


def test_models_that_share_no_two_instances_have_no_effective_number() -> None:
    wrong = np.arange(8).reshape(2, 4) % 2 == 0
    observed = np.array([[True, True, False, False], [False, False, True, True]])
    found = effective(wrong, None, observed)
    assert (found.reason, found.pairs_dropped) == (NO_PAIRS, 1)
    assert np.isnan(found.n_eff)


def test_pairs_without_common_instances_are_left_out_and_counted() -> None:
    rng = np.random.default_rng(1)
    wrong = rng.random((3, 40)) < 0.5
    observed = np.ones((3, 40), bool)
    observed[0, :20] = False
    observed[1, 20:] = False
    found = effective(wrong, None, observed)
    brute = pairwise_design_effect(wrong, observed, np.zeros(40), np.ones(40))
    assert found.pairs_dropped == 1
    assert found.design_effect == pytest.approx(brute, abs=1e-12)


def test_a_full_mask_changes_nothing_and_masked_cells_are_never_read() -> None:
    rng = np.random.default_rng(2)
    wrong = rng.random((4, 30)) < 0.5
    assert effective(wrong, None, np.ones((4, 30), bool)).design_effect == effective(wrong).design_effect
    observed = rng.random((4, 30)) < 0.8
    flipped = np.where(observed, wrong, ~wrong)
    assert effective(wrong, None, observed).design_effect == effective(flipped, None, observed).design_effect


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 40), st.integers(1, 4), st.booleans())
def test_the_order_of_models_instances_and_strata_does_not_matter(seed, m, n, kinds, missing) -> None:
    rng = np.random.default_rng(seed)
    wrong, strata = rng.random((m, n)) < rng.random(n), rng.integers(0, kinds, n)
    observed = rng.random((m, n)) < 0.8 if missing else None
    models, instances, names = rng.permutation(m), rng.permutation(n), rng.permutation(kinds)
    mask = None if observed is None else observed[models][:, instances]
    one, two = (
        effective(wrong, strata, observed),
        effective(wrong[models][:, instances], names[strata[instances]], mask),
    )
    np.testing.assert_allclose(
        [one.n_eff, one.rho, one.z, one.n_info], [two.n_eff, two.rho, two.z, two.n_info], rtol=1e-8, atol=1e-8
    )
    np.testing.assert_allclose(one.influence[instances], two.influence, rtol=1e-8, atol=1e-8)
    assert one.reason == two.reason


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(3, 30))
def test_copying_every_model_leaves_the_effective_number_alone(seed, m, n) -> None:
    wrong = np.random.default_rng(seed).random((m, n)) < 0.5
    once, twice = effective(wrong), effective(np.repeat(wrong, 2, axis=0))
    if once.n_models >= 2:
        assert twice.n_eff == pytest.approx(once.n_eff, rel=1e-9)
        assert np.isinf(once.n_eff) or once.n_eff >= 1 - 1e-12
