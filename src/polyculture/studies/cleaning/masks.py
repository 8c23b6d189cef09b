"""Which personal fields are hidden, and how? By name, with one secret for all hashes of a call."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.errors import FileError, InputError, near
from polyculture.preparation.cleaning import MODES, mask
from polyculture.preparation.cleaning.personal_patterns import personal_spans
from polyculture.preparation.problems import RawData
from polyculture.preparation.problems.raw_data import Inputs

KEY_FILE = "mask.key"
"""File of the secret in the folder of a run: with it the same hashes are made when the run is resumed or explained."""
KEY_BYTES = 32
PATTERNS = ("e-mail", "phone", "iban", "card")
"""Fields that are looked for in all texts."""
IDS = "instance"


@dataclass(frozen=True)
class Masks:
    """Fields to hide.

    Parameters
    ----------
    fields : by field what to do with it, as `polyculture.preparation.cleaning.mask` takes it.
    key : secret of the hashes; no part of what is stored.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False, compare=False)

    def __bool__(self) -> bool:
        return bool(self.fields)

    def require(self, raw: RawData, columns: Sequence[str], label: str) -> None:
        """Raise InputError for a field that neither the data nor their files have, and for the label."""
        known = {*_columns(raw), *columns, IDS, *PATTERNS}
        for name in self.fields:
            if name not in known:
                raise InputError(f"no field {name!r} to hide", "", near(name, known))
            if label and name == label:
                raise InputError(f"the label {name!r} as a field to hide", "a field that is not to be learned")

    def applied(self, raw: RawData, identity: str = "") -> RawData:
        """The raw data with those of the fields hidden that it has; `identity` is the column of the ids."""
        known = {*_columns(raw), IDS, *PATTERNS}
        names = {IDS if name == identity and name not in known else name: how for name, how in self.fields.items()}
        fields = {name: how for name, how in names.items() if name in known}
        return mask(raw, fields, key=self.key) if fields else raw

    def strict(self, raw: RawData) -> RawData:
        """The raw data with all of the fields hidden; InputError where it lacks one."""
        self.require(raw, (), "")
        return self.applied(raw)

    def of_frame(self, frame: pd.DataFrame, identity: str = "") -> pd.DataFrame:
        """All columns of a file with the fields hidden; columns that are to be dropped are gone."""
        fields = {identity if name == IDS and identity else name: how for name, how in self.fields.items()}
        fields = {name: how for name, how in fields.items() if name in frame.columns or name in PATTERNS}
        if not fields:
            return frame
        n = len(frame)
        instances = pd.DataFrame(index=pd.RangeIndex(n, name=IDS))
        masked = mask(RawData("", "table", frame, np.full(n, "", object), instances), fields, key=self.key).inputs
        assert isinstance(masked, pd.DataFrame)
        return masked


def parsed_fields(words: Sequence[str]) -> dict[str, str]:
    """Fields to hide from words such as ``email=hash``; InputError for others."""
    fields = {}
    for word in words:
        name, _, how = word.rpartition("=")
        if not name or how not in MODES:
            raise InputError(f"the mask {word!r}", f"FIELD={'|'.join(MODES)}", "such as email=hash")
        fields[name] = how
    return fields


def key_in(file: Path) -> bytes:
    """The secret in this file; a new one, which `keep_key` writes, where it is not there."""
    try:
        key = file.read_bytes() if file.exists() else secrets.token_bytes(KEY_BYTES)
    except OSError as error:
        raise FileError(f"cannot read the key {file}: {error.strerror}", "a file of up to 64 bytes") from error
    if not 0 < len(key) <= 64:
        raise InputError(f"the key {file} has {len(key)} bytes", "1 to 64 bytes", "let it be made anew")
    return key


def keep_key(key: bytes, file: Path) -> None:
    """Write the secret in this file, readable for its owner only, where it is not there."""
    if file.exists():
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            new.write(key)
    except OSError as error:
        raise FileError(f"cannot write the key {file}: {error.strerror}", "a folder that can be written") from error


def with_key(masks: Masks, key: bytes) -> Masks:
    """The same fields with this secret."""
    return replace(masks, key=key)


def found_in_texts(inputs: Inputs, kinds: Collection[str]) -> Counter[str]:
    """How many fields of these kinds, such as e-mail addresses, texts or the cells of a table have."""
    cells: Iterable[object] = inputs.to_numpy(dtype=object).ravel() if isinstance(inputs, pd.DataFrame) else inputs
    words = (word for cell in cells for word in (cell if isinstance(cell, (tuple, list)) else (cell,)))
    spans = (personal_spans(word) for word in words if isinstance(word, str))
    return Counter(kind for found in spans for _, _, kind in found if kind in kinds)


def _columns(raw: RawData) -> list[str]:
    inputs = list(map(str, raw.inputs.columns)) if isinstance(raw.inputs, pd.DataFrame) else []
    return [*inputs, *map(str, raw.instances.columns)]
