"""Has similarity changed? Two sets of models, or two dates, on the same instances: what affects both cancels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from polyculture.errors import InputError
from polyculture.measures.effective import EffectiveNumber, effective
from polyculture.measures.systemic import systemic
from polyculture.predictions import Predictions
from polyculture.results import Section
from polyculture.stats import Interval, influence_interval, paired_difference

from .context import AuditContext
from .null_models import GIVEN, headline
from .options import AuditOptions

NAME, TITLE = "comparison", "Which of the two is more alike?"


def compare(first: Predictions, second: Predictions, options: AuditOptions | None = None) -> Section:
    """How much more alike the second set of models (or the same models at a second date) is than the first.

    Compared by ρ, which does not depend on the number of models as n_eff does, with paired influence values on the
    instances that both tables hold; and by the share of instances that every model fails.

    Parameters
    ----------
    first, second : tables with some instance ids in common; the models may be others and more or fewer.
    options : clusters and level.

    Numbers: rho_first, rho_second, rho_change (above 0: the second set is more alike) and all_wrong_change (a
    difference of shares, in [−1, 1]). Where a set has fewer than two informative models, only a reason. Raises
    InputError for fewer than two common instances.

    Examples
    --------
    >>> from polyculture.testing import tiny_predictions
    >>> section = pc.compare(tiny_predictions(sizes=(1, 1, 1)), tiny_predictions(sizes=(3,)))
    >>> print(section.numbers["rho_change"])
    1.00 [0.94, 1.05]
    """
    options = options or AuditOptions()
    common = first.instances.index.astype(str).intersection(second.instances.index.astype(str), sort=False)
    if len(common) < 2:
        raise InputError(
            f"the two tables have {len(common)} instances in common",
            "the same instances in both",
            "name the column with the ids by --instance if they are in it",
        )
    first_context, second_context = (AuditContext.gather(_on(p, common), options) for p in (first, second))
    name = "N1" if headline(first_context) == headline(second_context) == "N1" else "N0"
    strata = [None if name == "N0" else e.classes for e in (first_context, second_context)]
    estimates = [
        effective(e.predictions.wrong, s, e.predictions.observed, e.weights)
        for e, s in zip((first_context, second_context), strata, strict=True)
    ]
    reasons = [f.reason for f in estimates if np.isnan(f.design_effect)]
    if reasons:
        return Section(NAME, TITLE, "", reason=reasons[0])
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
    return Section(
        NAME,
        TITLE,
        _sentence(change, len(common), name),
        numbers,
        {"sets": _sets((first_context, second_context), estimates)},
    )


def _on(p: Predictions, common: pd.Index[str]) -> Predictions:
    return p.take_instances(p.instances.index.astype(str).get_indexer(common).astype(np.int64))


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
