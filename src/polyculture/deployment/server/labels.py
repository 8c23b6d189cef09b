"""What true labels does a client hand in? By the ids that came with the answers."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from .refusals import excerpt, malformed

MOST_LABELS = 100_000
_EXPECTED = '{"labels": [{"id": "…", "label": "…"}]}, or lists of equal length "ids" and "labels"'


@dataclass(frozen=True)
class HandedLabels:
    """True labels of answers.

    Parameters
    ----------
    ids : of the answers.
    labels : names of classes; in regression numbers.
    times : when each was given, in seconds since 1970; None for now.
    """

    ids: Sequence[str]
    labels: Sequence[Any]
    times: Sequence[float] | None = None


def read_labels(body: bytes) -> HandedLabels:
    """The labels in the body of a request."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise malformed(f"the request is no JSON: {error.msg} (character {error.pos})", _EXPECTED) from error
    if not isinstance(document, dict) or not isinstance(document.get("labels"), list):
        raise malformed(f"the request is {excerpt(document)}", _EXPECTED)
    entries, ids, times = document["labels"], document.get("ids"), document.get("times")
    if ids is None:
        if not all(isinstance(entry, dict) for entry in entries):
            raise malformed(f"the labels are {excerpt(entries)}", _EXPECTED)
        ids = [entry.get("id") for entry in entries]
        now = time.time()
        times = [entry.get("time", now) for entry in entries] if any("time" in entry for entry in entries) else None
        entries = [entry.get("label") for entry in entries]
    return _checked(ids, entries, times)


def _checked(ids: Any, labels: list[Any], times: Any) -> HandedLabels:
    if not isinstance(ids, list) or len(ids) != len(labels) or not 0 < len(ids) <= MOST_LABELS:
        raise malformed(f"there are {len(labels):,} labels for the ids {excerpt(ids)}", f"1 to {MOST_LABELS:,} of both")
    wrong = [i for i in ids if not isinstance(i, str) or not i] + [x for x in labels if not _is_label(x)]
    if wrong:
        raise malformed(
            f"an id or a label is {excerpt(wrong[0])}", "texts as ids; names of classes, or numbers, as labels"
        )
    if times is not None and (
        not isinstance(times, list)
        or len(times) != len(ids)
        or not all(type(moment) in (int, float) and math.isfinite(moment) for moment in times)
    ):
        raise malformed(f"the times are {excerpt(times)}", "seconds since 1970, one for each label, or none at all")
    return HandedLabels(ids, labels, times)


def _is_label(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and (not isinstance(value, str) or bool(value.strip()))
