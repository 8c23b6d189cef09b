"""Are the two accuracies, whom all fail and the effective number of a set of members what they say?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from polyculture.measures.effective import effective
from polyculture.studies.federation.members import LOCAL, difference
from polyculture.studies.federation.mixes import class_table, own_mixes

from .sets_of_members import dataset, member_set, two_mixes


def draws(m: int, n: int, rate: float = 0.3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((m, n)) < rate


def test_an_own_mix_weighs_classes_as_the_client_meets_them() -> None:
    mixes = two_mixes(8)
    wrong = np.array([[True, False, False, False, False, False, False, False], [False, True] * 4])
    right = 1.0 - wrong
    # First client: 3/4 of class a (3 of 4 right), 1/4 of class b (all right); second: class b only, all wrong.
    assert mixes.means(right).tolist() == pytest.approx([0.75 * 0.75 + 0.25, 0.0])
    assert mixes.interval(right).estimate == pytest.approx((0.8125 + 0.0) / 2)


def test_the_own_mix_of_clients_with_the_classes_of_the_test_set_is_the_global_mix() -> None:
    test = dataset([0, 1] * 30)
    mixes = own_mixes([dataset([0, 1]), dataset([1, 0, 0, 1])], ["x", "y"], test)
    right = 1.0 - draws(2, 60)
    assert mixes.means(right) == pytest.approx(right.mean(axis=1))
    assert mixes.interval(right).estimate == pytest.approx(right.mean())


def test_limits_of_the_own_mix_are_those_of_a_stratified_sample() -> None:
    mixes = two_mixes(400)
    right = 1.0 - draws(2, 400)
    strata, shares = np.arange(400) % 2, np.array([[0.75, 0.25], [0.0, 1.0]])
    means = np.array([[row[strata == s].mean() for s in (0, 1)] for row in right])
    combined = sum(0.5 * shares[k][strata] / 200 * (right[k] - means[k][strata]) for k in range(2))
    error = math.sqrt(float((combined**2).sum()) * 400 / 399)
    interval = mixes.interval(right)
    assert interval.high - interval.estimate == pytest.approx(1.966 * error, rel=1e-3)


def test_clients_that_own_test_instances_are_tested_on_them() -> None:
    test = dataset([0, 1, 0, 1], hospital=["x", "x", "y", "z"])
    mixes = own_mixes([dataset([0]), dataset([1])], ["x", "y"], test, "hospital")
    right = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    assert mixes.kind == "instances"
    assert mixes.means(right).tolist() == [0.5, 1.0]


def test_a_client_without_any_test_instance_has_no_own_mix_and_the_others_keep_theirs() -> None:
    test = dataset([0, 0, 0], hospital=["x", "x", "x"])
    mixes = own_mixes([dataset([0]), dataset([1])], ["x", "y"], test, "hospital")
    values = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert np.isnan(mixes.means(values)[1])
    assert mixes.interval(values).estimate == pytest.approx(2 / 3)


def test_one_federated_model_fails_everybody_where_it_fails() -> None:
    members = member_set(draws(1, 200), two_mixes(200), "fedavg", clients=False)
    numbers = members.numbers()
    assert numbers["all_wrong"].estimate == pytest.approx(1 - numbers["accuracy"].estimate)
    assert not numbers["n_eff"].defined
    assert "copy" in numbers["n_eff"].reason
    assert members.expected_all_wrong == pytest.approx(numbers["all_wrong"].estimate)


def test_numbers_of_a_set_are_those_of_the_measures() -> None:
    wrong = draws(2, 300)
    members = member_set(wrong, two_mixes(300))
    numbers = members.numbers()
    assert numbers["accuracy"].estimate == pytest.approx(1 - wrong.mean())
    assert numbers["all_wrong"].estimate == pytest.approx(wrong.all(axis=0).mean())
    assert numbers["n_eff"].estimate == pytest.approx(effective(wrong, np.arange(300) % 2).n_eff)
    assert numbers["n_eff"].low < numbers["n_eff"].estimate < numbers["n_eff"].high


def test_a_difference_of_a_set_with_itself_is_zero_and_certain() -> None:
    members = member_set(draws(2, 100), two_mixes(100))
    for number in ("accuracy", "own_mix", "all_wrong"):
        change = difference(members, members, number)
        assert (change.estimate, change.low, change.high) == pytest.approx((0, 0, 0))


def test_a_paired_difference_is_narrower_than_two_intervals_where_sets_fail_alike() -> None:
    wrong = draws(2, 500)
    other = wrong.copy()
    other[0, :10] = ~other[0, :10]
    mixes = two_mixes(500)
    first, second = member_set(wrong, mixes), member_set(other, mixes, "fedavg, personalized")
    change, accuracy = difference(second, first, "accuracy"), first.numbers()["accuracy"]
    assert change.high - change.low < 0.5 * (accuracy.high - accuracy.low)
    assert first.name == LOCAL


def test_the_table_of_classes_adds_up() -> None:
    table = class_table([dataset([0, 0, 1]), dataset([1])], ["x", "y"])
    assert table.groupby("client")["share"].sum().tolist() == pytest.approx([1, 1])
    assert table["instances"].sum() == 4
