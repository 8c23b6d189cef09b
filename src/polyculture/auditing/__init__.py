"""How alike are these models, can they be told apart, and whom do all of them fail? Predictions in, Audit out.

ladder (n_eff and rho against each null) · pairs · standing and letters · failures · shifts · checks (findings)
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int, Shaped

from polyculture.dataset import Dataset
from polyculture.errors import InputError, near
from polyculture.measures.counts import PairCounts, count
from polyculture.predictions import Predictions
from polyculture.results import Audit

from .checks import Chapters, findings
from .failures import systemic_failures
from .ladder import ladder
from .pairs import Measure, pairwise
from .shifts import along_shifts
from .standing import standing

__all__ = ["audit"]

MOST_PICTURES = 48


def audit(
    predictions: Predictions,
    *,
    source: str = "",
    clusters: str | None = None,
    shifted: Mapping[str, Predictions] | None = None,
    dataset: Dataset | None = None,
    measures: Mapping[str, Measure] | None = None,
    level: float = 0.95,
) -> Audit:
    """How alike a set of models is, with intervals: the whole audit of one prediction table.

    Parameters
    ----------
    predictions : who answered what.
    source : what to call the table in reports.
    clusters : column of the instance table that says which instances were sampled together (patient, document);
        they are then one draw in every interval.
    shifted : the same models on shifted test sets, by name such as ``"noise@3"``.
    dataset : the instances themselves; where they are images the hardest ones are shown.
    measures : further pair measures by name, functions of `polyculture.measures.counts.PairCounts`.
    level : confidence level of every interval, in (0, 1).
    """
    started = time.perf_counter()
    if not 0 < level < 1:
        raise InputError(f"level is {level}", "a confidence level between 0 and 1, such as 0.95")
    groups = _column(predictions, clusters)
    counts = counts_of(predictions)
    rungs, effectives = ladder(predictions, groups, level)
    chapters = Chapters(
        predictions=predictions,
        counts=counts,
        rung=rungs[-1],
        effective=effectives[rungs[-1].name],
        standing=standing(predictions, counts, level),
        pairwise=pairwise(predictions.model_ids, counts, measures),
        systemic=systemic_failures(predictions, level),
        shifts=along_shifts(predictions, shifted or {}, groups, level),
        clusters=None if groups is None else len(np.unique(groups.astype(str))),
    )
    m, n = predictions.shape
    return Audit(
        source=source,
        n_models=m,
        n_instances=n,
        ladder=rungs,
        headline=rungs[-1].name,
        standing=chapters.standing,
        pairwise=chapters.pairwise,
        systemic=chapters.systemic,
        shifts=chapters.shifts,
        findings=findings(chapters),
        pictures={} if dataset is None else _pictures(dataset, predictions, chapters),
        facts={
            "version": _version(),
            "level": level,
            "clusters": clusters or "",
            "classes": len(predictions.classes) if predictions.has_fixed_classes else 0,
            "missing_share": 0.0 if predictions.observed is None else float(1 - predictions.observed.mean()),
            "informative_models": chapters.effective.n_models,
            "informative_instances": chapters.effective.n_info,
            "seconds": round(time.perf_counter() - started, 3),
        },
    )


def counts_of(predictions: Predictions) -> PairCounts:
    """All-pairs counts of a prediction table."""
    p = predictions
    return count(p.answers, p.labels, p.correct, max(len(p.classes), 2), p.options)


def _column(predictions: Predictions, name: str | None) -> Shaped[np.ndarray, " n"] | None:
    if name is None:
        return None
    if name not in predictions.instances.columns:
        raise InputError(f"no instance column {name!r}", "", near(name, map(str, predictions.instances.columns)))
    return predictions.instances[name].to_numpy()


def _pictures(dataset: Dataset, predictions: Predictions, chapters: Chapters) -> dict[str, Int[np.ndarray, "h w"]]:
    """Grey levels of the hardest instances, if the inputs are grey images."""
    if dataset.inputs.ndim != 3 or len(dataset) != predictions.shape[1]:
        return {}
    rows = {str(instance): at for at, instance in enumerate(predictions.instances.index)}
    shown = chapters.systemic.hardest["instance"].head(MOST_PICTURES)
    images = {name: dataset.inputs[rows[name]].astype(float) for name in shown}
    top = max((float(image.max()) for image in images.values()), default=1.0) or 1.0
    return {name: np.clip(np.rint(255 * image / top), 0, 255).astype(np.int64) for name, image in images.items()}


def _version() -> str:
    from polyculture import __version__

    return __version__
