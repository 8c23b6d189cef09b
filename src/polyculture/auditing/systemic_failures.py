"""Which instances do all models fail, and how often would they if they failed independently?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.measures.streaming.exact_sums import column_sums
from polyculture.measures.systemic import FailureCounts
from polyculture.predictions import MISSING, Predictions
from polyculture.results import Systemic
from polyculture.stats import Interval, jeffreys, share_interval, systemic_p, systemic_pmf

from .context import AuditContext

NEARLY_ALL = 0.9
"""An instance is called hard when at least this share of the models that answered it are wrong."""
MOST_LISTED = 1000


def systemic_failures(context: AuditContext) -> Systemic:
    """Failure counts against their null (given the true class where there are classes), and the hardest instances.

    Of classes that are too small for the expectation the exact test still holds: it takes each model's number of errors
    in each class as given.
    """
    counts, p = context.systemic, math.nan
    if not counts.reason:
        classes = context.table_counts.systemic()
        p = systemic_p(classes.failures, systemic_pmf(classes.errors, classes.sizes))
    rate = failure_rate(context)
    return Systemic(
        observed=counts.histogram,
        expected=counts.expected,
        rate=rate,
        expectation=counts.expected_rate,
        expectation_raw=expected_raw(counts),
        ratio=counts.ratio,
        p=p,
        hardest=hardest_instances(context.predictions),
        n=counts.n,
    )


def failure_rate(context: AuditContext) -> Interval:
    """Share of the instances that every model fails, with limits that know of clusters."""
    counts, level = context.systemic, context.options.level
    if counts.reason:
        return Interval.undefined(counts.reason)
    if context.clusters is None:
        return jeffreys(counts.failures, counts.n, level)
    if context.shard_counts is not None:
        rate = jeffreys(counts.failures, counts.n, level)
        return Interval(rate.estimate, n=counts.n, level=level, reason="no limits with clusters from a table in shards")
    failed = np.asarray(context.predictions.wrong[:, context.complete].all(axis=0))
    return share_interval(failed, context.clusters[context.complete], level)


def expected_raw(counts: FailureCounts) -> float:
    """Share of instances that all models would fail if they erred independently at their overall error rates."""
    return float((counts.errors.sum(axis=0) / counts.n).prod()) if counts.n else math.nan


def hardest_rows(
    predictions: Predictions, share: float = NEARLY_ALL, limit: int = MOST_LISTED
) -> Int[np.ndarray, " k"]:
    """Positions of the instances that (nearly) all models fail, worst first; parameters as in `hardest_instances`."""
    m, n = predictions.shape
    wrong = column_sums(predictions.wrong)
    models = np.full(n, m) if predictions.observed is None else column_sums(predictions.observed)
    rows = np.flatnonzero((models >= 2) & (wrong >= np.maximum(share * models, 1)))
    hardest: Int[np.ndarray, " k"] = rows[np.lexsort((rows, -models[rows], -wrong[rows] / models[rows]))][:limit]
    return hardest


def hardest_instances(predictions: Predictions, share: float = NEARLY_ALL, limit: int = MOST_LISTED) -> pd.DataFrame:
    """Instances that (nearly) all models fail, worst first: instance, label, wrong, models, answer, share.

    `wrong` of `models` that answered are wrong, and the column `share` of the wrong ones give the same `answer`.

    Parameters
    ----------
    share : at least this share of the models that answered are wrong.
    limit : number of instances to list at most.
    """
    rows = hardest_rows(predictions, share, limit)
    observed = predictions.observed
    table = pd.DataFrame({"instance": predictions.instances.index[rows].astype(str)})
    classes = np.array(predictions.classes, dtype=object)
    if predictions.labels is not None:
        table["label"] = classes[predictions.labels[rows]]
    table["wrong"] = column_sums(predictions.wrong[:, rows])
    table["models"] = predictions.shape[0] if observed is None else column_sums(observed[:, rows])
    if predictions.answers is not None and len(rows):
        codes, votes = _common_wrong_answers(predictions, rows)
        table["answer"] = [classes[c] if c != MISSING else "" for c in codes]
        table["share"] = votes / table["wrong"].to_numpy()
    return table


def _common_wrong_answers(
    predictions: Predictions, rows: Int[np.ndarray, " k"]
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """The most frequent wrong answer on each of these instances, and how many models give it."""
    assert predictions.answers is not None
    codes, votes = np.full(len(rows), MISSING, np.int64), np.zeros(len(rows), np.int64)
    for position, row in enumerate(rows):
        wrong = predictions.answers[:, row][predictions.wrong[:, row]]
        answers, counts = np.unique(wrong[wrong != MISSING], return_counts=True)
        if len(answers):
            codes[position], votes[position] = answers[counts.argmax()], counts.max()
    return codes, votes
