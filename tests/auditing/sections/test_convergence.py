"""Performance convergence: chance is taken off the spread, and stages follow the models' order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.auditing.sections.convergence import true_spread
from polyculture.predictions import Predictions


def models_with(error: np.ndarray, n: int, dates: list[str] | None = None, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    right = {f"m{i}": (rng.random(n) >= e).astype(int) for i, e in enumerate(error)}
    table = pd.DataFrame({} if dates is None else {"date": dates}, index=pd.Index(list(right), name="model"))
    return Predictions.from_correct(right, models=table)


def test_equally_good_models_have_no_spread_but_their_sample_has() -> None:
    rates = np.array([0.2, 0.21, 0.19, 0.2])
    assert true_spread(rates, np.full(4, 0.01)) == 0
    assert true_spread(rates, np.zeros(4)) == pytest.approx(rates.std(ddof=1))


def test_the_true_spread_is_recovered() -> None:
    error = np.random.default_rng(1).normal(0.3, 0.05, 60)
    section = pc.audit(models_with(error, 800)).section("convergence")
    spread = section.numbers["accuracy_spread"]
    assert spread.low < error.std(ddof=1) < spread.high
    assert section.sentence.endswith("No column says in which order the models came.")


def test_models_that_come_closer_in_time_are_seen_to() -> None:
    rng = np.random.default_rng(2)
    error = np.concatenate([rng.normal(0.4, 0.10, 8), rng.normal(0.3, 0.05, 8), rng.normal(0.2, 0.005, 8)]).clip(
        0.02, 0.9
    )
    dates = [f"20{y:02d}-01-01" for y in range(1, 25)]
    section = pc.audit(models_with(error, 3000, dates)).section("convergence")
    along = section.tables["along"]
    assert along["spread"].is_monotonic_decreasing
    assert along["told_apart"].iloc[0] > along["told_apart"].iloc[-1]
    assert "Along date they came closer together" in section.sentence
    assert along[["from", "to"]].iloc[0].tolist() == ["2001-01-01", "2008-01-01"]


def test_two_models_are_too_few() -> None:
    assert pc.audit(models_with(np.array([0.2, 0.3]), 100)).section("convergence").reason == (
        "fewer than three models were tested"
    )
