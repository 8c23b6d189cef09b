"""Which answers belong to the same instance? Items of any log, in any order, are matched as they come.

Items are matched by the hashes or ids in their logs. A cell is left out, and counted, where a model was scored against
another reference than the models before it; where only the prompt differs it is counted but not left out. Memory grows
with models × instances, not with the size of the files.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from polyculture.errors import InputError
from polyculture.predictions import MISSING

from ..canonical_answers import canonical
from ..json_lines import BadLines
from ..normalization import normalizer
from ..rules import ReadingRules
from .columns import ModelRun, Vocabulary
from .item import Item
from .scores import RANGE_CURE, is_right, is_share, is_unscored, is_whole, right_or_number

_MAX_EXAMPLES = 12
_UNKNOWN = MISSING
_RIGHT_OR_WRONG = (1, 0)
_PENDING = ("failed", "unscored")
"""States without an outcome."""


class PredictionsBuilder:
    """Collects items as they come.

    Parameters
    ----------
    rules : how answers are read.
    bad : records lines that cannot be read.
    labels : the true answers by the id of the instance, where the logs lack them.
    """

    def __init__(self, rules: ReadingRules, bad: BadLines, labels: Mapping[str, str] | None = None) -> None:
        self.rules, self.bad, self.extra_labels = rules, bad, labels
        self.normalize = normalizer(rules.normalize)
        self.refuses = re.compile(rules.refusal or r"(?!)").search
        self.vocabulary = Vocabulary()
        self.instances: dict[str, int] = {}
        self.display_ids: list[str] = []
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
        self.metrics: dict[str, str] = {}
        self.filters: dict[str, str] = {}
        self.repeats: dict[str, int] = {}  # number of the run by file
        self.parsers: dict[str, Any] = {}  # by kind of log
        self.epochs: dict[tuple[str, str], dict[str, int]] = {}  # by model and task: number of epochs by run
        self.runs: dict[tuple[str, str, str], int] = {}  # number of the run by model, task and file

    def metric_of(self, task: str, default: str) -> str:
        """The metric that counts for a task: the one named, or the first one of its first log; one per task."""
        return self.metrics.setdefault(task, self.rules.metric or default)

    def add_factors(self, model: str, factors: Mapping[str, Any]) -> None:
        """Record factors of a model."""
        self.factors.setdefault(model, {}).update({k: v for k, v in factors.items() if v not in (None, "")})

    def note(self, sentence: str) -> None:
        """Record a choice for the report, once."""
        self.notes[sentence] = None

    def epochs_before(self, model: str, task: str, run: str, count: int) -> int:
        """The epochs of earlier runs of a task, where each is read, as this one with so many epochs is."""
        runs = self.epochs.setdefault((model, task), {})
        runs[run] = max(count, runs.get(run, 0))
        return sum(runs[earlier] for earlier in list(runs)[: list(runs).index(run)])

    def _run(self, item: Item) -> int:
        """Number of the run that its file is of the model: the first that lacks the first instance of the file."""
        run = (item.model, item.group, item.place.partition(" of ")[2])
        if run not in self.runs:
            index, number = self.instances.get(item.instance), 1
            while index is not None and (c := self.columns.get((item.model, number))) is not None and c.has(index):
                number += 1
            self.runs[run] = number
        return self.runs[run]

    def add(self, item: Item) -> None:
        """Add one item; raises InputError where it contradicts an earlier one."""
        if self.rules.repeats and not item.repeat:
            item = replace(item, repeat=self._run(item))
        if self._is_plain(item):
            answer, state, label, outcome = item.answer, "", item.label, int(item.score)
        else:
            if item.state != "failed" and is_unscored(item.score):
                item = replace(item, state="unscored")
            verdict = self._outcome(item)
            if verdict is None:
                return
            answer, state = self._answer(item)
            label, outcome = self._label(item), verdict
            if outcome == MISSING and label is not None and state not in _PENDING:
                normal_form = canonical if self.rules.unify else str
                outcome = int(answer is not None and normal_form(answer) == normal_form(label))
        column = self.columns.get((item.model, item.repeat))
        if column is None:
            source = item.place.partition(" of ")[2] or item.place
            column = self.columns[(item.model, item.repeat)] = ModelRun(item.model, item.repeat, source)
        self._store(item, column, (self.vocabulary.code(answer), self.vocabulary.code(label), outcome), state)

    def _is_plain(self, item: Item) -> bool:
        """Whether an item is a choice that is scored 0 or 1: most are, and need no further look."""
        return (
            item.score in _RIGHT_OR_WRONG
            and type(item.score) in (int, float)
            and not item.free
            and not item.state
            and item.answer is not None
            and item.label is not None
            and self.rules.threshold is None
        )

    def _store(self, item: Item, column: ModelRun, codes: tuple[int, int, int], state: str) -> None:
        answer, label, outcome = codes
        index = self.instances.get(item.instance)
        reference = self._reference(item, label)
        prompt = hash(item.prompt) if item.prompt else _UNKNOWN
        if index is None:
            index = self._new_instance(item, label, reference, prompt)
        else:
            column.visit(index)
            if _differ(self.references[index], reference):
                column.count("other_reference")
                return
            if _differ(self.prompts[index], prompt):
                column.count("other_prompt")
        if column.has(index) and not self._replaces(item, column, index, (answer, outcome, state)):
            return
        column.store(index, answer, outcome)
        if column.grades:
            column.grades.pop(index, None)
        if item.score not in _RIGHT_OR_WRONG and (grade := self._grade(item)) is not None:
            column.grades[index] = grade
        if state:
            column.count(state)
        if state in _PENDING:
            column.pending[index] = state
        if item.probabilities and len(item.probabilities) == self.options[index]:
            column.probabilities.extend(item.probabilities)
            column.probability_instances.append(index)
        if self.choices is None:
            self.choices = item.choices
        self.same_choices &= bool(item.choices) and item.choices == self.choices

    def _reference(self, item: Item, label: int) -> int:
        """What must be the same for all models: the reference, or else the label; by its form where forms are equal."""
        text = item.reference or (item.label if self.rules.unify else None)
        return hash(canonical(text) if self.rules.unify else text) if text else label

    def index_of_same(self, item: Item) -> int | None:
        """The instance of an item that was added; None unless it has the same prompt, reference and options."""
        index = self.instances.get(item.instance)
        if index is None or item.label is None:
            return None
        reference = self._reference(item, self.vocabulary.code(item.label))
        instance = (self.references[index], self.prompts[index], self.options[index])
        return index if instance == (reference, hash(item.prompt), item.options) else None

    def _new_instance(self, item: Item, label: int, reference: int, prompt: int) -> int:
        index = self.instances[item.instance] = len(self.display_ids)
        self.display_ids.append(item.display_id)
        self.labels.append(label)
        self.references.append(reference)
        self.prompts.append(prompt)
        self.options.append(item.options)
        self.groups.append(self.group_names.code(item.group))
        return index

    def _replaces(self, item: Item, column: ModelRun, index: int, cell: tuple[int, int, str]) -> bool:
        """Whether an item takes the place of an earlier one, which has no outcome; raises where they differ."""
        answer, outcome, state = cell
        if state in _PENDING or (column.answers[index], column.outcomes[index]) == (answer, outcome):
            column.count("duplicated")
            return False
        if index in column.pending:
            column.counts[column.pending.pop(index)] -= 1
            column.count("duplicated")
            return True
        raise InputError(
            f"model {item.model!r} has two different answers to the instance {item.display_id!r} ({column.source} and "
            f"{item.place})",
            "one answer per model and instance",
            'if these are two runs, name them: read({"run-1": path, "run-2": path})'
            + ", or read each file as a repeat run (--repeats)" * (not item.place.endswith(f" of {column.source}")),
        )

    def _outcome(self, item: Item) -> int | None:
        """Right (1), wrong (0), MISSING where there is no score; None where the score is unreadable and skipped."""
        if item.score is None or item.state in _PENDING:
            return MISSING
        score = right_or_number(item.score)
        by_metric = f" by {item.metric}" if item.metric else ""
        problem = f"gives model {item.model!r} the score {item.score!r}{by_metric}"
        if isinstance(score, bool):
            return int(score)
        if math.isnan(score):
            self.bad.add(item.place, problem, "a finite number, or true or false")
            return None
        if self.rules.threshold is None and not is_share(score):
            raise InputError(f"{item.place} {problem}", "a score from 0 to 1", RANGE_CURE)
        self.fractions += not is_whole(score)
        return int(is_right(score, self.rules.threshold))

    def _grade(self, item: Item) -> float | None:
        """A score between 0 and 1, where no threshold makes it right or wrong."""
        if self.rules.threshold is not None or item.score is None or item.state in _PENDING:
            return None
        score = right_or_number(item.score)
        return None if isinstance(score, bool) or is_whole(score) else score

    def _answer(self, item: Item) -> tuple[str | None, str]:
        """The normal form of the answer, and its state; None where there is no answer."""
        if item.state or item.answer is None:
            return None, item.state
        if not item.free:
            return item.answer, ""
        if self.refuses(item.answer):
            self._add_example(item.answer, "", "refusal")
            return None, "refused"
        answer = self.normalize(item.answer)
        self._add_example(item.answer, answer or "", self.rules.normalize)
        return answer, "" if answer else "unparsed"

    def _label(self, item: Item) -> str | None:
        label = item.label
        if self.extra_labels is not None and label is None:
            if item.display_id not in self.extra_labels:
                raise InputError(f"no label for the instance {item.display_id!r}", "a true answer for every instance")
            label = self.extra_labels[item.display_id]
        if label is None or not item.free:
            return label
        return self.normalize(label) or label.strip()

    def _add_example(self, text: str, answer: str, rule: str) -> None:
        if len(self.examples) < _MAX_EXAMPLES and (text != answer or len(self.examples) < _MAX_EXAMPLES // 2):
            self.examples.setdefault(text[:200], (answer[:200], rule))


def _differ(first: int, second: int) -> bool:
    """Whether both are known and different."""
    return first != second and _UNKNOWN not in (first, second)
