"""Whom do all models fail at once, and how often would they if they failed independently?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from jaxtyping import Int

from polyculture.measures.systemic import FailureCounts
from polyculture.predictions import MISSING, Predictions
from polyculture.results import Systemic
from polyculture.stats import Interval, jeffreys, systemic_p, systemic_pmf

from .options import AuditContext

NEARLY_ALL = 0.9
"""An instance is called hard when at least this share of the models that answered it are wrong."""
MOST_LISTED = 1000


def systemic_failures(evidence: AuditContext) -> Systemic:
    """Failure counts against their null (given the true class where there are classes), and the hardest instances."""
    found, level = evidence.systemic, evidence.options.level
    rate = Interval.undefined(found.reason) if found.reason else jeffreys(found.failures, found.n, level)
    p = math.nan if found.reason else systemic_p(found.failures, systemic_pmf(found.errors, found.sizes))
    return Systemic(
        observed=found.histogram,
        expected=found.expected,
        rate=rate,
        expectation=found.expected_rate,
        expectation_raw=expected_raw(found),
        ratio=found.ratio,
        p=p,
        hardest=hardest_instances(evidence.predictions),
        n=found.n,
    )


def expected_raw(found: FailureCounts) -> float:
    """Share of instances that all models would fail if they erred independently at their overall error rates."""
    return float((found.errors.sum(axis=0) / found.n).prod()) if found.n else math.nan


def hardest_instances(predictions: Predictions, share: float = NEARLY_ALL, most: int = MOST_LISTED) -> pd.DataFrame:
    """Instances that (nearly) all models fail, worst first: instance, label, wrong, models, answer, share.

    `wrong` of `models` that answered are wrong, and the column `share` of the wrong ones give the same `answer`.

    Parameters
    ----------
    share : at least this share of the models that answered are wrong.
    most : list no more than so many.
    """
    wrong = predictions.wrong.sum(axis=0, dtype=np.int64)
    observed = predictions.observed
    models = np.full_like(wrong, predictions.shape[0]) if observed is None else observed.sum(axis=0, dtype=np.int64)
    rows = np.flatnonzero((models >= 2) & (wrong >= np.maximum(share * models, 1)))
    rows = rows[np.lexsort((rows, -models[rows], -wrong[rows] / models[rows]))][:most]
    table = pd.DataFrame({"instance": predictions.instances.index[rows].astype(str)})
    classes = np.array(predictions.classes, dtype=object)
    if predictions.labels is not None:
        table["label"] = classes[predictions.labels[rows]]
    table["wrong"] = wrong[rows]
    table["models"] = models[rows]
    if predictions.answers is not None and len(rows):
        codes, votes = _common_wrong_answers(predictions, rows)
        table["answer"] = [classes[c] if c != MISSING else "" for c in codes]
        table["share"] = votes / wrong[rows]
    return table


def _common_wrong_answers(
    predictions: Predictions, rows: Int[np.ndarray, " k"]
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """The most frequent wrong answer on each of these instances, and how many models give it."""
    assert predictions.answers is not None
    codes, votes = np.full(len(rows), MISSING, np.int64), np.zeros(len(rows), np.int64)
    for at, row in enumerate(rows):
        given = predictions.answers[:, row][predictions.wrong[:, row]]
        given = given[given != MISSING]
        if len(given):
            answers, counts = np.unique(given, return_counts=True)
            codes[at], votes[at] = answers[counts.argmax()], counts.max()
    return codes, votes
