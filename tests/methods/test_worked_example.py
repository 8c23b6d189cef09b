"""The worked example: a reader's pencil and the functions find the same numbers."""

from __future__ import annotations

import importlib
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import polyculture as pc
from polyculture.measures import (
    common_shock,
    count,
    covariance,
    effective_number,
    fail_at_k_curve,
    kappa,
    systemic_failures,
)
from polyculture.stats import n_eff_interval, systemic_p, systemic_pmf

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "methods" / "worked-example.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
INSTANCES = [row for row in ROWS if len(row) == 6 and row[0].isdigit()]
WRONG = np.array([[cell == "1" for cell in row[2:5]] for row in INSTANCES]).T
CLASSES = np.array([["cat", "dog"].index(row[1]) for row in INSTANCES])


def stated(name: str) -> Fraction:
    """The number in the page's last table."""
    return next(Fraction(row[1]) for row in ROWS if row[0] == name)


def computed() -> dict[str, float]:
    """The same numbers from the functions."""
    raw, given_class = effective_number(WRONG), effective_number(WRONG, CLASSES)
    pairs = count(None, None, (~WRONG).astype(np.int8), 2)
    k, failures, curve = kappa(pairs), systemic_failures(WRONG, CLASSES), fail_at_k_curve(WRONG, CLASSES)
    limits = n_eff_interval(3, given_class.design_effect, given_class.influence)
    return {
        "n_eff, N0": raw.n_eff,
        "rho, N0": raw.rho,
        "n_eff, N1": given_class.n_eff,
        "rho, N1": given_class.rho,
        "z, N1": round(given_class.z, 4),
        "covariance of A and B": float(covariance(pairs)[0, 1]),
        "kappa of A and B": float(k[0, 1]),
        "kappa of A and C": float(k[0, 2]),
        "kappa of B and C": float(k[1, 2]),
        "systemic failure rate": failures.rate,
        "expected rate": failures.expected_rate,
        "ratio": failures.ratio,
        "index": failures.index,
        "mid-P": systemic_p(failures.failures, systemic_pmf(failures.errors, failures.sizes)),
        "fail@2": float(curve.rates[1]),
        "fail@2 if independent": float(curve.expected[1]),
        "tipping point": common_shock(WRONG, CLASSES).rate,
        "lower limit of n_eff": round(limits.low, 2),
        "upper limit of n_eff": round(limits.high, 2),
    }


@pytest.mark.parametrize("name", computed())
def test_the_function_gives_the_number_on_the_page(name: str) -> None:
    assert computed()[name] == pytest.approx(float(stated(name)), abs=1e-12)


def test_the_effective_number_follows_from_sums_of_fractions() -> None:
    """(W1) to (W6) written out."""
    observed = independent = Fraction(0)
    for code in (0, 1):
        table = WRONG[:, code == CLASSES].astype(int)
        n = table.shape[1]
        failures = [int(k) for k in table.sum(axis=0)]
        observed += sum((k - Fraction(sum(failures), n)) ** 2 for k in failures)
        independent += sum(int(k) * (1 - Fraction(int(k), n)) for k in table.sum(axis=1))
    assert (observed, independent) == (Fraction(42, 5), Fraction(28, 5))
    assert 3 * independent / observed == stated("n_eff, N1")
    assert (observed / independent - 1) / 2 == stated("rho, N1")


def test_the_influence_of_every_instance_is_in_the_table() -> None:
    """(W12)."""
    rows = [row for row in ROWS if len(row) == 4 and row[0].isdigit()]
    squares, deviations, influence = (np.array([float(Fraction(row[c])) for row in rows]) for c in (1, 2, 3))
    np.testing.assert_allclose(influence, 10 * (squares - 1.5 * deviations) / 5.6, atol=1e-12)
    np.testing.assert_allclose(influence, effective_number(WRONG, CLASSES).influence, atol=1e-12)
    assert np.sqrt(10 / 9 * (influence**2).sum()) / 10 == pytest.approx(0.4180, abs=5e-5)


def test_the_audit_of_the_file_says_the_same(tmp_path: Path) -> None:
    label = np.array(["cat", "dog"])[CLASSES]
    other = np.array(["dog", "cat"])[CLASSES]
    table = {"label": label} | {m: np.where(w, other, label) for m, w in zip("ABC", WRONG, strict=True)}
    pd.DataFrame(table).to_csv(tmp_path / "ten.csv", index=False)
    audit = pc.audit(pc.read(tmp_path / "ten.csv"))
    raw, given_class = audit.null_models[:2]
    assert (raw.n_eff.estimate, given_class.n_eff.estimate) == pytest.approx((1.98, 2.0))
    assert audit.pairwise.frame()["kappa"].tolist() == pytest.approx([11 / 21, 8 / 23, -2 / 23])
    failures = audit.systemic
    assert failures.rate.estimate == pytest.approx(float(stated("systemic failure rate")))
    assert failures.expectation == pytest.approx(float(stated("expected rate")))
    assert failures.ratio == pytest.approx(float(stated("ratio")))
    assert failures.p == pytest.approx(float(stated("mid-P")))
    assert f"\n{audit.sentence}\n```\n" in PAGE


@pytest.mark.parametrize("path", re.findall(r"`((?:measures|stats)\.\w+)", PAGE))
def test_a_reader_can_import_the_functions_of_the_table(path: str) -> None:
    room, name = path.split(".")
    assert callable(getattr(importlib.import_module(f"polyculture.{room}"), name))
