"""Of which kind are the all-wrong instances, and how much of the headline depends on suspect ones?"""

from __future__ import annotations

import numpy as np

from polyculture.results import Section

from ..charts.dot_plot import Rows, at_zero, axis, estimates
from ..charts.vega import Spec, column, figure, layer, numbers, records, rows_of, tooltip
from ..theme import BAND, BLUE, GREY, MUTED, ORANGE

KINDS = {"consensus": ORANGE, "format only": BAND, "no answer": GREY, "genuine": BLUE}
"""Colour of each kind of all-wrong instance."""


def draw(section: Section) -> dict[str, Spec]:
    """How many all-wrong instances are of which kind, and the headline without those that are suspect."""
    return _kinds(section) | _headlines(section)


def _kinds(section: Section) -> dict[str, Spec]:
    table = rows_of(section, "queue", "kind")
    if not len(table):
        return {}
    counts = table["kind"].astype(str).value_counts()
    if "kinds" in section.tables:  # of all of them; the queue lists the first only
        counts = section.tables["kinds"].set_index("kind")["instances"]
    kinds = [kind for kind in KINDS if kind in counts] + [kind for kind in counts.index if kind not in KINDS]
    ends = np.cumsum([int(counts[kind]) for kind in kinds])
    rows = [
        {"kind": kind, "name": f"{kind} · {counts[kind]:,}", "from": int(end - counts[kind]), "to": int(end)}
        | {"instances": int(counts[kind])}
        for kind, end in zip(kinds, ends, strict=True)
    ]
    legend = {"title": None, "orient": "top", "symbolType": "square", "symbolStrokeWidth": 0, "columns": 2}
    scale = {"domain": [row["name"] for row in rows], "range": [KINDS.get(kind, MUTED) for kind in kinds]}
    ticks = {"values": list(range(int(ends[-1]) + 1))} if ends[-1] <= 8 else {"tickCount": 5}
    x_axis = {"title": "all-wrong instances", "format": ",d", "grid": False} | ticks
    bar = layer(
        {"type": "rect", "height": 26},
        x={"field": "from", "type": "quantitative", "scale": {"nice": False}, "axis": x_axis},
        x2={"field": "to"},
        color={"field": "name", "type": "nominal", "scale": scale, "legend": legend},
        tooltip=tooltip(("kind", "kind", ""), ("instances", "instances", ",d")),
    )
    caption = (
        "Consensus: most models give one and the same other answer, so suspect the label. Format only: the answer is "
        "right but written otherwise, so suspect the grader. No answer: nothing that could be read. Genuine: they fail."
    )
    return {"queue": figure("All-wrong instances by kind", rows, height=34, layer=[bar], usermeta={"caption": caption})}


def _headlines(section: Section) -> dict[str, Spec]:
    table = numbers(rows_of(section, "headline", "when", "n_eff"), "n_eff")
    if not len(table):
        return {}
    extras = {key: column(table, key) for key in ("low", "high", "all_wrong", "instances")}
    table = table.assign(value=table["n_eff"], place=range(len(table)), strong=False, **extras)
    lines = Rows([str(label) for label in table["when"]], step=30)
    tip = tooltip(("when", "when", ""), ("value", "n_eff", ".2f"), ("low", "low", ".2f"), ("high", "high", ".2f"))
    tip += tooltip(("all_wrong", "failed by all", ".2%"), ("instances", "instances", ",d"))
    x = axis("n_eff", "~r")
    caption = "The first sentence of this page, as it is and without the instances that may not be the models' fault."
    first = [at_zero(x, float(table["n_eff"].iloc[0]))]
    layers = [*first, *estimates(lines, x, tip, 90, bool(table["low"].notna().any()))]
    return {"headline": lines.figure("The headline before and after", records(table), layers, caption=caption)}
