"""What do all figures share? A Vega-Lite frame around rows of plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from polyculture.results import Section

from ..theme import CONFIG

Spec = dict[str, Any]

WIDTH = 720
"""Points; the page draws every figure as wide as its column instead."""


def figure(title: str, rows: Iterable[dict[str, Any]], **more: Any) -> Spec:
    """A specification with its title, its rows as data, and the look of the house."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": title,
        "description": title,
        "config": CONFIG,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "width": WIDTH,
        "data": inline(rows),
        **more,
    }


def inline(rows: Iterable[dict[str, Any]]) -> Spec:
    """Rows as data that stand in the specification."""
    return {"values": [{str(key): plain(value) for key, value in row.items()} for row in rows]}


def zoom(*axes: str) -> Spec:
    """A parameter for one layer by which a reader zooms these axes: wheel with Alt or Ctrl, drag, double click.

    Without a key the wheel goes on scrolling the page, and so does a finger. Vega-Lite clips
    every mark of the figure that does not say ``clip: False``. ``usermeta`` gets ``zoom=True`` so that the page tells
    how.
    """
    wheel = "wheel![event.altKey || event.ctrlKey]"
    drag = "[pointerdown[event.pointerType !== 'touch'], window:pointerup] > window:pointermove!"
    select = {"type": "interval", "encodings": list(axes), "zoom": wheel, "translate": drag, "clear": "dblclick"}
    return {"name": "zoom", "select": select, "bind": "scales"}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dicts."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def rows_of(section: Section, table: str, *needed: str) -> pd.DataFrame:
    """A table of a section, empty where it is not there or lacks a column."""
    frame = section.tables[table] if table in section.tables else pd.DataFrame()
    if any(column not in frame for column in needed):
        return pd.DataFrame(columns=list(needed))
    return frame.reset_index(drop=True)


def numbers(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The rows whose values in these columns are finite numbers; further columns are left as they are."""
    converted = frame.assign(**{c: pd.to_numeric(frame[c], errors="coerce") for c in columns})
    finite = np.isfinite(converted[list(columns)].to_numpy(dtype=float)).all(axis=1)
    rows: pd.DataFrame = converted[finite].reset_index(drop=True)
    return rows


def column(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A column of numbers; nan throughout where the frame lacks it."""
    values = frame[name] if name in frame else pd.Series(math.nan, index=frame.index, dtype=float)
    return pd.to_numeric(values, errors="coerce").astype(float)


def plain(value: Any) -> Any:
    """A JSON value: numpy scalars unwrapped, floats to six digits, what is not finite as null."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def tooltip(*fields: tuple[str, str, str]) -> list[Spec]:
    """Tooltip lines from (field, title, number format); without a format the value is text."""
    return [
        {"field": field, "title": title, **({"type": "quantitative", "format": form} if form else {"type": "nominal"})}
        for field, title, form in fields
    ]


def layer(mark: Spec, **more: Any) -> Spec:
    """One layer: a mark, its encoding, and whatever else belongs to it (data, transform, params)."""
    properties: Spec = {key: more.pop(key) for key in ("data", "transform", "params") if key in more}
    return {**properties, "mark": mark, "encoding": more}


def straight_line(points: list[dict[str, float]], x: Spec, y: Spec, colour: str, dash: list[int]) -> Spec:
    """A line through these points."""
    mark = {"type": "line", "color": colour, "strokeWidth": 1.5, "strokeDash": dash, "clip": True}
    return layer(mark, x={"field": "x", **x}, y={"field": "y", **y}, data=inline(points))
