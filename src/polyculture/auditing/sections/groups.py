"""Are some groups failed by everybody more often than others? Every group against the rest, many groups allowed for."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from polyculture.measures.failure_ratio import failure_ratio
from polyculture.results import Section, SectionSpec, Severity
from polyculture.stats import (
    benjamini_hochberg,
    co_failure,
    design_effect,
    influence_interval,
    newcombe,
    percent,
    plural,
    wilson,
)

from ..context import AuditContext

ALPHA = 0.05
SMALLEST, FEW_FAILURES = 5, 10
MISSING = "(missing)"


def groups(context: AuditContext) -> Section:
    """Systemic failure per group of each named column: rate, difference to the rest, test, Benjamini-Hochberg.

    `ratio` is the homogenization ratio of the group: the rate over `expected`, the product of the models' error rates
    in the group (Bommasani et al. 2022).
    """
    if not context.options.groups:
        return SPEC.skip("no column with groups was named")
    complete = context.complete
    if not complete.any():
        return SPEC.skip("no instance was answered by every model")
    failed: Bool[np.ndarray, " n"] = np.asarray(context.predictions.wrong[:, complete].all(axis=0))
    wrong = context.predictions.wrong[:, complete]
    right = 1 - wrong.mean(axis=0)
    rows = []
    for column in context.options.groups:
        values = context.predictions.instances[column]
        names = np.where(values.isna(), MISSING, values.to_numpy().astype(str))[complete]
        clusters = None if context.clusters is None else context.clusters[complete]
        inflation = _inflation(failed, clusters)
        for group in np.unique(names):
            in_group = np.asarray(names == group)
            if in_group.sum() >= SMALLEST and (~in_group).sum() >= SMALLEST:
                row = _row(failed, in_group, inflation, context.options.level)
                row |= _ratio(
                    wrong[:, in_group], None if clusters is None else clusters[in_group], context.options.level
                )
                rows.append({"column": column, "group": group, **row, "accuracy": float(right[in_group].mean())})
    if not rows:
        return SPEC.skip(f"no group has {SMALLEST} instances and {SMALLEST} outside it")
    table = pd.DataFrame(rows)
    table["q"] = benjamini_hochberg(table["p"].to_numpy())
    return SPEC.answer(_sentence(table), tables={"groups": table})


def _row(
    failed: Bool[np.ndarray, " n"], in_group: Bool[np.ndarray, " n"], inflation: float, level: float
) -> dict[str, float | int]:
    """One group against all other instances, with counts divided by the design effect of the clusters."""
    group_counts, rest_counts = _shrunk(failed[in_group], inflation), _shrunk(failed[~in_group], inflation)
    rate, gap = wilson(*group_counts, level), newcombe(*group_counts, *rest_counts, level)
    return {
        "n": int(in_group.sum()),
        "all_wrong": float(failed[in_group].mean()),
        "low": rate.low,
        "high": rate.high,
        "difference": float(failed[in_group].mean() - failed[~in_group].mean()),
        "difference_low": gap.low,
        "difference_high": gap.high,
        "p": _two_sided(group_counts, rest_counts),
    }


def _ratio(wrong: Bool[np.ndarray, "m k"], clusters: Int[np.ndarray, " k"] | None, level: float) -> dict[str, float]:
    """How many times more often all models fail in this group than independent ones of its error rates would."""
    joint = failure_ratio(wrong)
    limits = influence_interval(joint.ratio, joint.influence, clusters, level, logarithmic=True)
    low, high = limits.low, limits.high
    failed: Bool[np.ndarray, " k"] = np.asarray(wrong.all(axis=0))
    if failed.sum() < FEW_FAILURES and joint.expected > 0:
        # The logarithm of a few failures is far from normal: limits of their share, at the expectation as it is.
        rate = wilson(*_shrunk(failed, _inflation(failed, clusters)), level)
        low, high = rate.low / joint.expected, rate.high / joint.expected
    return {"expected": joint.expected, "ratio": joint.ratio, "ratio_low": low, "ratio_high": high}


def _inflation(failed: Bool[np.ndarray, " k"], clusters: Int[np.ndarray, " k"] | None) -> float:
    return 1.0 if clusters is None else design_effect(failed, clusters)


def _two_sided(group_counts: tuple[int, int], rest_counts: tuple[int, int]) -> float:
    """Two-sided mid-P of two shares being equal (hypergeometric)."""
    total, failures = group_counts[1] + rest_counts[1], group_counts[0] + rest_counts[0]
    upper = float(co_failure(*(np.array([x]) for x in (total, group_counts[1], failures, group_counts[0])))[0])
    return min(1.0, 2 * min(upper, 1 - upper))


def _shrunk(failed: Bool[np.ndarray, " n"], inflation: float) -> tuple[int, int]:
    counts: Int[np.ndarray, " k"] = np.rint(np.array([failed.sum(), len(failed)]) / inflation).astype(np.int64)
    return int(counts[0]), max(int(counts[1]), 1)


def _sentence(table: pd.DataFrame) -> str:
    significant = table[table["q"] <= ALPHA].sort_values("difference", ascending=False)
    if significant.empty:
        groups_tested = f"None of {len(table)} groups" if len(table) > 1 else "The one group"
        cannot = "can be shown" if len(table) > 1 else "cannot be shown"
        return f"{groups_tested} {cannot} to be failed by every model more or less often than the rest."
    worst = significant.iloc[0]
    return (
        f"{len(significant)} of {plural(len(table), 'group')} are failed by every model more or less often than the "
        f"rest (false discovery rate 5 %); most of all {worst['column']} = {worst['group']}: "
        f"{percent(worst['all_wrong'], 2)} of {worst['n']:,}, {100 * worst['difference']:+.2f} points "
        f"[{100 * worst['difference_low']:+.2f}, {100 * worst['difference_high']:+.2f}] against the others."
    )


def severity(section: Section) -> Severity:
    """An alert where a group is failed more often than the rest."""
    table = section.tables["groups"]
    return "alert" if ((table["q"] <= ALPHA) & (table["difference"] > 0)).any() else "note"


SPEC = SectionSpec(
    "groups",
    "Whom do they all fail?",
    place=70,
    compute=lambda context, *_: groups(context),
    code="PC012",
    finding="groups that every model fails",
    severity=severity,
)
