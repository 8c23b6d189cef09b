"""The best set for the money: compared with all sets, on greedy paths where they are too many, and refusals."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.cli import main
from polyculture.errors import InputError
from polyculture.predictions import Predictions
from polyculture.rng import stream
from polyculture.selection import search
from polyculture.selection.search import best_affordable


def priced(seed: int = 0, prices: tuple[float, ...] = (0.1, 0.1, 0.1, 0.5, 0.9)) -> Predictions:
    """Judges of two classes with errors of their own; the last is the best and the dearest."""
    generator = stream(seed, "priced judges")
    truth = generator.integers(0, 2, 600)
    rates = np.linspace(0.25, 0.12, len(prices))
    wrong = generator.random((len(prices), 600)) < rates[:, None]
    answers = {f"j{k}": np.where(row, 1 - truth, truth).tolist() for k, row in enumerate(wrong)}
    predictions = Predictions.from_answers(answers, truth.tolist())
    return dataclasses.replace(predictions, models=predictions.models.assign(price=list(prices)))


@pytest.mark.parametrize("seed", range(5))
def test_no_affordable_set_is_better(seed: int) -> None:
    generator = stream(seed, "sets")
    prices, values = generator.random(8), generator.random(8)

    def score(members: tuple[int, ...]) -> float:
        return float(np.prod(values[list(members)]) + 0.02 * len(members) ** 2)

    found, exact = best_affordable(score, range(8), prices, 1.3)
    sets = [s for k in range(1, 9) for s in itertools.combinations(range(8), k) if prices[list(s)].sum() <= 1.3]
    assert exact
    assert score(found) == pytest.approx(min(map(score, sets)))
    of_two, _ = best_affordable(score, range(8), prices, 1.3, k=2)
    assert score(of_two) == pytest.approx(min(score(s) for s in sets if len(s) == 2))


def test_many_sets_are_searched_along_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_AFFORDABLE", 10)
    prices, values = np.full(9, 0.1), np.linspace(0.9, 0.1, 9)
    found, exact = best_affordable(lambda s: float(np.prod(values[list(s)])), range(9), prices, 0.3)
    assert not exact
    assert sorted(found) == [6, 7, 8]


def test_three_prices_of_a_tenth_are_three_tenths() -> None:
    found, _ = best_affordable(lambda s: -len(s), range(3), np.full(3, 0.1), 0.3)
    assert sorted(found) == [0, 1, 2]


def test_a_portfolio_keeps_its_budget_and_says_what_it_spent() -> None:
    judges = priced()
    cheap = pc.select(judges, rule="vote", terms=pc.SelectionOptions(budget=0.35))
    assert set(cheap.members) <= {"j0", "j1", "j2"}
    assert cheap.exact
    spent = 0.1 * cheap.k
    assert cheap.facts["spent"] == pytest.approx(spent)
    assert f"for {spent:.4g} of a budget of 0.35" in cheap.sentence
    rich = pc.select(judges, rule="vote", terms=pc.SelectionOptions(budget=9.0))
    assert rich.certificate.scores["error"].estimate < cheap.certificate.scores["error"].estimate
    assert "spent" not in pc.select(judges, 2, rule="vote").facts


@pytest.mark.parametrize(
    ("budget", "prices", "message"),
    [
        (0.05, (0.1, 0.1, 0.5), "a budget of 0.05; expected 0.1 or more, as the cheapest model, 'j0' costs 0.1"),
        (-1.0, (0.1, 0.1, 0.5), "a budget of -1; expected what the members may cost together, above 0"),
        (float("nan"), (0.1, 0.1, 0.5), "a budget of nan; expected"),
        (1.0, (0.1, -0.1, 0.5), "price of the model 'j1' is -0.1; expected 0 or more"),
        (1.0, (0.1, float("nan"), 0.5), "model 'j1' has no 'price'; expected a number for every model"),
    ],
)
def test_what_is_no_budget_is_refused(budget: float, prices: tuple[float, ...], message: str) -> None:
    with pytest.raises(InputError) as error:
        pc.select(priced(prices=prices), rule="vote", terms=pc.SelectionOptions(budget=budget))
    assert message in str(error.value)


def test_a_budget_without_prices_is_refused() -> None:
    judges = priced()
    bare = dataclasses.replace(judges, models=judges.models.drop(columns="price"))
    with pytest.raises(InputError, match="a budget of 1 without prices"):
        pc.select(bare, rule="vote", terms=pc.SelectionOptions(budget=1.0))
    with pytest.raises(InputError, match="the method 'affordable' without a budget"):
        pc.select(judges, rule="vote", terms=pc.SelectionOptions(method="affordable"))
    with pytest.raises(InputError, match=r"4 members for 0\.35"):
        pc.select(judges, 4, rule="vote", terms=pc.SelectionOptions(budget=0.35))


def test_the_command_reads_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    judges = priced()
    names = list(judges.model_ids)
    codes = np.asarray(judges.answers)
    frame = pd.DataFrame({"label": judges.labels} | {name: codes[m] for m, name in enumerate(names)})
    frame.to_csv("verdicts.csv", index=False)
    pd.DataFrame({"model": names, "price": judges.models["price"].tolist()}).to_csv("prices.csv", index=False)
    line = ["select", "verdicts.csv", "--rule", "vote", "--factors", "prices.csv"]
    assert main([*line, "--budget", "0.35"]) == 0
    assert "of a budget of 0.35" in " ".join(capsys.readouterr().out.split())
    assert main([*line, "--budget", "0.01", "--out", "other"]) == 2
    assert "a budget of 0.01; expected 0.1 or more" in " ".join(capsys.readouterr().err.split())
