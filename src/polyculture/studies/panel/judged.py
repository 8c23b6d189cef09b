"""What is known of the judges and of each of their verdicts? Checked once, for all that is said of the panel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from polyculture.errors import InputError, near
from polyculture.formats.tables.model_factors import read_factors
from polyculture.predictions import Predictions
from polyculture.rng import stream

from .options import PanelOptions

FEWEST_COMMON = 2
"""Items that every two judges must have in common."""
PRICES = ("price", "cost", "usd", "price_per_item")


@dataclass(frozen=True, eq=False)
class JudgedItems:
    """Verdicts of a panel on items whose truth is known.

    Parameters
    ----------
    names : of the judges.
    wrong, observed : m × n; what stands in cells that are not observed says nothing.
    answers : codes of the verdicts, negative where there is none; None where only right and wrong are known.
    strata : code of the true class of each item; None where classes differ between items.
    clusters : which items were sampled together; None for each its own.
    families : of each judge; empty where they are not known.
    prices : of one verdict of each judge; None where they are not known.
    blocks : half of each item, 0 or 1: what is chosen on one half is judged on the other.
    """

    names: tuple[str, ...]
    wrong: Bool[np.ndarray, "m n"]
    observed: Bool[np.ndarray, "m n"]
    answers: Int[np.ndarray, "m n"] | None
    strata: Int[np.ndarray, " n"] | None
    clusters: np.ndarray | None
    families: tuple[str, ...]
    prices: Float[np.ndarray, " m"] | None
    blocks: Int[np.ndarray, " n"]

    @property
    def judges(self) -> int:
        return len(self.names)

    @property
    def complete(self) -> Bool[np.ndarray, " n"]:
        """Items that every judge judged."""
        return np.asarray(self.observed.all(axis=0))

    @property
    def errors(self) -> Float[np.ndarray, " m"]:
        """Error rate of each judge on what it judged."""
        return np.asarray((self.wrong & self.observed).sum(axis=1) / np.maximum(self.observed.sum(axis=1), 1))

    def take(self, judges: Sequence[int]) -> JudgedItems:
        """Some of the judges."""
        rows = np.asarray(judges, dtype=np.int64)
        return JudgedItems(
            tuple(self.names[row] for row in rows),
            self.wrong[rows],
            self.observed[rows],
            None if self.answers is None else self.answers[rows],
            self.strata,
            self.clusters,
            tuple(self.families[row] for row in rows) if self.families else (),
            None if self.prices is None else self.prices[rows],
            self.blocks,
        )


def judged_items(predictions: Predictions, options: PanelOptions) -> JudgedItems:
    """The verdicts, with families, prices and clusters; InputError where they make no panel."""
    m, n = predictions.shape
    observed = np.ones((m, n), bool) if predictions.observed is None else predictions.observed
    _check_overlap(predictions.model_ids, observed)
    fixed = predictions.has_fixed_classes and predictions.labels is not None
    strata = predictions.labels.astype(np.int64) if fixed and predictions.labels is not None else None
    answers = None if predictions.answers is None else predictions.answers.astype(np.int64)
    clusters = _clusters(predictions, options.cluster)
    halves = np.unique(np.arange(n) if clusters is None else clusters, return_inverse=True)[1]
    coin = stream(options.seed, "halves of items").permutation(int(halves.max()) + 1) % 2
    return JudgedItems(
        tuple(predictions.model_ids),
        predictions.wrong & observed,
        observed,
        answers,
        strata,
        clusters,
        families_of(predictions.models, options.family),
        prices_of(predictions.models, options.prices),
        coin[halves].astype(np.int64),
    )


def _check_overlap(names: Sequence[str], observed: Bool[np.ndarray, "m n"]) -> None:
    common = observed.astype(float) @ observed.T.astype(float)
    silent = np.flatnonzero(np.diag(common) == 0)
    if len(silent):
        raise InputError(
            f"the judge {names[int(silent[0])]!r} has no verdict on any item", "verdicts of each judge", "leave it out"
        )
    if (common[np.triu_indices(len(names), 1)] < FEWEST_COMMON).all():
        raise InputError(
            "no two judges have two items in common",
            "judges of the same items",
            "check that the ids of the items are the same for all judges",
        )


def _clusters(predictions: Predictions, column: str) -> np.ndarray | None:
    if not column:
        return None
    if column not in predictions.instances:
        raise InputError(f"no column {column!r} of items", "", near(column, list(predictions.instances.columns)))
    return predictions.instances[column].astype(str).to_numpy()


def families_of(models: pd.DataFrame, column: str) -> tuple[str, ...]:
    """Family of each judge: from the column of that name, called family, or from names such as vendor/model."""
    if column and column not in models:
        raise InputError(f"no column {column!r} of judges", "", near(column, list(models.columns)))
    column = column or ("family" if "family" in models else "")
    if column:
        return tuple(models[column].astype(str))
    names = [str(name) for name in models.index]
    if all("/" in name for name in names):
        return tuple(name.split("/")[0] for name in names)
    return ()


def prices_of(models: pd.DataFrame, path: str | Path | None) -> Float[np.ndarray, " m"] | None:
    """What one verdict of each judge costs; None where nothing says so."""
    source, place = (models, "the table of judges") if path is None else (read_factors(Path(path)), str(path))
    column = next((str(name) for name in source.columns if str(name).lower() in PRICES), None)
    if column is None and path is None:
        return None
    if column is None:
        raise InputError(f"{place} has no column of prices", "a column price", "name the column price")
    absent = [str(name) for name in models.index if str(name) not in source.index]
    unknown = [str(name) for name in source.index if str(name) not in models.index]
    if absent:
        found = f", but one for {unknown[0]!r}, which is no judge here" if unknown else ""
        raise InputError(f"{place} has no price for the judge {absent[0]!r}{found}", "one price per judge")
    if unknown:
        raise InputError(
            f"{place} has a price for {unknown[0]!r}, which is no judge here", "", near(unknown[0], list(models.index))
        )
    prices = pd.to_numeric(source[column].loc[list(models.index)], errors="coerce").to_numpy(dtype=np.float64)
    bad = [row for row, price in enumerate(prices) if not math.isfinite(price) or price < 0]
    if bad:
        raise InputError(f"the price of {models.index[bad[0]]!r} in {place} is no number", "a number, 0 or more")
    return np.asarray(prices)
