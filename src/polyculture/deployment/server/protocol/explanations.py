"""What did the set look at in an instance? The change of its answer when a part is absent, within a time budget.

Occlusion with the graphs of the bundle alone: a column becomes its median (or most frequent category) at certification,
a part of an image or a series the mean of the instance, a part of a recording silence, and a word is left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from jaxtyping import Float, Shaped

from polyculture.models import tokenizer

from ..refusals import RefusedRequestError, excerpt, malformed

if TYPE_CHECKING:
    from ...bundle.bundle import Bundle
    from ...bundle.manifest import Manifest

SECONDS, MOST_SECONDS = 1.0, 60.0
"""Default and largest budget of a request."""
PARTS = 7
"""Parts along each axis of an image, and of its planes; four times as many along the one axis of a recording."""
MOST_AT_ONCE = 4
"""Explanations of a process that are under way; more are refused, so that answers do not wait for them."""
BATCH = 64
"""Changed copies in one call of the graphs."""
Variant = tuple[int, int, Any]
"""Instance, feature, and the instance without it."""


def budget_of(parameters: Mapping[str, Any], manifest: Manifest) -> float:
    """Seconds that the parameter ``explain`` allows: ``true``, or an object with ``seconds``; 0 where it is not there.

    Refuses what it cannot mean, sequences of tokens, and sets whose members answer elsewhere: each call may cost.
    """
    request = parameters.get("explain")
    if request is None or request is False:
        return 0.0
    if manifest.modality == "tags" or manifest.task == "tagging":
        raise RefusedRequestError(501, "explanations of tags", "one answer per instance", "leave 'explain' out")
    if manifest.remote:
        raise RefusedRequestError(501, "explanations of members elsewhere", "graphs", "leave 'explain' out")
    options: Any = {} if request is True else _parsed(request)
    seconds: Any = options.get("seconds", SECONDS) if isinstance(options, dict) else None
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not 0 < seconds <= MOST_SECONDS or not set(options) <= {"seconds"}:
        expected = f'true, or {{"seconds": 0.5}} with up to {MOST_SECONDS:g}'
        raise malformed(f"the parameter 'explain' is {excerpt(request)}", expected)
    return float(seconds)


def _parsed(request: Any) -> Any:
    """The value of a text of JSON, which gRPC has in place of objects."""
    try:
        value = orjson.loads(request) if isinstance(request, str) else request
    except ValueError:
        return request
    return {} if value is True else value


def explanation(
    bundle: Bundle, raw: Shaped[np.ndarray, "n ..."], combined: Float[np.ndarray, "n c"], seconds: float
) -> dict[str, Any]:
    """By how much the answer's probability (or the number) of each instance falls without each of its features.

    Parameters
    ----------
    raw : inputs as the bundle reads them.
    combined : the set's answers to them.
    seconds : budget; features whose turn does not come before it is spent have null.

    The values are lists, one per instance, in the order of the features, which texts have for each instance.
    """
    end, manifest = time.perf_counter() + seconds, bundle.manifest
    names = _names(manifest, raw)
    codes = combined.argmax(axis=1)
    levels = combined[np.arange(len(raw)), codes].astype(float)
    values: list[list[float | None]] = [[None] * len(names[row]) for row in range(len(raw))]
    pending: list[Variant] = []

    def flush() -> None:
        places = [row for row, _, _ in pending]
        copies = np.stack([copy for _, _, copy in pending]) if manifest.modality != "text" else _texts(pending)
        scores = bundle.predict(copies).combined[np.arange(len(pending)), codes[places]]
        for (row, feature, _), score in zip(pending, scores.tolist(), strict=True):
            values[row][feature] = round(float(levels[row] - score), 7)
        pending.clear()

    complete = True
    for variant in _variants(bundle, raw):
        pending.append(variant)
        if len(pending) == BATCH:
            flush()
            if time.perf_counter() > end:
                complete = False
                break
    if pending and complete:
        flush()
    return {
        "method": "occlusion",
        "scale": "number" if manifest.task == "regression" else "probability",
        "features": names if manifest.modality == "text" else names[0],
        "values": values,
        "complete": all(value is not None for row in values for value in row),
    }


def _texts(pending: list[Variant]) -> Shaped[np.ndarray, " k"]:
    texts = np.empty(len(pending), object)
    texts[:] = [copy for _, _, copy in pending]
    return texts


def _names(manifest: Manifest, raw: np.ndarray) -> list[list[str]]:
    """Names of the features of each instance: columns, words, or slices such as ``"0:4, 8:12"``."""
    if manifest.modality == "text":
        return [tokenizer.split(str(text)) for text in raw]
    if manifest.modality == "table":
        names = [column.name for column in manifest.columns] or [f"x{k}" for k in range(raw.shape[1])]
    else:
        names = [", ".join(f"{s.start}:{s.stop}" for s in slices) for slices in _slices(manifest, raw.shape[1:])]
    return [names] * len(raw)


def _variants(bundle: Bundle, raw: np.ndarray) -> Iterator[Variant]:
    """Each instance without each of its features."""
    modality = bundle.manifest.modality
    medians = _typical(bundle, raw.shape[1]) if modality == "table" else None
    for row, instance in enumerate(raw):
        if modality == "text":
            text = str(instance)
            for feature, (start, stop) in enumerate(tokenizer.spans(text)):
                yield row, feature, text[:start] + text[stop:]
        elif medians is not None:
            for feature, median in enumerate(medians):
                copy = instance.copy()
                copy[feature] = median
                yield row, feature, copy
        else:
            for feature, slices in enumerate(_slices(bundle.manifest, instance.shape)):
                copy = instance.copy()
                copy[slices] = 0.0 if modality == "audio" else instance.mean(dtype=np.float64)
                yield row, feature, copy


def _slices(manifest: Manifest, shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """Parts that are absent together: of the steps of a series and recordings, of the planes of images and volumes."""
    axes = {"audio": 1, "series": 1, "image": 2, "volume": 3}[manifest.modality]
    count = 4 * PARTS if axes == 1 else PARTS
    ends = [np.linspace(0, side, min(count, side) + 1).astype(int) for side in shape[:axes]]
    parts = [[slice(int(a), int(b)) for a, b in pairwise(e)] for e in ends]
    return [tuple(axis[k] for axis, k in zip(parts, place, strict=True)) for place in np.ndindex(*map(len, parts))]


def _typical(bundle: Bundle, width: int) -> Float[np.ndarray, " d"]:
    """Median or most frequent category of each column at certification; refused where that is not known."""
    profile = bundle.reference.get("profile") or {}
    rows = np.array(profile.get("rows", []), float)
    if rows.ndim != 2 or rows.shape[1] != width:
        wrong = "explanations by a bundle without statistics of all its columns"
        raise RefusedRequestError(
            501, wrong, "a bundle of up to 200 columns that export certified", "leave 'explain' out"
        )
    categories, typical = profile.get("categories") or [0] * width, np.zeros(width)
    for place, column in enumerate(rows.T):
        numbers = column[np.isfinite(column)]
        if categories[place]:
            typical[place] = int(np.argmax(profile["counts"][place]))
        elif len(numbers):
            typical[place] = np.median(numbers)
    return typical
