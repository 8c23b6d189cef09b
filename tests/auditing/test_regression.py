"""Are predicted numbers audited with what is known of models and instances, and on other test sets, too?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture import rng
from polyculture.auditing import AuditOptions, audit
from polyculture.predictions import Predictions

MODELS = tuple(f"m{k}" for k in range(6))


def made(n: int, shared: float, seed: int = 0, start: int = 0) -> Predictions:
    """Six models whose errors have a common part of that size, in pairs of instances that belong together."""
    generator = rng.stream(seed, "values")
    targets = generator.normal(0, 3, n)
    together = np.repeat(generator.normal(0, shared, n // 2), 2)
    instances = pd.DataFrame({"pair": np.arange(n) // 2, "side": np.arange(n) % 2}, index=range(start, start + n))
    factors = pd.DataFrame({"family": ["a", "b"] * 3}, index=list(MODELS))
    predicted = targets + together + generator.normal(0, 1, (6, n))
    return Predictions(factors, instances, values=predicted, targets=targets)


def test_other_test_sets_are_judged_by_the_same_tolerance() -> None:
    here, there = made(200, 0.2), made(100, 3.0, seed=1, start=1000)
    result = audit(here, shifted={"elsewhere": there, "same@2": made(200, 0.2, seed=2)})
    table = result.shifts.set_index("shift")
    tolerance = float(result.facts["tolerance"])
    for name, values in (("none", here), ("elsewhere", there)):
        failed = np.abs(values.residuals) > tolerance
        assert table.loc[name, "n"] == values.shape[1]
        assert table.loc[name, "all_wrong"] == pytest.approx(failed.all(axis=0).mean())
        assert table.loc[name, "accuracy"] == pytest.approx(1 - failed.mean())
    gaps = result.section("generalization").tables["gaps"].groupby("split")["paired"].first()
    assert gaps.to_dict() == {"elsewhere": False, "same@2": True}


def test_instances_that_belong_together_widen_the_interval() -> None:
    values = made(400, 1.5)
    alone, together = (audit(values, options=AuditOptions(clusters=c)).null_model("R").n_eff for c in ("", "pair"))
    assert together.estimate == alone.estimate
    assert together.high - together.low > 1.1 * (alone.high - alone.low)


def test_groups_and_families_are_told_apart() -> None:
    result = audit(made(200, 1.0), options=AuditOptions(groups=("side",)))
    assert set(result.section("groups").tables["groups"]["group"]) == {"0", "1"}
    assert result.leaderboard.table["family"].tolist().count("a") == 3
