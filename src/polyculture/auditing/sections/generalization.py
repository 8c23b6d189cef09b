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
from polyculture.results import Section, SectionSpec, Severity
from polyculture.stats import Interval, influence_interval, newcombe

from ..context import AuditContext
from ..pairs import pair_table


def generalization(context: AuditContext, test_sets: Mapping[str, Predictions]) -> Section:
    """Accuracy gaps per model and test set, and what label-free estimates would have said.

    Gaps are paired by instance where the other test set holds the same instances (shifts of them), else Newcombe's.
    Disagreement estimates the error only of calibrated models that share nothing; agreement on the line only where the
    shift does not change how alike they are. Both are shown together with the labelled truth, never instead of it.
    """
    if not test_sets:
        return SPEC.skip("there is only one test set")
    reference = context.predictions
    aligned_sets = {name: test_set.take_models(reference.model_ids) for name, test_set in test_sets.items()}
    gaps = pd.DataFrame([row for name, test_set in aligned_sets.items() for row in _gaps(context, name, test_set)])
    numbers: dict[str, Interval] = {}
    tables = {"gaps": gaps}
    remark = ""
    if all(p.answers is not None for p in (reference, *aligned_sets.values())):
        estimates, line = _estimates(reference, aligned_sets)
        tables |= {"estimates": estimates, "line": line}
        bias = (estimates["disagreement_error"] - estimates["labelled_error"]).to_numpy()
        numbers["disagreement_minus_error"] = Interval(float(bias.mean()), n=len(bias), method="mean over test sets")
        if np.isfinite(bias.mean()):
            remark = (
                f" Without labels, disagreement would have put the mean error {abs(100 * bias.mean()):.1f} points too "
                f"{'low' if bias.mean() < 0 else 'high'} on average: it cannot see what all models get wrong together."
            )
    by_set = gaps.groupby("split", sort=False)["gap"].mean().dropna()
    if by_set.empty:
        return SPEC.skip("no model has answers both here and elsewhere")
    moves = [_moves(by_set.nlargest(1)), *([_moves(by_set.nsmallest(1))] if len(by_set) > 1 else [])]
    sentence = f"Mean error {' and '.join(moves)}.{remark}"
    return SPEC.answer(sentence, numbers, tables)


def _moves(gap: pd.Series) -> str:
    """Which way the error of one test set lies from the one here, in points."""
    points = 100 * float(gap.iloc[0])
    return f"goes {'up' if points >= 0 else 'down'} by {abs(points):.1f} points on {gap.index[0]}"


def _gaps(context: AuditContext, split: str, test_set: Predictions) -> list[dict[str, Any]]:
    """Error elsewhere minus error here, for each model."""
    reference, level = context.predictions, context.options.level
    paired = (
        reference.instances.index.equals(test_set.instances.index)
        and reference.observed is None
        and test_set.observed is None
    )
    rows = []
    for row_index, model in enumerate(reference.model_ids):
        k, n = _errors(reference, row_index)
        k_test, n_test = _errors(test_set, row_index)
        if paired:
            change: Float[np.ndarray, " n"] = test_set.wrong[row_index].astype(float) - reference.wrong[row_index]
            gap = influence_interval(float(change.mean()), change - change.mean(), context.clusters, level)
        else:
            gap = newcombe(k_test, n_test, k, n, level)
        rows.append(
            {
                "model": model,
                "split": split,
                "n": n_test,
                "accuracy": 1 - k_test / n_test if n_test else np.nan,
                "gap": gap.estimate,
                "low": gap.low,
                "high": gap.high,
                "paired": paired,
            }
        )
    return rows


def _errors(predictions: Predictions, row_index: int) -> tuple[int, int]:
    observed = predictions.observed
    n = predictions.shape[1] if observed is None else observed[row_index].sum()
    return int(predictions.wrong[row_index].sum()), int(n)


def _estimates(reference: Predictions, test_sets: Mapping[str, Predictions]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean error per test set: with labels, by disagreement, on the line; and the pairs of the worst set."""
    assert reference.answers is not None
    reference_disagreement, error = disagreement(reference.answers), _mean_error(reference)
    reference_agreement = _agreement(reference)
    accuracy = 1 - _error_rates(reference)
    rows, line_pairs = [], pd.DataFrame()
    farthest = max(test_sets, key=lambda split: _mean_error(test_sets[split]))
    for split, test_set in test_sets.items():
        assert test_set.answers is not None
        estimate = error_without_labels(disagreement(test_set.answers), reference_disagreement, error)
        row = {
            "split": split,
            "labelled_error": _mean_error(test_set),
            "disagreement_error": estimate.plain,
            "corrected": estimate.calibrated,
            "aline_error": np.nan,
            "line_r2": np.nan,
        }
        if len(accuracy) > 2:
            test_agreement = _agreement(test_set)
            line = agreement_on_the_line(reference_agreement, test_agreement, accuracy)
            row |= {"aline_error": 1 - float(line.detailed.mean()), "line_r2": line.r2}
            if split == farthest:
                agreements = {"agreement_here": reference_agreement, "agreement_there": test_agreement}
                line_pairs = pair_table(reference.model_ids, agreements)
                line_pairs.insert(2, "split", split)
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


def severity(section: Section) -> Severity:
    """A warning where the models lose more than 10 points on a test set."""
    gaps = section.tables["gaps"]
    return "warning" if (gaps.groupby("split")["low"].mean() > 0.1).any() else "note"


SPEC = SectionSpec(
    "generalization",
    "What do they lose elsewhere?",
    place=100,
    compute=lambda context, _, shifted: generalization(context, shifted),
    code="PC015",
    finding="generalization",
    severity=severity,
)
