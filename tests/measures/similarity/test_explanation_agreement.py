"""The measures of Krishna et al. 2022, written down as in the paper, and what must hold of them for any models."""

from __future__ import annotations

from itertools import combinations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import spearmanr

from polyculture.measures.similarity import (
    REASON_MEASURES,
    effective_of_similarity,
    effective_reasons,
    mismatched_agreement,
    reason_agreement,
    repeat_agreement,
    top_k,
)
from polyculture.measures.similarity import explanation_agreement as module
from polyculture.rng import stream


def as_in_the_paper(first: np.ndarray, second: np.ndarray, k: int) -> dict[str, float]:
    """Section 3.2 with sets, for attributions without ties."""
    ranked = [list(np.argsort(-np.abs(e))) for e in (first, second)]
    top = [order[:k] for order in ranked]
    common = set(top[0]) & set(top[1])
    same_rank = {f for f in common if top[0].index(f) == top[1].index(f)}
    same_sign = {f for f in common if np.sign(first[f]) == np.sign(second[f])}
    return {
        "feature": len(common) / k,
        "rank": len(same_rank) / k,
        "sign": len(same_sign) / k,
        "signed_rank": len(same_rank & same_sign) / k,
        "correlation": spearmanr(np.abs(first), np.abs(second)).statistic,
    }


def attributions(m: int = 4, n: int = 12, d: int = 9, seed: int = 0) -> np.ndarray:
    generator = stream(seed, "attributions")
    common = generator.normal(size=(n, d))
    return (common + generator.normal(size=(m, n, d))).astype(np.float32)


@pytest.mark.parametrize("k", [1, 3, 5, 9])
def test_every_measure_is_that_of_the_paper(k):
    values = attributions()
    agreement = reason_agreement(values, k)
    for position, (a, b) in enumerate(combinations(range(4), 2)):
        for i in range(values.shape[1]):
            for name, expected in as_in_the_paper(values[a, i], values[b, i], k).items():
                assert agreement.values[name][position, i] == pytest.approx(expected, abs=1e-6), (name, a, b, i)


def test_known_agreement_by_hand():
    values = np.array([[[4.0, -3, 2, 1, 0]], [[-3.0, -4, 2, 0, 1]]])
    agreement = reason_agreement(values, 3).values
    assert {name: round(float(value[0, 0]), 4) for name, value in agreement.items()} == {
        "feature": 1.0,  # 0, 1 and 2 both times
        "rank": 0.3333,  # only 2 is third both times
        "sign": 0.6667,  # 0 changed its sign
        "signed_rank": 0.3333,
        "correlation": 0.8,  # ranks 5 4 3 2 1 against 4 5 3 1 2
    }


def test_features_without_any_part_are_no_reasons():
    values = np.zeros((3, 2, 6))
    values[0, 0, :2] = 2, 1
    values[1, 0, :2] = 2, 1
    values[2, 0, :4] = 4, 3, 2, 1
    agreement = reason_agreement(values, 5)
    # Two reasons that are the same ones agree entirely, though k is five; of four reasons two are half.
    assert agreement.values["feature"][:, 0].tolist() == [1.0, 0.5, 0.5]
    # Where nobody has any reason nothing agrees or disagrees.
    assert all(np.isnan(agreement.values[name][:, 1]).all() for name in REASON_MEASURES)
    assert np.isnan(agreement.by_instance()[1])
    assert agreement.matrix()[0, 1] == 1.0


def test_reasons_against_none_agree_in_nothing():
    values = np.zeros((2, 1, 4))
    values[0, 0] = 1, 2, 3, 4
    agreement = reason_agreement(values, 2).values
    assert [float(agreement[name][0, 0]) for name in REASON_MEASURES[:4]] == [0.0] * 4
    assert np.isnan(agreement["correlation"][0, 0])


def test_equal_attributions_are_taken_in_the_order_of_features():
    values = np.ones((2, 1, 8))
    values[1, 0, 5:] = 1.5
    assert reason_agreement(values, 3).values["feature"][0, 0] == 0.0  # 0 1 2 against 5 6 7
    values[1, 0, 5:] = 1.0
    assert reason_agreement(values, 3).values["signed_rank"][0, 0] == 1.0


@given(st.integers(2, 6), st.integers(1, 9), st.integers(2, 20), st.integers(1, 25), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_laws(m, n, d, k, seed):
    values = np.round(attributions(m, n, d, seed), 1)  # with ties and zeros
    agreement = reason_agreement(values, k)
    for name in REASON_MEASURES:
        numbers = agreement.values[name][np.isfinite(agreement.values[name])]
        assert ((numbers >= (-1 - 1e-6 if name == "correlation" else 0)) & (numbers <= 1 + 1e-6)).all()
        matrix = agreement.matrix(name)
        np.testing.assert_array_equal(matrix, matrix.T)
        assert (np.diag(matrix) == 1).all()
        # The order of the models and of the instances does not matter, nor the scale of a model's output.
        turned = reason_agreement(values[::-1] * 3, k).matrix(name)[::-1, ::-1]
        np.testing.assert_allclose(turned, matrix, atol=1e-6)
        again = repeat_agreement(values, values, k)[name]
        assert np.allclose(again[np.isfinite(again)], 1)
    assert (agreement.values["signed_rank"] <= np.fmin(agreement.values["rank"], agreement.values["sign"]) + 1e-6).all()
    assert (agreement.values["sign"] <= agreement.values["feature"] + 1e-6).all()


def test_chunks_do_not_change_anything(monkeypatch):
    values = attributions(5, 40, 16)
    agreement, floor = reason_agreement(values, 4), mismatched_agreement(values, 4)
    monkeypatch.setattr(module, "CELLS", 200)
    for name, expected in agreement.values.items():
        np.testing.assert_allclose(reason_agreement(values, 4).values[name], expected, atol=1e-6)
        np.testing.assert_allclose(mismatched_agreement(values, 4)[name], floor[name], atol=1e-6)


def test_the_floor_is_that_of_pairs_of_explanations():
    values = attributions(3, 30, 12)
    expected = np.mean([top_k(values[a], values[b], 4).mismatched for a, b in combinations(range(3), 2)])
    assert mismatched_agreement(values, 4)["feature"].mean() == pytest.approx(expected, abs=1e-6)
    moved = {s: np.roll(values, s, axis=1) for s in (1, 7, 11, 13)}  # 31, 101 and 211 leave 1, 11 and 1 of thirty
    correlation = np.mean(
        [
            np.mean([spearmanr(abs(values[a, i]), abs(moved[s][b, i])).statistic for i in range(30)])
            for s in sorted({s % 30 for s in (1, 7, 31, 101, 211)} - {0})
            for a, b in combinations(range(3), 2)
            if s in moved
        ]
    )
    assert mismatched_agreement(values, 4)["correlation"].mean() == pytest.approx(correlation, abs=1e-6)


def test_the_floor_needs_a_second_instance():
    assert np.isnan(mismatched_agreement(attributions(3, 1, 12), 4)["feature"]).all()


def test_repeats_are_compared_model_by_model():
    first, second = attributions(3, 10, 8), attributions(3, 10, 8, seed=1)
    together = [reason_agreement(np.stack([first[a], second[a]]), 4) for a in range(3)]
    for name, agreement in repeat_agreement(first, second, 4).items():
        np.testing.assert_allclose(agreement, [pair.values[name][0] for pair in together], atol=1e-6)


def test_copies_have_one_reason_and_unrelated_models_have_their_own():
    values = attributions(1, 400, 20)
    copies = effective_reasons(np.repeat(values, 6, axis=0) * np.arange(1, 7)[:, None, None])
    assert copies.n_eff == pytest.approx(1)
    unrelated = stream(0, "unrelated").normal(size=(6, 4000, 20))
    assert effective_reasons(unrelated).n_eff == pytest.approx(6, abs=0.2)


def test_a_profile_that_all_share_is_no_agreement_about_instances():
    generator = stream(0, "profile")
    profile = 5 * generator.normal(size=20)
    values = profile + 0.3 * generator.normal(size=(5, 3000, 20))
    assert reason_agreement(values).matrix()[0, 1] > 0.8
    assert mismatched_agreement(values)["feature"].mean() > 0.8
    assert effective_reasons(values).n_eff == pytest.approx(5, abs=0.3)


def test_strata_take_the_profile_of_a_class_off():
    generator = stream(0, "classes")
    labels = generator.integers(0, 2, 3000)
    profiles = 5 * generator.normal(size=(2, 20))
    values = profiles[labels] + 0.3 * generator.normal(size=(5, 3000, 20))
    assert effective_reasons(values).n_eff < 1.2
    assert effective_reasons(values, labels).n_eff == pytest.approx(5, abs=0.3)


def test_the_effective_number_of_a_matrix_is_the_formula_of_kish():
    assert effective_of_similarity(np.eye(5)) == pytest.approx(5)
    assert effective_of_similarity(np.ones((5, 5))) == pytest.approx(1)
    matrix = np.full((4, 4), 0.5) + 0.5 * np.eye(4)
    assert effective_of_similarity(matrix) == pytest.approx(16 / matrix.sum())
    matrix[0, 1] = matrix[1, 0] = np.nan
    assert effective_of_similarity(matrix) == pytest.approx(4 / 2.5)
    assert np.isnan(effective_of_similarity(np.where(np.eye(3, dtype=bool), 1.0, np.nan)))
    assert effective_of_similarity(np.array([[1.0, -1.0], [-1.0, 1.0]])) == np.inf
