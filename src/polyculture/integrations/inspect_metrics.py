"""How many independent votes are the judges of an Inspect task worth? Metrics for ``multi_scorer(…, "collect")``.

    from inspect_ai.scorer import multi_scorer
    from polyculture.integrations.inspect_metrics import effective_votes, error_correlation

    Task(…, scorer=multi_scorer(judges, "collect"), metrics=[effective_votes(), error_correlation()])

The package registers them with Inspect under ``polyculture/effective_votes`` and ``polyculture/error_correlation``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool

from polyculture.errors import InputError, need
from polyculture.formats.logs.inspect_judges import outcome_of, verdict_word
from polyculture.measures.panels import ErrorCorrelation
from polyculture.measures.panels import error_correlation as correlation_of

need("inspect_ai")

from inspect_ai.scorer import Metric, SampleScore, metric  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["effective_votes", "error_correlation", "wrong_verdicts"]


@metric
def effective_votes(truth: str = "") -> Metric:
    """Kish's effective number of the judges' votes, k / (1 + (k − 1) φ̄), on this task's samples.

    Parameters
    ----------
    truth : field of the samples' metadata with the true verdict; without it a judge is wrong where it says incorrect.

    nan where fewer than two judges are both right and wrong.
    """
    return _of_scores(lambda correlation: correlation.votes, truth)


@metric
def error_correlation(truth: str = "") -> Metric:
    """φ̄, the mean correlation of two judges' errors. Parameters as in `effective_votes`."""
    return _of_scores(lambda correlation: correlation.mean, truth)


def _of_scores(number: Callable[[ErrorCorrelation], float], truth: str) -> Metric:
    def compute(scores: list[SampleScore]) -> float:
        wrong = wrong_verdicts(scores, truth)
        return math.nan if wrong is None else float(number(correlation_of(wrong)))

    return compute


def wrong_verdicts(scores: Sequence[SampleScore], truth: str = "") -> Bool[np.ndarray, "m n"] | None:
    """Where each judge is wrong, from the lists that ``collect`` makes; None where there are no lists.

    Lists that lack a verdict are left out, since it is not known whose it is.
    """
    rows = [(place, score) for place, score in enumerate(scores) if isinstance(score.score.value, list)]
    if not rows:
        return None
    size = max(len(_verdicts(score)) for _, score in rows)
    columns = [_wrong(score, truth, f"sample {score.sample_id}") for _, score in rows if len(_verdicts(score)) == size]
    return np.array(columns, dtype=bool).T


def _verdicts(score: SampleScore) -> list[Any]:
    value = score.score.value
    return list(value) if isinstance(value, (list, tuple)) else []


def _wrong(score: SampleScore, truth: str, place: str) -> list[bool]:
    words = [verdict_word(value) for value in _verdicts(score)]
    if not truth:
        return [outcome_of(word, place) != 1 for word in words]
    metadata = score.sample_metadata or {}
    if truth not in metadata:
        raise InputError(f"{place} has no {truth!r} in its metadata", "the true verdict of each sample")
    return [word != verdict_word(metadata[truth]) for word in words]
