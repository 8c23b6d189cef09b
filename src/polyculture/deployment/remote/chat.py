"""How is a chat model asked about an instance, and what does its answer say?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from .parsers import REFUSAL
from .prompts import fill
from .specification import RemoteSpec


def chat_body(spec: RemoteSpec, record: Mapping[str, Any], classes: Sequence[str]) -> bytes:
    """The request about one instance."""
    system = [{"role": "system", "content": fill(spec.system, record, classes)}] if spec.system else []
    messages = [*system, {"role": "user", "content": fill(spec.prompt, record, classes)}]
    request = {
        "model": spec.model,
        "messages": messages,
        "temperature": spec.temperature,
        "max_tokens": spec.max_tokens,
    }
    return json.dumps({**request, **spec.extra}, ensure_ascii=False).encode("utf-8", "replace")


def read_completion(
    body: Any, spec: RemoteSpec, classes: Sequence[str]
) -> tuple[Float[np.ndarray, " c"] | None, str, str]:
    """Probabilities (c,), or the value (1,); where there is none, None, the reason and its detail."""
    choices = body.get("choices") if isinstance(body, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(choice, Mapping) or not isinstance(message, Mapping):
        return None, "bad_response", f"{spec.host} answered without choices"
    if message.get("refusal") or choice.get("finish_reason") == "content_filter":
        return None, "refused", f"{spec.model} declined to answer"
    text = _text(message.get("content"))
    if choice.get("finish_reason") == "length" and spec.parser.kind != "choice":
        return None, "unparsable", f"the answer of {spec.model} was cut at max_tokens"
    row = spec.parser.parse(text, classes)
    if row is not None:
        return row, "", ""
    if REFUSAL.search(text):
        return None, "refused", f"{spec.model} declined to answer"
    return None, "unparsable", f"the answer of {spec.model} ({len(text):,} characters) cannot be read"


def used_tokens(body: Any) -> tuple[int, int]:
    """Tokens of the prompt and of the answer that the service counted; 0 where it does not say."""
    usage = body.get("usage") if isinstance(body, Mapping) else None
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(usage, Mapping) else []
    prompt, completion = (n if type(n) is int and n >= 0 else 0 for n in (counts or (0, 0)))
    return prompt, completion


def _text(content: Any) -> str:
    """The text of a message, which may come in parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""
