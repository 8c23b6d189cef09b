"""What do JSON Lines of any form hold? A small mapping says where the answer, the id and the rest stand in each line.

The form of OpenAI's batch outputs is known. Paths are keys and numbers with dots between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyculture.errors import InputError, near

from ..items.builder import Collector
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
"""Where things stand in a line of OpenAI's batch output."""
FIELDS = ("instance", "model", "answer", "label", "correct", "prompt", "refused", "stopped", "failed")


def is_batch(value: Mapping[str, Any]) -> bool:
    """Whether an object is a line of such an output."""
    return "custom_id" in value and "response" in value


def read_lines(path: Path, model: str | None, into: Collector) -> None:
    """Add all items of one file."""
    fields = dict(into.rules.fields)
    for name in fields:
        if name not in FIELDS:
            raise InputError(f"no field {name!r}", f"some of {', '.join(FIELDS)}", near(name, FIELDS))
    for number, row in json_lines(path, into.bad):
        place = f"line {number} of {path}"
        found = {
            name: _at(row, where) for name, where in ({**OPENAI_BATCH, **fields} if is_batch(row) else fields).items()
        }
        if found.get("instance") is None:
            into.bad.add(place, "tells no instance", "an id where the field instance points")
            continue
        into.add(_item(found, model or str(found.get("model") or path.stem), place))


def _item(found: Mapping[str, Any], model: str, place: str) -> Item:
    answer, stopped = found.get("answer"), found.get("stopped")
    state: State = ""
    if found.get("failed"):
        state = "failed"
    elif found.get("refused") or stopped == "content_filter":
        state = "refused"
    elif answer is None and found.get("correct") is None:
        state = "unparsed"
    label = found.get("label")
    return Item(
        model,
        instance=str(found["instance"]),
        shown=str(found["instance"]),
        place=place,
        answer=None if answer is None else str(answer),
        label=None if label is None else str(label),
        score=found.get("correct"),
        state=state,
        prompt=str(found.get("prompt", "")),
        free=True,
    )


def _at(value: Any, where: str) -> Any:
    """What stands at the end of the path; None if it leads nowhere."""
    for key in where.split("."):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
