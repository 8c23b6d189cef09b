"""Are some groups failed by everybody more often than others? Every group against the rest, many groups allowed for."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from polyculture.results import Section
from polyculture.stats import benjamini_hochberg, co_failure, design_effect, newcombe, wilson

from ..context import AuditContext

NAME, TITLE = "groups", "Whom do they all fail?"
ALPHA = 0.05
SMALLEST = 5
MISSING = "(missing)"


def groups(evidence: AuditContext) -> Section:
    """Systemic failure per group of each named column: rate, difference to the rest, test, Benjamini-Hochberg."""
    if not evidence.options.groups:
        return Section(NAME, TITLE, "", reason="no column with groups was named")
    complete = evidence.complete
    if not complete.any():
        return Section(NAME, TITLE, "", reason="no instance was answered by every model")
    failed: Bool[np.ndarray, " n"] = np.asarray(evidence.predictions.wrong[:, complete].all(axis=0))
    right = 1 - evidence.predictions.wrong[:, complete].mean(axis=0)
    rows = []
    for column in evidence.options.groups:
        values = evidence.predictions.instances[column]
        names = np.where(values.isna(), MISSING, values.to_numpy().astype(str))[complete]
        clusters = None if evidence.clusters is None else evidence.clusters[complete]
        inflation = 1.0 if clusters is None else design_effect(failed, clusters)
        for group in np.unique(names):
            here = np.asarray(names == group)
            if here.sum() >= SMALLEST and (~here).sum() >= SMALLEST:
                row = _row(failed, here, inflation, evidence.options.level)
                rows.append({"column": column, "group": group, **row, "accuracy": float(right[here].mean())})
    if not rows:
        return Section(NAME, TITLE, "", reason=f"no group has {SMALLEST} instances and {SMALLEST} beside it")
    table = pd.DataFrame(rows)
    table["q"] = benjamini_hochberg(table["p"].to_numpy())
    return Section(NAME, TITLE, _sentence(table), tables={"groups": table})


def _row(
    failed: Bool[np.ndarray, " n"], here: Bool[np.ndarray, " n"], inflation: float, level: float
) -> dict[str, float | int]:
    """One group against all other instances, with counts divided by the design effect of the clusters."""
    inside, outside = _shrunk(failed[here], inflation), _shrunk(failed[~here], inflation)
    rate, gap = wilson(*inside, level), newcombe(*inside, *outside, level)
    return {
        "n": int(here.sum()),
        "all_wrong": float(failed[here].mean()),
        "low": rate.low,
        "high": rate.high,
        "difference": float(failed[here].mean() - failed[~here].mean()),
        "difference_low": gap.low,
        "difference_high": gap.high,
        "p": _two_sided(inside, outside),
    }


def _two_sided(inside: tuple[int, int], outside: tuple[int, int]) -> float:
    """Two-sided mid-P of two shares being equal (hypergeometric)."""
    total, failures = inside[1] + outside[1], inside[0] + outside[0]
    upper = float(co_failure(*(np.array([x]) for x in (total, inside[1], failures, inside[0])))[0])
    return min(1.0, 2 * min(upper, 1 - upper))


def _shrunk(failed: Bool[np.ndarray, " n"], inflation: float) -> tuple[int, int]:
    counts: Int[np.ndarray, " k"] = np.rint(np.array([failed.sum(), len(failed)]) / inflation).astype(np.int64)
    return int(counts[0]), max(int(counts[1]), 1)


def _sentence(table: pd.DataFrame) -> str:
    found = table[table["q"] <= ALPHA].sort_values("difference", ascending=False)
    if found.empty:
        return f"None of {len(table)} groups can be shown to be failed by every model more or less often than the rest."
    worst = found.iloc[0]
    return (
        f"{len(found)} of {len(table)} groups are failed by every model more or less often than the rest (false "
        f"discovery rate 5 %); most of all {worst['column']} = {worst['group']}: {worst['all_wrong']:.2%} of "
        f"{worst['n']:,}, {100 * worst['difference']:+.2f} points [{100 * worst['difference_low']:+.2f}, "
        f"{100 * worst['difference_high']:+.2f}] against the others."
    )
