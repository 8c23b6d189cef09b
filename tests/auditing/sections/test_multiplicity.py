"""Multiplicity: three models by hand, repeated runs, and what the model table must say to know them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.sections.multiplicity import multiplicity_section, repeated_runs
from polyculture.predictions import Predictions
from polyculture.results import Section


def section(answers: dict, labels: list, models: pd.DataFrame | None = None, **more: object) -> Section:
    p = Predictions.from_answers(answers, labels, models=models, **more)
    return multiplicity_section(AuditContext.gather(p, AuditOptions()))


def test_three_models_by_hand() -> None:
    """Ten instances with label 0. a and b err on one each (another one), c on five: c does not compete."""
    answers = {
        "a": [1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        "b": [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        "c": [0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
    }
    found = section(answers, [0] * 10)
    assert found.numbers["ambiguity"].estimate == 0.2
    assert found.numbers["discrepancy"].estimate == 0.2
    assert found.numbers["ambiguity"].method == "Wilson"
    assert found.sentence.startswith("2 models are within 1 % of the best, itself included. On 20.0 % of the instances")


def test_ambiguity_adds_up_over_models_and_discrepancy_takes_the_worst() -> None:
    """b differs from a on 0 and 1, c on 1, 2 and 3: ambiguity 4 of 10, discrepancy 3 of 10."""
    answers = {
        "a": [1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
        "b": [2, 2, 1, 1, 0, 0, 0, 0, 0, 0],
        "c": [1, 2, 2, 2, 0, 0, 0, 0, 0, 0],
    }
    found = section(answers, [0] * 10)
    assert found.numbers["ambiguity"].estimate == 0.4
    assert found.numbers["discrepancy"].estimate == 0.3


def test_no_answer_conflicts_with_nothing() -> None:
    answers = {"a": [0, 0, 0, 0], "b": [None, 0, 0, 0]}
    assert section(answers, [0, 0, 0, 0]).numbers["ambiguity"].estimate == 0


def test_runs_are_models_that_differ_in_the_seed_only() -> None:
    table = pd.DataFrame({"depth": [2, 2, 3, 3], "seed": [0, 1, 0, 1]})
    assert repeated_runs(table).tolist() == [0, 0, 1, 1]
    assert repeated_runs(table[["depth"]]) is None  # nothing tells runs apart
    assert repeated_runs(table[["seed"]]) is None  # nothing tells models apart
    assert repeated_runs(table.assign(id=list("abcd"))).tolist() == [0, 0, 1, 1]
    assert repeated_runs(table[["depth"]].assign(id=list("abcd"))) is None  # an id tells models apart, not runs
    assert repeated_runs(table.assign(depth=[1, 2, 3, 4])) is None  # every model has one run


def runs(seeds: float, seed: int = 0, n: int = 4000) -> tuple[dict, np.ndarray, pd.DataFrame]:
    """Two models with two runs each; a run repeats its model's answer but on a share `seeds`."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    answers = {}
    for model in "ab":
        base = np.where(rng.random(n) < 0.3, (labels + 1) % 3, labels)
        for run in "01":
            own = np.where(rng.random(n) < 0.3, (labels + 1) % 3, labels)
            answers[model + run] = np.where(rng.random(n) < seeds, own, base)
    table = pd.DataFrame({"model": list("aabb"), "seed": [0, 1, 0, 1]}, index=list(answers))
    return answers, labels, table


def test_self_consistency_is_how_often_two_runs_of_one_model_agree() -> None:
    answers, labels, table = runs(0.2)
    found = section(answers, labels, table)
    agree = [(answers[m + "0"] == answers[m + "1"]) for m in "ab"]
    assert found.numbers["self_consistency"].estimate == pytest.approx(np.mean(agree))
    assert found.numbers["self_consistency"].low < np.mean(agree) < found.numbers["self_consistency"].high
    histogram = found.tables["consistency"]
    assert histogram["instances"].sum() == len(labels)
    both = (agree[0] & agree[1]).sum()
    assert histogram["instances"].iloc[-1] == both


def test_pairs_stand_between_independence_and_two_runs_of_one_model() -> None:
    found = section(*runs(0.2))
    positions = found.tables["positions"]
    assert positions["group"].value_counts().to_dict() == {"different models": 4, "runs of one model": 2}
    mean = positions.groupby("group")["position"].mean()
    assert mean["runs of one model"] == pytest.approx(1)
    assert mean["different models"] == pytest.approx(0, abs=0.06)  # a and b share nothing
    assert found.numbers["pair_position"].estimate == pytest.approx(mean["different models"])


def test_without_runs_that_is_undefined() -> None:
    answers, labels, _ = runs(0.2)
    found = section(answers, labels)
    for name in ("self_consistency", "pair_position"):
        assert found.numbers[name].reason == "no two models are runs of one"
    assert found.numbers["rashomon_capacity"].reason == "no probabilities"
    assert found.tables == {}


def test_capacity_counts_the_conflicting_certain_answers() -> None:
    """Two competing models: equal on the first half (capacity 1), opposed and certain on the other (2)."""
    labels = [0, 0, 1, 1]
    certain = np.eye(2)
    a, b = [0, 0, 1, 0], [0, 0, 0, 1]
    q = np.stack([certain[a], certain[b]])
    found = section({"a": a, "b": b}, labels, probabilities=q)
    assert found.numbers["rashomon_capacity"].estimate == pytest.approx((1 + 1 + 2 + 2) / 4, abs=1e-5)


def test_runs_of_models_with_unknown_factors_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "models.csv").write_text("model,family,seed\na,x,1\nb,x,2\nc,,1\nd,,2\n")
    models = pd.read_csv(tmp_path / "models.csv", index_col="model")
    codes = repeated_runs(models)
    assert codes is not None
    assert codes.tolist() == [0, 0, 1, 1]
    texts = repeated_runs(models.astype({"family": "string"}))
    assert texts is not None
    assert texts.tolist() == [0, 0, 1, 1]
