"""What did each judge of an Inspect log say? Several scorers of a log, or the list that ``multi_scorer`` collects.

Every scorer is a judge, named as in the log, and every sample of every model an item. Without a truth a verdict counts
as the scorer gave it: right where it says correct. With a truth, a field of the sample's metadata, a judge is right
where its verdict is the truth.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polyculture.errors import InputError, near

from ..items.builder import PredictionsBuilder
from ..items.item import Item
from ..items.scores import NOT_SCORED

COLLECTED = "multi_scorer"
WORDS: Mapping[Any, str] = {"C": "correct", "I": "incorrect", "P": "partial", "N": "no answer", True: "correct"}
WORDS = {**WORDS, False: "incorrect", "yes": "correct", "true": "correct", "no": "incorrect", "false": "incorrect"}
"""What Inspect's letters, numbers and words of verdicts mean; 1 and 0 are True and False."""
OUTCOMES = {"correct": True, "incorrect": False, "partial": 0.5, "no answer": False}

Sample = dict[str, Any]


def judges_of(head: Mapping[str, Any], sample: Sample) -> tuple[str, ...]:
    """The judges of a log, from its head and a sample with scores; fewer than two where there are none."""
    scores = sample.get("scores") or {}
    if len(scores) > 1:
        return tuple(scores)
    score = next(iter(scores.values()), None)
    value = score.get("value") if isinstance(score, dict) else None
    if not isinstance(value, list):
        return ()
    for scorer in head["eval"].get("scorers") or []:
        options = scorer.get("options") or {}
        parts = options.get("scorers") if isinstance(options, dict) else None
        if isinstance(parts, list) and len(parts) >= len(value):
            return _distinct([str(part.get("name", "judge")).rpartition("/")[2] for part in parts])
    return _distinct(["judge"] * len(value))


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The names, with numbers where several are the same."""
    repeated = {name for name in names if list(names).count(name) > 1}
    places = {name: itertools.count(1) for name in repeated}
    return tuple(f"{name} {next(places[name])}" if name in repeated else name for name in names)


def first_scored(samples: Iterator[tuple[str, Sample]]) -> tuple[Sample, Iterator[tuple[str, Sample]]]:
    """The first sample with scores (empty if there is none), and all samples again."""
    seen: list[tuple[str, Sample]] = []
    for place, sample in samples:
        seen.append((place, sample))
        if isinstance(sample, dict) and sample.get("scores"):
            return sample, itertools.chain(seen, samples)
    return {}, iter(seen)


@dataclass(frozen=True, eq=False)
class JudgedLog:
    """One log read as verdicts of its scorers.

    Parameters
    ----------
    judges : names, in the order of the list where verdicts are a list.
    model, task : whose answers were judged, on what.
    truth : field of the samples' metadata with the true verdict; empty for none.
    """

    judges: tuple[str, ...]
    model: str
    task: str
    truth: str
    builder: PredictionsBuilder

    def items(self, samples: Iterable[tuple[str, Sample]]) -> Iterator[Item]:
        """An item for each judge and sample; samples in whose list a verdict is missing are left out, and counted."""
        short = 0
        for place, sample in samples:
            scores = sample.get("scores") or {}
            collected = next(iter(scores.values())).get("value") if len(scores) == 1 else None
            if isinstance(collected, list) and len(collected) != len(self.judges):
                short += 1
                continue
            label = self._truth(sample, place)
            for position, judge in enumerate(self.judges):
                value = self._verdict(scores, collected, judge, position)
                yield self._item(sample, place, judge, value, label)
        if short:
            self.builder.note(f"{short:,} samples are left out, as a verdict of some judge is missing from their list.")

    def _verdict(self, scores: Mapping[str, Any], collected: Any, judge: str, position: int) -> str | None:
        value = collected[position] if isinstance(collected, list) else (scores.get(judge) or {}).get("value")
        return None if value is None or value != value else verdict_word(value)

    def _truth(self, sample: Sample, place: str) -> str | None:
        if not self.truth:
            return None
        metadata = sample.get("metadata") or {}
        if self.truth not in metadata:
            raise InputError(f"{place} has no {self.truth!r} in its metadata", "", near(self.truth, list(metadata)))
        return verdict_word(metadata[self.truth])

    def _item(self, sample: Sample, place: str, judge: str, verdict: str | None, label: str | None) -> Item:
        score = None if label is not None else NOT_SCORED if verdict is None else outcome_of(verdict, place)
        epoch = int(sample.get("epoch") or 1)
        return Item(
            judge,
            instance=f"{self.task}\n{self.model}\n{sample.get('id')}\n{epoch}",
            display_id=f"{sample.get('id')} {self.model}" + (f" epoch {epoch}" if epoch > 1 else ""),
            place=place,
            answer=verdict,
            label=label,
            score=score,
            state="unscored" if verdict is None else "",
            prompt=json.dumps(sample.get("input"), sort_keys=True),
            group=self.task,
            metric=judge,
        )


def verdict_word(value: Any) -> str:
    """A verdict in words: correct, incorrect, partial, no answer; any other as it is."""
    if isinstance(value, str):
        return WORDS.get(value, WORDS.get(value.strip().lower(), value.strip()))
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return WORDS[bool(value)]
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def outcome_of(verdict: str, place: str) -> bool | float:
    """Whether a verdict says that the answer is right; InputError for verdicts that say neither."""
    if verdict in OUTCOMES:
        return OUTCOMES[verdict]
    try:
        return float(verdict)
    except ValueError:
        raise InputError(
            f"{place} has the verdict {verdict!r}, which is neither right nor wrong",
            "verdicts such as C and I, or a truth to compare with",
            "name the field of the samples' metadata with the true verdict (--truth)",
        ) from None
