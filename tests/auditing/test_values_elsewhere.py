"""Are predicted numbers audited with what is known of models and instances, and on other test sets, too?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polyculture import rng
from polyculture.auditing import AuditOptions, Values, audit_values
from polyculture.errors import InputError

MODELS = tuple(f"m{k}" for k in range(6))


def made(n: int, shared: float, seed: int = 0, start: int = 0) -> Values:
    """Six models whose errors have a common part of that size, in pairs of instances that belong together."""
    generator = rng.stream(seed, "values")
    targets = generator.normal(0, 3, n)
    together = np.repeat(generator.normal(0, shared, n // 2), 2)
    instances = pd.DataFrame({"pair": np.arange(n) // 2, "side": np.arange(n) % 2}, index=range(start, start + n))
    factors = pd.DataFrame({"family": ["a", "b"] * 3}, index=list(MODELS))
    predicted = targets + together + generator.normal(0, 1, (6, n))
    return Values(predicted, targets, MODELS, factors=factors, instances=instances)


def test_other_test_sets_are_judged_by_the_same_tolerance() -> None:
    here, there = made(200, 0.2), made(100, 3.0, seed=1, start=1000)
    audit = audit_values(here, shifted={"elsewhere": there, "same@2": made(200, 0.2, seed=2)})
    table = audit.shifts.set_index("shift")
    tolerance = float(audit.facts["tolerance"])
    for name, values in (("none", here), ("elsewhere", there)):
        failed = np.abs(values.predicted - values.targets) > tolerance
        assert table.loc[name, "n"] == len(values.targets)
        assert table.loc[name, "all_wrong"] == pytest.approx(failed.all(axis=0).mean())
        assert table.loc[name, "accuracy"] == pytest.approx(1 - failed.mean())
    gaps = audit.section("generalization").tables["gaps"].groupby("split")["paired"].first()
    assert gaps.to_dict() == {"elsewhere": False, "same@2": True}


def test_instances_that_belong_together_widen_the_interval() -> None:
    values = made(400, 1.5)
    alone, together = (
        audit_values(values, options=AuditOptions(clusters=c)).null_model("R").n_eff for c in ("", "pair")
    )
    assert together.estimate == alone.estimate
    assert together.high - together.low > 1.1 * (alone.high - alone.low)


def test_groups_and_families_are_told_apart() -> None:
    audit = audit_values(made(200, 1.0), options=AuditOptions(groups=("side",)))
    assert set(audit.section("groups").tables["groups"]["group"]) == {"0", "1"}
    assert audit.leaderboard.table["family"].tolist().count("a") == 3


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"factors": pd.DataFrame(index=[0])}, "a table of 1 models; expected one row for each of 2."),
        ({"instances": pd.DataFrame(index=[0])}, "a table of 1 instances; expected one row for each of 3."),
    ],
)
def test_tables_of_another_size_are_refused(more: dict[str, pd.DataFrame], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Values(np.zeros((2, 3)), np.zeros(3), ("a", "b"), **more)
    assert str(caught.value) == message
