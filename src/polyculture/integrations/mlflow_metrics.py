"""How alike are the models of an MLflow experiment? Their votes and errors as metrics of a run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polyculture.errors import InputError, need
from polyculture.measures.panels import condorcet_gap
from polyculture.measures.panels import error_correlation as correlation_of

VOTES, CORRELATION, GAP = "effective_votes", "error_correlation", "condorcet_gap"

__all__ = ["log_panel", "panel_metrics"]


def panel_metrics(verdicts: Any, labels: Any) -> dict[str, float]:
    """Effective votes, mean error correlation, the majority's error and Condorcet's gap, by name.

    Parameters
    ----------
    verdicts : a data frame with a column per judge, or ``{judge: verdicts}``.
    labels : the true verdicts, in the same order.

    Numbers that are not defined are left out, as MLflow refuses nan.
    """
    columns = dict(verdicts.items())
    if len(columns) < 2:
        raise InputError(f"{len(columns)} judge", "two judges or more", "give a column per judge")
    truth = np.asarray(labels)
    lengths = {name: len(column) for name, column in columns.items() if len(column) != len(truth)}
    if lengths:
        name = next(iter(lengths))
        raise InputError(f"{lengths[name]} verdicts of {name!r} and {len(truth)} labels", "as many verdicts as labels")
    wrong = np.stack([np.asarray(column) != truth for column in columns.values()])
    correlation, gap = correlation_of(wrong), condorcet_gap(wrong)
    numbers = {VOTES: correlation.votes, CORRELATION: correlation.mean, "majority_error": gap.panel, GAP: gap.gap}
    return {name: float(number) for name, number in numbers.items() if math.isfinite(number)}


def log_panel(verdicts: Any, labels: Any, prefix: str = "panel.") -> dict[str, float]:
    """Log `panel_metrics` to the active MLflow run, each with this prefix; returns what was logged."""
    need("mlflow")
    import mlflow

    numbers = {f"{prefix}{name}": number for name, number in panel_metrics(verdicts, labels).items()}
    mlflow.log_metrics(numbers)
    return numbers
