"""Panels: the criterion is what it says, enumeration finds its minimum, swapping comes close."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.selection import SelectionOptions, co_failure, panel, panel_sizes, select
from polyculture.selection import panels as module
from polyculture.testing import copying_errors


@given(st.integers(0, 1000), st.integers(1, 5))
def test_the_criterion_is_the_mean_squared_share_of_wrong_members(seed: int, k: int) -> None:
    wrong = copying_errors((3, 2, 2), 60, error_rate=0.3, copying=0.5, seed=seed)
    found = panel(co_failure(wrong), k)
    assert found.criterion == pytest.approx((wrong[list(found.models)].mean(axis=0) ** 2).mean(), abs=1e-6)
    everything = [(wrong[list(s)].mean(axis=0) ** 2).mean() for s in itertools.combinations(range(7), k)]
    assert found.exact
    assert found.criterion == pytest.approx(min(everything), abs=1e-6)


def test_one_of_each_kind_is_taken_before_two_of_one() -> None:
    wrong = copying_errors((4, 4, 4), 4000, seed=3)
    kinds = {model // 4 for model in panel(co_failure(wrong), 3).models}
    assert kinds == {0, 1, 2}


def test_swapping_finds_what_enumeration_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    together = co_failure(copying_errors((4, 3, 3, 2), 2000, copying=0.6, seed=5))
    exact = panel(together, 4)
    monkeypatch.setattr(module, "MOST_ENUMERATED", 0)
    swapped = panel(together, 4)
    assert not swapped.exact
    assert swapped.models == exact.models


@pytest.mark.parametrize("k", [0, 8])
def test_a_panel_of_an_impossible_size_is_refused(k: int) -> None:
    with pytest.raises(InputError) as caught:
        panel(np.eye(7), k)
    assert str(caught.value) == f"a panel of {k} out of 7 models; expected a size from 1 to 7."


def test_missing_verdicts_are_counted_where_both_are_there() -> None:
    wrong = copying_errors((2, 2), 400, seed=1)
    observed = np.random.default_rng(0).random(wrong.shape) < 0.6
    both = observed[0] & observed[2]
    together = co_failure(wrong, observed)
    assert together[0, 2] == pytest.approx((wrong[0] & wrong[2])[both].mean())
    assert together[1, 1] == pytest.approx(wrong[1][observed[1]].mean())
    assert co_failure(wrong, np.ones_like(wrong)) == pytest.approx(co_failure(wrong))


def test_moments_that_cannot_be_are_repaired_with_the_error_rates_kept() -> None:
    """Three models of which every two were seen on other instances, where they never fail together."""
    wrong, observed = np.zeros((3, 90), bool), np.zeros((3, 90), bool)
    for part, (a, b) in enumerate(itertools.combinations(range(3), 2)):
        here = slice(30 * part, 30 * part + 30)
        observed[[a, b], here] = True
        wrong[a, 30 * part : 30 * part + 15] = True
        wrong[b, 30 * part + 15 : 30 * part + 30] = True
    together = co_failure(wrong, observed)
    raw = np.full((3, 3), 0.0) + np.diag([0.5] * 3)
    assert together == pytest.approx(raw)
    wrong[:] = True
    wrong[0, :30] = wrong[1, 60:] = wrong[2, 30:60] = False
    repaired = co_failure(wrong, observed)
    assert np.linalg.eigvalsh(repaired).min() >= -1e-9
    rates = [wrong[m][observed[m]].mean() for m in range(3)]
    assert np.diag(repaired) == pytest.approx(rates)


def test_pairs_with_too_few_common_verdicts_are_refused() -> None:
    observed = np.ones((3, 50), bool)
    observed[2, 25:] = False
    with pytest.raises(InputError) as caught:
        co_failure(np.zeros((3, 50), bool), observed)
    assert str(caught.value) == (
        "the models '0' and '2' have verdicts on 25 common instances; expected 30 or more for every pair; "
        "leave out models with few verdicts."
    )


def test_every_further_judge_has_its_gain_on_other_instances(verdicts: Predictions) -> None:
    table = panel_sizes(verdicts, 5, terms=SelectionOptions(folds=0))
    assert table["size"].tolist() == [1, 2, 3, 4, 5]
    assert (table["n"] == 600).all()
    assert table["gain"].to_numpy()[1:] == pytest.approx(-np.diff(table["error"]))
    assert np.isnan(table["gain"][0])
    assert table.loc[0, "gain_low":"gain_high"].isna().all()
    three = select(verdicts, 3, terms=SelectionOptions(folds=0))
    assert table["members"][2] == " + ".join(three.members)
    assert table["error"][2] == pytest.approx(three.certificate.scores["error"].estimate)
    assert table["error"][2] < table["error"][0]


def test_a_second_judge_of_whom_only_right_and_wrong_is_known_buys_nothing(verdicts: Predictions) -> None:
    """Two that disagree are a tie, which costs ½: the panel errs as often as its two members on average."""
    table = panel_sizes(verdicts, 2, terms=SelectionOptions(folds=0))
    assert abs(table["gain"][1]) < 0.05


def test_absent_judges_do_not_vote() -> None:
    given = pd.DataFrame({"a": [1.0, None] * 80, "b": [1.0, 0.0] * 80, "c": [0.0, 1.0] * 80})
    table = panel_sizes(Predictions.from_correct(given), 3, terms=SelectionOptions(folds=0))
    assert table["n"].tolist()[-1] == 80


def test_a_choice_among_judges_with_few_verdicts_names_them() -> None:
    given = pd.DataFrame({"a": [1.0] + [None] * 99, "b": [1.0, 0.0] * 50, "c": [0.0, 1.0] * 50})
    with pytest.raises(InputError) as caught:
        select(Predictions.from_correct(given), 2, terms=SelectionOptions(folds=0, share=0.01))
    assert str(caught.value) == (
        "the models 'a' and 'a' have verdicts on 1 common instances; expected 30 or more for every pair; "
        "leave out models with few verdicts."
    )


def test_larger_panels_than_there_are_judges_are_refused(verdicts: Predictions) -> None:
    with pytest.raises(InputError) as caught:
        panel_sizes(verdicts, 10)
    assert str(caught.value) == "panels of up to 10 out of 9 models; expected a size from 1 to 9."


@pytest.mark.parametrize("first", range(8))
def test_a_panel_grows_by_whoever_raises_the_criterion_least(first: int) -> None:
    errors = np.random.default_rng(first).random((8, 60)) ** 3
    together = errors @ errors.T / 60
    grown = [first]
    while len(grown) < 5:
        sums = {r: together[np.ix_([*grown, r], [*grown, r])].sum() for r in range(8) if r not in grown}
        grown.append(min(sums, key=sums.__getitem__))
    assert module._greedy(together, 5, first).tolist() == grown
