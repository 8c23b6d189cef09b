"""How do records become rows of the database, and rows arrays? Each array has one value, or one row, per answer."""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from .records import FOREIGN_LABEL, NO_ANSWER, AnswerRecord

_CODES, _NUMBERS = np.dtype("<i4"), np.dtype("<f8")
_INTEGER = struct.Struct("<i")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class VersionNames:
    """What the codes of the answers of one bundle stand for.

    Parameters
    ----------
    version : of the bundle.
    task : classification, regression or tagging.
    classes : class names, in the order of the codes; empty in regression.
    members : ids of the members, in the order of their answers.
    """

    version: str
    task: str = "classification"
    classes: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class StoredAnswers:
    """Answers of one bundle in the order of their time, as arrays: m members, n answers, p numbers of the profile.

    Parameters
    ----------
    names : what the codes stand for; empty where the server did not register its bundle.
    ids, times : what labels refer to, and seconds since 1970.
    answers : codes of the answers; -1 for none.
    confidence, values, disagreement, latency_ms : as in `AnswerRecord`; nan where there is none.
    member_answers : codes; -1 for none. Without columns in regression.
    member_values : regression: the members' numbers, nan for none; else without columns.
    quorum : number of members that answered.
    groups : by column the group of each answer, "" where it has none.
    profile : numbers of the inputs; without columns where they were not kept.
    labels : codes of the labels; -1 without label, -2 for a class that this bundle does not know.
    label_values : regression: the labels, nan without; else nan.
    label_times : when the labels were given; nan without.
    shadow : whether a challenger answered.
    inputs : the inputs, None where they were not kept.
    """

    names: VersionNames
    ids: np.ndarray
    times: Float[np.ndarray, " n"]
    answers: Int[np.ndarray, " n"]
    confidence: Float[np.ndarray, " n"]
    values: Float[np.ndarray, " n"]
    member_answers: Int[np.ndarray, "n k"]
    member_values: Float[np.ndarray, "n v"]
    disagreement: Float[np.ndarray, " n"]
    quorum: Int[np.ndarray, " n"]
    latency_ms: Float[np.ndarray, " n"]
    groups: Mapping[str, np.ndarray]
    profile: Float[np.ndarray, "n p"]
    labels: Int[np.ndarray, " n"]
    label_values: Float[np.ndarray, " n"]
    label_times: Float[np.ndarray, " n"]
    shadow: Bool[np.ndarray, " n"]
    inputs: Sequence[Mapping[str, Any] | None]

    def __len__(self) -> int:
        return len(self.times)


def storable(text: str) -> str:
    """The text as a database can hold it: � for the character 0 and for halves of characters."""
    return text if text.isascii() and "\x00" not in text else _UNSTORABLE.sub("\ufffd", text)


WRITTEN = (
    *("writer", "number", "id", "time", "version", "answer", "confidence", "value", "member_answers", "member_values"),
    *("disagreement", "quorum", "latency_ms", "groups", "profile", "shadow", "inputs"),
)
"""Columns of answers in the order of `row_of`."""


def row_of(writer: int, number: int, record: AnswerRecord) -> tuple[Any, ...]:
    """The row of a record. Raises TypeError, ValueError or struct.error for what is no number, or is too large."""
    answers, values, profile = record.member_answers, record.member_values, record.profile
    if not math.isfinite(record.time):
        raise ValueError(f"the time of answer {record.id!r} is {record.time}")
    return (
        writer,
        number,
        storable(record.id),
        float(record.time),
        storable(record.version),
        _INTEGER.unpack(_INTEGER.pack(record.answer))[0],
        _finite(record.confidence),
        _finite(record.value),
        struct.pack(f"<{len(answers)}i", *answers) if answers else None,
        struct.pack(f"<{len(values)}d", *values) if values else None,
        _finite(record.disagreement),
        _INTEGER.unpack(_INTEGER.pack(record.quorum))[0],
        _finite(record.latency_ms),
        _groups_text(tuple(record.groups.items())) if record.groups else None,
        struct.pack(f"<{len(profile)}d", *profile) if profile else None,
        int(record.shadow),
        None if record.inputs is None else json_text(record.inputs),
    )


@lru_cache(4096)
def _groups_text(items: tuple[tuple[str, str], ...]) -> str:
    """Groups as JSON; many answers have the same ones."""
    return json_text(dict(items))


def _finite(value: float) -> float | None:
    """nan is an empty cell, for SQLite makes it one."""
    return None if math.isnan(value) else float(value)


def json_text(value: Any) -> str:
    """A value as JSON that a database can hold; arrays as lists, bytes in base64."""
    return storable(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    """What JSON has no word for: arrays as lists, bytes in base64."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    return value.tolist() if hasattr(value, "tolist") else str(value)


COLUMNS = WRITTEN[:-1]
"""Columns of answers that are read; after them come label, the time of the label and, if asked for, the inputs."""


def pieces(rows: Sequence[Sequence[Any]], names: Mapping[str, VersionNames]) -> Iterable[StoredAnswers]:
    """Rows of COLUMNS and label as arrays, one piece for each bundle and form of its answers."""
    forms: dict[tuple[str, int, int, int], list[Sequence[Any]]] = {}
    for row in rows:
        widths = (len(row[8] or b""), len(row[9] or b""), len(row[14] or b""))
        forms.setdefault((row[4], *widths), []).append(row)
    for (version, *_), members in forms.items():
        yield _piece(members, names.get(version) or VersionNames(version))


def _piece(rows: list[Sequence[Any]], names: VersionNames) -> StoredAnswers:
    columns = dict(zip((*COLUMNS, "label", "label_time", "inputs"), zip(*rows, strict=True), strict=False))
    labels, values = _labels(columns["label"], names)
    return StoredAnswers(
        names=names,
        ids=np.array(columns["id"], dtype=object),
        times=_floats(columns["time"]),
        answers=np.array(columns["answer"], np.int32),
        confidence=_floats(columns["confidence"]),
        values=_floats(columns["value"]),
        member_answers=_matrix(columns["member_answers"], _CODES),
        member_values=_matrix(columns["member_values"], _NUMBERS),
        disagreement=_floats(columns["disagreement"]),
        quorum=np.array(columns["quorum"], np.int32),
        latency_ms=_floats(columns["latency_ms"]),
        groups=_groups(columns["groups"]),
        profile=_matrix(columns["profile"], _NUMBERS),
        labels=labels,
        label_values=values,
        label_times=_floats(columns["label_time"]),
        shadow=np.array(columns["shadow"], bool),
        inputs=[None if text is None else json.loads(text) for text in columns.get("inputs", ())] or [None] * len(rows),
    )


def _floats(values: Sequence[float | None]) -> Float[np.ndarray, " n"]:
    return np.array(values, dtype=np.float64)


def _matrix(blobs: Sequence[bytes | None], kind: np.dtype) -> np.ndarray:
    """Blobs of equal length as the rows of a matrix."""
    numbers = np.frombuffer(b"".join(blob or b"" for blob in blobs), kind)
    return numbers.reshape(len(blobs), -1).astype(kind.newbyteorder("="))


def _groups(texts: Sequence[str | None]) -> dict[str, np.ndarray]:
    """By column the group of each answer. Few texts differ, so each is parsed once."""
    parsed: dict[str | None, dict[str, str]] = {text: json.loads(text) if text else {} for text in set(texts)}
    columns = sorted({column for groups in parsed.values() for column in groups})
    return {column: np.array([parsed[text].get(column, "") for text in texts], dtype=object) for column in columns}


def _labels(texts: Sequence[str | None], names: VersionNames) -> tuple[np.ndarray, np.ndarray]:
    """Codes of the labels and, in regression, their numbers."""
    absent = np.full(len(texts), math.nan)
    if names.task == "regression":
        numbers = np.array([math.nan if text is None else float(text) for text in texts], np.float64)
        return np.full(len(texts), NO_ANSWER, np.int32), numbers
    code_of: dict[str | None, int] = {name: code for code, name in enumerate(names.classes)}
    code_of[None] = NO_ANSWER
    return np.array([code_of.get(text, FOREIGN_LABEL) for text in texts], np.int32), absent
