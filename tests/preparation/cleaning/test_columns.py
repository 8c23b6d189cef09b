"""Outliers, columns that add nothing, rare classes and groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from polyculture.dataset import Dataset
from polyculture.preparation.cleaning import Fault, find_faults
from polyculture.preparation.cleaning.columns import PooledColumn
from polyculture.preparation.cleaning.outliers import robust_scores
from polyculture.preparation.problems.raw_data import RawData, instance_table, object_array


def raw(inputs: pd.DataFrame, labels: list[object] | None = None, **known: list[object]) -> RawData:
    """Raw data of these columns."""
    n = len(inputs)
    return RawData("example", "table", inputs, object_array(labels or ["a"] * n), instance_table(n, **known))


def faults(kind: str, **parts: RawData | Dataset) -> list[Fault]:
    """The faults of that kind."""
    return list(find_faults(parts, kinds=[kind]))


def test_scores_are_those_of_scipy() -> None:
    numbers = np.random.default_rng(0).normal(size=101)
    scores = robust_scores(PooledColumn.of("x", pd.Series(numbers)))
    expected = (numbers - np.median(numbers)) / stats.median_abs_deviation(numbers, scale="normal")
    assert scores == pytest.approx(expected, rel=1e-4)


def test_numbers_of_one_sign_that_are_skewed_are_compared_by_their_logarithms() -> None:
    numbers = np.exp(np.random.default_rng(0).normal(size=101))
    logarithms = np.log(numbers)
    expected = (logarithms - np.median(logarithms)) / stats.median_abs_deviation(logarithms, scale="normal")
    assert robust_scores(PooledColumn.of("x", pd.Series(numbers))) == pytest.approx(expected, rel=1e-4)
    assert robust_scores(PooledColumn.of("x", pd.Series(-numbers))) == pytest.approx(expected, rel=1e-4)


def test_a_slip_of_the_decimal_point_is_an_outlier() -> None:
    heights = np.random.default_rng(0).normal(1.7, 0.1, 300)
    heights[7] = 170.0
    [fault] = faults("outlier", all=raw(pd.DataFrame({"height": heights})))
    assert (fault.row, fault.column) == (7, "height")
    assert fault.reason.startswith("is 170, ")


@pytest.mark.parametrize(
    "numbers",
    [
        np.random.default_rng(0).standard_cauchy(2000),
        np.append(np.zeros(200), [1e6, 2e6]),
        np.arange(29.0) ** 9,
        np.append(np.arange(9.0).repeat(10), [1e9])[:90],
        np.full(100, np.nan),
        np.array([]),
    ],
    ids=["heavy tail", "half of them equal", "too few", "few distinct", "missing", "empty"],
)
def test_other_columns_have_no_outliers(numbers: np.ndarray) -> None:
    assert faults("outlier", all=raw(pd.DataFrame({"x": numbers}))) == []


def test_columns_of_one_value_are_constant() -> None:
    table = pd.DataFrame({"a": [1, 1, 1], "b": ["x", "x", "x"], "c": [1, 1, None], "d": [1, 1, 2]})
    assert [(f.column, f.row, f.reason) for f in faults("constant-column", all=raw(table))] == [
        ("a", None, "is 1 in all 3 rows"),
        ("b", None, "is 'x' in all 3 rows"),
    ]
    assert faults("constant-column", train=raw(table[["a"]]), test=raw(table[["a"]] + 1)) == []


def test_copies_of_a_column_and_of_the_label_are_told() -> None:
    rng = np.random.default_rng(0)
    sizes, numbers = rng.integers(0, 3, 60), rng.normal(size=60)
    table = pd.DataFrame(
        {
            "size": sizes,
            "letter": np.array(["S", "M", "L"])[sizes],
            "x": numbers,
            "x again": numbers.astype(str),
            "y": rng.normal(size=60),
            "outcome": np.arange(60) % 2,
        }
    )
    labels: list[object] = ["no" if k % 2 == 0 else "yes" for k in range(60)]
    assert [(f.column, f.reason) for f in faults("copied-column", all=raw(table, labels))] == [
        ("letter", "always goes with column 'size'"),
        ("outcome", "always goes with the label"),
        ("x again", "is equal to column 'x'"),
    ]


def test_rare_classes_and_groups_and_classes_without_training_rows_are_told() -> None:
    labels: list[object] = ["often"] * 95 + ["rare"] * 5
    train = raw(pd.DataFrame({"x": range(100)}), labels, site=["a"] * 92 + ["b"] * 8)
    test = raw(pd.DataFrame({"x": range(3)}), ["often", "often", "new"])
    assert [(f.part, f.column, f.reason) for f in faults("imbalance", train=train, test=test)] == [
        ("train", "", "class 'rare' has 5 of 100 (5.0 %)"),
        ("train", "site", "group 'b' has 8 of 100 (8.0 %)"),
        ("test", "", "class 'new' is not in train at all"),
    ]


def test_numbers_to_be_predicted_and_many_groups_have_no_balance() -> None:
    data = raw(pd.DataFrame({"x": range(100)}), person=[str(k // 2) for k in range(100)])
    assert faults("imbalance", all=data) == []
    assert faults("imbalance", all=Dataset(np.zeros((9, 1)), np.arange(9.0), ())) == []
