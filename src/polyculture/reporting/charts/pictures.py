"""How does one see instances that are pictures? As tiles in rows, each with what is said of it underneath."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from ..png import data_uri
from ..theme import INK, MUTED
from .vega import Spec, figure, layer, records, tooltip

TILE = 96
"""Points of height of a picture; captions take `CAPTION` more."""
CAPTION = 34
SHARP = 192
"""Pixels of the side of a picture, so that browsers do not smooth it."""
LETTERS = 24
"""Of a line of a caption."""


def gallery(title: str, rows: Sequence[dict[str, Any]], columns: int, caption: str) -> Spec:
    """Pictures in a grid.

    Parameters
    ----------
    rows : with url, row and column (places from 0), title (in bold), and text.
    columns : of the grid; they share the width of the figure.
    """
    height = TILE + CAPTION
    lines = int(max(row["row"] for row in rows)) + 1
    values = [row | {"x": row["column"] + 0.5, "y": row["row"]} | {"lines": _lines(row)} for row in rows]
    x: Spec = {"field": "x", "type": "quantitative", "axis": None, "scale": {"domain": [0, columns], "nice": False}}
    y: Spec = {"field": "y", "type": "quantitative", "axis": None}
    y["scale"] = {"domain": [0, lines], "nice": False, "zero": False, "reverse": True}
    side = {"expr": f"min(width / {columns} - 8, {TILE - 8})"}
    tip = tooltip(("title", "", ""), ("text", "", ""))
    mark: Spec = {"type": "image", "width": side, "height": side, "yOffset": TILE / 2}
    words: Spec = {"type": "text", "baseline": "top", "yOffset": TILE, "lineBreak": "\n", "fontSize": 10.5}
    words |= {"limit": {"expr": f"width / {columns}"}, "color": MUTED}
    pictures = layer(mark, x=x, y=y, url={"field": "url", "type": "nominal"}, tooltip=tip)
    texts = layer(words, x=x, y=y, text={"field": "lines"}, tooltip=tip)
    texts["encoding"]["color"] = {"value": INK}
    return figure(title, values, height=height * lines, layer=[pictures, texts], usermeta={"caption": caption})


def _lines(row: dict[str, Any]) -> str:
    """The caption in at most three short lines."""
    text = textwrap.wrap(str(row["text"]), LETTERS)[:2]
    return "\n".join([str(row["title"])[:LETTERS], *text])


def pictures_of(table: pd.DataFrame) -> list[tuple[dict[str, Any], str]]:
    """The rows of a table of pictures (height, width, channels, levels in hexadecimal), each with its data URI."""
    return [(row, data_uri(_sharp(_pixels(row)))) for row in records(table)]


def _pixels(row: dict[str, Any]) -> Int[np.ndarray, "h w"] | Int[np.ndarray, "h w 4"]:
    shape = int(row["height"]), int(row["width"]), int(row["channels"])
    levels = np.frombuffer(bytes.fromhex(str(row["levels"])), np.uint8).reshape(shape).astype(np.int64)
    if shape[2] == 1:
        return levels[..., 0]
    return np.concatenate([levels[..., :3], np.full((*shape[:2], 1), 255)], axis=2)


def _sharp(pixels: Int[np.ndarray, "h w ..."]) -> Int[np.ndarray, "a b ..."]:
    blocks = max(1, SHARP // max(pixels.shape[:2]))
    return pixels.repeat(blocks, axis=0).repeat(blocks, axis=1)
