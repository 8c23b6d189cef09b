"""How do labels as they were written become classes or numbers?"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Shaped

from polyculture.errors import InputError

from .data_options import DataOptions
from .raw_data import RawData, object_array

MAX_NUMBERED_CLASSES = 20
MIN_CLASS_SIZE = 5
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)(\.0*)?")
_LEADING_ZERO = re.compile(r"[+-]?0\d")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


def label_text(label: object) -> str:
    """The label as text; 1.0 is 1, but 01 and 1e0 are classes of their own."""
    text = str(label).strip()
    return str(int(text.partition(".")[0])) if _WHOLE.fullmatch(text) else text


def number_of(label: object) -> float | None:
    """The label as a finite number, if it is one."""
    text = str(label)
    try:
        number = float("no" if "_" in text else text)  # Python reads 1_2 as twelve
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def with_parsed_labels(raw: RawData, options: DataOptions) -> RawData:
    """The raw data with classes as strings, or with numbers to predict as floats."""
    if raw.labels.dtype.kind == "f" or raw.modality == "tags":
        return raw
    if options.positive:
        return replace(raw, labels=_positive(raw.labels, options.positive))
    if task_of(raw.labels, options) == "regression":
        numbers = [number_of(label) for label in raw.labels]
        invalid = next((label for label, number in zip(raw.labels, numbers, strict=True) if number is None), None)
        if invalid is not None:
            raise InputError(f"{raw.name} has the label {invalid!r}", "numbers", "name another column by label")
        return replace(raw, labels=np.array(numbers, np.float64))
    return replace(raw, labels=object_array([label_text(label) for label in raw.labels]))


def task_of(labels: Shaped[np.ndarray, " n"], options: DataOptions) -> str:
    """The task that the user names, or that these labels suggest."""
    if options.task:
        return options.task
    distinct = set(labels)
    if any(_LEADING_ZERO.match(str(label).strip()) for label in distinct):
        return "classification"  # codes, such as postal codes or diagnoses
    numbers = [number_of(label) for label in distinct]
    if any(number is None for number in numbers):
        return "classification"
    fractions = any(number is not None and not number.is_integer() for number in numbers)
    return "regression" if fractions or len(distinct) > MAX_NUMBERED_CLASSES else "classification"


def classes_of(raw: RawData) -> tuple[str, ...]:
    """The classes in order, numbers by size; none where numbers are predicted.

    Raises InputError for a single class, and for a class with too few instances for all parts.
    """
    if raw.labels.dtype.kind == "f":
        return ()
    tags = raw.modality == "tags"
    counts = Counter(tag for row in raw.labels for tag in row) if tags else Counter(raw.labels.tolist())
    if len(counts) < 2:
        raise InputError(
            f"all {len(raw):,} instances of {raw.name} are of the class {next(iter(counts), '')!r}",
            "two classes or more",
            "name another column by label",
        )
    rarest, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest < MIN_CLASS_SIZE and not tags:
        raise InputError(
            f"the class {rarest!r} of {raw.name} has {fewest} instance{'s' if fewest != 1 else ''}",
            f"{MIN_CLASS_SIZE} or more of each",
            "leave it out, or name another column by label",
        )
    return tuple(sorted(counts, key=lambda name: (number_of(name) is None, number_of(name) or 0.0, name)))


def _positive(labels: Shaped[np.ndarray, " n"], expression: str) -> Shaped[np.ndarray, " n"]:
    match = re.fullmatch(r"(>=|<=|!=|>|<|=)?\s*(.+)", expression)
    sign, value = (match[1] or "=", match[2]) if match else ("=", expression)
    if sign in ("=", "!="):
        positive = [_COMPARISONS[sign](label_text(label), label_text(value)) for label in labels]
    else:
        limit = number_of(value)
        numbers = [number_of(label) for label in labels]
        if limit is None or None in numbers:
            invalid = value if limit is None else labels[numbers.index(None)]
            raise InputError(f"{expression!r} compares with {invalid!r}", "numbers on both sides")
        positive = [_COMPARISONS[sign](number, limit) for number in numbers]
    return object_array([expression if match else f"not {expression}" for match in positive])
