"""Does it get worse where it matters? Accuracy and alikeness along test sets that differ from the first on purpose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from polyculture.auditing.ladder import ladder
from polyculture.predictions import Predictions

COLUMNS = ("shift", "severity", "n", "accuracy", "best", "n_eff", "low", "high", "rho", "all_wrong")


def along_shifts(
    predictions: Predictions,
    shifted: Mapping[str, Predictions],
    clusters: Shaped[np.ndarray, " n"] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per test set, the unshifted one first.

    Columns: shift, severity (0 for none), n, accuracy (mean over models), best (most accurate model), n_eff with
    low and high (headline rung), rho, all_wrong (share of instances that every model fails).

    Parameters
    ----------
    predictions : on the unshifted test set.
    shifted : predictions of the same models by name, ``"kind@severity"``; any other name has severity 1.
    clusters : which instances belong together, the same for every test set.
    """
    if not shifted:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = [_row("none", 0.0, predictions, clusters, level)]
    for name, there in shifted.items():
        kind, severity = parse(name)
        rows.append(_row(kind, severity, there, clusters, level))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def parse(name: str) -> tuple[str, float]:
    """Kind and severity of a shifted test set from its name."""
    match = re.fullmatch(r"(.+)@(\d+(?:\.\d+)?)", name)
    return (match[1], float(match[2])) if match else (name, 1.0)


def _row(
    kind: str, severity: float, predictions: Predictions, clusters: Shaped[np.ndarray, " n"] | None, level: float
) -> dict[str, Any]:
    rung = ladder(predictions, clusters, level)[0][-1]
    wrong, observed = predictions.wrong, predictions.observed
    answered = np.full(len(wrong), wrong.shape[1]) if observed is None else observed.sum(axis=1)
    accuracy = 1 - wrong.sum(axis=1) / np.maximum(answered, 1)
    complete = slice(None) if observed is None else observed.all(axis=0)
    return {
        "shift": kind,
        "severity": severity,
        "n": wrong.shape[1],
        "accuracy": float(accuracy.mean()),
        "best": float(accuracy.max()),
        "n_eff": rung.n_eff.estimate,
        "low": rung.n_eff.low,
        "high": rung.n_eff.high,
        "rho": rung.rho.estimate,
        "all_wrong": float(wrong[:, complete].all(axis=0).mean()),
    }
