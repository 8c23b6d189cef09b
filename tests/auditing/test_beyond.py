"""Beyond difficulty: the excess of every pair against a conditional Rasch model that is fitted by brute force."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import false_discovery_control, norm, rankdata

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.null_models import structural_null_model
from polyculture.auditing.sections.pair_excess import beyond
from polyculture.predictions import Predictions
from polyculture.results import Section


def section(predictions: Predictions) -> Section:
    evidence = AuditContext.gather(predictions, AuditOptions())
    return beyond(evidence, structural_null_model(evidence))


def rasch(models: int = 4, n: int = 400, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    fails = 1 / (1 + np.exp(-(rng.normal(-0.5, 1, n) + np.linspace(-0.8, 0.8, models)[:, None])))
    return Predictions.from_correct({f"m{i}": row for i, row in enumerate(rng.random((models, n)) >= fails)})


def expected_joint(wrong: np.ndarray) -> np.ndarray:
    """Expected joint failures of each pair given how many models fail, by enumerating all sets that could."""
    m = len(wrong)
    failing = np.bincount(wrong.sum(axis=0), minlength=m + 1)
    sets = {k: [np.isin(np.arange(m), s) for s in combinations(range(m), k)] for k in range(1, m)}

    def minus_log_likelihood(b: np.ndarray) -> float:
        sums = sum(failing[k] * np.log(sum(np.exp(b[s].sum()) for s in sets[k])) for k in sets)
        mixed = (wrong.sum(axis=0) > 0) & (wrong.sum(axis=0) < m)
        return float(sums - b @ wrong[:, mixed].sum(axis=1))

    b = minimize(minus_log_likelihood, np.zeros(m), tol=1e-12).x
    out = np.full((m, m), float(failing[m]))
    for k, all_sets in sets.items():
        weights = np.array([np.exp(b[s].sum()) for s in all_sets])
        for share, s in zip(weights / weights.sum(), all_sets, strict=True):
            out += failing[k] * share * np.outer(s, s)
    return out


def test_the_excess_is_that_of_the_enumerated_model() -> None:
    predictions = rasch()
    wrong = predictions.wrong
    expected = expected_joint(wrong)
    table = section(predictions).tables["pairs"]
    for row in table.itertuples():
        a, b = int(row.model_a[1:]), int(row.model_b[1:])
        assert row.excess == pytest.approx(((wrong[a] & wrong[b]).sum() - expected[a, b]) / 400, abs=1e-5)


def test_the_excess_of_all_pairs_sums_to_zero_even_of_copies() -> None:
    wrong = np.tile(np.random.default_rng(1).random(500) < 0.3, (5, 1)) ^ (
        np.random.default_rng(2).random((5, 500)) < 0.05
    )
    table = section(Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(wrong)})).tables["pairs"]
    assert table["excess"].sum() == pytest.approx(0, abs=1e-9)


def test_p_and_q_follow_from_the_scaled_z_and_the_most_alike_come_first() -> None:
    table = section(rasch(7)).tables["pairs"]
    assert len(table) == 21
    assert table["z_scaled"].is_monotonic_decreasing
    np.testing.assert_allclose(table["p"], norm.sf(table["z_scaled"]))
    np.testing.assert_allclose(table["q"], false_discovery_control(table["p"]))


def test_only_instances_that_all_answered_count() -> None:
    whole = rasch(5, 600)
    correct = np.where(whole.wrong, 0, 1).astype(np.int8)
    correct[2, 400:] = -1
    holes = Predictions(whole.models, whole.instances, correct=correct)
    some = section(whole.take_instances(np.arange(400))).tables["pairs"]
    np.testing.assert_allclose(section(holes).tables["pairs"]["z"], some["z"])


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
    assert area == pytest.approx(0.829, abs=5e-4)
