"""How are texts read? From lines of a label and a text, or from a table with a column of texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from polyculture.errors import InputError

from ..data_options import DataOptions, name_of
from ..raw_data import RawData, object_array, sequence_data
from .tables import read_tables, text_lines

TEXT_NAMES = ("text", "sentence", "content", "review", "message", "question", "tweet", "comment")
_COARSE = re.compile(r"^([A-Z]+):\w+$")


def read_lines(paths: Sequence[Path], options: DataOptions) -> RawData:  # noqa: ARG001
    """A text per line: label, a tab or a blank, text. Labels such as ``ABBR:exp`` are cut at the colon.

    Raises InputError for a line without a text.
    """
    texts, labels, sources = [], [], []
    for path in paths:
        for number, line in enumerate(text_lines(path), start=1):
            if not line.strip():
                continue
            label, _, text = line.lstrip().partition("\t" if "\t" in line else " ")
            if not text.strip():
                raise InputError(f"line {number} of {path} is {line[:40]!r}", "a label, a tab or a blank, and a text")
            texts.append(text.strip())
            labels.append(label)
            sources.append(path)
    if labels and all(_COARSE.match(label) for label in labels):
        labels = [label.partition(":")[0] for label in labels]
    return sequence_data(name_of(paths), "text", texts, labels, sources)


def read_text_tables(paths: Sequence[Path], options: DataOptions) -> RawData:
    """Tables with one column of texts: the one with a common name whose cells have three words or more on average.

    Raises InputError if there is no column of texts.
    """
    raw = read_tables(paths, options)
    assert isinstance(raw.inputs, pd.DataFrame)
    column = text_column(raw.inputs)
    if not column:
        raise InputError(f"{paths[0]} has no column of texts", f"one called {', '.join(TEXT_NAMES)}")
    texts = raw.inputs[column].fillna("").astype(str).tolist()
    return replace(raw, modality="text", inputs=object_array(texts), note=f"{raw.note}, the text {column!r}")


def text_column(table: pd.DataFrame) -> str:
    """The column with a common name of texts whose cells have three words or more on average; or nothing."""
    for name in table.columns:
        words = table[name].dropna().astype(str).str.count(r"\S+")
        if str(name).lower() in TEXT_NAMES and len(words) and words.mean() >= 3:
            return str(name)
    return ""
