"""What does a score mean? Right or wrong as a word or a letter; a number by a threshold; or that there is no score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..normalization import Normalizer, verdict

RANGE_CURE = "give the score from which an answer counts as right with threshold (--threshold)"
NOT_SCORED = math.nan
"""The score of a sample that its scorer did not score."""
_EMPTY = ("", "nan", "null", "none", "n/a")
_TOLERANCE = 1e-6


def any_of(references: Sequence[Any], answer: str, normalize: Normalizer) -> bool:
    """Whether an answer equals one of several references."""
    return normalize(answer) in [normalize(str(text)) or str(text).strip() for text in references]


def is_unscored(score: object) -> bool:
    """Whether a score only marks that there is none."""
    if isinstance(score, str):
        return score.strip().casefold() in _EMPTY
    return isinstance(score, float) and math.isnan(score)


def right_or_number(score: object) -> bool | float:
    """A verdict as a boolean, any other score as a number; nan if it is neither or not finite."""
    word = verdict(score)
    if word is not None:
        return word
    if isinstance(score, bool) or not isinstance(score, (int, float, str)):
        return math.nan
    try:
        number = float(score)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def is_share(number: float) -> bool:
    """Whether a number is from 0 to 1, the range in which 1 is right without a threshold."""
    return -_TOLERANCE <= number <= 1 + _TOLERANCE


def is_whole(number: float) -> bool:
    """Whether a number is 0 or 1, but for rounding."""
    return min(abs(number), abs(number - 1)) <= _TOLERANCE


def is_right(number: float, threshold: int | float | None) -> bool:
    """Whether a number reaches the threshold, 1 by default."""
    return number >= (1.0 if threshold is None else threshold) - _TOLERANCE * (threshold is None)
