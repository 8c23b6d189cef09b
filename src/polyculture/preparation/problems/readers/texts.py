"""How are texts read? One per line with its label before it, or a table with a column of texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from polyculture.errors import InputError

from ..data_options import DataOptions, name_of, part_of, stem_of
from ..raw_data import RawData, listed, numbered
from .tables import read_tables, text_lines

USUAL_TEXTS = ("text", "sentence", "content", "review", "message", "question", "tweet", "comment")
_COARSE = re.compile(r"^([A-Z]+):\w+$")


def read_lines(paths: Sequence[Path], source: DataOptions) -> RawData:  # noqa: ARG001
    """A text per line: label, a tab or a blank, text. Of labels such as ``ABBR:exp`` what is before the colon counts.

    Raises InputError for a line without a text.
    """
    texts, labels, files, parts = [], [], [], []
    for path in paths:
        for number, line in enumerate(text_lines(path), start=1):
            if not line.strip():
                continue
            label, _, text = line.lstrip().partition("\t" if "\t" in line else " ")
            if not text.strip():
                raise InputError(f"line {number} of {path} is {line[:40]!r}", "a label, a tab or a blank, and a text")
            texts.append(text.strip())
            labels.append(label)
            files.append(stem_of(path))
            parts.append(part_of(path))
    if labels and all(_COARSE.match(label) for label in labels):
        labels = [label.partition(":")[0] for label in labels]
    known = numbered(len(texts), **({"file": files} if len(set(files)) > 1 else {}))
    return RawData(
        name_of(paths),
        "text",
        listed(texts),
        listed(labels),
        known,
        np.array(parts if any(parts) else [], dtype=str),
    )


def read_text_tables(paths: Sequence[Path], source: DataOptions) -> RawData:
    """Tables with one column of texts: one with a usual name, or else the one with the longest cells.

    Raises InputError if there is no column of texts.
    """
    material = read_tables(paths, source)
    assert isinstance(material.inputs, pd.DataFrame)
    column = text_column(material.inputs)
    if not column:
        raise InputError(f"{paths[0]} has no column of texts", f"one called {', '.join(USUAL_TEXTS)}")
    texts = material.inputs[column].fillna("").astype(str).tolist()
    return replace(material, modality="text", inputs=listed(texts), told=f"{material.told}, the text {column!r}")


def text_column(table: pd.DataFrame) -> str:
    """The column of texts by its usual name, if its cells have three words or more on average; or nothing."""
    for name in table.columns:
        words = table[name].dropna().astype(str).str.count(r"\S+")
        if str(name).lower() in USUAL_TEXTS and len(words) and words.mean() >= 3:
            return str(name)
    return ""
