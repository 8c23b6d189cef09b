"""What comes of a batch? The answers of all its requests, derived once, and the part of each of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..bundle.manifest import Manifest
    from ..bundle.predictor import Answers


@dataclass(slots=True, eq=False)
class BatchAnswers:
    """The answers to a batch, as plain lists where responses and records have plain values.

    Parameters
    ----------
    manifest : of the bundle that answered.
    combined, members : as arrays.
    codes : position of each answer in the classes; −1 for none; a list per sequence.
    confidence, disagreement : per instance; nan where undefined.
    member_answers : per instance, a code per member.
    quorum : members that answered, per instance.
    sets : per instance, names of the classes in the conformal set, or the limits of the interval; None where the bundle
        has no threshold.
    names : of the classes, and last the empty text, for no answer.
    profile : numbers by which the watch notices that inputs change; empty where they are not wanted.
    """

    manifest: Manifest
    combined: np.ndarray
    members: np.ndarray
    codes: list[Any]
    confidence: list[Any]
    disagreement: list[float]
    member_answers: list[Any]
    quorum: list[int]
    sets: list[Any] | None
    profile: Sequence[Any]
    names: tuple[str, ...]

    @classmethod
    def of(cls, manifest: Manifest, answers: Answers, profile: Sequence[Any] = ()) -> BatchAnswers:
        """Everything that follows from the answers; the numbers of their properties, each computed once."""
        combined, members = answers.combined, answers.members
        complete = manifest.task == "classification" and not manifest.votes and bool(np.all(answers.answered))
        if complete:  # no member is missing
            codes, member_answers = combined.argmax(axis=1), members.argmax(axis=2)
            confidence, quorum = combined.max(axis=1).tolist(), [len(manifest.members)] * len(combined)
            member_codes = member_answers.tolist()
            disagreement = [_dissent(row) for row in member_codes]
        else:
            codes, member_codes = answers.answer, answers.member_answers.tolist()
            disagreement = answers.disagreement.tolist()
            confidence, quorum = answers.confidence.tolist(), answers.quorum.tolist()
        return cls(
            manifest,
            combined,
            members,
            codes.tolist(),
            confidence,
            disagreement,
            member_codes,
            quorum,
            _conformal(manifest, answers) if manifest.conformal else None,
            profile,
            (*manifest.classes, ""),
        )


@dataclass(slots=True, eq=False)
class RequestAnswers:
    """The part of a batch that answers one request.

    Parameters
    ----------
    batch : the answers of all its requests.
    start, stop : the instances of this one.
    ids : under which labels of its instances can be given later.
    explanation : what the set looked at; None where the request did not ask.
    """

    batch: BatchAnswers
    start: int
    stop: int
    ids: Sequence[str] = ()
    explanation: dict[str, Any] | None = None

    @property
    def part(self) -> slice:
        """The instances of the request in the batch."""
        return slice(self.start, self.stop)


def _dissent(row: list[int]) -> float:
    """Share of the members that do not give the most frequent answer, where all of them gave one."""
    count = len(row)
    return (count - max(map(row.count, set(row)))) / count


def _conformal(manifest: Manifest, answers: Answers) -> list[Any] | None:
    """The conformal set of each instance by the names of its classes, or its interval."""
    interval = answers.conformal_interval
    if interval is not None:
        return list(interval.tolist())
    members = answers.conformal_sets
    return None if members is None else [_names(manifest.classes, row) for row in members.tolist()]


def _names(classes: Sequence[str], row: list[Any]) -> list[Any]:
    """The classes of a row of truth values; of a row of such rows a list of them."""
    if row and isinstance(row[0], list):
        return [_names(classes, inner) for inner in row]
    return list(itertools.compress(classes, row))
