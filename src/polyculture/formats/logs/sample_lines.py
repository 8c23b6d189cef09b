"""What does a line of a log of lm-evaluation-harness hold? What models have in common is parsed once."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..json_layout import LAYOUT_ERRORS
from ..json_lines import parsed_line

_MAX_EXACT = 2.0**63
_RESPONSES = b', "resps": '
_MEMBERS = {"doc_id", "doc", "target", "arguments", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash"}
_MAX_DOCUMENTS, _MAX_TEXT = 1 << 15, 1 << 9


class Requests(tuple[tuple[str, str], ...]):
    """Prompt and continuation of every request; of the prompt only whether there is one."""

    __slots__ = ()


class LineParser:
    """What json.loads gives for each line, by orjson, which is several times faster, where that is installed.

    What stands before the responses is parsed once for all models that have the document.
    """

    def __init__(self) -> None:
        self._loads: Callable[[bytes], Any] | None = None
        with suppress(ImportError):
            self._loads = importlib.import_module("orjson").loads
        self._documents: dict[int, tuple[Any, ...]] = {}
        self._shared: dict[Any, Any] = {}

    def __call__(self, line: bytes) -> Any:
        """The value of one line."""
        size = line.rfind(_RESPONSES) if self._loads else -1
        value = self._object_of_parts(line[:size], line[size + 2 :]) if size > 0 else None
        value = value or self._object(line)
        # Without its hash the document itself is hashed, all of it.
        return value if value and value.get("doc_hash") else parsed_line(line)

    def _object(self, text: bytes) -> dict[str, Any] | None:
        """The object that a text is; None where orjson may not give what json.loads does."""
        try:
            value = self._loads(text) if self._loads else None
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

    def _object_of_parts(self, start: bytes, end: bytes) -> dict[str, Any] | None:
        """The object whose members before and from the responses these are."""
        members = self._object(b"{" + end)
        if members is None:
            return None
        key = hash(start)
        if key in self._documents:
            names, *values = self._documents[key]
            cells = [cell.hex() if type(cell) is bytes else cell for cell in values]
            value = dict(zip(names, cells, strict=True)) | members
            return value if value.get("prompt_hash") else None
        document = self._object(start + b"}")  # None if the responses are those of an inner object
        if not document:
            return None
        self._store(key, document)
        return document | members

    def _store(self, key: int, document: Mapping[str, Any]) -> None:
        """Remember what precedes the responses, if it is short and what the harness writes."""
        parts = {name: value for name, value in document.items() if name != "doc"}
        try:
            pairs = requests_of(parts["arguments"])
            parts |= {"metrics": tuple(parts["metrics"])} if "metrics" in parts else {}
        except (KeyError, *LAYOUT_ERRORS):
            return
        size = len(str(parts.get("target"))) + sum(len(text) for _, text in pairs)
        if len(self._documents) >= _MAX_DOCUMENTS or size > _MAX_TEXT or not parts.keys() <= _MEMBERS:
            return
        parts["arguments"] = Requests(("-" if prompt else "", text) for prompt, text in pairs)
        for name in ("arguments", "metrics", "filter"):
            with suppress(TypeError, KeyError):
                parts[name] = self._shared.setdefault(parts[name], parts[name])
        for name in ("doc_hash", "prompt_hash", "target_hash"):
            with suppress(KeyError, TypeError, ValueError):
                digest = bytes.fromhex(parts[name])
                parts[name] = digest if digest.hex() == parts[name] else parts[name]
        names = tuple(parts)
        self._documents[key] = (self._shared.setdefault(names, names), *parts.values())


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
