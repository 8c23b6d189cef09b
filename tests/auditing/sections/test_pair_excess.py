"""Beyond difficulty: what the section makes of the excess of every pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import false_discovery_control, norm, rankdata

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.null_models import structural_null_model
from polyculture.auditing.sections.pair_excess import pair_excess_section
from polyculture.measures.pair_excess import pair_excess
from polyculture.predictions import Predictions
from polyculture.results import Section


def section(predictions: Predictions) -> Section:
    evidence = AuditContext.gather(predictions, AuditOptions())
    return pair_excess_section(evidence, structural_null_model(evidence))


def rasch(models: int = 4, n: int = 400, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    fails = 1 / (1 + np.exp(-(rng.normal(-0.5, 1, n) + np.linspace(-0.8, 0.8, models)[:, None])))
    return Predictions.from_correct({f"m{i}": row for i, row in enumerate(rng.random((models, n)) >= fails)})


def test_the_excess_is_that_of_the_measure_and_the_spread_is_shown() -> None:
    predictions = rasch(6)
    estimates = pair_excess(np.where(predictions.wrong, 0, 1).astype(np.int8))
    result = section(predictions)
    for row in result.tables["pairs"].itertuples():
        a, b = int(row.model_a[1:]), int(row.model_b[1:])
        assert row.excess == pytest.approx(estimates.excess[a, b])
        assert row.z == pytest.approx(row.z_scaled * result.numbers["spread"].estimate)
    assert result.numbers["spread"].estimate == estimates.scale


def test_identical_models_leave_no_pair_that_could_stand_out() -> None:
    """What all models share is invisible: difficulty explains it."""
    wrong = np.tile(np.random.default_rng(1).random(500) < 0.3, (8, 1)) ^ (
        np.random.default_rng(2).random((8, 500)) < 0.05
    )
    result = section(Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(wrong)}))
    assert not (result.tables["pairs"]["q"] <= 0.05).any()


def test_p_and_q_follow_from_the_scaled_z_and_the_most_alike_come_first() -> None:
    table = section(rasch(7)).tables["pairs"]
    assert len(table) == 21
    assert table["z_scaled"].is_monotonic_decreasing
    np.testing.assert_allclose(table["p"], norm.sf(table["z_scaled"]))
    np.testing.assert_allclose(table["q"], false_discovery_control(table["p"]))


def test_where_most_instances_are_complete_only_they_count() -> None:
    whole = rasch(5, 600)
    correct = np.where(whole.wrong, 0, 1).astype(np.int8)
    correct[2, 400:] = -1
    holes = section(Predictions(whole.models, whole.instances, correct=correct))
    complete = section(whole.take_instances(np.arange(400)))
    np.testing.assert_allclose(holes.tables["pairs"]["z"], complete.tables["pairs"]["z"])
    assert "Compared on the 400 of 600 instances that every model answered." in holes.sentence


def test_where_few_instances_are_complete_each_pair_has_its_own() -> None:
    predictions = rasch(8, 900)
    correct = np.where(predictions.wrong, 0, 1).astype(np.int8)
    correct[np.random.default_rng(3).random(correct.shape) < 0.2] = -1
    result = section(Predictions(predictions.models, predictions.instances, correct=correct))
    assert "Each pair is compared on the instances that both answered." in result.sentence


def test_n_struct_stands_beside_it() -> None:
    rng = np.random.default_rng(0)
    wrong = np.repeat(rng.random((3, 2000)) < 0.3, 3, axis=0)
    found = section(Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(wrong)}))
    assert found.numbers["n_struct"].estimate == pytest.approx(3, abs=0.1)


def same_family_area(predictions: Predictions, table, factor: str = "family") -> float:
    """Probability that a pair of one family has a larger scaled z than a pair of two."""
    family = predictions.models[factor]
    same = family.loc[table["model_a"]].to_numpy() == family.loc[table["model_b"]].to_numpy()
    ranks = rankdata(table["z_scaled"])
    return float((ranks[same].sum() - same.sum() * (same.sum() + 1) / 2) / (same.sum() * (~same).sum()))


def test_families_of_imagenet_models_stand_out(shared_data: Path) -> None:
    folder = shared_data / "predictions"
    predictions = pc.read(folder / "imagenet_val.parquet", factors=folder / "imagenet_models.csv")
    found = section(predictions)
    area = same_family_area(predictions, found.tables["pairs"])
    assert area == pytest.approx(0.738, abs=5e-3)
    assert "the z of most pairs" in found.sentence
