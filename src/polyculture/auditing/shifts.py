"""Does it get worse where it matters? Accuracy and alikeness along test sets that differ from the first on purpose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from polyculture.auditing.options import AuditContext, AuditOptions
from polyculture.predictions import Predictions

from .null_models import headline_null_model

SPLITS = ("train", "selection")
"""Parts of the same data: a gap to them is generalization, not shift."""
COLUMNS = ("shift", "severity", "n", "accuracy", "best", "n_eff", "low", "high", "rho", "all_wrong")


def along_shifts(evidence: AuditContext, shifted: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row per test set, the unshifted one first.

    Columns: shift, severity (0 for none), n, accuracy (mean over models), best (most accurate model), n_eff with
    low and high (headline rung), rho, all_wrong (share of instances that every model fails).

    Parameters
    ----------
    evidence : the unshifted test set.
    shifted : predictions of the same models by name, ``"kind@severity"``; any other name has severity 1.
    """
    if not shifted:
        return pd.DataFrame(columns=list(COLUMNS))
    shifted = {name: there for name, there in shifted.items() if name not in SPLITS}
    rows = [_row("none", 0.0, evidence)]
    options = AuditOptions(clusters=evidence.options.clusters, level=evidence.options.level, seed=evidence.options.seed)
    models = evidence.predictions.model_ids
    for name, there in shifted.items():
        same = there if there.model_ids == models else there.take_models(models)
        kind, severity = parse(name)
        rows.append(_row(kind, severity, AuditContext.gather(same, options)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def parse(name: str) -> tuple[str, float]:
    """Kind and severity of a shifted test set from its name."""
    match = re.fullmatch(r"(.+)@(\d+(?:\.\d+)?)", name)
    return (match[1], float(match[2])) if match else (name, 1.0)


def _row(kind: str, severity: float, evidence: AuditContext) -> dict[str, Any]:
    null_model = headline_null_model(evidence)
    wrong, observed = evidence.predictions.wrong, evidence.predictions.observed
    answered = np.full(len(wrong), wrong.shape[1]) if observed is None else observed.sum(axis=1)
    accuracy = 1 - wrong.sum(axis=1) / np.maximum(answered, 1)
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
        "all_wrong": evidence.systemic.rate,
    }
