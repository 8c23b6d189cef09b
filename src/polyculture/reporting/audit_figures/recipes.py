"""What is the model under the pointer made of? Its factors as a line of the tooltips that name a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from polyculture.results import Leaderboard
from polyculture.results.tables import cell

from ..charts.vega import Spec

NUMBERS = ("model", "n", "errors", "accuracy", "low", "high", "letters", "rmse")
"""Columns of the leaderboard that are no factor."""
TITLES = ("model", "one", "other", "member")
"""What tooltips call a model."""
MOST_FACTORS = 16
MOST_MODELS = 200
"""A figure of more models names them only."""


def recipes_of(leaderboard: Leaderboard) -> dict[str, str]:
    """Factors in words, such as ``architecture knn, data half-a``, by model; empty where none is known."""
    table = leaderboard.table
    columns = [str(name) for name in table.columns if str(name) not in NUMBERS][:MOST_FACTORS]
    rows = zip(table["model"].astype(str), table[columns].to_dict("records"), strict=True)
    texts = {model: ", ".join(f"{name} {cell(v)}" for name, v in row.items() if _known(v)) for model, row in rows}
    return {model: text for model, text in texts.items() if text}


def with_recipes(spec: Spec, recipes: Mapping[str, str]) -> Spec:
    """The figure with a line in every tooltip that names a model; as it is where it names none of these."""
    recipe_by_name = {text: recipes[text] for text in _texts(spec) if text in recipes}
    layers = [layer for layer in _layers(spec) if _fields(layer)]
    if not layers or not 0 < len(recipe_by_name) <= MOST_MODELS:
        return spec
    for layer in layers:
        fields = _fields(layer)
        tip = layer["encoding"]["tooltip"]
        lines = [{"field": f"{field}_recipe", "title": title, "type": "nominal"} for field, title in fields.items()]
        layer["encoding"]["tooltip"] = [*tip, *lines]
        calculated = [{"calculate": f"recipes[datum.{field}] || '–'", "as": f"{field}_recipe"} for field in fields]
        layer["transform"] = [*layer.get("transform", []), *calculated]
    spec["params"] = [*spec.get("params", []), {"name": "recipes", "value": recipe_by_name}]
    return spec


def _known(value: Any) -> bool:
    return not (value is None or value == "" or (pd.api.types.is_scalar(value) and pd.isna(value)))


def _layers(spec: Spec) -> list[Spec]:
    return [*spec.get("layer", []), *spec.get("spec", {}).get("layer", [])]


def _fields(layer: Spec) -> dict[str, str]:
    """Fields of the tooltip that are models, and the titles of the lines about them."""
    tip = layer["encoding"].get("tooltip", ())
    entries = [entry for entry in tip if isinstance(entry, dict) and entry.get("title") in TITLES]
    return {entry["field"]: f"{entry['title']} has" for entry in entries}


def _texts(spec: Spec) -> Iterator[str]:
    """Texts that may be names of models: in rows of data and in lists of parameters."""
    lists = [row.values() for row in spec["data"].get("values", [])]
    lists += [param["value"] for param in spec.get("params", []) if isinstance(param.get("value"), list)]
    for values in lists:
        yield from (value for value in values if isinstance(value, str))
