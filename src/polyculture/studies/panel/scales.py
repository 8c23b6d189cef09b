"""Are the verdicts on the scale of the truth? Ratings out of range, and judges who give one verdict to everything."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from polyculture.errors import InputError
from polyculture.predictions import Predictions


def check_ratings(predictions: Predictions, bounds: tuple[float, float] | None) -> None:
    """Refuse ratings that are not on the scale.

    Parameters
    ----------
    predictions : verdicts that are numbers, or names that are numbers such as 1 … 5; others are not looked at.
    bounds : lowest and highest rating. None: a rating may lie outside of the true ones by as much as they differ, so
        that a slip (99 for 9) or another scale (1 … 100 beside 1 … 5) is found and a cautious truth is not in the way.

    Raises InputError that names the first such rating.
    """
    ratings, truth = _numbers(predictions)
    if ratings is None:
        return
    told = "" if bounds is None else f"{bounds[0]:g} to {bounds[1]:g}"
    if bounds is None:
        if truth is None or not np.isfinite(truth).any():
            return
        low, high = float(np.nanmin(truth)), float(np.nanmax(truth))
        told, bounds = f"true ratings are from {low:g} to {high:g}", (2 * low - high, 2 * high - low)
        if low == high:
            return
    outside = np.argwhere((ratings < bounds[0]) | (ratings > bounds[1]))
    if len(outside):
        judge, item = map(int, outside[0])
        name, instance = predictions.model_ids[judge], predictions.instances.index[item]
        raise InputError(
            f"the judge {name!r} rates the item {str(instance)!r} {ratings[judge, item]:g}",
            f"a rating on the scale: {told}",
            "mend it, or name the scale with range",
        )


def constant_judges(predictions: Predictions) -> list[str]:
    """Judges who give the same verdict to every item, where there is more than one true verdict."""
    if predictions.answers is None or not predictions.has_fixed_classes or predictions.labels is None:
        return []
    if len(np.unique(predictions.labels)) < 2:
        return []
    answers = predictions.answers
    known = np.ones(answers.shape, bool) if predictions.observed is None else predictions.observed
    rows = zip(predictions.model_ids, answers, known, strict=True)
    return [name for name, row, seen in rows if seen.sum() > 1 and len(np.unique(row[seen])) == 1]


def _numbers(predictions: Predictions) -> tuple[Float[np.ndarray, "m n"] | None, Float[np.ndarray, " n"] | None]:
    """Ratings of judges × items, nan where there is none, and the true ones; None where they are no numbers."""
    if predictions.values is not None:
        ratings, truth = np.array(predictions.values, float), predictions.targets
    else:
        codes, names = predictions.answers, _as_numbers(predictions.classes)
        if codes is None or names is None or not predictions.has_fixed_classes:
            return None, None
        ratings = np.where(codes < 0, np.nan, names[codes.astype(np.int64)])
        truth = None if predictions.labels is None else names[predictions.labels.astype(np.int64)]
    if predictions.observed is not None:
        ratings = np.where(predictions.observed, ratings, np.nan)
    return ratings, truth


def _as_numbers(names: tuple[str, ...]) -> Float[np.ndarray, " c"] | None:
    try:
        return np.array([float(name) for name in names])
    except ValueError:
        return None
