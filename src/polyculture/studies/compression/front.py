"""Which sets were compared, and which of them is no other set better than? A row for every way to compress."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from polyculture.measures.effective import effective
from polyculture.measures.effective_vectors import effective_residuals
from polyculture.measures.failure_ratio import failure_ratio
from polyculture.predictions import Predictions
from polyculture.selection import search

SMALLEST = 1e-12
"""Probabilities below it count as this much in a logarithm."""
ORIGINALS, KEPT = "originals", "kept"


@dataclass(frozen=True, eq=False)
class CompressedSet:
    """All members after one way to compress them.

    Parameters
    ----------
    title : the way, as it is written.
    levels : what was done to each member that it fits, by name.
    predictions : of all members, with the originals of those that it does not fit.
    bytes, milliseconds, milliseconds_32 : of all members together; latency of one input and of 32.
    refusals : why members keep their originals, by name.
    """

    title: str
    levels: Mapping[str, str]
    predictions: Predictions
    bytes: float
    milliseconds: float
    milliseconds_32: float
    refusals: Mapping[str, str] = field(default_factory=dict)


def set_numbers(predictions: Predictions, originals: Predictions) -> dict[str, float]:
    """What a set is worth and how alike it fails.

    Keys: loss (log-loss of the mean probability, or mean squared error of the mean number), accuracy (of the mean
    probability), n_eff (given the true class), joint_error_ratio (all-wrong instances over those under independence),
    all_wrong, churn (share of answers of a member that differ from its original's). Those that a regression does not
    have are nan.
    """
    if predictions.values is not None and predictions.targets is not None:
        mean = predictions.values.mean(axis=0)
        residuals = effective_residuals(predictions.residuals, None, 0.0) if len(predictions.values) > 1 else None
        numbers = {"loss": float(np.mean((mean - predictions.targets) ** 2)), "accuracy": math.nan}
        numbers |= {"n_eff": math.nan if residuals is None else residuals.n_eff, "joint_error_ratio": math.nan}
        return numbers | {"all_wrong": math.nan, "churn": math.nan}
    assert predictions.probabilities is not None
    assert predictions.labels is not None
    assert predictions.answers is not None
    labels, wrong = predictions.labels, predictions.wrong
    mean = predictions.probabilities.mean(axis=0, dtype=np.float64)
    truth = np.maximum(mean[np.arange(len(labels)), labels], SMALLEST)
    return {
        "loss": float(-np.log(truth).mean()),
        "accuracy": float((mean.argmax(axis=1) == labels).mean()),
        "n_eff": effective(wrong, labels).n_eff if len(wrong) > 1 else math.nan,
        "joint_error_ratio": failure_ratio(wrong).ratio,
        "all_wrong": float(wrong.all(axis=0).mean()),
        "churn": float((predictions.answers != originals.answers).mean()),
    }


def front(
    originals: CompressedSet, sets: Sequence[CompressedSet], kept: CompressedSet, *, by_latency: bool
) -> pd.DataFrame:
    """A row per set: the originals, every way to compress, and what was kept at last.

    Columns: set, kind (originals, kept, efficient or beaten), smaller and faster (how many times; at one input),
    faster_32, bytes, milliseconds, those of `set_numbers`, members (compressed) and refused.
    """
    named = [(ORIGINALS, originals), *((ways.title, ways) for ways in sets), (KEPT, kept)]
    rows = []
    for title, one in named:
        rows.append(
            {"set": title, "smaller": originals.bytes / one.bytes}
            | {"faster": originals.milliseconds / one.milliseconds}
            | {"faster_32": originals.milliseconds_32 / one.milliseconds_32}
            | {"bytes": one.bytes, "milliseconds": one.milliseconds}
            | set_numbers(one.predictions, originals.predictions)
            | {"members": len(one.levels) - len(one.refusals), "refused": len(one.refusals)}
        )
    table = pd.DataFrame(rows)
    cost = table["milliseconds" if by_latency else "bytes"]
    alike = (-table["n_eff"]).fillna(0.0)
    best = search.efficient(list(zip(table["loss"], alike, cost, strict=True)))
    kinds = ["efficient" if efficient else "beaten" for efficient in best]
    table.insert(1, "kind", [ORIGINALS, *kinds[1:-1], KEPT])
    return table
