"""Members are members: each has a weight above 0, and who lost it is listed with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyculture.predictions import Predictions
from polyculture.results import Portfolio
from polyculture.selection import AVERAGES, COMBINE, Goal, SelectionOptions, mixture_weights, select
from polyculture.selection.estimators import DiverseEnsembleClassifier

World = Callable[..., Predictions]
QUICK = SelectionOptions(folds=0)


def classes(seed: int, m: int, copies: int, n: int = 90) -> Predictions:
    """Good models, copies of the first, one that guesses and one that is always wrong."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, n)
    scores = 2 * np.eye(3)[labels] + draw.normal(size=(m, n, 3)) * draw.uniform(0.3, 2, size=(m, 1, 1))
    wrong = -6 * np.eye(3)[labels][None]
    scores = np.concatenate([scores, scores[:1].repeat(copies, axis=0), np.zeros((1, n, 3)), wrong])
    p = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    return Predictions(
        models=pd.DataFrame(index=[f"m{i}" for i in range(len(p))]),
        instances=pd.DataFrame(index=[f"i{i}" for i in range(n)]),
        answers=p.argmax(axis=2),
        labels=labels,
        classes=("a", "b", "c"),
        probabilities=p,
    )


def numbers(seed: int, m: int, copies: int, n: int = 90) -> Predictions:
    """Predicted numbers; copies of the first model with more noise, which earn nothing next to it."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=n)
    values = truth + draw.normal(size=(m, n)) * draw.uniform(0.1, 2, size=(m, 1))
    noisier = truth + 2 * (values[:1] - truth).repeat(copies, axis=0)
    values = np.concatenate([values, noisier])
    models = pd.DataFrame(index=[f"m{i}" for i in range(len(values))])
    return Predictions(models, pd.DataFrame(index=[f"i{i}" for i in range(n)]), values=values, targets=truth)


def check(portfolio: Portfolio, asked: int | None) -> None:
    """The law of members."""
    assert min(portfolio.weights) > 0
    if portfolio.rule != "stacking":
        assert sum(portfolio.weights) == pytest.approx(1)
    table = portfolio.candidates.set_index("model")
    assert set(table.index[table["kept"]]) == set(portfolio.members)
    assert (table.loc[~table["kept"], "weight"] == 0).all()
    assert (table.loc[table["kept"], "reason"] == "kept").all()
    assert set(table.loc[~table["kept"], "reason"]) <= {"its weight is 0", "not chosen", "below the floor"}
    assert set(portfolio.contributions["member"]) == set(portfolio.members)
    assert (portfolio.front["members"].str.count(r" \+ ") + 1 == portfolio.front["size"]).all()
    assert portfolio.front["chosen"].sum() == 1
    assert portfolio.requested == (asked or 0)
    assert bool(portfolio.shortfall) == (asked is not None and portfolio.k < asked)
    assert portfolio.shortfall in portfolio.sentence
    assert portfolio.k <= (asked or len(table))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(0, 3), st.sampled_from(sorted(COMBINE)), st.data())
def test_no_member_has_the_weight_0_whatever_the_rule(
    seed: int, m: int, copies: int, rule: str, data: st.DataObject
) -> None:
    p = classes(seed, m, copies)
    k = data.draw(st.one_of(st.none(), st.integers(1, p.shape[0])))
    goal = Goal({data.draw(st.sampled_from(["error", "co_failure"])): 1.0}, floor=None)
    check(select(p, k, rule=rule, goal=goal, terms=QUICK), k)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(0, 3), st.sampled_from(sorted(AVERAGES)), st.data())
def test_no_member_of_an_average_of_numbers_has_the_weight_0(
    seed: int, m: int, copies: int, rule: str, data: st.DataObject
) -> None:
    p = numbers(seed, m, copies)
    k = data.draw(st.one_of(st.none(), st.integers(1, p.shape[0])))
    check(select(p, k, rule=rule, terms=QUICK), k)


def test_fewer_than_asked_for_is_the_best_mixture_and_says_why() -> None:
    p = classes(3, 2, 3)
    chosen, other = p.take_instances(np.arange(60)), p.take_instances(np.arange(60, 90))
    portfolio = select(chosen, 6, certify_on=other, terms=QUICK)
    check(portfolio, 6)
    assert portfolio.k < 6
    assert portfolio.sentence.endswith(
        "6 members were asked for, and fewer are better: the others would have the weight 0, and no further model "
        "lowers the goal log_loss."
    )
    assert Portfolio.from_json(portfolio.to_json()).shortfall == portfolio.shortfall
    truth = p.probabilities[:, np.arange(60), p.labels[:60]]
    best = mixture_weights(truth)
    weights = dict(zip(portfolio.members, portfolio.weights, strict=True))
    mixed = sum(weight * truth[int(member[1:])] for member, weight in weights.items())
    assert -np.log(mixed).mean() == pytest.approx(best.log_loss, abs=1e-5)


def test_a_model_that_was_passed_over_takes_the_place_of_one_without_weight(world: World) -> None:
    """The fastest search compares sets at equal weights; the rule itself has the last word."""
    for seed in range(3):
        portfolio = select(world(n=300, seed=seed), 5, terms=QUICK)
        check(portfolio, 5)


def test_a_judge_that_guesses_has_no_weighted_vote() -> None:
    draw = np.random.default_rng(0)
    right = {f"m{i}": draw.random(400) < 0.8 for i in range(3)} | {"guess": draw.random(400) < 0.3}
    portfolio = select(Predictions.from_correct(right), 4, rule="weighted_vote", terms=QUICK)
    check(portfolio, 4)
    assert "guess" not in portfolio.members
    assert portfolio.candidates.set_index("model").loc["guess", "reason"] == "its weight is 0"


def test_members_of_an_ensemble_have_weights_and_the_size_that_was_not_reached_is_explained() -> None:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB

    draw = np.random.default_rng(1)
    X = draw.normal(size=(150, 3))
    y = (X[:, 0] + 0.3 * draw.normal(size=150) > 0).astype(int)
    learners = [("logistic", LogisticRegression()), ("bayes", GaussianNB()), ("dummy", DummyClassifier())]
    ensemble = DiverseEnsembleClassifier(learners, size=3, random_state=0).fit(X, y)
    portfolio = ensemble.portfolio_
    assert min(portfolio.weights) > 0
    assert (portfolio.requested, portfolio.k < 3) == (3, True)
    assert portfolio.shortfall in portfolio.sentence
    table = portfolio.candidates.set_index("model")
    assert not table.loc["dummy", "kept"]
    assert "below the floor" in table.loc["dummy", "reason"]
    enough = dataclasses.replace(portfolio, requested=0, shortfall="")
    assert "asked for" not in enough.sentence
