"""Where are probabilities missing? Rows of nan or zeros, which are allowed where there is no answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .predictions import Predictions


def probability_gap(predictions: Predictions) -> str:
    """Which model lacks probabilities, and for how many instances, in words; empty if none does."""
    if predictions.probabilities is None:
        return ""
    gaps = np.array([(~(rows.sum(axis=1) > 0.5)).sum() for rows in predictions.probabilities])
    row, n = int(gaps.argmax()), predictions.shape[1]
    model = predictions.model_ids[row]
    return f"{model!r} has no probabilities for {gaps[row]:,} of {n:,} instances" if gaps[row] else ""


def without_partial_probabilities(tables: Mapping[str, Predictions]) -> tuple[dict[str, Predictions], str]:
    """The tables without probabilities if one of them has gaps, and where it has; else as they are, and no words."""
    gap = next(filter(None, map(probability_gap, tables.values())), "")
    return {name: replace(table, probabilities=None) if gap else table for name, table in tables.items()}, gap
