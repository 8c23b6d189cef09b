"""How does one see what models look at? Maps over pictures, coloured words and bars, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..png import data_uri
from ..theme import BLUE, DIVERGING, GREY, INK, MUTED, ORANGE, PAPER
from .dot_plot import Rows, at_zero, axis
from .model_labels import model_labels
from .pair_matrix import stepped
from .vega import Spec, figure, inline, layer, records, tooltip

TILE = 118
"""Points of height of a map; the width follows the figure."""
SHARP = 240
"""Pixels of the side of a picture, so that browsers do not smooth it."""
LINE = 54
"""Characters in a line of words."""
WIDE = 8.2
"""Points of a character at full size, with its share of the space between words."""
LINE_HEIGHT = 19
TOWARD_AGAINST = ((0x1F, 0x6F, 0xB2), (0xC4, 0x54, 0x0A))
"""Colours of what speaks for the explained class and against it, readable on light and on dark."""
MODEL_COLOURS = (BLUE, ORANGE, GREY, INK)
SIDE = "attribution"


def tiles(title: str, table: pd.DataFrame, caption: str) -> Spec:
    """Maps as pictures: a row per instance, a column per model."""
    instances, models = (list(dict.fromkeys(table[name].astype(str))) for name in ("instance", "model"))
    rows = []
    for (instance, model), part in table.groupby(["instance", "model"], sort=False):
        place = {"column": models.index(str(model)) + 0.5, "row": instances.index(str(instance)) + 0.5}
        largest = part.iloc[int(np.abs(part["attribution"].to_numpy(float)).argmax())]
        rows.append(
            place | {"url": overlay(part), "instance": str(instance), "model": str(model)} | {"top": largest["feature"]}
        )
    labels = model_labels(models, 150)
    x = _places(len(models), labels.expression("floor(datum.value)"), "top")
    y = _places(len(instances), "instances[floor(datum.value)]", "left")
    y["scale"] |= {"reverse": True}
    mark = {
        "type": "image",
        "width": {"expr": f"width / {len(models)} - 6"},
        "height": {"expr": f"height / {len(instances)} - 6"},
    }
    tip = tooltip(("instance", "instance", ""), ("model", "model", ""), ("top", "largest at", ""))
    pictures = layer(
        mark, x={"field": "column", **x}, y={"field": "row", **y}, url={"field": "url", "type": "nominal"}, tooltip=tip
    )
    params = [*labels.params, {"name": "instances", "value": instances}]
    height = TILE * len(instances)
    return figure(title, rows, height=height, params=params, layer=[pictures], usermeta={"caption": caption})


def _places(count: int, label: str, orient: str) -> Spec:
    axis_spec = {
        "title": None,
        "orient": orient,
        "values": [k + 0.5 for k in range(count)],
        "labelExpr": label,
        "labelLimit": 150 if orient == "top" else 90,
        "labelAngle": 0,
        "labelColor": INK,
        "labelOverlap": False,
        "grid": False,
        "ticks": False,
        "domain": False,
    }
    return {"type": "quantitative", "scale": {"domain": [0, count], "nice": False, "zero": False}, "axis": axis_spec}


def overlay(part: pd.DataFrame) -> str:
    """One map as a picture: the input in grey, what speaks for the class in blue and against it in orange."""
    shape = int(part["row"].max()) + 1, int(part["column"].max()) + 1
    attribution, level = np.zeros(shape), np.zeros(shape)
    places = part["row"].to_numpy(np.int64), part["column"].to_numpy(np.int64)
    attribution[places] = part["attribution"].to_numpy(float)
    level[places] = np.nan_to_num(part["level"].to_numpy(float), nan=0.1)
    opacity = np.abs(attribution) ** 0.8
    base = 0.08 + 0.42 * np.clip(level, 0, 1)
    total = opacity + base * (1 - opacity)
    colours = np.where((attribution >= 0)[..., None], TOWARD_AGAINST[0], TOWARD_AGAINST[1])
    grey = np.full(3, 128.0)
    mixed = (colours * opacity[..., None] + grey * (base * (1 - opacity))[..., None]) / total[..., None]
    pixels = np.rint(np.concatenate([mixed, 255 * total[..., None]], axis=2)).astype(np.int64)
    # Browsers smooth small pictures; with every pixel drawn as a block its place stays plain.
    blocks = max(1, SHARP // max(shape))
    return data_uri(pixels.repeat(blocks, axis=0).repeat(blocks, axis=1))


def coloured_words(title: str, table: pd.DataFrame, caption: str) -> Spec:
    """Texts whose words are coloured by their attribution: under each instance a text per model."""
    rows: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    line = 0.0
    for instance, part in table.groupby("instance", sort=False):
        for model, words in part.groupby("model", sort=False):
            heads.append({"line": line + 0.5, "head": f"{instance} · {model}"})
            line += 1
            place = 0
            for row in records(words):
                word = str(row["feature"])
                if place and place + len(word) > LINE:
                    place, line = 0, line + 1
                ends = {"from": place, "to": place + len(word) + 0.6, "middle": place + (len(word) + 0.6) / 2}
                rows.append(
                    ends
                    | {"line": line + 0.5, "top": line + 0.06, "bottom": line + 0.94, "word": word[:LINE]}
                    | {"attribution": round(float(row["attribution"]), 4), "model": str(model)}
                )
                place += len(word) + 1
            line += 1.6
    # As many characters as fit at full size; on a phone the line, in smaller letters.
    end = {"expr": f"max({LINE + 4}, width / {WIDE})"}
    x: Spec = {"type": "quantitative", "scale": {"domain": [0, end], "nice": False}, "axis": None}
    y: Spec = {"type": "quantitative", "scale": {"domain": [0, line], "nice": False, "reverse": True}, "axis": None}
    tip = tooltip(("word", "word", ""), ("attribution", "attribution", "+.2f"), ("model", "model", ""))
    size = {"expr": f"min(12, width / {LINE + 4} / 0.62)"}
    text = {"type": "text", "font": "ui-monospace, Menlo, Consolas, monospace", "fontSize": size}
    readable = {"condition": {"test": "abs(datum.attribution) > 0.55", "value": PAPER}, "value": INK}
    colour = stepped("attribution", SIDE, (-1.0, 1.0), DIVERGING)
    layers = [
        layer(
            {"type": "rect"},
            x={"field": "from", **x},
            x2={"field": "to"},
            y={"field": "top", **y},
            y2={"field": "bottom"},
            color=colour,
            tooltip=tip,
        ),
        layer(text, x={"field": "middle", **x}, y={"field": "line", **y}, text={"field": "word"}, color=readable),
        layer(
            {"type": "text", "align": "left", "fontWeight": 600, "color": MUTED},
            x={"datum": 0, **x},
            y={"field": "line", **y},
            text={"field": "head"},
            data=inline(heads),
        ),
    ]
    return figure(title, rows, height=LINE_HEIGHT * line, layer=layers, usermeta={"caption": caption})


def bars(title: str, table: pd.DataFrame, caption: str) -> Spec:
    """Attributions of columns as bars: under each instance a row per feature, in it a bar per model."""
    models = list(dict.fromkeys(table["model"].astype(str)))
    names: list[str] = []
    heads: list[int] = []
    rows: list[dict[str, Any]] = []
    thickness = 0.84 / len(models)
    for instance, part in table.groupby("instance", sort=False):
        heads.append(len(names))
        names.append(f"instance {instance}")
        for feature, values in part.groupby("feature", sort=False):
            for row in records(values):
                top = len(names) - 0.42 + models.index(str(row["model"])) * thickness
                value = round(float(row["attribution"]), 4)
                place = {"top": top, "bottom": top + 0.9 * thickness, "value": value}
                rows.append(place | {"feature": str(feature), "model": str(row["model"]), "instance": str(instance)})
            names.append(str(feature))
    lines = Rows(names, heads, step=max(20, 7 * len(models)))
    x = axis(f"{SIDE}, largest of each explanation is 1", "+.1~f", zero=True)
    legend = {"title": None, "orient": "top", "symbolType": "square", "symbolStrokeWidth": 0, "columns": 2}
    scale = {"domain": models, "range": list(MODEL_COLOURS[: len(models)])}
    tip = tooltip(("feature", "feature", ""), ("model", "model", ""), ("value", "attribution", "+.2f"))
    layers = [
        at_zero(x),
        layer(
            {"type": "rect"},
            x={"field": "zero", **x},
            x2={"field": "value"},
            y={"field": "top", **lines.axis},
            y2={"field": "bottom"},
            color={"field": "model", "type": "nominal", "scale": scale, "legend": legend},
            tooltip=tip,
            transform=[{"calculate": "0", "as": "zero"}],
        ),
    ]
    return lines.figure(title, rows, layers, caption=caption)
