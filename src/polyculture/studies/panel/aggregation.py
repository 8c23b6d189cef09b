"""How much of the gap does a better rule close? Each is fitted on four fifths of the items and judged on the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from polyculture.measures.annotators import Annotations, dawid_skene, glad
from polyculture.measures.panels.weights import accuracy_weights, correlation_weights
from polyculture.measures.votes import vote
from polyculture.stats import Interval, block_of, influence_interval, share_interval

from .judged import JudgedItems

FOLDS = 5
MOST_CONFUSIONS, MOST_VERDICTS = 10**5, 10**5
"""Cells of confusion matrices beyond which Dawid–Skene is left out, and verdicts beyond which GLAD is."""
MAJORITY = "one vote each"
Rule = Callable[[np.ndarray, np.ndarray, int], Float[np.ndarray, " m"]]
RULES: Mapping[str, Rule] = {
    MAJORITY: lambda wrong, observed, classes: np.ones(len(wrong)),  # noqa: ARG005
    "weighted by accuracy": accuracy_weights,
    "weighted by accuracy and correlation": correlation_weights,
}
"""Weights of the judges from verdicts whose truth is known."""


def aggregation_table(items: JudgedItems, gap: Interval, level: float) -> pd.DataFrame:
    """One row per rule: its error on items that had no part in it, and its gain over one vote each, paired.

    Columns: rule, error, low, high, gain (error of one vote each less its own), gain_low, gain_high, closed (gain over
    Condorcet's gap; nan where that is not above 0), judges (with any weight, on all items).
    """
    losses = {name: cross_fitted(items, rule) for name, rule in RULES.items()} | hidden_truth(items)
    mask = ~np.isnan(np.stack(list(losses.values()))).any(axis=0)
    clusters = None if items.clusters is None else items.clusters[mask]
    rows = []
    for name, loss in losses.items():
        error = share_interval(loss[mask], clusters, level)
        difference = (losses[MAJORITY] - loss)[mask]
        mean = float(difference.mean())
        gain = influence_interval(mean, difference - mean, clusters, level)
        row = {"rule": name, "error": error.estimate, "low": error.low, "high": error.high}
        row |= {"gain": mean, "gain_low": gain.low, "gain_high": gain.high}
        row["closed"] = mean / gap.estimate if gap.defined and gap.estimate > 0 else math.nan
        weights = RULES[name](items.wrong, items.observed, _classes(items)) if name in RULES else np.ones(items.judges)
        row["judges"] = int((weights > 0).sum())
        rows.append(row)
    return pd.DataFrame(rows)


def hidden_truth(items: JudgedItems) -> dict[str, Float[np.ndarray, " n"]]:
    """Losses of models that know no truth, only the verdicts: Dawid–Skene, and GLAD where the items are few.

    Only where classes are the same for all items; empty else.
    """
    if items.strata is None or items.answers is None:
        return {}
    classes = int(max(items.answers.max(), items.strata.max())) + 1
    cells = items.judges * classes**2
    rules = {"Dawid–Skene": dawid_skene} if classes > 1 and cells <= MOST_CONFUSIONS else {}
    if rules and items.observed.sum() <= MOST_VERDICTS:
        rules["GLAD"] = glad
    if not rules:
        return {}
    annotations = Annotations.of_table(np.where(items.observed, items.answers, -1), classes)
    return {name: 1 - rule(annotations).credit(items.strata) for name, rule in rules.items()}


def cross_fitted(items: JudgedItems, rule: Rule) -> Float[np.ndarray, " n"]:
    """Loss of a rule on each item, its weights from the other folds; nan where nobody judged."""
    n = items.wrong.shape[1]
    names = np.arange(n).astype(str) if items.clusters is None else items.clusters.astype(str)
    fold = block_of(names, FOLDS)
    loss = np.full(n, np.nan)
    for part in range(FOLDS):
        test = fold == part
        if not test.any() or test.all():
            continue
        weights = rule(items.wrong[:, ~test], items.observed[:, ~test], _classes(items))
        answers = None if items.answers is None else items.answers[:, test]
        loss[test] = vote(items.wrong[:, test], answers, weights, items.observed[:, test]).loss
    return loss


def _classes(items: JudgedItems) -> int:
    """Verdicts to choose from, where classes are the same for all items."""
    return 2 if items.strata is None else max(2, len(np.unique(items.strata)))
