"""What do JSON Lines of any form hold? A mapping gives the paths of the answer, the id and other fields in each line.

The forms of OpenAI's and Anthropic's batch outputs are built in; a request with another status than
2xx has failed. Paths are keys and numbers with dots between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item, State
from ..items.scores import NOT_SCORED
from ..json_lines import json_lines, load_json

MATCHED_BY = "their ids"
OPENAI_BATCH: Mapping[str, str] = {
    "instance": "custom_id",
    "model": "response.body.model",
    "answer": "response.body.choices.0.message.content",
    "refused": "response.body.choices.0.message.refusal",
    "stopped": "response.body.choices.0.finish_reason",
    "failed": "error",
    "status": "response.status_code",
}
"""Paths of the fields in OpenAI's batch outputs."""
ANTHROPIC_BATCH: Mapping[str, str] = {
    "instance": "custom_id",
    "model": "result.message.model",
    "answer": "result.message.content.0.text",
    "stopped": "result.message.stop_reason",
    "status": "result.type",
}
"""Paths of the fields in Anthropic's batch outputs."""
FIELDS = ("instance", "model", "answer", "label", "correct", "prompt", "refused", "stopped", "failed", "status")
_CHECKED = ("instance", "model", "answer", "label", "correct", "prompt")
"""Fields that some line must have; the others only occur where something went wrong."""
_SUCCESS = ("ok", "success", "successful", "succeeded", "complete", "completed", "done", "false", "none", "null", "")


def is_batch(value: Mapping[str, Any]) -> bool:
    """Whether an object is a line of such an output."""
    return "custom_id" in value and ("response" in value or "result" in value)


def read_lines(path: Path, model: str | None, builder: PredictionsBuilder) -> None:
    """Add all items of one file. A failed request often names no model: it is of the model of the other lines."""
    fields = dict(builder.rules.fields)
    for name in fields:
        if name not in FIELDS:
            raise InputError(f"no field {name!r}", f"some of {', '.join(FIELDS)}", near(name, FIELDS))
    waiting: list[Item] = []
    latest = ""
    absent = {name for name in fields if name in _CHECKED} - ({"label"} if "correct" in fields else set())
    example: dict[str, Any] = {}
    for number, row in _objects(path, builder):
        place = f"line {number} of {path}"
        absent, example = {name for name in absent if not _has_path(row, fields[name])}, example or row
        values = _values(row, fields)
        if values.get("instance") is None:
            builder.bad.add(place, "has no instance id", "an id where the field instance points")
            continue
        latest = str(values.get("model") or latest)
        item = _item(values, model or latest, place)
        if not item.model:
            waiting.append(item)
            continue
        for earlier in waiting:
            builder.add(replace(earlier, model=item.model))
        waiting = []
        builder.add(item)
    for name in sorted(absent) if example else ():
        cure = near(fields[name], _paths(example))
        raise InputError(f"no line of {path} has {fields[name]!r}", f"the path of the field {name}", cure)
    for item in waiting:
        builder.add(replace(item, model=path.stem))


def _objects(path: Path, builder: PredictionsBuilder) -> Iterator[tuple[int, dict[str, Any]]]:
    """The numbered lines of JSON Lines, or records of a JSON file."""
    if ".json" not in path.suffixes:
        yield from json_lines(path, builder.bad)
        return
    value = load_json(path)
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise InputError(f"{path} is JSON, but no list of records", "records, or JSON Lines, with fields (--fields)")
    yield from enumerate(value, 1)


def _has_path(value: Any, field_path: str) -> bool:
    """Whether there is something at the end of the path, which may be null."""
    parent, _, key = field_path.rpartition(".")
    value = _value_at(value, parent) if parent else value
    return key in value if isinstance(value, dict) else _value_at({"": value}, f".{key}") is not None


def _paths(value: Any, prefix: str = "") -> list[str]:
    """The paths of all values of an object."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    return [text for key, part in pairs for text in [f"{prefix}{key}", *_paths(part, f"{prefix}{key}.")]]


def _values(row: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """The values of a line by field; those of a batch need no mapping."""
    built_in: Mapping[str, str] = {}
    if is_batch(row):
        built_in = OPENAI_BATCH if "response" in row else ANTHROPIC_BATCH
    values = {name: _value_at(row, field_path) for name, field_path in {**built_in, **fields}.items()}
    if "correct" in values and values["correct"] is None:
        values["correct"] = NOT_SCORED
    values["metric"] = fields.get("correct", "")
    if "response" in built_in.get("answer", "") and values.get("answer") is None:
        empty = not row["response"] or _value_at(row, "response.body.error")
        values["failed"] = values.get("failed") or bool(empty)
    return values


def _item(values: Mapping[str, Any], model: str, place: str) -> Item:
    answer, stopped = values.get("answer"), values.get("stopped")
    state: State = ""
    if _says_failed(values.get("failed")) or (values.get("status") is not None and not _is_success(values["status"])):
        state = "failed"
    elif values.get("refused") or stopped in ("content_filter", "refusal"):
        state = "refused"
    elif answer is None and values.get("correct") is None:
        state = "unparsed"
    label = values.get("label")
    return Item(
        model,
        instance=str(values["instance"]),
        display_id=str(values["instance"]),
        place=place,
        answer=None if answer is None else str(answer),
        label=None if label is None else str(label),
        score=values.get("correct"),
        state=state,
        prompt=str(values.get("prompt", "")),
        free=True,
        metric=values.get("metric", ""),
    )


def _says_failed(value: Any) -> bool:
    """Whether an error field is filled; true means that it failed, a status of success that it did not."""
    return bool(value) and (value is True or not _is_success(value))


def _is_success(status: Any) -> bool:
    """Whether a status means success: true, an HTTP status of 2xx, or a word."""
    if isinstance(status, bool):
        return status
    text = str(status).strip().casefold()
    if text.isdecimal():
        return 200 <= int(text) < 300
    return text in _SUCCESS


def _value_at(value: Any, field_path: str) -> Any:
    """The value at the end of the path; None if there is none."""
    for key in field_path.split("."):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
