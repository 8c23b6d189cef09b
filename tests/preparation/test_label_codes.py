"""Are labels that are codes with leading zeros classes of their own, in every table?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture.preparation import load_problem

NUMBERS = np.random.default_rng(0).normal(size=(160, 3))
WRITERS = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "parquet": lambda frame, path: frame.to_parquet(path),
}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(
    ("low", "middle", "high", "expected"),
    [
        ("1", "2", "1.0", {"1", "2"}),
        ("1", "2", "01", {"1", "2", "01"}),
        ("001", "01", "1", {"001", "01", "1"}),
        ("1e3", "1000", "2", {"1e3", "1000", "2"}),
        ("-0", "00", "7", {"0", "00", "7"}),
    ],
)
def test_codes_with_leading_zeros_are_classes_of_their_own(form, low, middle, high, expected, tmp_path):
    label = np.where(NUMBERS[:, 0] < -0.5, low, np.where(NUMBERS[:, 0] > 0.5, high, middle))
    WRITERS[form](pd.DataFrame(NUMBERS, columns=list("abc")).assign(label=label), tmp_path / f"t.{form}")
    assert set(load_problem([str(tmp_path / f"t.{form}")], seed=0).split.train.classes) == expected


def test_many_codes_with_leading_zeros_are_classes_not_numbers(tmp_path):
    codes = [f"{i % 25:05d}" for i in range(500)]
    pd.DataFrame({"a": np.arange(500) % 7, "label": codes}).to_csv(tmp_path / "t.csv", index=False)
    assert set(load_problem([str(tmp_path / "t.csv")], seed=0).split.train.classes) == set(codes)
