"""What is in the records of TruLens? The table of get_records_and_feedback(): a row per record, a column per feedback.

A model is an app (and its version), an instance an input. One feedback counts: the only one, or --metric. Feedbacks are
graded from 0 to 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item
from ..items.scores import NOT_SCORED
from ..json_lines import shorten
from .records import Row, rows_of

MATCHED_BY = "their inputs"
_APPS = ("app_id", "app_name")
_CALLS = "_calls"


def is_records(names: Iterable[str]) -> bool:
    """Whether a table with these columns holds such records."""
    columns = set(names)
    return {"record_id", "input", "output"} <= columns and bool(columns & set(_APPS))


def read_records(path: Path, model: str | None, builder: PredictionsBuilder) -> None:
    """Add all records of one file."""
    add_records(list(rows_of(path, builder.bad)), str(path), model, builder)


def add_records(rows: Sequence[Row], source: str, model: str | None, builder: PredictionsBuilder) -> None:
    """Add all records of a table."""
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    feedbacks = [name for name in names if f"{name}{_CALLS}" in names]
    metric = builder.rules.metric or (feedbacks[0] if len(feedbacks) == 1 else "")
    if metric not in names:
        problem = f"has no feedback {metric!r}" if metric else f"has {len(feedbacks)} feedbacks"
        cure = f"name it with metric (--metric {feedbacks[0]!r})" if feedbacks else "name it with metric (--metric)"
        expected = f"one of {', '.join(feedbacks)}" if feedbacks else "a column of scores"
        raise InputError(f"{source} {problem}", expected, near(metric, feedbacks) if metric else cure)
    builder.note(f"The feedback {metric!r} says what is right.")
    times: Counter[tuple[str, str]] = Counter()
    for place, row in rows:
        name, question = model or _app(row), str(row.get("input"))
        times[name, question] += 1
        number = times[name, question]
        output, score = row.get("output"), row.get(metric)
        builder.add(
            Item(
                name,
                instance=question if number == 1 else f"{question}\n{number}",
                display_id=shorten(question, 60),
                place=place,
                answer=None if output is None else str(output),
                score=NOT_SCORED if score is None else score,
                free=True,
                metric=metric,
            )
        )


def _app(row: Mapping[str, Any]) -> str:
    name, version = row.get("app_name"), row.get("app_version")
    return f"{name} {version}" if name and version else str(name or row.get("app_id"))
