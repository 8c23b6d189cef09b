"""What is in a log of Inspect? An .eval file (a zip of one JSON file per sample) or one JSON file.

Every epoch is a separate run of the same model. The answer is the one that the scorer extracted. One scorer counts per
task. A sample that ended in an error, or that this scorer did not score, has no outcome; one that the provider filtered
is a refusal. A log without any score is judged by its targets.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa

from polyculture.errors import FileError, InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item, State
from ..items.scores import NOT_SCORED, any_of
from ..json_layout import check_layout
from ..json_lines import load_json
from .inspect_judges import JudgedLog, first_scored, judges_of

MATCHED_BY = "the ids of their samples"
GRADES: Mapping[str, bool | float] = {"C": True, "I": False, "P": 0.5, "N": False}
"""What the letters of Inspect's scorers mean: correct, incorrect, partial, no answer."""
HEAD = {"eval": {"model": object, "config?": {"epochs?": (int,)}, "dataset?": {"sample_ids?": [object]}}}
SAMPLE = {
    "id?": object,
    "epoch?": (int,),
    "scores?": {},
    "choices?": [object],
    "output?": {"choices?": [{"stop_reason?": object}]},
}
"""How Inspect lays out its logs, as far as they are read."""
_ZSTANDARD = 93
_UNREADABLE = (ValueError, OSError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error)
"""What a damaged zip raises."""


def is_log(value: Any) -> bool:
    """Whether a JSON value is such a log."""
    return isinstance(value, dict) and isinstance(value.get("eval"), dict) and "model" in value["eval"]


def read_log(path: Path, model: str | None, builder: PredictionsBuilder) -> None:
    """Add all samples of one log; the model has the name given, or the one in the log."""
    head, samples, epochs = _open_zip(path, builder) if path.suffix == ".eval" else _open_json(path)
    spec = head["eval"]
    name = model or str(spec["model"])
    task = str(spec.get("task", "")).rpartition("/")[2]
    epochs = max(epochs, int((spec.get("config") or {}).get("epochs") or 1))
    first_repeat = int(epochs > 1)
    if builder.rules.repeats:  # a log of the same task_id is a retry of the same run
        first_repeat = 1 + builder.epochs_before(name, task, str(spec.get("task_id") or path), epochs)
    builder.add_factors(
        name, {"date": str(spec.get("created", ""))[:10], "task_version": spec.get("task_version") or None}
    )
    if head.get("status") not in ("success", None):
        builder.note(f"{path} is of a run that ended with the status {head['status']!r}.")
    log: _Log | JudgedLog = _Log(path, name, task, first_repeat, builder)
    if builder.rules.judges:
        scored, samples = first_scored(samples)
        judges = judges_of(head, scored)
        log = JudgedLog(judges, name, task, builder.rules.truth, builder) if len(judges) > 1 else log
    for item in log.items(samples):
        builder.add(item)


@dataclass(eq=False)
class _Log:
    """One log, and its scorers so far; `first_repeat` is the number of its first epoch, 0 if it is the only run."""

    path: Path
    model: str
    task: str
    first_repeat: int
    builder: PredictionsBuilder
    scorer: str = ""
    first_scored: tuple[str, list[str]] = ("", [])
    n_scored: int = 0

    def items(self, samples: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Item]:
        """All items; samples without scores wait until it is known whether the log has a scorer at all."""
        waiting: list[Item] = []
        for place, sample in samples:
            if not self._has_layout(sample, place):
                continue
            scores = sample.get("scores") or {}
            if scores and not self.scorer:
                self.scorer = self.builder.metric_of(self.task, next(iter(scores)))
                self.first_scored = (place, list(scores))
                yield from (replace(item, score=NOT_SCORED) for item in waiting)
                waiting = []
            item = self._item(sample, scores, place)
            if self.scorer:
                yield item
            else:
                waiting.append(item)
        if any(item.state != "failed" and (item.label is not None or item.score is not None) for item in waiting):
            self.builder.note(f"{self.path} has no scores; the targets of its samples say what is right.")
        yield from waiting
        if self.scorer and not self.n_scored:
            self._refuse_scorer()

    def _has_layout(self, sample: Any, place: str) -> bool:
        """Whether a sample is laid out as Inspect does; one that is not is an error, or a bad line to skip."""
        try:
            check_layout(sample, SAMPLE, place)
        except InputError as error:
            if not self.builder.bad.skip:
                raise
            self.builder.bad.add(place, error.wrong)
            return False
        return True

    def _refuse_scorer(self) -> NoReturn:
        place, names = self.first_scored
        metric, cure = self.builder.rules.metric, "name a scorer that all logs of the task have with metric (--metric)"
        raise InputError(
            f"{place} has no scorer {self.scorer!r}",
            f"one of {', '.join(names)}",
            near(self.scorer, names) if metric else cure,
        )

    def _item(self, sample: Mapping[str, Any], scores: Mapping[str, Any], place: str) -> Item:
        score = self._score(scores, place)
        target = sample.get("target")
        target = target[0] if isinstance(target, list) and len(target) == 1 else target
        targets = target if isinstance(target, list) and not scores else []
        output = sample.get("output") or {}
        stops = [choice.get("stop_reason") for choice in output.get("choices") or []]
        value, answer = score.get("value"), score.get("answer")
        state: State = ""
        if not scores and sample.get("error"):
            state = "failed"
        elif "content_filter" in stops:
            state = "refused"
        elif score.get("grade") == "N" or answer == "":
            state = "unparsed"
        choices = sample.get("choices") or []
        text = str(answer if answer is not None else output.get("completion", ""))
        return Item(
            self.model,
            instance=f"{self.task}\n{sample.get('id')}",
            display_id=str(sample.get("id")),
            place=place,
            answer=text,
            label=target if isinstance(target, str) else None,
            score=value if self.scorer or not targets else any_of(targets, text, self.builder.normalize),
            state=state,
            prompt=json.dumps([sample.get("input"), choices], sort_keys=True),
            reference=json.dumps(sample.get("target")),
            group=self.task,
            repeat=self.first_repeat + int(sample.get("epoch") or 1) - 1 if self.first_repeat else 0,
            options=len(choices),
            free=True,
            metric=self.scorer,
        )

    def _score(self, scores: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        """The score that counts, with its value; the value is nan where the scorer gave none."""
        if not self.scorer:
            return {}
        name, key = self.scorer, ""
        if name not in scores and "/" in name:
            name, _, key = name.rpartition("/")
        if name not in scores:
            if scores:
                self._note_scorers(scores)
            return {"value": NOT_SCORED}
        self.n_scored += 1
        if len(scores) > 1:
            self._note_scorers(scores)
        score = scores[name] if isinstance(scores[name], dict) else {"value": scores[name]}
        value = _value(score.get("value"), name, key, place)
        return {**score, "value": value, "grade": score.get("value")}

    def _note_scorers(self, scores: Mapping[str, Any]) -> None:
        unused = ", ".join(name for name in scores if name not in (self.scorer, self.scorer.rpartition("/")[0]))
        self.builder.note(f"Task {self.task}: the scorer {self.scorer!r} says what is right; there is also {unused}.")


def _value(value: Any, scorer: str, key: str, place: str) -> Any:
    """The value of a score: of its key where it has several, as a grade where it is a letter, nan where it is none."""
    if isinstance(value, dict) and value:
        if key not in value if key else len(value) > 1:
            names = [f"{scorer}/{name}" for name in value]
            problem = f"no value {key!r} of" if key else "several values of"
            raise InputError(
                f"{place} has {problem} the scorer {scorer!r}",
                f"one of {', '.join(names)}",
                f"name it with metric (--metric {names[0]})",
            )
        value = value[key] if key else next(iter(value.values()))
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None:
        return NOT_SCORED
    return GRADES.get(value, value) if isinstance(value, str) else value


def _open_json(path: Path) -> tuple[dict[str, Any], Iterator[tuple[str, dict[str, Any]]], int]:
    """The head of a log, its samples with their places, and the largest epoch."""
    log = load_json(path)
    check_layout(log, HEAD | {"samples?": [{"epoch?": (int,)}]}, str(path))
    samples = log.get("samples") or []
    epochs = max((int(s.get("epoch") or 1) for s in samples), default=1)
    return log, ((f"sample {s.get('id')!r} of {path}", s) for s in samples), epochs


def _open_zip(
    path: Path, builder: PredictionsBuilder
) -> tuple[dict[str, Any], Iterator[tuple[str, dict[str, Any]]], int]:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise FileError(f"{path} is not a complete Inspect log: {error}", "", "copy or write it again") from error
    names = set(archive.namelist())
    head_name = next((n for n in ("header.json", "_journal/start.json") if n in names), "")
    if not head_name:
        raise InputError(f"{path} is a zip file without header.json", "a log that Inspect wrote")
    try:
        head = json.loads(_member(archive, path, head_name, builder.rules.largest_sample))
    except InputError:
        raise
    except _UNREADABLE as error:
        raise FileError(f"{head_name} of {path} cannot be read: {error}", "", "copy or write it again") from error
    check_layout(head, HEAD, f"{head_name} of {path}")
    order = {str(i): position for position, i in enumerate((head["eval"].get("dataset") or {}).get("sample_ids") or [])}

    def place(name: str) -> tuple[int, int]:
        sample, _, epoch = name.removeprefix("samples/").removesuffix(".json").rpartition("_epoch_")
        return int(epoch) if epoch.isdecimal() else 0, order.get(sample, len(order))

    def samples() -> Iterator[tuple[str, dict[str, Any]]]:
        with archive:
            for name in sorted((n for n in names if n.startswith("samples/")), key=lambda n: (*place(n), n)):
                member = f"{name} of {path}"
                try:
                    yield member, json.loads(_member(archive, path, name, builder.rules.largest_sample))
                except InputError:
                    if not builder.bad.skip:
                        raise
                    builder.bad.add(member, "unfolds to more bytes than a sample may have")
                except _UNREADABLE as error:
                    builder.bad.add(member, f"cannot be read: {error}")

    return head, samples(), max((place(n)[0] for n in names if n.startswith("samples/")), default=1)


def _member(archive: zipfile.ZipFile, path: Path, name: str, largest: int) -> bytes:
    """One file of the zip, up to a size; Inspect packs with Zstandard, which Python does not know before 3.14."""
    info = archive.getinfo(name)
    if info.file_size > largest:
        _refuse_size(name, path, f"{info.file_size:,}", largest)
    if info.compress_type != _ZSTANDARD:
        return archive.read(name)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        head = file.read(30)
        file.seek(sum(struct.unpack("<HH", head[26:30])), 1)
        packed = file.read(info.compress_size)
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        content = bytes(stream.read(largest + 1))
    if len(content) > largest:
        _refuse_size(name, path, f"more than {largest:,}", largest)
    return content


def _refuse_size(name: str, path: Path, size: str, largest: int) -> NoReturn:
    raise InputError(
        f"{name} of {path} unfolds to {size} bytes",
        f"at most {largest:,} per sample",
        f"if the log is to be trusted, raise the limit with largest_sample (--largest-sample {2 * largest})",
    )
