"""Which class does a chat model's text name? A class only where it is beyond doubt; else none."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

import numpy as np
from jaxtyping import Float

from polyculture.errors import InputError, near

Row = Float[np.ndarray, " c"]
_FENCE = re.compile(r"^```[a-zA-Z]*\s*\n(.*?)\n?```$", re.S)
_MARKS = " \t\r\n*_`#\"'“”‘’.,;:!()[]{}"
_BULLET = re.compile(r"^\s*[-*•]\s+")
_LABELED = re.compile(r"(?:answer|verdict|choice|label|class|score|rating)\s*(?:is|:|=)\s*(.+)$", re.I)
_RATIO = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(?:/|out of)\s*(\d+(?:\.\d+)?)")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")
REFUSAL = re.compile(
    r"\b(?:i(?:['’]m| am) (?:sorry|unable|not able)|i (?:can(?:not|['’]t)|won['’]t|must decline)"
    r"|as an ai\b|cannot (?:help|assist))",
    re.I,
)
"""How models decline in English; looked for only where no answer could be read."""


@dataclass(frozen=True)
class AnswerParser:
    """How the text of a chat model becomes probabilities, or a value in regression.

    Parameters
    ----------
    kind : ``"choice"``, the text names a class: alone, on its first or last line alone, in double brackets, or after
        ``Answer:``. ``"score"``, it gives a number: the probability of the second of two classes between `low` and
        `high`, or the value in regression. ``"json"``, it is an object whose `field` has a class, a number or a
        probability for each class.
    options : by what the model writes (A, B, yes, …) the class it stands for; the names of the classes if left out.
    field : of the object (json).
    low, high : the ends of the scale (score, and json with a number); in regression any number if left out.
    certainty : probability of the class that is named; the others share what is left.

    Raises InputError for a value that cannot be used.
    """

    kind: str = "choice"
    options: Mapping[str, str] = field(default_factory=dict)
    field: str = "answer"
    low: float = 0.0
    high: float = 1.0
    certainty: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in ("choice", "score", "json"):
            raise InputError(f"kind of a parser is {self.kind!r}", "'choice', 'score' or 'json'")
        if not self.low < self.high:
            raise InputError(f"the scale of a parser goes from {self.low:g} to {self.high:g}", "low below high")
        if not 0 < self.certainty <= 1:
            raise InputError(f"certainty of a parser is {self.certainty:g}", "a number above 0, at most 1")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AnswerParser:
        """The parser in a manifest or a TOML table."""
        names = {f.name for f in fields(cls)}
        if not isinstance(values, Mapping):
            raise InputError(f"a parser is {values!r}", 'a table such as { kind = "choice" }')
        for name in values:
            if name not in names:
                raise InputError(f"a parser has {name!r}", "", near(str(name), names))
        options = values.get("options", {})
        if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options.values()):
            raise InputError(f"options of a parser are {options!r}", 'a table such as { A = "yes", B = "no" }')
        for name in ("kind", "field"):
            if not isinstance(values.get(name, ""), str):
                raise InputError(f"{name} of a parser is {values[name]!r}", "a text")
        numbers = {name: values[name] for name in ("low", "high", "certainty") if name in values}
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise InputError(f"{name} of a parser is {value!r}", "a number")
        return cls(**{**values, **{name: float(value) for name, value in numbers.items()}})

    def to_dict(self) -> dict[str, Any]:
        """What differs from the defaults."""
        defaults = {f.name: f.default for f in fields(self) if f.default is not MISSING} | {"options": {}}
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    def check(self, classes: Sequence[str]) -> None:
        """Refuse classes that this parser can never answer with."""
        unknown = [name for name in self.options.values() if name not in classes]
        if unknown:
            raise InputError(f"an option of a parser stands for {unknown[0]!r}", "", near(unknown[0], classes))
        absent = [name for name in classes if self.options and name not in self.options.values()]
        if absent:
            raise InputError(f"no option of a parser stands for {absent[0]!r}", "an option for every class")
        if self.kind == "score" and len(classes) not in (0, 2):
            raise InputError(
                f"a score with {len(classes)} classes", "two classes, or regression", 'use kind = "choice"'
            )
        if self.kind == "choice" and not classes:
            raise InputError("a choice in regression", "a number", 'use kind = "score"')
        names = [_plain(name) for name in (self.options or classes)]
        if len(set(names)) < len(names) or "" in names:
            raise InputError("two options of a parser differ only in case or signs", "names that can be told apart")

    def parse(self, text: str, classes: Sequence[str]) -> Row | None:
        """Probabilities (c,) from the text, or the value (1,) in regression; None where it names no class.

        Parameters
        ----------
        classes : names of the classes; empty in regression.
        """
        fence = _FENCE.match(text.strip())
        text = (fence[1] if fence else text).strip()
        if self.kind == "choice":
            return self._choice(text, classes)
        return self._scored(_score(text, self.high), classes) if self.kind == "score" else self._object(text, classes)

    def _named(self, text: str, classes: Sequence[str]) -> Row | None:
        """The row of the class that this text is the name of."""
        options = {_plain(name): target for name, target in (self.options or {c: c for c in classes}).items()}
        target = options.get(_plain(text))
        if target is None:
            return None
        row = np.full(len(classes), (1 - self.certainty) / max(len(classes) - 1, 1))
        row[classes.index(target)] = self.certainty
        return row

    def _choice(self, text: str, classes: Sequence[str]) -> Row | None:
        exact = self._named(text, classes)
        if exact is not None:
            return exact
        lines = [line for line in text.splitlines() if line.strip(_MARKS)]
        labeled = [match[1] for line in lines if (match := _LABELED.search(line))]
        ends = [lines[0], lines[-1]] if lines else []
        rows = [self._named(name, classes) for name in (*re.findall(r"\[\[(.+?)\]\]", text), *labeled, *ends)]
        return _unanimous([row for row in rows if row is not None])

    def _scored(self, score: float | None, classes: Sequence[str]) -> Row | None:
        if score is None or not math.isfinite(score):
            return None
        scaled = bool(classes) or (self.low, self.high) != (0.0, 1.0)  # regression has a scale only if it is given
        if len(classes) not in (0, 2) or (scaled and not self.low <= score <= self.high):
            return None
        if not classes:
            return np.array([score])
        share = (score - self.low) / (self.high - self.low)
        return np.array([1 - share, share])

    def _object(self, text: str, classes: Sequence[str]) -> Row | None:
        try:
            value = json.loads(text)[self.field]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            return None
        if isinstance(value, bool):
            return self._named(str(value).lower(), classes)
        if isinstance(value, (int, float)) and str(value) not in (self.options or classes):
            return self._scored(float(value), classes)
        if isinstance(value, Mapping):
            return self._distribution(value, classes)
        return self._named(str(value), classes) if isinstance(value, (str, int, float)) else None

    def _distribution(self, shares: Mapping[str, Any], classes: Sequence[str]) -> Row | None:
        """A probability for every class, which sum to 1 but for rounding."""
        options = self.options or {name: name for name in classes}
        if set(shares) != set(options):
            return None
        row = np.zeros(len(classes))
        for name, share in shares.items():
            if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
                return None
            row[classes.index(options[name])] += share
        return row / row.sum() if abs(row.sum() - 1) <= 0.02 else None


def _plain(name: str) -> str:
    """A name without case, marks around it and repeated spaces."""
    return " ".join(_BULLET.sub("", str(name)).strip(_MARKS).split()).casefold()


def _unanimous(rows: Sequence[Row]) -> Row | None:
    """The row that all of these are; None where they differ, and where there is none."""
    return rows[0] if rows and all(np.array_equal(row, rows[0]) for row in rows) else None


def _score(text: str, high: float) -> float | None:
    """The number that the text gives; None where it gives none, or several."""
    lines = [line for line in text.splitlines() if line.strip(_MARKS)]
    labeled = [match[1] for line in lines if (match := _LABELED.search(line))]
    places = [*re.findall(r"\[\[(.+?)\]\]", text), *labeled, *([lines[0], lines[-1]] if lines else [])]
    numbers = {number for place in places if (number := _number(place, high)) is not None}
    return numbers.pop() if len(numbers) == 1 else None


def _number(text: str, high: float) -> float | None:
    """The number that a text is, alone or out of the largest score."""
    text = text.strip().strip("*_`\"'[]() ").removesuffix(".").strip()
    ratio = _RATIO.fullmatch(text)
    if ratio:
        return float(ratio[1]) if float(ratio[2]) == high else None
    return float(text) if _NUMBER.fullmatch(text) else None
