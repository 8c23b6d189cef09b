"""Which factors can a design identify?"""

from __future__ import annotations

import math

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis, estimates
from ..charts.vega import Spec, records, rows_of, tooltip


def draw(section: Section) -> dict[str, Spec]:
    """Variance inflation of every axis; an axis that cannot be identified has no dot."""
    table = records(rows_of(section, "axes", "axis", "levels", "vif", "tested_by"))
    names = [
        f"{row['axis']}, {row['levels']} levels{'' if row['tested_by'] else ': not identifiable'}" for row in table
    ]
    rows = [
        {"place": place, "axis": row["axis"], "value": row["vif"], "low": 1.0, "high": row["vif"]}
        | {"tested": row["tested_by"], "strong": row["tested_by"] != "permutation"}
        for place, row in enumerate(table)
        if row["tested_by"] and math.isfinite(row["vif"])
    ]
    if not rows:
        return {}
    tip = tooltip(("axis", "axis", ""), ("value", "variance inflation", ".3~g"), ("tested", "tested by", ""))
    lines = Rows(names, step=26, limit=260)
    x = axis("variance inflation (near 1: crossed evenly with the others)", ".3~g")
    caption = (
        "How much wider the interval of each axis is because the others explain part of it: 1 is best. Orange: too few "
        "ways to permute, so only the conservative jackknife tests it. Without a dot: not identifiable."
    )
    layers = [at_zero(x, 1.0), *estimates(lines, x, tip)]
    return {"inflation": lines.figure("What the design can identify", rows, layers, caption=caption)}
