"""Pairs: what the data cannot carry is not shown, and says why."""

from __future__ import annotations

import numpy as np
import pytest

import polyculture as pc
from polyculture.predictions import Predictions


def two_models(errors: int) -> Predictions:
    """Two models with so many errors each on 200 instances, one of them shared."""
    a, b = np.ones((2, 200), dtype=int)
    a[:errors] = 0
    b[errors - 1 : 2 * errors - 1] = 0
    return Predictions.from_correct({"a": a, "b": b})


@pytest.mark.parametrize(
    ("errors", "shown", "reason"),
    [(2, False, "few_errors"), (3, True, "interval_only"), (9, True, "interval_only"), (10, True, "")],
)
def test_ratios_of_few_errors_are_gated(errors: int, shown: bool, reason: str) -> None:
    pair = pc.audit(two_models(errors)).pairwise.frame().iloc[0]
    assert all(np.isfinite(pair[name]) == shown for name in ("kappa", "phi", "h", "q"))
    assert np.isfinite(pair["p"]) == shown
    assert pair["reason"] == reason
    assert pair["kappa_low"] < pair["kappa_high"]
    assert pair["double_fault"] == 1 / 200
