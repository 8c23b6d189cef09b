"""From the error of the average model to that of the ensemble: which disagreement gains, which loses?"""

from __future__ import annotations

import math
from typing import Any

from polyculture.results import Section

from ..charts.vega import Spec, figure, layer, tooltip
from ..theme import BLUE, GREY, INK, ORANGE

VOTE = (
    ("mean_error", "mean error of the models", 0),
    ("good_diversity", "− good diversity", -1),
    ("bad_diversity", "+ bad diversity", 1),
    ("majority_error", "error of the vote", 0),
)
"""Numbers of the waterfall, what they are called, and whether they add, take away or stand on the ground."""

LOG_LOSS = (
    ("mean_log_loss", "mean log loss of the models", 0),
    ("ambiguity", "− ambiguity", -1),
    ("ensemble_log_loss", "log loss of their mean", 0),
)

BRIER = (
    ("mean_brier", "mean Brier score", 0),
    ("brier_variance", "− variance", -1),
    ("ensemble_brier", "Brier score of their mean", 0),
)


def draw(section: Section) -> dict[str, Spec]:
    """From the mean error to that of the vote, step by step; the same for log loss and Brier score where known."""
    caption = (
        "From the error of the average model to that of the vote: disagreement where the vote is right takes away "
        "(good), where it is wrong it adds (bad). The sum is exact."
    )
    vote = _waterfall(section, VOTE, "From the mean error to the vote", ("error", ".1~%"), caption)
    caption = "From the average model's log loss to that of the (geometric) mean of probabilities; the sum is exact."
    loss = _waterfall(section, LOG_LOSS, "From the mean log loss to the ensemble", ("log loss", ".3~f"), caption)
    caption = "From the average model's Brier score to that of the mean of the probabilities; the sum is exact."
    brier = _waterfall(section, BRIER, "From the mean Brier score to the ensemble", ("Brier score", ".3~f"), caption)
    return {key: spec for key, spec in (("vote", vote), ("log_loss", loss), ("brier", brier)) if spec}


def _waterfall(
    section: Section, steps: tuple[tuple[str, str, int], ...], title: str, scale: tuple[str, str], caption: str
) -> Spec:
    values = [section.numbers[name].estimate if name in section.numbers else math.nan for name, _, _ in steps]
    if not all(math.isfinite(value) for value in values):
        return {}
    rows: list[dict[str, Any]] = []
    level = 0.0
    for (_, name, sign), value in zip(steps, values, strict=True):
        start, level = (0.0, value) if sign == 0 else (level, level + sign * value)
        rows.append({"step": name, "from": start, "to": level, "value": value, "sign": sign, "edge": max(start, level)})
    axis_title, form = scale
    ends = [min(0.0, *(row["to"] for row in rows)), 1.3 * max(row["edge"] for row in rows) or 1.0]
    x = {
        "type": "quantitative",
        "scale": {"domain": ends, "nice": False},
        "axis": {"title": axis_title, "format": form, "tickCount": 5},
    }
    names = {"title": None, "labelColor": INK, "labelLimit": 190, "ticks": False, "domain": False}
    y = {"field": "step", "type": "nominal", "sort": None, "axis": names}
    decrease = {"test": "datum.sign < 0", "value": BLUE}
    colour = {"condition": [decrease, {"test": "datum.sign > 0", "value": ORANGE}], "value": GREY}
    tip = tooltip(("step", "step", ""), ("value", axis_title, form))
    bar = {"type": "bar", "height": 18, "cornerRadius": 1}
    text = {"type": "text", "align": "left", "dx": 6, "fontWeight": 600}
    layers = [
        layer(bar, y=y, x={"field": "from", **x}, x2={"field": "to"}, color=colour, tooltip=tip),
        layer(text, y=y, x={"field": "edge", **x}, text={"field": "value", "type": "quantitative", "format": form}),
    ]
    return figure(title, rows, height=34 * len(rows), layer=layers, usermeta={"caption": caption})
