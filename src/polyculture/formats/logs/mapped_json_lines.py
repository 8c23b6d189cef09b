"""What do JSON Lines of any form hold? A mapping gives the paths of the answer, the id and other fields in each line.

The form of OpenAI's batch outputs is built in. Paths are keys and numbers with dots between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item, State
from ..json_lines import json_lines

MATCHED_BY = "their ids"
OPENAI_BATCH: Mapping[str, str] = {
    "instance": "custom_id",
    "model": "response.body.model",
    "answer": "response.body.choices.0.message.content",
    "refused": "response.body.choices.0.message.refusal",
    "stopped": "response.body.choices.0.finish_reason",
    "failed": "error",
}
"""Paths of the fields in OpenAI's batch outputs."""
FIELDS = ("instance", "model", "answer", "label", "correct", "prompt", "refused", "stopped", "failed")


def is_batch(value: Mapping[str, Any]) -> bool:
    """Whether an object is a line of such an output."""
    return "custom_id" in value and "response" in value


def read_lines(path: Path, model: str | None, builder: PredictionsBuilder) -> None:
    """Add all items of one file."""
    fields = dict(builder.rules.fields)
    for name in fields:
        if name not in FIELDS:
            raise InputError(f"no field {name!r}", f"some of {', '.join(FIELDS)}", near(name, FIELDS))
    for number, row in json_lines(path, builder.bad):
        place = f"line {number} of {path}"
        values = {
            name: _value_at(row, field_path)
            for name, field_path in ({**OPENAI_BATCH, **fields} if is_batch(row) else fields).items()
        }
        if values.get("instance") is None:
            builder.bad.add(place, "has no instance id", "an id where the field instance points")
            continue
        builder.add(_item(values, model or str(values.get("model") or path.stem), place))


def _item(values: Mapping[str, Any], model: str, place: str) -> Item:
    answer, stopped = values.get("answer"), values.get("stopped")
    state: State = ""
    if values.get("failed"):
        state = "failed"
    elif values.get("refused") or stopped == "content_filter":
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
    )


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
