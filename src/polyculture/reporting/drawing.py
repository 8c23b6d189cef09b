"""What do all figures share? A Vega-Lite frame around rows of plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from polyculture.reporting.look import CONFIG

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
        "data": {"values": [{str(key): plain(value) for key, value in row.items()} for row in rows]},
        **more,
    }


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dicts."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


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
    """One layer: a mark, its encoding, and whatever else belongs to it (data, transform)."""
    rest: Spec = {key: more.pop(key) for key in ("data", "transform") if key in more}
    return {**rest, "mark": mark, "encoding": more}
