"""What is asked? Labels as they were written, as classes or as numbers."""

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
from .raw_data import RawData, listed

MOST_NUMBERED_CLASSES = 20
FEWEST = 5
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


def plain(label: object) -> str:
    """The label as text; whole numbers without a fraction, so that 1 and 1.0 are one class."""
    number = number_of(label)
    return str(int(number)) if number is not None and number.is_integer() else str(label).strip()


def number_of(label: object) -> float | None:
    """The label as a finite number, if it is one."""
    text = str(label)
    try:
        number = float("no" if "_" in text else text)  # Python reads 1_2 as twelve
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def asked(material: RawData, source: DataOptions) -> RawData:
    """The material with labels that are what is asked for: classes as strings, or numbers as floats."""
    if material.labels.dtype.kind == "f" or material.modality == "tags":
        return material
    if source.positive:
        return replace(material, labels=_positive(material.labels, source.positive))
    if task_of(material.labels, source) == "regression":
        numbers = [number_of(label) for label in material.labels]
        strange = next((label for label, number in zip(material.labels, numbers, strict=True) if number is None), None)
        if strange is not None:
            raise InputError(f"{material.name} has the label {strange!r}", "numbers", "name another column by label")
        return replace(material, labels=np.array(numbers, np.float64))
    return replace(material, labels=listed([plain(label) for label in material.labels]))


def task_of(labels: Shaped[np.ndarray, " n"], source: DataOptions) -> str:
    """What these labels ask for, where the user does not say."""
    if source.task:
        return source.task
    different = set(labels)
    numbers = [number_of(label) for label in different]
    if any(number is None for number in numbers):
        return "classification"
    fractions = any(number is not None and not number.is_integer() for number in numbers)
    return "regression" if fractions or len(different) > MOST_NUMBERED_CLASSES else "classification"


def classes_of(material: RawData) -> tuple[str, ...]:
    """The classes in order, numbers by size; none where numbers are predicted.

    Raises InputError if there is but one, or if one has fewer instances than can be dealt to all parts.
    """
    if material.labels.dtype.kind == "f":
        return ()
    tags = material.modality == "tags"
    counts = Counter(tag for row in material.labels for tag in row) if tags else Counter(material.labels.tolist())
    if len(counts) < 2:
        raise InputError(
            f"all {len(material):,} instances of {material.name} are of the class {next(iter(counts), '')!r}",
            "two classes or more",
            "name another column by label",
        )
    rarest, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest < FEWEST and not tags:
        raise InputError(
            f"the class {rarest!r} of {material.name} has {fewest} instance{'s' if fewest != 1 else ''}",
            f"{FEWEST} or more of each",
            "leave it out, or name another column by label",
        )
    return tuple(sorted(counts, key=lambda name: (number_of(name) is None, number_of(name) or 0.0, name)))


def _positive(labels: Shaped[np.ndarray, " n"], expression: str) -> Shaped[np.ndarray, " n"]:
    match = re.fullmatch(r"(>=|<=|!=|>|<|=)?\s*(.+)", expression)
    sign, value = (match[1] or "=", match[2]) if match else ("=", expression)
    if sign in ("=", "!="):
        met = [_COMPARISONS[sign](plain(label), plain(value)) for label in labels]
    else:
        limit = number_of(value)
        numbers = [number_of(label) for label in labels]
        if limit is None or None in numbers:
            strange = value if limit is None else labels[numbers.index(None)]
            raise InputError(f"{expression!r} compares with {strange!r}", "numbers on both sides")
        met = [_COMPARISONS[sign](number, limit) for number in numbers]
    return listed([expression if yes else f"not {expression}" for yes in met])
