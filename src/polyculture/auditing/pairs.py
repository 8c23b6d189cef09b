"""Who is like whom? Every pair by every measure, with alike models next to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from polyculture.measures.counts import PairCounts
from polyculture.measures.pairs import MEASURES, reasons
from polyculture.results import Pairwise

Measure = Callable[[PairCounts], Float[np.ndarray, "m m"]]


def pairwise(models: list[str], counts: PairCounts, extra: Mapping[str, Measure] | None = None) -> Pairwise:
    """All measures of all pairs.

    Parameters
    ----------
    models : ids, in the order of the counts.
    counts : from `polyculture.measures.counts.count`.
    extra : further measures by name, functions of the counts.
    """
    measures = dict(MEASURES) | dict(extra or {})
    if counts.same_answer is None:
        for name in ("agreement", "both_wrong_agreement", "both_wrong_adjusted"):
            del measures[name]
    values = {name: measure(counts) for name, measure in measures.items()}
    tables = {
        "n": counts.n,
        "both_right": counts.n11,
        "a_right_b_wrong": counts.n10,
        "a_wrong_b_right": counts.n01,
        "both_wrong": counts.n00,
    }
    if counts.same_wrong is not None:
        tables["same_wrong"] = counts.same_wrong
    words = tuple(tuple(str(w) for w in row) for row in reasons(counts))
    return Pairwise(tuple(models), values, tables, words, clustered_order(values["kappa"]))


def clustered_order(kappa: Float[np.ndarray, "m m"]) -> tuple[int, ...]:
    """Rows arranged so that alike models are neighbours: average linkage on 1 − κ; undefined pairs count as unlike."""
    if len(kappa) < 3:
        return tuple(range(len(kappa)))
    distance = 1 - np.nan_to_num(kappa, nan=0.0)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(np.maximum(distance, 0), checks=False), "average", optimal_ordering=len(kappa) <= 300)
    return tuple(int(i) for i in leaves_list(tree))
