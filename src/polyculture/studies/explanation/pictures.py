"""Which explanations are drawn side by side? A few striking instances, by the models that differ most, as rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from .comparison import ReasonComparison, mean_defined
from .instances import place_names, top_of

MOST_MODELS = 4
LARGEST_SIDE = 32
"""Rows and columns of a map; larger ones are summed in blocks."""
MOSTLY = 0.5
"""Share of instances without any reason above which a model is drawn last."""
MOST_BARS = 8
"""Features of a table that are drawn for an instance."""
MOST_WORDS = 120
COLUMNS = ("instance", "model", "feature", "row", "column", "attribution", "level")


def drawn_models(comparison: ReasonComparison, accuracy: Float[np.ndarray, " m"]) -> list[int]:
    """The most accurate model, and those whose reasons are least like the ones before, up to four.

    Models without any reason on most instances come last: there is nothing of them to see.
    """
    first, second = comparison.agreement.pairs
    values = np.where(comparison.reasoned, comparison.agreement.values["feature"], np.nan)
    distance = np.zeros((comparison.agreement.models, comparison.agreement.models))
    distance[first, second] = distance[second, first] = 1 - np.nan_to_num(mean_defined(values.T), nan=1.0)
    silent = (comparison.reasons == 0).all(axis=2).mean(axis=1) > MOSTLY
    distance[silent] = distance[:, silent] = 0.0
    ability = np.where(silent, -1.0, np.nan_to_num(accuracy, nan=0.0))
    order = [int(np.argmax(ability))]
    while len(order) < min(MOST_MODELS, len(distance)):
        nearest = distance[:, order].min(axis=1)
        nearest[order] = -1.0
        order.append(int(np.argmax(nearest)))
    return order


def drawn_instances(comparison: ReasonComparison, *tables: tuple[pd.DataFrame, int]) -> list[int]:
    """Positions of the first instances of each table; the least agreed ones where the tables are empty."""
    place = {str(name): i for i, name in enumerate(comparison.explanations.instances.index)}
    rows = [place[name] for table, count in tables for name in table["instance"].astype(str).head(count)]
    if not rows:
        rows = np.argsort(np.nan_to_num(comparison.agreement.by_instance(), nan=np.inf), kind="stable")[:4].tolist()
    return list(dict.fromkeys(rows))


def map_table(comparison: ReasonComparison, instances: Sequence[int], models: Sequence[int]) -> pd.DataFrame:
    """One row per drawn instance, model and feature.

    `attribution` is scaled so that the largest size of an explanation is 1; `row`, `column` are the place in a map (−1
    where there is none); `level` is the input there in [0, 1], nan where it is not known.
    """
    explanations = comparison.explanations
    parts = []
    for i in instances:
        for model in models:
            values = explanations.values[model, i].astype(np.float64)
            if explanations.words is not None:
                part = _words(explanations.words[i], values)
            elif len(explanations.feature_shape) > 1:
                part = _grid(values.reshape(explanations.feature_shape), _levels(comparison, i))
            else:
                part = _bars(comparison, i, models, values)
            largest = float(np.abs(part["attribution"]).max()) if len(part) else 0.0
            part["attribution"] /= largest if largest > 0 else 1.0
            names = {"instance": str(explanations.instances.index[i]), "model": explanations.model_ids[model]}
            parts.append(part.assign(**names))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)] if parts else pd.DataFrame(columns=list(COLUMNS))


def _words(words: np.ndarray, values: Float[np.ndarray, " d"]) -> pd.DataFrame:
    count = min(int((words != "").sum()), MOST_WORDS)
    place = np.arange(count)
    table = {"feature": words[:count].astype(str), "row": -1, "column": place, "attribution": values[:count]}
    return pd.DataFrame(table | {"level": np.nan})


def _grid(values: Float[np.ndarray, ...], levels: Float[np.ndarray, "h w"] | None) -> pd.DataFrame:
    """A map as rows; the slices of a volume are summed, and large maps are summed in blocks."""
    flat = values.sum(axis=0) if values.ndim == 3 else values
    blocks = [-(-side // LARGEST_SIDE) for side in flat.shape]
    cells = _pooled(flat, blocks) * np.prod(blocks)
    rows, columns = np.indices(cells.shape)
    grey = np.full(cells.shape, np.nan) if levels is None else _pooled(levels, blocks)
    names = [f"row {r * blocks[0]}, column {c * blocks[1]}" for r, c in np.ndindex(*cells.shape)]
    table = {"feature": names, "row": rows.ravel(), "column": columns.ravel(), "attribution": cells.ravel()}
    return pd.DataFrame(table | {"level": grey.ravel()})


def _pooled(table: Float[np.ndarray, "h w"], blocks: Sequence[int]) -> Float[np.ndarray, "a b"]:
    """Means of blocks; those at the ends may be smaller."""
    starts = [np.arange(0, side, block) for side, block in zip(table.shape, blocks, strict=True)]
    totals = np.add.reduceat(np.add.reduceat(table, starts[0], axis=0), starts[1], axis=1)
    sizes = [np.diff(np.append(start, side)) for start, side in zip(starts, table.shape, strict=True)]
    pooled: Float[np.ndarray, "a b"] = totals / np.outer(*sizes)
    return pooled


def _levels(comparison: ReasonComparison, i: int) -> Float[np.ndarray, "h w"] | None:
    """The input as grey levels in the shape of its map; None where it has another shape, as a waveform has."""
    explanations = comparison.explanations
    if explanations.inputs is None:
        return None
    values = np.asarray(explanations.inputs[i], np.float64)
    if values.ndim == len(explanations.feature_shape) + 1:
        values = values.mean(axis=-1)
    if values.shape != explanations.feature_shape:
        return None
    values = values.mean(axis=0) if values.ndim == 3 else values
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros(values.shape)


def _bars(comparison: ReasonComparison, i: int, models: Sequence[int], values: Float[np.ndarray, " d"]) -> pd.DataFrame:
    """The features that are a reason of any of the drawn models, most often first."""
    names, groups = place_names(comparison.explanations), comparison.groups
    tops: list[Int[np.ndarray, " k"]] = [top_of(comparison, model, i) for model in models]
    count = np.bincount(np.concatenate([*tops, np.zeros(0, np.int64)]), minlength=int(groups.max()) + 1)
    size = np.abs(comparison.reasons[list(models), i]).sum(axis=0, dtype=np.float64)
    order = np.lexsort((-size, -count))[:MOST_BARS]
    features = np.unique(groups, return_index=True)[1][order[count[order] > 0]]
    table = {"feature": [names[f] for f in features], "row": -1, "column": -1, "attribution": values[features]}
    return pd.DataFrame(table | {"level": np.nan})
