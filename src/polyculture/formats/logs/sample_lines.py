"""What does a line of a log of lm-evaluation-harness hold? What models have in common is parsed once."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..json_layout import LAYOUT_ERRORS
from ..json_lines import parsed_line

_MAX_EXACT = 2.0**63
RESPONSES = b', "resps": '
"""Begins what is of the model in a line; the document stands before it, its hashes before it or behind."""
_FILTER, _HASH, _LAST_HASH = b', "filter": ', b', "doc_hash": ', b', "target_hash": "'
MEMBERS = {"doc_id", "doc", "target", "arguments", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash"}
"""What is of the document in a line."""
_MAX_DOCUMENTS, _MAX_TEXT = 1 << 15, 1 << 9


class Requests(tuple[tuple[str, str], ...]):
    """Prompt and continuation of every request; of the prompt only whether there is one."""

    __slots__ = ()


def line_parts(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    """What a line says of its document, without the brace at the end; what the model answered and how that was scored.

    The last two have no brace at the start; where hashes do not stand between them, both are the second, and the third
    is empty. None if there are no responses. These are parts of the line only if each is an object, with its brace.
    """
    size = line.rfind(RESPONSES)
    if size <= 0:
        return None
    start = line.rfind(_FILTER, size)
    start = line.rfind(_HASH, size) if start < 0 else start
    end = line.find(_LAST_HASH, start) if start > 0 else -1
    end = line.find(b'"', end + len(_LAST_HASH)) + 1 if end > 0 else 0
    if not end or line[end : end + 1] != b",":
        return line[:size], line[size + 1 :], b""
    return line[:size] + line[start:end], line[size + 1 : start] + b"}", line[end + 1 :]


class LineParser:
    """What json.loads gives for each line, by orjson, which is several times faster, where that is installed.

    What is of the document is parsed once for all models that have it. `document` is the hash of that part of the last
    line; None if other parts say something about the document too.
    """

    def __init__(self) -> None:
        self.loads: Callable[[bytes], Any] | None = None
        with suppress(ImportError):
            self.loads = importlib.import_module("orjson").loads
        self._documents: dict[int, tuple[Any, ...]] = {}
        self.shared: dict[Any, Any] = {}
        self.document: int | None = None
        self._last: tuple[int, Mapping[str, Any]] | None = None
        self.known: dict[tuple[Any, ...], dict[int, Any]] = {}  # documents by task and filter, then by their hashes

    def __call__(self, line: bytes) -> Any:
        """The value of one line."""
        self._store()
        self.document = None
        parts = line_parts(line) if self.loads else None
        value = self._object_of_parts(*parts) if parts else None
        value = value or self._object(line)
        # Without its hash the document itself is hashed, all of it.
        return value if value and value.get("doc_hash") else parsed_line(line)

    def _object(self, text: bytes) -> dict[str, Any] | None:
        """The object that a text is; None where orjson may not give what json.loads does."""
        try:
            value = self.loads(text) if self.loads else None
        except ValueError:  # it knows neither nan nor infinity, which logs have
            return None
        if not isinstance(value, dict):
            return None
        cells = [first_text(value.get("filtered_resps")), *value.values()]
        target = value.get("target")
        for cell in cells + target if isinstance(target, list) else cells:
            if type(cell) is float and not -_MAX_EXACT < cell < _MAX_EXACT:  # it rounds integers of more than 64 bits
                return None
        return value

    def _object_of_parts(self, text: bytes, answers: bytes, scores: bytes) -> dict[str, Any] | None:
        """The object whose parts these are; None where it must be parsed as a whole."""
        members, outcomes = self._object(b"{" + answers), self._object(b"{" + scores) if scores else {}
        if members is None or outcomes is None:
            return None
        members |= outcomes
        key = hash(text)
        is_separate = members.keys().isdisjoint(MEMBERS)
        if scores and not is_separate:  # the last of a name counts
            return None
        if key in self._documents:
            self.document = key if is_separate else None
            names, *values = self._documents[key]
            cells = [cell.hex() if type(cell) is bytes else cell for cell in values]
            value = dict(zip(names, cells, strict=True)) | members
            return value if value.get("prompt_hash") else None
        document = self._object(text + b"}")  # None if the responses are those of an inner object
        if not document or (scores and not document.keys() <= MEMBERS):
            return None
        self.document = key if is_separate else None
        self._last = key, document
        return document | members

    def forget(self) -> None:
        """Do not store the document of the last line, because it is known elsewhere."""
        self._last = None

    def _store(self) -> None:
        """Store what precedes the responses in the last line, if it is short and what the harness writes."""
        if self._last is None:
            return
        key, document = self._last
        self._last = None
        parts = {name: value for name, value in document.items() if name != "doc"}
        try:
            pairs = requests_of(parts["arguments"])
            parts |= {"metrics": tuple(parts["metrics"])} if "metrics" in parts else {}
        except (KeyError, *LAYOUT_ERRORS):
            return
        size = len(str(parts.get("target"))) + sum(len(text) for _, text in pairs)
        if len(self._documents) >= _MAX_DOCUMENTS or size > _MAX_TEXT or not parts.keys() <= MEMBERS:
            return
        parts["arguments"] = Requests(("-" if prompt else "", text) for prompt, text in pairs)
        for name in ("arguments", "metrics", "filter"):
            with suppress(TypeError, KeyError):
                parts[name] = self.shared.setdefault(parts[name], parts[name])
        for name in ("doc_hash", "prompt_hash", "target_hash"):
            with suppress(KeyError, TypeError, ValueError):
                digest = bytes.fromhex(parts[name])
                parts[name] = digest if digest.hex() == parts[name] else parts[name]
        names = tuple(parts)
        self._documents[key] = (self.shared.setdefault(names, names), *parts.values())


def log_likelihoods(answers: Any) -> list[float]:
    """The log-likelihood of every request; empty if these are texts."""
    if not isinstance(answers, list):
        return []
    try:
        logs = [float(answer[0]) for answer in answers if type(answer) is list and len(answer) == 2]
    except (TypeError, ValueError):
        return []
    return logs if len(logs) == len(answers) else []


def first_text(answers: Any) -> Any:
    """The first answer of nested lists."""
    while isinstance(answers, list):
        answers = answers[0] if answers else ""
    return answers


def requests_of(arguments: Any) -> Sequence[tuple[str, str]]:
    """Prompt and continuation of every request, as newer versions write them (by name) and older ones (as lists)."""
    if isinstance(arguments, Requests):
        return arguments
    requests = arguments.values() if isinstance(arguments, dict) else arguments or []
    pairs = [tuple(a.values() if isinstance(a, dict) else a) for a in requests]
    return [(str(p[0]), str(p[1]) if len(p) > 1 else "") for p in pairs if p]
