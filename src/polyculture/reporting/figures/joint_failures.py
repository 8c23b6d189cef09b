"""How often do k models fail together? fail@k observed and under independence."""

from __future__ import annotations

import math

import pandas as pd

from polyculture.results import Section

from ..charts.vega import Spec, column, figure, inline, layer, numbers, records, rows_of, tooltip
from ..theme import BAND, BLUE, GREY, MUTED, ORANGE


def draw(section: Section) -> dict[str, Spec]:
    """fail@k against k: observed with its band, what independence would give, and where the data give out."""
    table = numbers(rows_of(section, "fail_at_k", "k", "observed"), "k", "observed")
    reliable = table["shown"].astype(bool) if "shown" in table else pd.Series(True, index=table.index)
    table = table.assign(shown=reliable, low=column(table, "low"), high=column(table, "high"))
    table["expected"] = column(table, "expected")
    estimated = table[table["shown"] & (table["observed"] > 0)]
    limited = table[~table["shown"] & (table["high"] > 0)]
    if not len(estimated):
        return {}
    bottom = 10.0 ** math.floor(math.log10(min([estimated["observed"].min(), *limited["high"]])) - 0.2)
    rows = records(
        table.assign(
            observed=table["observed"].where(table["shown"] & (table["observed"] > 0)),
            low=table["low"].clip(lower=bottom / 10).where(table["shown"]),
            limit=table["high"].where(~table["shown"]),
            expected=table["expected"].clip(lower=bottom / 1e3),
            exactly=[f"{value:.3g}" for value in table["expected"]],
            run=(table["shown"] != table["shown"].shift()).cumsum(),
        )
    )
    gate = float(table.loc[~table["shown"], "k"].min()) - 0.5
    caption = (
        "Share of instances on which k models drawn at random all fail. Blue: observed, with its 95 % band; orange: "
        "if they erred independently given the truth (it may leave the plot below)."
    )
    if len(limited):
        caption += " Right of the dashed line too few instances carry the curve: a triangle is only an upper limit."
    if limited["k"].min() < estimated["k"].max():
        caption += " A bar is the interval of a share that stands for itself again."
    height, max_k = 300, float(table["k"].max())
    layers = _layers(bottom, max_k, None if math.isnan(gate) else gate)
    spec = figure("Chance that k models fail together", rows, height=height, layer=layers)
    return {"fail_at_k": spec | {"usermeta": {"caption": caption}}}


def _layers(bottom: float, max_k: float, gate: float | None) -> list[Spec]:
    """The band and the two curves, upper limits as triangles, and a dashed line where the curve ends."""
    x_axis = {"title": "k, models drawn at random", "grid": False, "tickMinStep": 1, "format": "d"}
    x = {"type": "quantitative", "scale": {"domain": [1, max(2.0, max_k)], "nice": False}, "axis": x_axis}
    percent = "datum.value >= 0.0001 ? format(100 * datum.value, '~f') + '%' : format(datum.value, '.0e')"
    powers = [10.0**k for k in range(round(math.log10(bottom)), 1)]
    y_axis = {"title": "all of them fail (log scale)", "values": powers, "labelExpr": percent}
    y = {"type": "quantitative", "scale": {"type": "log", "domain": [bottom, 1], "nice": False}, "axis": y_axis}
    x_field: Spec = {"field": "k", **x}
    layers = [
        layer(
            mark | {"color": BAND, "clip": True},
            x=x_field,
            y={"field": "low", **y},
            y2={"field": "high"},
            transform=[{"filter": f"isValid(datum.low) && datum.run {part}"}],
        )
        for mark, part in (({"type": "area", "opacity": 0.8}, "=== 1"), ({"type": "rule", "strokeWidth": 4}, "> 1"))
    ]
    layers += _curves(x_field, y)
    triangle = {"type": "point", "shape": "triangle-down", "size": 46, "color": GREY, "opacity": 1}
    most_tip = tooltip(("k", "k", "d"), ("limit", "at most", ".3~g"))
    limited = [{"filter": "isValid(datum.limit)"}]
    layers.append(layer(triangle, x=x_field, y={"field": "limit", **y}, tooltip=most_tip, transform=limited))
    if gate is not None:
        rule = {"type": "rule", "strokeDash": [4, 3], "color": MUTED}
        layers.append(layer(rule, x={"datum": gate, **x}, data=inline([{}])))
    return layers


def _curves(x_field: Spec, y: Spec) -> list[Spec]:
    """What independence would give, and what was observed; the latter is broken where too few instances carry it."""
    names = ["observed", "expected if independent"]
    legend = {"title": None, "orient": "top", "symbolType": "stroke"}
    colour = {"type": "nominal", "scale": {"domain": names, "range": [BLUE, ORANGE]}, "legend": legend}
    tip = tooltip(*((key, key, ".3~g") for key in ("k", "observed", "low", "high")))
    tip += tooltip(("exactly", "if independent", ""), ("kish_n", "effective instances", ",.0f"))
    line = {"type": "line", "strokeWidth": 2, "clip": True}
    return [
        layer(line, x=x_field, y={"field": "expected", **y}, color={"datum": names[1], **colour}, tooltip=tip),
        layer(
            {**line, "point": {"filled": True, "size": 40}},
            x=x_field,
            y={"field": "observed", **y},
            color={"datum": names[0], **colour},
            detail={"field": "run", "type": "nominal"},
            tooltip=tip,
            transform=[{"filter": "isValid(datum.observed)"}],
        ),
    ]
