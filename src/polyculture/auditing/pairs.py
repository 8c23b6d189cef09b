"""How alike is each pair of models? Every pair by every measure, with its interval and test, in clustered order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Shaped
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from polyculture.measures.counts import PairCounts
from polyculture.measures.pairs import MEASURES, reasons
from polyculture.results import Pairwise
from polyculture.stats import benjamini_hochberg, co_failure, kappa_limits

Measure = Callable[[PairCounts], Float[np.ndarray, "m m"]]

NOT_ESTIMABLE, INTERVAL_ONLY = 3, 10
"""Fewer errors (or right answers) than these: a ratio is not estimable; only its interval is to be read."""
GATED = ("kappa", "phi", "h", "q")
MOST_ORDERED = 300
"""With more models the optimal order of the leaves takes longer than the rest of the audit."""


def pairwise(
    models: list[str],
    counts: PairCounts,
    extra: Mapping[str, Measure] | None = None,
    design_effect: float = 1.0,
    level: float = 0.95,
) -> Pairwise:
    """All measures of all pairs; limits of κ; and the test of each pair's excess of joint failures.

    Parameters
    ----------
    models : ids, in the order of the counts.
    counts : from `polyculture.measures.counts.count`.
    extra : further measures by name, functions of the counts.
    design_effect : how many times fewer instances there are in effect, because they come in clusters.

    In addition to the measures: kappa_low, kappa_high (Dirichlet posterior), p (hypergeometric mid-P, one-sided) and q
    (Benjamini-Hochberg over all pairs). Pairs with fewer than 3 errors or right answers of either model have no ratio.
    """
    measures = dict(MEASURES) | dict(extra or {})
    if counts.same_answer is None:
        for name in ("agreement", "both_wrong_agreement", "both_wrong_adjusted", "capa"):
            del measures[name]
    values = {name: measure(counts) for name, measure in measures.items()}
    words = reasons(counts)
    not_estimable, interval_only = _gates(counts)
    for name in GATED:
        values[name] = np.where(not_estimable, np.nan, values[name])
    words = np.where(not_estimable & (words == ""), "few_errors", words)
    words = np.where(interval_only & ~not_estimable & (words == ""), "interval_only", words)
    values |= _inference(counts, not_estimable, design_effect, level)
    tables = {
        "n": counts.n,
        "both_right": counts.n11,
        "a_right_b_wrong": counts.n10,
        "a_wrong_b_right": counts.n01,
        "both_wrong": counts.n00,
    }
    if counts.same_wrong is not None:
        tables["same_wrong"] = counts.same_wrong
    reason_table = tuple(tuple(str(w) for w in row) for row in words)
    return Pairwise(tuple(models), values, tables, reason_table, clustered_order(values["kappa"]))


def _gates(counts: PairCounts) -> tuple[Bool[np.ndarray, "m m"], Bool[np.ndarray, "m m"]]:
    """Pairs whose ratios are not estimable, and those of which only the interval is to be read; not the diagonal."""
    a, b = counts.n01 + counts.n00, counts.n10 + counts.n00
    least = np.minimum.reduce([a, b, counts.n - a, counts.n - b])
    off_diagonal = ~np.eye(len(least), dtype=bool)
    return off_diagonal & (least < NOT_ESTIMABLE), off_diagonal & (least < INTERVAL_ONLY)


def _inference(
    counts: PairCounts, undefined: Bool[np.ndarray, "m m"], design_effect: float, level: float
) -> dict[str, Float[np.ndarray, "m m"]]:
    """Limits of κ, and mid-P and adjusted p of each pair's joint failures; nan on the diagonal."""
    m = len(undefined)
    a, b = np.triu_indices(m, 1)
    cells = np.stack([x[a, b] for x in (counts.n11, counts.n10, counts.n01, counts.n00)], axis=1)
    limits = kappa_limits(cells / design_effect, level)
    n, wrong_a, wrong_b = (x[a, b] for x in (counts.n, counts.n01 + counts.n00, counts.n10 + counts.n00))
    p = np.where(undefined[a, b] | (n == 0), np.nan, co_failure(n, wrong_a, wrong_b, counts.n00[a, b]))
    upper_triangles = {"kappa_low": limits.low, "kappa_high": limits.high, "p": p, "p_adjusted": benjamini_hochberg(p)}
    return {name: _symmetric(m, values) for name, values in upper_triangles.items()}


def _symmetric(m: int, upper: Float[np.ndarray, " k"]) -> Float[np.ndarray, "m m"]:
    matrix = np.full((m, m), np.nan)
    matrix[np.triu_indices(m, 1)] = upper
    return np.where(np.isnan(matrix), matrix.T, matrix)


def clustered_order(kappa: Float[np.ndarray, "m m"]) -> tuple[int, ...]:
    """Rows arranged so that alike models are neighbours: average linkage on 1 − κ; undefined pairs count as unlike."""
    if len(kappa) < 3:
        return tuple(range(len(kappa)))
    distance = 1 - np.nan_to_num(kappa, nan=0.0)
    np.fill_diagonal(distance, 0)
    condensed: Shaped[np.ndarray, " k"] = squareform(np.maximum(distance, 0), checks=False)
    tree = linkage(condensed, "average", optimal_ordering=len(kappa) <= MOST_ORDERED)
    return tuple(int(i) for i in leaves_list(tree))


def pair_table(models: Sequence[str], matrices: Mapping[str, Float[np.ndarray, "m m"]]) -> pd.DataFrame:
    """One row per pair of models, one column per matrix."""
    a, b = np.triu_indices(len(models), 1)
    names = np.array(models, dtype=object)
    return pd.DataFrame({"model_a": names[a], "model_b": names[b], **{k: v[a, b] for k, v in matrices.items()}})
