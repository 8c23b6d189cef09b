"""Do these logs speak of the same instances? Items of any log, in any order, are lined up as they come.

Two items are of the same instance if their logs say so (hashes, ids). A cell is left out, and counted, where a model
was judged by another reference than the one before it; it is kept, and counted, where the prompt was another.
Memory grows with models × instances, never with the size of the files.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polyculture.errors import InputError
from polyculture.predictions import MISSING

from ..canonical_answers import canonical
from ..json_lines import BadLines
from ..normalization import normalizer
from ..rules import ReadingRules
from .columns import ModelRun, Vocabulary
from .item import Item

_EXAMPLES = 12
_UNTOLD = MISSING


class PredictionsBuilder:
    """Takes items as they come.

    Parameters
    ----------
    rules : how answers are read.
    bad : keeps count of lines that cannot be read.
    labels : the true answers by the id of the instance, where the logs do not tell them.
    """

    def __init__(self, rules: ReadingRules, bad: BadLines, labels: Mapping[str, str] | None = None) -> None:
        self.rules, self.bad, self.given = rules, bad, labels
        self.normalize = normalizer(rules.normalize)
        self.refuses = re.compile(rules.refusal or r"(?!)").search
        self.vocabulary = Vocabulary()
        self.instances: dict[str, int] = {}
        self.shown: list[str] = []
        self.labels, self.references, self.prompts = array("i"), array("q"), array("q")
        self.options, self.groups = array("i"), array("i")
        self.group_names = Vocabulary()
        self.columns: dict[tuple[str, int], ModelRun] = {}
        self.factors: dict[str, dict[str, Any]] = {}
        self.examples: dict[str, tuple[str, str]] = {}
        self.notes: dict[str, None] = {}
        self.choices: tuple[str, ...] | None = None
        self.same_choices = True
        self.fractions = 0

    def about(self, model: str, factors: Mapping[str, Any]) -> None:
        """What a log tells of a model."""
        self.factors.setdefault(model, {}).update({k: v for k, v in factors.items() if v not in (None, "")})

    def note(self, sentence: str) -> None:
        """Something that the reader chose, once."""
        self.notes[sentence] = None

    def add(self, item: Item) -> None:
        """Take one item; raises InputError where it contradicts an earlier one."""
        outcome = self._outcome(item)
        if outcome is None:
            return
        answer, state = self._answer(item)
        label = self._label(item)
        if outcome == MISSING and label is not None and state != "failed":
            normal_form = canonical if self.rules.unify else str
            outcome = int(answer is not None and normal_form(answer) == normal_form(label))
        column = self.columns.get((item.model, item.repeat))
        if column is None:
            source = item.place.partition(" of ")[2] or item.place
            column = self.columns[(item.model, item.repeat)] = ModelRun(item.model, item.repeat, source)
        self._place(item, column, (self.vocabulary.code(answer), self.vocabulary.code(label), outcome), state)

    def _place(self, item: Item, column: ModelRun, codes: tuple[int, int, int], state: str) -> None:
        answer, label, outcome = codes
        index = self.instances.get(item.instance)
        reference = hash(item.reference) if item.reference else label
        prompt = hash(item.prompt) if item.prompt else _UNTOLD
        if index is None:
            index = self._new(item, label, reference, prompt)
        else:
            column.last = self._in_order(column, index)
            if _differ(self.references[index], reference):
                column.count("other_reference")
                return
            if _differ(self.prompts[index], prompt):
                column.count("other_prompt")
        if column.seen(index):
            self._again(item, column, index, answer, outcome)
            return
        column.put(index, answer, outcome)
        if state:
            column.count(state)
        if item.chances and len(item.chances) == self.options[index]:
            column.chances.extend(item.chances)
            column.chances_at.append(index)
        self._look_at_choices(item)

    def _new(self, item: Item, label: int, reference: int, prompt: int) -> int:
        index = self.instances[item.instance] = len(self.shown)
        self.shown.append(item.shown)
        self.labels.append(label)
        self.references.append(reference)
        self.prompts.append(prompt)
        self.options.append(item.options)
        self.groups.append(self.group_names.code(item.group))
        return index

    @staticmethod
    def _in_order(column: ModelRun, index: int) -> int:
        if index < column.last:
            column.count("other_order")
        return index

    def _again(self, item: Item, column: ModelRun, index: int, answer: int, outcome: int) -> None:
        if (column.answers[index], column.outcomes[index]) == (answer, outcome):
            column.count("duplicated")
            return
        raise InputError(
            f"model {item.model!r} answers the instance {item.shown!r} twice and not alike ({column.source} and "
            f"{item.place})",
            "one answer per model and instance",
            'if these are two runs, name them apart: read({"run-1": path, "run-2": path})',
        )

    def _outcome(self, item: Item) -> int | None:
        """Right (1), wrong (0), MISSING where nothing is told; None where the cell is corrupt and skipped."""
        score = item.score
        if score is None:
            return MISSING
        number = _number(score)
        if math.isnan(number):
            self.bad.add(item.place, f"gives model {item.model!r} the score {score!r}", "a number, or true or false")
            return None
        self.fractions += number not in (0.0, 1.0)
        return int(number >= self.rules.threshold)

    def _answer(self, item: Item) -> tuple[str | None, str]:
        """The answer in its common form, and why it is none where it is none."""
        if item.state or item.answer is None:
            return None, item.state
        if not item.free:
            return item.answer, ""
        if self.refuses(item.answer):
            self._show(item.answer, "", "refusal")
            return None, "refused"
        answer = self.normalize(item.answer)
        self._show(item.answer, answer or "", self.rules.normalize)
        return answer, "" if answer else "unparsed"

    def _label(self, item: Item) -> str | None:
        label = item.label
        if self.given is not None and label is None:
            if item.shown not in self.given:
                raise InputError(f"no label for the instance {item.shown!r}", "a true answer for every instance")
            label = self.given[item.shown]
        if label is None or not item.free:
            return label
        return self.normalize(label) or label.strip()

    def _show(self, text: str, answer: str, rule: str) -> None:
        if len(self.examples) < _EXAMPLES and (text != answer or len(self.examples) < _EXAMPLES // 2):
            self.examples.setdefault(text[:200], (answer[:200], rule))

    def _look_at_choices(self, item: Item) -> None:
        if self.choices is None:
            self.choices = item.choices
        self.same_choices &= bool(item.choices) and item.choices == self.choices

    def all_columns(self, order: Sequence[str] = ()) -> list[ModelRun]:
        """The runs, by the order of appearance of their models."""
        return [column for column in self.columns.values() if not order or column.model in order]

    def labels_array(self) -> np.ndarray:
        """Codes of the true answers; MISSING where they are not told."""
        return np.array(self.labels, np.int32)


def _differ(first: int, second: int) -> bool:
    """Whether both are told and not the same."""
    return first != second and _UNTOLD not in (first, second)


def _number(score: object) -> float:
    """The score as a number; nan if it is none."""
    if isinstance(score, (bool, int, float)):
        return float(score)
    if isinstance(score, str):
        word = score.strip().casefold()
        if word in ("true", "false"):
            return float(word == "true")
        try:
            return float(word)
        except ValueError:
            return math.nan
    return math.nan
