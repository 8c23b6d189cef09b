"""How are personal fields hidden before anything is stored? By a mask, a keyed hash, or by leaving them out."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from polyculture.errors import InputError, near

from ..problems.raw_data import RawData, object_array
from .personal_patterns import PATTERNS, personal_spans

MODES = ("mask", "hash", "drop")
MASK = "[masked]"
_HASH_BYTES = 8


def mask(raw: RawData, fields: Mapping[str, str], *, key: bytes | None = None) -> RawData:
    """The same data with these personal fields masked, hashed or left out; the original is not changed.

    Parameters
    ----------
    raw : what has been read.
    fields : by field what to do with it: ``"mask"`` (a fixed word in its place), ``"hash"`` (equal values stay equal
        and cannot be read), or ``"drop"``. A field is a column of the inputs or of the instances, ``"instance"`` for
        the ids, or one of ``"e-mail"``, ``"iban"``, ``"card"`` and ``"phone"``, which are looked for in all texts.
        A column of such a name is that column.
    key : secret of the hash, 1 to 64 bytes; by default a new one, so that hashes of two calls cannot be compared.

    Raises InputError for an unknown field or way, for a key of another length, and where a mask cannot be applied:
    fields of texts in data without texts, ids that would no longer be distinct, and inputs without a column left.

    A hash hides a value from readers without the key. With the key, values can be guessed and tried.

    Source: BLAKE2b with a key, Saarinen and Aumasson 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from polyculture.preparation.cleaning import mask
    >>> from polyculture.preparation.problems.raw_data import RawData, instance_table, object_array
    >>> texts = object_array(["write to ann@example.org", "call me"])
    >>> raw = RawData("notes", "text", texts, object_array(["a", "b"]), instance_table(2))
    >>> mask(raw, {"e-mail": "mask"}).inputs[0]
    'write to [e-mail]'
    """
    if key is not None and not 1 <= len(key) <= 64:
        raise InputError(f"a key of {len(key)} bytes", "1 to 64", "leave it out for a new one")
    for field, mode in fields.items():
        if mode not in MODES:
            raise InputError(f"{field!r} is to be treated by {mode!r}", "", near(mode, MODES))
    secret = secrets.token_bytes(32) if key is None else key
    for field, mode in fields.items():
        raw = _without_field(raw, field, mode, secret)
    return raw


def _without_field(raw: RawData, field: str, mode: str, key: bytes) -> RawData:
    if isinstance(raw.inputs, pd.DataFrame) and field in raw.inputs.columns:
        inputs = _with_column(raw.inputs, field, mode, key)
        if not len(inputs.columns):
            raise InputError(f"no column of {raw.name} is left without {field!r}", "one or more", "mask or hash it")
        return replace(raw, inputs=inputs)
    if field in raw.instances.columns:
        return replace(raw, instances=_with_column(raw.instances, field, mode, key))
    if field == "instance":
        return replace(raw, instances=raw.instances.set_axis(_ids(raw, mode, key), axis="index"))
    if field in PATTERNS:
        return replace(raw, inputs=_texts_without(raw, field, mode, key))
    names = [*(raw.inputs.columns if isinstance(raw.inputs, pd.DataFrame) else ()), *raw.instances.columns]
    raise InputError(f"no field {field!r} in {raw.name}", "", near(field, [*map(str, names), "instance", *PATTERNS]))


def _with_column(table: pd.DataFrame, field: str, mode: str, key: bytes) -> pd.DataFrame:
    if mode == "drop":
        return table.drop(columns=field)
    cells = table[field].astype(object)
    hidden = [None if gap else _hidden(cell, mode, key) for cell, gap in zip(cells, cells.isna(), strict=True)]
    return table.assign(**{field: pd.Series(hidden, index=table.index, dtype=object)})


def _hidden(value: object, mode: str, key: bytes) -> str:
    return keyed_hash(str(value), key) if mode == "hash" else MASK


def keyed_hash(text: str, key: bytes) -> str:
    """Sixteen hexadecimal digits that depend on the text and the key."""
    content = text.strip().encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=_HASH_BYTES, key=key).hexdigest()


def _ids(raw: RawData, mode: str, key: bytes) -> pd.Index:
    if mode == "mask":
        raise InputError("the ids of instances are to be masked", "distinct ids", "hash or drop them")
    if mode == "drop":
        return pd.RangeIndex(len(raw), name="instance")
    ids = pd.Index([keyed_hash(str(name), key) for name in raw.instances.index], name="instance")
    if ids.nunique() < raw.instances.index.nunique():
        raise InputError(f"two ids of {raw.name} have the same hash", "distinct ids", "drop them")
    return ids


def _texts_without(raw: RawData, kind: str, mode: str, key: bytes) -> pd.DataFrame | np.ndarray:
    """The inputs with the personal fields of that kind hidden in all texts."""

    def hide(value: object) -> object:
        if isinstance(value, (tuple, list)):
            return tuple(hide(token) for token in value)
        return (
            text_without(value, kind, lambda field: _word(field, kind, mode, key)) if isinstance(value, str) else value
        )

    if raw.modality in ("text", "tags"):
        return object_array([hide(value) for value in np.asarray(raw.inputs)])
    if isinstance(raw.inputs, pd.DataFrame):
        return raw.inputs.map(hide)
    raise InputError(f"{raw.name} is of the kind {raw.modality}", "texts or columns", f"leave {kind!r} out")


def text_without(text: str, kind: str, replacement: Callable[[str], str]) -> str:
    """The text with another text in the place of each personal field of that kind."""
    for start, end, name in reversed(list(personal_spans(text))):
        if name == kind:
            text = text[:start] + replacement(text[start:end]) + text[end:]
    return text


def _word(field: str, kind: str, mode: str, key: bytes) -> str:
    compact = re.sub(r"[\s().-]", "", field).casefold() if kind != "e-mail" else field.casefold()
    return {"mask": f"[{kind}]", "hash": f"[{kind} {keyed_hash(compact, key)}]" if mode == "hash" else "", "drop": ""}[
        mode
    ]
