"""How do accuracy and alikeness change under distribution shift?"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from polyculture.predictions import Predictions

from .context import AuditContext
from .null_models import headline_null_model
from .options import AuditOptions

SPLITS = ("train", "selection")
"""Parts of the same data: a gap to them is generalization, not shift."""
COLUMNS = ("shift", "severity", "n", "accuracy", "best", "n_eff", "low", "high", "rho", "all_wrong")


def along_shifts(context: AuditContext, shifted: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row per test set, the unshifted one first.

    Columns: shift, severity (0 for none), n, accuracy (mean over models), best (most accurate model), n_eff with
    low and high (headline null model), rho, all_wrong (share of instances that every model fails).

    Parameters
    ----------
    context : the unshifted test set.
    shifted : predictions of the same models by name, ``"kind@severity"``; any other name has severity 1.
    """
    if not shifted:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = [_row("none", 0.0, context)]
    options = AuditOptions(clusters=context.options.clusters, level=context.options.level, seed=context.options.seed)
    models = context.predictions.model_ids
    for name, predictions in shifted.items():
        if name not in SPLITS:
            aligned = predictions if predictions.model_ids == models else predictions.take_models(models)
            rows.append(_row(*parse(name), AuditContext.gather(aligned, options)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def parse(name: str) -> tuple[str, float]:
    """Kind and severity of a shifted test set from its name."""
    match = re.fullmatch(r"(.+)@(\d+(?:\.\d+)?)", name)
    return (match[1], float(match[2])) if match else (name, 1.0)


def _row(kind: str, severity: float, context: AuditContext) -> dict[str, Any]:
    null_model = headline_null_model(context)
    wrong, observed = context.predictions.wrong, context.predictions.observed
    answered = np.full(len(wrong), wrong.shape[1]) if observed is None else observed.sum(axis=1)
    accuracy = 1 - wrong.sum(axis=1) / np.maximum(answered, 1)
    failures = np.asarray(wrong[:, context.complete].all(axis=0))
    return {
        "shift": kind,
        "severity": severity,
        "n": wrong.shape[1],
        "accuracy": float(accuracy.mean()),
        "best": float(accuracy.max()),
        "n_eff": null_model.n_eff.estimate,
        "low": null_model.n_eff.low,
        "high": null_model.n_eff.high,
        "rho": null_model.rho.estimate,
        "all_wrong": float(failures.mean()) if len(failures) else math.nan,
    }
