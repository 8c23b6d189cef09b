"""What has one model answered so far? Codes by instance, in growing arrays; each distinct text is stored once."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from polyculture.predictions import MISSING

ABSENT = -2
_MAX_LENGTH = 200


class Vocabulary:
    """Texts as codes, in order of appearance; a long text is stored as its start and a hash."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}

    def code(self, text: str | None) -> int:
        """The code of a text; MISSING for none."""
        if text is None:
            return MISSING
        code = self.codes.get(text)
        if code is not None:
            return code
        if len(text) > _MAX_LENGTH:
            digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
            text = f"{text[: _MAX_LENGTH - 20]}… {digest}"
        return self.codes.setdefault(text, len(self.codes))

    @property
    def texts(self) -> list[str]:
        """The texts in the order of their codes."""
        return list(self.codes)


@dataclass(eq=False)
class ModelRun:
    """The answers of one run of one model; `answers` and `outcomes` have a place per instance.

    Parameters
    ----------
    model, repeat : the model, and the number of the run.
    source : file of its first answer.
    counts : how many items are unparsed, refused, ….
    pending : by instance, why an item has no outcome (failed, unscored); a later one takes its place.
    grades : by instance, scores that are neither 0 nor 1, where no threshold makes them right or wrong.
    """

    model: str
    repeat: int
    source: str
    answers: array[int] = field(default_factory=lambda: array("i"))
    outcomes: array[int] = field(default_factory=lambda: array("b"))
    probabilities: array[float] = field(default_factory=lambda: array("f"))
    probability_instances: array[int] = field(default_factory=lambda: array("i"))
    counts: dict[str, int] = field(default_factory=dict)
    pending: dict[int, str] = field(default_factory=dict)
    grades: dict[int, float] = field(default_factory=dict)
    last: int = -1

    def has(self, instance: int) -> bool:
        """Whether it has an item for this instance."""
        return instance < len(self.answers) and self.answers[instance] != ABSENT

    def visit(self, instance: int) -> None:
        """Count an item that stands before one of an instance of which it stands behind in other runs."""
        if instance < self.last and not self.has(instance):
            self.count("other_order")
        self.last = instance

    def store(self, instance: int, answer: int, outcome: int) -> None:
        """Store one item."""
        gap = instance + 1 - len(self.answers)
        if gap > 0:
            self.answers.extend([ABSENT] * gap)
            self.outcomes.extend([MISSING] * gap)
        self.answers[instance] = answer
        self.outcomes[instance] = outcome

    def has_any(self, instances: Int[np.ndarray, " k"]) -> bool:
        """Whether it has an item for one of these instances, or one of them is among them twice."""
        first = instances[instances < len(self.answers)]
        is_taken = first.size and (np.frombuffer(self.answers, np.int32)[first] != ABSENT).any()
        return bool(is_taken) or len(np.unique(instances)) < len(instances)

    def store_all(
        self, instances: Int[np.ndarray, " k"], answers: Int[np.ndarray, " k"], outcomes: Int[np.ndarray, " k"]
    ) -> None:
        """Store an item for each of these instances, none of which it has."""
        n_behind = int(np.count_nonzero(np.diff(instances, prepend=self.last) < 0))
        if n_behind:
            self.counts["other_order"] = self.counts.get("other_order", 0) + n_behind
        self.last = int(instances[-1])
        gap = int(instances.max()) + 1 - len(self.answers)
        self.answers.extend([ABSENT] * gap)
        self.outcomes.extend([MISSING] * gap)
        np.frombuffer(self.answers, np.int32)[instances] = answers
        np.frombuffer(self.outcomes, np.int8)[instances] = outcomes

    def count(self, event: str) -> None:
        """Count one event of this kind."""
        self.counts[event] = self.counts.get(event, 0) + 1

    def dense(self, n: int) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Answers (UNSEEN where there is no item) and outcomes of all n instances."""
        answers = np.full(n, ABSENT, np.int32)
        outcomes = np.full(n, MISSING, np.int8)
        answers[: len(self.answers)] = np.frombuffer(self.answers, np.int32) if self.answers else 0
        outcomes[: len(self.outcomes)] = np.frombuffer(self.outcomes, np.int8) if self.outcomes else 0
        return answers, outcomes

    def by_instance(self, options: Int[np.ndarray, " n"], classes: int) -> Float[np.ndarray, "n c"]:
        """Probabilities per instance and class, 0 beyond the instance's options; nan where there is no item."""
        table = np.full((len(options), classes), np.nan, np.float32)
        instances = np.frombuffer(self.probability_instances, np.int32)
        sizes = options[instances]
        rows = np.repeat(instances, sizes)
        offsets = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        table[instances] = 0.0
        table[rows, offsets] = np.frombuffer(self.probabilities, np.float32)
        return table
