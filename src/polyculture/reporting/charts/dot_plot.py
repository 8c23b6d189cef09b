"""How does one see many estimates at once? A row for each: its name, a dot, and a bar for the interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..theme import BAND, BLUE, INK, ORANGE
from .model_labels import Labels, model_labels
from .vega import Spec, figure, layer


@dataclass(frozen=True)
class Rows:
    """Names of the rows from top to bottom, and where to see what.

    Parameters
    ----------
    names : text at the left of every row; may repeat.
    heads : places of names that head the rows below them.
    step : height of a row in points.
    limit : most points that a name may take; the page allows less on a phone.
    labels : what stands at the rows instead of long names.
    """

    names: Sequence[str]
    heads: Sequence[int] = ()
    step: int = 20
    limit: int = 190
    labels: Labels | None = None

    @classmethod
    def of_models(cls, names: Sequence[str], step: int = 20, limit: int = 190) -> Rows:
        """Rows of models, whose long names are made short."""
        return cls(names, (), step, limit, model_labels(names, limit))

    @property
    def axis(self) -> Spec:
        """The axis of the rows; places are whole numbers."""
        bold = {"condition": {"test": "indexof(heads, datum.value) >= 0", "value": 600}, "value": 400}
        axis = {
            "title": None,
            "values": list(range(len(self.names))),
            "labelExpr": (self.labels or Labels(self.names)).expression("datum.value"),
            "labelLimit": self.limit,
            "labelFontWeight": bold,
            "labelColor": INK,
            "labelOverlap": False,
            "grid": False,
            "ticks": False,
            "domain": False,
        }
        scale = {"domain": [-0.6, len(self.names) - 0.4], "nice": False, "zero": False, "reverse": True}
        return {"type": "quantitative", "scale": scale, "axis": axis}

    def figure(self, title: str, rows: Sequence[dict[str, Any]], layers: Sequence[Spec], **meta: Any) -> Spec:
        """A figure of these rows; `meta` tells the page about it."""
        params = [*(self.labels or Labels(self.names)).params, {"name": "heads", "value": list(self.heads)}]
        height = self.step * len(self.names) + 8
        return figure(title, rows, height=height, params=params, layer=list(layers), usermeta=meta)


def axis(title: str, form: str, **scale: Any) -> Spec:
    """The axis of the estimates."""
    options = {"zero": False, "nice": True, "padding": 8} | scale  # so that no dot or end of a bar is cut at an edge
    return {"type": "quantitative", "scale": options, "axis": {"title": title, "format": form, "tickCount": 5}}


def estimates(rows: Rows, x: Spec, tip: Sequence[Spec], size: int = 56, bars: bool = True) -> list[Spec]:
    """Layers for rows of place, value, low, high and strong: pale bars for intervals, dots, orange where strong."""
    y = {"field": "place", **rows.axis}
    strong = {"condition": {"test": "datum.strong", "value": ORANGE}, "value": BLUE}
    bar = {"type": "rule", "strokeWidth": 4, "strokeCap": "round", "color": BAND}
    dot = {"type": "point", "filled": True, "size": size, "opacity": 1}
    dots = layer(dot, y=y, x={"field": "value", **x}, color=strong, tooltip=list(tip))
    return [layer(bar, y=y, x={"field": "low", **x}, x2={"field": "high"}), dots] if bars else [dots]


def at_zero(x: Spec, value: float = 0.0) -> Spec:
    """A thin upright line."""
    line = {"type": "rule", "color": INK, "strokeWidth": 1, "opacity": 0.5}
    return layer(line, x={"datum": value, **x}, data={"values": [{}]})
