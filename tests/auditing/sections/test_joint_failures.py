"""Failing together: fail@k by enumeration, the ceiling, n_sys and the tipping point."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

import polyculture as pc
from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.sections.joint_failures import joint_failures
from polyculture.predictions import Predictions
from polyculture.results import Section


def context(wrong: np.ndarray, labels: np.ndarray | None = None, clusters: np.ndarray | None = None) -> AuditContext:
    instances = None if clusters is None else pd.DataFrame({"c": clusters})
    wrong = np.asarray(wrong, bool)
    if labels is None:
        p = Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(wrong)}, instances=instances)
    else:
        p = Predictions.from_answers({f"m{i}": np.where(row, 9, labels) for i, row in enumerate(wrong)}, labels)
    return AuditContext.gather(p, AuditOptions(clusters="" if clusters is None else "c"))


def section(wrong: np.ndarray, labels: np.ndarray | None = None, clusters: np.ndarray | None = None) -> Section:
    return joint_failures(context(wrong, labels, clusters))


def by_enumeration(wrong: np.ndarray, k: int, labels: np.ndarray) -> tuple[float, float]:
    """fail@k over all sets of k models, and what independence given the label implies."""
    sets = list(combinations(range(len(wrong)), k))
    observed = np.mean([wrong[list(s)].all(axis=0).mean() for s in sets])
    rates = {y: wrong[:, labels == y].mean(axis=1) for y in np.unique(labels)}
    expected = np.mean([sum((labels == y).mean() * np.prod(r[list(s)]) for y, r in rates.items()) for s in sets])
    return float(observed), float(expected)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_fail_at_k_is_the_mean_over_all_sets_of_k_models(seed: int, models: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], 10)
    wrong = rng.random((models, 30)) < rng.random((models, 1))
    table = section(wrong, labels).tables["fail_at_k"]
    classes = labels if "classes" not in context(wrong, labels).small_classes else np.zeros(30, int)
    for row in table.itertuples():
        observed, expected = by_enumeration(wrong, row.k, classes)
        assert row.observed == pytest.approx(observed, abs=1e-12)
        assert row.expected == pytest.approx(expected, abs=1e-12)


def test_rows_that_few_instances_carry_have_only_an_upper_limit() -> None:
    """Of 1,000 instances 5 are failed by all five models, 3 by three; each model fails 100 more of its own."""
    wrong = np.zeros((5, 1000), bool)
    wrong[:, :5] = True
    for i in range(5):
        wrong[i, 8 + 100 * i : 108 + 100 * i] = True
    wrong[:3, 5:8] = True
    table = section(wrong).tables["fail_at_k"].set_index("k")
    assert table["shown"].tolist() == [True, False, False, True, True]  # from k = 4 on it is a plain share
    assert table["kish_n"].tolist()[1:] == pytest.approx([5.9**2 / 5.27, 5.3**2 / 5.03, 5, 5])
    assert table.loc[[2, 3], "low"].isna().all()
    assert table.loc[[2, 3], "high"].tolist() == pytest.approx([beta(8.5, 992.5).ppf(0.95)] * 2)
    assert table.loc[5, ["low", "high"]].tolist() == pytest.approx(beta(5.5, 995.5).ppf([0.025, 0.975]).tolist())


def test_the_ceiling_is_what_an_oracle_reaches_and_its_upper_limit_is_one_sided() -> None:
    wrong = np.zeros((3, 400), bool)
    wrong[:, :40] = True
    wrong[0, 40:60] = True
    ceiling = section(wrong).numbers["ceiling"]
    assert ceiling.estimate == 0.9
    assert ceiling.high == pytest.approx(1 - beta(40.5, 360.5).ppf(0.05))
    assert ceiling.low == pytest.approx(1 - beta(40.5, 360.5).ppf(0.975))


def test_independent_models_have_as_many_systemic_models_as_there_are() -> None:
    """All 4³ combinations of errors at rate ¼: 1/64 are failed by all three, just as three independent models would."""
    grid = np.indices((4, 4, 4)).reshape(3, -1) == 0
    numbers = section(np.tile(grid, 2)).numbers
    assert numbers["n_sys"].estimate == pytest.approx(3)
    assert numbers["systemic_index"].estimate == pytest.approx(0, abs=1e-12)


def test_copies_have_one_systemic_model_and_the_largest_index() -> None:
    numbers = section(np.tile(np.arange(50) < 10, (4, 1))).numbers
    assert numbers["n_sys"].estimate == pytest.approx(1)
    assert numbers["systemic_index"].estimate == pytest.approx(1)


def test_where_none_is_failed_by_all_the_systemic_number_is_a_lower_bound() -> None:
    n_sys = section(np.eye(4, 100, dtype=bool).repeat(10, axis=0)[::10]).numbers["n_sys"]
    assert (n_sys.estimate, n_sys.high) == (math.inf, math.inf)
    most = beta(0.5, 100.5).ppf(0.95)
    assert n_sys.low == pytest.approx(4 * math.log(most) / (4 * math.log(0.01)))
    assert n_sys.reason == "no instance is failed by all"


def test_a_model_that_is_never_wrong_leaves_it_undefined() -> None:
    wrong = np.eye(3, 30, dtype=bool)
    wrong[2] = False
    assert section(wrong).numbers["n_sys"].reason == "a model is never wrong"


@pytest.mark.parametrize("shock", [0.005, 0.02, 0.05])
def test_a_planted_common_shock_is_recovered(shock: float) -> None:
    rng = np.random.default_rng(4)
    wrong = (rng.random((8, 16_000)) < 0.1) | (np.arange(16_000) < shock * 16_000)
    tipping = section(wrong).numbers["common_shock_rate"]
    assert tipping.low < shock < tipping.high
    assert tipping.estimate == pytest.approx(shock, abs=0.002)


def test_the_tipping_point_is_told_only_where_there_is_something_to_explain() -> None:
    """12 of 400 instances fail both models, where 1.4 would."""
    wrong = np.zeros((2, 400), bool)
    wrong[:, :12] = wrong[0, 12:24] = wrong[1, 24:36] = True
    expected = 24 * 24 / 400**2
    shock = (12 / 400 - expected) / (364 / 400)
    told = section(wrong)
    limits = told.numbers["common_shock_rate"].format(".2%")
    assert limits.startswith(f"{100 * shock:.2f} % [")
    assert told.sentence == (
        "Two random different models both fail 3.00 % of the instances; independent ones would fail "
        f"{100 * expected:.2f} %. No policy that returns one member's answer can be right on more than "
        f"{100 * (1 - beta(12.5, 388.5).ppf(0.05)):.2f} %. The alikeness is as if {limits} of the instances took "
        "every model down; read backwards, that many wrong labels would explain all of it: no more than the 3.3 % "
        "that is plausible, so it could be entirely label errors."
    )
    assert "The alikeness" not in section(np.eye(2, 400, dtype=bool)).sentence


def test_three_commercial_services_have_class_strata_and_a_tipping_point(shared_data: Path) -> None:
    predictions = pc.read(shared_data / "predictions" / "frugalml_ferplus.csv.gz", models="api_*")
    audit = pc.audit(predictions)
    assert [null_model.name for null_model in audit.null_models] == ["N0", "N1", "N3"]
    assert audit.null_model("N1").n_eff.low > audit.null_model("N0").n_eff.high
    wrong, labels = predictions.wrong, predictions.labels
    upper = np.triu_indices(3, 1)
    shares = np.bincount(labels) / len(labels)
    covariances = [np.cov(wrong[:, labels == y], bias=True)[upper].sum() for y in range(len(shares))]
    right = (~wrong).astype(float) @ (~wrong).T / len(labels)
    tipping = audit.section("joint_failures").numbers["common_shock_rate"]
    assert tipping.estimate == pytest.approx(shares @ covariances / right[upper].sum())
    assert 0.05 < tipping.low < tipping.high < 0.065


def test_clusters_widen_what_is_told() -> None:
    rng = np.random.default_rng(0)
    one = rng.random((4, 300)) < np.where(rng.random(300) < 0.3, 0.7, 0.1)
    aware = section(np.repeat(one, 4, axis=1), clusters=np.repeat(np.arange(300), 4))
    naive, single = section(np.repeat(one, 4, axis=1)), section(one)

    def width(told: Section) -> float:
        tipping = told.numbers["common_shock_rate"]
        return tipping.high - tipping.low

    assert width(aware) == pytest.approx(width(single), rel=1e-9)
    assert width(naive) < 0.6 * width(aware)
    at_two = [told.tables["fail_at_k"].loc[1, "high"] for told in (aware, single)]
    assert at_two[0] == pytest.approx(at_two[1])
