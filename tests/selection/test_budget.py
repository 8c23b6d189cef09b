"""The best panel within a budget: the same as by hand, never above it, certified elsewhere, and what is refused."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.cli import main

PRICES = {f"judge{k}": price for k, price in enumerate([0.004, 0.002, 0.001, 0.001, 0.003, 0.002])}


def verdicts(seed: int = 0, n: int = 400) -> pc.Predictions:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    wrong = rng.random((6, n)) < np.array([0.1, 0.15, 0.25, 0.25, 0.2, 0.2])[:, None]
    answers = {f"judge{k}": np.where(row, 1 - truth, truth) for k, row in enumerate(wrong)}
    return pc.Predictions.from_answers(answers, labels=truth)


@pytest.mark.parametrize("budget", [0.0011, 0.004, 0.0065])
def test_the_best_affordable_panel_is_that_of_all_sets(budget: float) -> None:
    predictions = verdicts()
    portfolio = pc.select(predictions, rule="vote", goal="error", prices=PRICES, budget=budget)
    assert sum(PRICES[name] for name in portfolio.members) <= budget + 1e-12
    assert portfolio.exact
    assert portfolio.facts["price"] == pytest.approx(sum(PRICES[name] for name in portfolio.members))
    assert f"for {portfolio.facts['price']:.4g} per item, rule vote: error" in portfolio.sentence
    assert portfolio.certified_on == 200
    affordable = [
        names
        for size in range(1, 7)
        for names in itertools.combinations(PRICES, size)
        if sum(PRICES[name] for name in names) <= budget + 1e-12
    ]
    assert tuple(sorted(portfolio.members)) in affordable
    chosen = portfolio.front.loc[portfolio.front["chosen"], "quality"].iloc[0]
    assert portfolio.front.loc[portfolio.front["cost"] <= budget + 1e-12, "quality"].min() >= chosen - 1e-9


def test_more_money_is_never_worse_where_it_is_chosen() -> None:
    errors = []
    for budget in (0.001, 0.003, 0.005, 0.008, 0.013):
        portfolio = pc.select(verdicts(1), rule="vote", goal="error", prices=PRICES, budget=budget)
        front = portfolio.front
        errors.append(float(front.loc[front["chosen"], "quality"].iloc[0]))
    assert errors == sorted(errors, reverse=True)


def test_a_size_and_a_budget_hold_together() -> None:
    portfolio = pc.select(verdicts(2), 3, rule="vote", prices=PRICES, budget=0.005)
    assert portfolio.k == 3
    assert portfolio.facts["price"] <= 0.005


def test_many_models_are_searched_and_the_budget_holds() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 200)
    answers = {f"m{k}": np.where(rng.random(200) < 0.3, 1 - truth, truth) for k in range(25)}
    prices = {f"m{k}": float(rng.uniform(1, 3)) for k in range(25)}
    options = pc.SelectionOptions(folds=0)
    table = pc.Predictions.from_answers(answers, labels=truth)
    portfolio = pc.select(table, rule="vote", goal="error", prices=prices, budget=8.0, terms=options)
    assert not portfolio.exact
    assert sum(prices[name] for name in portfolio.members) <= 8.0
    assert portfolio.k >= 3


def test_without_a_budget_prices_are_the_cost_of_the_front() -> None:
    portfolio = pc.select(verdicts(4), 2, rule="vote", prices=PRICES)
    chosen = portfolio.front[portfolio.front["chosen"]]
    assert chosen["cost"].iloc[0] == pytest.approx(sum(PRICES[name] for name in portfolio.members))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": 0.0005}, "a budget of 0.0005 for 1 member; expected 0.001 or more, which the cheapest cost"),
        ({"budget": 0.003, "k": 3}, "a budget of 0.003 for 3 members; expected 0.004 or more"),
        ({"budget": 0.0}, "a budget of 0.0; expected an amount of money above 0"),
        ({"budget": 1.0, "prices": None}, "a budget without prices"),
        ({"budget": 1.0, "prices": {**PRICES, "nobody": 1.0}}, "has a price for 'nobody', which is no model here"),
        ({"budget": 1.0, "prices": {"judge0": 1.0}}, "no price for the model 'judge1'"),
        ({"budget": 1.0, "prices": {**PRICES, "judge2": -1.0}}, "the price of 'judge2' in prices is no number"),
        ({"budget": 1.0, "terms": pc.SelectionOptions(method="greedy")}, "the method 'greedy' with a budget"),
    ],
)
def test_what_money_cannot_buy_is_refused(options, message: str) -> None:
    with pytest.raises(pc.InputError, match=message):
        pc.select(verdicts(), rule="vote", **({"prices": PRICES} | options))


def test_the_command_takes_prices_and_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    predictions = verdicts(5)
    columns = {name: predictions.answers[row] for row, name in enumerate(predictions.model_ids)}
    frame = pd.DataFrame({"instance": range(400), "label": predictions.labels, **columns})
    frame.to_csv("verdicts.csv", index=False)
    pd.DataFrame({"model": list(PRICES), "price": list(PRICES.values())}).to_csv("prices.csv", index=False)
    words = ["select", "verdicts.csv", "--rule", "vote", "--prices", "prices.csv"]
    assert main([*words, "--budget", "0.005", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["price"] <= 0.005
    assert main([*words, "--budget", "0.0001"]) == 2
    error = capsys.readouterr().err
    assert "a budget of 0.0001 for 1 member" in error
    assert len(error.strip().splitlines()) == 1
