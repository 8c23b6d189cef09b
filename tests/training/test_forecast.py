"""Does a run begin with what is cheap, and say how long the rest takes, what is in work and what takes most of it?"""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from polyculture.dataset import Dataset, Split
from polyculture.recipe import Recipe
from polyculture.reporting.progress_bars import progress_bars
from polyculture.studies import RunOptions, run
from polyculture.training import ARCHITECTURES, Problem, train
from polyculture.training.architectures import SklearnModel, find_architecture
from polyculture.training.engine import heartbeat
from polyculture.training.engine.costs import CostModel
from polyculture.training.engine.forecast import Forecast, TrainingEvent, duration
from polyculture.training.engine.jobs import Job, JobReport

Calls = list[tuple[int, int, str]]


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def job(architecture: str, cost: float, seed: int = 0) -> Job:
    return Job((Recipe(architecture, seed=seed),), (), (), cost=cost)


def finish(forecast: Forecast, finished: Job, seconds: float) -> None:
    forecast.finish(JobReport([(recipe.id, "") for recipe in finished.recipes], seconds))


def wide() -> Problem:
    """Forty rows of 150 columns, each 1 in a few rows, as codes of postal districts would be."""
    draw = np.random.default_rng(0)
    inputs = (draw.random((40, 150)) < 0.05).astype(np.float32)
    table = Dataset(inputs, np.arange(40) % 2, ("no", "yes"), name="wide", modality="table")
    return Problem("wide", Split(table, table, table))


def test_a_run_on_a_wide_table_begins_with_the_cheap_models(tmp_path: Path) -> None:
    calls: list[str] = []
    dear = Recipe("transformer", optimizer="adam", hyperparameters={"epochs": 1})
    recipes = [dear, Recipe("logistic"), Recipe("mlp", optimizer="adam", hyperparameters={"epochs": 1}), Recipe("knn")]

    def progress(phase: str, finished: int, total: int, message: str) -> None:
        if phase == "training" and finished:
            calls.append(message.split(",")[0])

    run(wide(), RunOptions(recipes=recipes, workers=1), out=tmp_path, progress=progress)
    assert calls == [recipes[k].id for k in (3, 2, 1, 0)]


def test_the_cost_of_a_transformer_grows_with_the_square_of_the_columns() -> None:
    transformer = Recipe("transformer", optimizer="adam", hyperparameters={"epochs": 1})
    costs = []
    for columns in (50, 500):
        table = Dataset(np.zeros((64, columns)), np.arange(64) % 2, ("no", "yes"))
        costs.append(CostModel(table)(transformer, find_architecture("transformer")))
    assert costs[1] > 20 * costs[0]


def test_the_remaining_time_is_that_of_the_costs_corrected_by_what_was_finished() -> None:
    clock, cheap, dear = Clock(), job("knn", 1.0), job("svm", 100.0)
    forecast = Forecast([cheap, dear], 1, None, clock)
    assert forecast.remaining() == pytest.approx(101.0)
    clock.now = 3.0
    finish(forecast, cheap, 3.0)
    assert forecast.event("knn").remaining == pytest.approx(300.0)
    assert forecast.event("knn") == "knn, about 5 min left"
    clock.now = 103.0
    assert forecast.waiting().remaining == pytest.approx(200.0)
    assert forecast.waiting().startswith(f"{dear.recipes[0].id} in work for 2 min, about 3 min left")
    finish(forecast, dear, 250.0)
    assert forecast.event("svm").remaining == 0.0
    assert forecast.event("svm") == "svm"
    assert forecast.waiting() == "finishing"


def test_two_workers_halve_the_time_but_for_the_longest_job() -> None:
    jobs = [job("knn", 10.0, seed) for seed in range(4)]
    assert Forecast(jobs, 2, None, Clock()).remaining() == pytest.approx(20.0)
    assert Forecast([*jobs, job("svm", 100.0)], 2, None, Clock()).remaining() == pytest.approx(100.0)


def test_a_limit_bounds_the_remaining_time() -> None:
    assert Forecast([job("svm", 100.0), job("net", np.inf)], 1, 7.0, Clock()).remaining() == pytest.approx(14.0)


def test_where_a_cost_is_unknown_or_was_too_small_no_time_is_given() -> None:
    clock = Clock()
    assert Forecast([job("net", np.inf)], 1, None, clock).event("net").remaining is None
    late = Forecast([job("svm", 100.0)], 1, None, clock)
    clock.now = 300.0
    assert late.remaining() is None
    assert late.waiting() == f"{Recipe('svm').id} in work for 5 min"


def test_what_takes_most_of_the_time_is_named_once_with_the_cure() -> None:
    clock, cheap = Clock(), job("knn", 10.0)
    forecast = Forecast([cheap, *(job("transformer", 45.0, seed) for seed in (0, 1))], 1, None, clock)
    assert forecast.event("starting").warning == ""  # it is not in work yet
    clock.now = 10.0
    finish(forecast, cheap, 10.0)
    assert forecast.event("knn").warning == (
        f"transformer takes about 90 s of 2 min of processor time, {Recipe('transformer').id} is in work; to shorten "
        "that, stop, and bound each model with seconds (run --seconds S) or leave it out (run --recipes TOML); "
        "finished models are kept"
    )
    assert forecast.event("knn").warning == ""


def test_short_trainings_and_even_ones_have_no_warning() -> None:
    assert Forecast([job("knn", 1.0), job("svm", 50.0)], 2, None, Clock()).event("").warning == ""
    even = [job(name, 100.0) for name in ("knn", "svm", "forest")]
    assert Forecast(even, 3, None, Clock()).event("").warning == ""


def test_an_unknown_cost_that_turns_out_to_be_most_of_the_time_is_named_then() -> None:
    clock = Clock()
    forecast = Forecast([job("net", np.inf)], 1, None, clock)
    assert forecast.waiting().warning == ""
    clock.now = 61.0
    assert forecast.waiting().warning.startswith("net takes about 61 s of 61 s")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (40.0, "40 s"), (99.4, "99 s"), (150.0, "2 min"), (5900.0, "98 min"), (9000.0, "2.5 h")],
)
def test_durations_are_short(seconds: float, words: str) -> None:
    assert duration(seconds) == words


class Sleeper:
    """Learns nothing in half a second."""

    def fit(self, inputs: np.ndarray, labels: np.ndarray) -> Sleeper:
        time.sleep(0.5)
        raise ValueError("asleep")


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    monkeypatch.setitem(ARCHITECTURES, "sleeper", SklearnModel(lambda seed: Sleeper()))
    monkeypatch.setattr(heartbeat, "SILENCE", 0.1)
    return [Recipe("knn"), Recipe("sleeper")]


def test_while_one_model_takes_long_its_name_is_told(small: Problem, tmp_path: Path, sleeper: list[Recipe]) -> None:
    calls: Calls = []
    train(sleeper, small, tmp_path, workers=1, progress=lambda *call: calls.append(call))
    in_work = [call for call in calls if "in work" in call[2]]
    assert (1, 2, f"{sleeper[1].id} in work for 0 s") in in_work
    assert calls[-1] == (2, 2, f"{sleeper[1].id} failed: ValueError: asleep")


def test_what_a_callback_raises_while_one_model_takes_long_ends_the_training(
    small: Problem, tmp_path: Path, sleeper: list[Recipe]
) -> None:
    def stop(finished: int, total: int, message: str) -> None:
        if "in work" in message:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        train(sleeper, small, tmp_path, workers=1, progress=stop)


def test_the_bar_shows_the_time_of_the_forecast_and_the_warning_on_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    with progress_bars() as advance:
        advance("training", 1, 24, TrainingEvent("knn, about 62 min left", 3700.0, "transformer takes [most]"))
    lines = stderr.getvalue().splitlines()
    assert lines[0] == "transformer takes [most]"
    assert "1/24 1:01:40 knn, about 62 min left" in lines[1]


def test_a_time_that_is_not_known_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    with progress_bars() as advance:
        advance("training", 1, 24, TrainingEvent("knn"))
    assert "1/24 -:--:-- knn" in stderr.getvalue()
