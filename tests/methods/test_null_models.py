"""The page on null models: its examples and its formulas, written out, against the functions."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from polyculture.measures.effective import effective
from polyculture.measures.structure import structural

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "null-models.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
STATED = {row[0]: Fraction(row[1]) for row in ROWS if len(row) == 2 and row[1][0].isdigit()}


def stated(start: str) -> float:
    """The number of the example whose name starts like this."""
    return float(next(value for name, value in STATED.items() if name.startswith(start)))


def independent(rates: list[Fraction], n: int) -> np.ndarray:
    """Two models on n instances that fail independently with these rates, exactly."""
    a, b = (int(rate * n) for rate in rates)
    both = int(rates[0] * rates[1] * n)
    table = np.zeros((2, n), bool)
    table[0, :a] = True
    table[1, a - both : a - both + b] = True
    return table


def test_classes_of_unequal_difficulty_make_independent_models_look_alike() -> None:
    """(NM1)."""
    n = 2_000_000
    easy, hard = (independent([rate, rate], n) for rate in (Fraction(1, 10), Fraction(1, 2)))
    wrong, classes = np.concatenate([easy, hard], axis=1), np.repeat([0, 1], n)
    assert effective(wrong).n_eff == pytest.approx(stated("n_eff against N0"), abs=1e-5)
    assert effective(wrong, classes).n_eff == pytest.approx(stated("n_eff against N1"), abs=1e-5)
    c = np.cov(wrong)
    assert c[0, 1] == pytest.approx(1 / 25, abs=1e-6)
    assert stated("n_eff against N0") == pytest.approx(2 / (1 + 4 / 21))


def test_joint_failures_of_all_pairs_follow_from_the_failure_counts() -> None:
    """(NM2)."""
    wrong = np.random.default_rng(0).random((6, 50)) < 0.4
    pairs = sum(int((wrong[a] & wrong[b]).sum()) for a, b in itertools.combinations(range(6), 2))
    k = wrong.sum(axis=0)
    assert pairs == (k * (k - 1) // 2).sum()


def test_an_intra_class_correlation_gives_its_effective_number() -> None:
    """(NM3): models that copy a common answer on some instances, all outcomes with their exact weights."""
    assert stated("n_eff of 12 models") == pytest.approx(12 / (1 + 11 * 0.3))
    copied = np.repeat(np.random.default_rng(1).random((1, 200_000)) < 0.2, 12, axis=0)
    own = np.random.default_rng(2).random((12, 200_000)) < 0.2
    wrong = np.where(np.random.default_rng(3).random(200_000) < 0.3, copied, own)
    assert effective(wrong).n_eff == pytest.approx(stated("n_eff of 12 models"), abs=0.06)


def n_struct_by_hand(wrong: np.ndarray) -> float:
    """(NM4) to (NM6) with matrices."""
    m, n = wrong.shape
    rate = wrong.mean(axis=1, keepdims=True)
    scale = np.sqrt(rate * (1 - rate))
    x = ((wrong - rate) / scale).T @ (np.eye(m) - 1 / m)
    correlations = x.T @ x / n
    rows = x * np.sqrt((n - 1) / n)
    q = ((rows**2).sum(axis=1) ** 2).sum() / (n - 1)
    trace, square = np.trace(correlations), (correlations**2).sum()
    unbiased = (n - 1) / (n * (n - 2) * (n - 3)) * ((n - 1) * (n - 2) * square + trace**2 - n * q)
    return 1 + trace**2 / unbiased


def test_the_number_of_kinds_is_that_of_the_matrices() -> None:
    """(NM5) and (NM7)."""
    rng = np.random.default_rng(4)
    difficulty = rng.random(800)
    wrong = rng.random((6, 800)) < difficulty * np.linspace(0.3, 0.9, 6)[:, None]
    assert structural(wrong).n_struct == pytest.approx(n_struct_by_hand(wrong), rel=1e-6)
    copies = np.repeat(rng.random((2, 4000)) < 0.3, 2, axis=0)
    assert structural(copies).n_struct == pytest.approx(stated("n_struct of four models"), abs=0.01)
