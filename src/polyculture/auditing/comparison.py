"""Has similarity changed? Two sets of models, or two dates, on the same instances: what affects both cancels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Int, Shaped

from polyculture.errors import InputError
from polyculture.measures.effective import EffectiveNumber, effective
from polyculture.measures.systemic import systemic
from polyculture.predictions import Predictions
from polyculture.predictions.content import instance_hashes, is_numbered, references, same_content
from polyculture.results import Section, SectionSpec, TableSpec
from polyculture.stats import Interval, influence_interval, paired_difference

from .context import AuditContext
from .null_models import GIVEN, headline
from .options import AuditOptions

Rows = Int[np.ndarray, " k"]
SPEC = SectionSpec(
    "comparison",
    "Which of the two is more alike?",
    numbers={
        "rho_first": "ρ of the first set, mean error correlation",
        "rho_second": "ρ of the second set",
        "rho_change": "change of ρ; above 0 the second set is more alike",
        "all_wrong_change": "change of the share of instances that all models fail",
    },
    tables={
        "sets": TableSpec(
            "n_eff is not comparable between sets of different size, ρ is. Expected: share of instances that all "
            "models would fail if they failed independently.",
            percent=("all_wrong", "expected"),
        )
    },
)


def compare(first: Predictions, second: Predictions, options: AuditOptions | None = None) -> Section:
    """How much more alike the second set of models (or the same models at a second date) is than the first.

    Compared by ρ, which does not depend on the number of models as n_eff does, with paired influence values on the
    instances that both tables hold; and by the share of instances that every model fails.

    Parameters
    ----------
    first, second : tables with some instance ids in common; the models may be others and more or fewer. Tables without
        ids are paired by position, or by content where one is the other in another order.
    options : clusters and level.

    Numbers: rho_first, rho_second, rho_change (above 0: the second set is more alike) and all_wrong_change (a
    difference of shares, in [−1, 1]). Where a set has fewer than two informative models, only a reason. Raises
    InputError for fewer than two such instances, and where one has another reference in the second table.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> section = pc.compare(tiny_predictions(sizes=(1, 1, 1)), tiny_predictions(sizes=(3,)))
    >>> print(section.numbers["rho_change"])
    1.00 [0.94, 1.05]
    """
    options = options or AuditOptions()
    tables = [p.take_instances(rows) for p, rows in zip((first, second), _paired_rows(first, second), strict=True)]
    first_context, second_context = (AuditContext.gather(table, options) for table in tables)
    name = "N1" if headline(first_context) == headline(second_context) == "N1" else "N0"
    strata = [None if name == "N0" else e.classes for e in (first_context, second_context)]
    estimates = [
        effective(e.predictions.wrong, s, e.predictions.observed, e.weights)
        for e, s in zip((first_context, second_context), strata, strict=True)
    ]
    reasons = [f.reason for f in estimates if np.isnan(f.design_effect)]
    if reasons:
        return SPEC.skip(reasons[0])
    # rho = (D - 1)/(M - 1), so its influence is that of D over M - 1
    influences = tuple(f.influence / (f.n_models - 1) for f in estimates)
    change = paired_difference(
        (estimates[1].rho, estimates[0].rho), (influences[1], influences[0]), first_context.clusters, options.level
    )
    numbers = {
        "rho_first": influence_interval(estimates[0].rho, influences[0], first_context.clusters, options.level),
        "rho_second": influence_interval(estimates[1].rho, influences[1], first_context.clusters, options.level),
        "rho_change": change,
        "all_wrong_change": _all_wrong_change(first_context, second_context),
    }
    return SPEC.answer(
        _sentence(change, len(tables[0].instances), name),
        numbers,
        {"sets": _sets((first_context, second_context), estimates)},
    )


def _paired_rows(first: Predictions, second: Predictions) -> tuple[Rows, Rows]:
    """Positions of the common instances in both tables: those of the same id; without ids, of the same content."""
    ids = [p.instances.index.astype(str) for p in (first, second)]
    numbered = all(map(is_numbered, ids))
    if numbered and (rows := _rows_of_a_shuffle(first, second)) is not None:
        return rows
    common = ids[0].intersection(ids[1], sort=False)
    if len(common) < 2:
        raise InputError(
            f"the two tables have {len(common)} instance{'' if len(common) == 1 else 's'} in common",
            "the same instances in both",
            "name the column with the ids by --instance if they are in it",
        )
    rows = ids[0].get_indexer(common).astype(np.int64), ids[1].get_indexer(common).astype(np.int64)
    _check_references(references(first), references(second), rows, numbered, common)
    return rows


def _rows_of_a_shuffle(first: Predictions, second: Predictions) -> tuple[Rows, Rows] | None:
    """How the rows of the second table are those of the first in another order; None where they are others."""
    if not same_content(first, second):
        return None
    return np.argsort(instance_hashes(first), kind="stable"), np.argsort(instance_hashes(second), kind="stable")


def _check_references(
    first: Shaped[np.ndarray, " n"] | None,
    second: Shaped[np.ndarray, " n2"] | None,
    rows: tuple[Rows, Rows],
    numbered: bool,
    ids: pd.Index[str],
) -> None:
    """Raise InputError where an instance has another reference in the second table."""
    if first is None or second is None:
        return
    first, second = first[rows[0]], second[rows[1]]
    if first.dtype.kind == second.dtype.kind == "f":
        equal = np.isclose(first, second, rtol=1e-6, atol=1e-9)
    else:
        equal = first.astype(str) == second.astype(str)
    if equal.all() or _are_renamed(first.astype(str), second.astype(str)):
        return
    k = int(np.flatnonzero(~equal)[0])
    raise InputError(
        f"{int((~equal).sum()):,} of {len(ids):,} common instances have another reference in the second table, such as "
        f"{ids[k]!r}: {first[k]!r} and {second[k]!r}",
        "the same instances, judged by the same reference",
        "rows without ids are paired by position: name the column with the ids by --instance"
        if numbered
        else "leave these instances out",
    )


def _are_renamed(first: Shaped[np.ndarray, " k"], second: Shaped[np.ndarray, " k"]) -> bool:
    """Whether the second table has other names, one for one, for the same classes."""
    names = set(zip(first.tolist(), second.tolist(), strict=True))
    old, new = {a for a, _ in names}, {b for _, b in names}
    return len(old) == len(new) == len(names) and not old & new and 2 * len(names) <= len(first)


def _all_wrong_change(first_context: AuditContext, second_context: AuditContext) -> Interval:
    """Second minus first share of instances that every model fails, paired."""
    complete = first_context.complete & second_context.complete
    if not complete.any():
        return Interval.undefined("no instance was answered by every model")
    shares = [e.predictions.wrong[:, complete].all(axis=0).astype(float) for e in (first_context, second_context)]
    difference = shares[1] - shares[0]
    clusters = None if first_context.clusters is None else first_context.clusters[complete]
    mean = float(difference.mean())
    return influence_interval(mean, difference - mean, clusters, first_context.options.level)


def _sets(contexts: tuple[AuditContext, AuditContext], estimates: list[EffectiveNumber]) -> pd.DataFrame:
    rows = []
    for name, e, f in zip(("first", "second"), contexts, estimates, strict=True):
        failures = systemic(e.predictions.wrong, e.classes, e.predictions.observed)
        rows.append(
            {
                "set": name,
                "models": e.predictions.shape[0],
                "instances": e.predictions.shape[1],
                "n_eff": f.n_eff,
                "rho": f.rho,
                "all_wrong": failures.rate,
                "expected": failures.expected_rate,
            }
        )
    return pd.DataFrame(rows)


def _sentence(change: Interval, n: int, null: str) -> str:
    clear = change.low > 0 or change.high < 0
    direction = ("more" if change.estimate > 0 else "less") if clear else "neither more nor less"
    tail = "" if clear else " as far as these instances can tell"
    return (
        f"On {n:,} common instances the second set is {direction} alike in errors than the first{tail}: ρ changes by "
        f"{change.estimate:+.3f} [{change.low:+.3f}, {change.high:+.3f}], given {GIVEN[null]}."
    )
