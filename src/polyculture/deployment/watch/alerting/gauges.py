"""Which numbers of the watch does Prometheus read? Gauges by name, and their values from a status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "polyculture_disagreement_share": ("Recent answers on which two members differ, a share.", ()),
    "polyculture_disagreement_reference": ("The same share when the portfolio was certified.", ()),
    "polyculture_co_disagreement_ratio": ("Answers that two members differ from, over those at certification.", ()),
    "polyculture_n_eff": ("Effective number of independent members, of labelled answers.", ()),
    "polyculture_n_eff_reference": ("The same number when the portfolio was certified.", ()),
    "polyculture_error_share": ("Labelled answers that are wrong, a share.", ()),
    "polyculture_error_reference": ("The same share when the portfolio was certified.", ()),
    "polyculture_all_wrong_share": ("Labelled answers that no member gets right, a share.", ()),
    "polyculture_all_wrong_reference": ("The same share when the portfolio was certified.", ()),
    "polyculture_gain_low": ("Lower limit of the gain over the best single member, at every time of looking.", ()),
    "polyculture_gain_high": ("Upper limit of the gain over the best single member, at every time of looking.", ()),
    "polyculture_group_all_wrong_low": (
        "Lower limit of the share of a group's labelled answers that no member gets right.",
        ("column", "group"),
    ),
    "polyculture_group_all_wrong_reference": ("The same share when the portfolio was certified.", ("column", "group")),
    "polyculture_member_dissent_share": ("Answers of a member that differ from the portfolio's.", ("member",)),
    "polyculture_member_error_share": ("Labelled answers of a member that are wrong.", ("member",)),
    "polyculture_labelled": ("Labelled answers since the start.", ()),
}
"""By name: what the gauge says, and its labels (next to the model)."""


@dataclass(frozen=True)
class GaugeValue:
    """A value of a gauge.

    Parameters
    ----------
    name : of the gauge, in `GAUGES`.
    labels : their values, in the order of `GAUGES`.
    value : a finite number.
    """

    name: str
    labels: tuple[str, ...]
    value: float


def gauge_values(status: Mapping[str, Any]) -> list[GaugeValue]:
    """What `LiveWatch.status()` says, as gauges; numbers that are undefined are left out."""
    numbers = {name: status.get(name) or {} for name in ("disagreement", "n_eff", "error", "all_wrong", "gain")}
    values: list[tuple[str, tuple[str, ...], Any]] = [
        ("polyculture_disagreement_share", (), numbers["disagreement"].get("estimate")),
        ("polyculture_n_eff", (), numbers["n_eff"].get("estimate")),
        ("polyculture_error_share", (), numbers["error"].get("estimate")),
        ("polyculture_all_wrong_share", (), numbers["all_wrong"].get("estimate")),
        ("polyculture_labelled", (), status.get("labelled_total")),
        ("polyculture_co_disagreement_ratio", (), co_disagreement_ratio(status.get("co_disagreement") or {})),
    ]
    with_reference = ("disagreement", "n_eff", "error", "all_wrong")
    values += [(f"polyculture_{name}_reference", (), numbers[name].get("reference")) for name in with_reference]
    if numbers["gain"].get("estimate") is not None:
        values += [(f"polyculture_gain_{end}", (), numbers["gain"].get(end)) for end in ("low", "high")]
    for group in status.get("groups") or ():
        labels, number = (str(group["column"]), str(group["value"])), group["all_wrong"]
        values.append(("polyculture_group_all_wrong_low", labels, number.get("low")))
        values.append(("polyculture_group_all_wrong_reference", labels, number.get("reference")))
    for member in status.get("members") or ():
        values.append(("polyculture_member_dissent_share", (str(member["id"]),), member.get("dissent")))
        values.append(("polyculture_member_error_share", (str(member["id"]),), member["error"].get("estimate")))
    return [GaugeValue(name, labels, float(x)) for name, labels, x in values if x is not None and math.isfinite(x)]


def co_disagreement_ratio(table: Mapping[str, Any]) -> float | None:
    """Mean share of answers that both members of a pair differ from, over that at certification; None without it."""
    share, reference = table.get("share") or [], table.get("reference") or []
    pairs = [(a, b) for a in range(len(share)) for b in range(a)]
    if len(reference) != len(share):
        return None
    cells = [(share[a][b], reference[a][b]) for a, b in pairs]
    defined = [(now, certified) for now, certified in cells if now is not None and certified is not None]
    total = sum(certified for _, certified in defined)
    return sum(now for now, _ in defined) / total if total > 0 else None
