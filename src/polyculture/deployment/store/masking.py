"""What of an input must never reach the store? Fields that the bundle says are masked before they are queued."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .records import AnswerRecord

KEY_VARIABLE = "POLYCULTURE_MASK_KEY"
HIDDEN = "***"


@dataclass(frozen=True)
class Masking:
    """How records become those that may be kept.

    Parameters
    ----------
    fields : names of the fields that are masked: in inputs, groups and the profile. With a key, a value becomes its
        keyed hash, the same for the same value; without, three stars. Numbers of the profile become nan.
    key : of the hash; the variable POLYCULTURE_MASK_KEY if left out.
    keep_inputs : whether inputs are kept at all.
    profile : names of the numbers of the profile, in order.

    Examples
    --------
    >>> from polyculture.deployment.store import AnswerRecord, Masking
    >>> record = AnswerRecord("a", 0.0, "1", inputs={"age": 44, "name": "Ada"})
    >>> dict(Masking(("name",), keep_inputs=True).masked(record).inputs)
    {'age': 44, 'name': '***'}
    """

    fields: tuple[str, ...] = ()
    key: str | None = None
    keep_inputs: bool = False
    profile: Sequence[str] = ()
    _places: frozenset[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.key is None:
            object.__setattr__(self, "key", os.environ.get(KEY_VARIABLE, ""))
        places = frozenset(k for k, name in enumerate(self.profile) if self._is_masked(name))
        object.__setattr__(self, "_places", places)

    def _is_masked(self, name: str) -> bool:
        """Whether a number of the profile is one of a masked field: of the field itself, or of a part or unit of it."""
        return any(
            name == field or name.startswith((f"{field}:", f"{field}=", f"{field} ", f"{field}."))
            for field in self.fields
        )

    def masked(self, record: AnswerRecord) -> AnswerRecord:
        """The record as it may be kept."""
        changes: dict[str, Any] = {}
        if record.inputs is not None:
            changes["inputs"] = self._mapping(record.inputs) if self.keep_inputs else None
        if self.fields:
            if any(name in self.fields for name in record.groups):
                changes["groups"] = self._mapping(record.groups)
            if places := self._places:
                changes["profile"] = tuple(math.nan if k in places else v for k, v in enumerate(record.profile))
        return replace(record, **changes) if changes else record

    def _mapping(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self._value(value) if name in self.fields else self._nested(value) for name, value in values.items()
        }

    def _nested(self, value: Any) -> Any:
        """A value with the masked fields of objects inside it masked."""
        if isinstance(value, Mapping):
            return self._mapping(value)
        return [self._nested(part) for part in value] if isinstance(value, (list, tuple)) else value

    def _value(self, value: Any) -> str:
        if not self.key:
            return HIDDEN
        content = json.dumps(value, default=str).encode("utf-8", "replace")
        key = hashlib.blake2b(self.key.encode("utf-8", "replace"), digest_size=32).digest()
        return hashlib.blake2b(content, key=key, digest_size=12).hexdigest()
