"""Judges without a truth: agreement, what hidden-truth models claim, and how wrong that is where errors are shared."""

from __future__ import annotations

from pathlib import Path

import krippendorff
import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.cli import main


def family(n: int = 800) -> tuple[pd.DataFrame, np.ndarray]:
    """Six judges who mostly err on the same fifth of the items, and one who errs on its own."""
    rng = np.random.default_rng(0)
    truth, shared = rng.integers(0, 2, n), rng.random(n) < 0.2
    wrong = np.vstack([np.where(rng.random((6, n)) < 0.9, shared, rng.random((6, n)) < 0.2), rng.random(n) < 0.2])
    verdicts = {f"judge{row}": np.where(line, 1 - truth, truth) for row, line in enumerate(wrong)}
    return pd.DataFrame({"item": range(n), **verdicts}), truth


def test_claims_are_far_from_the_truth_where_errors_are_shared() -> None:
    table, truth = family()
    result = pc.panel(table, pc.PanelOptions(no_truth=True))
    agreement, latent = result.sections
    assert latent.numbers["dawid_skene"].estimate > 0.95
    majority = table.drop(columns="item").to_numpy().mean(axis=1) > 0.5
    assert (majority == truth).mean() < 0.85
    assert "no measurement" in latent.sentence
    assert "does not identify whether errors are independent" in agreement.sentence
    best = latent.tables["judges"].set_index("judge")
    assert best.loc["judge6", "dawid_skene"] < best.loc["judge0", "dawid_skene"]  # the only independent one looks worst


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_alpha_is_that_of_the_package(scale: str) -> None:
    rng = np.random.default_rng(1)
    ratings = rng.integers(1, 6, 60) + rng.integers(-1, 2, (4, 60))
    table = pd.DataFrame({"item": range(60), **{f"judge{k}": row for k, row in enumerate(ratings)}})
    result = pc.panel(table, pc.PanelOptions(no_truth=True, scale=scale))
    expected = krippendorff.alpha(reliability_data=ratings.astype(float), level_of_measurement=scale)
    assert result.numbers["alpha"].estimate == pytest.approx(expected, abs=1e-12)


def test_the_command_says_what_cannot_be_known(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    family(100)[0].to_csv("verdicts.csv", index=False)
    assert main(["panel", "verdicts.csv", "--no-truth"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Krippendorff's α is" in out
    assert "next polyculture crowd verdicts.csv" in out
    assert main(["panel", "verdicts.csv", "verdicts.csv", "--no-truth"]) == 2
    assert "one file, or a dataframe" in capsys.readouterr().err
