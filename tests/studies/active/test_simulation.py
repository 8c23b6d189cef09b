"""Runs over labels that are held back: what they cost, that they are the same after a kill, and their curves."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from polyculture.dataset import Dataset
from polyculture.errors import FileError, InputError
from polyculture.rng import stream

pytest.importorskip("torch")
from polyculture.studies.active import QueryOptions
from polyculture.studies.active.curves import (
    against_chance,
    curve_table,
    labels_to_reach,
    over_seeds,
    strategy_table,
)
from polyculture.studies.active.simulation import QueryRun, Simulation, area
from polyculture.training.active import default_committee
from polyculture.training.active.batches import first_rows

OPTIONS = QueryOptions(budget=45, batch=8)


def blobs(n: int, seed: int = 0) -> Dataset:
    """Clusters that overlap a little."""
    generator = stream(seed, "blobs")
    labels = np.arange(n) % 3
    inputs = generator.normal(size=(n, 4)) + 2 * np.eye(4)[labels]
    return Dataset(inputs.astype(np.float32), labels.astype(np.int64), tuple("abc"))


def simulation(options: QueryOptions = OPTIONS) -> Simulation:
    return Simulation(blobs(90), blobs(60, 1), default_committee("table"), options)


@pytest.mark.parametrize("strategy", ["random", "margin-of-mean", "kl", "badge"])
def test_a_run_buys_its_budget_and_no_instance_twice(strategy: str) -> None:
    run = simulation().run(strategy, 3)
    assert run.labels.tolist() == [10, 18, 26, 34, 42, 45]
    assert len(set(run.rows)) == len(run.rows) == 45
    assert ((run.values("accuracy") > 0.3) & (run.values("accuracy") <= 1)).all()
    assert np.isfinite(run.values("committee")[-1])
    assert run.by_chance == (3 if strategy == "kl" else 0)


def test_strategies_begin_with_the_same_labels() -> None:
    runs = [simulation().run(strategy, 1) for strategy in ("random", "entropy", "margin-of-mean")]
    assert len({run.rows[:10] for run in runs}) == 1
    assert len({run.rounds[0]["accuracy"] for run in runs}) == 1
    assert len({run.rows for run in runs}) == 3


def test_a_run_ends_with_its_pool() -> None:
    run = simulation(QueryOptions(budget=500, batch=60)).run("random", 0)
    assert sorted(run.rows) == list(range(90))


def test_batches_grow_with_what_is_labelled() -> None:
    run = simulation(QueryOptions(budget=80, batch=5, growth=0.5)).run("random", 0)
    assert run.labels.tolist() == [10, 15, 23, 35, 53, 79, 80]


def test_a_run_that_is_stopped_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    complete = simulation().run("margin-of-mean", 0, path)

    class StopError(Exception):
        pass

    def stop(bought: int, budget: int, message: str) -> None:
        if bought >= 26:
            raise StopError

    other = tmp_path / "other.json"
    with pytest.raises(StopError):
        simulation().run("margin-of-mean", 0, other, stop)
    assert len(json.loads(other.read_text())["rounds"]) == 3
    assert vars(simulation().run("margin-of-mean", 0, other)) == vars(complete)
    assert other.read_text() == path.read_text()


def test_a_run_that_is_killed_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    """SIGKILL in the middle of a process, twice; nothing of what was bought is lost."""
    path, reference = tmp_path / "killed.json", tmp_path / "reference.json"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_simulation as t; from pathlib import Path\n"
        "t.simulation().run('badge', 0, Path(sys.argv[2]))"
    )
    source = Path(__file__).parents[3] / "src"
    env = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    sizes = []
    for _ in range(2):
        before = path.stat().st_mtime_ns if path.exists() else 0
        process = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent), str(path)], env=env)
        while process.poll() is None and not (path.exists() and path.stat().st_mtime_ns > before):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        sizes.append(len(json.loads(path.read_text())["rows"]))
    assert sizes == sorted(sizes)
    assert sizes[0] >= 10
    killed = simulation().run("badge", 0, path)
    assert vars(killed) == vars(simulation().run("badge", 0, reference))


def test_a_file_of_other_options_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    simulation().run("random", 0, path)
    with pytest.raises(InputError, match="was made with other data or options; expected the same; name another folder"):
        simulation(QueryOptions(budget=45, batch=9)).run("random", 0, path)
    path.write_text("{")
    with pytest.raises(FileError, match=r"cannot read .*run\.json"):
        simulation().run("random", 0, path)


def test_first_labels_have_two_classes() -> None:
    labels = np.array([0] * 50 + [1])
    for seed in range(10):
        assert len(np.unique(labels[first_rows(labels, 2, stream(seed))])) == 2


def test_the_area_is_the_mean_of_the_curve() -> None:
    assert area(np.array([10, 20, 40]), np.array([0.2, 0.4, 0.6])) == pytest.approx((0.3 * 10 + 0.5 * 20) / 30)
    assert area(np.array([10]), np.array([0.7])) == 0.7
    assert math.isnan(area(np.array([], np.int64), np.array([])))


def curve(strategy: str, seed: int, accuracies: list[float]) -> QueryRun:
    rounds = [{"labels": 10 * (k + 1), "accuracy": a, "committee": a, "n_eff": 2.0} for k, a in enumerate(accuracies)]
    return QueryRun(strategy, seed, (), tuple(rounds))


def test_intervals_over_seeds_are_those_of_student() -> None:
    from scipy.stats import ttest_1samp

    values = np.array([0.1, 0.3, 0.2, 0.6])
    low, high = ttest_1samp(values, 0).confidence_interval(0.9)
    interval = over_seeds(values, 0.9)
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((0.3, low, high))
    assert over_seeds(values, 0.9, (0.0, 0.5)).high == 0.5
    assert math.isnan(over_seeds(values[:1]).low)
    assert over_seeds(np.array([1.0, np.nan, 3.0])).reason == "1 of 3 seeds undefined"
    assert not over_seeds(np.array([np.nan])).defined


def test_tables_of_known_curves() -> None:
    runs = {
        "random": [curve("random", 0, [0.5, 0.6, 0.7]), curve("random", 1, [0.4, 0.5, 0.6])],
        "margin": [curve("margin", 0, [0.5, 0.7, 0.9]), curve("margin", 1, [0.4, 0.7, 0.7])],
    }
    difference = against_chance(runs, "margin")
    assert difference.estimate == pytest.approx(((0.7 - 0.6) + (0.625 - 0.5)) / 2)
    table = strategy_table(runs).set_index("strategy")
    assert table.index.tolist() == ["margin", "random"]
    assert table.loc["margin", "as_chance"] == 20
    assert table.loc["random", "difference"] == 0
    rows = curve_table(runs)
    assert rows["accuracy"].tolist() == pytest.approx([0.45, 0.55, 0.65, 0.45, 0.7, 0.8])
    assert math.isnan(labels_to_reach(runs["random"][0], 0.9))
