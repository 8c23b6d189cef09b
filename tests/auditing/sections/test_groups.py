"""Groups: rates, differences and tests of each group against all others, computed a second time with scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control, fisher_exact, hypergeom

from polyculture.auditing import AuditOptions
from polyculture.auditing.context import AuditContext
from polyculture.auditing.sections.groups import groups
from polyculture.predictions import Predictions
from polyculture.rng import stream


def table(failed: np.ndarray, columns: dict[str, np.ndarray], clusters: np.ndarray | None = None) -> pd.DataFrame:
    """Three models that fail together where `failed`; the first also fails every seventh instance."""
    wrong = np.tile(failed, (3, 1))
    wrong[0, ::7] = True
    instances = pd.DataFrame(columns | ({} if clusters is None else {"patient": clusters}))
    predictions = Predictions.from_correct({f"m{i}": ~row for i, row in enumerate(wrong)}, instances=instances)
    options = AuditOptions(groups=tuple(columns), clusters="" if clusters is None else "patient")
    return groups(AuditContext.gather(predictions, options)).tables["groups"]


RNG = np.random.default_rng(5)
WARD, SEX = RNG.choice(["a", "b", "c"], 500), RNG.choice(["f", "m"], 500)
FAILED = RNG.random(500) < np.where(WARD == "a", 0.25, 0.08)


def mid_p(inside: np.ndarray, outside: np.ndarray) -> float:
    law = hypergeom(len(inside) + len(outside), int(inside.sum() + outside.sum()), len(inside))
    upper = law.sf(inside.sum()) + law.pmf(inside.sum()) / 2
    return float(min(1, 2 * min(upper, 1 - upper)))


def test_every_value_of_every_column_is_a_group_against_all_others() -> None:
    found = table(FAILED, {"ward": WARD, "sex": SEX})
    assert found[["column", "group"]].values.tolist() == [
        ["ward", "a"], ["ward", "b"], ["ward", "c"], ["sex", "f"], ["sex", "m"]
    ]  # fmt: skip
    for row in found.itertuples():
        here = (WARD if row.column == "ward" else SEX) == row.group
        assert row.n == here.sum()
        assert row.all_wrong == pytest.approx(FAILED[here].mean())
        assert row.difference == pytest.approx(FAILED[here].mean() - FAILED[~here].mean())
        assert row.p == pytest.approx(mid_p(FAILED[here], FAILED[~here]), rel=1e-9)
        assert row.low < row.all_wrong < row.high
        assert row.difference_low < row.difference < row.difference_high


def test_adjusted_p_values_are_benjamini_and_hochbergs_over_all_columns() -> None:
    found = table(FAILED, {"ward": WARD, "sex": SEX})
    np.testing.assert_allclose(found["q"], false_discovery_control(found["p"]))


def test_the_mid_p_lies_below_fishers_exact_p() -> None:
    found = table(FAILED, {"ward": WARD}).set_index("group")
    for group, row in found.iterrows():
        here = group == WARD
        cells = [[FAILED[here].sum(), (~FAILED[here]).sum()], [FAILED[~here].sum(), (~FAILED[~here]).sum()]]
        assert row["p"] < fisher_exact(cells).pvalue


def test_accuracy_is_the_mean_over_models() -> None:
    found = table(FAILED, {"ward": WARD}).set_index("group")
    wrong = np.tile(FAILED, (3, 1))
    wrong[0, ::7] = True
    assert found.loc["b", "accuracy"] == pytest.approx(1 - wrong[:, WARD == "b"].mean())


def test_repeated_instances_in_clusters_prove_no_more_than_single_ones() -> None:
    four = {"ward": np.repeat(WARD, 4)}
    naive = table(np.repeat(FAILED, 4), four).set_index("group")
    aware = table(np.repeat(FAILED, 4), four, np.repeat(np.arange(500), 4)).set_index("group")
    single = table(FAILED, {"ward": WARD}).set_index("group")
    np.testing.assert_allclose(aware["p"], single["p"], rtol=0.3)
    assert (naive["high"] - naive["low"] < 0.6 * (aware["high"] - aware["low"])).all()
    assert (aware["n"] == 4 * single["n"]).all()


def test_missing_groups_are_a_group_and_small_ones_are_left_out() -> None:
    ward = np.array(["big"] * 90 + ["tiny"] * 4 + [None] * 6, dtype=object)
    found = table(np.arange(100) % 10 == 0, {"ward": ward})
    assert found["group"].tolist() == ["(missing)", "big"]


def test_every_group_has_its_homogenization_ratio_with_limits() -> None:
    rng = stream(0, "ratio")
    n, site = 4000, np.repeat(["copies", "alone"], 2000)
    common, own = rng.random(n) < 0.3, rng.random((3, n)) < 0.3
    wrong = np.where((site == "copies") & (rng.random((3, n)) < 0.8), common, own)
    models = pd.DataFrame(index=pd.Index(list("xyz"), dtype=object))
    predictions = Predictions(models, pd.DataFrame({"site": site}), correct=(~wrong).astype(np.int8))
    table = groups(AuditContext.gather(predictions, AuditOptions(groups=("site",)))).frame("groups").set_index("group")
    assert table.loc["alone", "ratio_low"] < 1 < table.loc["alone", "ratio_high"]
    assert table.loc["copies", "ratio_low"] > 4
    rates = wrong[:, :2000].mean(axis=1)
    assert table.loc["copies", "expected"] == pytest.approx(rates.prod())
    assert table.loc["copies", "ratio"] == pytest.approx(wrong[:, :2000].all(axis=0).mean() / rates.prod())
    few = groups(
        AuditContext.gather(predictions.take_instances(np.r_[0:20, 2000:2030]), AuditOptions(groups=("site",)))
    ).frame("groups")
    assert np.isfinite(few["ratio_high"]).all()
    assert (few["ratio_low"] >= 0).all()
