"""Which sets were compared, and which of them is no other set better than? A row for every way to compress."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from polyculture.compression.gate import SetVerdict
from polyculture.compression.measuring import Cost, Measurement
from polyculture.selection import search

ORIGINALS, KEPT = "originals", "kept"
Row = dict[str, Any]


def row_of(title: str, result: SetVerdict, measurements: Mapping[str, Measurement], attempted: Collection[str]) -> Row:
    """What a set is worth and costs.

    Keys: set, smaller, faster and faster_32 (how many times), bytes, milliseconds, milliseconds_32 (of all members, one
    after the other), loss (log-loss of the set as one model, or 1 − R²), accuracy, n_eff, joint_error_ratio, all_wrong,
    churn (mean share of a member's answers that changed), members (compressed), refused.

    Parameters
    ----------
    title : what the set is called.
    result : of the gate.
    measurements : of every member; of one that is not compressed, with itself.
    attempted : members whose compressed model counts, whatever the gate says; none where those count that it accepted.
    """
    members = set(attempted or result.accepted)
    original, compressed = _totals(measurements, set()), _totals(measurements, members)
    changes = result.attempted if attempted else result.changes
    churns = [verdict.churn.estimate if verdict.model in members else 0.0 for verdict in result.verdicts]
    row: Row = {"set": title, "smaller": original.bytes / compressed.bytes}
    row |= {"faster": original.milliseconds / compressed.milliseconds}
    row |= {"faster_32": original.milliseconds_32 / compressed.milliseconds_32}
    row |= {
        "bytes": compressed.bytes,
        "milliseconds": compressed.milliseconds,
        "milliseconds_32": compressed.milliseconds_32,
    }
    row |= _numbers({name: change.compressed.estimate for name, change in changes.items()})
    refused = sum(not verdict.accepted for verdict in result.verdicts)
    return row | {"churn": sum(churns) / len(churns), "members": len(members), "refused": refused}


def originals_row(result: SetVerdict, measurements: Mapping[str, Measurement]) -> Row:
    """The same of the originals."""
    cost = _totals(measurements, set())
    row: Row = {"set": ORIGINALS, "smaller": 1.0, "faster": 1.0, "faster_32": 1.0, "bytes": cost.bytes}
    row |= {"milliseconds": cost.milliseconds, "milliseconds_32": cost.milliseconds_32}
    row |= _numbers({name: change.original.estimate for name, change in result.changes.items()})
    return row | {"churn": 0.0, "members": 0, "refused": 0}


def front_table(originals: Row, sets: Sequence[Row], final: Row, *, by_latency: bool) -> pd.DataFrame:
    """A row per set: the originals, every way to compress, and what was kept.

    Column kind: originals, kept, efficient (none of the other sets is at least as good in size or latency, loss and
    n_eff, and better in one of them) or beaten.
    """
    table = pd.DataFrame([originals, *sets, final])
    cost = table["milliseconds" if by_latency else "bytes"]
    alikeness = (-table["n_eff"]).fillna(0.0)  # where alikeness is undefined, the other two decide
    best = search.efficient(list(zip(table["loss"], alikeness, cost, strict=True)))
    kinds = ["efficient" if efficient else "beaten" for efficient in best[1:-1]]
    table.insert(1, "kind", [ORIGINALS, *kinds, KEPT])
    return table


def _totals(measurements: Mapping[str, Measurement], members: set[str]) -> Cost:
    """The cost of all members, one after the other; those that could not be measured count nothing."""
    costs = [part.compressed if name in members else part.original for name, part in measurements.items()]
    fields = ("bytes", "milliseconds", "milliseconds_32", "flops")
    sums = {name: sum(v for cost in costs if not math.isnan(v := getattr(cost, name))) for name in fields}
    return Cost(**{name: float(total) for name, total in sums.items()})


def _numbers(estimates: Mapping[str, float]) -> Row:
    """Loss, accuracy and alikeness by the names of the table."""
    undefined = math.isnan(estimates["log_loss"])
    row: Row = {"loss": 1 - estimates["r_squared"] if undefined else estimates["log_loss"]}
    return row | {name: estimates[name] for name in ("accuracy", "n_eff", "joint_error_ratio", "all_wrong")}
