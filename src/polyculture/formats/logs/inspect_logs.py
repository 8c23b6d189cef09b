"""What is in a log of Inspect? An .eval file (a zip of one JSON file per sample) or one JSON file.

Every epoch is a separate run of the same model. The answer is the one that the scorer extracted. A sample that ended
in an error has no outcome; one that the provider filtered is a refusal.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyculture.errors import FileError, InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item, State
from ..json_lines import load_json

MATCHED_BY = "the ids of their samples"
GRADES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""What the letters of Inspect's scorers mean: correct, incorrect, partial, no answer."""
_ZSTANDARD = 93


def is_log(value: Any) -> bool:
    """Whether a JSON value is such a log."""
    return isinstance(value, dict) and isinstance(value.get("eval"), dict) and "model" in value["eval"]


def read_log(path: Path, model: str | None, builder: PredictionsBuilder) -> None:
    """Add all samples of one log; the model has the name given, or the one in the log."""
    head, samples = _open_zip(path, builder) if path.suffix == ".eval" else _open_json(path)
    spec = head["eval"]
    name = model or str(spec["model"])
    task = str(spec.get("task", "")).rpartition("/")[2]
    repeated = int((spec.get("config") or {}).get("epochs") or 1) > 1
    builder.add_factors(
        name, {"date": str(spec.get("created", ""))[:10], "task_version": spec.get("task_version") or None}
    )
    if head.get("status") not in ("success", None):
        builder.note(f"{path} is of a run that ended with the status {head['status']!r}.")
    for place, sample in samples:
        builder.add(_item(sample, place, builder, (name, task, repeated)))


def _item(sample: Mapping[str, Any], place: str, builder: PredictionsBuilder, run: tuple[str, str, bool]) -> Item:
    model, task, repeated = run
    scores = sample.get("scores") or {}
    score = _score(scores, builder, task, place)
    target = sample.get("target")
    target = target[0] if isinstance(target, list) and len(target) == 1 else target
    output = sample.get("output") or {}
    stops = [choice.get("stop_reason") for choice in output.get("choices") or []]
    value = score.get("value")
    answer = score.get("answer")
    state: State = ""
    if not scores:
        state = "failed"
    elif "content_filter" in stops:
        state = "refused"
    elif value == "N" or answer == "":
        state = "unparsed"
    choices = sample.get("choices") or []
    return Item(
        model,
        instance=f"{task}\n{sample.get('id')}",
        display_id=str(sample.get("id")),
        place=place,
        answer=str(answer if answer is not None else output.get("completion", "")),
        label=target if isinstance(target, str) else None,
        score=None if not scores else GRADES.get(value, value) if isinstance(value, str) else value,
        state=state,
        prompt=json.dumps([sample.get("input"), choices], sort_keys=True),
        reference=json.dumps(sample.get("target")),
        group=task,
        repeat=int(sample.get("epoch") or 1) if repeated else 0,
        options=len(choices),
        free=True,
    )


def _score(scores: Mapping[str, Any], builder: PredictionsBuilder, task: str, place: str) -> Mapping[str, Any]:
    """The score that counts: of the scorer named, or of the first."""
    if not scores:
        return {}
    scorer = builder.rules.metric or next(iter(scores))
    if scorer not in scores:
        raise InputError(f"{place} has no scorer {scorer!r}", f"one of {', '.join(scores)}", near(scorer, scores))
    if len(scores) > 1:
        unused = ", ".join(name for name in scores if name != scorer)
        builder.note(f"Task {task}: the scorer {scorer!r} says what is right; there is also {unused}.")
    score = scores[scorer]
    return score if isinstance(score, dict) else {"value": score}


def _open_json(path: Path) -> tuple[dict[str, Any], Iterator[tuple[str, dict[str, Any]]]]:
    log = load_json(path)
    samples = log.get("samples") or []
    return log, ((f"sample {s.get('id')!r} of {path}", s) for s in samples)


def _open_zip(path: Path, builder: PredictionsBuilder) -> tuple[dict[str, Any], Iterator[tuple[str, dict[str, Any]]]]:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise FileError(f"{path} is not a complete Inspect log: {error}", "", "copy or write it again") from error
    names = set(archive.namelist())
    head_name = next((n for n in ("header.json", "_journal/start.json") if n in names), "")
    if not head_name:
        raise InputError(f"{path} is a zip file without header.json", "a log that Inspect wrote")
    head = json.loads(_member(archive, path, head_name))
    order = {str(i): position for position, i in enumerate((head["eval"].get("dataset") or {}).get("sample_ids") or [])}

    def place(name: str) -> tuple[int, int]:
        sample, _, epoch = name.removeprefix("samples/").removesuffix(".json").rpartition("_epoch_")
        return int(epoch) if epoch.isdecimal() else 0, order.get(sample, len(order))

    def samples() -> Iterator[tuple[str, dict[str, Any]]]:
        with archive:
            for name in sorted((n for n in names if n.startswith("samples/")), key=place):
                member = f"{name} of {path}"
                try:
                    yield member, json.loads(_member(archive, path, name))
                except (ValueError, OSError, zipfile.BadZipFile) as error:
                    builder.bad.add(member, f"cannot be read: {error}")

    return head, samples()


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> bytes:
    """One file of the zip; Inspect packs with Zstandard, which Python's own reader does not know before 3.14."""
    info = archive.getinfo(name)
    if info.compress_type != _ZSTANDARD:
        return archive.read(name)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        head = file.read(30)
        file.seek(sum(struct.unpack("<HH", head[26:30])), 1)
        packed = file.read(info.compress_size)
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return bytes(stream.read())
