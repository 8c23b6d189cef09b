"""Where is a remote member, what is it asked, and how long is it waited for? As the manifest of a bundle has it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from polyculture.errors import InputError, near

from .parsers import AnswerParser
from .prompts import check_prompt

_SECRET = re.compile(
    r"(api.?key|secret|password|passwd|bearer|authorization|credential|access.?token|^key$|^token$|^headers?$)", re.I
)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_LIMITS: Mapping[str, tuple[float, float]] = {
    "timeout_s": (0.001, 3600),
    "deadline_s": (0.001, 3600),
    "retries": (0, 10),
    "backoff_s": (0, 60),
    "price_per_call": (0, 1e6),
    "price_per_1k_input": (0, 1e6),
    "price_per_1k_output": (0, 1e6),
    "break_after": (1, 10_000),
    "break_s": (0.001, 86_400),
    "concurrency": (1, 1024),
    "requests_per_minute": (0, 1e6),
    "temperature": (0, 2),
    "max_tokens": (1, 100_000),
    "max_response_bytes": (1024, 1 << 30),
}
"""Smallest and largest value of each number."""


@dataclass(frozen=True)
class RemoteSpec:
    """A member that another service answers for: a model server, or a chat endpoint.

    Parameters
    ----------
    kind : ``"v2"``, a server with the Open Inference Protocol; ``"chat"``, an OpenAI-compatible chat endpoint.
    url : of the server (``http://host:8000``), or of the endpoint (``https://host/v1/chat/completions``).
    model : its name there.
    input, output : names of the tensors (v2). Without `input` the columns of a table go as a tensor each. Another
        server of this package answers with ``combined``.
    prompt, system : templates of the message and of the system message (chat), with ``{text}``, ``{columns}``,
        ``{classes}`` or the name of a column in braces.
    parser : how an answer is read (chat); see `AnswerParser`.
    temperature, max_tokens : of the answer (chat).
    extra : further members of the request, such as ``{"seed": 1}`` (chat).
    key_env : name of the environment variable with the key; a key itself is refused.
    timeout_s : seconds of one attempt, from the connection to the last byte.
    deadline_s : seconds of all attempts on an instance, with the waits between them; less than the server's timeout, so
        that the others' answers are still given.
    retries, backoff_s : further attempts, after a random wait of up to `backoff_s` × 2, 4, 8, … seconds or as long as
        the service asks for (Retry-After).
    price_per_call, price_per_1k_input, price_per_1k_output : what the service charges for an answered call, and for
        1,000 tokens of the prompts and of the answers.
    break_after, break_s : the member is left alone for `break_s` seconds after this many failed attempts in a row.
    concurrency : requests at a time.
    requests_per_minute : sent at most, evenly spaced; 0 for no limit.
    max_response_bytes : longer responses are refused.

    Raises InputError for a value that cannot be used.
    """

    kind: str
    url: str
    model: str
    input: str = ""
    output: str = "probabilities"
    prompt: str = ""
    system: str = ""
    parser: AnswerParser = field(default_factory=AnswerParser)
    temperature: float = 0.0
    max_tokens: int = 64
    extra: Mapping[str, Any] = field(default_factory=dict)
    key_env: str = ""
    timeout_s: float = 10.0
    deadline_s: float = 20.0
    retries: int = 2
    backoff_s: float = 0.5
    price_per_call: float = 0.0
    price_per_1k_input: float = 0.0
    price_per_1k_output: float = 0.0
    break_after: int = 5
    break_s: float = 30.0
    concurrency: int = 8
    requests_per_minute: float = 0.0
    max_response_bytes: int = 8 << 20

    def __post_init__(self) -> None:
        if self.kind not in ("v2", "chat"):
            raise InputError(f"kind of a remote member is {self.kind!r}", "'v2' or 'chat'")
        _check_texts(self)
        _check_url(self.url)
        _checked_numbers(vars(self))
        if self.key_env and not _VARIABLE.fullmatch(self.key_env):  # it may be the key itself, so it is not repeated
            raise InputError(
                "key_env is not the name of an environment variable",
                "capitals, digits and _, such as OPENAI_API_KEY",
                "put the key into the environment, not into the file",
            )
        if self.kind == "chat":
            check_prompt(self.prompt)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RemoteSpec:
        """The specification in a manifest or a TOML table. A literal key is refused."""
        if not isinstance(values, Mapping):
            raise InputError(f"a remote member is {values!r}", "a table with kind, url and model")
        names = {f.name for f in fields(cls)}
        for name in values:
            if name not in names and _SECRET.search(str(name)):
                raise InputError(
                    f"a remote member has {name!r}", "no key in the file", "name an environment variable in key_env"
                )
            if name not in names:
                raise InputError(f"a remote member has {name!r}", "", near(str(name), names))
        needed = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
        absent = [name for name in needed if name not in values]
        if absent:
            raise InputError(f"a remote member has no {absent[0]}", "kind, url and model")
        parser = AnswerParser.from_dict(values.get("parser", {}))
        numbers = _checked_numbers(values)
        for name in ("kind", "url", "model", "input", "output", "prompt", "system", "key_env"):
            if not isinstance(values.get(name, ""), str):
                raise InputError(f"{name} of a remote member is {values[name]!r}", "a text")
        return cls(**{**values, **numbers, "parser": parser})

    def to_dict(self) -> dict[str, Any]:
        """What differs from the defaults, for the manifest."""
        values = asdict(self) | {"parser": self.parser.to_dict()}
        defaults = {f.name: f.default for f in fields(self) if f.default is not MISSING} | {"parser": {}, "extra": {}}
        return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}

    def key(self) -> str | None:
        """The key from the environment; empty where none is needed, None where it is not set."""
        return (os.environ.get(self.key_env, "").strip() or None) if self.key_env else ""

    @property
    def host(self) -> str:
        """Host of the service."""
        return urlsplit(self.url).hostname or ""


def _check_texts(spec: RemoteSpec) -> None:
    if not spec.model.strip():
        raise InputError("model of a remote member is empty", "the model's name at the service")
    if not isinstance(spec.extra, Mapping) or {"messages", "model", "stream", "n"} & set(spec.extra):
        raise InputError(f"extra of a remote member is {spec.extra!r}", "a table without messages, model, stream and n")
    secrets = [name for name in spec.extra if _SECRET.search(str(name))]
    if secrets:
        raise InputError(f"extra of a remote member has {secrets[0]!r}", "no key in the file", "name it in key_env")


def _check_url(url: str) -> None:
    """A web address without a key in it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise InputError("url of a remote member is no web address", "such as https://host/v1/chat/completions")
    if parts.username or parts.password or any(_SECRET.search(name) for name, _ in parse_qsl(parts.query)):
        raise InputError(
            f"url of the remote member at {parts.hostname} has a key in it",
            "an address without a key",
            "name an environment variable in key_env",
        )
    if any(character.isspace() for character in url) or parts.fragment:
        raise InputError(f"url of a remote member is {url!r}", "an address without spaces and without #")


def _checked_numbers(values: Mapping[str, Any]) -> dict[str, int | float]:
    """The numbers among these values, within their limits."""
    integers = {f.name for f in fields(RemoteSpec) if f.type == "int"}
    numbers: dict[str, int | float] = {}
    for name, (low, high) in _LIMITS.items():
        value = values.get(name, low)
        is_number = isinstance(value, int if name in integers else (int, float)) and not isinstance(value, bool)
        if not (is_number and math.isfinite(value) and low <= value <= high):
            kind = "whole number" if name in integers else "number"
            raise InputError(f"{name} of a remote member is {value!r}", f"a {kind} between {low:g} and {high:g}")
        if name in values:
            numbers[name] = value if name in integers else float(value)
    return numbers
