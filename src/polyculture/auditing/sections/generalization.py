"""How much do models lose elsewhere, and could one have known without labels? Gaps with intervals, and estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.measures.counts import count
from polyculture.measures.generalization import agreement_on_the_line, disagreement, error_without_labels
from polyculture.measures.pairs import agreement
from polyculture.predictions import Predictions
from polyculture.results import Section
from polyculture.stats import Interval, influence_interval, newcombe

from ..context import AuditContext

NAME, TITLE = "generalization", "What do they lose elsewhere?"


def generalization(evidence: AuditContext, elsewhere: Mapping[str, Predictions]) -> Section:
    """Accuracy gaps per model and test set, and what label-free estimates would have said.

    Gaps are paired by instance where the other test set holds the same instances (shifts of them), else Newcombe's.
    Disagreement estimates the error only of calibrated models that share nothing; agreement on the line only where the
    shift does not change how alike they are. Both are shown beside the labelled truth, never instead of it.
    """
    if not elsewhere:
        return Section(NAME, TITLE, "", reason="there is only one test set")
    here = evidence.predictions
    others = {name: there.take_models(here.model_ids) for name, there in elsewhere.items()}
    gaps = pd.DataFrame([row for name, there in others.items() for row in _gaps(evidence, name, there)])
    numbers: dict[str, Interval] = {}
    tables = {"gaps": gaps}
    said = ""
    if all(p.answers is not None for p in (here, *others.values())):
        estimates, line = _estimates(here, others)
        tables |= {"estimates": estimates, "line": line}
        off = (estimates["disagreement_error"] - estimates["labelled_error"]).to_numpy()
        numbers["disagreement_minus_error"] = Interval(float(off.mean()), n=len(off), method="mean over test sets")
        if np.isfinite(off.mean()):
            said = (
                f" Without labels, disagreement would have put the mean error {abs(100 * off.mean()):.1f} points too "
                f"{'low' if off.mean() < 0 else 'high'} on average: it cannot see what all models get wrong together."
            )
    by_set = gaps.groupby("split", sort=False)["gap"].mean().dropna()
    if by_set.empty:
        return Section(NAME, TITLE, "", reason="no model has answers both here and elsewhere")
    moves = [_moves(by_set.nlargest(1)), *([_moves(by_set.nsmallest(1))] if len(by_set) > 1 else [])]
    sentence = f"Mean error {' and '.join(moves)}.{said}"
    return Section(NAME, TITLE, sentence, numbers, tables)


def _moves(gap: pd.Series) -> str:
    """Which way the error of one test set lies from the one here, in points."""
    points = 100 * float(gap.iloc[0])
    return f"goes {'up' if points >= 0 else 'down'} by {abs(points):.1f} points on {gap.index[0]}"


def _gaps(evidence: AuditContext, split: str, there: Predictions) -> list[dict[str, Any]]:
    """Error elsewhere minus error here, for each model."""
    here, level = evidence.predictions, evidence.options.level
    paired = here.instances.index.equals(there.instances.index) and here.observed is None and there.observed is None
    rows = []
    for at, model in enumerate(here.model_ids):
        k, n = _errors(here, at)
        k_there, n_there = _errors(there, at)
        if paired:
            change: Float[np.ndarray, " n"] = there.wrong[at].astype(float) - here.wrong[at]
            gap = influence_interval(float(change.mean()), change - change.mean(), evidence.clusters, level)
        else:
            gap = newcombe(k_there, n_there, k, n, level)
        rows.append(
            {
                "model": model,
                "split": split,
                "n": n_there,
                "accuracy": 1 - k_there / n_there if n_there else np.nan,
                "gap": gap.estimate,
                "low": gap.low,
                "high": gap.high,
                "paired": paired,
            }
        )
    return rows


def _errors(predictions: Predictions, at: int) -> tuple[int, int]:
    observed = predictions.observed
    return int(predictions.wrong[at].sum()), int(predictions.shape[1] if observed is None else observed[at].sum())


def _estimates(here: Predictions, others: Mapping[str, Predictions]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean error per test set: with labels, by disagreement, on the line; and the pairs of the worst set."""
    assert here.answers is not None
    known, error = disagreement(here.answers), _mean_error(here)
    agreed = _agreement(here)
    accuracy = 1 - _error_rates(here)
    a, b = np.triu_indices(len(accuracy), 1)
    names = np.array(here.model_ids, dtype=object)
    rows, line_pairs = [], pd.DataFrame()
    farthest = max(others, key=lambda split: _mean_error(others[split]))
    for split, there in others.items():
        assert there.answers is not None
        estimate = error_without_labels(disagreement(there.answers), known, error)
        row = {
            "split": split,
            "labelled_error": _mean_error(there),
            "disagreement_error": estimate.plain,
            "corrected": estimate.calibrated,
            "aline_error": np.nan,
            "line_r2": np.nan,
        }
        if len(accuracy) > 2:
            agreed_there = _agreement(there)
            line = agreement_on_the_line(agreed, agreed_there, accuracy)
            row |= {"aline_error": 1 - float(line.detailed.mean()), "line_r2": line.r2}
            if split == farthest:
                pairs = {"model_a": names[a], "model_b": names[b], "split": split}
                pairs |= {"agreement_here": agreed[a, b], "agreement_there": agreed_there[a, b]}
                line_pairs = pd.DataFrame(pairs)
        rows.append(row)
    return pd.DataFrame(rows), line_pairs


def _agreement(p: Predictions) -> Float[np.ndarray, "m m"]:
    return agreement(count(p.answers, p.labels, p.correct, max(len(p.classes), 2), p.options))


def _mean_error(p: Predictions) -> float:
    return float(_error_rates(p).mean())


def _error_rates(p: Predictions) -> Float[np.ndarray, " m"]:
    answered = p.shape[1] if p.observed is None else np.maximum(p.observed.sum(axis=1), 1)
    rates: Float[np.ndarray, " m"] = p.wrong.sum(axis=1) / answered
    return rates
