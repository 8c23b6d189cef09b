"""Agreement of reasons lies between its floor and its ceilings, and every number of it has limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from polyculture.measures.similarity import reason_agreement
from polyculture.rng import stream
from polyculture.studies.explanation.comparison import (
    CHANGED,
    FLOOR,
    PAIRS,
    RECIPE,
    REPEAT,
    ReasonComparison,
    joint_features,
    mean_interval,
    summed,
)

from .problems import explanations


def test_pairs_lie_between_floor_and_ceiling():
    comparison = ReasonComparison(explanations(shared=0.6), k=4)
    floor, pairs, ceiling = (comparison.interval(name).estimate for name in (FLOOR, PAIRS, RECIPE))
    assert floor < pairs < ceiling
    shortfall = comparison.shortfall(RECIPE)
    assert shortfall.low > 0
    recipes = comparison.explanations.models["architecture"].to_numpy()
    matrix = reason_agreement(comparison.explanations.values, 4).matrix()
    a, b = np.triu_indices(5, 1)
    same = recipes[a] == recipes[b]
    assert ceiling == pytest.approx(matrix[a, b][same].mean())
    assert shortfall.estimate == pytest.approx(matrix[a, b][same].mean() - matrix[a, b][~same].mean())


def test_models_of_one_recipe_differ_in_columns_of_the_seed_only():
    table = explanations()
    factors = table.models.assign(id=[f"{k}" for k in range(5)], seconds=np.arange(5.0), parameters=[1, 2, 3, 4, 5])
    assert ReasonComparison(replace(table, models=factors)).same_recipe.sum() == 4  # one pair of trees, three of nets
    assert not ReasonComparison(replace(table, models=factors.assign(depth=range(5)))).same_recipe.any()
    assert not ReasonComparison(replace(table, models=factors.drop(columns="seed"))).same_recipe.any()


def test_without_two_models_of_a_recipe_there_is_no_ceiling():
    table = explanations()
    comparison = ReasonComparison(replace(table, models=table.models.assign(depth=range(5))))
    assert RECIPE not in comparison.by_instance
    assert (
        comparison.interval(RECIPE).reason
        == comparison.shortfall(RECIPE).reason
        == "no two models have the same recipe"
    )


def test_where_all_models_have_one_recipe_nothing_is_below_its_ceiling():
    table = explanations()
    comparison = ReasonComparison(replace(table, models=table.models.assign(architecture="net")))
    assert comparison.interval(RECIPE).estimate == comparison.interval(PAIRS).estimate
    assert comparison.shortfall(RECIPE).reason == "no pair of models of different recipes"


def test_repeats_of_the_same_attributions_share_all_reasons():
    table = explanations()
    models = np.array([0, 3])
    again = models, table.values[models]
    comparison = ReasonComparison(table, repeats=again, changed=again)
    for name in (REPEAT, CHANGED):
        interval = comparison.interval(name)
        assert (interval.estimate, interval.low, interval.high) == (1.0, 1.0, 1.0)


def test_noise_as_large_as_the_difference_is_reported_as_below_the_ceiling():
    generator = stream(0, "noise")
    common = generator.normal(size=(80, 12))
    table = explanations(n=80)
    noisy = [(common + 0.7 * generator.normal(size=(5, 80, 12))).astype(np.float32) for _ in range(2)]
    comparison = ReasonComparison(replace(table, values=noisy[0]), repeats=(np.arange(5), noisy[1]))
    assert comparison.shortfall(REPEAT).low <= 0.02


def test_the_effective_number_of_reasons_is_that_of_recipes():
    comparison = ReasonComparison(explanations(m=10, n=400, shared=0.0))
    interval = comparison.effective_interval
    assert interval.low < interval.estimate < interval.high
    assert interval.estimate == pytest.approx(100 / (6**2 + 4**2), rel=0.1)  # six nets and four trees


def test_answers_of_pairs():
    table = explanations(m=3, n=4)
    answers = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1]])
    comparison = ReasonComparison(table, answers)
    assert comparison.agreed_answers.estimate == pytest.approx((1 + 1 / 3 + 1 / 3 + 1) / 4)
    assert ReasonComparison(table).agreed_answers.reason == "predicted numbers are never the same answer"


def test_clusters_widen_the_limits():
    table = explanations(n=40)
    doubled = replace(table, values=np.repeat(table.values, 2, axis=1), instances=pd.DataFrame(index=pd.RangeIndex(80)))
    single = ReasonComparison(table).interval(PAIRS)
    clustered = ReasonComparison(doubled, clusters=np.repeat(np.arange(40), 2)).interval(PAIRS)
    naive = ReasonComparison(doubled).interval(PAIRS)
    assert clustered.high - clustered.low == pytest.approx(single.high - single.low, rel=1e-3)
    assert naive.high - naive.low < clustered.high - clustered.low


def test_features_that_are_perturbed_as_one_are_one_reason():
    generator = stream(0, "patches")
    patches = generator.normal(size=(3, 20, 4)).astype(np.float32)
    values = np.concatenate([patches.repeat(4, axis=2), np.zeros((3, 20, 2), np.float32)], axis=2)
    groups = joint_features(values)
    assert groups.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4 + [4, 5]  # features without any part stay apart
    np.testing.assert_allclose(summed(values, groups)[:, :, :4], 4 * patches, rtol=1e-6)
    table = explanations(m=3, n=20, shape=(18,))
    comparison = ReasonComparison(replace(table, values=values), k=2)
    expected = reason_agreement(patches, 2).matrix()
    np.testing.assert_allclose(comparison.agreement.matrix(), expected, atol=1e-6)


def test_limits_of_a_share_stay_within_it():
    values = np.array([1.0, 1, 1, 1, 0.2])
    free, bounded = mean_interval(values), mean_interval(values, bounds=(0.0, 1.0))
    assert free.high > 1
    assert bounded.high == 1
    assert bounded.low == free.low
    assert mean_interval(np.full(3, np.nan)).reason == "no instance has one"


def test_tables_have_a_row_per_comparison_and_pair():
    comparison = ReasonComparison(explanations(), np.zeros((5, 60), int))
    assert comparison.table()["comparison"].tolist() == [
        "two models, same instance",
        "two models, different instances (floor)",
        "same recipe, new seed (ceiling)",
    ]
    pairs = comparison.pairs()
    assert len(pairs) == 10
    assert pairs["feature"].is_monotonic_increasing
    assert (pairs["same_answer"] == 1).all()
    assert ((pairs["low"] <= pairs["feature"]) & (pairs["feature"] <= pairs["high"])).all()
