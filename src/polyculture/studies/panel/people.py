"""How many humans is the panel worth? Its verdicts beside how many humans gave each class to each item."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from polyculture.errors import InputError
from polyculture.formats.tables.files import open_table
from polyculture.measures.panels import human_equivalents, noise_ceiling
from polyculture.predictions import Predictions
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, influence_interval, share_interval

INSTANCE = ("instance", "item", "id", "instance_id", "item_id", "example_id")
TOTALS = ("n", "total", "humans", "annotators")


def human_counts(path: str | Path, predictions: Predictions) -> Int[np.ndarray, "n c"]:
    """How many humans gave each class to each item of the predictions; 0 for items that the file lacks.

    InputError for a class that nobody knows, counts that are no whole numbers or do not add up to a column of totals,
    and a file without any of the items.
    """
    table = open_table(Path(path), min_columns=2)
    key = next((name for name in table.names if name.lower() in INSTANCE), table.names[0])
    total = next((name for name in table.names if name.lower() in TOTALS and name not in predictions.classes), None)
    columns = [name for name in table.names if name not in (key, total)]
    unknown = [name for name in columns if name not in predictions.classes]
    if unknown or not predictions.classes:
        classes = ", ".join(predictions.classes[:8]) or "none, as only right and wrong are known"
        raise InputError(f"{path} counts humans for {(unknown or columns)[0]!r}", f"a column per class ({classes})")
    counts = _whole_numbers(path, {name: table.values(name).to_numpy() for name in columns})
    if total is not None:
        _check_totals(path, counts.sum(axis=1), table.values(total).to_numpy(), total, table.ids(key))
    place = {str(name): row for row, name in enumerate(table.ids(key))}
    rows = np.array([place.get(str(name), -1) for name in predictions.instances.index])
    if (rows < 0).all():
        raise InputError(f"{path} has none of the items", "the ids of the items in its first column")
    humans = np.zeros((len(rows), len(predictions.classes)), np.int64)
    for name, column in zip(columns, counts.T, strict=True):
        humans[:, predictions.classes.index(name)] = np.where(rows >= 0, column[rows], 0)
    return humans


def _whole_numbers(path: str | Path, columns: dict[str, np.ndarray]) -> Int[np.ndarray, "r c"]:
    counts = []
    for name, cells in columns.items():
        numbers = pd.to_numeric(pd.Series(cells), errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers))))
        if len(bad):
            raise InputError(f"{path} has {cells[bad[0]]!r} humans in column {name!r}, row {bad[0] + 1}", "a count")
        counts.append(numbers.astype(np.int64))
    return np.stack(counts, axis=1)


def _check_totals(path: str | Path, sums: np.ndarray, totals: np.ndarray, name: str, ids: pd.Index | pd.Series) -> None:
    numbers = pd.to_numeric(pd.Series(totals), errors="coerce").to_numpy(float)
    bad = np.flatnonzero(numbers != sums)
    if len(bad):
        row = int(bad[0])
        raise InputError(
            f"the counts of {path} do not add up: item {list(ids)[row]!r} has {sums[row]} humans in its classes and "
            f"{totals[row]} in the column {name!r}",
            "counts that add up to it",
            "mend the row, or leave the column out",
        )


def human_section(predictions: Predictions, path: str | Path, clusters: np.ndarray | None, level: float) -> Section:
    """The panel in humans, as a section; a row per judge."""
    if predictions.answers is None:
        raise InputError(
            "counts of humans for right and wrong verdicts", "verdicts that are classes", "leave --humans out"
        )
    humans = human_counts(path, predictions)
    verdicts = predictions.answers.astype(np.int64)
    panel = human_equivalents(verdicts, humans)
    value = equivalents_interval(panel.value, panel.influence, panel.reason, clusters, level)
    ceiling = noise_ceiling(humans)
    mask = ~np.isnan(ceiling)
    numbers = {"humans": value, "error": Interval(panel.error, n=int(mask.sum())), "spread": Interval(panel.spread)}
    numbers |= {"participation": Interval(panel.participation), "ceiling": share_interval(ceiling[mask], None, level)}
    rows = []
    for judge, name in enumerate(predictions.model_ids):
        alone = human_equivalents(verdicts[judge : judge + 1], humans)
        limits = equivalents_interval(alone.value, alone.influence, alone.reason, clusters, level)
        agreed = _with_plurality(verdicts[judge], humans)
        rows.append(
            {"judge": name, "humans": limits.estimate, "low": limits.low, "high": limits.high, "agrees": agreed}
        )
    table = pd.DataFrame(rows).sort_values("humans", ascending=False, kind="stable", ignore_index=True)
    return SPEC.answer(_sentence(value, numbers, len(rows)), numbers, {"judges": table})


def equivalents_interval(
    value: float, influence: Float[np.ndarray, " n"], reason: str, clusters: np.ndarray | None, level: float
) -> Interval:
    """ν with limits that are symmetric in its logarithm; inf and nan without any."""
    if not math.isfinite(value):
        return Interval(value, reason=reason)
    return influence_interval(value, influence * value, clusters, level, logarithmic=True)


def _with_plurality(verdicts: Int[np.ndarray, " n"], humans: Int[np.ndarray, "n c"]) -> float:
    """How often a judge gives the class that most humans give, ties shared."""
    winners = (humans == humans.max(axis=1, keepdims=True)) & (humans.sum(axis=1, keepdims=True) > 0)
    mask = (verdicts >= 0) & winners.any(axis=1)
    if not mask.any():
        return math.nan
    chosen = winners[np.flatnonzero(mask), verdicts[mask]] / winners[mask].sum(axis=1)
    return float(chosen.mean())


def _sentence(value: Interval, numbers: dict[str, Interval], judges: int) -> str:
    if math.isnan(value.estimate):
        return f"How many humans the panel is worth is undefined: {value.reason}."
    worth = "as many humans as there are" if math.isinf(value.estimate) else f"{value.format('.1f')} humans"
    more = numbers["participation"].estimate
    text = f"Against the distribution of human labels the {judges} judges together are worth {worth}."
    if not math.isnan(more):
        text += f" What they miss goes in {more:.1f} directions (participation ratio), of {judges} at most."
    ceiling = numbers["ceiling"]
    return (
        text + f" A human agrees with the plurality of the other humans on {100 * ceiling.estimate:.0f} % of the items."
    )


SPEC = SectionSpec(
    "panel_humans",
    "How many humans is the panel worth?",
    numbers={
        "humans": "human equivalents ν",
        "error": "E, squared distance of the panel from the humans",
        "spread": "J, the same of a single human",
        "participation": "participation ratio of the judges' residuals",
        "ceiling": "agreement of a human with the other humans' plurality",
    },
    percent=("ceiling",),
    tables={
        "judges": TableSpec(
            "Each judge alone. Agrees: with the class that most humans give.", percent=("agrees",), ranked=True
        )
    },
)
